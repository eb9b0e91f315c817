"""One small question for every operation on the shape of regions: on what, and how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from labeler.ui import style
from labeler.ui.dialog import Dialog


@dataclass(frozen=True)
class Amount:
    """A number the user is asked for.

    Attributes
    ----------
    caption
        Words before the field.
    unit
        ``mm`` or ``ml``.
    low, high, default, step
        In the unit.
    """

    caption: str
    unit: str
    low: float
    high: float
    default: float
    step: float


class RegionOperationDialog(Dialog):
    """Asks for the scope, an amount and a manner while the views show what would come of it.

    Enter takes what is shown, Esc leaves everything as it is. The window behind stays alive: one
    can scroll, zoom and select another region meanwhile.

    Parameters
    ----------
    title
        What will be done; also the word on the button.
    text
        What that means, in one sentence.
    amount
        Number that is needed, if any.
    manners
        Ways to do it, the usual one first; none when there is only one.
    parent
        Window it belongs to.

    Signals
    -------
    changed
        Scope, amount or manner is another one.
    """

    changed = pyqtSignal()

    def __init__(
        self,
        title: str,
        text: str,
        amount: Amount | None = None,
        manners: Sequence[str] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("regionOperationDialog", title, title, parent)
        self.add_text(text)
        form = QFormLayout()
        form.setHorizontalSpacing(style.scaled(12))
        self._amount = _amount_field(amount, self) if amount is not None else None
        if amount is not None and self._amount is not None:
            form.addRow(amount.caption, self._amount)
            self._amount.valueChanged.connect(self.changed)
        self._manner = QComboBox(self)
        self._manner.setObjectName("operationManner")
        self._manner.setAccessibleName("How")
        self._manner.setToolTip("How it is done")
        self._manner.addItems(list(manners))
        self._manner.currentIndexChanged.connect(self.changed)
        if manners:
            form.addRow("How", self._manner)
        else:
            self._manner.hide()
        self._scopes = QButtonGroup(self)
        self._scopes.buttonClicked.connect(self.changed)
        self._rows = QVBoxLayout()
        form.addRow("On", self._rows)
        self.content.addLayout(form)
        self._effect = self.add_text("", role="dim")
        self._effect.setObjectName("operationEffect")
        self._effect.setTextFormat(Qt.RichText)
        self._effect.setMinimumHeight(2 * self._effect.fontMetrics().lineSpacing())
        self.content.addStretch(1)
        if self._amount is not None:
            self._amount.setFocus()
            self._amount.selectAll()
        self.setMinimumWidth(style.scaled(300))

    @property
    def scope(self) -> int:
        """Number of the chosen scope."""
        return self._scopes.checkedId()

    @property
    def amount(self) -> float:
        """The number, in its unit; 0 when none was asked for."""
        return 0.0 if self._amount is None else float(self._amount.value())

    @property
    def manner(self) -> int:
        """Number of the chosen manner; -1 when there was no choice."""
        return int(self._manner.currentIndex())

    def set_scopes(self, names: Sequence[str]) -> None:
        """Offer what it can be done on, the proposed one first; the choice stays if it can."""
        chosen = max(0, min(self.scope, len(names) - 1))
        for button in self._scopes.buttons():
            self._scopes.removeButton(button)
            self._rows.removeWidget(button)
            button.hide()
            button.deleteLater()
        for number, name in enumerate(names):
            button = QRadioButton(name, self)
            button.setObjectName(f"operationScope{number}")
            button.setToolTip("What is changed")
            button.setChecked(number == chosen)
            self._scopes.addButton(button, number)
            self._rows.addWidget(button)

    def set_effect(self, html: str, *, can_do: bool = True) -> None:
        """Tell what would come of it, or why nothing can."""
        self._effect.setText(html)
        assert self.ok is not None
        self.ok.setEnabled(can_do)


def _amount_field(amount: Amount, parent: QWidget) -> QDoubleSpinBox:
    field = QDoubleSpinBox(parent)
    field.setObjectName("operationAmount")
    field.setAccessibleName(f"{amount.caption} in {amount.unit}")
    field.setToolTip(f"{amount.low:g} to {amount.high:g} {amount.unit}")
    field.setDecimals(2 if amount.step < 0.1 else 1)
    field.setRange(amount.low, amount.high)
    field.setSingleStep(amount.step)
    field.setSuffix(f" {amount.unit}")
    field.setValue(amount.default)
    return field
