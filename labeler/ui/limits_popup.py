"""Where painting is allowed: only inside a label, only in a range of HU."""

from __future__ import annotations

from PyQt5.QtCore import QPoint, QRect, Qt
from PyQt5.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QLabel,
    QSpinBox,
    QWidget,
)

from labeler.state.selection import EditLimits
from labeler.ui import style
from labeler.ui.badges import swatch_icon
from labeler.workflows.edit_rules import label_name
from labeler.workflows.workspace import Workspace

MIN_HU, MAX_HU = -1100, 3100

#: Range that is proposed the first time: soft tissue with contrast.
PROPOSED_HU = (40, 200)


class LimitsPopup(QFrame):
    """A small list of limits; what is set here takes effect at once, Esc closes it."""

    def __init__(self, ws: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.Popup)
        self.setObjectName("limitsPopup")
        self.setProperty("popup", True)
        self.setAttribute(Qt.WA_DeleteOnClose)
        self._ws = ws
        limits = ws.selection.limits
        self._inside = _check("onlyInside", "Only inside", "Change voxels of this label only")
        self._inside.setChecked(limits.inside is not None)
        self._label = self._label_box(limits.inside)
        self._hu = _check("onlyHu", "Only HU from", "Change voxels only where a phase is within")
        self._hu.setChecked(limits.hu is not None)
        phase, low, high = limits.hu or (self._active_phase(), *PROPOSED_HU)
        self._low = _hu_box("lowestHu", "Lowest HU that is changed", low)
        self._high = _hu_box("highestHu", "Highest HU that is changed", high)
        self._phase = self._phase_box(phase)
        self._lay_out()
        for box in (self._inside, self._hu):
            box.toggled.connect(self._set)
        for choice in (self._label, self._phase):
            choice.activated.connect(self._set)
        for field in (self._low, self._high):
            field.valueChanged.connect(self._set)
        self._show_enabled()

    def open_at(self, point: QPoint) -> None:
        """Show the list with its corner at a point of the screen, moved to fit."""
        self.adjustSize()
        box = QRect(point, self.sizeHint())
        screen = QApplication.screenAt(point) or QApplication.primaryScreen()
        if screen is not None:
            box.moveRight(min(box.right(), screen.availableGeometry().right()))
        self.setGeometry(box)
        self.show()
        self._inside.setFocus()

    def _active_phase(self) -> str:
        return self._ws.views.panes[self._ws.views.active].phase

    def _label_box(self, inside: int | None) -> QComboBox:
        box = QComboBox()
        box.setObjectName("insideLabel")
        box.setAccessibleName("Label to stay inside of")
        box.setToolTip("What is erased becomes this label again")
        session = self._ws.session
        values = {label.value for label in session.labels}
        if inside is not None:
            values.add(inside)
        for value in sorted(values):
            label = session.labels[value]
            box.addItem(swatch_icon(label.colour), label.name, value)
        box.setCurrentIndex(max(0, box.findData(inside)))
        return box

    def _phase_box(self, phase: str) -> QComboBox:
        box = QComboBox()
        box.setObjectName("limitPhase")
        box.setAccessibleName("Phase whose HU count")
        box.setToolTip("Phase whose HU count")
        box.addItems(list(self._ws.session.volumes) or [phase])
        box.setCurrentIndex(max(0, box.findText(phase)))
        return box

    def _lay_out(self) -> None:
        layout = QGridLayout(self)
        layout.setContentsMargins(*(style.scaled(12),) * 4)
        layout.setHorizontalSpacing(style.scaled(8))
        layout.setVerticalSpacing(style.scaled(8))
        layout.addWidget(self._inside, 0, 0)
        layout.addWidget(self._label, 0, 1, 1, 5)
        layout.addWidget(self._hu, 1, 0)
        for column, widget in enumerate(
            (self._low, QLabel("to"), self._high, QLabel("in"), self._phase), 1
        ):
            layout.addWidget(widget, 1, column)

    def _set(self, *_: object) -> None:
        inside = self._label.currentData() if self._inside.isChecked() else None
        low, high = sorted((float(self._low.value()), float(self._high.value())))
        hu = (self._phase.currentText(), low, high) if self._hu.isChecked() else None
        self._ws.selection.set_limits(EditLimits(inside, hu))
        self._show_enabled()

    def _show_enabled(self) -> None:
        self._label.setEnabled(self._inside.isChecked())
        for widget in (self._low, self._high, self._phase):
            widget.setEnabled(self._hu.isChecked())


def limits_text(ws: Workspace) -> str:
    """What limits the painting, in a few words; "" when nothing does."""
    limits, words = ws.selection.limits, []
    if limits.inside is not None:
        words.append(f"in {label_name(ws.session, limits.inside)}")
    if limits.hu is not None:
        phase, low, high = limits.hu
        words.append(f"{phase} {low:.0f}\N{EN DASH}{high:.0f}")
    return ", ".join(words)


def _check(name: str, text: str, tip: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setObjectName(name)
    box.setToolTip(tip)
    return box


def _hu_box(name: str, tip: str, value: float) -> QSpinBox:
    box = QSpinBox()
    box.setObjectName(name)
    box.setAccessibleName(tip)
    box.setToolTip(tip)
    box.setRange(MIN_HU, MAX_HU)
    box.setSingleStep(5)
    box.setValue(round(value))
    box.setFixedWidth(style.scaled(76))
    return box
