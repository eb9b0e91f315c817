"""Label values with names and colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

#: Colours of the first labels without an entry: distinct on a dark grey image.
_SPARE_RGB = (
    0xE6194B, 0x3CB44B, 0xFFE119, 0x4363D8, 0xF58231, 0x911EB4,
    0x46F0F0, 0xF032E6, 0xBCF60C, 0xFABEBE, 0x008080, 0xE6BEFF,
)  # fmt: skip

#: Steps of the sequence of points that fills a cube most evenly (Roberts 2018), whichever of its
#: points are taken: hue, saturation and brightness of the colours that follow.
_STEPS = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)

MAX_LABEL = 65535


def spare_rgb(values: npt.ArrayLike) -> npt.NDArray[np.uint32]:
    """Colours ``0xrrggbb`` of label values without an entry.

    A value always has the same colour. Few labels far apart in value (300, 600, 900) are told
    apart as well as many neighbours.
    """
    value = np.asarray(values, np.int64)
    hue, saturation, brightness = (np.mod(0.5 + value * step, 1.0) for step in _STEPS)
    saturation, brightness = 0.5 + 0.5 * saturation, 0.6 + 0.4 * brightness
    computed = np.zeros(value.shape, np.uint32)
    for offset in (5, 3, 1):  # red, green, blue: where each is missing on the wheel of hues
        place = np.mod(offset + 6.0 * hue, 6.0)
        missing = np.clip(np.minimum(place, 4.0 - place), 0.0, 1.0)
        channel = np.rint(255.0 * brightness * (1.0 - saturation * missing))
        computed = (computed << np.uint32(8)) | channel.astype(np.uint32)
    first = np.array(_SPARE_RGB, np.uint32)[np.mod(value, len(_SPARE_RGB))]
    return np.where(value <= len(_SPARE_RGB), first, computed)


@lru_cache(maxsize=4096)
def spare_colour(value: int) -> str:
    """Colour ``#rrggbb`` of a label value without an entry (see :func:`spare_rgb`)."""
    return f"#{int(spare_rgb(value)):06x}"


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
        return Label(value, f"Label {value}", spare_colour(value))

    def __iter__(self) -> Iterator[Label]:
        return iter(sorted(self._labels.values(), key=lambda label: label.value))

    def __len__(self) -> int:
        return len(self._labels)

    def __contains__(self, value: object) -> bool:
        return value in self._labels
