"""Step 1 of the liver model: the phases brought to the breathing position of the best one.

Rigid, by mutual information of what lies deep in the body: wall, ribs and spine do not move with
the breath and are left out. At 4 mm with linear interpolation this finds shifts to a fraction of
a millimetre, because some ten thousand voxels agree on six numbers. What is aligned already is
left alone, so that nothing is interpolated without need.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage, optimize

from inference.contract import PHASES, Affine, Context, Image
from inference.grid import grid_of
from inference.liver.inputs import PADDING_HU
from inference.liver.scan import reference_phase
from inference.resampling import resample

SPACING_MM = 4.0
LEAST_MOVE_MM = 0.5
"""Smaller movements are left as they are."""

LEAST_TURN_DEG = 0.4
"""Smaller turns are left out: grids stay parallel, which is faster to resample and smoother."""

MOST_MOVE_MM = 60.0

_STARTS_MM = tuple((0.0, 0.25 * z, z) for z in (-24.0, -16.0, -8.0, 0.0, 8.0, 16.0, 24.0))
_COARSE_SIGMA_PX = 1.5
_FINE_SIGMA_PX = 0.6
_POINTS = 20_000
_LEAST_POINTS = 2_000
_BINS = 24
_DARKEST_HU, _BRIGHTEST_HU = -150.0, 300.0
_DEEP_MM = (28.0, 14.0)
_BONE_HU = 250.0
_FROM_BONE_MM = 20.0
_TURN_UNIT_DEG = 2.0
_ITERATIONS = (12, 25)


@dataclass(frozen=True, eq=False)
class Registration:
    """How the phases lie to each other.

    Parameters
    ----------
    reference : str
        The phase that stays where it is.
    transforms : mapping of str to ndarray of shape (4, 4)
        By phase, from RAS mm of the phase to RAS mm of the reference; the identity for the
        reference and for what was aligned already.
    moved_mm : mapping of str to float
        How far the middle of the body has moved.
    missing : tuple of str
        Phases that are not there.
    doubtful : tuple of str
        Phases that could not be registered and are taken as they are.
    """

    reference: str
    transforms: Mapping[str, Affine]
    moved_mm: Mapping[str, float]
    missing: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = field(default=())


Volume = NDArray[np.float32]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch work alone: the sums are so small that threads wait longer than they work.

    On two cores that do other things as well, two threads take five times as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _shrunk(image: Image) -> tuple[Volume, Affine]:
    """Return an image at 4 mm in the patient's axes, and its affine."""
    grid = grid_of(image).oriented("SPL").respaced((SPACING_MM,) * 3)
    volume = resample(image, grid, fill_hu=PADDING_HU, antialias=True)
    return np.maximum(volume, np.float32(PADDING_HU)), grid.affine_ras


def register_phases(images: Mapping[str, Image], context: Context | None = None) -> Registration:
    """Bring the phases of an examination to the position of the best one.

    Parameters
    ----------
    images : mapping of str to Image
        HU by phase; other keys are ignored.
    context : Context, optional
        Asked whether to go on.

    Raises
    ------
    ValueError
        There is none of the four phases.
    Cancelled
        From `context`.
    """
    there = {phase: images[phase] for phase in PHASES if phase in images}
    if not there:
        raise ValueError(f"registration needs one of the phases {', '.join(PHASES)}")
    reference = reference_phase(there)
    transforms = {reference: np.eye(4)}
    moved = {reference: 0.0}
    doubtful = []
    fixed = _Fixed.of(there[reference]) if len(there) > 1 else None
    for phase, image in there.items():
        if phase == reference or fixed is None:
            continue
        if context is not None:
            context.check()
        with _one_thread():
            found = fixed.register(image)
        if found is None:
            doubtful.append(phase)
        transforms[phase] = np.eye(4) if found is None else found
        middle = transforms[phase] @ [*fixed.middle_ras, 1.0]
        moved[phase] = float(np.linalg.norm(middle[:3] - fixed.middle_ras))
    missing = tuple(p for p in PHASES if p not in there)
    return Registration(reference, transforms, moved, missing, tuple(doubtful))


def deep_tissue(volume: Volume, spacing_kji_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return what moves with the breath: soft tissue deep in the body and away from bone.

    Parameters
    ----------
    volume : ndarray of float32, shape (nk, nj, ni)
        HU.
    spacing_kji_mm : ndarray of three
    """
    body = ndimage.binary_opening(volume > -250.0, np.ones((1, 3, 3), dtype=bool))
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in body])
    bone = ndimage.binary_closing(volume > _BONE_HU, iterations=3)
    away = ndimage.distance_transform_edt(~bone, sampling=spacing_kji_mm) > _FROM_BONE_MM
    padded = np.pad(filled, ((0, 0), (1, 1), (1, 1)))
    # slices end where the scan ends, not the body
    depth = np.stack(
        [ndimage.distance_transform_edt(p, sampling=spacing_kji_mm[1:]) for p in padded]
    )[:, 1:-1, 1:-1]
    soft = (volume > _DARKEST_HU) & (volume < _BONE_HU + 40.0) & away
    for deep_mm in _DEEP_MM:
        found: NDArray[np.bool_] = soft & (depth > deep_mm)
        if found.sum() >= _LEAST_POINTS:
            break
    return found


@dataclass(frozen=True, eq=False)
class _Fixed:
    """The reference, ready to be compared with.

    Parameters
    ----------
    points_ras : Tensor, shape (n, 3)
    middle_ras : ndarray of three
    shares : tuple of two Tensor of shape (n, bins)
        Which grey value each point has, in the smooth and in the sharp image.
    """

    points_ras: torch.Tensor
    middle_ras: NDArray[np.float64]
    shares: tuple[torch.Tensor, torch.Tensor]

    @classmethod
    def of(cls, image: Image) -> _Fixed:
        volume, affine = _shrunk(image)
        spacing = np.linalg.norm(affine[:3, :3], axis=0)[::-1].copy()
        kji = np.argwhere(deep_tissue(volume, spacing))
        if len(kji) > _POINTS:  # evenly, and the same every time
            kji = kji[np.linspace(0, len(kji) - 1, _POINTS).astype(int)]
        ras = kji[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
        shares = []
        for sigma in (_COARSE_SIGMA_PX, _FINE_SIGMA_PX):
            smooth = ndimage.gaussian_filter(volume, sigma)
            shares.append(_shares(torch.from_numpy(smooth[tuple(kji.T)])))
        middle = ras.mean(axis=0) if len(ras) else affine[:3, 3]
        return cls(torch.from_numpy(ras).float(), middle, (shares[0], shares[1]))

    def register(self, image: Image) -> Affine | None:
        """Return the movement of an image to here, None if there is too little to compare."""
        if len(self.points_ras) < _LEAST_POINTS:
            return None
        volume, affine = _shrunk(image)
        coarse, fine = (
            _Moving(self, volume, affine, sigma, shares)
            for sigma, shares in zip((_COARSE_SIGMA_PX, _FINE_SIGMA_PX), self.shares, strict=True)
        )
        with torch.no_grad():
            starts = [torch.tensor([*s, 0.0, 0.0, 0.0]) for s in _STARTS_MM]
            losses = [float(coarse.loss(s)) for s in starts]
        best = starts[int(np.argmin(losses))]
        best = coarse.descend(best, _ITERATIONS[0])
        best = fine.descend(best, _ITERATIONS[1])
        with torch.no_grad():
            gain = float(fine.loss(torch.zeros(6))) - float(fine.loss(best))
        found = self.matrix(best)
        move_mm = self._move_mm(found)
        if not np.isfinite(move_mm) or move_mm > MOST_MOVE_MM:
            return None
        if gain <= 0.0 or move_mm < LEAST_MOVE_MM:
            return np.eye(4)
        return np.asarray(np.linalg.inv(found), dtype=np.float64)

    def matrix(self, six: torch.Tensor) -> Affine:
        """Return the movement as a matrix."""
        turn, shift = _turn_and_shift(six.double())
        if float(six[3:].norm()) * _TURN_UNIT_DEG < LEAST_TURN_DEG:
            turn = torch.eye(3, dtype=torch.float64)
        matrix = np.eye(4)
        matrix[:3, :3] = turn.numpy()
        matrix[:3, 3] = self.middle_ras + shift.numpy() - turn.numpy() @ self.middle_ras
        return matrix

    def _move_mm(self, matrix: Affine) -> float:
        """Return the mean distance that the points move."""
        points = self.points_ras.numpy().astype(np.float64)
        there = points @ matrix[:3, :3].T + matrix[:3, 3]
        return float(np.linalg.norm(there - points, axis=1).mean())


def _turn_and_shift(six: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rotation and shift of three mm and three rotations in units of two degrees."""
    x, y, z = (six[3:] * np.deg2rad(_TURN_UNIT_DEG)).unbind()
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).view(3, 3)
    return torch.linalg.matrix_exp(skew), six[:3]


def _shares(values: torch.Tensor) -> torch.Tensor:
    """Return how much of each grey value belongs to each bin: a quadratic B-spline."""
    place = (values.clamp(_DARKEST_HU, _BRIGHTEST_HU) - _DARKEST_HU) / (_BRIGHTEST_HU - _DARKEST_HU)
    away = (place[:, None] * (_BINS - 1) - torch.arange(_BINS)).abs()
    near = 0.75 - away**2
    far = 0.5 * (1.5 - away).clamp(min=0.0) ** 2
    return torch.where(away < 0.5, near, far)


class _Moving:
    """A phase whose movement is sought."""

    def __init__(
        self, fixed: _Fixed, volume: Volume, affine: Affine, sigma: float, shares: torch.Tensor
    ) -> None:
        self._fixed, self._shares = fixed, shares
        smooth = np.clip(ndimage.gaussian_filter(volume, sigma), _DARKEST_HU, _BRIGHTEST_HU)
        self._volume = torch.from_numpy(smooth.astype(np.float32))[None, None]
        inverse = np.linalg.inv(affine)
        self._to_ijk = torch.from_numpy(inverse[:3]).float()
        self._size = torch.tensor(volume.shape[::-1]).float()
        self._middle = torch.from_numpy(fixed.middle_ras).float()

    def loss(self, six: torch.Tensor) -> torch.Tensor:
        """Return the negative mutual information, in nats."""
        turn, shift = _turn_and_shift(six)
        points = (self._fixed.points_ras - self._middle) @ turn.T + self._middle + shift
        ijk = points @ self._to_ijk[:, :3].T + self._to_ijk[:, 3]
        grid = (2.0 * ijk + 1.0) / self._size - 1.0
        values = F.grid_sample(
            self._volume, grid.view(1, 1, 1, -1, 3), padding_mode="border", align_corners=False
        ).view(-1)
        inside = ((grid.abs() < 1.0).all(dim=1)).float()
        if float(inside.sum()) < 0.4 * len(inside):
            return six.sum() * 0.0  # they hardly overlap: no information
        joint = (self._shares * inside[:, None]).T @ _shares(values)
        joint = joint / joint.sum() + 1e-9
        alone = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)
        return -(joint * (joint / alone).log()).sum()

    def descend(self, start: torch.Tensor, iterations: int) -> torch.Tensor:
        """Return the best movement near `start`."""

        def loss_and_slope(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            six = torch.tensor(values, dtype=torch.float32, requires_grad=True)
            # millimetres are small against the curvature of the information
            loss = 100.0 * self.loss(six)
            (slope,) = torch.autograd.grad(loss, six)
            return float(loss.detach()), slope.double().numpy()

        # not torch's own: importing it takes longer than the search
        found = optimize.minimize(
            loss_and_slope,
            start.double().numpy(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": iterations, "maxfun": 2 * iterations, "ftol": 1e-6},
        )
        return torch.tensor(found.x, dtype=torch.float32)
