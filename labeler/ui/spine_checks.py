"""What looks wrong about the spine: one card each, with the key that settles it."""

from __future__ import annotations

import html

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtGui import QMouseEvent
from PyQt5.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from labeler.core.landmark_checks import ALL_KINDS, Doubt, Kind
from labeler.state.case_problems import case_problems
from labeler.ui import formats, style
from labeler.ui.cards import Card, problem_card
from labeler.ui.commands import Commands
from labeler.ui.panel_header import PanelHeader
from labeler.ui.spine_layer import SEVERE, SpineLayer
from labeler.ui.style import scaled
from labeler.workflows.spine_findings import image_grid
from labeler.workflows.workspace import Workspace

#: What settles a doubt: commands and what they do, or plain words.
WAYS: dict[Kind, tuple[tuple[str, str], ...]] = {
    "swapped": (("spine.swap", "swaps them"),),
    "order": (("spine.type_t", "or another letter types the right name"),),
    "duplicate": (("spine.type_t", "or another letter types a name"), ("spine.delete", "deletes")),
    "missing": (("spine.insert", "inserts one"), ("spine.below_up", "moves the names below up")),
    "distance": (("spine.snap", "snaps to the centre"), ("spine.insert", "inserts one below")),
    "drift": (("spine.snap", "snaps to the centre"),),
    "outside": (("spine.delete", "deletes it"),),
    "rare": (("spine.shift_up", "or"), ("spine.shift_down", "renames all")),
    "mask": (("spine.shift_up", "or"), ("spine.shift_down", "renames all")),
    "model": (
        ("spine.keep", "keeps"),
        ("spine.shift_up", "or"),
        ("spine.shift_down", "renames all"),
    ),
}

MAX_CARDS = 12


class SpineChecks(QWidget):
    """Cards of what is wrong with the files, then of the doubts, then of what is fine.

    Other panels that tell of files are not there in the perspective of the spine.
    """

    def __init__(
        self, ws: Workspace, commands: Commands, layer: SpineLayer, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("spineChecks")
        self.setAccessibleName("Checks")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WA_StyledBackground)
        self._ws = ws
        self._commands = commands
        self._layer = layer
        self._shown: tuple[object, ...] | None = None
        self.header = PanelHeader("Checks", self)
        self._holder = QWidget(self)
        self._cards = QVBoxLayout(self._holder)
        self._cards.setContentsMargins(*(scaled(px) for px in (10, 2, 10, 8)))
        self._cards.setSpacing(scaled(6))
        self._cards.addStretch(1)
        area = QScrollArea(self)
        area.setObjectName("spineChecksArea")
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        area.setWidget(self._holder)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addWidget(area, 1)
        layer.changed.connect(self._fill)
        for signal in (ws.session.case_opened, ws.session.problem_found, ws.session.volume_loaded):
            signal.connect(lambda *_: self._fill())
        self._fill()

    def sizeHint(self) -> QSize:
        return QSize(scaled(320), scaled(260))

    def sentences(self) -> list[str]:
        """What the cards say, from the top."""
        found = (self._cards.itemAt(n).widget() for n in range(self._cards.count()))
        return [card.accessibleName() for card in found if card is not None]

    def _fill(self) -> None:
        problems = case_problems(self._ws.session)
        shown = (
            tuple(self._layer.doubts), bool(self._layer.centroids), self._layer.has_mask,
            self._has_image, *problems,
        )  # fmt: skip
        if shown == self._shown:
            return
        self._shown = shown
        while self._cards.count() > 1:
            self._cards.takeAt(0).widget().deleteLater()
        doubts = self._layer.doubts
        cards: list[QWidget] = [problem_card(words, self._holder) for words in problems]
        for doubt in doubts[:MAX_CARDS]:
            card = DoubtCard(doubt, self._ways(doubt.kind), self._holder)
            card.clicked.connect(self._ws.spine.select)
            cards.append(card)
        if len(doubts) > MAX_CARDS:
            rest = formats.count(len(doubts) - MAX_CARDS, "more doubt")
            cards.append(_plain_card(rest, "true", self._holder))
        if self._layer.centroids:
            cards.append(self._fine_card())
        for n, card in enumerate(cards):
            self._cards.insertWidget(n, card)
        key = formats.key(self._commands.action("spine.next_doubt").shortcut())
        self.header.set_note(f"{key} next" if doubts and key else "")

    @property
    def _has_image(self) -> bool:
        return image_grid(self._ws.session) is not None

    def _fine_card(self) -> QWidget:
        kinds = {doubt.kind for doubt in self._layer.doubts} | {
            "order" for doubt in self._layer.doubts if doubt.kind == "swapped"
        }
        if not self._layer.has_mask:
            kinds.add("mask")
        if not self._has_image:
            kinds.add("outside")
        fine = [words for kind, words in ALL_KINDS if kind not in kinds]
        if not fine:
            return _plain_card("Nothing is fine yet", "true", self._holder)
        text = ", ".join(fine)
        return _plain_card(f"{text[0].upper()}{text[1:]}: fine", "fine", self._holder)

    def _ways(self, kind: Kind) -> str:
        parts: list[str] = []
        for command, words in WAYS[kind]:
            keys = self._commands.keys(command)
            if keys:
                key = html.escape(formats.key_text(keys[0]))
                parts.append(f"<b>{key}</b> {html.escape(words)}")
        return " · ".join(parts).replace(" or · ", " or ")


class DoubtCard(Card):
    """A doubt; a click goes to it.

    Signals
    -------
    clicked
        Key of the first centroid it is about.
    """

    clicked = pyqtSignal(str)

    def __init__(self, doubt: Doubt, ways: str, parent: QWidget) -> None:
        kind = "wrong" if doubt.severity >= SEVERE else "look"
        text = html.escape(doubt.text)
        super().__init__(
            "", f"{text}<br><span style='color:{style.DIM}'>{ways}</span>", parent, kind=kind
        )
        self.setObjectName("doubtCard")
        self.setAccessibleName(doubt.text)
        self.setToolTip("A click goes there")
        self.setCursor(Qt.PointingHandCursor)
        self.body.setTextInteractionFlags(Qt.NoTextInteraction)
        self._key = doubt.keys[0]

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.rect().contains(event.pos()):
            self.clicked.emit(self._key)


def _plain_card(text: str, kind: str, parent: QWidget) -> Card:
    card = Card("", html.escape(text), parent, kind=kind)
    card.setObjectName("checkCard")
    card.setAccessibleName(text)
    return card
