"""All keys on one page, searchable; made from the command table."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QColor, QKeySequence
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from labeler.ui import formats, style
from labeler.ui.command_table import COMMANDS
from labeler.ui.commands import Commands
from labeler.ui.dialog import Dialog

#: What the mouse does, per profile of the settings; "" stands for both.
MOUSE = (
    ("", "Wheel", "Next or previous slice"),
    ("", "Ctrl+wheel", "Zoom"),
    ("", "Middle drag, Space+drag", "Pan"),
    ("", "Left", "The tool; with Navigate the crosshair follows"),
    ("PACS", "Right drag", "Grey scale: sideways width, up and down level"),
    ("ITK-SNAP", "Right drag", "Zoom"),
    ("", "Right, with a drawing tool", "Erase"),
    ("", "Alt+drag", "Move a phase against the others (breathing)"),
    ("", "Double click", "Show one view alone, or all four again"),
)


class KeysDialog(Dialog):
    """The F1 page."""

    def __init__(
        self, commands: Commands, mouse_profile: str, parent: QWidget | None = None
    ) -> None:
        super().__init__("keysDialog", "Keys", "", parent)
        self._search = QLineEdit(self)
        self._search.setObjectName("keySearch")
        self._search.setAccessibleName("Search keys")
        self._search.setPlaceholderText("Search action or key \u2026")
        self._search.setToolTip("Shows actions whose name, explanation or key holds the text")
        self._search.setClearButtonEnabled(True)
        self._tree = key_tree(self, "keyTable", ("Key", "Action", "What it does"))
        self.content.addWidget(self._search)
        self.content.addWidget(self._tree)
        self.add_text("Keys can be changed in the settings (Ctrl+,).")
        for menu in dict.fromkeys(command.menu for command in COMMANDS):
            group = add_group(self._tree, menu)
            for command in COMMANDS:
                if command.menu == menu:
                    keys = [QKeySequence(key) for key in commands.keys(command.id)]
                    add_row(group, (_text(keys), command.text.rstrip("\u2026"), command.tip))
        group = add_group(self._tree, "Mouse")
        for profile, hand, what in MOUSE:
            if profile in ("", mouse_profile):
                add_row(group, (hand, "", what))
        self._tree.expandAll()
        self._search.textChanged.connect(lambda text: filter_tree(self._tree, text))
        self._search.setFocus()
        self.resize(style.scaled(760), style.scaled(640))


def key_tree(parent: QWidget, name: str, titles: Sequence[str]) -> QTreeWidget:
    """Make an empty table of commands, grouped by menu."""
    tree = QTreeWidget(parent)
    tree.setObjectName(name)
    tree.setAccessibleName("Keys")
    tree.setToolTip("Actions by menu, with their keys")
    tree.setHeaderLabels(list(titles))
    tree.setRootIsDecorated(False)
    tree.setIndentation(0)
    tree.setUniformRowHeights(True)
    tree.setEditTriggers(QAbstractItemView.NoEditTriggers)
    tree.header().setStretchLastSection(True)
    tree.header().setSectionResizeMode(QHeaderView.ResizeToContents)
    tree.header().setDefaultAlignment(Qt.AlignLeft | Qt.AlignVCenter)
    return tree


def add_group(tree: QTreeWidget, title: str) -> QTreeWidgetItem:
    """Add a heading."""
    group = QTreeWidgetItem(tree, [title])
    group.setFlags(Qt.ItemIsEnabled)
    group.setFirstColumnSpanned(True)
    group.setForeground(0, QColor(style.DIM))
    group.setFont(0, style.heading_font())
    return group


def add_row(group: QTreeWidgetItem, texts: Sequence[str]) -> QTreeWidgetItem:
    """Add a row under a heading; the first column is the key."""
    row = QTreeWidgetItem(group, list(texts))
    row.setForeground(0, QColor(style.ACCENT))
    if len(texts) > 2:
        row.setForeground(2, QColor(style.DIM))
    return row


def filter_tree(tree: QTreeWidget, text: str) -> None:
    """Hide the rows that do not hold every word of a text, and groups without rows."""
    words = text.casefold().split()
    for place in range(tree.topLevelItemCount()):
        group = tree.topLevelItem(place)
        rows = [group.child(n) for n in range(group.childCount())]
        for row in rows:
            cells = " ".join(row.text(n) for n in range(tree.columnCount())).casefold()
            row.setHidden(not all(word in cells for word in words))
        group.setHidden(all(row.isHidden() for row in rows))


def _text(keys: Sequence[QKeySequence]) -> str:
    return ", ".join(formats.key(key) for key in keys)
