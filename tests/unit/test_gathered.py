"""Real proposals for training: what is gathered, what is drawn from it, what counts as a hit."""

from pathlib import Path

import numpy as np
import pytest
import torch

from inference.contract import PHASES
from inference.evaluation.matching import diameter_mm, hits, true_lesions
from inference.liver import classes
from inference.liver.stage1 import Stage1
from inference.liver.stage2 import N_CHANNELS, NOT_A_LESION, PATCH
from inference.progress import Silent
from inference.training import gathered
from inference.training.gathered import gatherer_in, read_examination, write_examination
from inference.training.gathered_samples import ExaminationVisit, held_out
from inference.training.scanned import Scanned, ScannedPool, read_scanned, write_scanned
from inference.training.settings import read_settings
from tests.liver_world import CYST_HU, examination_of, oracle, scanned

CONFIG = Path(__file__).resolve().parents[2] / "config" / "train_liver.toml"


@pytest.fixture(scope="module")
def patient():
    return scanned()


@pytest.fixture(scope="module")
def examination(patient):
    found = gathered.examine(patient, PHASES, Stage1(oracle, oracle), Silent())
    assert found is not None
    return found


@pytest.fixture(scope="module")
def settings():
    return read_settings(CONFIG).lesions.model_copy(update={"noise_hu": (0.0, 1.0)})


def test_what_stands_out_is_gathered_with_the_truth(examination):
    cyst = classes.CYST - classes.LESIONS[0]
    assert sorted(set(examination.kinds.tolist())) == [cyst, NOT_A_LESION]
    (n,) = np.flatnonzero(examination.kinds == cyst)
    assert examination.hit[n] == 0
    assert examination.lesion_mm[0] == pytest.approx(32.0, abs=2.0)
    inside = examination.outline[n]
    assert inside.sum() * 1.5**3 / 1000 == pytest.approx(17.2, rel=0.1)
    assert np.abs(examination.hu[n][:, inside].mean() - CYST_HU) < 12.0
    assert not examination.outline[examination.kinds == NOT_A_LESION].any()
    assert examination.liver_dice > 0.97
    assert not examination.malignant
    assert not examination.healthy[n]


def test_examinations_survive_a_file(examination, tmp_path):
    write_examination(tmp_path / "a.npz", examination)
    again = read_examination(tmp_path / "a.npz")
    assert np.array_equal(again.hu, examination.hu)
    assert again.malignant is False
    assert again.liver_dice == examination.liver_dice


def test_patients_survive_a_file(patient, tmp_path):
    write_scanned(tmp_path / "a.npz", patient)
    again = read_scanned(tmp_path / "a.npz")
    assert set(again.phases) == set(PHASES)
    assert np.array_equal(again.phases["PV"].array, patient.phases["PV"].array)
    assert np.array_equal(again.reference.array, patient.reference.array)


def test_the_truth_moves_with_the_breath(patient):
    moved = Scanned(patient.phases, patient.reference, {"NC": (1.0, 2.0, -3.0)})
    shift = moved.reference_in("NC").affine_ras - patient.reference.affine_ras
    assert shift[:3, 3].tolist() == [1.0, 2.0, -3.0]
    assert not shift[:3, :3].any()


class Pool(ScannedPool):
    """Hands out nobody, and counts."""

    def __init__(self, folder):
        super().__init__(folder)
        self.asked = []

    def get(self, seed):
        self.asked.append(seed)


@pytest.mark.parametrize("liver", [True, False])
def test_gathering_goes_on_where_it_was_stopped(tmp_path, monkeypatch, liver):
    found = examination_of((True,) * 4) if liver else None
    monkeypatch.setattr(gathered, "examine", lambda *_: found)
    pool = Pool(tmp_path / "s")
    gatherer = gathered.Gatherer(tmp_path / "e", pool, Stage1(oracle, oracle), Silent())
    for _ in range(2):  # the second time everything is known, also that there was no liver
        assert len(gatherer.all_of(5, 1)) == (2 if liver else 0)
    assert pool.asked == [5, 5]


def test_a_patient_without_a_liver_has_no_examination(patient):
    def blind(window):
        return torch.eye(classes.N_CLASSES)[0][None, :, None, None, None].expand(
            1, -1, *window.shape[2:]
        )

    assert gathered.examine(patient, ("NC",), Stage1(blind, blind), Silent()) is None


def test_stage_2_needs_a_stage_1(tmp_path):
    with pytest.raises(ValueError, match="not there yet"):
        gatherer_in(tmp_path, read_settings(CONFIG), "f32")


def test_drawn_patches_show_their_lesion(examination, settings):
    visit = ExaminationVisit(
        examination, settings.model_copy(update={"negative_share": 0.0, "context_share": 0.0})
    )
    rng = np.random.default_rng(0)
    for _ in range(5):
        image, kind, outline = visit.draw(rng)
        assert image.shape == (N_CHANNELS, PATCH, PATCH, PATCH)
        assert kind == classes.CYST - classes.LESIONS[0]
        shown = [n for n in range(4) if image[8 + n, 0, 0, 0] == 1.0]
        assert shown
        for n in shown:  # against the liver: dark
            assert image[4 + n][outline > 0.5].median() < -1.0


def test_a_lesion_is_pasted_where_something_else_was_proposed(examination, settings):
    places = np.ones(len(examination), dtype=bool)
    places[examination.kinds != NOT_A_LESION] = False
    healthy = examination.__class__(
        **{
            **{n: getattr(examination, n) for n in examination.__dataclass_fields__},
            "healthy": places,
            "sides_mm": np.full(len(examination), 72.0),
        }
    )
    share = {"negative_share": 0.0, "context_share": 1.0}
    n = int(np.flatnonzero(examination.kinds != NOT_A_LESION)[0])
    own = torch.from_numpy(examination.patch(n).hu)
    visit = ExaminationVisit(healthy, settings.model_copy(update=share))
    raw = healthy.patch(n)
    masks = torch.from_numpy(
        np.stack([raw.liver, raw.proposal, healthy.outline[n]]).astype(np.float32)
    )
    mixed, moved = visit._elsewhere(n, own, masks, np.random.default_rng(0))
    inside = masks[2] > 0.5
    assert torch.allclose(mixed[:, inside], own[:, inside])
    far = torch.nn.functional.max_pool3d(masks[2][None], 15, 1, 7)[0] < 0.5
    assert (mixed[:, far] - own[:, far]).abs().mean() > 1.0
    assert torch.equal(moved[1:], masks[1:])


def test_held_out_patches_are_as_they_are(examination):
    patches = list(held_out(examination))
    assert [kind for _, kind, _ in patches] == examination.kinds.tolist()
    first = patches[0][0]
    assert torch.equal(first, examination.patch(0).network_input([True] * 4))


def test_an_examination_without_proposals_has_nothing_to_draw(examination, settings):
    arrays = {n: getattr(examination, n) for n in examination.__dataclass_fields__}
    empty = {n: v[:0] for n, v in arrays.items() if np.ndim(v) and len(v) == len(examination)}
    nothing = examination.__class__(**{**arrays, **empty})
    assert len(nothing) == 0
    with pytest.raises(ValueError, match="no patches"):
        ExaminationVisit(nothing, settings).draw(np.random.default_rng(0))


class TestMatching:
    truth = np.zeros((20, 20, 20), dtype=np.uint8)
    truth[2:8, 2:8, 2:8] = classes.HCC
    truth[12:16, 12:16, 12:16] = classes.CYST
    truth[18, 18, 18] = classes.FNH  # 0.03 ml: too small to count

    def test_lesions_are_pieces_of_a_type(self):
        found = true_lesions(self.truth, 0.027)
        assert [each.kind for each in found] == [classes.HCC, classes.CYST]
        assert found[0].diameter_mm == pytest.approx(diameter_mm(216 * 0.027))

    def test_a_tenth_of_the_smaller_is_a_hit(self):
        lesions = true_lesions(self.truth, 0.027)
        region = np.zeros(self.truth.shape, dtype=bool)
        region[7:17, 2:8, 2:8] = True  # 36 of 216 and 360 voxels
        assert hits(region, lesions) == [(0, pytest.approx(72 / 576))]
        region[7, 2:8, 2:5] = False  # 18 of 216
        assert hits(region, lesions) == []
