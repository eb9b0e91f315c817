"""Steps 2 to 4 in a row: proposals, patches, verdicts, and the lesions drawn anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import PHASES, Affine, Context, Finding, Image, Measure
from inference.grid import Grid
from inference.liver import classes
from inference.liver.consensus import Verdict, agree, enhancement
from inference.liver.inputs import PADDING_HU
from inference.liver.patient import malignancy
from inference.liver.proposals import (
    MULTIPLIERS,
    Box,
    Mask,
    Proposal,
    find_proposals,
    proposal_of,
)
from inference.liver.stage1 import Segmentation
from inference.liver.stage2 import (
    PATCH,
    LesionNetwork,
    Opinion,
    cut_patch,
    judge,
    patch_input,
    patch_side_mm,
)
from inference.liver.unusual import unusual_places
from inference.resampling import resample

NEAR_SPACING_MM = 1.5
MOST_PROPOSALS = 48
_AT_ONCE = 8
_MARGIN_MM = 40.0
_LEAST_SHARE = 0.25
_LIVER_AND_LESIONS = (classes.LIVER, *classes.LESIONS)


@dataclass(frozen=True, eq=False)
class Examined:
    """A segmentation whose lesions were looked at again.

    Parameters
    ----------
    found : ndarray of uint8, shape (nk, nj, ni)
        Classes, with the lesions that were kept.
    proposals : tuple of Proposal
    verdicts : tuple of Verdict
        Of each proposal.
    regions : tuple of ndarray of bool or None
        Voxels of each proposal as it is drawn; None for what was dropped.
    findings : tuple of Finding
        Of each lesion that was kept, the most suspicious first.
    """

    found: NDArray[np.uint8]
    proposals: tuple[Proposal, ...]
    verdicts: tuple[Verdict, ...]
    regions: tuple[Mask | None, ...]
    findings: tuple[Finding, ...]


def patch_sides(proposal: Proposal, grid: Grid) -> float:
    """Return the side of the patch for a proposal, in mm."""
    sides = [
        (s.stop - s.start) * mm for s, mm in zip(proposal.box, grid.spacing_kji_mm, strict=True)
    ]
    return patch_side_mm(sides)


class SecondLook:
    """The second network with what it takes to ask it.

    Parameters
    ----------
    network : LesionNetwork or None
        In evaluation mode; without one, stage 1 decides alone.
    device : str
        Of torch.
    """

    def __init__(self, network: LesionNetwork | None, device: str = "cpu") -> None:
        self._network, self._device = network, device

    def examine(
        self,
        images: Mapping[str, Image],
        transforms: Mapping[str, Affine],
        segmentation: Segmentation,
        context: Context,
        multipliers: Sequence[float] = MULTIPLIERS,
    ) -> Examined:
        """Propose lesions and decide on each.

        Parameters
        ----------
        images : mapping of str to Image
            By phase.
        transforms : mapping of str to ndarray of shape (4, 4)
            From RAS mm of a phase to RAS mm of the reference.
        segmentation : Segmentation
        context : Context
        multipliers : sequence of float
            Factors on the lesion probabilities of stage 1.

        Raises
        ------
        Cancelled
            From `context`.
        """
        grid = segmentation.scan.grid
        found = find_proposals(segmentation.logits, grid.spacing_kji_mm, multipliers)
        if self._network is not None:
            found += _unusual(segmentation, found)
        proposals = tuple(found[:MOST_PROPOSALS])
        opinions: list[Opinion | None] = [None] * len(proposals)
        if self._network is not None and proposals:
            opinions = [*self._ask(images, transforms, segmentation, proposals, context)]
        verdicts = tuple(agree(p, o) for p, o in zip(proposals, opinions, strict=True))
        drawn, regions = draw_lesions(segmentation.found, grid, proposals, verdicts, opinions)
        findings = _findings(segmentation, drawn, proposals, verdicts, regions)
        return Examined(drawn, proposals, verdicts, tuple(regions), findings)

    def _ask(
        self,
        images: Mapping[str, Image],
        transforms: Mapping[str, Affine],
        segmentation: Segmentation,
        proposals: Sequence[Proposal],
        context: Context,
    ) -> list[Opinion]:
        """Return the second opinion about each proposal."""
        network = self._network
        if network is None:
            raise ValueError("there is no second network to ask")
        scan = segmentation.scan
        liver = np.isin(segmentation.found, _LIVER_AND_LESIONS)
        near = _near_grid(scan.grid, liver)
        phases = _near_phases(images, transforms, near)
        patches = [_patch(p, phases, scan.present, near, scan.grid, liver) for p in proposals]
        opinions: list[Opinion] = []
        for first in range(0, len(patches), _AT_ONCE):
            context.check()
            context.report(first / len(patches), "Look at the lesions again")
            batch = torch.stack(patches[first : first + _AT_ONCE]).to(self._device)
            opinions += judge(network, batch)
        return opinions


def _unusual(segmentation: Segmentation, found: Sequence[Proposal]) -> list[Proposal]:
    """Return what stands out in the liver and was not proposed by stage 1."""
    scan = segmentation.scan
    known = np.zeros(segmentation.found.shape, dtype=np.bool_)
    for proposal in found:
        known[proposal.box] |= proposal.mask
    liver = np.isin(segmentation.found, _LIVER_AND_LESIONS)
    places = unusual_places(scan.phases_hu, scan.present, liver, scan.grid.spacing_kji_mm, known)
    return [
        proposal_of(segmentation.logits, box, mask, np.inf, scan.voxel_ml) for box, mask in places
    ]


def _near_grid(grid: Grid, liver: Mask) -> Grid:
    """Return a grid of 1.5 mm around the liver."""
    box = []
    for axis, mm in enumerate(grid.spacing_kji_mm):
        others = tuple(a for a in range(3) if a != axis)
        there = np.flatnonzero(liver.any(axis=others))
        margin = round(_MARGIN_MM / mm)
        low, high = (int(there[0]), int(there[-1])) if len(there) else (0, 0)
        box.append(slice(max(low - margin, 0), min(high + margin + 1, liver.shape[axis])))
    return grid.cropped((box[0], box[1], box[2])).respaced((NEAR_SPACING_MM,) * 3)


def _near_phases(
    images: Mapping[str, Image], transforms: Mapping[str, Affine], near: Grid
) -> dict[int, NDArray[np.float32]]:
    """Return the phases on a grid, by their number."""
    result = {}
    for n, phase in enumerate(PHASES):
        if phase in images:
            image = images[phase]
            moved = Image(image.array, transforms.get(phase, np.eye(4)) @ image.affine_ras)
            result[n] = resample(moved, near, fill_hu=PADDING_HU)
    return result


def _patch(
    proposal: Proposal,
    phases: Mapping[int, NDArray[np.float32]],
    present: Sequence[bool],
    near: Grid,
    grid: Grid,
    liver: Mask,
) -> torch.Tensor:
    """Return the network's input for a proposal."""
    side = patch_sides(proposal, grid)
    centre = proposal.centre_kji()
    ras = grid.affine_ras @ [*centre[::-1], 1.0]
    there = (np.linalg.inv(near.affine_ras) @ ras)[2::-1]
    hu = np.full((len(PHASES), PATCH, PATCH, PATCH), PADDING_HU, dtype=np.float32)
    for n, volume in phases.items():
        hu[n] = cut_patch(volume, near.spacing_kji_mm, there.tolist(), side, PADDING_HU)
    spacing = grid.spacing_kji_mm
    around = cut_patch(liver, spacing, centre.tolist(), side)
    inside = centre - [s.start for s in proposal.box]
    # padded, so that its edge is an edge
    where = cut_patch(np.pad(proposal.mask, 2), spacing, (inside + 2.0).tolist(), side)
    return patch_input(
        torch.from_numpy(hu),
        present,
        torch.from_numpy((around > 0.5).astype(np.float32)),
        torch.from_numpy((where > 0.5).astype(np.float32)),
    )


def outline_on_grid(
    outline: NDArray[np.float32], side_mm: float, centre_kji: Sequence[float], grid: Grid
) -> tuple[Box, NDArray[np.float32]]:
    """Return the outline of a patch at the voxels of a grid with the same axes.

    Returns
    -------
    tuple of three slices
        The part of the grid the patch covers.
    ndarray of float32, shape of the box
        Probability of the lesion.
    """
    step = side_mm / PATCH
    box, places = [], []
    for n, centre, mm in zip(grid.shape_kji, centre_kji, grid.spacing_kji_mm, strict=True):
        reach = side_mm / 2.0 / mm
        low, high = max(int(np.ceil(centre - reach)), 0), min(int(centre + reach) + 1, n)
        box.append(slice(low, max(high, low)))
        places.append((np.arange(low, max(high, low)) - centre) * mm / step + (PATCH - 1) / 2.0)
    at = np.stack(np.meshgrid(*places, indexing="ij"))
    values = ndimage.map_coordinates(outline, at, output=np.float32, order=1, mode="nearest")
    return (box[0], box[1], box[2]), values


def draw_lesions(
    found: NDArray[np.uint8],
    grid: Grid,
    proposals: Sequence[Proposal],
    verdicts: Sequence[Verdict],
    opinions: Sequence[Opinion | None],
) -> tuple[NDArray[np.uint8], list[Mask | None]]:
    """Return the classes with the kept lesions, and the voxels of each.

    A lesion is drawn as stage 2 sees it, where that touches what stage 1 proposed and is not
    absurdly small against it; else as it was proposed. What comes first is not drawn over.
    """
    drawn = found.copy()
    drawn[np.isin(found, classes.LESIONS)] = classes.LIVER
    taken = np.zeros(found.shape, dtype=np.bool_)
    regions: list[Mask | None] = []
    for proposal, verdict, opinion in zip(proposals, verdicts, opinions, strict=True):
        if not verdict.kept:
            regions.append(None)
            continue
        region = np.zeros(found.shape, dtype=np.bool_)
        region[proposal.box] = proposal.mask
        if opinion is not None:
            region = _redrawn(region, proposal, opinion, grid)
        region &= ~taken
        taken |= region
        drawn[region] = verdict.lesion_class
        regions.append(region if region.any() else None)
    return drawn, regions


def _redrawn(region: Mask, proposal: Proposal, opinion: Opinion, grid: Grid) -> Mask:
    """Return the region as stage 2 draws it."""
    centre = proposal.centre_kji().tolist()
    box, p = outline_on_grid(opinion.outline, patch_sides(proposal, grid), centre, grid)
    pieces, _ = ndimage.label(p > 0.5)
    touching = np.unique(pieces[region[box] & (pieces > 0)])
    redrawn = np.isin(pieces, touching[touching > 0])
    if redrawn.sum() < _LEAST_SHARE * region.sum():
        return region
    result = np.zeros_like(region)
    result[box] = redrawn
    return result


def _findings(
    segmentation: Segmentation,
    drawn: NDArray[np.uint8],
    proposals: Sequence[Proposal],
    verdicts: Sequence[Verdict],
    regions: Sequence[Mask | None],
) -> tuple[Finding, ...]:
    """Return what there is to say about each lesion that was kept."""
    scan = segmentation.scan
    healthy = ndimage.binary_erosion(drawn == classes.LIVER)
    result = []
    for proposal, verdict, region in zip(proposals, verdicts, regions, strict=True):
        if region is None:
            continue
        box = ndimage.find_objects(region.astype(np.uint8))[0]
        measures: dict[str, Measure] = {
            "volume (ml)": round(float(region.sum()) * scan.voxel_ml, 2),
            "malignancy": round(malignancy(verdict), 3),
            "proposed by": _proposed_by(proposal),
        }
        hu = scan.phases_hu[(slice(None), *box)]
        inner = _inner(region[box])
        levels = [float(np.median(p[healthy])) if healthy.any() else 0.0 for p in scan.phases_hu]
        measures |= enhancement(hu, scan.present, inner, levels)
        finding = Finding(
            int(classes.LABEL_OF_CLASS[verdict.lesion_class]),
            _anchor(scan.grid, box, region[box]),
            float(np.clip(verdict.confidence, 0.0, 1.0)),
            verdict.opinions,
            measures,
            verdict.flags,
        )
        result.append((malignancy(verdict), finding))
    return tuple(f for _, f in sorted(result, key=lambda pair: -pair[0]))


def _proposed_by(proposal: Proposal) -> str:
    if np.isfinite(proposal.multiplier):
        return f"stage 1, factor {proposal.multiplier:g}"
    return "attenuation"


def _inner(mask: Mask) -> Mask:
    """Return a region without its edge, where it has anything but edge."""
    inner = ndimage.binary_erosion(np.pad(mask, 1))[1:-1, 1:-1, 1:-1]
    return inner if inner.sum() >= 4 else mask


def _anchor(grid: Grid, box: tuple[slice, ...], where: Mask) -> tuple[float, float, float]:
    """Return the RAS position of the innermost voxel of a region."""
    depth = ndimage.distance_transform_edt(np.pad(where, 1))[1:-1, 1:-1, 1:-1]
    inner = np.unravel_index(int(depth.argmax()), where.shape)
    k, j, i = (float(s.start + n) for s, n in zip(box, inner, strict=True))
    x, y, z, _ = (grid.affine_ras @ [i, j, k, 1.0]).tolist()
    return x, y, z
