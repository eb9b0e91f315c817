"""The line through the vertebral bodies, found from where a network sees any of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

_SMOOTH_MM = 10.0
_STEP_MM = 1.0
_END_MM = 20.0
"""Part of an end that tells where the line would go on."""
_THRESHOLD = 0.1
"""Responses below this share of the largest are noise."""
_REACH_MM = (60.0, 40.0, 25.0, 25.0, 25.0)
"""How far from the line a response still counts, round by round: leaks into heart and pelvis
must not pull the line."""


@dataclass(frozen=True, eq=False)
class SpineLine:
    """A curve from the head down, sampled every millimetre of its length.

    Parameters
    ----------
    points_ras : ndarray, float64, shape (n, 3)
        RAS mm.
    tangents : ndarray, float64, shape (n, 3)
        Unit vectors along the line.
    """

    points_ras: NDArray[np.float64]
    tangents: NDArray[np.float64]

    @property
    def length_mm(self) -> float:
        """From the first point to the last."""
        return _STEP_MM * (len(self.points_ras) - 1)

    def at(self, position_mm: float) -> NDArray[np.float64]:
        """Return the point at a distance from the upper end, in RAS mm."""
        where = np.arange(len(self.points_ras)) * _STEP_MM
        return np.array([np.interp(position_mm, where, axis) for axis in self.points_ras.T])

    def extended(self, beyond_mm: float) -> SpineLine:
        """Return the line with straight ends of a length, in whole steps."""
        steps = np.arange(1, round(beyond_mm / _STEP_MM) + 1)[:, None] * _STEP_MM
        points, tangents = self.points_ras, self.tangents
        reach = round(_END_MM / _STEP_MM)
        up, down = tangents[:reach].mean(axis=0), tangents[-reach:].mean(axis=0)
        up, down = up / np.linalg.norm(up), down / np.linalg.norm(down)
        above, below = points[0] - steps[::-1] * up, points[-1] + steps * down
        return SpineLine(
            np.concatenate([above, points, below]),
            np.concatenate(
                [np.tile(up, (len(above), 1)), tangents, np.tile(down, (len(below), 1))]
            ),
        )

    def frames(self) -> NDArray[np.float64]:
        """Return a frame per point, shape (n, 3, 3): rows to the right, to the back, and along.

        The second is the posterior axis projected on the plane across the line, the first is
        perpendicular to both.
        """
        along = self.tangents
        posterior = np.array([0.0, -1.0, 0.0])
        back = posterior - (along @ posterior)[:, None] * along
        back /= np.linalg.norm(back, axis=1, keepdims=True)
        right = np.cross(back, along)
        return np.stack([right, back, along], axis=1)


def find_spine_line(
    weight: NDArray[np.float32], affine_ras: NDArray[np.float64]
) -> SpineLine | None:
    """Return the line through the responses of a network, None when there are hardly any.

    Parameters
    ----------
    weight : ndarray, float32, shape (nk, nj, ni)
        How much each voxel looks like a vertebral body, 0 or more. Planes of the first axis must
        be more or less axial.
    affine_ras : ndarray, shape (4, 4)
        Maps ``(i, j, k, 1)`` to RAS mm.
    """
    top = float(weight.max(initial=0.0))
    if top <= 0.0:
        return None
    places = np.argwhere(weight > _THRESHOLD * top)
    mass = weight[tuple(places.T)].astype(np.float64)
    points = places[:, ::-1] @ affine_ras[:3, :3].T + affine_ras[:3, 3]
    slices = _per_slice(places[:, 0], points, mass, weight.shape[0])
    slice_mm = abs(float(affine_ras[2, 2])) or float(np.linalg.norm(affine_ras[:3, 2]))
    centres = _smoothed(slices, slice_mm)
    for reach in _REACH_MM:
        offset = points[:, :2] - centres[places[:, 0], :2]
        trust = np.exp(-0.5 * (offset**2).sum(axis=1) / reach**2)
        slices = _per_slice(places[:, 0], points, mass * trust, weight.shape[0])
        centres = _smoothed(slices, slice_mm)
    seen = np.flatnonzero(slices[1] > 0.0)
    if len(seen) < 2:
        return None
    return _resampled(centres[seen[0] : seen[-1] + 1])


def line_through(centres_ras: NDArray[np.float64], beyond_mm: float = 20.0) -> SpineLine:
    """Return the line through known centres, going on straight at both ends.

    Parameters
    ----------
    centres_ras : ndarray, shape (n, 3)
        At least two, from the head down.
    beyond_mm : float
        Length of the straight ends.
    """
    first, last = centres_ras[0] - centres_ras[1], centres_ras[-1] - centres_ras[-2]
    ends = [
        end + beyond_mm * way / np.linalg.norm(way)
        for end, way in ((centres_ras[0], first), (centres_ras[-1], last))
    ]
    corners = np.concatenate([ends[:1], centres_ras, ends[1:]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    smooth = PchipInterpolator(length, corners, axis=0)
    return _resampled(smooth(np.arange(0.0, length[-1], _STEP_MM)))


def _per_slice(
    slice_index: NDArray[np.intp],
    points: NDArray[np.float64],
    mass: NDArray[np.float64],
    count: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mass-weighted sums of the points (count, 3), and the mass, of each slice."""
    total = np.bincount(slice_index, mass, count).astype(np.float64)
    sums = [np.bincount(slice_index, mass * axis, count) for axis in points.T]
    return np.stack(sums, axis=1, dtype=np.float64), total


def _smoothed(
    slices: tuple[NDArray[np.float64], NDArray[np.float64]], slice_mm: float
) -> NDArray[np.float64]:
    """Return a centre per slice: mass centres, smoothed along the axis, gaps bridged."""
    sums, total = slices
    seen = np.flatnonzero(total > 0.0)
    centres = sums[seen] / total[seen, None]
    rows = np.arange(len(total))
    filled = np.stack([np.interp(rows, seen, axis) for axis in centres.T], axis=1)
    # the height is that of the slice: smoothing it would pull the ends in
    heights = np.polyfit(seen, centres[:, 2], 1) if len(seen) > 1 else (0.0, centres[0, 2])
    trust = 0.05 * total.max() + total
    sigma = _SMOOTH_MM / slice_mm
    weighted = ndimage.gaussian_filter1d(filled * trust[:, None], sigma, axis=0)
    result = weighted / ndimage.gaussian_filter1d(trust, sigma)[:, None]
    result[:, 2] = np.polyval(heights, rows)
    return np.asarray(result, dtype=np.float64)


def _resampled(centres: NDArray[np.float64]) -> SpineLine:
    """Return the curve from the head down at equal steps of its length."""
    if centres[0, 2] < centres[-1, 2]:
        centres = centres[::-1]
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(centres, axis=0), axis=1))])
    where = np.arange(0.0, length[-1] + 0.5 * _STEP_MM, _STEP_MM)
    points = np.stack([np.interp(where, length, axis) for axis in centres.T], axis=1)
    slope = ndimage.gaussian_filter1d(np.gradient(points, axis=0), 3.0, axis=0)
    return SpineLine(points, slope / np.linalg.norm(slope, axis=1, keepdims=True))
