"""A whole spine painted into a body, and a scan of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.phantom.fields import Field, ellipsoid, tube, union
from inference.phantom.grids import Grid
from inference.phantom.scene import Scene
from inference.phantom.skeleton import Vertebra, arch_field, body_field
from inference.phantom.spine.body import BodyPainter, make_outline
from inference.phantom.spine.columns import CANAL_BEHIND_MM, Column
from inference.phantom.spine.curve import WholeSpine, draw_levels, draw_spine, variant_of
from inference.phantom.spine.tissue import CORTEX_MM, Tissue, draw_attenuations
from inference.vertebra.levels import VERSE_NUMBER

SPACING_MM = 3.0
_ABOVE_MM, _BELOW_MM = 110.0, 150.0
_WHOLE_BODY_MM = (210.0, 200.0, 115.0)
_METAL_SHARE = 0.04
_GAS_HU = -200.0


@dataclass(frozen=True, eq=False)
class SpineScene:
    """A painted body and the truth about its spine.

    Parameters
    ----------
    scene : Scene
        Codes are those of `Tissue`.
    spine : WholeSpine
    numbers : ndarray of uint8, shape of the grid
        VerSe number of each voxel of a vertebra.
    real : tuple of str
        Levels whose vertebrae are those of a real body.
    """

    scene: Scene
    spine: WholeSpine
    numbers: NDArray[np.uint8]
    real: tuple[str, ...] = ()


def make_spine_scene(
    seed: int,
    spacing_mm: float = SPACING_MM,
    reach_mm: tuple[float, float, float] = _WHOLE_BODY_MM,
    column: Column | None = None,
) -> SpineScene:
    """Paint a person from the skull to the hips. The same arguments give the same bits.

    Parameters
    ----------
    seed : int
    spacing_mm : float
        Voxel size along all axes.
    reach_mm : tuple of float
        What is shown beside, before and behind the spine; the person is the same.
    column : Column, optional
        Vertebrae of a real body, which the person gets in place of their own.
    """
    shape, look = _generators(seed)
    spine = draw_spine(shape)
    if column is not None:
        while variant_of(spine.names):  # a column is one of most people
            spine = draw_spine(shape)
        spine = column.graft(spine)
    scene = Scene(_grid(spine, spacing_mm, reach_mm), Tissue.AIR)
    BodyPainter(scene, spine, make_outline(spine, shape), look).paint()
    numbers = _paint_vertebrae(scene, spine, column)
    if look.random() < _METAL_SHARE:
        _paint_screws(scene, spine, look)
    return SpineScene(scene, spine, numbers, () if column is None else column.names)


def person_variant(seed: int) -> str:
    """Return which unusual number of vertebrae a person has, without painting anybody."""
    return variant_of(draw_levels(_generators(seed)[0]))


def _generators(seed: int) -> list[np.random.Generator]:
    """Return what decides the shape of a person, and what decides the rest."""
    return [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2)]


def attenuation(
    scene: Scene, rng: np.random.Generator, texture_hu: float = 12.0
) -> NDArray[np.float32]:
    """Return HU ``[k, j, i]`` of a scene, with other brightnesses at every call."""
    hu = draw_attenuations(rng)
    share = scene.share.astype(np.float32) / np.float32(255.0)
    volume = hu[scene.front] * share
    volume += hu[scene.back] * (np.float32(1.0) - share)
    rough = rng.standard_normal([n // 2 + 1 for n in volume.shape], dtype=np.float32)
    rough *= np.float32(texture_hu)
    coarse = np.repeat(np.repeat(np.repeat(rough, 2, 0), 2, 1), 2, 2)
    k, j, i = volume.shape
    volume += coarse[:k, :j, :i] * (volume > _GAS_HU)
    result: NDArray[np.float32] = volume
    return result


def _grid(spine: WholeSpine, spacing_mm: float, reach_mm: tuple[float, float, float]) -> Grid:
    beside, before, behind = reach_mm
    centres = spine.centres_ras
    low, high = centres.min(axis=0), centres.max(axis=0)
    sizes = (
        high[2] - low[2] + _ABOVE_MM + _BELOW_MM,
        high[1] - low[1] + before + behind,
        high[0] - low[0] + 2.0 * beside,
    )
    nk, nj, ni = (int(np.ceil(size / spacing_mm)) + 1 for size in sizes)
    origin = (float(high[0] + beside), float(high[1] + before), float(low[2] - _BELOW_MM))
    return Grid((nk, nj, ni), (spacing_mm,) * 3, origin)


def _paint_vertebrae(scene: Scene, spine: WholeSpine, column: Column | None) -> NDArray[np.uint8]:
    real = {} if column is None else column.canals(spine)
    grid = scene.grid
    numbers = np.zeros(grid.shape_kji, dtype=np.uint8)
    for v in spine.vertebrae[1:]:
        width, depth, height = v.size_mm
        up = -(height + v.disc_mm) / 2.0
        scene.paint(body_field(grid, v, (width, depth, v.disc_mm + 2.0), up), Tissue.DISC)
    for v in spine.vertebrae:
        if v.name in real:
            continue
        bone = _bone(grid, v)
        scene.paint(bone, Tissue.CORTEX)
        scene.paint(bone, Tissue.TRABECULA, offset_mm=CORTEX_MM)
        numbers[bone.box][bone.values < 0.0] = VERSE_NUMBER[v.name]
    _paint_sacrum(scene, spine.vertebrae[-1])
    canal = [
        real.get(v.name, v.at((0.0, v.size_mm[1] / 2.0 + CANAL_BEHIND_MM, 0.0))[0])
        for v in spine.vertebrae
    ]
    sac = tube(grid, np.array(canal), 8.0)
    scene.paint(sac, Tissue.THECAL_SAC)
    numbers[sac.box][sac.values < 0.0] = 0
    if column is not None:
        column.paint(scene, spine, numbers)
    return numbers


def _bone(grid: Grid, v: Vertebra) -> Field:
    """Return the shape of a vertebra; the first two have their own."""
    height = v.size_mm[2]
    if v.name == "C1":  # a ring, in front of the canal an arch instead of a body
        ring = np.deg2rad(np.linspace(0.0, 360.0, 25))
        points = [(24.0 * np.sin(a), 12.0 - 17.0 * np.cos(a), 0.0) for a in ring]
        parts = [tube(grid, v.at(*points), 4.5)]
        parts += [
            tube(grid, v.at((side * 18.0, 6.0, 0.0), (side * 38.0, 8.0, 0.0)), [7.0, 3.0])
            for side in (-1.0, 1.0)
        ]
        return union(grid, parts, 2.0)
    parts = [body_field(grid, v, v.size_mm, 0.0)]
    if v.name == "S1":
        wings = [
            ellipsoid(grid, v.at((side * 38.0, 4.0, -4.0))[0], (26.0, 18.0, 16.0), margin_mm=6.0)
            for side in (-1.0, 1.0)
        ]
        return union(grid, [*parts, *wings], 4.0)
    parts.append(arch_field(grid, v))
    if v.name == "C2":  # the dens
        parts.append(tube(grid, v.at((0.0, 0.0, 0.0), (0.0, 0.0, 0.5 * height + 14.0)), 5.5))
    return union(grid, parts, 2.0)


def _paint_sacrum(scene: Scene, first: Vertebra) -> None:
    """Paint the fused bodies below S1, which bend to the back and taper."""
    width, depth, _ = first.size_mm
    centre, up, back = first.centre_ras.copy(), first.frame[2].copy(), first.frame[1].copy()
    for n in range(1, 5):
        size = 1.0 - 0.17 * n
        turn = np.deg2rad(10.0)
        up, back = np.cos(turn) * up - np.sin(turn) * back, np.cos(turn) * back + np.sin(turn) * up
        centre = centre - (26.0 - 3.0 * n) * up
        rotation = np.stack([np.cross(up, back), back, up])
        radii = np.array([0.95 * width * size, 0.45 * depth * size, 13.0])
        shape = ellipsoid(scene.grid, centre, radii, rotation, margin_mm=5.0)
        scene.paint(shape, Tissue.CORTEX)
        scene.paint(shape, Tissue.TRABECULA, offset_mm=CORTEX_MM)


def _paint_screws(scene: Scene, spine: WholeSpine, rng: np.random.Generator) -> None:
    """Paint pedicle screws and rods over two to five levels."""
    count = int(rng.integers(2, 6))
    first = int(rng.integers(8, len(spine.vertebrae) - count))
    heads: dict[float, list[NDArray[np.float64]]] = {-1.0: [], 1.0: []}
    for v in spine.vertebrae[first : first + count]:
        width, depth, _ = v.size_mm
        for side, line in heads.items():
            screw = v.at((side * 0.2 * width, 0.0, 0.0), (side * 0.4 * width, depth, 2.0))
            scene.paint(tube(scene.grid, screw, 2.5), Tissue.METAL)
            line.append(screw[1])
    for line in heads.values():
        scene.paint(tube(scene.grid, np.array(line), 3.0), Tissue.METAL)
