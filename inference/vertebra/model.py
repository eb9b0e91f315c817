"""The vertebra model as the registry, the command line and the window see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import cast, get_args

import numpy as np
import torch

from inference.cards import Manifest
from inference.compiled import ready
from inference.contract import Card, Context, Image, Landmark, Measure, Parameter, Request, Result
from inference.vertebra.levels import LEVELS, VERSE_NUMBER
from inference.vertebra.networks import (
    CENTRE_FEATURES,
    LEVEL_FEATURES,
    N_CHANNELS,
    centre_network,
    level_network,
)
from inference.vertebra.pipeline import (
    CENTRE_WINDOW_KJI,
    LEVEL_WINDOW_KJI,
    Method,
    Pipeline,
    SpineReading,
    level_names,
)
from inference.weights import load_weights

METHODS = get_args(Method)
PARAMETERS = (
    Parameter(
        "method",
        METHODS[0],
        "How centres are found: signals along the straightened spine, or maxima in space.",
        METHODS,
    ),
    Parameter(
        "report", "", "Folder that gets a picture of how the levels were found; none if empty."
    ),
)

_Make = Callable[[Sequence[int]], torch.nn.Module]
STAGES: MappingProxyType[str, tuple[_Make, tuple[int, ...], tuple[int, int, int]]]
STAGES = MappingProxyType(
    {
        "levels": (level_network, LEVEL_FEATURES, LEVEL_WINDOW_KJI),
        "centres": (centre_network, CENTRE_FEATURES, CENTRE_WINDOW_KJI),
    }
)
"""By the name of its file of weights: what makes a network, its features and its window."""

_NOTE = "Demonstration model, trained on synthetic data, not for clinical use."


class VertebraModel:
    """Names the vertebrae in a CT.

    Parameters
    ----------
    card : Card
    pipeline : Pipeline
    """

    def __init__(self, card: Card, pipeline: Pipeline) -> None:
        self._card, self._pipeline = card, pipeline

    @property
    def card(self) -> Card:
        """What the model is."""
        return self._card

    @property
    def pipeline(self) -> Pipeline:
        """What reads images."""
        return self._pipeline

    def predict(self, request: Request, context: Context) -> Result:
        """Return the centres of the vertebrae in one phase.

        Parameters of the request: ``method`` (``rectified`` or ``candidates``), and ``report``, a
        folder that gets a picture of how the levels were found.

        Raises
        ------
        ValueError
            No phase that can be used, an unknown parameter, or no spine in the image.
        Cancelled
        """
        phases = self._card.usable(request.images)
        if not phases:
            raise ValueError(self._card.refusal(request.images) or "there is no image to look at")
        method = str(request.params.get("method", "rectified"))
        if method not in METHODS:
            raise ValueError(f"the method is {' or '.join(METHODS)}, not {method}")
        image = request.images[phases[0]]
        reading = self._pipeline.read(image, context, cast(Method, method))
        picture = picture_of(reading)
        folder = str(request.params.get("report", ""))
        if folder:
            save_picture(picture, Path(folder))
        return result_of(reading, image, phases[0], picture)


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
            raise ValueError(f"{manifest.path} names no {file} under [weights]")
        digest = manifest.files[file]
        weights = load_weights(manifest.folder / file, digest)
        try:
            network = make(known.get(name, usual))
            network.load_state_dict(weights)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"{file} does not fit the network: {error}") from error
        shape = (1, N_CHANNELS, *window)
        networks[name] = ready(network.eval(), shape, device=device, key=digest)
    pipeline = Pipeline(networks["levels"], networks["centres"], device)
    return VertebraModel(manifest.card, pipeline)


def result_of(reading: SpineReading, image: Image, phase: str, picture: bytes = b"") -> Result:
    """Return landmarks, measures and doubts of a reading.

    Parameters
    ----------
    reading : SpineReading
    image : Image
        That was read.
    phase : str
        Which it is.
    picture : bytes
        PNG of the reading.
    """
    to_index = np.linalg.inv(image.affine_ras)
    landmarks = []
    found = zip(reading.chain.vertebrae, reading.positions_ras, reading.confidences, strict=True)
    for vertebra, position, confidence in found:
        index = to_index[:3, :3] @ position + to_index[:3, 3]
        flags = list(vertebra.flags)
        if not (0 <= index[2] <= image.array.shape[0] - 1):
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
        landmarks=tuple(landmarks),
        measures=measures,
        report=report,
        warnings=warnings,
        picture=picture,
    )


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
