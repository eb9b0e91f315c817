"""From a CT to named vertebrae: column, line, signals, chain, centres.

1. The level network looks at the body at 6 mm: where the column is, which level each part is.
2. The spine line runs through the column.
3. The centre network looks at the column straightened along that line, at 2 mm.
4. Both become signals along the line: what speaks for a position as the centre of each level.
5. The best anatomical chain through the signals names the vertebrae.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import Context, Image
from inference.grid import Grid, body_box, grid_of
from inference.progress import Span
from inference.resampling import resample
from inference.vertebra.networks import (
    CENTRE_SPACING_MM,
    CENTRE_WIDTH,
    LEVEL_SPACING_MM,
    level_probabilities,
    network_input,
)
from inference.vertebra.optimization import Chain, find_chain
from inference.vertebra.rectification import rectify, sample
from inference.vertebra.spine_line import SpineLine, find_spine_line
from inference.vertebra.straighten import straight_points
from inference.window import Network, slide

Method = Literal["rectified", "candidates"]

LEVEL_WINDOW_KJI = (80, 32, 32)
CENTRE_WINDOW_KJI = (128, CENTRE_WIDTH, CENTRE_WIDTH)
_PADDING_HU = -1000.0
_LEVEL_SHARE = 0.6
"""Part of the time that the level network takes."""

_COLUMN_DISC_MM = 10.0
_LEAST_COLUMN_ML = 8.0
_BEYOND_MM = 20.0
"""What the centre network sees beyond the column, as it did in its training."""
_CANDIDATE = 0.2
_CANDIDATE_APART_MM = 8.0
_HOPELESS_NATS = 3.0
"""A level that is e^3 times less likely than another has nothing that speaks for it."""
_SEEN = 0.25
"""The column is there where its signal is above this share of its highest value."""


class NoSpine(ValueError):
    """There is no vertebral column in the image, as far as the network can tell."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the networks see in an image.

    Parameters
    ----------
    levels : ndarray, float32, shape (levels, nk, nj, ni)
        Probability of each level, at 6 mm.
    grid : Grid
        Of those voxels.
    line : SpineLine
    straight_hu : ndarray, float32, shape (n, width, width)
        The column straightened, at 2 mm, from the head down.
    centres : ndarray, float32, shape (n, width, width)
        Probability of a centre, on the same voxels.
    points_ras : ndarray, shape (n, width, width, 3)
        Where those voxels lie.
    along : ndarray, float32, shape (levels + 1, m)
        Probability of each level, and of any, every mm of the line.
    extent_mm : tuple of float
        From where to where of the line the column is seen.
    """

    levels: NDArray[np.float32]
    grid: Grid
    line: SpineLine
    straight_hu: NDArray[np.float32]
    centres: NDArray[np.float32]
    points_ras: NDArray[np.float64]
    along: NDArray[np.float32]
    extent_mm: tuple[float, float]

    @property
    def column(self) -> NDArray[np.float32]:
        """How likely there is a column, every mm of the line."""
        last: NDArray[np.float32] = self.along[-1]
        return last

    def probabilities(self, method: Method) -> NDArray[np.float32]:
        """Return how likely each position is the centre of each level, shape (levels, m)."""
        product: NDArray[np.float32] = self._likely * self._heights(method)
        return product

    def signals(self, method: Method) -> NDArray[np.float32]:
        """Return what speaks for each level at each position, 0 to 1, shape (levels, m).

        Where there is a centre, a level loses by the logarithm of how much less likely it is
        than the likeliest one there. The search adds signals up, and logarithms are what may be
        added: a network that is never sure, but rarely far off, names a whole chain well.
        """
        likely = np.maximum(self._likely, 1e-6)
        behind = np.log(likely / likely.max(axis=0))
        worth = np.clip(1.0 + behind / _HOPELESS_NATS, 0.0, 1.0)
        result: NDArray[np.float32] = (worth * self._heights(method)).astype(np.float32)
        return result

    @property
    def _likely(self) -> NDArray[np.float32]:
        """Return the probability of each level, if there is a column."""
        shares = self.along[:-1] / np.maximum(self.column, 1e-3)
        return np.clip(shares, 0.0, 1.0).astype(np.float32)

    def _heights(self, method: Method) -> NDArray[np.float32]:
        """Return how likely each position is the centre of any body."""
        find = candidate_signal if method == "candidates" else centre_signal
        return np.clip(find(self.centres, len(self.column)), 0.0, 1.0).astype(np.float32)


@dataclass(frozen=True, eq=False)
class SpineReading:
    """What was read off an image.

    Parameters
    ----------
    evidence : Evidence
    signals : ndarray, float32, shape (levels, m)
        Evidence for each level, every mm of the line.
    chain : Chain
    positions_ras : ndarray, shape (len(chain.vertebrae), 3)
        Centres of the vertebrae of the chain.
    confidences : tuple of float
        How likely each is of its level and has its centre there.
    """

    evidence: Evidence
    signals: NDArray[np.float32]
    chain: Chain
    positions_ras: NDArray[np.float64]
    confidences: tuple[float, ...]


def decide(evidence: Evidence, method: Method = "rectified") -> SpineReading:
    """Return the vertebrae that fit the evidence best."""
    signals = evidence.signals(method)
    chain = find_chain(signals, extent_mm=evidence.extent_mm)
    positions = [centre_near(evidence, v.position_mm) for v in chain.vertebrae]
    likely = evidence.probabilities(method)
    last = likely.shape[1] - 1
    sure = tuple(
        float(likely[v.level, min(max(round(v.position_mm), 0), last)]) for v in chain.vertebrae
    )
    return SpineReading(evidence, signals, chain, np.array(positions).reshape(-1, 3), sure)


class Pipeline:
    """The two networks, ready.

    Parameters
    ----------
    levels, centres : callable
        From a window ``(1, 2, nk, nj, ni)`` to logits.
    device : str
        Of torch.
    """

    def __init__(self, levels: Network, centres: Network, device: str = "cpu") -> None:
        self._levels, self._centres, self._device = levels, centres, device

    def read(self, image: Image, context: Context, method: Method = "rectified") -> SpineReading:
        """Return the vertebrae of an image.

        Raises
        ------
        NoSpine
        Cancelled
            From `context`.
        """
        return decide(self.look(image, context), method)

    def look(self, image: Image, context: Context) -> Evidence:
        """Return what the networks see in an image, before anything is decided.

        Raises
        ------
        NoSpine
        Cancelled
            From `context`.
        """
        levels, grid = self._find(image, Span(context, 0.0, _LEVEL_SHARE))
        column = levels.sum(axis=0)
        line = find_spine_line(_largest(column, grid), grid.affine_ras)
        if line is None:
            raise NoSpine("no vertebral column was found in this image")
        line = line.extended(_BEYOND_MM)
        points = straight_points(line, CENTRE_SPACING_MM, CENTRE_WIDTH)
        straight = _sampled(image, points)
        centres = self._locate(straight, Span(context, _LEVEL_SHARE, 1.0))
        along = rectify(
            np.concatenate([levels, column[None]]),
            grid.affine_ras,
            line,
            radius_mm=_COLUMN_DISC_MM,
        )
        extent = _extent(along[-1], image, line)
        return Evidence(levels, grid, line, straight, centres, points, along, extent)

    def _find(self, image: Image, context: Context) -> tuple[NDArray[np.float32], Grid]:
        """Return the probability of each level ``[level, k, j, i]`` at 6 mm."""
        part = grid_of(image).cropped(body_box(image)).oriented("SPL")
        grid = part.respaced((LEVEL_SPACING_MM,) * 3)
        hu = resample(image, grid, fill_hu=_PADDING_HU, antialias=True)
        volume = network_input(torch.from_numpy(np.maximum(hu, _PADDING_HU))).numpy()
        padded, box = _padded(volume, LEVEL_WINDOW_KJI)
        logits = slide(
            padded, self._levels, LEVEL_WINDOW_KJI,
            context=context, text="Find the spine", device=self._device,
        )  # fmt: skip
        found = level_probabilities(torch.from_numpy(logits[(slice(None), *box)]))
        return found.numpy(), grid

    def _locate(self, straight_hu: NDArray[np.float32], context: Context) -> NDArray[np.float32]:
        """Return the probability of a centre on the straightened voxels."""
        volume = network_input(torch.from_numpy(straight_hu)).numpy()
        padded, box = _padded(volume, CENTRE_WINDOW_KJI)
        logits = slide(
            padded, self._centres, CENTRE_WINDOW_KJI,
            context=context, text="Find the centres", device=self._device,
        )  # fmt: skip
        found: NDArray[np.float32] = torch.from_numpy(logits[(0, *box)]).sigmoid().numpy()
        return found


def _padded(
    volume: NDArray[np.float32], window_kji: tuple[int, int, int]
) -> tuple[NDArray[np.float32], tuple[slice, slice, slice]]:
    """Return channels with air around them up to a window, and where they lie in it."""
    lack = [max(0, w - n) for w, n in zip(window_kji, volume.shape[1:], strict=True)]
    before = [n // 2 for n in lack]
    widths = [(b, n - b) for b, n in zip(before, lack, strict=True)]
    air = network_input(torch.tensor(_PADDING_HU)).tolist()
    padded = [
        np.pad(channel, widths, constant_values=value)
        for channel, value in zip(volume, air, strict=True)
    ]
    k, j, i = (slice(b, b + n) for b, n in zip(before, volume.shape[1:], strict=True))
    return np.stack(padded), (k, j, i)


def _largest(column: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    """Return the column without what is not joined to its largest part."""
    parts, count = ndimage.label(column > 0.5, np.ones((3, 3, 3), bool))
    if count == 0:
        raise NoSpine("no vertebral column was found in this image")
    sizes = np.bincount(parts.ravel())[1:]
    voxel_ml = float(np.prod(grid.spacing_kji_mm)) / 1000.0
    if sizes.max() * voxel_ml < _LEAST_COLUMN_ML:
        raise NoSpine("no vertebral column was found in this image")
    # where the column is cut in two, by metal or a missed level, the other half counts as well
    large = 1 + np.flatnonzero(sizes >= max(0.15 * sizes.max(), _LEAST_COLUMN_ML / voxel_ml))
    result: NDArray[np.float32] = np.where(np.isin(parts, large), column, 0.0)
    return result.astype(np.float32)


def _sampled(image: Image, points_ras: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return HU at points; outside of the image is air."""
    to_index = np.linalg.inv(image.affine_ras)
    index = points_ras.reshape(-1, 3) @ to_index[:3, :3].T + to_index[:3, 3]
    low = np.floor(index.min(axis=0)).astype(int)[::-1] - 1
    high = np.ceil(index.max(axis=0)).astype(int)[::-1] + 2
    box = [
        slice(max(0, a), max(0, min(n, b)))
        for a, b, n in zip(low, high, image.array.shape, strict=True)
    ]
    grid = grid_of(image).cropped((box[0], box[1], box[2]))
    part = image.array[tuple(box)].astype(np.float32)
    # shifted, so that what lies outside becomes air
    shifted = np.maximum(part, _PADDING_HU) - np.float32(_PADDING_HU)
    found: NDArray[np.float32] = sample(shifted[None], grid.affine_ras, points_ras)[0]
    return found + np.float32(_PADDING_HU)


def centre_signal(centres: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Return the highest probability of a centre in each plane across the line, every mm.

    Parameters
    ----------
    centres : ndarray, float32, shape (n, width, width)
        Planes 2 mm apart.
    length : int
        Points of the line, 1 mm apart.
    """
    highest = centres.reshape(len(centres), -1).max(axis=1)
    where = np.arange(len(highest)) * CENTRE_SPACING_MM
    signal = np.interp(np.arange(length), where, highest)
    smooth: NDArray[np.float32] = ndimage.gaussian_filter1d(signal, 1.5).astype(np.float32)
    return smooth


def candidate_signal(centres: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Return a signal with a peak at each 3-D maximum, and nothing between them.

    The alternative to :func:`centre_signal`: what is no maximum cannot be a centre.
    """
    reach = 2 * round(_CANDIDATE_APART_MM / CENTRE_SPACING_MM / 2) + 1
    highest = ndimage.maximum_filter(centres, size=reach)
    peaks = np.argwhere((centres >= highest) & (centres >= _CANDIDATE))
    signal: NDArray[np.float32] = np.zeros(length, dtype=np.float32)
    where = np.arange(length)
    for k, j, i in peaks:
        spot = centres[k, j, i] * np.exp(-0.5 * ((where - k * CENTRE_SPACING_MM) / 2.0) ** 2)
        signal = np.maximum(signal, spot).astype(np.float32)
    return signal


def _extent(tube: NDArray[np.float32], image: Image, line: SpineLine) -> tuple[float, float]:
    """Return from where to where the column is seen, in mm of the line."""
    to_index = np.linalg.inv(image.affine_ras)
    index = line.points_ras @ to_index[:3, :3].T + to_index[:3, 3]
    inside = ((index >= 0) & (index <= np.array(image.array.shape[::-1]) - 1)).all(axis=1)
    seen = np.flatnonzero(inside & (tube > _SEEN * tube.max()))
    if not len(seen):
        return 0.0, 0.0
    return float(seen[0]), float(seen[-1])


def centre_near(evidence: Evidence, position_mm: float) -> NDArray[np.float64]:
    """Return the centre of the body at a position of the line, in RAS mm.

    The mean place of the centre probability around it; on the line where there is hardly any.
    """
    centres, points_ras, line = evidence.centres, evidence.points_ras, evidence.line
    middle = round(position_mm / CENTRE_SPACING_MM)
    planes = slice(max(0, middle - 3), middle + 4)
    weight = centres[planes].astype(np.float64)
    top = weight.max(initial=0.0)
    if top < 0.1:
        return line.at(position_mm)
    weight = np.where(weight > 0.4 * top, weight, 0.0)
    peak = np.unravel_index(int(weight.argmax()), weight.shape)
    parts, _ = ndimage.label(weight > 0)
    weight = np.where(parts == parts[peak], weight, 0.0)
    place: NDArray[np.float64] = np.tensordot(weight, points_ras[planes], 3) / weight.sum()
    return place


def level_names(chain: Chain) -> str:
    """Return the levels of a chain in words: ``T4 to L3``."""
    if not chain.vertebrae:
        return "none"
    first, last = chain.vertebrae[0].name, chain.vertebrae[-1].name
    return first if first == last else f"{first} to {last}"
