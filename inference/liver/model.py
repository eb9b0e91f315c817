"""The liver model as others see it: a request in, a mask and findings out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cards import Manifest
from inference.compiled import ready
from inference.contract import Card, Context, Finding, LabelMap, Measure, Request, Result
from inference.liver import classes, quality
from inference.liver.inputs import N_CHANNELS
from inference.liver.networks import CONTEXT_CLASSES, coarse_network, fine_network
from inference.liver.scan import make_scan, mask_on_image, reference_phase
from inference.liver.stage1 import (
    COARSE_WINDOW_KJI,
    FINE_WINDOW_KJI,
    NothingFound,
    Segmentation,
    Stage1,
)
from inference.progress import Span
from inference.weights import load_weights

COARSE_NAME, FINE_NAME = "coarse.safetensors", "fine.safetensors"

_SCAN_DONE, _STAGE1_DONE = 0.2, 0.85
_LEAST_LESION_ML = 0.1


class LiverModel:
    """The networks, ready.

    Parameters
    ----------
    card : Card
    stage1 : Stage1
    """

    def __init__(self, card: Card, stage1: Stage1) -> None:
        self._card, self._stage1 = card, stage1

    @property
    def card(self) -> Card:
        """What the model is."""
        return self._card

    def predict(self, request: Request, context: Context) -> Result:
        """Return organs and lesions on the grid of the best phase.

        Raises
        ------
        ValueError
            There is none of the four phases.
        Cancelled
            From `context`.
        """
        context.report(0.0, "Bring the phases together")
        image = request.images[reference_phase(request.images)]
        scan = make_scan(request)
        context.check()
        try:
            found = self._stage1.predict(scan, Span(context, _SCAN_DONE, _STAGE1_DONE))
        except NothingFound as nothing:
            empty = LabelMap(np.zeros(image.array.shape, dtype=np.uint8), image.affine_ras)
            return Result(empty, report="No liver was found.", warnings=(f"{nothing}.",))
        context.report(_STAGE1_DONE, "Draw the outlines")
        mask = mask_on_image(found.found, found.logits, found.scan.grid, image)
        context.check()
        measured = quality.measure(found, scan.grid.shape_kji[0])
        findings = tuple(_findings(found))
        context.report(1.0, "Done")
        return Result(
            mask,
            measures=_measures(found, measured),
            report=_report(found, len(findings)),
            findings=findings,
            warnings=tuple(quality.warnings(measured, found)),
        )


def _volume_ml(segmentation: Segmentation, *members: int) -> float:
    return float(np.isin(segmentation.found, members).sum()) * segmentation.scan.voxel_ml


def _measures(segmentation: Segmentation, measured: quality.Quality) -> dict[str, Measure]:
    volumes = {
        f"{classes.CLASS_NAMES[organ]} volume (ml)": round(_volume_ml(segmentation, organ), 1)
        for organ in classes.ORGANS[1:]
    }
    return {"liver volume (ml)": round(measured.liver_ml, 1), **volumes}


def _report(segmentation: Segmentation, n_lesions: int) -> str:
    liver = _volume_ml(segmentation, classes.LIVER, *classes.LESIONS)
    organs = [o for o in classes.ORGANS[1:] if (segmentation.found == o).any()]
    names = ", ".join(classes.CLASS_NAMES[organ] for organ in organs)
    lesions = "no lesion" if n_lesions == 0 else f"{n_lesions} lesion{'s' if n_lesions > 1 else ''}"
    return f"Liver of {liver:.0f} ml with {lesions}; found as well: {names or 'no other organ'}."


def _findings(segmentation: Segmentation) -> Iterator[Finding]:
    """Yield what stage 1 says about each lesion."""
    found = segmentation.found
    lesion = np.isin(found, classes.LESIONS)
    pieces, _ = ndimage.label(lesion, np.ones((3, 3, 3)))
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        where = pieces[box] == number
        volume_ml = float(where.sum()) * segmentation.scan.voxel_ml
        if volume_ml < _LEAST_LESION_ML:
            continue
        p = _probabilities(segmentation.logits[(slice(None), *box)][:, where])
        kind = int(np.bincount(found[box][where]).argmax())
        yield Finding(
            int(classes.LABEL_OF_CLASS[kind]),
            _anchor(segmentation, box, where & (found[box] == kind)),
            float(np.clip(p[kind], 0.0, 1.0)),
            {"stage 1": {classes.CLASS_NAMES[c]: float(p[c]) for c in classes.LESIONS}},
            {"volume (ml)": round(volume_ml, 2)},
        )


def _probabilities(logits: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return the mean probability of each class over voxels ``[class, voxel]``."""
    exp = np.exp(logits.astype(np.float32) - logits.max(axis=0).astype(np.float32))
    mean: NDArray[np.float32] = (exp / exp.sum(axis=0)).mean(axis=1)
    return mean


def _anchor(
    segmentation: Segmentation, box: tuple[slice, ...], where: NDArray[np.bool_]
) -> tuple[float, float, float]:
    """Return the RAS position of the innermost voxel of a region."""
    depth = ndimage.distance_transform_edt(np.pad(where, 1))[1:-1, 1:-1, 1:-1]
    inner = np.unravel_index(int(depth.argmax()), where.shape)
    k, j, i = (float(s.start + n) for s, n in zip(box, inner, strict=True))
    x, y, z, _ = (segmentation.scan.grid.affine_ras @ [i, j, k, 1.0]).tolist()
    return x, y, z


def load(manifest: Manifest, device: str) -> LiverModel:
    """Return the model of a card.

    Parameters
    ----------
    manifest : Manifest
        Names the two files of weights; the table ``networks`` has their features.
    device : str
        ``cpu`` or ``cuda:N``.

    Raises
    ------
    ValueError
        The weights are missing, changed or damaged, or do not fit the networks.
    """
    parts = []
    for name, make, channels, window in (
        (COARSE_NAME, coarse_network, N_CHANNELS, COARSE_WINDOW_KJI),
        (FINE_NAME, fine_network, N_CHANNELS + len(CONTEXT_CLASSES), FINE_WINDOW_KJI),
    ):
        network = make(_features(manifest, name.removesuffix(".safetensors")))
        sha256 = manifest.files.get(name, "")
        weights = load_weights(manifest.folder / name, sha256)
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"{name} does not fit the network of its card: {error}") from error
        shape = (1, channels, *window)
        parts.append(ready(network.eval(), shape, device=device, key=sha256))
    coarse, fine = parts
    return LiverModel(manifest.card, Stage1(coarse, fine, device))


def _features(manifest: Manifest, name: str) -> list[int]:
    """Return the channels of a network's levels, from the card."""
    table = manifest.tables.get("networks", {})
    features = table.get(name) if isinstance(table, dict) else None
    if not isinstance(features, list) or not all(isinstance(n, int) for n in features):
        raise ValueError(f"{manifest.path} must give the features of the {name} network")
    return features
