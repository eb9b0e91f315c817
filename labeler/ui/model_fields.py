"""One field for each parameter of a model, by the type of its default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PyQt5.QtCore import pyqtBoundSignal
from PyQt5.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox, QWidget

from labeler.workflows.model_jobs import Parameter

#: Range of numbers: what they mean only the model knows.
MAX_NUMBER = 1_000_000


@dataclass(frozen=True)
class Bound:
    """A field of a parameter.

    Attributes
    ----------
    widget
        The field.
    value
        Reads it.
    changed
        Signal of the widget: the value may be another one.
    has_words
        Whether the field says by itself which parameter it is.
    """

    widget: QWidget
    value: Callable[[], Any]
    changed: pyqtBoundSignal
    has_words: bool = False


def parameter_field(parameter: Parameter, value: Any, parent: QWidget) -> Bound:
    """Make the field of a parameter, filled with a value."""
    bound = _field(parameter, value, parent)
    bound.widget.setObjectName(f"parameter.{parameter.name}")
    bound.widget.setAccessibleName(parameter.name)
    bound.widget.setToolTip(parameter.description)
    return bound


def _field(parameter: Parameter, value: Any, parent: QWidget) -> Bound:
    default = parameter.default
    if parameter.choices:
        combo = QComboBox(parent)
        for choice in parameter.choices:
            combo.addItem(str(choice), choice)
        combo.setCurrentIndex(combo.findData(value))
        return Bound(combo, combo.currentData, combo.currentIndexChanged)
    if isinstance(default, bool):
        check = QCheckBox(parameter.name, parent)
        check.setChecked(value)
        return Bound(check, check.isChecked, check.toggled, has_words=True)
    if isinstance(default, int):
        whole = QSpinBox(parent)
        whole.setRange(-MAX_NUMBER, MAX_NUMBER)
        whole.setValue(value)
        return Bound(whole, whole.value, whole.valueChanged)
    if isinstance(default, float):
        number = QDoubleSpinBox(parent)
        number.setDecimals(3)
        number.setRange(-MAX_NUMBER, MAX_NUMBER)
        number.setSingleStep(0.1)
        number.setValue(value)
        return Bound(number, number.value, number.valueChanged)
    line = QLineEdit(str(value), parent)
    return Bound(line, line.text, line.textChanged)
