"""One mask in the mask panel: active, visible, name and state, how it is drawn, its labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PyQt5.QtCore import QPoint, QRect, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QContextMenuEvent, QMouseEvent, QResizeEvent
from PyQt5.QtWidgets import (
    QGridLayout,
    QLabel,
    QMenu,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from labeler.ui import formats, style
from labeler.ui.badges import dot_icon
from labeler.ui.label_rows import LabelRows
from labeler.ui.panel_header import quiet_button
from labeler.ui.region_drag import DropTarget
from labeler.ui.thin_slider import ThinSlider
from labeler.workflows.workspace import Workspace

#: Sliders: field of :class:`MaskStyle`, caption, words, steps, steps per unit, unit.
SLIDERS = (
    ("contour_width_px", "width", "Contour width", 16, 2.0, "px"),
    ("contour_opacity", "line", "Contour opacity", 100, 100.0, "%"),
    ("fill_opacity", "fill", "Fill opacity", 100, 100.0, "%"),
)

#: Width of a slider in a wide and in a narrow panel, and of the gap before it, for 13 px text.
SLIDER_PX, NARROW_SLIDER_PX, SLIDER_GAP_PX = 44, 27, 6


class MaskRow(QWidget):
    """Row of a mask, with its labels below while it is open.

    Signals
    -------
    opened
        The labels were shown or hidden by the user.
    close_requested
        The user wants the mask out of the window.
    """

    opened = pyqtSignal(bool)
    close_requested = pyqtSignal()

    def __init__(self, ws: Workspace, mask: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"mask.{mask}")
        self.setAccessibleName(f"Mask {mask}")
        self._ws = ws
        self.mask = mask
        self._arrow = quiet_button(self, f"open.{mask}", f"Show the labels of {mask}")
        self._radio = QRadioButton(self)
        self._eye = quiet_button(self, f"eye.{mask}", f"Show or hide {mask}")
        self._name = ElidedLabel(mask, self)
        self._state = QLabel(self)
        self._sliders = {name: ThinSlider(f"{name}.{mask}", steps, self)
                         for name, _, _, steps, _, _ in SLIDERS}  # fmt: skip
        self._labels = LabelRows(ws, mask, self)
        self._labels.setVisible(False)
        self._dress()
        self._lay_out()
        self.refresh()

    @property
    def labels(self) -> LabelRows:
        """List of the labels found in the mask."""
        return self._labels

    @property
    def is_open(self) -> bool:
        return not self._labels.isHidden()

    def set_open(self, is_open: bool) -> None:
        """Show or hide the labels."""
        self._labels.setVisible(is_open)
        self._arrow.setIcon(style.icon(f"mdi6.chevron-{'down' if is_open else 'right'}", style.DIM))
        self._arrow.setAccessibleName(f"{'Hide' if is_open else 'Show'} the labels of {self.mask}")

    def set_slider_px(self, width_px: int) -> None:
        """Set the width of the sliders, for 13 px text."""
        for column, slider in enumerate(self._sliders.values(), start=5):
            slider.setFixedWidth(style.scaled(width_px))
            self._line.setColumnMinimumWidth(column, style.scaled(width_px + SLIDER_GAP_PX))

    def refresh(self) -> None:
        """Follow the state."""
        entry = self._ws.session.masks.get(self.mask)
        if entry is None:
            return
        mask_style = self._ws.views.style(self.mask)
        is_active = self._ws.selection.mask == self.mask
        self._radio.setChecked(is_active)
        self._name.set_colour(
            style.BRIGHT if is_active else style.TEXT if mask_style.visible else style.FAINT
        )
        name = "mdi6.eye-outline" if mask_style.visible else "mdi6.eye-off-outline"
        self._eye.setIcon(style.icon(name, style.DIM if mask_style.visible else style.FAINT))
        for field, _, words, _, per_unit, unit in SLIDERS:
            slider = self._sliders[field]
            value = getattr(mask_style, field)
            slider.blockSignals(True)
            slider.setValue(round(value * per_unit))
            slider.blockSignals(False)
            slider.setEnabled(mask_style.visible)
            shown = f"{value:g} px" if unit == "px" else f"{round(100 * value)} %"
            slider.setToolTip(f"{words} of {self.mask}: {shown}")
        self._show_state(entry.mask.is_dirty)
        self._labels.refresh()

    def drop_target(self, pos: QPoint) -> DropTarget:
        """What regions dropped at a point of the row would go to: a label, or the mask."""
        if self.is_open and self._labels.geometry().contains(pos):
            corner = self._labels.pos()
            found = self._labels.label_at(pos - corner)
            if found is not None:
                label, rect = found
                return DropTarget(self.mask, label, (rect.translated(corner),))
        line = QRect(0, 0, self.width(), self._line.geometry().bottom() + 1)
        return DropTarget(self.mask, None, (line,))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click beside the buttons makes the mask the active one."""
        if event.button() == Qt.LeftButton:
            self._ws.selection.set_mask(self.mask)
        super().mousePressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu().popup(event.globalPos())

    def menu(self) -> QMenu:
        """Make the menu of the right button."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WA_DeleteOnClose)
        menu.setObjectName("maskMenu")
        menu.setToolTipsVisible(True)
        action = menu.addAction(style.icon("mdi6.layers-remove"), f"Close {self.mask}")
        action.setObjectName(f"close.{self.mask}")
        action.setToolTip("Take the mask out of the window; its file stays")
        action.triggered.connect(lambda checked=False: self.close_requested.emit())
        return menu

    def _dress(self) -> None:
        self._radio.setObjectName(f"active.{self.mask}")
        self._radio.setAccessibleName(f"Edit {self.mask}")
        self._radio.setToolTip(f"Let edits go into {self.mask}")
        self._radio.setAutoExclusive(False)
        self._radio.setProperty("bare", True)
        self._radio.setFixedWidth(style.scaled(18))
        self._radio.setFocusPolicy(Qt.TabFocus)
        self._radio.clicked.connect(self._activate)
        self._arrow.clicked.connect(self._toggle_labels)
        self._eye.clicked.connect(self._toggle_visible)
        self.set_open(False)
        for field, _, words, _, per_unit, _ in SLIDERS:
            slider = self._sliders[field]
            slider.setAccessibleName(f"{words} of {self.mask}")
            slider.valueChanged.connect(
                lambda value, field=field, per_unit=per_unit: self._restyle(field, value / per_unit)
            )

    def _lay_out(self) -> None:
        line = QGridLayout()
        line.setContentsMargins(*(style.scaled(px) for px in (3, 2, 12, 2)))
        line.setHorizontalSpacing(0)
        line.setColumnStretch(3, 1)
        for column, widget in enumerate(
            (self._arrow, self._radio, self._eye, self._name, self._state)
        ):
            line.addWidget(widget, 0, column, Qt.AlignVCenter)
        for column, slider in enumerate(self._sliders.values(), start=5):
            line.addWidget(slider, 0, column, Qt.AlignRight | Qt.AlignVCenter)
        self._line = line
        self.set_slider_px(SLIDER_PX)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(line)
        layout.addWidget(self._labels)

    def _activate(self) -> None:
        self._ws.selection.set_mask(self.mask)
        self._radio.setChecked(True)

    def _toggle_labels(self) -> None:
        self.set_open(not self.is_open)
        self.opened.emit(self.is_open)

    def _toggle_visible(self) -> None:
        now = self._ws.views.style(self.mask)
        self._ws.views.set_style(self.mask, replace(now, visible=not now.visible))

    def _restyle(self, field: str, value: float) -> None:
        now = self._ws.views.style(self.mask)
        changed: dict[str, Any] = {field: value}
        self._ws.views.set_style(self.mask, replace(now, **changed))

    def _show_state(self, is_dirty: bool) -> None:
        session = self._ws.session
        problem = session.problems.get(f"mask:{self.mask}")
        locked = len(self._ws.selection.locked.get(self.mask, ()))
        lines = [self.mask]
        icon = None
        if session.read_only_reason:
            icon = style.icon("mdi6.lock", style.DIM)
            lines.append(f"Read-only: {session.read_only_reason}")
        if locked:
            icon = style.icon("mdi6.lock", style.AMBER)
            lines.append(f"{formats.count(locked, 'label')} locked")
        if is_dirty:
            icon = dot_icon(style.AMBER, 7)
            lines.append("Edited, not saved yet")
        if problem:
            icon = style.icon("mdi6.alert", style.AMBER)
            lines.append(problem)
        side = style.scaled(13)
        self._state.setVisible(icon is not None)
        if icon is not None:
            self._state.setPixmap(icon.pixmap(QSize(side, side)))
        self._state.setToolTip("\n".join(lines))
        self._name.setToolTip("\n".join(lines))


class ElidedLabel(QLabel):
    """A name that is shortened in the middle where it does not fit."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._full = text
        self._colour = ""
        self.setTextFormat(Qt.PlainText)
        self.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Preferred)
        self.setMinimumWidth(style.scaled(24))
        self._elide()

    def set_colour(self, colour: str) -> None:
        if colour != self._colour:
            self._colour = colour
            self.setStyleSheet(f"color: {colour}")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._full, Qt.ElideMiddle, self.width()))
