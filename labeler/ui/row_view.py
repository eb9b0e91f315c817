"""What lists of the panels have in common: rows drawn by a delegate, chosen by mouse and keys."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QAbstractItemView, QTreeView


def dress_rows(view: QAbstractItemView, name: str, caption: str, tip: str) -> None:
    """Give a list its name and its manners: nothing to edit, nothing beside its width."""
    view.setObjectName(name)
    view.setAccessibleName(caption)
    view.setToolTip(tip)
    view.setMouseTracking(True)
    view.setEditTriggers(QAbstractItemView.NoEditTriggers)
    view.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)


def dress_tree(view: QTreeView) -> None:
    """Make a tree a flat list of rows of one height."""
    view.setRootIsDecorated(False)
    view.setIndentation(0)
    view.setUniformRowHeights(True)
    view.setAllColumnsShowFocus(True)
