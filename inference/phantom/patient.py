"""A synthetic patient: anatomy, lesions, four phases, masks, reports, and the exact truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from inference.contract import PHASES, Context, Image
from inference.phantom.anatomy import Anatomy, make_anatomy
from inference.phantom.case import PhantomPatient, Truth, assemble, check_request, stepper
from inference.phantom.grids import Box, Grid
from inference.phantom.lesions import paint_scenario
from inference.phantom.materials import Material, Palette
from inference.phantom.protocol import (
    DEFAULT_SPACING_MM,
    padded,
    plan_acquisitions,
    reference_grid,
)
from inference.phantom.rendering import Acquisition, attenuation, make_textures, scan
from inference.phantom.variety import PLAIN, Variety, delayed

LARGE_VESSEL_MM = 2.2
"""Lesions keep off the branches of the liver's trees that are thicker than this radius."""


def make_patient(
    seed: int,
    *,
    case_id: str = "LV-0001",
    spacing_mm: float | Sequence[float] = DEFAULT_SPACING_MM,
    shape_kji: tuple[int, int, int] | None = None,
    scenario: str | None = None,
    phases: Sequence[str] = PHASES,
    variety: Variety = PLAIN,
    context: Context | None = None,
) -> PhantomPatient:
    """Make a synthetic four-phase patient. The same arguments give the same bits.

    Parameters
    ----------
    seed : int
        Decides everything about the patient, 0 or more.
    case_id : str
        Written into the reports.
    spacing_mm : float or sequence of three floats
        Voxel size of the PV phase along i, j and k; one number is the pixel size, and slices are
        5/3 as thick.
    shape_kji : tuple of int, optional
        Voxels of the PV phase; by default they cover 384 x 384 x 240 mm.
    scenario : str, optional
        Key of `inference.phantom.lesions.SCENARIOS`; drawn from the seed by default.
    phases : sequence of str
        Phases to write; the reports name the missing ones.
    variety : Variety
        How patient and scan differ from the plain phantom; its lesions go before a scenario's.
    context : Context, optional
        Told of progress, and asked whether to go on.

    Raises
    ------
    ValueError
        A voxel size, scenario or phase that does not exist.
    Cancelled
        From `context`.
    """
    check_request(scenario, phases)
    grid = reference_grid(spacing_mm, shape_kji, variety)
    scene_grid, box = padded(grid)
    # separate streams: a change in one step leaves the draws of the others alone
    seeds = np.random.SeedSequence(seed).spawn(6)
    build, look, ill, protocol = (np.random.default_rng(s) for s in seeds[:4])
    anatomy = make_anatomy(scene_grid, build, stepper(context, 0.0, 0.5), variety)
    palette = Palette(look, anatomy.body.age_years)
    ill_with = (scenario, large_vessels(anatomy), ill, variety.lesions)
    painted = paint_scenario(anatomy.scene, palette, anatomy.liver, *ill_with)
    show_as(palette, variety)
    step = stepper(context, 0.5, 1.0)
    scans = plan_acquisitions(grid, protocol, variety)
    images = _scan_phases(anatomy, palette, scans, phases, look, step)
    step(0.85, "Masks and reports")
    truth = _truth(anatomy, palette, grid, box, scans)
    front, labels = truth.materials, palette.label[truth.materials]
    return assemble(case_id, images, front, labels, painted, grid, np.eye(4), seeds[4:], truth)


def _truth(
    anatomy: Anatomy, palette: Palette, grid: Grid, box: Box, scans: Sequence[Acquisition]
) -> Truth:
    """Return all that is known on the grid of the mask."""
    last = grid.shape_kji[0] - 1
    return Truth(
        np.ascontiguousarray(anatomy.scene.front[box]),
        palette.names,
        [v for v in anatomy.vertebrae if 0 <= grid.to_kji(v.centre_ras)[0] <= last],
        np.ascontiguousarray(anatomy.vertebra_numbers[box]),
        anatomy.trees,
        {a.phase: a.breathing_ras for a in scans},
    )


def show_as(palette: Palette, variety: Variety) -> None:
    """Make the liver as fat and the phases as badly timed as wanted, in place.

    Fat darkens the parenchyma, not its lesions and vessels: lesions can be bright in it.
    """
    if variety != PLAIN:
        palette.hu[Material.LIVER] += np.float32(variety.liver_fat_hu)
        palette.hu[:] = delayed(palette.hu, variety.timing)


def large_vessels(anatomy: Anatomy) -> NDArray[np.float64]:
    """Return points ``[n, (x, y, z)]`` of the thick branches inside the liver."""
    trees = (anatomy.trees.portal, anatomy.trees.veins)
    return np.concatenate([t.points[t.radii_mm > LARGE_VESSEL_MM] for t in trees])


def _scan_phases(
    anatomy: Anatomy,
    palette: Palette,
    acquisitions: list[Acquisition],
    phases: Sequence[str],
    rng: np.random.Generator,
    step: Callable[[float, str], None],
) -> dict[str, Image]:
    """Render the phases, two at a time; each has its own stream of noise."""
    scene = anatomy.scene
    textures = make_textures(rng, scene.grid)
    noises = rng.spawn(len(acquisitions))

    def render(n: int) -> Image:
        source = attenuation(scene, palette, textures, acquisitions[n].phase)
        return scan(source, scene.grid, anatomy.weight, acquisitions[n], noises[n])

    wanted = [n for n, a in enumerate(acquisitions) if a.phase in phases]
    images = {}
    step(0.0, "Scan")
    with ThreadPoolExecutor(max_workers=2) as pool:
        for n, image in zip(wanted, pool.map(render, wanted), strict=True):
            images[acquisitions[n].phase] = image
            step(0.8 * len(images) / len(wanted), "Scan")
    return images
