"""Vertebrae of real bodies, known by their masks alone, in painted people.

A mask of vertebrae without its CT tells shapes and nothing of brightness. So a painted person
gets these vertebrae in place of their own: the rest of the spine is scaled and turned to meet
them, the body is painted around it as around any other, and cortex, marrow and brightness are
those of all phantoms.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from inference.phantom.fields import FAR_MM, Field, Values
from inference.phantom.grids import Grid
from inference.phantom.real_scan import AnatomyError, read_numbers
from inference.phantom.scene import Scene
from inference.phantom.skeleton import Vertebra
from inference.phantom.spine.curve import WholeSpine, frame_along
from inference.phantom.spine.tissue import CORTEX_MM, Tissue
from inference.vertebra.levels import INDEX, LEVEL_OF_VERSE, VERSE_NUMBER, step_between
from inference.vertebra.mask_centres import mask_centres

_LEAST_LEVELS = 3
_PLAUSIBLE = (0.5, 1.6)
"""Distance of neighbours relative to the usual one."""
_MARGIN_MM = 6.0
"""How far around a vertebra its distance is known."""
_VOXEL_MM = 1.0
_SMOOTH_MM = 0.7
"""Voxels make steps, bones do not; less than the thickness of a lamina."""
_CORE_MM, _PLATE_MM = 4.0, 8.0
"""Around the axis of a body: where its size is measured, and the tilt of its end plates."""
_DISC_OVERLAP_MM = 3.0
"""By how much discs reach into the next body, which is painted over them."""
_BEHIND = 0.35
"""Of the depth of a body: what is further behind its centre is no part of it."""
CANAL_BEHIND_MM = 9.0
"""Middle of the canal behind the back of a body."""
_MEETING_LEVELS = 3.0
"""Over about as many levels the painted spine bends into the direction of the real one."""


@dataclass(frozen=True, eq=False)
class RealVertebra:
    """The shape of a vertebra of a real body.

    Parameters
    ----------
    vertebra : Vertebra
        Place and size as measured.
    distance : ndarray of float32, shape (nk, nj, ni)
        Signed distance to its surface in mm, negative inside.
    affine_ras : ndarray, shape (4, 4)
        Maps ``(i, j, k, 1)`` of it to RAS mm.
    canal_ras : ndarray of three
        Middle of its foramen.
    """

    vertebra: Vertebra
    distance: Values
    affine_ras: NDArray[np.float64]
    canal_ras: NDArray[np.float64]

    def field(self, grid: Grid, offset_ras: NDArray[np.float64]) -> Field:
        """Return its shape on a grid, moved by an offset."""
        corners = np.array([*itertools.product(*((0, n - 1) for n in self.distance.shape[::-1]))])
        points = corners @ self.affine_ras[:3, :3].T + self.affine_ras[:3, 3] + offset_ras
        box = grid.box_around(points, 0.0)
        # from indices of the box to those of the distances, both [k, j, i]
        start = np.array([s.start for s in box], dtype=np.float64)
        to_index = np.linalg.inv(self.affine_ras) @ grid.affine_ras
        matrix = to_index[:3, :3][::-1, ::-1]
        at_zero = np.linalg.inv(self.affine_ras) @ [*(grid.to_ras(start) - offset_ras), 1.0]
        values = ndimage.affine_transform(
            self.distance,
            matrix,
            at_zero[:3][::-1],
            tuple(s.stop - s.start for s in box),
            order=1,
            cval=FAR_MM,
        )
        return Field(box, values.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Column:
    """A part of the spine of a real body.

    Parameters
    ----------
    vertebrae : tuple of RealVertebra
        Neighbours, from the head down.
    """

    vertebrae: tuple[RealVertebra, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Levels from the head down."""
        return tuple(real.vertebra.name for real in self.vertebrae)

    def offset(self, spine: WholeSpine) -> NDArray[np.float64]:
        """Return by how much its vertebrae are moved in a spine from :meth:`graft`."""
        first = self.vertebrae[0].vertebra
        place: NDArray[np.float64] = spine.centres_ras[spine.names.index(first.name)]
        return place - first.centre_ras

    def canals(self, spine: WholeSpine) -> dict[str, NDArray[np.float64]]:
        """Return the middle of the canal at its levels in a spine from :meth:`graft`."""
        offset = self.offset(spine)
        return {real.vertebra.name: real.canal_ras + offset for real in self.vertebrae}

    def graft(self, own: WholeSpine) -> WholeSpine:
        """Return a person's spine with these vertebrae in place of their own.

        Parameters
        ----------
        own : WholeSpine
            Has all levels of the column; is scaled to its size and bent to meet its ends.
        """
        rows = [own.names.index(name) for name in self.names]
        anchor = "L1" if "L1" in self.names else self.names[0]
        real = [part.vertebra for part in self.vertebrae]
        offset = own.vertebrae[own.names.index(anchor)].centre_ras - (
            real[self.names.index(anchor)].centre_ras
        )
        grafted = {v.name: replace(v, centre_ras=v.centre_ras + offset) for v in real}
        scale = _length([*grafted.values()]) / _length([own.vertebrae[n] for n in rows])
        above, below = range(rows[0] - 1, -1, -1), range(rows[-1] + 1, len(own.vertebrae))
        for others, end in ((above, rows[0]), (below, rows[-1])):
            turn = _turn(own.vertebrae[end].frame[2], grafted[own.names[end]].frame[2])
            before = end
            for count, n in enumerate(others, start=1):
                v, last = own.vertebrae[n], own.vertebrae[before]
                gap = _part_of(turn, count - 0.5).apply(v.centre_ras - last.centre_ras)
                grafted[v.name] = Vertebra(
                    v.name,
                    grafted[last.name].centre_ras + scale * gap,
                    _part_of(turn, count).apply(v.frame),
                    (scale * v.size_mm[0], scale * v.size_mm[1], scale * v.size_mm[2]),
                    scale * v.disc_mm,
                )
                before = n
        vertebrae = tuple(grafted[name] for name in own.names)
        return WholeSpine(vertebrae, own.compressed - {*self.names}, scale * own.scale)

    def paint(self, scene: Scene, spine: WholeSpine, numbers: NDArray[np.uint8]) -> None:
        """Paint the vertebrae and write their VerSe numbers.

        Parameters
        ----------
        scene : Scene
            Codes are those of `Tissue`.
        spine : WholeSpine
            From :meth:`graft`.
        numbers : ndarray of uint8, shape of the grid
        """
        offset = self.offset(spine)
        fields = [real.field(scene.grid, offset) for real in self.vertebrae]
        for shape in fields:
            scene.paint(shape, Tissue.CORTEX)
        deepest = np.zeros(scene.grid.shape_kji, dtype=np.float32)
        for shape, name in zip(fields, self.names, strict=True):
            scene.paint(shape, Tissue.TRABECULA, offset_mm=CORTEX_MM)
            own = shape.values < deepest[shape.box]  # joints belong to the nearer vertebra
            deepest[shape.box][own] = shape.values[own]
            numbers[shape.box][own] = VERSE_NUMBER[name]


def _length(vertebrae: list[Vertebra]) -> float:
    centres = np.array([v.centre_ras for v in vertebrae])
    return float(np.linalg.norm(np.diff(centres, axis=0), axis=1).sum())


def _turn(old: NDArray[np.float64], new: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation vector that takes one direction to another."""
    axis = np.cross(old, new)
    sine = float(np.linalg.norm(axis))
    vector: NDArray[np.float64] = axis * (np.arctan2(sine, float(old @ new)) / max(sine, 1e-9))
    return vector


def _part_of(turn: NDArray[np.float64], levels: float) -> Rotation:
    """Return what is left of a turn some levels away."""
    return Rotation.from_rotvec(turn * np.exp(-levels / _MEETING_LEVELS))


def read_column(path: Path) -> Column:
    """Read a mask of vertebrae with VerSe numbers, in any orientation.

    Vertebrae whose bodies are cut by the ends of the image are left out.

    Raises
    ------
    AnatomyError
        A file that cannot be read, or vertebrae that are no part of a usual spine.
    """
    labels, affine = read_numbers(path)
    names = {n: LEVEL_OF_VERSE[n] for n in np.unique(labels).tolist() if n in LEVEL_OF_VERSE}
    centres = mask_centres(labels, affine, names, collapsed=True)
    _check(path, centres)
    order = sorted(centres, key=INDEX.__getitem__)
    line = np.array([centres[name] for name in order])
    tangents = np.gradient(line, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    found = [
        _measured(path, labels == VERSE_NUMBER[name], affine, name, centre, frame_along(-down))
        for name, centre, down in zip(order, line, tangents, strict=True)
    ]
    vertebrae = []
    for n, real in enumerate(found):
        upper, lower = (
            found[m].vertebra for m in (min(n, len(found) - 2), min(n + 1, len(found) - 1))
        )
        gap = float(np.linalg.norm(upper.centre_ras - lower.centre_ras))
        disc = max(gap - (upper.size_mm[2] + lower.size_mm[2]) / 2.0, 0.0) + _DISC_OVERLAP_MM
        vertebrae.append(replace(real, vertebra=replace(real.vertebra, disc_mm=disc)))
    return Column(tuple(vertebrae))


def _check(path: Path, centres: Mapping[str, NDArray[np.float64]]) -> None:
    """Raise AnatomyError unless vertebrae follow one another as in most people."""
    order = sorted(centres, key=INDEX.__getitem__)
    if len(order) < _LEAST_LEVELS:
        raise AnatomyError(f"{path} shows {len(order)} whole vertebrae, {_LEAST_LEVELS} are needed")
    for upper, lower in itertools.pairwise(order):
        step = step_between(INDEX[upper], INDEX[lower])
        if step is None or step.variant:
            raise AnatomyError(f"{path} has {lower} next to {upper}")
        down = centres[upper] - centres[lower]
        share = float(np.linalg.norm(down)) / step.gap_mm
        if down[2] <= 0.0 or not _PLAUSIBLE[0] < share < _PLAUSIBLE[1]:
            raise AnatomyError(f"{lower} does not lie below {upper} in {path}")


def _measured(
    path: Path,
    mask: NDArray[np.bool_],
    affine_ras: NDArray[np.float64],
    name: str,
    centre: NDArray[np.float64],
    frame: NDArray[np.float64],
) -> RealVertebra:
    """Cut out a vertebra and measure its body, whose axis is known roughly."""
    distance, affine = _signed_distance(mask, affine_ras)
    inside = distance < 0.0
    index = np.rint(np.linalg.inv(affine) @ [*centre, 1.0]).astype(int)[2::-1]
    if not inside[tuple(index)]:
        raise AnatomyError(f"the body of {name} is not solid in {path}")
    points = np.argwhere(inside)[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
    tilt, height = _end_plates((points - centre) @ frame.T)
    frame = frame_along(tilt @ frame)
    right, back, up = ((points - centre) @ frame.T).T
    width = float(np.ptp(right[(np.abs(back) < _CORE_MM) & (np.abs(up) < _CORE_MM)]))
    depth = -2.0 * float(back[(np.abs(right) < _CORE_MM) & (np.abs(up) < _CORE_MM)].min())
    vertebra = Vertebra(name, centre, frame, (width, depth, height), 0.0)
    hole = np.argwhere(_holes(inside))[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
    hole = hole[(hole - centre) @ frame[1] > _BEHIND * depth]
    if len(hole):
        canal = np.median(hole, axis=0)
    else:
        canal = vertebra.at((0.0, depth / 2.0 + CANAL_BEHIND_MM, 0.0))[0]
    return RealVertebra(vertebra, distance, affine, canal)


def _signed_distance(
    mask: NDArray[np.bool_], affine_ras: NDArray[np.float64]
) -> tuple[Values, NDArray[np.float64]]:
    """Return the distance to the surface of a mask, cut out, in cubes of 1 mm; and its affine."""
    spacing = np.linalg.norm(affine_ras[:3, :3], axis=0)[::-1]
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    pad = np.ceil(_MARGIN_MM / spacing).astype(int)
    part = np.pad(mask[box], [(n, n) for n in pad])
    start = np.array([s.start for s in box]) - pad
    # between thick slices the shape is interpolated, not its steps
    rough = ndimage.distance_transform_edt(~part, sampling=spacing)
    rough -= ndimage.distance_transform_edt(part, sampling=spacing)
    step = _VOXEL_MM / spacing
    shape = tuple(int(n) for n in np.floor((np.array(part.shape) - 1) / step) + 1)
    inside = ndimage.affine_transform(rough, step, output_shape=shape, order=1, cval=1.0) < 0.0
    distance = np.where(
        inside,
        0.5 * _VOXEL_MM - _VOXEL_MM * ndimage.distance_transform_edt(inside),
        _VOXEL_MM * ndimage.distance_transform_edt(~inside) - 0.5 * _VOXEL_MM,
    )
    smooth = ndimage.gaussian_filter(distance.astype(np.float32), _SMOOTH_MM / _VOXEL_MM)
    affine = affine_ras.copy()
    affine[:3, :3] = affine_ras[:3, :3] * step[::-1]
    affine[:3, 3] += affine_ras[:3, :3] @ start[::-1]
    return smooth, affine


def _end_plates(local_mm: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return the axis between the end plates of a body and the height along it.

    Parameters
    ----------
    local_mm : ndarray, shape (n, 3)
        Points of the vertebra, (right, back, up) of the centre of its body.
    """
    near = local_mm[(np.abs(local_mm[:, :2]) < _PLATE_MM).all(axis=1)]
    cells, cell = np.unique(np.rint(near[:, :2] / 2.0), axis=0, return_inverse=True)
    top, bottom = np.full(len(cells), -np.inf), np.full(len(cells), np.inf)
    np.maximum.at(top, cell.ravel(), near[:, 2])
    np.minimum.at(bottom, cell.ravel(), near[:, 2])
    plane = np.column_stack([2.0 * cells, np.ones(len(cells))])
    slope = np.linalg.lstsq(plane, 0.5 * (top + bottom), rcond=None)[0]
    axis = np.array([-slope[0], -slope[1], 1.0])
    axis /= np.linalg.norm(axis)
    return axis, float(np.mean(top - bottom) * axis[2])


def _holes(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what a vertebra encloses slice by slice: its foramen, and clefts of its body."""
    filled = np.stack([ndimage.binary_fill_holes(part) for part in inside])
    return np.asarray(filled & ~inside)
