"""Questions about whole masks: which range of HU, which two masks and how."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QSpinBox, QWidget

from labeler.core.labels import LabelTable
from labeler.core.mask_operations import Combination
from labeler.ui import style
from labeler.ui.dialog import Dialog

MIN_HU, MAX_HU = -1100, 3100

ALL_AS_ONE = "All labels as one"

OWN_LABEL = "Their own label"

#: Ways to combine two masks, as people say it.
HOWS = {
    Combination.UNION: "Both together",
    Combination.INTERSECTION: "What both have",
    Combination.MINUS: "The first without the second",
    Combination.XOR: "What only one of them has",
}


class ThresholdDialog(Dialog):
    """Asks for a phase and a range of HU."""

    def __init__(
        self,
        text: str,
        phases: Sequence[str],
        phase: str,
        range_hu: tuple[int, int],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("thresholdDialog", "Label by threshold", "Label", parent)
        self.add_text(text)
        self._phase = choice("thresholdPhase", "Phase", "Phase whose HU count", phases, self)
        self._phase.setCurrentText(phase)
        self._low = _hu_box("thresholdLow", "Lowest HU", range_hu[0], self)
        self._high = _hu_box("thresholdHigh", "Highest HU", range_hu[1], self)
        row = QHBoxLayout()
        for widget in (self._low, QLabel("to", self), self._high, QLabel("HU", self)):
            row.addWidget(widget)
        row.addStretch(1)
        form = QFormLayout()
        form.addRow("Phase", self._phase)
        form.addRow("From", row)
        self.content.addLayout(form)
        self.content.addStretch(1)
        self._low.valueChanged.connect(self._check)
        self._high.valueChanged.connect(self._check)
        self._low.setFocus()
        self._low.selectAll()
        self.setMinimumWidth(style.scaled(360))

    @property
    def phase(self) -> str:
        return str(self._phase.currentText())

    @property
    def range_hu(self) -> tuple[int, int]:
        """Both ends belong to it."""
        return int(self._low.value()), int(self._high.value())

    def _check(self) -> None:
        assert self.ok is not None
        self.ok.setEnabled(self._low.value() <= self._high.value())


class CombineDialog(Dialog):
    """Asks for two masks and how the first becomes a combination of both."""

    def __init__(
        self, names: Sequence[str], first: str, label: str, parent: QWidget | None = None
    ) -> None:
        super().__init__("combineDialog", "Combine masks", "Combine", parent)
        self.add_text("The first mask is changed, the second one is not.")
        self._first = choice("combineFirst", "First mask", "Mask that is changed", names, self)
        self._first.setCurrentText(first)
        tip = "Mask that is only looked at"
        self._second = choice("combineSecond", "Second mask", tip, names, self)
        self._second.setCurrentText(next(name for name in names if name != first))
        self._how = choice(
            "combineHow", "Result", "What the first mask keeps", list(HOWS.values()), self
        )
        self._labels = choice(
            "combineLabels", "Labels", "What is compared", [ALL_AS_ONE, f"Only {label}"], self
        )
        form = QFormLayout()
        form.addRow("First", self._first)
        form.addRow("Second", self._second)
        form.addRow("Result", self._how)
        form.addRow("Labels", self._labels)
        self.content.addLayout(form)
        self.content.addStretch(1)
        self._first.currentTextChanged.connect(self._check)
        self._second.currentTextChanged.connect(self._check)
        self._how.setFocus()
        self.setMinimumWidth(style.scaled(360))

    @property
    def first(self) -> str:
        return str(self._first.currentText())

    @property
    def second(self) -> str:
        return str(self._second.currentText())

    @property
    def how(self) -> Combination:
        return list(HOWS)[self._how.currentIndex()]

    @property
    def only_active_label(self) -> bool:
        return bool(self._labels.currentIndex() == 1)

    def _check(self) -> None:
        assert self.ok is not None
        self.ok.setEnabled(self.first != self.second)


class SourceDialog(Dialog):
    """Asks which mask to take labels from, and which labels."""

    def __init__(
        self, names: Sequence[str], target: str, label: str, parent: QWidget | None = None
    ) -> None:
        super().__init__("sourceDialog", "Take labels of a mask", "Take", parent)
        self.add_text(f"They are drawn into {target}, whatever the grids of the masks.")
        self._source = choice("sourceMask", "Mask", "Mask that is only looked at", names, self)
        self._labels = choice(
            "sourceLabels", "Labels", "What is taken", ["All labels", f"Only {label}"], self
        )
        form = QFormLayout()
        form.addRow("Mask", self._source)
        form.addRow("Labels", self._labels)
        self.content.addLayout(form)
        self.content.addStretch(1)
        self.setMinimumWidth(style.scaled(360))

    @property
    def source(self) -> str:
        return str(self._source.currentText())

    @property
    def only_active_label(self) -> bool:
        return bool(self._labels.currentIndex() == 1)


class TransferDialog(Dialog):
    """Asks which mask regions go to, and which label they get there; remembers nothing."""

    def __init__(
        self,
        verb: str,
        what: str,
        masks: Sequence[str],
        labels: LabelTable,
        proposed: tuple[str | None, int | None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("transferDialog", f"{verb} to mask", verb, parent)
        self.add_text(f"{verb} {what}, whatever the grids of the masks.")
        self._mask = choice("transferMask", "To mask", "Mask that gets them", masks, self)
        values = [None, *(label.value for label in labels if label.value)]
        names = [OWN_LABEL, *(label.name for label in labels if label.value)]
        self._label = choice("transferLabel", "As", "Label they get there", names, self)
        self._values = values
        mask, label = proposed
        if mask in masks:
            self._mask.setCurrentText(mask)
        if label in values:
            self._label.setCurrentIndex(values.index(label))
        form = QFormLayout()
        form.addRow("To mask", self._mask)
        form.addRow("As", self._label)
        self.content.addLayout(form)
        self.content.addStretch(1)
        (self._mask if len(masks) > 1 else self._label).setFocus()
        self.setMinimumWidth(style.scaled(320))

    @property
    def mask(self) -> str:
        return str(self._mask.currentText())

    @property
    def label(self) -> int | None:
        """Label they get; ``None`` for their own."""
        return self._values[self._label.currentIndex()]


def choice(name: str, caption: str, tip: str, entries: Sequence[str], parent: QWidget) -> QComboBox:
    """Make a list of entries to choose one from."""
    box = QComboBox(parent)
    box.setObjectName(name)
    box.setAccessibleName(caption)
    box.setToolTip(tip)
    box.addItems(list(entries))
    return box


def _hu_box(name: str, tip: str, value: int, parent: QWidget) -> QSpinBox:
    box = QSpinBox(parent)
    box.setObjectName(name)
    box.setAccessibleName(tip)
    box.setToolTip(tip)
    box.setRange(MIN_HU, MAX_HU)
    box.setSingleStep(5)
    box.setValue(value)
    return box
