"""Saying by hand which image of a case is which phase."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QComboBox, QGridLayout, QLabel, QScrollArea, QWidget

from labeler.core.volume import PHASES
from labeler.storage.cases import Case
from labeler.storage.phases import PhaseSource
from labeler.ui import style
from labeler.ui.badges import phase_title
from labeler.ui.dialog import Dialog

#: Choice that keeps an image out.
NOT_SHOWN = "Not shown"


class PhasesDialog(Dialog):
    """A row per image of the case, with the phase it is shown as."""

    def __init__(self, case: Case, parent: QWidget | None = None) -> None:
        super().__init__("phasesDialog", f"Phases of {case.id}", "Assign phases", parent)
        self._before: dict[str, str] = {source.key: "" for source in case.images}
        self._before.update({source.key: phase for phase, source in case.phases.items()})
        self._boxes: dict[str, QComboBox] = {}
        self.add_text("Which image is which phase? Each phase is one image; the rest is not shown.")
        holder = QWidget(self)
        self._grid = QGridLayout(holder)
        self._grid.setColumnStretch(0, 1)
        self._grid.setHorizontalSpacing(style.scaled(12))
        for source in case.images:
            self._add(source)
        self._grid.setRowStretch(self._grid.rowCount(), 1)
        scroll = QScrollArea(self)
        scroll.setWidget(holder)
        scroll.setWidgetResizable(True)
        self.content.addWidget(scroll, 1)
        self._problem = self.add_text("", role="look")
        self._problem.setObjectName("phasesProblem")
        self._check()
        width = max(style.scaled(620), holder.sizeHint().width() + style.scaled(50))
        self.resize(width, style.scaled(180 + 44 * min(8, len(self._boxes))))

    def box(self, key: str) -> QComboBox:
        """Choice of one image.

        Raises
        ------
        KeyError
            When the case has no such image.
        """
        return self._boxes[key]

    def assignment(self) -> dict[str, str | None]:
        """What was changed: phase by image key, "" keeps an image out.

        Fit for :func:`labeler.storage.phase_override.set_phase_override`. An image that another
        one displaced is kept out as well, or its name would bring it back.
        """
        chosen = self._chosen()
        return {key: phase for key, phase in chosen.items() if phase != self._before[key]}

    def _add(self, source: PhaseSource) -> None:
        row = self._grid.rowCount()
        facts = []
        if source.shape_ijk is not None:
            facts.append("x".join(map(str, source.shape_ijk)))
        if source.spacing_mm is not None:
            facts.append("x".join(f"{value:.3g}" for value in source.spacing_mm) + " mm")
        if source.series is not None and source.series.acquired:
            facts.append(f"taken {_clock(source.series.acquired)}")
        if source.is_guessed:
            facts.append("phase guessed")
        label = QLabel(source.title, self)
        label.setTextFormat(Qt.PlainText)
        label.setWordWrap(True)
        label.setToolTip(str(source.path))
        fact = QLabel("  ".join(facts), self)
        fact.setProperty("dim", True)
        box = QComboBox(self)
        box.setObjectName(f"phase.{source.key}")
        box.setAccessibleName(f"Phase of {source.title}")
        box.setToolTip(f"Phase that {source.title} is shown as")
        for phase in PHASES:
            box.addItem(f"{phase}  {phase_title(phase)}", phase)
        box.addItem(NOT_SHOWN, "")
        box.setCurrentIndex(box.findData(self._before[source.key]))
        box.currentIndexChanged.connect(self._check)
        self._boxes[source.key] = box
        for column, widget in enumerate((label, fact, box)):
            self._grid.addWidget(widget, row, column)

    def _chosen(self) -> dict[str, str]:
        return {key: box.currentData() for key, box in self._boxes.items()}

    def _check(self) -> None:
        phases = [phase for phase in self._chosen().values() if phase]
        twice = [phase for phase in PHASES if phases.count(phase) > 1]
        problem = f"{' and '.join(twice)} is chosen more than once." if twice else ""
        self._problem.setText(problem)
        assert self.ok is not None
        self.ok.setEnabled(not twice and bool(self.assignment()))


def _clock(time: str) -> str:
    """``20210302104207`` -> ``10:42:07``; phases of one examination differ in these."""
    return f"{time[8:10]}:{time[10:12]}:{time[12:14]}" if len(time) >= 14 else time
