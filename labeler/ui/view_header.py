"""The corner of a view that names its phase and plane, and where both are chosen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from PyQt5.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QCursor, QPainter, QPaintEvent
from PyQt5.QtWidgets import QAbstractButton, QActionGroup, QMenu, QWidget

from labeler.core.geometry import Plane
from labeler.core.volume import PHASE_TITLES
from labeler.state.view_state import Pane
from labeler.ui.commands import Commands
from labeler.ui.style import RAISED, SMALL_PX, TEXT_PX, scaled
from labeler.ui.view_text import PlacedText, draw_texts, place_text, text_size

PHASE_PX = TEXT_PX + 1
DETAIL_PX = SMALL_PX + 1

#: Brings the smaller title to the line the phase's name stands on.
_DETAIL_RISE_PX = 1.0


@dataclass(frozen=True)
class PhaseChoice:
    """A phase that may be shown; ``available`` tells whether the case has it."""

    phase: str
    available: bool

    @property
    def title(self) -> str:
        """Long name of the phase, or "" when there is none beside its key."""
        return PHASE_TITLES.get(self.phase, "")


class ViewHeader(QAbstractButton):
    """Phase, title and slice number at the top left; a click opens the choice of both.

    Signals
    -------
    pane_chosen
        The :class:`~labeler.state.view_state.Pane` to show.
    shift_reset
        The phase is to stand where its file places it again.
    """

    pane_chosen = pyqtSignal(object)
    shift_reset = pyqtSignal()

    def __init__(self, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._commands = commands
        self._pane = Pane("", Plane.AXIAL)
        self._place = ""
        self._choices: tuple[PhaseChoice, ...] = ()
        self._is_shifted = False
        self.setCursor(QCursor(Qt.PointingHandCursor))
        self.setFocusPolicy(Qt.NoFocus)
        self.setAttribute(Qt.WA_Hover)
        self.setToolTip(self._tip())
        self.clicked.connect(self._open_menu)

    @property
    def place(self) -> str:
        """Plane and slice number as shown, such as "axial 43 / 133"."""
        return self._place

    def show_pane(self, pane: Pane, place: str) -> None:
        """Set what the view shows; like the slider without asking for a repaint of its own."""
        if (pane, place) == (self._pane, self._place):
            return
        self._pane, self._place = pane, place
        self.setAccessibleName(f"{pane.phase} {place}")
        self.resize(self.sizeHint())

    def set_choices(self, choices: Sequence[PhaseChoice], *, is_shifted: bool = False) -> None:
        """Set the phases of the menu, and whether the present one has a shift to take back."""
        self._choices = tuple(choices)
        self._is_shifted = is_shifted

    def make_menu(self) -> QMenu:
        """Make the menu of phases and planes; the caller shows and owns it."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WA_DeleteOnClose)
        phases = QActionGroup(menu)
        for choice in self._choices:
            text = f"{choice.phase}  {choice.title}".rstrip()
            action = menu.addAction(text if choice.available else f"{text} (not in this case)")
            action.setCheckable(True)
            action.setChecked(choice.phase == self._pane.phase)
            pane = replace(self._pane, phase=choice.phase)
            action.triggered.connect(lambda _, pane=pane: self.pane_chosen.emit(pane))
            phases.addAction(action)
        menu.addSeparator()
        planes = QActionGroup(menu)
        for plane in Plane:
            key = self._commands.action(f"view.{plane.value}").shortcut().toString()
            action = menu.addAction(f"{plane.value.capitalize()}\t{key}")
            action.setCheckable(True)
            action.setChecked(plane is self._pane.plane)
            pane = replace(self._pane, plane=plane)
            action.triggered.connect(lambda _, pane=pane: self.pane_chosen.emit(pane))
            planes.addAction(action)
        if self._is_shifted:
            menu.addSeparator()
            menu.addAction(f"Take back the shift of {self._pane.phase}", self.shift_reset.emit)
        return menu

    def sizeHint(self) -> QSize:
        first = text_size(self._pane.phase, PHASE_PX, bold=True)
        title = text_size(PHASE_TITLES.get(self._pane.phase, ""), DETAIL_PX)
        # as wide for slice 9 as for slice 10, so that scrolling does not resize the button
        digits = max((len(number) for number in re.findall(r"\d+", self._place)), default=0)
        second = text_size(re.sub(r"\d+", "0" * digits, self._place), DETAIL_PX)
        width = max(first.width() + scaled(6) + title.width(), second.width())
        height = first.height() + second.height()
        return QSize(int(width) + 2 * scaled(8), int(height) + scaled(8))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self.underMouse() or self.isDown():
            painter.setRenderHint(QPainter.Antialiasing)
            painter.setPen(Qt.NoPen)
            background = QColor(RAISED)
            background.setAlphaF(0.8)
            painter.setBrush(background)
            radius = scaled(4)
            box = QRectF(self.rect()).adjusted(scaled(2), scaled(2), 0, 0)
            painter.drawRoundedRect(box, radius, radius)
        ratio = painter.device().devicePixelRatioF()
        draw_texts(painter, _texts(self._pane.phase, self._place, ratio))

    def _tip(self) -> str:
        keys = [
            self._commands.action(f"view.{plane.value}").shortcut().toString() for plane in Plane
        ]
        return f"Choose the phase and plane of this view  ({', '.join(filter(None, keys))})"

    def _open_menu(self) -> None:
        self.make_menu().popup(self.mapToGlobal(self.rect().bottomLeft()))


@lru_cache(maxsize=64)
def _texts(phase: str, place: str, ratio: float) -> tuple[PlacedText, ...]:
    left, top = scaled(8), scaled(5)
    size = text_size(phase, PHASE_PX, bold=True)
    beside = QPointF(left + size.width() + scaled(6), top + size.height() - _DETAIL_RISE_PX)
    title = PHASE_TITLES.get(phase, "")
    return (
        place_text(QPointF(left, top), phase, ratio, size_px=PHASE_PX, bold=True),
        place_text(beside, title, ratio, align=(0.0, 1.0), size_px=DETAIL_PX),
        place_text(QPointF(left, top + size.height()), place, ratio, size_px=DETAIL_PX),
    )
