"""The vertebra model as the registry, the command line and the window see it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import cast

import numpy as np

from inference.cards import Manifest
from inference.compiled import ready
from inference.contract import Card, Context, Image, Landmark, Measure, Request, Result
from inference.vertebra.levels import LEVELS, VERSE_NUMBER
from inference.vertebra.networks import (
    CENTRE_FEATURES,
    LEVEL_FEATURES,
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
        if method not in ("rectified", "candidates"):
            raise ValueError(f"the method is rectified or candidates, not {method}")
        image = request.images[phases[0]]
        reading = self._pipeline.read(image, context, cast(Method, method))
        folder = str(request.params.get("report", ""))
        if folder:
            save_picture(reading, Path(folder))
        return result_of(reading, image, phases[0])


def load(manifest: Manifest, device: str) -> VertebraModel:
    """Return the model whose weights a manifest names.

    Raises
    ------
    ValueError
        Weights that are missing, changed or do not fit the networks.
    """
    networks = {}
    for name, make, features, window in (
        ("levels", level_network, LEVEL_FEATURES, LEVEL_WINDOW_KJI),
        ("centres", centre_network, CENTRE_FEATURES, CENTRE_WINDOW_KJI),
    ):
        file = f"{name}.safetensors"
        if file not in manifest.files:
            raise ValueError(f"{manifest.path} names no {file} under [weights]")
        digest = manifest.files[file]
        network = make(features)
        try:
            network.load_state_dict(load_weights(manifest.folder / file, digest))
        except RuntimeError as error:
            raise ValueError(f"{file} does not fit the network: {error}") from error
        shape = (1, 2, *window)
        networks[name] = ready(network.eval(), shape, device=device, key=digest)
    pipeline = Pipeline(networks["levels"], networks["centres"], device)
    return VertebraModel(manifest.card, pipeline)


def result_of(reading: SpineReading, image: Image, phase: str) -> Result:
    """Return landmarks, measures and doubts of a reading."""
    to_index = np.linalg.inv(image.affine_ras)
    landmarks = []
    for vertebra, position in zip(reading.chain.vertebrae, reading.positions_ras, strict=True):
        index = to_index[:3, :3] @ position + to_index[:3, 3]
        flags = list(vertebra.flags)
        if not (0 <= index[2] <= image.array.shape[0] - 1):
            flags.append("outside of the image")
        x, y, z = position.tolist()
        confidence = float(np.clip(vertebra.signal, 0.0, 1.0))
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
    return Result(landmarks=tuple(landmarks), measures=measures, report=report, warnings=warnings)


def save_picture(reading: SpineReading, folder: Path) -> Path:
    """Write the picture of a reading as ``spine.png``.

    Raises
    ------
    ValueError
        It cannot be written.
    """
    import cv2

    from inference.vertebra.diagnostics import draw

    path = folder / "spine.png"
    written = False
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        written, data = cv2.imencode(".png", draw(reading))
        path.write_bytes(data.tobytes())
    if not written or not path.is_file():
        raise ValueError(f"the picture {path} cannot be written")
    return path
