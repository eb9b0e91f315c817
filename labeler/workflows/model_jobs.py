"""One run of a model on one case, and what becomes of the answer; for any thread, no Qt objects.

The answer is packed at once: in this form it waits for its case, in little memory, and survives
the end of the program. It is taken apart into regions when its case is shown.
"""

from __future__ import annotations

import base64
import datetime
import math
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np

from inference.contract import Cancelled as ModelCancelled
from inference.contract import (
    Card,
    Context,
    Finding,
    Image,
    LabelMap,
    Landmark,
    Parameter,
    ParamValue,
    Request,
    Result,
)
from inference.worker import RunResult
from labeler.core.mask import LabelArray
from labeler.core.spine_signals import signals_by_number
from labeler.core.volume import Volume
from labeler.state.placement import Shift
from labeler.state.proposals import ModelRun
from labeler.state.tasks import Cancelled, TaskContext
from labeler.storage.cache import VolumeCache
from labeler.storage.cases import Case, inspect
from labeler.storage.images import read_volume
from labeler.storage.proposal_files import PackedProposal, case_key, pack, stamp_of
from labeler.storage.sidecar import load_sidecar
from labeler.workflows.accept_landmarks import FAMILY
from labeler.workflows.unpack_answer import NO_SHIFT

__all__ = [
    "AnsweredBefore",
    "Job",
    "Parameter",
    "Predictor",
    "RunRefused",
    "run_job",
]

#: What is packed in place of a mask for models that draw none.
NO_LABELS: LabelArray = np.zeros((1, 1, 1), np.uint8)


class Predictor(Protocol):
    """What runs models: :class:`inference.worker.Worker`."""

    def run(self, model_id: str, request: Request, context: Context) -> RunResult:
        """Return what a model finds; blocks."""

    def close(self) -> None:
        """End at once, and a run that goes on with it; from any thread."""


class RunRefused(Exception):
    """A model that cannot run on a case; the message is a sentence for the user."""


class AnsweredBefore(Exception):
    """A case that nobody asked about has regions of the model in its masks already."""


@dataclass(frozen=True, eq=False)
class Job:
    """A model that is to be run on a case.

    Attributes
    ----------
    number
        Names the job.
    case, card
        What, by which model.
    params
        Parameters of the model.
    is_ahead
        Nobody has asked for it: it is computed before the case is opened.
    volumes
        Phases that are in memory; the others are read.
    shifts_mm
        Breathing correction of the open case, which may not be saved yet; ``None``: as stored.
    """

    number: int
    case: Case
    card: Card
    params: Mapping[str, ParamValue]
    is_ahead: bool = False
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    shifts_mm: Mapping[str, Shift] | None = None


class _Caller:
    """A task as the model's side of it."""

    def __init__(self, task: TaskContext) -> None:
        self._task = task

    def report(self, fraction: float, text: str) -> None:
        self._task.report(fraction, text)

    def check(self) -> None:
        if self._task.is_cancelled:
            raise ModelCancelled


def run_job(
    context: TaskContext, job: Job, predictor: Predictor, cache: VolumeCache | None
) -> PackedProposal:
    """Read what the model needs, run it, and pack its answer.

    Raises
    ------
    RunRefused
        When the case lacks what the model needs.
    AnsweredBefore
        When the job is ahead, and regions of the model were accepted in an earlier run.
    inference.worker.WorkerError
        When the model failed.
    labeler.storage.errors.ImageError
        When a phase cannot be read.
    Cancelled
        From the context.
    """
    case = job.case if job.case.is_inspected else inspect(job.case)
    refusal = job.card.refusal(case.phases)
    if refusal is not None:
        raise RunRefused(refusal)
    shifts = job.shifts_mm
    if shifts is None:
        notes = load_sidecar(case.mask_root, case.id).sidecar
        shifts = notes.shifts_mm
        if job.is_ahead and any(entry.get("model") == job.card.id for entry in notes.provenance):
            raise AnsweredBefore
    stamps = {phase: stamp_of(case.phases[phase]) for phase in job.card.usable(case.phases)}
    volumes = _volumes(context, job, case, stamps, cache)
    images = {
        phase: Image(volume.array, volume.grid.shifted(shifts.get(phase, NO_SHIFT)).affine)
        for phase, volume in volumes.items()
    }
    try:
        answer = predictor.run(job.card.id, Request(images, job.params), _Caller(context))
    except ModelCancelled as error:
        raise Cancelled from error
    mask, landmarks = answer.result.mask, answer.result.landmarks
    # what is no mask lies on the grid of the phase that the model likes best
    phase = next(iter(images)) if mask is None else _phase_of(mask, images)
    shift_mm = shifts.get(phase, NO_SHIFT)
    document = {
        "id": secrets.token_hex(8),
        "phase": phase,
        "has_mask": mask is not None,
        "affine": volumes[phase].grid.affine.tolist(),
        "stamps": stamps,
        "run": asdict(_facts(job, answer, tuple(images))),
        "names": {str(value): name for value, name in job.card.labels.items()},
        "findings": [_described(finding, shift_mm) for finding in answer.result.findings],
        "landmarks": None if landmarks is None else [_point(each, shift_mm) for each in landmarks],
        "warnings": list(answer.result.warnings),
        "report": answer.result.report,
        "measures": _plain(answer.result.measures or {}),
        "picture": base64.b64encode(answer.result.picture).decode(),
        "signals": _signals(job, answer.result, shift_mm),
    }
    labels = NO_LABELS if mask is None else mask.array
    return PackedProposal(case_key(case), pack(document, labels))


def _volumes(
    context: TaskContext, job: Job, case: Case, phases: Iterable[str], cache: VolumeCache | None
) -> dict[str, Volume]:
    """Phases that the job has in memory, and the others from their files."""
    volumes: dict[str, Volume] = {}
    for phase in phases:
        context.check()
        volume, source = job.volumes.get(phase), case.phases[phase]
        if volume is None:
            volume = read_volume(source.series or source.path, _Quiet(context), cache)
        volumes[phase] = volume
    return volumes


class _Quiet:
    """A task that reading may stop, and whose progress stays that of the model."""

    def __init__(self, task: TaskContext) -> None:
        self._task = task

    def report(self, fraction: float, text: str = "") -> None:
        """Say what is done; how far is not known yet."""
        self._task.report(0.0, "Reading the phases")

    def check(self) -> None:
        self._task.check()


def _phase_of(mask: LabelMap, images: Mapping[str, Image]) -> str:
    """The phase on whose grid a mask lies."""
    for phase, image in images.items():
        if image.array.shape == mask.array.shape and np.allclose(
            image.affine_ras, mask.affine_ras, atol=1e-3
        ):
            return phase
    raise RunRefused("The model returned a mask on a grid of none of the phases")


def _facts(job: Job, answer: RunResult, phases: tuple[str, ...]) -> ModelRun:
    card = job.card
    return ModelRun(
        model=card.id,
        family=card.family,
        title=card.title,
        version=card.version,
        licence=card.licence,
        intended_use=card.intended_use,
        is_demonstration=card.demonstration,
        weights=answer.weights,
        params=dict(job.params),
        device=answer.device,
        seconds=round(answer.seconds, 2),
        phases=phases,
        time=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    )


def _described(finding: Finding, shift_mm: Shift) -> dict[str, Any]:
    """A finding as JSON, its point in the coordinates of the phase's own grid."""
    return {
        "label": int(finding.label),
        "anchor_ras": [float(v) - s for v, s in zip(finding.anchor_ras, shift_mm, strict=True)],
        "confidence": float(finding.confidence),
        "opinions": {stage: _plain(shares) for stage, shares in finding.opinions.items()},
        "measures": _plain(finding.measures),
        "flags": [str(flag) for flag in finding.flags],
    }


def _point(landmark: Landmark, shift_mm: Shift) -> dict[str, Any]:
    """A landmark as JSON, in the coordinates of the phase's own grid."""
    return {
        "label": int(landmark.label),
        "position_ras": [
            float(v) - s for v, s in zip(landmark.position_ras, shift_mm, strict=True)
        ],
        "confidence": float(landmark.confidence),
        "flags": [str(flag) for flag in landmark.flags],
    }


def _signals(job: Job, result: Result, shift_mm: Shift) -> dict[str, Any] | None:
    """Signals along the spine as JSON, in the coordinates of the phase's own grid."""
    found = result.signals
    if found is None or job.card.family != FAMILY:
        return None
    return signals_by_number(
        found.labels, found.line_ras - np.array(shift_mm), found.values,
        found.chosen, found.runner_up, found.runner_up_share,
        found.centres_ras - np.array(shift_mm), found.centre_values,
    ).to_value()  # fmt: skip


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON has them: no infinities, no types of libraries."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        value = value.item() if isinstance(value, np.generic) else value
        is_odd = isinstance(value, float) and not math.isfinite(value)
        result[str(name)] = None if is_odd else value
    return result
