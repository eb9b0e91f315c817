"""The vertebra model as the registry, the command line and the window see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from inference.cards import Manifest
from inference.compiled import ready
from inference.contract import (
    Card,
    Context,
    Finding,
    Image,
    LabelMap,
    Landmark,
    Measure,
    Parameter,
    Request,
    Result,
)
from inference.progress import Span
from inference.signals import Signals
from inference.vertebra.levels import LEVELS, VERSE_NUMBER
from inference.vertebra.masks import MASK_WINDOW_KJI, draw_masks
from inference.vertebra.networks import (
    CENTRE_FEATURES,
    LEVEL_FEATURES,
    MASK_FEATURES,
    N_CHANNELS,
    N_MASK_CHANNELS,
    centre_network,
    level_network,
    mask_network,
)
from inference.vertebra.pipeline import (
    CENTRE_WINDOW_KJI,
    LEVEL_WINDOW_KJI,
    Method,
    Pipeline,
    SpineReading,
    level_names,
)
from inference.vertebra.signals import signals_of
from inference.weights import load_weights
from inference.window import Network

METHODS = get_args(Method)
PARAMETERS = (
    Parameter(
        "method",
        METHODS[0],
        "How centres are found: signals along the straightened spine, or maxima in space.",
        METHODS,
    ),
    Parameter(
        "masks",
        False,
        "Draw each vertebra as well; the sacrum is not drawn. Takes twice the time.",
    ),
    Parameter(
        "report", "", "Folder that gets a picture of how the levels were found; none if empty."
    ),
)

_Make = Callable[[Sequence[int]], torch.nn.Module]
STAGES: MappingProxyType[str, tuple[_Make, tuple[int, ...], tuple[int, int, int, int]]]
STAGES = MappingProxyType(
    {
        "levels": (level_network, LEVEL_FEATURES, (N_CHANNELS, *LEVEL_WINDOW_KJI)),
        "centres": (centre_network, CENTRE_FEATURES, (N_CHANNELS, *CENTRE_WINDOW_KJI)),
        "masks": (mask_network, MASK_FEATURES, (N_MASK_CHANNELS, *MASK_WINDOW_KJI)),
    }
)
"""By the name of its file of weights: what makes a network, its features, and its channels and
window."""

DRAWN = MappingProxyType({number: name for name, number in VERSE_NUMBER.items() if name != "S1"})
"""Levels that are drawn, by their number in masks. The sacrum is not: VerSe does not draw it, and
that of the phantoms is only sketched."""

_MASKS_SHARE = 0.5
"""Part of the time that the masks take."""

_NOTE = "Demonstration model, trained on synthetic data, not for clinical use."


class VertebraModel:
    """Names the vertebrae in a CT.

    Parameters
    ----------
    card : Card
    pipeline : Pipeline
    masks : callable or None
        The mask network; None of a model that has none.
    device : str
        Of torch.
    """

    def __init__(
        self, card: Card, pipeline: Pipeline, masks: Network | None = None, device: str = "cpu"
    ) -> None:
        self._card, self._pipeline, self._masks, self._device = card, pipeline, masks, device

    @property
    def card(self) -> Card:
        """What the model is."""
        return self._card

    @property
    def pipeline(self) -> Pipeline:
        """What reads images."""
        return self._pipeline

    def predict(self, request: Request, context: Context) -> Result:
        """Return the centres of the vertebrae in one phase, and on request their masks.

        Parameters of the request: ``method`` (``rectified`` or ``candidates``), ``masks``, and
        ``report``, a folder that gets a picture of how the levels were found.

        Raises
        ------
        ValueError
            No phase that can be used, an unknown parameter, no spine in the image, or masks of a
            model that draws none.
        Cancelled
        """
        phases = self._card.usable(request.images)
        if not phases:
            raise ValueError(self._card.refusal(request.images) or "there is no image to look at")
        method = str(request.params.get("method", "rectified"))
        if method not in METHODS:
            raise ValueError(f"the method is {' or '.join(METHODS)}, not {method}")
        wants_masks = bool(request.params.get("masks", False))
        if wants_masks:
            self._mask_network()
        image = request.images[phases[0]]
        share = 1.0 - _MASKS_SHARE if wants_masks else 1.0
        reading = self._pipeline.read(image, Span(context, 0.0, share), cast(Method, method))
        masks = self.draw(reading, image, Span(context, share, 1.0)) if wants_masks else None
        picture = picture_of(reading)
        folder = str(request.params.get("report", ""))
        if folder:
            save_picture(picture, Path(folder))
        return result_of(reading, image, phases[0], picture, masks, signals_of(reading))

    def draw(self, reading: SpineReading, image: Image, context: Context) -> LabelMap:
        """Return the masks of the vertebrae of a reading, by their VerSe numbers.

        Raises
        ------
        ValueError
            The model has no network for masks.
        Cancelled
        """
        network = self._mask_network()
        numbers = [
            0 if _is_outside(position, image) else VERSE_NUMBER[vertebra.name]
            for vertebra, position in zip(
                reading.chain.vertebrae, reading.positions_ras, strict=True
            )
        ]
        drawn = [number if number in DRAWN else 0 for number in numbers]
        labels = draw_masks(image, reading.positions_ras, drawn, network, context, self._device)
        return LabelMap(labels, image.affine_ras)

    def _mask_network(self) -> Network:
        if self._masks is None:
            raise ValueError(f"{self._card.title} {self._card.version} draws no vertebrae")
        return self._masks


def load(manifest: Manifest, device: str) -> VertebraModel:
    """Return the model whose weights a manifest names.

    Parameters
    ----------
    manifest : Manifest
        Names the files of weights; the table ``networks`` has their features.
    device : str
        ``cpu`` or ``cuda:N``.

    Raises
    ------
    ValueError
        Weights that are missing, changed or do not fit the networks.
    """
    networks = {}
    known = manifest.tables.get("networks", {})
    for name, (make, usual, window) in STAGES.items():
        file = f"{name}.safetensors"
        if file not in manifest.files:
            if name == "masks":  # a model that only names vertebrae
                continue
            raise ValueError(f"{manifest.path} names no {file} under [weights]")
        digest = manifest.files[file]
        weights = load_weights(manifest.folder / file, digest)
        try:
            network = make(known.get(name, usual))
            network.load_state_dict(weights)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"{file} does not fit the network: {error}") from error
        networks[name] = ready(network.eval(), (1, *window), device=device, key=digest)
    pipeline = Pipeline(networks["levels"], networks["centres"], device)
    return VertebraModel(manifest.card, pipeline, networks.get("masks"), device)


def result_of(
    reading: SpineReading,
    image: Image,
    phase: str,
    picture: bytes = b"",
    masks: LabelMap | None = None,
    signals: Signals | None = None,
) -> Result:
    """Return landmarks, measures and doubts of a reading, with masks where there are any.

    Parameters
    ----------
    reading : SpineReading
    image : Image
        That was read.
    phase : str
        Which it is.
    picture : bytes
        PNG of the reading.
    masks : LabelMap, optional
        Of the vertebrae, by their VerSe numbers.
    signals : Signals, optional
        By which they were named.
    """
    landmarks = []
    found = zip(reading.chain.vertebrae, reading.positions_ras, reading.confidences, strict=True)
    for vertebra, position, confidence in found:
        flags = list(vertebra.flags)
        if _is_outside(position, image):
            flags.append("outside of the image")
        x, y, z = position.tolist()
        number = VERSE_NUMBER[LEVELS[vertebra.level]]
        landmarks.append(Landmark(number, (x, y, z), confidence, tuple(flags)))
    chain = reading.chain
    measures: dict[str, Measure] = {
        "levels": level_names(chain),
        "size": round(chain.scale, 3),
        "score": round(chain.score, 3),
        "rival_shift": chain.rival_shift,
        "phase": phase,
    }
    doubted = [LEVELS[v.level] for v in chain.vertebrae if v.flags]
    warnings = (f"doubtful: {', '.join(doubted)}",) if doubted else ()
    report = f"{len(landmarks)} vertebrae, {level_names(chain)}. {_NOTE}"
    return Result(
        mask=masks,
        findings=() if masks is None else _findings(masks, landmarks),
        landmarks=tuple(landmarks),
        measures=measures,
        report=report,
        warnings=warnings,
        picture=picture,
        signals=signals,
    )


def _is_outside(position_ras: NDArray[np.float64], image: Image) -> bool:
    """Whether a point lies above or below the image."""
    to_index = np.linalg.inv(image.affine_ras)
    k = float(to_index[2, :3] @ position_ras + to_index[2, 3])
    return not 0 <= k <= image.array.shape[0] - 1


def _findings(masks: LabelMap, landmarks: Sequence[Landmark]) -> tuple[Finding, ...]:
    """Return for each mask what is known of its name, at a voxel in its middle."""
    boxes = ndimage.find_objects(masks.array)
    found = []
    for mark in landmarks:
        box = boxes[mark.label - 1] if mark.label <= len(boxes) else None
        if box is None:
            continue
        own = np.argwhere(masks.array[box] == mark.label) + [s.start for s in box]
        middle = own[np.linalg.norm(own - own.mean(axis=0), axis=1).argmin()]
        x, y, z = (masks.affine_ras[:3, :3] @ middle[::-1] + masks.affine_ras[:3, 3]).tolist()
        found.append(Finding(mark.label, (x, y, z), mark.confidence, flags=mark.flags))
    return tuple(found)


def picture_of(reading: SpineReading) -> bytes:
    """Return the picture of a reading as a PNG."""
    import cv2

    from inference.vertebra.diagnostics import draw

    _, data = cv2.imencode(".png", draw(reading))
    return data.tobytes()


def save_picture(picture: bytes, folder: Path) -> Path:
    """Write the picture of a reading as ``spine.png``.

    Raises
    ------
    ValueError
        It cannot be written.
    """
    path = folder / "spine.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    except OSError as error:
        raise ValueError(f"the picture {path} cannot be written: {error.strerror}") from error
    return path
