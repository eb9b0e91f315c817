"""Stage 2 and the thresholds after it, trained in a folder: tiny, but from file to file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from inference.cli_train import train
from inference.liver.rules import Rules
from inference.training import lesion_stream, lesions, thresholds
from inference.training.gathered import write_examination
from inference.training.lesion_samples import PatchBatch
from inference.training.lesion_stream import PatchStream
from inference.training.loop import BEST_NAME, CURVE_NAME
from inference.training.settings import read_settings
from tests.liver_world import examination_of

CONFIG = Path(__file__).resolve().parents[2] / "config" / "train_liver.toml"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return the files of two examinations: with contrast and without."""
    folder = tmp_path_factory.mktemp("examined")
    paths = []
    for name, present in (("four", (True,) * 4), ("plain", (True, False, False, False))):
        paths.append(folder / f"{name}.npz")
        write_examination(paths[-1], examination_of(present))
    return paths


@pytest.fixture
def settings():
    whole = read_settings(CONFIG)
    small = {
        "widths": (4, 4, 4),
        "steps": 4,
        "validate_every": 2,
        "save_every": 2,
        "batch": 3,
        "level_batches": 2,
        "level_steps": 5,
    }
    return whole.model_copy(update={"lesions": whole.lesions.model_copy(update=small)})


class Painted:
    """Instead of a painted liver, which takes seconds to paint."""

    def draw(self, rng):
        patches = torch.from_numpy(rng.normal(size=(14, 48, 48, 48)).astype(np.float32))
        patches[-2:] = 1.0
        return patches, int(rng.integers(7)), (patches[0] > 0).float()


@pytest.fixture
def gathered(monkeypatch, files):
    """Hand out the examinations of `files`, and paint no livers."""

    class Gatherer:
        def all_of(self, first_seed, patients):
            return files

    for module in (lesions, thresholds):
        monkeypatch.setattr(module, "gatherer_in", lambda *_: Gatherer())
    monkeypatch.setattr(lesion_stream, "visit_liver", lambda *_: Painted())
    monkeypatch.setattr(lesion_stream, "LiverShowing", lambda seed: None)


def batches(files, settings, first_step, n) -> list[PatchBatch]:
    stream = PatchStream(lambda: None, files, settings.lesions, 0, first_step)
    return [batch for batch, _ in zip(stream, range(n), strict=False)]


def test_step_n_sees_the_same_batch_whenever_training_began(gathered, files, settings):
    whole, rest = batches(files, settings, 0, 5), batches(files, settings, 3, 2)
    for a, b in zip(whole[3:], rest, strict=True):
        assert torch.equal(a.patches, b.patches)
        assert torch.equal(a.kinds, b.kinds)
    assert not torch.equal(whole[0].patches, whole[3].patches)


def test_stage_2_and_thresholds_are_made_in_turn(gathered, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(lesions, "DataLoader", lambda stream, **_: stream)
    with pytest.raises(ValueError, match="no weights of stage 2"):
        thresholds.tune(tmp_path, settings)
    lesions.train_lesions(tmp_path, settings)
    folder = tmp_path / lesions.FOLDER
    assert (folder / CURVE_NAME).read_text(encoding="utf-8").count("\n") == 3
    first = (folder / BEST_NAME).read_bytes()
    lesions.train_lesions(tmp_path, settings)  # there is nothing left to do
    assert (folder / BEST_NAME).read_bytes() == first
    rules = thresholds.tune(tmp_path, settings)
    assert rules != Rules()
    assert thresholds.load_rules(tmp_path / thresholds.NAME) == rules


def test_without_stage_1_the_command_says_what_is_missing(tmp_path):
    for stage in ("lesions", "thresholds"):
        result = CliRunner().invoke(train, ["liver", "--stage", stage, "--out", str(tmp_path)])
        assert result.exit_code == 1
        assert "yet" in result.output
