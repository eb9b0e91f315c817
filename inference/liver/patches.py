"""What stage 2 is shown of a proposal: the images around it, near, cut from an examination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from inference.contract import PHASES, Affine, Context, Image
from inference.grid import Grid
from inference.liver import classes
from inference.liver.inputs import PADDING_HU
from inference.liver.proposals import Mask, Proposal
from inference.liver.stage1 import Segmentation
from inference.liver.stage2 import PATCH, cut_patch, patch_input, patch_side_mm
from inference.resampling import resample

NEAR_SPACING_MM = 1.5
_MARGIN_MM = 40.0


@dataclass(frozen=True, eq=False)
class RawPatch:
    """A patch before it becomes the network's input.

    Parameters
    ----------
    hu : ndarray of float32, shape (4, 48, 48, 48)
        In the order of `PHASES`; the values of missing phases do not matter.
    liver, proposal : ndarray of bool, shape (48, 48, 48)
    """

    hu: NDArray[np.float32]
    liver: Mask
    proposal: Mask

    def network_input(self, present: Sequence[bool]) -> torch.Tensor:
        """Return the channels, with the phases that are present; see `stage2.patch_input`."""
        masks = (torch.from_numpy(m.astype(np.float32)) for m in (self.liver, self.proposal))
        return patch_input(torch.from_numpy(self.hu), present, *masks)


def patch_side(proposal: Proposal, grid: Grid) -> float:
    """Return the side of the patch for a proposal, in mm."""
    sides = [
        (s.stop - s.start) * mm for s, mm in zip(proposal.box, grid.spacing_kji_mm, strict=True)
    ]
    return patch_side_mm(sides)


def near_grid(grid: Grid, liver: Mask) -> Grid:
    """Return a grid of 1.5 mm around the liver."""
    box = []
    for axis, mm in enumerate(grid.spacing_kji_mm):
        others = tuple(a for a in range(3) if a != axis)
        there = np.flatnonzero(liver.any(axis=others))
        margin = round(_MARGIN_MM / mm)
        low, high = (int(there[0]), int(there[-1])) if len(there) else (0, 0)
        box.append(slice(max(low - margin, 0), min(high + margin + 1, liver.shape[axis])))
    return grid.cropped((box[0], box[1], box[2])).respaced((NEAR_SPACING_MM,) * 3)


class NearImages:
    """The phases of an examination around its liver, from which patches are cut.

    Parameters
    ----------
    images : mapping of str to Image
        By phase.
    transforms : mapping of str to ndarray of shape (4, 4)
        From RAS mm of a phase to RAS mm of the reference.
    segmentation : Segmentation
    context : Context
        Asked before each phase whether to go on.

    Raises
    ------
    Cancelled
        From `context`.
    """

    def __init__(
        self,
        images: Mapping[str, Image],
        transforms: Mapping[str, Affine],
        segmentation: Segmentation,
        context: Context,
    ) -> None:
        self._grid = segmentation.scan.grid
        self._liver = np.isin(segmentation.found, classes.LIVER_AND_LESIONS)
        self.near = near_grid(self._grid, self._liver)
        self._phases = {}
        for n, phase in enumerate(PHASES):
            context.check()
            if phase in images:
                image = images[phase]
                moved = Image(image.array, transforms.get(phase, np.eye(4)) @ image.affine_ras)
                self._phases[n] = resample(moved, self.near, fill_hu=PADDING_HU)

    def cut(self, proposal: Proposal) -> RawPatch:
        """Return the patch of a proposal."""
        side, centre, spacing = self._place(proposal)
        there = self._near_place(centre)
        hu = np.full((len(PHASES), PATCH, PATCH, PATCH), PADDING_HU, dtype=np.float32)
        for n, volume in self._phases.items():
            hu[n] = cut_patch(volume, self.near.spacing_kji_mm, there, side, PADDING_HU)
        around = cut_patch(self._liver, spacing, centre.tolist(), side)
        inside = centre - [s.start for s in proposal.box]
        # padded, so that its edge is an edge
        where = cut_patch(np.pad(proposal.mask, 2), spacing, (inside + 2.0).tolist(), side)
        return RawPatch(hu, around > 0.5, where > 0.5)

    def cut_mask(self, mask: Mask, proposal: Proposal) -> Mask:
        """Return the patch of a mask on the near grid."""
        side, centre, _ = self._place(proposal)
        there = self._near_place(centre)
        cut: Mask = cut_patch(mask, self.near.spacing_kji_mm, there, side) > 0.5
        return cut

    def _place(
        self, proposal: Proposal
    ) -> tuple[float, NDArray[np.float64], tuple[float, float, float]]:
        """Return the side of a patch in mm, its centre in voxels and their size."""
        return patch_side(proposal, self._grid), proposal.centre_kji(), self._grid.spacing_kji_mm

    def _near_place(self, centre_kji: NDArray[np.float64]) -> list[float]:
        ras = self._grid.affine_ras @ [*centre_kji[::-1], 1.0]
        place: list[float] = (np.linalg.inv(self.near.affine_ras) @ ras)[2::-1].tolist()
        return place
