"""Whatever a model or its weights are: a sentence, nothing changed, and the next run works.

The window's own queue, with the real process; only the widgets are missing.
"""

import pickle
from pathlib import Path

import numpy as np
import pytest

from inference import cli
from inference.registry import list_models
from inference.worker import Worker
from labeler.workflows.run_model import make_worker
from tests import plugin_models
from tests.model_world import World
from tests.models_on_disk import write_bundle, write_manifest, write_onnx, write_torchscript
from tests.nnunet_folder import write_nnunet

#: Behaviour of a model of the plug-in, and words of the sentence.
FAILURES = {
    "killed": "was killed, perhaps because the memory ran out",
    "crashing": "crashed (SIGSEGV)",
    "leaving": "ended by itself (exit code 3)",
    "raising": "The model failed (KeyError",
    "doubting": "this is no liver",
    "misshapen": "not on the grid of an image",
    "mislabelled": "the label 9, which its card does not name",
    "garbling": "sent what nobody can read",
}


class Payload:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def begin(qtbot, tmp_path, tmp_path_factory, monkeypatch):
    """Start the queue with a real process; ends it at the end of the test."""
    plugin_models.install(tmp_path_factory.mktemp("plugin"), monkeypatch)
    worlds = []

    def made(worker=make_worker) -> World:
        world = World(qtbot, tmp_path, {"A": ("PV",)}, worker=worker, models=list_models)
        world.ws.settings.update("models", device="cpu")
        world.open("A")
        worlds.append(world)
        return world

    yield made
    for world in worlds:
        world.close()


def run(world: World, model: str) -> None:
    world.runner.run(model, {})
    world.settle()


def assert_failed(world: World, model: str, words: str) -> None:
    """Run a model that fails: one sentence, and the mask and the case are as before."""
    session = world.ws.session
    before = session.masks["draft"].mask.array.copy()
    world.failures.clear()
    run(world, model)
    (sentence,) = world.failures
    assert words in sentence
    assert "\n" not in sentence
    assert world.states() == [("A", "failed")]
    assert world.proposal is None
    assert not session.is_dirty
    np.testing.assert_array_equal(session.masks["draft"].mask.array, before)


def assert_works(world: World, model: str = "threshold") -> None:
    run(world, model)
    assert world.proposal.run.model == model
    world.ws.session.proposals.clear()


def test_every_way_to_fail_is_a_sentence_and_the_next_run_works(begin):
    world = begin()
    for model, words in FAILURES.items():
        assert_failed(world, model, words)
        assert_works(world)


def test_a_model_that_wants_more_memory_than_it_may_have(begin):
    def limited(folders, device):
        return Worker(folders=folders, device=device, memory_limit_bytes=3 << 30)

    world = begin(limited)
    assert_failed(world, "hungry", "more memory than there is")
    assert_works(world)


def test_a_model_that_hangs_is_stopped(begin):
    def impatient(folders, device):
        return Worker(folders=folders, device=device, hang_timeout_s=1.0)

    world = begin(impatient)
    assert_failed(world, "hanging", "no sign of life for 1 s")
    assert_works(world)


def test_weights_that_are_not_what_they_should_be(begin, tmp_path):
    """Changed, cut off, a pickle, and a pickle in the form of torch; then the right ones."""
    import torch

    folder, trap = write_torchscript(tmp_path / "dense"), tmp_path / "executed"
    good, path = (folder / "model.ts").read_bytes(), folder / "model.ts"
    world = begin()
    world.ws.settings.update("models", folders=[str(folder)])
    world.settle()
    path.write_bytes(good + b"x")
    assert_failed(world, "dense", "not those of the card")
    for content in (good[:-100], pickle.dumps(Payload(trap)), b""):
        path.write_bytes(content)
        write_manifest(folder, "model.ts", "torchscript")
        assert_failed(world, "dense", "model.ts is no ")
    torch.save({"weights": Payload(trap)}, path)
    write_manifest(folder, "model.ts", "torchscript")
    assert_failed(world, "dense", "model.ts is no ")
    assert not trap.exists()
    path.unlink()
    assert_failed(world, "dense", "lacks the weights model.ts")
    path.write_bytes(good)
    write_manifest(folder, "model.ts", "torchscript")
    assert_works(world, "dense")


def test_models_by_path_are_listed_run_and_named(begin, tmp_path, capsys):
    """TorchScript, ONNX, nnU-Net and a MONAI bundle, each from its folder, in one process."""
    folders = [
        write_torchscript(tmp_path / "script"),
        write_nnunet(tmp_path / "unet"),
        write_bundle(tmp_path / "bundle", tmp_path / "executed"),
    ]
    pytest.importorskip("onnx")
    folders.append(write_onnx(tmp_path / "graph"))
    assert cli.main(["manifest", str(folders[2]), "--licence", "Apache-2.0"]) == 0
    capsys.readouterr()
    world = begin()
    world.ws.settings.update("models", folders=[*map(str, folders), str(tmp_path / "nothing")])
    world.settle()
    ours = [e for e in world.runner.models if e.id in ("script", "graph", "unet", "dense-tissue")]
    assert [entry.problem for entry in ours] == [None] * 4
    names = {"unet": {1: "liver", 2: "spleen"}}
    volume = world.ws.session.volumes["PV"]
    for entry in ours:
        run(world, entry.id)
        assert world.failures == []
        proposal = world.proposal
        assert proposal.run.licence == entry.card.licence != ""
        assert proposal.names == names.get(entry.id, {1: "dense"})
        assert proposal.numbers.shape == volume.array.shape
        assert bool(proposal.regions) or entry.id == "unet", "all of the patient is dense"
    assert not (tmp_path / "executed").exists()
