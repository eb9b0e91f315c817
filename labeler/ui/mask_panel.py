"""The masks of the open case: which one is edited, what is shown and how."""

from __future__ import annotations

from dataclasses import replace

from PyQt5.QtCore import QPoint, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QStackedLayout, QVBoxLayout, QWidget

from labeler.ui import style
from labeler.ui.commands import Commands
from labeler.ui.empty_state import EmptyState
from labeler.ui.label_picker import LabelPopup
from labeler.ui.mask_row import (
    NARROW_SLIDER_PX,
    SLIDER_GAP_PX,
    SLIDER_PX,
    SLIDERS,
    MaskRow,
)
from labeler.ui.panel_header import PanelHeader
from labeler.ui.region_drag import DropTarget, RegionDrop
from labeler.workflows.workspace import Workspace

#: Panel width from which sliders get their full width, for 13 px text.
WIDE_PX = 300


class MaskPanel(QWidget):
    """A row per mask; the labels of the active mask can be opened below it.

    Signals
    -------
    add_requested
        The user wants to add a mask from a file.
    close_requested
        The user wants a mask out of the window (its name).
    said
        A sentence for the status bar: what became of regions that were dropped here.
    """

    add_requested = pyqtSignal()
    close_requested = pyqtSignal(str)
    said = pyqtSignal(str)

    def __init__(self, ws: Workspace, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("maskPanel")
        self.setAccessibleName("Masks")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WA_StyledBackground)
        self._ws = ws
        self._rows: dict[str, MaskRow] = {}
        self._open: set[str] = set()
        self._slider_px = SLIDER_PX
        self.header = PanelHeader("Masks", self)
        self._captions = self._make_captions()
        self._list = QWidget()
        self._list_layout = QVBoxLayout(self._list)
        self._drop = RegionDrop(ws, self._list, self._drop_target)
        self._list.installEventFilter(self._drop)
        self._refused = QLabel(self._list)
        self._empty = EmptyState(commands.action("mask.new"), self)
        self._stack = QStackedLayout()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self._refresh)
        self._add_buttons(commands)
        self._lay_out()
        self._connect()
        self._size_sliders()
        self._rebuild()

    def row(self, mask: str) -> MaskRow:
        """Row of a mask.

        Raises
        ------
        KeyError
            When the case has no such mask.
        """
        return self._rows[mask]

    def sizeHint(self) -> QSize:
        return QSize(style.scaled(320), style.scaled(220))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_wide = self.width() >= style.scaled(WIDE_PX)
        width_px = SLIDER_PX if is_wide else NARROW_SLIDER_PX
        if width_px != self._slider_px:
            self._slider_px = width_px
            self._size_sliders()

    def _size_sliders(self) -> None:
        for label in self._captions:
            label.setFixedWidth(style.scaled(self._slider_px + SLIDER_GAP_PX))
        for row in self._rows.values():
            row.set_slider_px(self._slider_px)

    def _add_buttons(self, commands: Commands) -> None:
        for command_id, icon in (
            ("mask.new", "mdi6.plus"),
            ("mask.copy", "mdi6.content-duplicate"),
            ("mask.from_proposal", "mdi6.creation-outline"),
        ):
            action = commands.action(command_id)
            button = self.header.add_button(
                f"button.{command_id}", action.toolTip(), action.trigger, icon=icon
            )
            action.changed.connect(
                lambda button=button, action=action: button.setEnabled(action.isEnabled())
            )
            button.setEnabled(action.isEnabled())
        self._label_button = self.header.add_button(
            "button.mask.label",
            "Choose the label that edits write, from all there are",
            self._choose_label,
            icon="mdi6.tag-outline",
        )
        self.header.add_button(
            "button.mask.add",
            "Add a mask from a file; a copy is kept with the case",
            self.add_requested.emit,
            icon="mdi6.file-plus-outline",
        )

    def _choose_label(self) -> None:
        popup = LabelPopup(self._ws.session.labels, self._ws.selection.label, self)
        popup.chosen.connect(self._ws.selection.set_label)
        popup.open_at(self._label_button.mapToGlobal(QPoint(0, self._label_button.height())))

    def _make_captions(self) -> list[QLabel]:
        """Words above the columns of sliders."""
        labels = []
        for _, caption, words, *_ in SLIDERS:
            label = QLabel(caption, self)
            label.setProperty("faint", True)
            label.setFont(style.text_font(style.SMALL_PX))
            label.setIndent(style.scaled(SLIDER_GAP_PX))
            label.setToolTip(words)
            labels.append(label)
        return labels

    def _lay_out(self) -> None:
        self._list_layout.setContentsMargins(0, 0, 0, style.scaled(6))
        self._list_layout.setSpacing(0)
        self._list_layout.addWidget(self._refused)
        self._list_layout.addStretch(1)
        self._refused.setObjectName("refusedMasks")
        self._refused.setAccessibleName("Masks that cannot be shown")
        self._refused.setProperty("look", True)
        self._refused.setTextFormat(Qt.PlainText)
        self._refused.setWordWrap(True)
        self._refused.setContentsMargins(*(style.scaled(px) for px in (12, 4, 12, 4)))
        page = QWidget(self)
        page_layout = QVBoxLayout(page)
        page_layout.setContentsMargins(0, 0, 0, 0)
        page_layout.setSpacing(0)
        scroll = QScrollArea(page)
        scroll.setObjectName("maskScroll")
        scroll.setWidget(self._list)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, style.scaled(12), 0)
        line.setSpacing(0)
        line.addStretch(1)
        for label in self._captions:
            line.addWidget(label)
        page_layout.addLayout(line)
        page_layout.addWidget(scroll, 1)
        self._stack.addWidget(page)
        self._stack.addWidget(self._empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addLayout(self._stack, 1)

    def _drop_target(self, pos: QPoint) -> DropTarget | None:
        for row in self._rows.values():
            if row.geometry().contains(pos):
                target = row.drop_target(pos - row.pos())
                rects = tuple(rect.translated(row.pos()) for rect in target.rects)
                return replace(target, rects=rects)
        return None

    def _connect(self) -> None:
        self._drop.said.connect(self.said)
        session, selection = self._ws.session, self._ws.selection
        session.case_opened.connect(self._rebuild)
        session.mask_loaded.connect(self._rebuild)
        session.mask_removed.connect(self._rebuild)
        session.regions_changed.connect(self._refresh_soon)
        session.history_changed.connect(self._refresh_soon)
        session.problem_found.connect(self._refresh_soon)
        selection.changed.connect(self._refresh_soon)
        self._ws.views.style_changed.connect(self._refresh_row)

    def _rebuild(self) -> None:
        """Make and drop rows so that they are those of the case, in its order."""
        wanted = list(self._ws.session.masks)
        for name in [name for name in self._rows if name not in wanted]:
            row = self._rows.pop(name)
            self._list_layout.removeWidget(row)
            row.hide()
            row.deleteLater()
        for place, name in enumerate(wanted):
            if name not in self._rows:
                self._rows[name] = self._make_row(name)
            self._list_layout.insertWidget(place, self._rows[name])
        is_open = self._ws.session.case is not None
        self._empty.set_text(
            "This case has no mask yet." if is_open else "Open a case to see its masks.",
            with_action=is_open,
        )
        self._refresh_soon()

    def _make_row(self, name: str) -> MaskRow:
        row = MaskRow(self._ws, name, self._list)
        row.set_open(name in self._open)
        row.set_slider_px(self._slider_px)
        row.close_requested.connect(lambda: self.close_requested.emit(name))
        row.opened.connect(
            lambda is_open: (self._open.add if is_open else self._open.discard)(name)
        )
        return row

    def _refresh_soon(self) -> None:
        self._later.start()

    def _refresh(self) -> None:
        session = self._ws.session
        refused = [
            sentence
            for where, sentence in session.problems.items()
            if where.startswith("mask:") and where.removeprefix("mask:") not in session.masks
        ]
        self._refused.setText("\n".join(refused))
        self._refused.setVisible(bool(refused))
        self._stack.setCurrentIndex(0 if self._rows or refused else 1)
        for row in self._rows.values():
            row.refresh()

    def _refresh_row(self, name: str) -> None:
        if name in self._rows:
            self._rows[name].refresh()
