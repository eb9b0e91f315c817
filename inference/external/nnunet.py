"""Folders of nnU-Net v2: ``dataset.json``, ``plans.json``, ``fold_k/checkpoint_final.pth``.

What TotalSegmentator downloads are such folders. The numbers are those of the package ``nnunetv2``
(cropping, normalization, splines, half-overlapping patches with Gaussian weights, mirroring, the
mean over folds); only arg-max comes before the way back to the image's grid, where it changes
nothing, as logits are interpolated just across borders.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inference.cards import Manifest
from inference.compiled import ready
from inference.contract import Affine, Card, Context, LabelMap, Request, Result
from inference.external import nnunet_volumes as volumes
from inference.external.nnunet_networks import UNet, shape_of
from inference.external.nnunet_plans import (
    Configuration,
    Labels,
    channels_of,
    configuration_of,
    labels_of,
    parsed_json,
)
from inference.external.patch_model import chosen_images
from inference.grid import Grid, grid_of
from inference.progress import Span
from inference.resampling import AIR_HU, labels_from_scores, resample, resample_labels
from inference.weights import checked_bytes
from inference.window import Network

_PREPARED, _RAN = 0.1, 0.95  # where these steps end, of the time of a typical case


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds that is needed to run it.

    Parameters
    ----------
    weights : mapping of str to Tensor
    configuration : str
        Of the plans.
    mirror_axes : tuple of int
        Axes in which it may be mirrored.
    """

    weights: Mapping[str, torch.Tensor]
    configuration: str
    mirror_axes: tuple[int, ...]


def load(manifest: Manifest, device: str) -> NnunetModel:
    """Return the model of a folder.

    Raises
    ------
    ValueError
        A file is missing, changed or damaged, or describes what is not known here.
    """
    data = {
        name: checked_bytes(manifest.folder / name, sha256)
        for name, sha256 in manifest.files.items()
    }
    documents = {
        name: parsed_json(data.pop(f"{name}.json", b""), manifest.folder / f"{name}.json")
        for name in ("plans", "dataset")
    }
    folds = [read_checkpoint(data[name], name) for name in sorted(data)]
    if not folds:
        raise ValueError(f"{manifest.path} names no checkpoint of a fold")
    wants = manifest.tables.get("input", {})
    labels = labels_of(documents["dataset"])
    configuration = configuration_of(
        documents["plans"], documents["dataset"], folds[0].configuration
    )
    channels = tuple(wants.get("channels", ())) or channels_of(documents["dataset"])
    shape = (1, len(configuration.normalizations), *configuration.patch)
    networks: list[Network] = []
    for fold in folds:
        network = UNet(shape[1], labels.heads, shape_of(configuration.architecture))
        try:
            network.load_state_dict(dict(fold.weights))
        except RuntimeError as error:
            raise ValueError(f"{manifest.folder}: weights and plans do not fit") from error
        key = f"{manifest.card.weights} {len(networks)}"
        networks.append(ready(network.eval(), shape, device=device, key=key))
    orientation = str(wants.get("orientation", configuration.orientation))
    return NnunetModel(
        manifest.card, configuration, labels, channels, orientation, networks, folds[0], device
    )


def read_checkpoint(data: bytes, name: str) -> Checkpoint:
    """Return a checkpoint without running any code in it.

    Only tensors, plain values and numpy's numbers are built; anything else is refused.

    Raises
    ------
    ValueError
        It is damaged, no checkpoint of nnU-Net, or holds other objects.
    """
    try:
        with torch.serialization.safe_globals(_harmless()):
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        axes = content.get("inference_allowed_mirroring_axes") or ()
        weights = {
            # networks that were compiled for training have this before every name
            str(key).removeprefix("_orig_mod."): value
            for key, value in content["network_weights"].items()
        }
        configuration = str(content["init_args"]["configuration"])
        return Checkpoint(weights, configuration, tuple(int(axis) for axis in axes))
    except pickle.UnpicklingError as error:
        raise ValueError(f"{name} is no checkpoint, or holds more than weights") from error
    except (RuntimeError, EOFError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{name} is no checkpoint of nnU-Net: {type(error).__name__}") from error


def _harmless() -> list[Any]:
    """Return what a checkpoint may hold besides tensors: the numbers of its training log."""
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
    numbers = [np.float64, np.float32, np.float16, np.int64, np.int32, np.bool_]
    return [
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *numbers,
        *{type(np.dtype(number)) for number in numbers},
    ]


class NnunetModel:
    """A loaded folder as a :class:`inference.contract.Model`.

    Parameters
    ----------
    card : Card
    configuration : Configuration
    labels : Labels
    channels : tuple of str
        Phases, empty for a single channel.
    orientation : str
        Of the arrays that the network was trained on, k first.
    networks : sequence of callable
        One a fold.
    checkpoint : Checkpoint
        Of the first fold; says how it may be mirrored.
    device : str
    """

    def __init__(
        self,
        card: Card,
        configuration: Configuration,
        labels: Labels,
        channels: tuple[str, ...],
        orientation: str,
        networks: Sequence[Network],
        checkpoint: Checkpoint,
        device: str,
    ) -> None:
        self._card = card
        self._configuration = configuration
        self._labels = labels
        self._channels = channels
        self.orientation = orientation
        self._networks = networks
        self._mirror_axes = checkpoint.mirror_axes
        self.device = device

    @property
    def card(self) -> Card:
        """What the model is."""
        return self._card

    def predict(self, request: Request, context: Context) -> Result:
        """Return the mask, on the grid of the first channel's image."""
        images = chosen_images(self._card, self._channels, request)
        source = grid_of(images[0])
        volume, grid = self.prepared(request, context)
        network_volume, coarse = self.on_network_grid(volume, grid, context)
        del volume
        logits = self.logits(network_volume, request, Span(context, _PREPARED, _RAN))
        context.report(_RAN, "Drawing the mask")
        labels = self._drawn(logits, coarse, grid)
        mask = LabelMap(resample_labels(labels, grid, source), source.affine_ras)
        return Result(mask=mask, report=self._card.intended_use)

    def prepared(self, request: Request, context: Context) -> tuple[NDArray[np.float32], Grid]:
        """Return cropped, normalized channels ``[c, ...]`` on the network's axes, not resampled."""
        images = chosen_images(self._card, self._channels, request)
        context.report(0.0, "Preparing the images")
        wants = self._configuration
        grid = transposed(grid_of(images[0]).oriented(self.orientation), wants.transpose)
        volume = np.empty((len(images), *grid.shape_kji), np.float32)
        for channel, image in zip(volume, images, strict=True):
            context.check()
            channel[...] = resample(image, grid, fill_hu=AIR_HU)
        box = volumes.nonzero_box(volume)
        volume = volume[(slice(None), *box)]
        inside = None
        if any(wants.masked):
            from scipy import ndimage

            inside = ndimage.binary_fill_holes((volume != 0).any(axis=0))
        for n, channel in enumerate(volume):
            context.check()
            where = inside if wants.masked[n] else None
            volumes.normalize(channel, wants.normalizations[n], wants.intensities[n], where)
        return volume, grid.cropped(box)

    def on_network_grid(
        self, volume: NDArray[np.float32], grid: Grid, context: Context
    ) -> tuple[NDArray[np.float32], Grid]:
        """Return prepared channels in the network's spacing, and their grid."""
        wants = self._configuration
        old_mm = grid.spacing_kji_mm
        k, j, i = (
            round(old / new * size)
            for old, new, size in zip(old_mm, wants.spacing_mm, grid.shape_kji, strict=True)
        )
        context.report(_PREPARED / 4, "Resampling the images")
        channels = []
        for channel in volume:
            context.check()
            resized = volumes.resized(channel, (k, j, i), wants.data, old_mm, wants.spacing_mm)
            channels.append(resized)
        return np.stack(channels), grid.resized((k, j, i))

    def logits(
        self, volume: NDArray[np.float32], request: Request, context: Context
    ) -> NDArray[np.float32]:
        """Return what the networks give for a prepared volume ``[c, ...]``: ``[class, ...]``."""
        mirror = self._mirror_axes if request.params.get("mirror", True) else ()
        patch = self._configuration.patch
        return volumes.slide(volume, self._networks, patch, mirror, context)

    def _drawn(self, logits: NDArray[np.float32], coarse: Grid, grid: Grid) -> NDArray[Any]:
        """Return labels on the grid of the cropped image."""
        if self._labels.region_order:
            labels = np.zeros(logits.shape[1:], np.uint8)
            for value, score in zip(self._labels.region_order, logits, strict=True):
                labels[score > 0] = value
            return resample_labels(labels, coarse, grid)
        rule = self._configuration.scores
        thick = rule.thick_axis(self._configuration.spacing_mm, grid.spacing_kji_mm)
        stepped = thick if rule.order_z == 0 else None
        return labels_from_scores(logits, coarse, grid, stepped_axis=stepped)


def transposed(grid: Grid, order: tuple[int, int, int]) -> Grid:
    """Return a grid whose array axis n is the axis ``order[n]`` of the given one."""
    affine: Affine = grid.affine_ras.copy()
    affine[:3, 2::-1] = grid.affine_ras[:3, 2::-1][:, list(order)]
    k, j, i = (grid.shape_kji[axis] for axis in order)
    return Grid((k, j, i), affine)
