"""Running models: the queue, refusals, cancelling, answers for other cases."""

import numpy as np
import pytest

from inference.contract import Finding, Landmark, Result
from inference.worker import WorkerError
from labeler.state.proposals import PROVENANCE, ProposedPoint
from labeler.state.session import note_edit
from labeler.storage.proposal_files import PackedProposal, Waiting, case_key
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.review_proposal import reject_regions
from tests.cases_on_disk import write_case
from tests.model_world import (
    BOXES,
    CARD,
    FOREIGN,
    HCC,
    LIVER,
    MEASURING,
    World,
    boxes_answer,
    ras_of,
)

PARAMS = {"sensitivity": 2.0}


@pytest.fixture
def world(qtbot, tmp_path):
    made = World(
        qtbot,
        tmp_path,
        {"A": ("NC", "PV"), "B": ("PV",), "C": ("NC",), "D": ("ART", "PV")},
    )
    yield made
    made.close()


def test_the_answer_becomes_a_proposal_beside_the_masks(world):
    world.open("A")
    before = world.ws.session.masks["draft"].mask.array.copy()
    world.runner.run(CARD.id, PARAMS)
    world.settle()
    proposal = world.proposal
    assert (proposal.case_id, proposal.phase) == ("A", "PV")
    assert [r.label for r in proposal.regions.values()] == [LIVER, HCC, HCC]
    assert proposal.run.params == PARAMS
    assert (proposal.run.model, proposal.run.device, proposal.run.weights) == (
        CARD.id, "cpu", CARD.weights,
    )  # fmt: skip
    assert proposal.run.phases == ("NC", "PV")
    assert set(proposal.regions[1].hu) == {"NC", "PV"}
    assert list(world.ws.session.masks) == ["draft"]
    np.testing.assert_array_equal(world.ws.session.masks["draft"].mask.array, before)
    assert not world.ws.session.is_dirty
    model, request = world.worker.requests[0]
    assert model == CARD.id
    volume = world.ws.session.volumes["PV"]
    assert np.shares_memory(request.images["PV"].array, volume.array), "it is not read twice"


def test_a_missing_phase_is_said_before_running(world):
    world.open("C")
    with pytest.raises(EditRefused, match="needs the phase PV"):
        world.runner.run(CARD.id, PARAMS)
    assert world.runner.lines == ()
    assert world.worker.requests == []


def test_a_broken_model_and_no_case_are_said(world):
    with pytest.raises(EditRefused, match="Open a case"):
        world.runner.run(CARD.id, PARAMS)
    world.open("A")
    with pytest.raises(EditRefused, match=r"model.toml cannot be read"):
        world.runner.run("broken", {})


def test_figures_alone_are_an_answer_that_stays_with_its_case(world):
    answer = Result(measures={"T-score": -1.2, "reliable": True}, report="Lower than usual.")
    world.worker.answer = lambda request: answer
    world.open("A")
    world.runner.run(MEASURING.id, {})
    world.settle()
    world.open("B")
    world.open("A")
    assert not world.proposal.has_mask
    assert world.proposal.regions == {}
    assert world.proposal.landmarks is None
    assert world.proposal.report == "Lower than usual."
    assert world.proposal.measures == {"T-score": -1.2, "reliable": True}
    world.opener.close()
    world.start()
    world.open("A")
    assert world.proposal.measures["T-score"] == -1.2


def test_landmarks_wait_until_they_are_taken(world):
    place = (1.0, 2.0, 30.0)
    points = (Landmark(19, place, 0.9), Landmark(20, place, 0.4, ("touches the edge",)))
    world.worker.answer = lambda request: Result(landmarks=points)
    world.open("A")
    note = world.ws.session.annotations.change("shift", "NC", [0.0, 0.0, 12.0])
    world.ws.session.annotations.apply(note)
    world.runner.run(MEASURING.id, {})
    world.settle()
    first, second = world.proposal.landmarks
    assert world.proposal.phase == "NC"
    assert first == ProposedPoint(19, (1.0, 2.0, 18.0), 0.9), "on the grid of its phase"
    assert second.flags == ("touches the edge",)
    proposals = world.ws.session.proposals
    assert not proposals.is_settled
    taken = {"id": "x", "proposal": world.proposal.id, "landmarks": 2}
    edit = note_edit(world.ws.session, "Take landmarks", PROVENANCE, "x", taken)
    world.ws.session.apply(edit)
    assert proposals.is_settled
    world.save()
    world.open("B")
    world.open("A")
    assert world.proposal is None


def test_all_listed_cases_are_run_in_order_and_wait_for_their_case(world):
    world.open("A")
    assert world.runner.run_all(CARD.id, PARAMS, ["A", "B", "C", "D"]) == (3, 1)
    world.settle()
    assert world.states() == [("A", "done"), ("B", "done"), ("D", "done")]
    assert world.proposal.case_id == "A"
    world.open("C")
    assert world.proposal is None
    world.open("B")
    assert world.proposal.case_id == "B"
    assert world.proposal.grid.matches(world.ws.session.volumes["PV"].grid)


def test_what_arrives_after_the_case_was_left_waits_for_it(world):
    world.open("A")
    world.worker.gate.clear()
    world.runner.run(CARD.id, PARAMS)
    world.qtbot.waitUntil(world.worker.entered.is_set)
    world.opener.open("B")
    world.qtbot.waitUntil(lambda: world.ws.session.case.id == "B")
    world.worker.gate.set()
    world.settle()
    assert world.proposal is None
    world.open("A")
    assert world.proposal.case_id == "A"


def test_the_running_job_is_cancelled_and_the_next_begins(world):
    world.open("A")
    world.worker.gate.clear()
    world.runner.run_all(CARD.id, PARAMS, ["A", "B"])
    world.qtbot.waitUntil(world.worker.entered.is_set)
    world.runner.cancel()
    assert world.states() == [("B", "running")]
    world.worker.gate.set()
    world.settle()
    assert world.proposal is None
    assert world.failures == []
    assert [len(request.images) for _, request in world.worker.requests] == [2, 1]


def test_cancel_all_empties_the_queue(world):
    world.open("A")
    world.worker.gate.clear()
    world.runner.run_all(CARD.id, PARAMS, ["A", "B", "D"])
    world.qtbot.waitUntil(world.worker.entered.is_set)
    world.runner.cancel_all()
    world.settle()
    assert world.runner.lines == ()
    assert len(world.worker.requests) == 1


def test_the_open_case_comes_before_what_waits_and_is_not_asked_twice(world):
    world.open("A")
    world.worker.gate.clear()
    world.runner.run_all(CARD.id, PARAMS, ["B", "D"])
    world.runner.run(CARD.id, PARAMS)
    assert world.states() == [("B", "running"), ("A", "waiting"), ("D", "waiting")]
    with pytest.raises(EditRefused, match="in the queue"):
        world.runner.run(CARD.id, PARAMS)


def test_a_failure_is_a_sentence_and_the_next_run_works(world):
    world.open("A")
    world.worker.error = WorkerError("The model's process was killed")
    world.runner.run(CARD.id, PARAMS)
    world.settle()
    assert world.failures == ["Liver demo on A: The model's process was killed"]
    assert world.states() == [("A", "failed")]
    assert world.proposal is None
    world.worker.error = None
    world.runner.run(CARD.id, PARAMS)
    world.settle()
    assert world.proposal is not None
    assert world.states() == [("A", "done")]


@pytest.mark.logs_errors
def test_an_error_of_the_program_is_said_too(world):
    world.open("A")
    world.worker.error = RuntimeError("boom")
    world.runner.run(CARD.id, PARAMS)
    world.settle()
    assert world.failures == ["Liver demo on A: boom"]


def test_an_unreadable_phase_fails_with_its_name(world):
    (world.folder / "images" / "B" / "PV.nii.gz").write_bytes(b"\x1f\x8bnothing")
    world.runner.run_all(CARD.id, PARAMS, ["B"])
    world.settle()
    assert len(world.failures) == 1
    assert "PV" in world.failures[0]


def test_progress_tells_what_is_done(world):
    world.open("A")
    seen = []
    world.runner.progressed.connect(lambda progress: seen.append(progress))
    world.runner.run(CARD.id, PARAMS)
    world.settle()
    assert [(p.fraction, p.text) for p in seen] == [(0.1, "Looking"), (0.9, "Almost there")]


def test_findings_belong_to_their_regions(world):
    def findings(mask):
        return (
            Finding(HCC, ras_of(mask, (4, 5, 5)), 0.8, {"first": {"HCC": 0.8}}, {"w": 1.0}, ("?",)),
            Finding(HCC, ras_of(mask, (0, 0, 0)), 0.5),
        )

    world.open("A")
    world.worker.answer = boxes_answer(BOXES, findings=findings, warnings=("Cut off.",))
    world.runner.run(CARD.id, PARAMS)
    world.settle()
    proposal = world.proposal
    lesion = next(n for n, r in proposal.regions.items() if r.label == HCC and r.box.lo_kji[0] == 3)
    assert proposal.opinions.keys() == {lesion}
    opinion = proposal.opinions[lesion]
    assert (opinion.confidence, opinion.flags) == (0.8, ("?",))
    assert opinion.opinions == {"first": {"HCC": 0.8}}
    assert proposal.warnings == ("Cut off.", "A finding of the model lies in none of the regions.")


def test_shifts_reach_the_model_and_the_answer_moves_with_its_phase(world):
    def findings(mask):
        return (Finding(HCC, ras_of(mask, (4, 5, 5)), 0.8),)

    world.open("A")
    note = world.ws.session.annotations.change("shift", "PV", [0.0, 0.0, 12.0])
    world.ws.session.annotations.apply(note)
    world.worker.answer = boxes_answer(BOXES, findings=findings)
    world.runner.run(CARD.id, PARAMS)
    world.settle()
    image = world.worker.requests[0][1].images["PV"]
    own = world.ws.session.volumes["PV"].grid
    assert image.affine_ras[2, 3] == own.affine[2, 3] + 12.0
    assert world.proposal.grid.matches(own)
    assert len(world.proposal.opinions) == 1


def test_it_survives_a_restart_and_forgets_when_the_file_changed(world):
    world.open("A")
    world.runner.run_all(CARD.id, PARAMS, ["A", "B"])
    world.settle()
    first = world.proposal.id
    world.opener.close()
    world.start()
    world.open("A")
    assert world.proposal.id == first
    write_case(world.folder, "B", ("PV",))
    world.open("B")
    assert world.proposal is None
    assert not world.shelf.folder.holds(case_key(world.ws.session.case))


def test_memory_is_bounded(world):
    world.ws.settings.data.memory.proposals_mb = 1
    for name in "PQR":
        world.shelf.keep(PackedProposal(name, bytes(400_000)))
    assert world.shelf.nbytes == 800_000
    world.runner.run_all(CARD.id, PARAMS, ["A", "B"])
    world.settle()
    assert world.shelf.nbytes < 2**20
    world.shelf.keep(PackedProposal("S", bytes(2**20)))
    assert world.shelf.nbytes == 2**20, "the newest is kept, however large it is"
    world.open("B")  # from disk
    assert world.proposal.case_id == "B"


def test_what_was_decided_on_does_not_come_back(world):
    world.open("A")
    world.runner.run(CARD.id, PARAMS)
    world.settle()
    reject_regions(world.ws, world.proposal.regions)
    assert world.proposal is not None, "it can be brought back as long as the case is open"
    world.save()
    world.open("B")
    world.open("A")
    assert world.proposal is None
    assert not world.shelf.folder.holds(case_key(world.ws.session.case))


def test_it_is_known_which_cases_have_an_answer_that_waits_and_its_doubts(world):
    world.worker.answer = boxes_answer(BOXES, warnings=("Cut off.",))
    world.open("A")
    changes = []
    world.shelf.waiting_changed.connect(lambda: changes.append(True))
    world.runner.run_all(CARD.id, PARAMS, ["B"])
    world.settle()
    case = world.worklist.case
    expected = Waiting("Liver demo 1.0", ("Cut off.",))
    assert (world.shelf.waiting(case("A")), world.shelf.waiting(case("B"))) == (None, expected)
    assert changes
    world.start()
    assert world.shelf.waiting(case("B")) is None
    world.shelf.look()
    world.settle()
    assert world.shelf.waiting(case("B")) == expected
    world.open("B")
    reject_regions(world.ws, world.proposal.regions)
    world.save()
    world.open("A")
    world.settle()
    assert world.shelf.waiting(case("B")) is None


def test_rejections_survive_a_restart(world):
    world.open("A")
    world.runner.run(CARD.id, PARAMS)
    world.settle()
    reject_regions(world.ws, [2])
    world.save()
    world.opener.close()
    world.start()
    world.open("A")
    decisions = world.ws.session.proposals.decisions()
    assert [decisions[n] for n in (1, 2, 3)] == ["open", "rejected", "open"]


def test_decisions_that_were_not_saved_do_not_end_a_proposal(world):
    world.open("A")
    world.runner.run(CARD.id, PARAMS)
    world.settle()
    reject_regions(world.ws, world.proposal.regions)
    world.open("B")
    world.open("A")
    assert world.ws.session.proposals.open_numbers() == [1, 2, 3]


def test_the_next_cases_are_computed_ahead_and_make_way(world):
    world.worker.gate.clear()
    world.runner.run_ahead(CARD.id, PARAMS, ["B", "C", "D"])
    assert world.states() == [("B", "running"), ("D", "waiting")]
    world.opener.open("A")
    world.qtbot.waitUntil(lambda: "PV" in world.ws.session.volumes)
    world.runner.run(CARD.id, PARAMS)
    assert world.states() == [("A", "running"), ("D", "waiting"), ("B", "waiting")]
    world.worker.gate.set()
    world.settle()
    assert [state for _, state in world.states()] == ["done"] * 3
    world.runner.run_ahead(CARD.id, PARAMS, ["B", "D"])
    assert [line for line in world.runner.lines if line.state == "waiting"] == []
    assert world.runner.running is None


def test_ahead_passes_over_cases_that_have_accepted_regions(world):
    world.open("B")
    note = world.ws.session.annotations.change(PROVENANCE, "x-1", {"id": "x-1", "model": CARD.id})
    world.ws.session.annotations.apply(note)
    world.save()
    world.open("A")
    world.runner.run_ahead(CARD.id, PARAMS, ["B"])
    world.settle()
    assert world.worker.requests == []
    assert world.runner.lines == ()


def test_another_device_gets_another_worker(world):
    world.open("A")
    world.runner.run(CARD.id, PARAMS)
    world.settle()
    world.ws.settings.update("models", device="cpu")
    world.runner.run(FOREIGN.id, {})
    world.settle()
    assert world.worker.closed == 1


def test_an_answer_that_comes_while_the_case_is_read_waits_for_its_phases(world):
    world.runner.run_all(CARD.id, PARAMS, ["A"])
    world.settle()
    session = world.ws.session
    begun = session.case_opened.connect(lambda case: case and world.shelf.show_here())
    first = []
    session.volume_loaded.connect(lambda phase: (first.append(phase), world.shelf.show_here()))
    world.open("A")
    session.case_opened.disconnect(begun)
    assert len(first) == 2
    assert world.proposal is not None
    assert set(world.proposal.regions[1].hu) == {"NC", "PV"}
    assert world.shelf.folder.holds(case_key(session.case))


def test_an_answer_without_a_region_is_shown_once(world):
    world.worker.answer = boxes_answer({})
    world.runner.run_all(CARD.id, PARAMS, ["A"])
    world.settle()
    world.open("A")
    assert world.proposal is not None
    assert world.proposal.regions == {}
    world.open("B")
    world.open("A")
    assert world.proposal is None
