"""Which model is run, what it is, what it needs, and with which parameters."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from labeler.ui import style
from labeler.ui.model_fields import Bound, parameter_field
from labeler.ui.panel_header import quiet_button
from labeler.workflows.run_model import ModelRunner
from labeler.workflows.workspace import Workspace

DEMONSTRATION = "Demonstration model, trained on synthetic data. Not for clinical use."

DEVICES = {
    "auto": "Graphics card, else processor",
    "cpu": "Processor",
    "cuda": "Graphics card",
}


class ModelChoice(QWidget):
    """A list of models, and under it the card of the chosen one.

    Signals
    -------
    changed
        Another model was chosen, or what it can run on is another case.
    """

    changed = pyqtSignal()

    def __init__(self, ws: Workspace, runner: ModelRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ws = ws
        self._runner = runner
        self._fields: dict[str, Bound] = {}
        self._values: dict[str, dict[str, Any]] = {}
        self._is_compact = False
        self._models = QComboBox(self)
        self._about = wrapped_label(self, "modelAbout", "About the model")
        self._warning = wrapped_label(self, "modelWarning", "What the model may be used for")
        self._needs = wrapped_label(self, "modelNeeds", "Phases that the model uses")
        self._options = QWidget(self)
        self._more = quiet_button(
            self, "modelOptions", "Parameters, and what computes the model", icon="mdi6.tune"
        )
        self._dress()
        self._lay_out()
        self._models.currentIndexChanged.connect(self._chosen)
        self._more.toggled.connect(self._options.setVisible)
        runner.models_changed.connect(self._fill)
        ws.session.case_opened.connect(self._show_needs)
        self._fill()

    @property
    def model_id(self) -> str:
        """Id of the chosen model, "" while there is none."""
        return str(self._models.currentData() or "")

    @property
    def params(self) -> dict[str, Any]:
        """Parameters that the model is to be run with."""
        return {name: bound.value() for name, bound in self._fields.items()}

    @property
    def refusal(self) -> str | None:
        """Why the model cannot run on the open case."""
        return self._runner.refusal(self.model_id, self._ws.session.case)

    def choose(self, model_id: str) -> None:
        """Choose a model of the list."""
        self._models.setCurrentIndex(self._models.findData(model_id))

    def _dress(self) -> None:
        self._models.setObjectName("modelChoice")
        self._models.setAccessibleName("Model")
        self._models.setToolTip("Model that is run")
        # its widest entry must not widen the panel
        self._models.setSizeAdjustPolicy(QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self._models.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Fixed)
        self._about.setProperty("dim", True)
        self._warning.setProperty("look", True)
        self._more.setCheckable(True)
        self._options.setVisible(False)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.scaled(4))
        line = QHBoxLayout()
        line.addWidget(self._models, 1)
        line.addWidget(self._more)
        layout.addLayout(line)
        for widget in (self._about, self._warning, self._needs, self._options):
            layout.addWidget(widget)
        form = QFormLayout(self._options)
        form.setContentsMargins(0, 0, 0, style.scaled(4))
        form.setFieldGrowthPolicy(QFormLayout.AllNonFixedFieldsGrow)

    def _fill(self) -> None:
        """List the models anew; the chosen one stays, else the one that was used last."""
        wanted = self.model_id or self._ws.settings.data.models.model
        self._models.blockSignals(True)
        self._models.clear()
        for entry in self._runner.models:
            title = entry.card.title if entry.card is not None else entry.id
            self._models.addItem(title if entry.available else f"{title} (cannot be used)")
            row = self._models.count() - 1
            self._models.setItemData(row, entry.id)
            self._models.setItemData(row, entry.problem or entry.source, Qt.ToolTipRole)
        usable = next((row for row, e in enumerate(self._runner.models) if e.available), 0)
        place = self._models.findData(wanted)
        self._models.setCurrentIndex(place if place >= 0 else usable)
        self._models.blockSignals(False)
        self._chosen()

    def _chosen(self) -> None:
        entry = self._runner.entry(self.model_id)
        card = entry.card if entry is not None else None
        self._make_fields()
        self._warning.setText(DEMONSTRATION)
        self._show_card()
        if card is not None:
            first = " \u00b7 ".join(filter(None, (card.version, card.licence)))
            self._about.setText(f"{html.escape(card.intended_use)}<br>{html.escape(first)}")
            self._about.setToolTip(f"{entry.source if entry else ''}\nWeights {card.weights[:16]}")
        self._show_needs()

    def set_compact(self, is_compact: bool) -> None:
        """Leave the card out while there is a proposal to look at, which says the same."""
        if is_compact != self._is_compact:
            self._is_compact = is_compact
            self._show_card()
            self._show_needs()

    def _show_card(self) -> None:
        entry = self._runner.entry(self.model_id)
        card = entry.card if entry is not None else None
        self._about.setVisible(card is not None and not self._is_compact)
        is_demonstration = card is not None and card.demonstration
        self._warning.setVisible(is_demonstration and not self._is_compact)

    def _show_needs(self, *_: object) -> None:
        """Say what the model would use of the open case, or why it cannot run on it."""
        entry, case = self._runner.entry(self.model_id), self._ws.session.case
        refusal = self.refusal
        colour, text = style.DIM, ""
        if entry is not None and case is None and entry.card is not None:
            needs = entry.card.needs or ("one of " + ", ".join(entry.card.phases),)
            text = f"Needs {' and '.join(needs)}."
        elif refusal is not None:
            colour, text = style.AMBER, f"{refusal}."
        elif entry is not None and entry.card is not None and case is not None:
            used = entry.card.usable(case.phases)
            missing = [phase for phase in entry.card.phases if phase not in used]
            text = f"Uses {', '.join(used) or 'the phases that are found'} of this case"
            text += f" ({', '.join(missing)} missing)." if missing and used else "."
        is_told = bool(text) and entry is not None
        self._needs.setVisible(is_told and (refusal is not None or not self._is_compact))
        self._needs.setText(f'<span style="color:{colour}">{html.escape(text)}</span>')
        self.changed.emit()

    def _make_fields(self) -> None:
        """Make the fields of the chosen model's parameters, with what was set the last time."""
        form = self._options.layout()
        assert isinstance(form, QFormLayout)
        while form.rowCount():
            form.removeRow(0)
        self._fields.clear()
        entry = self._runner.entry(self.model_id)
        if entry is None or entry.card is None:
            self._more.setVisible(False)
            return
        values = self._values.setdefault(entry.id, {})
        for parameter in entry.card.parameters:
            value = values.get(parameter.name, parameter.default)
            bound = parameter_field(parameter, value, self._options)
            bound.changed.connect(self._remember(values, parameter.name, bound))
            form.addRow(None if bound.has_words else parameter.name, bound.widget)
            self._fields[parameter.name] = bound
        form.addRow("Runs on", self._device_box())
        self._more.setVisible(True)

    def _remember(self, values: dict[str, Any], name: str, bound: Bound) -> Callable[..., None]:
        def remember(*_: object) -> None:
            values[name] = bound.value()

        return remember

    def _device_box(self) -> QComboBox:
        box = QComboBox(self._options)
        box.setObjectName("modelDevice")
        box.setAccessibleName("Runs on")
        box.setToolTip("What computes the model")
        for name, words in DEVICES.items():
            box.addItem(words, name)
        box.setCurrentIndex(box.findData(self._ws.settings.data.models.device))
        box.activated.connect(
            lambda row: self._ws.settings.update("models", device=box.itemData(row))
        )
        return box


def wrapped_label(parent: QWidget, name: str, words: str) -> QLabel:
    """Make a label whose text wraps and never widens its panel."""
    label = QLabel(parent)
    label.setObjectName(name)
    label.setAccessibleName(words)
    label.setTextFormat(Qt.RichText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextSelectableByMouse)
    policy = QSizePolicy(QSizePolicy.Ignored, QSizePolicy.Minimum)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
    return label
