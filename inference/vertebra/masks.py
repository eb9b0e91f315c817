"""Masks of vertebrae, one at a time, each in a window of its own around a known centre.

After C. Payer et al., "Coarse to Fine Vertebrae Localization and Segmentation with
SpatialConfiguration-Net and U-Net", VISAPP 2020: the network is told by a spot which vertebra is
meant and draws that one alone. So neighbours separate without a rule of their own, and a mask has
the name of its centre, whatever the level network makes of it.

Here every window is turned into the frame of its vertebra, which leaves less to learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import Context, Image
from inference.grid import Box, Grid, grid_of
from inference.resampling import resample
from inference.vertebra.networks import network_input
from inference.vertebra.spine_line import SpineLine
from inference.window import Network

MASK_SPACING_MM = 2.0
MASK_WINDOW_KJI = (32, 48, 48)
"""Voxels down the spine, to the back and to the right: 64 x 96 x 96 mm."""
_MIDDLE_KJI = (13.5, 12.5, 23.5)
"""Where the centre of the body lies in a window: most of a vertebra lies behind and below it."""
_SPOT_MM = 8.0
_AIR_HU = -1000.0
_FILLED = 1.0
"""Logit of a cavity that is filled."""
_REACH_MM = 80.0
"""From a centre to what is farthest from it in its window, along any axis of the patient."""


@dataclass(frozen=True, eq=False)
class Window:
    """Where the voxels of a window lie.

    Parameters
    ----------
    centre_ras : ndarray, shape (3,)
        Of the vertebral body.
    frame : ndarray, shape (3, 3)
        Unit vectors down the spine, to the back and to the right: the axes k, j and i.
    """

    centre_ras: NDArray[np.float64]
    frame: NDArray[np.float64]

    @property
    def affine_ras(self) -> NDArray[np.float64]:
        """Maps ``(i, j, k, 1)`` of the window to RAS mm."""
        affine = np.eye(4)
        affine[:3, :3] = MASK_SPACING_MM * self.frame[::-1].T
        affine[:3, 3] = self.centre_ras - affine[:3, :3] @ np.array(_MIDDLE_KJI[::-1])
        return affine


def mask_windows(centres_ras: NDArray[np.float64]) -> list[Window]:
    """Return the window of each vertebra, turned as the line through the centres runs there.

    Parameters
    ----------
    centres_ras : ndarray, shape (n, 3)
        From the head down.
    """
    centres = np.asarray(centres_ras, dtype=np.float64)
    way = np.gradient(centres, axis=0) if len(centres) > 1 else np.array([[0.0, 0.0, -1.0]])
    tangents = way / np.linalg.norm(way, axis=1, keepdims=True)
    frames = SpineLine(centres, tangents).frames()[:, ::-1]
    return [Window(centre, frame) for centre, frame in zip(centres, frames, strict=True)]


def local_offsets_mm() -> NDArray[np.float64]:
    """Return how far each voxel of a window lies from the centre, (k, j, i) along the frame.

    Returns
    -------
    ndarray, float64, shape (*MASK_WINDOW_KJI, 3)
    """
    axes = [
        (np.arange(n) - middle) * MASK_SPACING_MM
        for n, middle in zip(MASK_WINDOW_KJI, _MIDDLE_KJI, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def mask_input(hu: torch.Tensor) -> torch.Tensor:
    """Return the three channels of a window: two of the image, and a spot at the centre.

    Parameters
    ----------
    hu : Tensor, float32, shape MASK_WINDOW_KJI

    Returns
    -------
    Tensor, float32, shape (3, *MASK_WINDOW_KJI)
    """
    distance = np.linalg.norm(local_offsets_mm(), axis=-1)
    spot = np.exp(-0.5 * (distance / _SPOT_MM) ** 2).astype(np.float32)
    return torch.cat([network_input(hu), torch.from_numpy(spot)[None]])


def draw_masks(
    image: Image,
    centres_ras: NDArray[np.float64],
    numbers: Sequence[int],
    network: Network,
    context: Context,
    device: str = "cpu",
) -> NDArray[np.uint8]:
    """Return the mask of each vertebra whose centre is known.

    Every voxel goes to the vertebra that is likeliest there, if any is likelier than not; of each
    vertebra the largest part remains.

    Parameters
    ----------
    image : Image
    centres_ras : ndarray, shape (n, 3)
        Centres of the bodies from the head down.
    numbers : sequence of int
        What each is marked with: 1 to 255, or 0 for one that is not drawn but tells how the
        spine runs on.
    network : callable
        From a window ``(1, 3, *MASK_WINDOW_KJI)`` to the logit of the vertebra.
    context : Context
    device : str
        Of torch.

    Returns
    -------
    ndarray of uint8, shape of the image

    Raises
    ------
    Cancelled
        From `context`, before each vertebra.
    """
    labels = np.zeros(image.array.shape, dtype=np.uint8)
    wanted = [
        (window, number)
        for window, number in zip(mask_windows(centres_ras), numbers, strict=True)
        if number
    ]
    if not wanted:
        return labels
    room, hu = _surroundings(image, np.array([window.centre_ras for window, _ in wanted]))
    grid = grid_of(image)
    best = _Best(labels, grid, {number: _box(window, grid) for window, number in wanted})
    for n, (window, number) in enumerate(wanted):
        context.check()
        context.report(n / len(wanted), "Draw the vertebrae")
        batch = mask_input(_seen(hu, room, window))[None].to(device)
        with torch.inference_mode():
            logits: NDArray[np.float32] = network(batch)[0, 0].float().cpu().numpy()
        best.enter(_solid(logits), window, number)
    for _, number in wanted:
        best.clean(number)
    context.report(1.0, "Draw the vertebrae")
    return labels


def _surroundings(
    image: Image, centres_ras: NDArray[np.float64]
) -> tuple[Grid, NDArray[np.float32]]:
    """Return the image around the spine at 2 mm, averaged over these larger voxels."""
    box = _around(grid_of(image), centres_ras.min(axis=0), centres_ras.max(axis=0))
    part = grid_of(image).cropped(box).oriented("SPL")
    room = part.respaced((MASK_SPACING_MM,) * 3)
    hu = resample(image, room, fill_hu=_AIR_HU, antialias=True)
    return room, np.maximum(hu, np.float32(_AIR_HU))


def _around(grid: Grid, low_ras: NDArray[np.float64], high_ras: NDArray[np.float64]) -> Box:
    """Return the part of a grid that reaches beyond a box of the patient on all sides."""
    ends = np.stack([low_ras - _REACH_MM, high_ras + _REACH_MM])
    corners = np.array([[ends[n, axis] for axis, n in enumerate(c)] for c in np.ndindex(2, 2, 2)])
    to_index = np.linalg.inv(grid.affine_ras)
    index = (corners @ to_index[:3, :3].T + to_index[:3, 3])[:, ::-1]
    return _clipped(index, grid.shape_kji)


def _box(window: Window, grid: Grid) -> Box:
    """Return the part of a grid that a window covers."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(MASK_WINDOW_KJI) - 1)
    matrix = np.linalg.inv(grid.affine_ras) @ window.affine_ras
    index = (corners[:, ::-1] @ matrix[:3, :3].T + matrix[:3, 3])[:, ::-1]
    return _clipped(index, grid.shape_kji)


def _clipped(index_kji: NDArray[np.float64], shape_kji: tuple[int, int, int]) -> Box:
    low = np.clip(np.floor(index_kji.min(axis=0)), 0, shape_kji).astype(int).tolist()
    high = np.clip(np.ceil(index_kji.max(axis=0)) + 1, low, shape_kji).astype(int).tolist()
    k, j, i = (slice(a, b) for a, b in zip(low, high, strict=True))
    return k, j, i


def _seen(hu: NDArray[np.float32], room: Grid, window: Window) -> torch.Tensor:
    """Return the image through a window; outside of it is air."""
    matrix = _kji_matrix(window.affine_ras, room.affine_ras)
    seen = ndimage.affine_transform(hu, matrix, output_shape=MASK_WINDOW_KJI, order=1, cval=_AIR_HU)
    return torch.from_numpy(seen)


def _kji_matrix(
    source_ras: NDArray[np.float64], target_ras: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what maps indices ``(k, j, i, 1)`` of one grid to those of another."""
    matrix = np.linalg.inv(target_ras) @ source_ras
    order = [2, 1, 0, 3]
    turned: NDArray[np.float64] = matrix[np.ix_(order, order)]
    return turned


def _solid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of one piece without cavities: dark marrow belongs to the bone around it.

    What is not joined to the largest part of the vertebra is taken out.
    """
    parts, count = ndimage.label(logits > 0.0)
    if not count:
        return logits
    own = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    cavity = ndimage.binary_fill_holes(own) & ~own
    kept = np.where(cavity, np.maximum(logits, _FILLED), logits)
    result: NDArray[np.float32] = np.where((parts > 0) & ~own & ~cavity, -10.0, kept)
    return result.astype(np.float32)


class _Best:
    """Which vertebra is the likeliest at each voxel of the image.

    Parameters
    ----------
    labels : ndarray of uint8, shape (nk, nj, ni)
        Is filled.
    grid : Grid
        Of the labels.
    boxes : mapping of int to tuple of slice
        What of it each vertebra covers, by its number.
    """

    def __init__(self, labels: NDArray[np.uint8], grid: Grid, boxes: Mapping[int, Box]) -> None:
        self._labels, self._grid, self._boxes = labels, grid, boxes
        ends = np.array([[(s.start, s.stop) for s in box] for box in boxes.values()])
        self._start = ends[..., 0].min(axis=0)
        # logits in eighths: nobody needs to know them better, and a byte is enough for them
        self._logits = np.zeros(ends[..., 1].max(axis=0) - self._start, dtype=np.int8)

    def enter(self, logits: NDArray[np.float32], window: Window, number: int) -> None:
        """Take the voxels for which a vertebra has a higher logit than all before it."""
        box = self._boxes[number]
        part = self._grid.cropped(box)
        if 0 in part.shape_kji:
            return
        matrix = _kji_matrix(part.affine_ras, window.affine_ras)
        eighths = np.clip(logits * 8.0, -127.0, 127.0)
        found = ndimage.affine_transform(
            eighths, matrix, output_shape=part.shape_kji, order=1, cval=-127.0
        )
        found = np.rint(found, out=found).astype(np.int8)
        within = tuple(
            slice(s.start - a, s.stop - a) for s, a in zip(box, self._start.tolist(), strict=True)
        )
        known, labels = self._logits[within], self._labels[box]
        higher = found > known
        known[higher] = found[higher]
        labels[higher] = number

    def clean(self, number: int) -> None:
        """Leave the largest part of a vertebra: others were cut off by its neighbours."""
        box = self._boxes[number]
        own = self._labels[box] == number
        parts, count = ndimage.label(own)
        if count > 1:
            keep = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
            self._labels[box][own & (parts != keep)] = 0
