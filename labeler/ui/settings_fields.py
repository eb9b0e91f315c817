"""The settings in plain words: one row a setting, one widget a kind of value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PyQt5.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox, QWidget


@dataclass(frozen=True)
class Field:
    """A setting as people see it.

    Attributes
    ----------
    section, name
        Where it is in :class:`~labeler.state.settings.SettingsData`.
    words
        Label of the row.
    tip
        What it does.
    choices
        ``{value: words}`` for a setting with a few values.
    low, high, step, unit
        For a number; ``percent`` shows 0..1 as 0..100 %.
    hint
        Shown in an empty text field.
    """

    section: str
    name: str
    words: str
    tip: str
    choices: dict[str, str] | None = None
    low: float = 0.0
    high: float = 1.0
    step: float = 1.0
    unit: str = ""
    percent: bool = False
    hint: str = ""


UNCHANGED = "Of masks whose sliders you have not moved"

VIEWS = (
    Field("views", "region_jump", "Go to a region at its", "Slice that a jump to a region shows",
          choices={"first": "first slice", "largest": "largest slice", "middle": "middle slice"}),
    Field("views", "auto_contrast", "Fit the grey scale of each phase when a case opens",
          "To the soft tissue of the phase; otherwise the grey scale of the last case stays"),
    Field("views", "windows_linked", "One grey scale for all phases", "Changing one changes all"),
    Field("views", "crosshair", "Show the crosshair", "Lines through the point the views share"),
    Field("views", "smooth", "Smooth enlarged pixels", "Off: every voxel is a square"),
    Field("mouse", "profile", "Right drag", "What dragging with the right button does",
          choices={"PACS": "changes the grey scale (PACS)", "ITK-SNAP": "zooms (ITK-SNAP)"}),
)  # fmt: skip

MASKS = (
    Field("masks", "contour_width_px", "Contour width", UNCHANGED,
          high=8, step=0.5, unit=" px"),
    Field("masks", "contour_opacity", "Contour opacity", UNCHANGED,
          percent=True),
    Field("masks", "fill_opacity", "Fill opacity", UNCHANGED,
          percent=True),
    Field("editing", "brush_mm", "Brush diameter", "At the start of the program",
          low=0.5, high=200, unit=" mm"),
    Field("editing", "backups", "Earlier versions kept",
          "Copies of a mask in the folder \u201cbackups\u201d beside it", high=100),
    Field("person", "name", "Name on comments", "Written beside your comments",
          hint="your login name"),
)  # fmt: skip

MEMORY = (
    Field("memory", "prefetch_mb", "Read ahead",
          "Memory for the cases before and after the open one; 0 switches reading ahead off",
          high=1_000_000, step=256, unit=" MB"),
    Field("memory", "cache_gb", "Disk space for cases seen before",
          "They open faster the second time; 0 switches this off; counts from the next start",
          high=10_000, unit=" GB"),
    Field("editing", "undo_mb", "Memory for undo", "The oldest changes are forgotten first",
          low=8, high=65536, step=64, unit=" MB"),
    Field("editing", "history_disk_mb", "Disk space for undo of closed cases",
          "Undo goes on where a case was left; 0 keeps nothing; counts from the next case",
          high=65536, step=64, unit=" MB"),
)  # fmt: skip


MODELS = (
    Field("models", "device", "Runs on", "What computes the models",
          choices={"auto": "graphics card, else processor", "cpu": "processor",
                   "cuda": "graphics card"}),
    Field("models", "ahead", "Run the model for the next cases while I look at one",
          "Their proposals wait when you come to them"),
    Field("models", "ahead_cases", "For so many cases", "The next ones of the list",
          low=1, high=20),
    Field("memory", "proposals_mb", "Memory for proposals",
          "Of cases that are not open; they are on disk, too", low=1, high=100_000, step=64,
          unit=" MB"),
)  # fmt: skip


@dataclass(frozen=True)
class Bound:
    """A field with its widget; ``value`` reads what the user chose."""

    field: Field
    widget: QWidget
    value: Callable[[], Any]


def bind(field: Field, value: Any, parent: QWidget) -> Bound:
    """Make the widget of a setting, filled with its value."""
    bound = _bound(field, value, parent)
    bound.widget.setObjectName(f"setting.{field.section}.{field.name}")
    bound.widget.setAccessibleName(field.words)
    bound.widget.setToolTip(field.tip)
    return bound


def _bound(field: Field, value: Any, parent: QWidget) -> Bound:
    if isinstance(value, bool):
        check = QCheckBox(field.words, parent)
        check.setChecked(value)
        return Bound(field, check, check.isChecked)
    if field.choices is not None:
        combo = QComboBox(parent)
        for name, words in field.choices.items():
            combo.addItem(words, name)
        combo.setCurrentIndex(combo.findData(value))
        return Bound(field, combo, combo.currentData)
    if isinstance(value, str):
        line = QLineEdit(value, parent)
        line.setPlaceholderText(field.hint)
        return Bound(field, line, lambda: line.text().strip())
    return _bound_number(field, value, parent)


def _bound_number(field: Field, value: float, parent: QWidget) -> Bound:
    if field.percent:
        box = QSpinBox(parent)
        box.setRange(0, 100)
        box.setSingleStep(5)
        box.setSuffix(" %")
        box.setValue(round(100 * value))
        return Bound(field, box, lambda: box.value() / 100)
    if isinstance(value, int):
        whole = QSpinBox(parent)
        whole.setRange(int(field.low), int(field.high))
        whole.setSingleStep(int(field.step))
        whole.setSuffix(field.unit)
        whole.setValue(value)
        return Bound(field, whole, whole.value)
    number = QDoubleSpinBox(parent)
    number.setDecimals(1)
    number.setRange(field.low, field.high)
    number.setSingleStep(field.step)
    number.setSuffix(field.unit)
    number.setValue(value)
    return Bound(field, number, number.value)
