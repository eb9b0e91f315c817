"""Step 1 of the liver model: a coarse network finds the organs, a fine one draws them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage

from inference.contract import Context
from inference.grid import Box
from inference.liver import classes
from inference.liver.inputs import (
    PADDING_HU,
    at_positions,
    coarse_of_fine,
    network_input,
)
from inference.liver.networks import organ_context
from inference.liver.scan import Scan
from inference.progress import Span
from inference.window import Network, slide

COARSE_WINDOW_KJI = (48, 48, 64)
FINE_WINDOW_KJI = (48, 64, 64)
_OVERLAP = 0.5
_FINE_MARGIN = 6
"""Voxels of 3 mm around the organs that the coarse network found."""

_FIND_SHARE = 0.15
"""Part of the time that the coarse network takes."""

_LEAST_LIVER = 230
"""Coarse voxels (50 ml) below which there is no liver to look at."""

_LEAST_ORGAN_ML = 1.5


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What stage 1 found, on a part of the scan's 3 mm grid.

    Parameters
    ----------
    scan : Scan
        The part that was looked at closely.
    logits : ndarray of float16, shape (20, nk, nj, ni)
        Of the fine network.
    found : ndarray of uint8, shape (nk, nj, ni)
        Classes after clearing up: one liver, lesions in it, one piece of each organ.
    coarse : ndarray of uint8, shape (nk, nj, ni)
        Classes the coarse network gave.
    box : tuple of three slices
        Where this part is in the scan that was given.
    """

    scan: Scan
    logits: NDArray[np.float16]
    found: NDArray[np.uint8]
    coarse: NDArray[np.uint8]
    box: Box


class NothingFound(ValueError):
    """There is no liver in the scan, as far as the coarse network can tell."""


class Stage1:
    """The two networks, ready.

    Parameters
    ----------
    coarse, fine : callable
        From a window ``(1, channels, nk, nj, ni)`` to logits.
    device : str
        Of torch.
    """

    def __init__(self, coarse: Network, fine: Network, device: str = "cpu") -> None:
        self._coarse, self._fine, self._device = coarse, fine, device

    def predict(self, scan: Scan, context: Context) -> Segmentation:
        """Return organs and lesions.

        Raises
        ------
        NothingFound
            No liver.
        Cancelled
            From `context`.
        """
        phases = torch.from_numpy(scan.phases_hu)
        logits = self._find(coarse_of_fine(phases), scan.present, Span(context, 0.0, _FIND_SHARE))
        likeliest = logits.argmax(dim=0)
        box = organ_box(likeliest.numpy(), scan.grid.shape_kji)
        near = scan.cropped(box)
        places = _places(box)
        opinion = at_positions(organ_context(logits), places)
        coarse = at_positions(likeliest[None].float(), places, "nearest")[0].to(torch.uint8)
        fine = self._draw(near, opinion, Span(context, _FIND_SHARE, 1.0))
        found = clear_up(fine.argmax(dim=0).to(torch.uint8).numpy(), near.voxel_ml)
        return Segmentation(near, fine.half().numpy(), found, coarse.numpy(), box)

    def _find(
        self, phases: torch.Tensor, present: tuple[bool, ...], context: Context
    ) -> torch.Tensor:
        """Return the coarse logits ``(20, nk, nj, ni)``."""
        image = network_input(_padded(phases, COARSE_WINDOW_KJI), present)
        logits = self._windows(image, self._coarse, COARSE_WINDOW_KJI, context, "Find the organs")
        nk, nj, ni = phases.shape[1:]
        return logits[:, :nk, :nj, :ni]

    def _draw(self, scan: Scan, opinion: torch.Tensor, context: Context) -> torch.Tensor:
        """Return the fine logits ``(20, nk, nj, ni)``."""
        phases = _padded(torch.from_numpy(scan.phases_hu), FINE_WINDOW_KJI)
        image = torch.cat(
            [network_input(phases, scan.present), _padded(opinion, FINE_WINDOW_KJI, 0.0)]
        )
        logits = self._windows(image, self._fine, FINE_WINDOW_KJI, context, "Draw the organs")
        nk, nj, ni = scan.grid.shape_kji
        return logits[:, :nk, :nj, :ni]

    def _windows(
        self,
        image: torch.Tensor,
        network: Network,
        window_kji: tuple[int, int, int],
        context: Context,
        text: str,
    ) -> torch.Tensor:
        logits = slide(
            image.numpy(),
            network,
            window_kji,
            context=context,
            text=text,
            overlap=_OVERLAP,
            device=self._device,
        )
        return torch.from_numpy(logits)


def _padded(
    volumes: torch.Tensor, window_kji: tuple[int, int, int], value: float = PADDING_HU
) -> torch.Tensor:
    """Return volumes ``[n, k, j, i]`` with as much behind them as a window needs."""
    nk, nj, ni = (max(w - n, 0) for w, n in zip(window_kji, volumes.shape[1:], strict=True))
    return F.pad(volumes, (0, ni, 0, nj, 0, nk), value=value)


def _places(box: Box) -> torch.Tensor:
    """Return the place of each fine voxel of a box on the coarse grid."""
    axes = [torch.arange(s.start, s.stop, dtype=torch.float32) / 2.0 for s in box]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest piece of a mask."""
    pieces, n = ndimage.label(mask)
    if n <= 1:
        return mask
    largest: NDArray[np.bool_] = pieces == 1 + int(np.bincount(pieces.ravel())[1:].argmax())
    return largest


def organ_box(coarse: NDArray[np.integer], shape_kji: tuple[int, int, int]) -> Box:
    """Return the part of the fine grid that holds the organs the coarse network found.

    Parameters
    ----------
    coarse : ndarray of int, shape (nk, nj, ni)
        Classes on the 6 mm grid.
    shape_kji : tuple of int
        Of the 3 mm grid.

    Raises
    ------
    NothingFound
        Less than 50 ml of liver.
    """
    liver = _largest(np.isin(coarse, classes.LIVER_AND_LESIONS))
    if int(liver.sum()) < _LEAST_LIVER:
        raise NothingFound("no liver was found in this scan")
    mask = liver
    for organ in classes.ORGANS[1:]:
        mask = mask | _largest(coarse == organ)
    sides = []
    for axes, n in zip(((1, 2), (0, 2), (0, 1)), shape_kji, strict=True):
        where = np.flatnonzero(mask.any(axis=axes))
        low = max(2 * int(where[0]) - _FINE_MARGIN, 0)
        sides.append(slice(low, min(2 * int(where[-1]) + _FINE_MARGIN + 1, n)))
    return sides[0], sides[1], sides[2]


def clear_up(raw: NDArray[np.uint8], voxel_ml: float) -> NDArray[np.uint8]:
    """Return classes with one piece of each organ, and lesions in the liver only.

    Parameters
    ----------
    raw : ndarray of uint8, shape (nk, nj, ni)
        Likeliest class of each voxel.
    voxel_ml : float
    """
    found = np.zeros_like(raw)
    for organ in classes.ORGANS[1:]:
        piece = _largest(raw == organ)
        if piece.sum() * voxel_ml >= _LEAST_ORGAN_ML:
            found[piece] = organ
    liver = _largest(np.isin(raw, classes.LIVER_AND_LESIONS))
    filled = ndimage.binary_fill_holes(liver) & (found == 0)
    lesions = liver & (raw != classes.LIVER)
    found[filled] = classes.LIVER
    found[lesions] = raw[lesions]
    return found
