"""Models without a network: a worker that answers from the images it gets, in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from inference.contract import Card, Finding, LabelMap, Parameter, Request, Result
from inference.registry import ModelEntry
from inference.worker import RunResult
from labeler.storage.proposal_files import ProposalFolder
from labeler.storage.sidecar import load_sidecar, save_sidecar
from labeler.workflows.open_case import CaseOpener
from labeler.workflows.open_folder import Roots, Worklist
from labeler.workflows.proposal_shelf import ProposalShelf
from labeler.workflows.run_model import ModelRunner
from labeler.workflows.workspace import Workspace
from tests.case_world import make_workspace
from tests.cases_on_disk import write_case

LIVER, HCC = 1, 11

CARD = Card(
    id="demo-liver",
    family="liver",
    title="Liver demo",
    version="1.0",
    licence="CC BY 4.0",
    intended_use="Shows how a proposal looks.",
    needs=("PV",),
    labels={LIVER: "Liver", HCC: "HCC"},
    parameters=(
        Parameter("sensitivity", 2.0, "Factor on the chance of a lesion"),
        Parameter("setting", "diagnosis", "What is asked", ("diagnosis", "screening")),
        Parameter("register", True, "Align the phases first"),
    ),
    demonstration=True,
    weights="ab" * 32,
)

#: A model with names of its own, one of which nobody knows here.
FOREIGN = replace(
    CARD, id="foreign", title="Foreign", needs=(), parameters=(), demonstration=False,
    labels={1: "liver", 2: "tumour"},
)  # fmt: skip

#: A model that measures and draws nothing.
MEASURING = replace(CARD, id="measuring", title="Measuring", labels={})

BOXES = {
    LIVER: [np.s_[2:10, 2:20, 2:20]],
    HCC: [np.s_[3:6, 4:8, 4:8], np.s_[11:13, 4:8, 4:8]],
}

BROKEN = ModelEntry("broken", None, "a folder", "model.toml cannot be read")

MODELS = (
    ModelEntry(CARD.id, CARD, "built in", None),
    ModelEntry(FOREIGN.id, FOREIGN, "a folder", None),
    BROKEN,
    ModelEntry(MEASURING.id, MEASURING, "a folder", None),
)

Answer = Callable[[Request], Result]


class FakeWorker:
    """Answers at once, or when it is told to; see :class:`inference.worker.Worker`.

    Attributes
    ----------
    requests
        What was asked, ``(model id, request)``.
    gate
        A run waits here when it is closed (``gate.clear()``).
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[tuple[str, Request]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.closed = 0
        self.error: Exception | None = None

    def run(self, model_id, request, context) -> RunResult:
        self.requests.append((model_id, request))
        context.report(0.1, "Looking")
        self.entered.set()
        while not self.gate.wait(0.005):
            context.check()
        context.check()
        if self.error is not None:
            raise self.error
        context.report(0.9, "Almost there")
        return RunResult(self.answer(request), "cpu", 1.5, 100.0, "ab" * 32)

    def close(self) -> None:
        self.closed += 1


def boxes_answer(
    boxes: dict[int, list[tuple[slice, slice, slice]]],
    phase: str = "PV",
    findings: Callable[[LabelMap], tuple[Finding, ...]] = lambda mask: (),
    warnings: tuple[str, ...] = (),
) -> Answer:
    """Answer with boxes ``[k, j, i]`` of labels on the grid of a phase."""

    def answer(request: Request) -> Result:
        image = request.images[phase]
        labels = np.zeros(image.array.shape, np.uint8)
        for label, places in boxes.items():
            for place in places:
                labels[place] = label
        mask = LabelMap(labels, image.affine_ras)
        return Result(mask=mask, report="Boxes.", findings=findings(mask), warnings=warnings)

    return answer


def ras_of(mask: LabelMap, kji: tuple[int, int, int]) -> tuple[float, float, float]:
    """RAS mm of a voxel of an answer."""
    x, y, z = (mask.affine_ras @ (*kji[::-1], 1))[:3].tolist()
    return x, y, z


def list_fake_models(folders: object) -> tuple[ModelEntry, ...]:
    return MODELS


def fake_worker_maker(worker: FakeWorker) -> Callable[..., FakeWorker]:
    def make(folders: tuple[Path, ...], device: str) -> FakeWorker:
        return worker

    return make


def settle(qtbot, ws: Workspace) -> None:
    """Wait until nothing goes on in the background."""
    qtbot.waitUntil(lambda: ws.tasks.pending_count == 0, timeout=20_000)


class World:
    """A worklist of cases on disk, and a runner of models.

    Parameters
    ----------
    cases
        Phases by case id.
    worker, models
        As for :class:`ModelRunner`; by default a worker in this process and models without weights.
    """

    def __init__(self, qtbot, folder, cases, worker=None, models=list_fake_models) -> None:
        self.qtbot, self.folder = qtbot, folder
        for name, phases in cases.items():
            write_case(folder, name, phases)
        self.ws = make_workspace(folder)
        self.worklist = Worklist(self.ws.tasks)
        self.opener = CaseOpener(self.ws, self.worklist, None)
        self.worker = FakeWorker(boxes_answer(BOXES))
        self._make, self._models = worker or fake_worker_maker(self.worker), models
        self.start()
        with qtbot.waitSignal(self.worklist.scanned, timeout=10_000):
            self.worklist.open_roots(Roots(folder / "images", folder / "masks"))
        self.runner.refresh()
        self.settle()

    def start(self) -> None:
        """As a new start of the program does, with what is on disk."""
        self.shelf = ProposalShelf(self.ws, ProposalFolder(self.folder / "proposals"))
        self.opener.loaded.connect(self.shelf.show_here)
        self.runner = ModelRunner(
            self.ws, self.worklist, self.shelf, None,
            worker=self._make, models=self._models,
        )  # fmt: skip
        self.failures: list[str] = []
        self.runner.failed.connect(self.failures.append)

    def close(self) -> None:
        """End everything, whatever is going on."""
        self.worker.gate.set()
        self.runner.close()
        self.opener.close()
        self.ws.tasks.shutdown()
        self.ws.settings.save()

    def settle(self) -> None:
        settle(self.qtbot, self.ws)

    def open(self, case_id: str) -> None:
        self.opener.open(case_id)
        self.settle()

    def save(self) -> None:
        """Write the notes of the open case."""
        session = self.ws.session
        root, case_id = session.case.mask_root, session.case.id
        fields = session.annotations.as_dict()
        loaded = load_sidecar(root, case_id)
        save_sidecar(root, loaded.sidecar.with_annotations(fields), loaded.version)
        session.annotations.mark_saved(fields, session.annotations.revision, None)

    @property
    def proposal(self):
        return self.ws.session.proposals.current

    def states(self) -> list[tuple[str, str]]:
        return [(line.job.case.id, line.state) for line in self.runner.lines]
