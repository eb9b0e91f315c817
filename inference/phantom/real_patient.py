"""Four-phase cases from a real CT and its organ label map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import PHASES, Context, Image
from inference.phantom import labels
from inference.phantom.case import PhantomPatient, assemble, check_request, stepper
from inference.phantom.fields import Field, Values, upsample
from inference.phantom.grids import Box, Grid, vec
from inference.phantom.lesions import paint_scenario
from inference.phantom.liver import Liver
from inference.phantom.materials import FIRST_LESION_CODE, Palette
from inference.phantom.protocol import plan_acquisitions
from inference.phantom.real_scan import RealScan
from inference.phantom.recolour import Recolouring
from inference.phantom.rendering import attenuation, make_textures, scan
from inference.phantom.scene import Scene
from inference.phantom.variety import Variety

_COARSE_MM = 2.2
#: Less than in a phantom: behind the organs of a scan there is nothing that could be shown.
_BREATHING_MM = 3.0

_SOURCE_NOISE_HU = 5.0
_AGE_YEARS = 60.0
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


def liver_of_scan(scan: RealScan, box: Box) -> Liver:
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
    check_request(scenario, phases)
    step = stepper(context)
    step(0.0, "Tissues")
    seeds = np.random.SeedSequence(seed).spawn(5)
    look, ill, protocol = (np.random.default_rng(s) for s in seeds[:3])
    palette = Palette(look, _AGE_YEARS)
    # what is not a lesion shows the scan
    palette.hu[0] = 0.0
    colours = Recolouring(source, palette)
    box = colours.liver_box
    scene = Scene(source.grid.crop(box))
    thick = ndimage.uniform_filter(colours.vessels, 5) > 0.6
    points = scene.grid.to_ras(np.argwhere(thick)[::7])
    painted = paint_scenario(scene, palette, liver_of_scan(source, box), scenario, points, ill)
    images = _scan(source, colours, scene, palette, protocol, phases, step)
    step(0.9, "Masks and reports")
    reference = _reference(source, box, scene, palette)
    materials = np.zeros(reference.shape, dtype=np.uint8)
    materials[box] = scene.front
    return assemble(
        case_id, images, materials, reference, painted, source.grid, source.to_world, seeds[3:]
    )


def _scan(
    source: RealScan,
    colours: Recolouring,
    scene: Scene,
    palette: Palette,
    rng: np.random.Generator,
    phases: Sequence[str],
    step: Callable[[float, str], None],
) -> dict[str, Image]:
    """Render the phases one after the other: a real scan is large."""
    acquisitions = plan_acquisitions(source.grid, rng, Variety(breathing_mm=_BREATHING_MM))
    textures = make_textures(rng, scene.grid)
    noises = rng.spawn(len(acquisitions))
    weight = _weight(source)
    box = colours.liver_box
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
