"""A picture of how the vertebrae were named: straightened spine, signals, chain and runner-up."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.vertebra.levels import LEVELS
from inference.vertebra.networks import CENTRE_SPACING_MM
from inference.vertebra.pipeline import SpineReading

_SCALE = 3
_SIGNAL_WIDTH = 420
_GAP = 12
_TEXT, _DIM, _LINE = (226, 220, 215), (149, 139, 107), (223, 163, 74)
_AMBER, _BACK = (66, 168, 232), (28, 24, 21)
_LOW_HU, _HIGH_HU = -150.0, 650.0


def draw(reading: SpineReading) -> NDArray[np.uint8]:
    """Return a picture as BGR, shape (rows, columns, 3).

    From left to right: the column from the side and from the front, straightened, with the
    centres found; the signal of each vertebra of the chain (peaks are centres, valleys discs) and
    under it that of all levels together.
    """
    side, front = (_view(reading, axis) for axis in (2, 1))
    height = side.shape[0]
    signals = np.full((height, _SIGNAL_WIDTH, 3), _BACK, np.uint8)
    _curve(signals, reading.signals.max(axis=0), _DIM)
    for vertebra in reading.chain.vertebrae:
        row = _row(vertebra.position_mm)
        _curve(signals, reading.signals[vertebra.level], _LINE)
        colour = _AMBER if vertebra.flags else _TEXT
        words = f"{vertebra.name}  {vertebra.signal:.2f}"
        _write(signals, words, (_SIGNAL_WIDTH - 150, row + 5), colour)
        for picture in (side, front):
            cv2.circle(picture, (picture.shape[1] // 2, row), 4, colour, 1, cv2.LINE_AA)
            _write(picture, vertebra.name, (4, row + 5), colour)
    gap = np.full((height, _GAP, 3), _BACK, np.uint8)
    body = np.hstack([side, gap, front, gap, signals])
    return np.vstack([_title(reading, body.shape[1]), body])


def _view(reading: SpineReading, axis: int) -> NDArray[np.uint8]:
    """Return a mean over the middle of the column, enlarged."""
    middle = reading.evidence.straight_hu.shape[axis] // 2
    plane = reading.evidence.straight_hu.take(range(middle - 2, middle + 3), axis=axis).mean(
        axis=axis
    )
    grey = np.clip((plane - _LOW_HU) / (_HIGH_HU - _LOW_HU), 0.0, 1.0) * 255.0
    size = (plane.shape[1] * _SCALE, plane.shape[0] * _SCALE)
    large = cv2.resize(grey.astype(np.uint8), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), dtype=np.uint8)


def _row(position_mm: float) -> int:
    return round((position_mm / CENTRE_SPACING_MM + 0.5) * _SCALE)


def _curve(
    picture: NDArray[np.uint8], signal: NDArray[np.float32], colour: tuple[int, int, int]
) -> None:
    reach = _SIGNAL_WIDTH - 170
    points = [(round(8 + value * reach), _row(float(n))) for n, value in enumerate(signal)]
    cv2.polylines(picture, [np.array(points, np.int32)], False, colour, 1, cv2.LINE_AA)


def _write(
    picture: NDArray[np.uint8], words: str, place: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    cv2.putText(picture, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)


def _title(reading: SpineReading, width: int) -> NDArray[np.uint8]:
    chain = reading.chain
    lines = [f"score {chain.score:.2f}   size {chain.scale:.2f}"]
    if chain.renamed:
        share = chain.rival_score / chain.score
        names = [f"{other} for {name}" for name, other in chain.renamed]
        span = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        lines.append(f"runner-up: {span}, {share:.0%} of the score")
    doubts = sorted({LEVELS[v.level] + ": " + flag for v in chain.vertebrae for flag in v.flags})
    lines += doubts[:3]
    picture = np.full((18 * len(lines) + 10, width, 3), _BACK, np.uint8)
    for n, words in enumerate(lines):
        _write(picture, words, (8, 18 * (n + 1)), _TEXT if n < 1 else _AMBER)
    return picture
