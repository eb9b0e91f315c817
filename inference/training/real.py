"""Real anatomies for training: scans with organ labels, brought to the training grid.

Each copy gets its own lesions. Which scans may be used is decided by whoever configures the
training; test scans are never among them.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.liver import classes
from inference.phantom.grids import Grid
from inference.phantom.lesions import paint_scenario
from inference.phantom.materials import FIRST_LESION_CODE, Material, Palette
from inference.phantom.real_patient import liver_of_scan
from inference.phantom.real_scan import RealScan, read_scan
from inference.phantom.recolour import bounds
from inference.phantom.scene import Scene
from inference.training.contrast import NO_TISSUE
from inference.training.patients import (
    LIVER_ABOVE_CENTRE_MM,
    SHAPE_KJI,
    SPACING_MM,
    RealPatient,
)

_ABOVE_AND_BELOW_MM = 200.0
_AGE_YEARS = 60.0
_VESSEL_HU = (115.0, 600.0)
_BONE = r"rib_.*|sternum|costal_cartilages|hip_.*|scapula_.*|clavicula_.*|humerus_.*|femur_.*|skull"
_STRUCTURES: tuple[tuple[str, int, int], ...] = (
    ("liver", classes.LIVER, Material.LIVER),
    ("spleen", classes.SPLEEN, Material.SPLEEN),
    ("kidney_right", classes.RIGHT_KIDNEY, Material.RIGHT_CORTEX),
    ("kidney_left", classes.LEFT_KIDNEY, Material.LEFT_CORTEX),
    ("gallbladder", classes.GALLBLADDER, Material.BILE),
    ("pancreas", classes.PANCREAS, Material.PANCREAS),
    ("stomach", classes.STOMACH, Material.STOMACH_WALL),
    ("small_bowel|duodenum|colon", classes.BOWEL, Material.BOWEL_WALL),
    ("heart|atrial_appendage_left", classes.HEART, Material.LEFT_HEART),
    ("lungs|lung_.*", classes.LUNG, NO_TISSUE),
    ("vertebrae_.*|sacrum", classes.SPINE, NO_TISSUE),
    (_BONE, classes.BONE, NO_TISSUE),
    ("aorta", classes.VESSEL, Material.AORTA),
    ("inferior_vena_cava", classes.VESSEL, Material.CAVA_UPPER),
    ("portal_vein_and_splenic_vein", classes.VESSEL, Material.PORTAL),
    (r"adrenal_gland_.*", classes.BACKGROUND, Material.ADRENAL),
    ("esophagus", classes.BACKGROUND, Material.ESOPHAGUS),
    (r"autochthon_.*|iliopsoas_.*|gluteus_.*", classes.BACKGROUND, Material.MUSCLE),
)
"""Pattern of names, class and material of the structures of a label map."""


def on_training_grid(scan: RealScan) -> RealScan:
    """Return a scan on the training grid, centred a little below its liver.

    What the scan does not cover is air without a label.
    """
    liver = scan.mask("liver")
    box = bounds(liver, 0)
    assert box is not None  # read_scan refuses scans without a liver
    spacing = np.asarray(scan.grid.spacing_mm[::-1])
    step = SPACING_MM / spacing
    centre = np.array([(s.start + s.stop - 1) / 2.0 for s in box])
    body = bounds(ndimage.binary_opening(scan.hu[::2, ::4, ::4] > -300.0, iterations=2), 0)
    if body is not None:  # across, the middle of the body
        centre[1:] = [(s.start + s.stop - 1) / 2.0 * 4.0 for s in body[1:]]
    centre[0] -= LIVER_ABOVE_CENTRE_MM / spacing[0]
    start = centre - step * (np.asarray(SHAPE_KJI) - 1) / 2.0
    smooth = ndimage.gaussian_filter(scan.hu, np.where(step > 1.0, 0.5 * step, 0.0))
    hu = ndimage.affine_transform(
        smooth, step, offset=start, output_shape=SHAPE_KJI, order=1, cval=-1000.0
    )
    structures = ndimage.affine_transform(
        scan.structures, step, offset=start, output_shape=SHAPE_KJI, order=0
    )
    origin = tuple(float(v) for v in scan.grid.to_ras(start))
    grid = Grid(SHAPE_KJI, (SPACING_MM,) * 3, origin)  # type: ignore[arg-type]
    return RealScan(hu.astype(np.float32), structures, scan.names, grid, scan.to_world)


def _tables(scan: RealScan) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return class and material code of each structure number."""
    class_of = np.zeros(65536, dtype=np.uint8)
    tissue_of = np.full(65536, NO_TISSUE, dtype=np.uint8)
    for number, name in scan.names.items():
        for pattern, class_number, material in _STRUCTURES:
            if re.fullmatch(pattern, name):
                class_of[number], tissue_of[number] = class_number, material
    return class_of, tissue_of


def _unlabelled_vessels(scan: RealScan, truth: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return what is enhanced, has no label and is not beside a bone or the lungs."""
    bright = (scan.hu > _VESSEL_HU[0]) & (scan.hu < _VESSEL_HU[1]) & (scan.structures == 0)
    bone = np.isin(truth, (classes.SPINE, classes.BONE))
    near: NDArray[np.bool_] = ndimage.binary_dilation(bone, iterations=3)
    found: NDArray[np.bool_] = bright & ~near
    return found


def real_patient(scan: RealScan, seed: int, *, liver_only: bool = False) -> RealPatient:
    """Return a copy of a scan with lesions of its own.

    Parameters
    ----------
    scan : RealScan
        From :func:`on_training_grid`.
    seed : int
        Decides the lesions.
    liver_only : bool
        Whether nothing but the liver is labelled.
    """
    rng = np.random.default_rng(seed)
    class_of, tissue_of = _tables(scan)
    truth, tissue = class_of[scan.structures], tissue_of[scan.structures]
    tissue[scan.hu < -60.0] = NO_TISSUE  # gas in the bowel, fat in a sinus
    if not liver_only:
        tissue[_unlabelled_vessels(scan, truth)] = Material.ARTERY
    palette = Palette(rng, _AGE_YEARS)
    scene = Scene(scan.grid)
    box = (slice(0, SHAPE_KJI[0]), slice(0, SHAPE_KJI[1]), slice(0, SHAPE_KJI[2]))
    paint_scenario(scene, palette, liver_of_scan(scan, box), None, np.empty((0, 3)), rng)
    lesion = scene.front >= FIRST_LESION_CODE
    truth[lesion] = classes.CLASS_OF_LABEL[palette.label[scene.front[lesion]]]
    names = np.full(256, "", dtype="U40")
    for code, name in palette.names.items():
        names[code] = name
    return RealPatient(
        np.clip(np.rint(scan.hu), -1024, 3071).astype(np.int16),
        truth,
        tissue,
        scene.front,
        scene.back,
        scene.share,
        palette.hu,
        names,
        liver_only,
    )


def read_anatomy(ct: Path, labels: Path) -> RealScan:
    """Return a scan and its label map on the training grid.

    Raises
    ------
    inference.phantom.real_scan.AnatomyError
        A file that cannot be read, or no liver.
    """
    return on_training_grid(read_scan(ct, labels, margin_mm=_ABOVE_AND_BELOW_MM))
