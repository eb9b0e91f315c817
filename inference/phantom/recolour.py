"""Moving the contrast of a real CT from the phase it was taken in to any other phase.

Every labelled tissue is moved from what it measures to the table's value of the phase; the
difference is smoothed by about a pixel, so that edges stay as they are and texture is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import PHASES
from inference.phantom.fields import Values
from inference.phantom.grids import Box
from inference.phantom.materials import Material, Palette
from inference.phantom.real_scan import RealScan

EDGE_HU = 55.0
"""Differences much larger than this are edges, smaller ones are noise."""

RIM_MM = 2.2
"""How far beyond a label its tissue still shows, by blur and by labels drawn too small."""

_BONES = (
    r"vertebrae_.*",
    "sacrum",
    r"rib_.*",
    "sternum",
    "costal_cartilages",
    r"hip_.*",
    r"scapula_.*",
    r"clavicula_.*",
    r"humerus_.*",
    r"femur_.*",
    "skull",
)
_ENHANCED_HU = 110.0
_BLOOD_HU = 45.0
_VESSEL_ONSET_HU = 8.0
_MOVE_BLUR_PX = 0.5


@dataclass(frozen=True)
class _Group:
    """Structures that enhance alike.

    `contrast` is how much of the differences inside the structure (cortex and medulla, mixed
    and unmixed blood) is left in each phase.
    """

    patterns: tuple[str, ...]
    material: Material
    contrast: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)


_BLOOD = (0.05, 0.6, 0.3, 0.2)
_GROUPS = (
    _Group(("spleen",), Material.SPLEEN, (0.6, 1.0, 0.8, 0.7)),
    _Group(("pancreas",), Material.PANCREAS),
    _Group(("gallbladder",), Material.BILE),
    _Group((r"adrenal_gland_.*",), Material.ADRENAL),
    _Group(("stomach", "small_bowel", "duodenum", "colon"), Material.BOWEL_WALL),
    _Group(("esophagus",), Material.ESOPHAGUS),
    _Group((r"kidney_(right|left)",), Material.RIGHT_CORTEX, (0.1, 1.0, 0.45, 0.3)),
    _Group(
        (
            "aorta",
            r"iliac_artery_.*",
            r".*subclavian_artery_.*",
            r"common_carotid_.*",
            "brachiocephalic_trunk",
        ),
        Material.AORTA,
        _BLOOD,
    ),
    _Group(("heart", "atrial_appendage_left"), Material.LEFT_HEART, (0.05, 1.0, 0.4, 0.25)),
    _Group(("pulmonary_vein",), Material.LEFT_HEART, _BLOOD),
    _Group(
        ("superior_vena_cava", r"brachiocephalic_vein_.*"), Material.VEIN, (0.02, 0.3, 0.1, 0.05)
    ),
    _Group(("inferior_vena_cava",), Material.CAVA_UPPER, (0.2, 0.8, 0.5, 0.4)),
    _Group(("portal_vein_and_splenic_vein",), Material.PORTAL, _BLOOD),
    _Group((r"autochthon_.*", r"iliopsoas_.*", r"gluteus_.*"), Material.MUSCLE),
)
# mean HU of whole kidneys and hearts, which hold more than one tissue
_MIXED = {
    Material.RIGHT_CORTEX: (Material.RIGHT_CORTEX, Material.RIGHT_MEDULLA, 0.65),
    Material.LEFT_HEART: (Material.LEFT_HEART, Material.MYOCARDIUM, 0.6),
}


def denoise(hu: Values) -> Values:
    """Return the scan without its noise but with its edges, slice by slice (bilateral filter)."""
    out = np.empty_like(hu)
    for source, target in zip(hu, out, strict=True):
        cv2.bilateralFilter(source, 7, EDGE_HU, 2.0, dst=target)
    return out


def _ramp(values: Values, low: float, high: float) -> Values:
    """Return 0 below `low`, 1 above `high` and a smooth step between."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    step: Values = t * t * (3.0 - 2.0 * t)
    return step


def bounds(mask: NDArray[np.bool_], margin: int) -> Box | None:
    """Return the box of the true voxels with a margin, None if there are none."""
    found = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not len(found[0]):
        return None
    k, j, i = (
        slice(max(int(f[0]) - margin, 0), min(int(f[-1]) + margin + 1, n))
        for f, n in zip(found, mask.shape, strict=True)
    )
    return k, j, i


@dataclass(frozen=True)
class _Part:
    """A piece of the scan that is moved.

    `weight` is how much of each voxel of the box is inside; `rim` how much of each voxel around
    it is the same tissue, by its attenuation.
    """

    box: Box
    weight: Values
    rim: Values
    mean_hu: float
    material: Material
    contrast: tuple[float, float, float, float]


@dataclass(frozen=True)
class _Liver:
    """The liver: where, how much of each voxel, what parenchyma and vessels measure."""

    box: Box
    weight: Values
    mean_hu: float
    vessel_hu: float | None


class Recolouring:
    """A real scan prepared to be shown in any phase.

    Parameters
    ----------
    scan : RealScan
    palette : Palette
        The patient's attenuations.

    Attributes
    ----------
    tissue : ndarray of float32
        The scan without its noise.
    vessels : ndarray of float32, shape of `liver_box`
        0 to 1, how much of each liver voxel is an enhanced vessel.
    """

    def __init__(self, scan: RealScan, palette: Palette) -> None:
        self._scan = scan
        self._palette = palette
        self.tissue = denoise(scan.hu)
        self._liver, self.vessels = self._find_liver()
        self._parts = [p for group in _GROUPS if (p := self._part(group)) is not None]
        vessels = self._other_vessels()
        if vessels is not None:
            self._parts.append(vessels)

    def _part(self, group: _Group) -> _Part | None:
        """Return the piece of a group, None if the scan has none of it."""
        mask = self._scan.mask(*group.patterns)
        box = bounds(mask, 3)
        if box is None:
            return None
        tissue, inside = self.tissue[box], mask[box]
        # gas, fat, stones and clips keep what they are
        soft = _ramp(tissue, -40.0, 0.0)
        if group.material not in (Material.LEFT_HEART, Material.AORTA, Material.VEIN):
            soft *= 1.0 - _ramp(tissue, 450.0, 600.0)
        weight = np.where(inside, soft, 0.0).astype(np.float32)
        core = tissue[weight > 0.9]
        if not core.size:
            return None
        mean = float(np.median(core))
        rim = self._rim(box, inside, mean)
        return _Part(box, weight, rim, mean, group.material, group.contrast)

    def _rim(self, box: Box, inside: NDArray[np.bool_], mean_hu: float) -> Values:
        """Return how much of each unlabelled voxel beside a structure belongs to it."""
        spacing = self._scan.grid.spacing_mm[0]
        size = 2 * max(1, round(RIM_MM / spacing)) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        rim = np.zeros_like(self.tissue[box])
        for tissue, mask, out in zip(self.tissue[box], inside, rim, strict=True):
            if not mask.any():
                continue
            near = cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)
            # what the structure is mixed with: the darkest neighbour
            other = np.minimum(cv2.erode(tissue, kernel), np.float32(mean_hu - 20.0))
            out[near] = np.clip((tissue - other) / (mean_hu - other), 0.0, 1.0)[near]
        rim[self._scan.structures[box] != 0] = 0.0
        return rim

    @property
    def liver_box(self) -> Box:
        """The part of the scan that holds the liver."""
        return self._liver.box

    def _find_liver(self) -> tuple[_Liver, Values]:
        """Measure parenchyma and vessels of the liver, told apart by their attenuation."""
        mask = self._scan.mask("liver")
        box = bounds(mask, 3)
        if box is None:
            raise ValueError("the scan has no liver")
        tissue, inside = self.tissue[box], mask[box]
        mean = float(np.median(tissue[inside]))
        soft = np.where(inside, _ramp(tissue, -40.0, 0.0), 0.0).astype(np.float32)
        soft *= 1.0 - _ramp(tissue, 300.0, 450.0)
        vessel = _ramp(tissue, mean + 28.0, mean + 60.0) * soft
        blood = tissue[vessel > 0.9]
        vessel_hu = float(np.median(blood)) if blood.size else None
        return _Liver(box, soft, mean, vessel_hu), vessel

    def _other_vessels(self) -> _Part | None:
        """Return what is enhanced, inside the body, far from bone and has no label."""
        aorta = next((p for p in self._parts if p.material == Material.AORTA), None)
        # where bones have no labels either, they would be taken for vessels
        labelled = self._scan.mask(r"rib_.*").any() and self._scan.mask(r"vertebrae_.*").any()
        if aorta is None or aorta.mean_hu < _ENHANCED_HU or not labelled:
            return None
        bone = self._scan.mask(*_BONES)
        step = max(1, round(2.5 / self._scan.grid.spacing_mm[0]))
        near = bone[:, ::step, ::step]
        near = ndimage.binary_dilation(near, np.ones((3, 5, 5), dtype=bool))
        near = near.repeat(step, axis=1).repeat(step, axis=2)
        near = near[:, : bone.shape[1], : bone.shape[2]]
        weight = _ramp(self.tissue, 72.0, 105.0)
        weight *= (self._scan.structures == 0) & ~near & self._inside(step)
        everywhere = (slice(0, None), slice(0, None), slice(0, None))
        # small vessels are blurred: the share of blood in them is in their attenuation
        none = np.zeros_like(weight)
        return _Part(everywhere, weight, none, aorta.mean_hu, Material.ARTERY, (1.0, 1.0, 1.0, 1.0))

    def _inside(self, step: int) -> NDArray[np.bool_]:
        """Return the body without the table, from a coarse copy of the scan."""
        coarse = self.tissue[:, ::step, ::step] > -250.0
        coarse = ndimage.binary_opening(coarse, np.ones((1, 3, 3), dtype=bool), iterations=2)
        parts, n = ndimage.label(coarse)
        if n == 0:
            return np.zeros(self.tissue.shape, dtype=bool)
        body = parts == 1 + int(np.bincount(parts.ravel())[1:].argmax())
        full = body.repeat(step, axis=1).repeat(step, axis=2)
        result: NDArray[np.bool_] = full[:, : self.tissue.shape[1], : self.tissue.shape[2]]
        return result

    def _target(self, material: Material, phase: int) -> float:
        """Return the HU of a material, or of what is mixed under its name, in a phase."""
        hu = self._palette.hu[:, phase]
        if material in _MIXED:
            first, second, share = _MIXED[material]
            return float(share * hu[first] + (1.0 - share) * hu[second])
        return float(hu[material])

    def render(self, phase: str) -> Values:
        """Return the HU of the scan in a phase, on the scan's grid."""
        p = PHASES.index(phase)
        move = np.zeros_like(self.tissue)
        for part in self._parts:
            tissue, target = self.tissue[part.box], self._target(part.material, p)
            if part.material == Material.ARTERY:
                # towards unenhanced blood, by the ratio of the aortas
                ratio = (target - _BLOOD_HU) / (part.mean_hu - _BLOOD_HU)
                wanted = _BLOOD_HU + ratio * (tissue - _BLOOD_HU)
            else:
                wanted = target + part.contrast[p] * (tissue - part.mean_hu)
            change = part.weight * (wanted - tissue) + part.rim * (target - part.mean_hu)
            move[part.box] += change.astype(np.float32)
        self._move_liver(move, p)
        for plane in move:
            plane[:] = cv2.GaussianBlur(plane, (0, 0), _MOVE_BLUR_PX)
        return self._scan.hu + move

    def _move_liver(self, move: Values, phase: int) -> None:
        """Add the change of the liver: parenchyma moves as a whole, vessels by their excess."""
        liver = self._liver
        tissue = self.tissue[liver.box]
        target = self._target(Material.LIVER, phase)
        change = np.full_like(tissue, target - liver.mean_hu)
        if liver.vessel_hu is not None:
            here = liver.vessel_hu - liver.mean_hu
            there = self._target(Material.LIVER_PORTAL, phase) - target
            excess = np.maximum(tissue - np.float32(liver.mean_hu + _VESSEL_ONSET_HU), 0.0)
            change += np.float32(there / here - 1.0) * excess
        move[liver.box] += liver.weight * change
