"""The liver model as others see it: a request in, a mask and findings out."""

from __future__ import annotations

import numpy as np

from inference.cards import Manifest
from inference.compiled import ready
from inference.contract import PHASES, Card, Context, LabelMap, Measure, Parameter, Request, Result
from inference.liver import classes, organ_doubts, quality
from inference.liver.inputs import N_CHANNELS
from inference.liver.networks import CONTEXT_CLASSES, coarse_network, fine_network
from inference.liver.patient import Decision, decide
from inference.liver.proposals import MULTIPLIERS
from inference.liver.registration import register_phases
from inference.liver.rules import SETTINGS, read_rules
from inference.liver.scan import make_scan, mask_on_image, reference_phase
from inference.liver.second_look import SecondLook
from inference.liver.stage1 import (
    COARSE_WINDOW_KJI,
    FINE_WINDOW_KJI,
    NothingFound,
    Segmentation,
    Stage1,
)
from inference.liver.stage2 import LesionNetwork
from inference.progress import Span
from inference.weights import load_weights

COARSE_NAME, FINE_NAME = "coarse.safetensors", "fine.safetensors"
LESIONS_NAME = "lesions.safetensors"

SENSITIVITY, SETTING = "sensitivity", "setting"
AUTOMATIC = "automatic"
PARAMETERS = (
    Parameter(
        SENSITIVITY,
        max(MULTIPLIERS),
        "Largest factor on the lesion probabilities: more finds more, right and wrong.",
        MULTIPLIERS,
    ),
    Parameter(
        SETTING,
        AUTOMATIC,
        "How the patient is judged; automatic chooses by the phases.",
        (AUTOMATIC, *SETTINGS),
    ),
)

_FIRST_PHASE, _NEXT_PHASE = 0.04, 0.09
_STAGE1_DONE, _STAGE2_DONE = 0.52, 0.87
"""Parts of the time: to bring phases together, the first one and each other; then of the rest."""


class LiverModel:
    """The networks, ready.

    Parameters
    ----------
    card : Card
    stage1 : Stage1
    second_look : SecondLook, optional
        By default one without a second network: stage 1 decides alone.
    """

    def __init__(self, card: Card, stage1: Stage1, second_look: SecondLook | None = None) -> None:
        self._card, self._stage1 = card, stage1
        self._second_look = SecondLook(None) if second_look is None else second_look

    @property
    def card(self) -> Card:
        """What the model is."""
        return self._card

    @property
    def stage1(self) -> Stage1:
        """The step that segments."""
        return self._stage1

    @property
    def second_look(self) -> SecondLook:
        """The steps that decide on lesions."""
        return self._second_look

    def predict(self, request: Request, context: Context) -> Result:
        """Return organs and lesions on the grid of the best phase.

        Raises
        ------
        ValueError
            There is none of the four phases, or a parameter has a value it cannot have.
        Cancelled
            From `context`.
        """
        multipliers, setting = _parameters(request)
        together = _FIRST_PHASE + _NEXT_PHASE * (sum(p in request.images for p in PHASES) - 1)
        rest = Span(context, together, 1.0)
        context.report(0.0, "Bring the phases together")
        image = request.images[reference_phase(request.images)]
        registration = register_phases(request.images, context)
        context.report(0.8 * together, "Bring the phases together")
        scan = make_scan(request, registration.transforms)
        context.check()
        try:
            found = self._stage1.predict(scan, Span(rest, 0.0, _STAGE1_DONE))
        except NothingFound as nothing:
            empty = LabelMap(np.zeros(image.array.shape, dtype=np.uint8), image.affine_ras)
            return Result(empty, report="No liver was found.", warnings=(f"{nothing}.",))
        examined = self._second_look.examine(
            request.images,
            registration.transforms,
            found,
            Span(rest, _STAGE1_DONE, _STAGE2_DONE),
            multipliers,
        )
        rest.report(_STAGE2_DONE, "Draw the outlines")
        mask = mask_on_image(examined.found, found.logits, found.scan.grid, image)
        context.check()
        measured = quality.measure(found, scan.grid.shape_kji[0])
        rules = self._second_look.rules
        decision = decide(examined.verdicts, scan.present, rules, setting)
        context.report(1.0, "Done")
        return Result(
            mask,
            measures=_measures(found, measured) | _decided(decision),
            report=f"{_report(found, len(examined.findings))} {decision.reason}",
            findings=examined.findings,
            warnings=(
                *quality.warnings(measured, rules.quality),
                *organ_doubts.organ_warnings(organ_doubts.measure_organs(found), rules.organs),
                *decision.warnings,
                *(f"The phase {p} could not be registered." for p in registration.doubtful),
            ),
        )


def _parameters(request: Request) -> tuple[tuple[float, ...], str | None]:
    """Return the factors on lesion probabilities and the setting that a request asks for."""
    most = request.params.get(SENSITIVITY, max(MULTIPLIERS))
    if not isinstance(most, int | float) or float(most) not in MULTIPLIERS:
        choices = ", ".join(f"{m:g}" for m in MULTIPLIERS)
        raise ValueError(f"{SENSITIVITY} must be one of {choices}, not {most}")
    setting = str(request.params.get(SETTING, AUTOMATIC))
    if setting not in (AUTOMATIC, *SETTINGS):
        raise ValueError(f"{SETTING} must be {AUTOMATIC}, {' or '.join(SETTINGS)}, not {setting}")
    return tuple(m for m in MULTIPLIERS if m <= most), None if setting == AUTOMATIC else setting


def _decided(decision: Decision) -> dict[str, Measure]:
    return {
        "setting": decision.setting,
        "malignant": decision.malignant,
        "malignancy score": round(decision.score, 3),
    }


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


def load(manifest: Manifest, device: str) -> LiverModel:
    """Return the model of a card.

    Parameters
    ----------
    manifest : Manifest
        Names the files of weights; the table ``networks`` has their features, ``rules`` the
        thresholds. Without the file of the second stage, the first decides alone.
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
    try:
        rules = read_rules(manifest.tables.get("rules", {}))
    except ValueError as error:
        raise ValueError(f"{manifest.path}: {error}") from error
    second = SecondLook(_lesion_network(manifest, device), device, rules)
    return LiverModel(manifest.card, Stage1(coarse, fine, device), second)


def _lesion_network(manifest: Manifest, device: str) -> LesionNetwork | None:
    """Return the second stage's network; None if the model was shipped without."""
    sha256 = manifest.files.get(LESIONS_NAME)
    if sha256 is None:
        return None
    network = LesionNetwork(_features(manifest, "lesions"))
    weights = load_weights(manifest.folder / LESIONS_NAME, sha256)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{LESIONS_NAME} does not fit its card: {error}") from error
    return network.eval().to(device)


def _features(manifest: Manifest, name: str) -> list[int]:
    """Return the channels of a network's levels, from the card."""
    table = manifest.tables.get("networks", {})
    features = table.get(name) if isinstance(table, dict) else None
    if not isinstance(features, list) or not all(isinstance(n, int) for n in features):
        raise ValueError(f"{manifest.path} must give the features of the {name} network")
    return features
