"""Steps 2 to 4 in a row: proposals, patches, verdicts, and the lesions drawn anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import Affine, Context, Finding, Image, Measure
from inference.grid import Grid
from inference.liver import classes
from inference.liver.consensus import Verdict, agree, enhancement
from inference.liver.patches import NearImages, patch_side
from inference.liver.proposals import (
    MULTIPLIERS,
    Box,
    Mask,
    Proposal,
    find_proposals,
    proposal_of,
)
from inference.liver.rules import Rules
from inference.liver.stage1 import Segmentation
from inference.liver.stage2 import PATCH, LesionNetwork, Opinion, judge
from inference.liver.surround import place_doubts
from inference.liver.unusual import unusual_places

MOST_PROPOSALS = 64
LOOKING = "Look at the lesions again"
_CUT = 0.3
"""Part of the time that it takes to bring the images near."""

_AT_ONCE = 8
_LEAST_SHARE = 0.25


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


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch work with one thread: on patches two wait for each other, five times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def propose(
    segmentation: Segmentation, multipliers: Sequence[float], by_attenuation: bool
) -> tuple[Proposal, ...]:
    """Return the places that may be lesions: those of stage 1, then those by attenuation.

    Parameters
    ----------
    segmentation : Segmentation
    multipliers : sequence of float
        Factors on the lesion probabilities of stage 1.
    by_attenuation : bool
        Whether to add what stands out in the liver (`inference.liver.unusual`).
    """
    spacing = segmentation.scan.grid.spacing_kji_mm
    found = find_proposals(segmentation.logits, spacing, multipliers)
    if by_attenuation:
        found += _unusual(segmentation, found)
    return tuple(found[:MOST_PROPOSALS])


class SecondLook:
    """The second network with what it takes to ask it.

    Parameters
    ----------
    network : LesionNetwork or None
        In evaluation mode; without one, stage 1 decides alone.
    device : str
        Of torch.
    rules : Rules, optional
        By which is decided.
    """

    def __init__(
        self, network: LesionNetwork | None, device: str = "cpu", rules: Rules | None = None
    ) -> None:
        self._network, self._device = network, device
        self.rules = Rules() if rules is None else rules

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
        proposals = propose(segmentation, multipliers, self._network is not None)
        opinions: list[Opinion | None] = [None] * len(proposals)
        if self._network is not None and proposals:
            opinions = [*self._ask(images, transforms, segmentation, proposals, context)]
        rule = self.rules.for_phases(segmentation.scan.present)
        verdicts = tuple(agree(p, o, rule) for p, o in zip(proposals, opinions, strict=True))
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
        context.report(0.0, LOOKING)
        near = NearImages(images, transforms, segmentation, context)
        present = segmentation.scan.present
        opinions: list[Opinion] = []
        with _one_thread():
            for first in range(0, len(proposals), _AT_ONCE):
                context.report(_CUT + (1.0 - _CUT) * first / len(proposals), LOOKING)
                patches = []
                for proposal in proposals[first : first + _AT_ONCE]:
                    context.check()
                    patches.append(near.cut(proposal).network_input(present))
                opinions += judge(network, torch.stack(patches).to(self._device))
        return opinions


def _unusual(segmentation: Segmentation, found: Sequence[Proposal]) -> list[Proposal]:
    """Return what stands out in the liver and was not proposed by stage 1."""
    scan = segmentation.scan
    known = np.zeros(segmentation.found.shape, dtype=np.bool_)
    for proposal in found:
        known[proposal.box] |= proposal.mask
    liver = np.isin(segmentation.found, classes.LIVER_AND_LESIONS)
    places = unusual_places(scan.phases_hu, scan.present, liver, scan.grid.spacing_kji_mm, known)
    return [
        proposal_of(segmentation.logits, box, mask, np.inf, scan.voxel_ml) for box, mask in places
    ]


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
    box, p = outline_on_grid(opinion.outline, patch_side(proposal, grid), centre, grid)
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
    levels = [float(np.median(p[healthy])) if healthy.any() else 0.0 for p in scan.phases_hu]
    result = []
    for proposal, verdict, region in zip(proposals, verdicts, regions, strict=True):
        if region is None:
            continue
        box = ndimage.find_objects(region.astype(np.uint8))[0]
        near = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in box)
        measures: dict[str, Measure] = {
            "volume (ml)": round(float(region.sum()) * scan.voxel_ml, 2),
            "malignancy": round(verdict.malignancy, 3),
            "proposed by": _proposed_by(proposal),
        }
        hu = scan.phases_hu[(slice(None), *box)]
        inner = _inner(region[box])
        measures |= enhancement(hu, scan.present, inner, levels)
        finding = Finding(
            int(classes.LABEL_OF_CLASS[verdict.lesion_class]),
            _anchor(scan.grid, box, region[box]),
            float(np.clip(verdict.confidence, 0.0, 1.0)),
            verdict.opinions,
            measures,
            (*verdict.flags, *place_doubts(drawn[near], region[near])),
        )
        result.append((verdict.malignancy, finding))
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
