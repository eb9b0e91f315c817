"""Asks which labels of this program the labels of a model are."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt5.QtWidgets import QComboBox, QFormLayout, QWidget

from labeler.core.labels import LabelTable
from labeler.ui import style
from labeler.ui.badges import swatch_icon
from labeler.ui.dialog import Dialog

NONE = "None of them"


class ModelLabelsDialog(Dialog):
    """One row a name of the model, with the labels to choose from.

    Parameters
    ----------
    model
        Title of the model.
    names
        The model's names of its labels.
    known
        Label by name, as far as it is known.
    labels
        The labels there are.
    """

    def __init__(
        self,
        model: str,
        names: list[str],
        known: Mapping[str, int],
        labels: LabelTable,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("modelLabelsDialog", "Labels of the model", "Use labels", parent)
        self.add_text(f"What {model} calls its labels, and which labels they become in a mask.")
        self._boxes: dict[str, QComboBox] = {}
        form = QFormLayout()
        for name in names:
            box = QComboBox(self)
            box.setObjectName(f"modelLabel.{name}")
            box.setAccessibleName(f"Label of {name}")
            box.setToolTip(f"Label that {name} becomes in a mask")
            box.addItem(NONE, 0)
            for label in labels:
                box.addItem(swatch_icon(label.colour), label.name, label.value)
            box.setCurrentIndex(max(0, box.findData(known.get(name, 0))))
            form.addRow(name, box)
            self._boxes[name] = box
        self.content.addLayout(form)
        self.content.addStretch(1)
        self.setMinimumWidth(style.scaled(360))

    @property
    def labels(self) -> dict[str, int]:
        """Label by name of the model; names that are none of the labels are left out."""
        chosen = {name: int(box.currentData()) for name, box in self._boxes.items()}
        return {name: label for name, label in chosen.items() if label}
