"""Label values with names and colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: Colours given to labels without an entry, in turn: distinct on a dark grey image.
SPARE_COLOURS = (
    "#e6194b", "#3cb44b", "#ffe119", "#4363d8", "#f58231", "#911eb4",
    "#46f0f0", "#f032e6", "#bcf60c", "#fabebe", "#008080", "#e6beff",
)  # fmt: skip

MAX_LABEL = 65535


@dataclass(frozen=True)
class Label:
    """A value in a mask, what it stands for and how it is drawn.

    ``group`` is ``organ``, ``lesion``, ``vessel``, ``bone`` or free text.
    """

    value: int
    name: str
    colour: str
    group: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.value <= MAX_LABEL:
            raise ValueError(f"label value {self.value} is not within 1..{MAX_LABEL}")
        if len(self.colour) != 7 or not self.colour.startswith("#"):
            raise ValueError(f"label {self.value}: colour {self.colour!r} is not #rrggbb")
        int(self.colour[1:], 16)

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green, blue in 0..255."""
        red, green, blue = bytes.fromhex(self.colour[1:])
        return red, green, blue


class LabelTable:
    """Immutable lookup from value to :class:`Label`; unknown values get a name and a colour."""

    def __init__(self, labels: Iterable[Label] = ()) -> None:
        self._labels = {label.value: label for label in labels}

    def __getitem__(self, value: int) -> Label:
        known = self._labels.get(value)
        if known is not None:
            return known
        return Label(value, f"Label {value}", SPARE_COLOURS[value % len(SPARE_COLOURS)])

    def __iter__(self) -> Iterator[Label]:
        return iter(sorted(self._labels.values(), key=lambda label: label.value))

    def __len__(self) -> int:
        return len(self._labels)

    def __contains__(self, value: object) -> bool:
        return value in self._labels

    def with_label(self, label: Label) -> LabelTable:
        """Return a table in which ``label`` is added or replaced."""
        return LabelTable([*self._labels.values(), label])
