"""A synthetic patient: anatomy, lesions, four phases, masks, reports, and the exact truth."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inference.contract import PHASES, Context, Image, LabelMap
from inference.phantom import labels, lesions, reports
from inference.phantom.anatomy import Anatomy, make_anatomy
from inference.phantom.grids import Grid
from inference.phantom.lesions import Lesion
from inference.phantom.liver_vessels import LiverVessels
from inference.phantom.materials import FIRST_LESION_CODE, Palette
from inference.phantom.prediction import LesionVoxels, predict
from inference.phantom.protocol import (
    DEFAULT_SPACING_MM,
    padded,
    plan_acquisitions,
    reference_grid,
)
from inference.phantom.rendering import Acquisition, attenuation, make_textures, scan
from inference.phantom.skeleton import Vertebra


@dataclass(frozen=True)
class Truth:
    """What is known about a phantom beyond its mask, on the grid of the mask.

    Parameters
    ----------
    materials : ndarray of uint8, shape (nk, nj, ni)
        Code of the material that fills most of each voxel: tells vessels inside organs, cortex
        from medulla, the parts of a lesion.
    material_names : dict of int to str
    vertebrae : list of Vertebra
        Body centres and frames, in RAS mm.
    vertebra_numbers : ndarray of uint8, shape (nk, nj, ni)
        VerSe number of each voxel of bone.
    vessel_trees : LiverVessels
        Portal, hepatic venous and arterial tree of the liver.
    """

    materials: NDArray[np.uint8]
    material_names: dict[int, str]
    vertebrae: list[Vertebra]
    vertebra_numbers: NDArray[np.uint8]
    vessel_trees: LiverVessels


@dataclass(frozen=True)
class PhantomPatient:
    """A four-phase case.

    Parameters
    ----------
    case_id : str
    phases : dict of str to Image
        int16 HU by phase; each phase has its own grid and breathing position.
    reference : LabelMap
        uint8 organs and lesions on the grid of the PV phase.
    prediction : LabelMap
        An imperfect copy of the reference on the same grid.
    radiology, pathology : list of dict of str to str
        Rows with the columns of :mod:`inference.phantom.reports`.
    lesions : list of Lesion
    label_names : dict of int to str
    truth : Truth or None
        None for a case made from a real scan, about which nobody knows more.
    """

    case_id: str
    phases: dict[str, Image]
    reference: LabelMap
    prediction: LabelMap
    radiology: list[dict[str, str]]
    pathology: list[dict[str, str]]
    lesions: list[Lesion]
    label_names: dict[int, str] = field(default_factory=lambda: dict(labels.LABEL_NAMES))
    truth: Truth | None = None


class Progress:
    """Passes progress on to a context, if there is one."""

    def __init__(self, context: Context | None) -> None:
        self._context = context

    def part(self, low: float, high: float):  # type: ignore[no-untyped-def]
        """Return a function that reports fractions of a part of the whole."""

        def step(fraction: float, text: str) -> None:
            if self._context is not None:
                self._context.check()
                self._context.report(low + (high - low) * fraction, text)

        return step


def _paint_lesions(
    anatomy: Anatomy, palette: Palette, scenario: str, rng: np.random.Generator
) -> list[Lesion]:
    """Place and paint the lesions of a scenario."""
    thick = np.concatenate(
        [tree.points[tree.radii_mm > 2.2] for tree in (anatomy.trees.portal, anatomy.trees.veins)]
    )
    painted: list[Lesion] = []
    for label, wanted in lesions.draw_plan(scenario, rng):
        spot = lesions.place(anatomy.liver.shape, anatomy.scene, wanted, painted, thick, rng)
        if spot is None:
            continue
        centre, radius = spot
        painted.append(
            lesions.paint_lesion(
                anatomy.scene,
                palette,
                anatomy.liver.shape,
                label,
                len(painted) + 1,
                centre,
                radius,
                anatomy.liver.segment(centre),
                rng,
            )
        )
    return painted


def lesion_voxels(front: NDArray[np.uint8], painted: list[Lesion]) -> list[NDArray[np.intp]]:
    """Return the voxels ``[n, (k, j, i)]`` of each lesion in a map of material codes."""
    owner = np.zeros(256, dtype=np.uint8)
    for n, lesion in enumerate(painted, start=1):
        owner[list(lesion.codes)] = n
    found = np.argwhere(front >= FIRST_LESION_CODE)
    owners = owner[front[tuple(found.T)]]
    return [found[owners == n] for n in range(1, len(painted) + 1)]


def make_findings(
    painted: list[Lesion], voxels: list[NDArray[np.intp]], grid: Grid
) -> list[reports.Finding]:
    """Measure the lesions as a radiologist would."""
    return [
        reports.Finding(
            lesion.label,
            lesion.segment,
            reports.longest_axial_mm(v, grid.spacing_mm),
            len(v) * grid.voxel_ml,
        )
        for lesion, v in zip(painted, voxels, strict=True)
        if len(v)
    ]


def make_patient(
    seed: int,
    *,
    case_id: str = "LV-0001",
    spacing_mm: float | Sequence[float] = DEFAULT_SPACING_MM,
    shape_kji: tuple[int, int, int] | None = None,
    scenario: str | None = None,
    phases: Sequence[str] = PHASES,
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
    context : Context, optional
        Told of progress, and asked whether to go on.

    Raises
    ------
    ValueError
        A voxel size, scenario or phase that does not exist.
    Cancelled
        From `context`.
    """
    if scenario is not None and scenario not in lesions.SCENARIOS:
        raise ValueError(f"there is no scenario {scenario!r}: {', '.join(lesions.SCENARIOS)}")
    if not phases or not set(phases) <= set(PHASES):
        raise ValueError(f"phases must be some of {', '.join(PHASES)}, not {list(phases)}")
    progress = Progress(context)
    grid = reference_grid(spacing_mm, shape_kji)
    scene_grid, box = padded(grid)
    # separate streams: a change in one step leaves the draws of the others alone
    streams = np.random.SeedSequence(seed).spawn(6)
    build, look, ill, protocol, guess, words = (np.random.default_rng(s) for s in streams)
    anatomy = make_anatomy(scene_grid, build, progress.part(0.0, 0.5))
    palette = Palette(look, anatomy.body.age_years)
    if scenario is None:
        scenario = str(ill.choice(list(lesions.SCENARIOS)))
    painted = _paint_lesions(anatomy, palette, scenario, ill)
    progress.part(0.5, 0.9)(0.0, "Scan")
    images = _scan_phases(anatomy, palette, plan_acquisitions(grid, protocol), phases, look)
    progress.part(0.9, 1.0)(0.0, "Masks and reports")
    front = np.ascontiguousarray(anatomy.scene.front[box])
    voxels = lesion_voxels(front, painted)
    reference = palette.label[front]
    prediction = predict(
        reference,
        grid,
        [LesionVoxels(p.label, v) for p, v in zip(painted, voxels, strict=True)],
        guess,
    )
    findings = make_findings(painted, voxels, grid)
    date = reports.draw_date(words)
    return PhantomPatient(
        case_id,
        images,
        LabelMap(reference, grid.affine_ras),
        LabelMap(prediction, grid.affine_ras),
        reports.radiology_rows(case_id, findings, tuple(images), date),
        reports.pathology_rows(case_id, findings, date, words),
        [p for p, v in zip(painted, voxels, strict=True) if len(v)],
        truth=Truth(
            front,
            palette.names,
            anatomy.vertebrae,
            np.ascontiguousarray(anatomy.vertebra_numbers[box]),
            anatomy.trees,
        ),
    )


def _scan_phases(
    anatomy: Anatomy,
    palette: Palette,
    acquisitions: list[Acquisition],
    phases: Sequence[str],
    rng: np.random.Generator,
) -> dict[str, Image]:
    """Render the phases, two at a time; each has its own stream of noise."""
    scene = anatomy.scene
    textures = make_textures(rng, scene.grid)
    noises = rng.spawn(len(acquisitions))

    def render(n: int) -> Image:
        source = attenuation(scene, palette, textures, acquisitions[n].phase)
        return scan(source, scene.grid, anatomy.weight, acquisitions[n], noises[n])

    wanted = [n for n, a in enumerate(acquisitions) if a.phase in phases]
    with ThreadPoolExecutor(max_workers=2) as pool:
        images = list(pool.map(render, wanted))
    return {acquisitions[n].phase: image for n, image in zip(wanted, images, strict=True)}
