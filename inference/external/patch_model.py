"""A network that labels patches, with what ``model.toml`` says about its input.

::

    [input]
    channels = ["PV"]              # phases, one a channel; without it one channel, any one phase
    orientation = "RAS"            # where the tensor's three axes run to, first axis first
    spacing_mm = [1.5, 1.5, 1.5]   # along these axes
    patch = [96, 96, 96]           # of the tensor
    overlap = 0.5                  # of neighbouring patches
    crop_to_body = true            # look at the patient's box only
    precision = "f32"              # on processors; "bf16" where it is known not to hurt

    [input.normalization]
    kind = "window"                # maps low..high HU to 0..1 and cuts off what is beyond
    low = -200.0
    high = 300.0
    # kind = "zscore" with low, high, mean, sd: cut off, then (HU - mean) / sd
    # kind = "volume": (HU - mean) / sd of the voxels of the volume
    # kind = "none"

    [output]
    activation = "softmax"         # the best channel wins; channel n is label n
    # activation = "sigmoid": channel n is label n + 1 where positive, later labels win
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inference.cards import Manifest
from inference.compiled import Precision
from inference.contract import Card, Context, Image, LabelMap, Request, Result
from inference.grid import Grid, body_box, grid_of
from inference.progress import Span
from inference.resampling import AIR_HU, resample, resample_labels
from inference.window import Network, slide

Floats: TypeAlias = NDArray[np.float32]

_NORMALIZATIONS = {"window": 2, "zscore": 4, "volume": 0, "none": 0}
_PATCH_MAX = 512
_SPACING_MM = (0.1, 20.0)


@dataclass(frozen=True)
class Normalization:
    """How HU become the network's numbers.

    Parameters
    ----------
    kind : str
        ``window``, ``zscore``, ``volume`` or ``none``, see above.
    low, high, mean, sd : float
        HU.
    """

    kind: str = "none"
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    sd: float = 1.0

    def __call__(self, hu: Floats) -> Floats:
        """Return normalized values, in the same memory."""
        if self.kind in ("window", "zscore"):
            np.clip(hu, self.low, self.high, out=hu)
        shift, scale = {
            "window": (self.low, self.high - self.low),
            "zscore": (self.mean, self.sd),
            "none": (0.0, 1.0),
        }.get(self.kind) or (float(hu.mean()), max(float(hu.std()), 1e-8))
        hu -= shift
        hu /= scale
        return hu


@dataclass(frozen=True)
class NetworkInput:
    """What a network takes and gives; axes are those of its tensor.

    Parameters
    ----------
    channels : tuple of str
        Phases, one a channel; empty for one channel of any phase.
    orientation : str
        Three letters, as :meth:`inference.grid.Grid.oriented` takes them.
    spacing_mm : tuple of three floats
    patch : tuple of three int
    normalization : Normalization
    overlap : float
    crop_to_body : bool
    precision : str
    sigmoid : bool
        Channels are independent of each other.
    """

    channels: tuple[str, ...]
    orientation: str
    spacing_mm: tuple[float, float, float]
    patch: tuple[int, int, int]
    normalization: Normalization
    overlap: float = 0.5
    crop_to_body: bool = True
    precision: Precision = "f32"
    sigmoid: bool = False

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Shape of a batch of one patch."""
        return (1, max(1, len(self.channels)), *self.patch)


def network_input(manifest: Manifest) -> NetworkInput:
    """Return the tables ``[input]`` and ``[output]`` of a manifest.

    Raises
    ------
    ValueError
        A value is missing or makes no sense; the message names the file.
    """
    try:
        return _network_input(
            _mapping(manifest.tables, "input"), _mapping(manifest.tables, "output")
        )
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"{manifest.path}, [input]: {reason}") from error


def _network_input(table: Mapping[str, Any], output: Mapping[str, Any]) -> NetworkInput:
    orientation = str(table["orientation"])
    Grid((1, 1, 1), np.eye(4)).oriented(orientation)  # refuses what is none
    spacing_mm = _three(table, "spacing_mm", *_SPACING_MM)
    patch = _three(table, "patch", 1, _PATCH_MAX)
    overlap = float(table.get("overlap", 0.5))
    if not 0 <= overlap < 1:
        raise ValueError("overlap must be 0 or more and less than 1")
    precision = table.get("precision", "f32")
    if precision not in ("f32", "bf16"):
        raise ValueError("precision must be f32 or bf16")
    activation = output.get("activation", "softmax")
    if activation not in ("softmax", "sigmoid"):
        raise ValueError("activation must be softmax or sigmoid")
    return NetworkInput(
        channels=tuple(map(str, table.get("channels", []))),
        orientation=orientation,
        spacing_mm=spacing_mm,
        patch=(int(patch[0]), int(patch[1]), int(patch[2])),
        normalization=_normalization(_mapping(table, "normalization")),
        overlap=overlap,
        crop_to_body=bool(table.get("crop_to_body", True)),
        precision=precision,
        sigmoid=activation == "sigmoid",
    )


def _normalization(table: Mapping[str, Any]) -> Normalization:
    kind = table.get("kind", "none")
    if kind not in _NORMALIZATIONS:
        raise ValueError(f"the normalization must be one of {', '.join(_NORMALIZATIONS)}")
    names = ("low", "high", "mean", "sd")[: _NORMALIZATIONS[kind]]
    values = {name: float(table[name]) for name in names}
    if (names and values["low"] >= values["high"]) or values.get("sd", 1) <= 0:
        raise ValueError("the normalization needs low < high and sd > 0")
    return Normalization(kind, **values)


def _mapping(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = table.get(name, {})
    if not isinstance(inner, Mapping):
        raise ValueError(f"{name} must be a table")
    return inner


def _three(
    table: Mapping[str, Any], name: str, low: float, high: float
) -> tuple[float, float, float]:
    a, b, c = map(float, table[name])
    if not all(low <= value <= high for value in (a, b, c)):
        raise ValueError(f"{name} must be three numbers from {low:g} to {high:g}")
    return a, b, c


class PatchModel:
    """A loaded network as a :class:`inference.contract.Model`.

    Parameters
    ----------
    card : Card
    wants : NetworkInput
    network : callable
    device : str
        Where it runs.
    """

    def __init__(self, card: Card, wants: NetworkInput, network: Network, device: str) -> None:
        self._card = card
        self._wants = wants
        self._network = network
        self.device = device

    @property
    def card(self) -> Card:
        """What the model is."""
        return self._card

    def predict(self, request: Request, context: Context) -> Result:
        """Return the mask, on the grid of the first channel's image."""
        images = chosen_images(self._card, self._wants.channels, request)
        context.report(0.0, "Resampling the images")
        source = grid_of(images[0])
        box = body_box(images[0]) if self._wants.crop_to_body else (slice(None),) * 3
        grid = source.cropped(box).oriented(self._wants.orientation)
        grid = grid.respaced(self._wants.spacing_mm)
        volume = np.empty((len(images), *grid.shape_kji), np.float32)
        for channel, image in zip(volume, images, strict=True):
            context.check()
            channel[...] = self._wants.normalization(resample(image, grid))
        outside = self._wants.normalization(np.full((1, 1, 1), AIR_HU, np.float32)).item()
        scores = slide(
            volume,
            self._network,
            self._wants.patch,
            context=Span(context, 0.1, 0.9),
            text="Running the network",
            overlap=self._wants.overlap,
            fill=outside if self._wants.normalization.kind != "volume" else float(volume.min()),
            device=self.device,
        )
        context.report(0.9, "Drawing the mask")
        labels = resample_labels(self._labels(scores), grid, source)
        return Result(mask=LabelMap(labels, source.affine_ras), report=self._card.intended_use)

    def _labels(self, scores: Floats) -> NDArray[np.uint8]:
        classes = len(scores) - (0 if self._wants.sigmoid else 1)
        known = max(self._card.labels, default=classes)
        if classes > 255 or classes > known:
            raise ValueError(f"the network gives {classes} labels, its card names {known}")
        if not self._wants.sigmoid:
            return np.asarray(scores.argmax(axis=0), np.uint8)
        labels = np.zeros(scores.shape[1:], np.uint8)
        for value, score in enumerate(scores, 1):
            labels[score > 0] = value
        return labels


def chosen_images(card: Card, channels: tuple[str, ...], request: Request) -> list[Image]:
    """Return the images for the channels of a network.

    Parameters
    ----------
    card : Card
    channels : tuple of str
        Phases; empty for one channel: the best phase there is, by the card.
    request : Request

    Raises
    ------
    ValueError
        A phase is missing, in a sentence.
    """
    there = request.images
    if not channels:
        phases = card.usable(there)[:1] or tuple(there)[:1] * (len(there) == 1)
        if not phases:
            raise ValueError(f"{card.title} needs one of the phases {', '.join(card.phases)}")
        return [there[phases[0]]]
    missing = [phase for phase in channels if phase not in there]
    if missing:
        raise ValueError(f"{card.title} needs the phase {' and '.join(missing)}")
    return [there[phase] for phase in channels]
