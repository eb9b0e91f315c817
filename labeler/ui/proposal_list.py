"""The regions of a proposal as a list: what the model says of each, and what was decided."""

from __future__ import annotations

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QIcon, QKeyEvent
from PyQt5.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from labeler.state.proposals import Decision, Proposal, Proposals
from labeler.state.session import Session
from labeler.ui import formats, style
from labeler.ui.badges import swatch_icon

LABEL, VOLUME, CONFIDENCE, STATE = range(4)

#: Group of labels that people look for; these come first.
LESION = "lesion"

NUMBER_ROLE = int(Qt.UserRole)

#: Rows that are seen at least; the list takes what room there is.
MIN_ROWS = 3

STATE_TIPS: dict[Decision, str] = {
    "open": "Not decided on yet",
    "accepted": "Accepted (Ctrl+Z opens it again)",
    "rejected": "Rejected (Alt+Del brings it back)",
}


class ProposalList(QTreeWidget):
    """Follows ``session.proposals``.

    Signals
    -------
    chosen
        Number of the region that the user wants to see.
    """

    chosen = pyqtSignal(int)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._proposals: Proposals = session.proposals
        self._rows: dict[int, QTreeWidgetItem] = {}
        self._dress()
        self.itemClicked.connect(lambda item: self.chosen.emit(item.data(0, NUMBER_ROLE)))
        self.itemActivated.connect(lambda item: self.chosen.emit(item.data(0, NUMBER_ROLE)))
        self._proposals.changed.connect(self._fill)
        self._proposals.decided.connect(self._show_decisions)
        self._proposals.selected.connect(self._show_selected)
        self._fill()

    def numbers(self) -> list[int]:
        """Numbers of the regions, from top to bottom."""
        return list(self._rows)

    def row(self, number: int) -> QTreeWidgetItem:
        """Row of a region.

        Raises
        ------
        KeyError
            When the proposal has no such region.
        """
        return self._rows[number]

    def neighbour(self, step: int) -> int | None:
        """The next open region from the selected one downwards (-1: upwards)."""
        numbers, is_open = self.numbers(), set(self._proposals.open_numbers())
        here = self._proposals.number
        place = numbers.index(here) if here in numbers else (-1 if step > 0 else len(numbers))
        below = numbers[place + 1 :] if step > 0 else numbers[:place][::-1] if place else []
        return next((number for number in below if number in is_open), None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrow keys go to regions, as in the list of the masks' regions."""
        before = self.currentItem()
        super().keyPressEvent(event)
        now = self.currentItem()
        if now is not None and now is not before:
            self.chosen.emit(now.data(0, NUMBER_ROLE))

    def sizeHint(self) -> QSize:
        return QSize(style.scaled(280), self.minimumSizeHint().height())

    def minimumSizeHint(self) -> QSize:
        row = max(self.sizeHintForRow(0), style.scaled(20))
        return QSize(style.scaled(120), MIN_ROWS * row + self.header().sizeHint().height())

    def _dress(self) -> None:
        self.setObjectName("proposalRows")
        self.setAccessibleName("Regions of the proposal")
        self.setToolTip("A click goes to a region; Q goes to the next one that is open")
        self.setHeaderLabels(["Region", "ml", "%", ""])
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setEditTriggers(QAbstractItemView.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        header = self.header()
        header.setObjectName("proposalHeader")
        header.setFont(style.text_font(style.SMALL_PX))
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(style.scaled(16))
        header.setSectionResizeMode(LABEL, QHeaderView.Stretch)
        for column, width in ((VOLUME, 52), (CONFIDENCE, 42), (STATE, 24)):
            header.setSectionResizeMode(column, QHeaderView.Fixed)
            header.resizeSection(column, style.scaled(width))
        item = self.headerItem()
        for column, tip in (
            (VOLUME, "Volume in ml"),
            (CONFIDENCE, "Confidence of the model in the label"),
            (STATE, "What was decided"),
        ):
            item.setTextAlignment(column, int(Qt.AlignRight | Qt.AlignVCenter))
            item.setToolTip(column, tip)

    def _fill(self) -> None:
        self.clear()
        self._rows.clear()
        proposal = self._proposals.current
        if proposal is not None:
            for number in self._in_order(proposal):
                item = QTreeWidgetItem(self)
                item.setData(0, NUMBER_ROLE, number)
                self._rows[number] = item
            self._show_decisions()
        self.updateGeometry()

    def _in_order(self, proposal: Proposal) -> list[int]:
        """Lesions first, then by label; the largest of each first."""
        labels = self._session.labels

        def place(number: int) -> tuple[bool, int, float]:
            look = self._proposals.look_of(number, labels)
            return look.group != LESION, look.value, -proposal.regions[number].voxels

        return sorted(proposal.regions, key=place)

    def _show_decisions(self) -> None:
        proposal = self._proposals.current
        if proposal is None:
            return
        for number, decision in self._proposals.decisions().items():
            self._show_row(self._rows[number], proposal, number, decision)

    def _show_row(
        self, item: QTreeWidgetItem, proposal: Proposal, number: int, decision: Decision
    ) -> None:
        look = self._proposals.look_of(number, self._session.labels)
        opinion = proposal.opinions.get(number)
        is_known = self._proposals.label_of(number) is not None
        has_flag = opinion is not None and bool(opinion.flags)
        item.setText(LABEL, look.name if is_known else f"{look.name} ?")
        item.setIcon(LABEL, swatch_icon(look.colour if decision == "open" else style.FAINT))
        item.setText(VOLUME, formats.measure(proposal.regions[number].volume_ml))
        item.setText(CONFIDENCE, "" if opinion is None else f"{100 * opinion.confidence:.0f}")
        icons = {
            "open": style.icon("mdi6.alert-outline", style.AMBER) if has_flag else None,
            "accepted": style.icon("mdi6.check", style.GREEN),
            "rejected": style.icon("mdi6.close", style.FAINT),
        }
        icon = icons[decision]
        item.setIcon(STATE, icon if icon is not None else QIcon())
        font = self.font()
        font.setStrikeOut(decision == "rejected")
        colour = QColor(style.TEXT if decision == "open" else style.FAINT)
        tip = "\n".join([STATE_TIPS[decision], *(opinion.flags if opinion is not None else ())])
        for column in (LABEL, VOLUME, CONFIDENCE, STATE):
            item.setForeground(column, colour)
            item.setToolTip(column, tip)
            if column != LABEL:
                item.setTextAlignment(column, int(Qt.AlignRight | Qt.AlignVCenter))
        item.setFont(LABEL, font)

    def _show_selected(self, number: int | None) -> None:
        item = self._rows.get(number) if number is not None else None
        if item is None:
            self.clearSelection()
            self.setCurrentItem(None)
        elif item is not self.currentItem():
            self.setCurrentItem(item)
