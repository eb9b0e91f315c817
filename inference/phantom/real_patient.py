"""Four-phase cases from a real CT and its organ label map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import PHASES, Context, Image, LabelMap
from inference.phantom import labels, lesions, reports
from inference.phantom.fields import Field, Values, upsample
from inference.phantom.grids import Box, Grid, vec
from inference.phantom.lesions import Lesion
from inference.phantom.liver import Liver
from inference.phantom.materials import FIRST_LESION_CODE, Palette
from inference.phantom.patient import PhantomPatient, Progress, lesion_voxels, make_findings
from inference.phantom.prediction import LesionVoxels, predict
from inference.phantom.protocol import plan_acquisitions
from inference.phantom.real_scan import RealScan
from inference.phantom.recolour import Recolouring, bounds
from inference.phantom.rendering import attenuation, make_textures, scan
from inference.phantom.scene import Scene

_COARSE_MM = 2.2
_SOURCE_NOISE_HU = 5.0
_MOVING = (
    "liver", "spleen", r"kidney_.*", "gallbladder", "pancreas", "stomach", "duodenum",
    "small_bowel", "colon", r"adrenal_.*", r"lung_.*", "heart", "esophagus",
    "portal_vein_and_splenic_vein", "inferior_vena_cava",
)  # fmt: skip


def _liver_field(scan: RealScan, box: Box) -> Field:
    """Return the distance to the surface of the liver, computed on a coarse copy."""
    mask = scan.mask("liver")[box]
    grid = scan.grid.crop(box)
    steps = [max(1, round(_COARSE_MM / s)) for s in grid.spacing_mm[::-1]]
    coarse = mask[:: steps[0], :: steps[1], :: steps[2]]
    spacing = [s * n for s, n in zip(grid.spacing_mm[::-1], steps, strict=True)]
    outside = ndimage.distance_transform_edt(~coarse, sampling=spacing)
    inside = ndimage.distance_transform_edt(coarse, sampling=spacing)
    distance = (outside - inside).astype(np.float32)
    lattice = Grid(coarse.shape, (spacing[2], spacing[1], spacing[0]), grid.origin_ras)
    values = upsample(distance, lattice, grid)
    # the coarse copy may be off by half of its voxels: no lesion leaves the liver
    values = np.where(mask, np.minimum(values, -0.1), np.maximum(values, 1.0))
    return Field(tuple(slice(0, n) for n in mask.shape), values.astype(np.float32))  # type: ignore[arg-type]


def _landmark(scan: RealScan, grid: Grid, box: Box, name: str) -> NDArray[np.float64] | None:
    """Return the centre of a structure in a box, None if it is not there."""
    found = np.argwhere(scan.mask(name)[box])
    return grid.to_ras(found.mean(axis=0)) if len(found) else None


def _liver(scan: RealScan, box: Box) -> Liver:
    """Return the liver with the landmarks that divide its segments."""
    grid = scan.grid.crop(box)
    shape = _liver_field(scan, box)
    inside = grid.to_ras(np.argwhere(shape.values < 0.0))
    centre, low, high = inside.mean(axis=0), inside.min(axis=0), inside.max(axis=0)
    cava = _landmark(scan, grid, box, "inferior_vena_cava")
    hilum = _landmark(scan, grid, box, "portal_vein_and_splenic_vein")
    fossa = _landmark(scan, grid, box, "gallbladder")
    if cava is None:
        cava = centre + vec(-22.0, -12.0, 0.0)
    if hilum is None:
        hilum = centre + vec(-15.0, 5.0, -15.0)
    if fossa is None:
        fossa = np.array([centre[0] - 8.0, high[1] - 20.0, low[2] + 30.0])
    cava = np.array([cava[0], cava[1], high[2] - 15.0])
    hilum = np.array([min(hilum[0], centre[0] - 5.0), hilum[1], 0.5 * (low[2] + high[2]) - 8.0])
    return Liver(shape, cava, hilum, fossa, float(hilum[0] - 22.0))


def _weight(scan: RealScan) -> NDArray[np.uint8]:
    """Return how much of the breathing each voxel follows: the organs, but not the walls."""
    grid = scan.grid
    steps = [max(1, round(6.0 / s)) for s in grid.spacing_mm[::-1]]
    coarse = scan.mask(*_MOVING)[:: steps[0], :: steps[1], :: steps[2]].astype(np.float32)
    spacing = tuple(s * n for s, n in zip(grid.spacing_mm, steps[::-1], strict=True))
    soft = np.clip(1.6 * ndimage.gaussian_filter(coarse, 1.2) - 0.1, 0.0, 1.0)
    lattice = Grid(coarse.shape, spacing, grid.origin_ras)  # type: ignore[arg-type]
    weight: NDArray[np.uint8] = np.rint(upsample(soft, lattice, grid) * 255.0).astype(np.uint8)
    return weight


def _paint(
    liver: Liver,
    scene: Scene,
    palette: Palette,
    vessels: Values,
    scenario: str,
    rng: np.random.Generator,
) -> list[Lesion]:
    """Place and paint the lesions of a scenario into the real liver."""
    thick = ndimage.uniform_filter(vessels, 5) > 0.6
    points = scene.grid.to_ras(np.argwhere(thick)[::7])
    painted: list[Lesion] = []
    for label, wanted in lesions.draw_plan(scenario, rng):
        spot = lesions.place(liver.shape, scene, wanted, painted, points, rng)
        if spot is not None:
            centre, radius = spot
            painted.append(
                lesions.paint_lesion(
                    scene,
                    palette,
                    liver.shape,
                    label,
                    len(painted) + 1,
                    centre,
                    radius,
                    liver.segment(centre),
                    rng,
                )
            )
    return painted


def _blend(volume: Values, box: Box, scene: Scene, lesion_hu: Values, detail: Values) -> None:
    """Lay the lesions over a phase, in place; the noise of the scan runs on through them."""
    share = scene.share.astype(np.float32) / 255.0
    part = np.where(scene.front >= FIRST_LESION_CODE, share, 0.0)
    part += np.where(
        (scene.back >= FIRST_LESION_CODE) & (scene.back != scene.front), 1.0 - share, 0.0
    )
    # where there is no lesion the scene is material 0, whose HU are 0 here
    volume[box] = (1.0 - part) * volume[box] + lesion_hu + part * detail


def _reference(scan: RealScan, box: Box, scene: Scene, palette: Palette) -> NDArray[np.uint8]:
    """Return organs, large vessels and lesions with our labels."""
    table = np.zeros(65536, dtype=np.uint8)
    for number, name in scan.names.items():
        table[number] = labels.LABEL_OF_STRUCTURE.get(name, 0)
    reference = table[scan.structures]
    lesion = scene.front >= FIRST_LESION_CODE
    reference[box][lesion] = palette.label[scene.front[lesion]]
    return reference


def make_real_patient(
    source: RealScan,
    seed: int,
    *,
    case_id: str = "LV-0001",
    scenario: str | None = None,
    phases: Sequence[str] = PHASES,
    context: Context | None = None,
) -> PhantomPatient:
    """Make a four-phase case from a real scan. The same arguments give the same bits.

    Parameters
    ----------
    source : RealScan
    seed : int
        Decides lesions, attenuations and scan protocol.
    case_id : str
    scenario : str, optional
        Key of `inference.phantom.lesions.SCENARIOS`; drawn from the seed by default.
    phases : sequence of str
    context : Context, optional

    Returns
    -------
    PhantomPatient
        `reference` holds the labels of the scan's own map and the lesions painted; `truth` is
        None.
    """
    step = Progress(context).part(0.0, 1.0)
    step(0.0, "Tissues")
    streams = np.random.SeedSequence(seed).spawn(5)
    look, ill, protocol, guess, words = (np.random.default_rng(s) for s in streams)
    palette = Palette(look, 60.0)
    palette.hu[0] = 0.0
    colours = Recolouring(source, palette)
    box = bounds(source.mask("liver"), 4)
    if box is None:
        raise ValueError("the scan has no liver")
    scene = Scene(source.grid.crop(box))
    liver = _liver(source, box)
    names = list(lesions.SCENARIOS)
    chosen = scenario if scenario is not None else str(ill.choice(names))
    painted = _paint(liver, scene, palette, colours.vessels[box], chosen, ill)
    images = _scan(source, colours, box, scene, palette, protocol, phases, step)
    step(0.9, "Masks and reports")
    reference = _reference(source, box, scene, palette)
    front = np.zeros(reference.shape, dtype=np.uint8)
    front[box] = scene.front
    voxels = lesion_voxels(front, painted)
    marked = [LesionVoxels(p.label, v) for p, v in zip(painted, voxels, strict=True)]
    prediction = predict(reference, source.grid, marked, guess)
    findings = make_findings(painted, voxels, source.grid)
    date = reports.draw_date(words)
    affine = source.to_world @ source.grid.affine_ras
    return PhantomPatient(
        case_id,
        images,
        LabelMap(reference, affine),
        LabelMap(prediction, affine),
        reports.radiology_rows(case_id, findings, tuple(images), date),
        reports.pathology_rows(case_id, findings, date, words),
        [p for p, v in zip(painted, voxels, strict=True) if len(v)],
    )


def _scan(
    source: RealScan,
    colours: Recolouring,
    box: Box,
    scene: Scene,
    palette: Palette,
    rng: np.random.Generator,
    phases: Sequence[str],
    step: Callable[[float, str], None],
) -> dict[str, Image]:
    """Render the phases one after the other: a real scan is large."""
    acquisitions = plan_acquisitions(source.grid, rng)
    textures = make_textures(rng, scene.grid)
    noises = rng.spawn(len(acquisitions))
    weight = _weight(source)
    detail = source.hu[box] - colours.tissue[box]
    images = {}
    for n, (plan, noise) in enumerate(zip(acquisitions, noises, strict=True)):
        if plan.phase not in phases:
            continue
        step(0.15 + 0.7 * n / len(acquisitions), f"Scan {plan.phase}")
        volume = colours.render(plan.phase)
        _blend(volume, box, scene, attenuation(scene, palette, textures, plan.phase), detail)
        # the scan brings its own blur, noise and beam hardening; a little noise makes phases differ
        quiet = replace(plan, blur_mm=0.0, noise_hu=_SOURCE_NOISE_HU, hardening=False)
        image = scan(volume, source.grid, weight, quiet, noise)
        images[plan.phase] = Image(image.array, source.to_world @ image.affine_ras)
    return images
