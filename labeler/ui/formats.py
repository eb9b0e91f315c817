"""Numbers, places and keys as text: few figures, thin grouping, a real minus sign."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PyQt5.QtGui import QKeySequence

MINUS = "\N{MINUS SIGN}"
UNKNOWN = "\N{EN DASH}"


def measure(value: float | None) -> str:
    """Write an amount (ml, mm) with about three figures: ``1,486``, ``20.4``, ``4.12``, ``0.07``.

    ``None`` (not measured) becomes a dash; what is there is never shown as nothing.
    """
    if value is None:
        return UNKNOWN
    if 0 < value < 0.005:
        return "<0.01"
    size = abs(value)
    if size >= 99.95:
        return _signed(f"{value:,.0f}")
    if size >= 9.995:
        return _signed(f"{value:.1f}")
    return _signed(f"{value:.2f}")


def whole(value: float | None) -> str:
    """Write a number without decimals: ``1,486``; ``None`` becomes a dash."""
    return UNKNOWN if value is None else _signed(f"{value:,.0f}")


def count(number: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun: ``1 region``, ``1,486 regions``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def place(ras: npt.ArrayLike) -> str:
    """Write a RAS point: ``-41.2 R  88.5 A  -213.0 S mm`` (with real minus signs)."""
    values = np.asarray(ras, dtype=np.float64).tolist()
    parts = [f"{_signed(f'{v:.1f}')} {axis}" for v, axis in zip(values, "RAS", strict=True)]
    return "  ".join(parts) + " mm"


def key(sequence: QKeySequence) -> str:
    """Write a key as it stands on keyboards: ``Ctrl+Enter``."""
    text: str = sequence.toString(QKeySequence.NativeText)
    return text.replace("Return", "Enter").replace("PgDown", "PgDn")


def key_text(text: str) -> str:
    """Write a key of the command table as it stands on keyboards."""
    return key(QKeySequence(text))


def _signed(text: str) -> str:
    """Replace the hyphen of a negative number; a negative zero has no sign."""
    if not text.startswith("-"):
        return text
    digits = text[1:]
    return digits if not digits.strip("0.,") else MINUS + digits
