"""Training of the liver's stage 1: it may be stopped at any moment, and nothing depends on when."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from inference.cli_train import train
from inference.liver import classes
from inference.liver.networks import make_network
from inference.phantom.grids import Grid
from inference.phantom.materials import Material, Palette
from inference.phantom.real_scan import RealScan
from inference.training import checkpoints, contrast, deform, loop, samples, scanner
from inference.training.liver import dice_scores
from inference.training.loss import segmentation_loss
from inference.training.patients import (
    SHAPE_KJI,
    PaintedPatient,
    Pool,
    paint_patient,
    read_patient,
    training_grid,
    write_patient,
)
from inference.training.real import real_patient
from inference.training.samples import CoarseVisits, FineVisits, Sample, Stream
from inference.training.settings import LoopSettings, StageSettings, read_settings

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config" / "train_liver.toml"
SHAPE = (32, 16, 16)
TINY = (4, 4, 4, 4, 4, 4)
SETTINGS = LoopSettings(
    steps=6,
    warm_up_steps=1,
    learning_rate=1e-2,
    weight_decay=1e-3,
    clip=1.0,
    ema_decay=0.9,
    validate_every=3,
    save_every=2,
)
STAGE = StageSettings(
    **SETTINGS.model_dump(),
    window_kji=(32, 16, 16),
    features=TINY,
    visits=2,
    block=2,
    noise_hu=(0.0, 10.0),
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Train with one thread, as is done: tiny layers are slower with two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def endless(first: int = 0) -> Iterator[Sample]:
    """Yield samples that depend on their number alone: bright voxels are liver."""
    step = first
    while True:
        generator = torch.Generator().manual_seed(step)
        image = torch.randn((9, *SHAPE), generator=generator)
        yield Sample(image, (image[0] > 0.5).to(torch.uint8), step % 5 == 4)
        step += 1


def training(folder: Path) -> loop.Training:
    torch.manual_seed(0)
    held = [next(endless(1000))]
    return loop.Training(folder, make_network(9, TINY), SETTINGS, lambda n: dice_scores(n, held))


def weights_of(trained: loop.Training) -> list[torch.Tensor]:
    return list(trained.state()["network"].values())


class TestLoop:
    def test_stopped_and_resumed_gives_the_bits_of_one_run(self, tmp_path):
        whole = training(tmp_path / "whole")
        whole.run(endless())
        training(tmp_path / "parts").run(endless(), stop_at=4)
        rest = training(tmp_path / "parts")
        assert rest.step == 4
        rest.run(endless(4))
        assert rest.done
        for a, b in zip(weights_of(whole), weights_of(rest), strict=True):
            assert torch.equal(a, b)
        curves = [(tmp_path / name / "curve.csv").read_text() for name in ("whole", "parts")]
        rows = [[line.split(",") for line in text.splitlines()] for text in curves]
        without_time = [[row[:1] + row[2:] for row in part] for part in rows]
        # stopping looks once more
        assert [row for row in without_time[1] if row[0] != "4"] == without_time[0]

    def test_torn_checkpoint_falls_back_to_the_one_before(self, tmp_path):
        training(tmp_path).run(endless())
        current = tmp_path / checkpoints.NAME
        current.write_bytes(current.read_bytes()[:5000])
        assert training(tmp_path).step == 4

    def test_checkpoint_that_was_never_finished_is_not_read(self, tmp_path):
        (tmp_path / f"{checkpoints.NAME}.part").write_bytes(b"half")
        assert checkpoints.load_checkpoint(tmp_path) is None
        assert training(tmp_path).step == 0

    def test_best_weights_are_those_of_the_best_score(self, tmp_path):
        scores = iter([0.5, 0.2])
        torch.manual_seed(0)
        loop.Training(
            tmp_path, make_network(9, TINY), SETTINGS, lambda _: {"score": next(scores)}
        ).run(endless())
        best, last = tmp_path / loop.BEST_NAME, tmp_path / loop.LAST_NAME
        assert best.read_bytes() != last.read_bytes()

    def test_learning_rate_warms_up_and_falls(self):
        rates = [loop.learning_rate(n, SETTINGS) for n in range(6)]
        assert rates[0] == SETTINGS.learning_rate
        assert rates[1:] == sorted(rates[1:], reverse=True)
        assert rates[-1] < 0.2 * rates[0]

    def test_one_training_at_a_time(self, tmp_path):
        with (
            checkpoints.only_one(tmp_path),
            pytest.raises(ValueError, match="is running"),
            checkpoints.only_one(tmp_path),
        ):
            pass
        with checkpoints.only_one(tmp_path):
            pass


class FakePatients:
    def draw(self, number, rng):
        return number, torch.tensor(float(rng.random()))


class FakeVisits:
    def __init__(self, number, value, rng):
        self.number, self.value = number, value

    def sample(self, rng):
        return self.number, float(self.value), float(rng.random())


class TestStream:
    def stream(self, first: int) -> Iterator:
        return iter(Stream(FakePatients, FakeVisits, 3, first, visits=2, block=3))

    def test_a_step_sees_the_same_sample_whenever_one_starts(self):
        whole = self.stream(0)
        seen = [next(whole) for _ in range(14)]
        for first in (1, 5, 6, 11):
            rest = self.stream(first)
            assert [next(rest) for _ in range(14 - first)] == seen[first:]

    def test_every_sample_is_visited_as_often(self):
        stream = self.stream(0)
        numbers = [next(stream)[0] for _ in range(12)]
        assert sorted(numbers) == sorted([*range(6), *range(6)])
        assert set(numbers[:6]) == {0, 1, 2}


class TestLoss:
    truth = torch.arange(20, dtype=torch.uint8).repeat_interleave(8).reshape(20, 2, 4)

    def logits(self, labels: torch.Tensor) -> torch.Tensor:
        one_hot = torch.nn.functional.one_hot(labels.long(), 20).permute(3, 0, 1, 2)
        return 30.0 * one_hot.float()

    def test_truth_costs_nothing_and_anything_else_does(self):
        assert segmentation_loss(self.logits(self.truth), self.truth, False) < 1e-4
        wrong = self.truth.clone()
        wrong[1] = 0
        assert segmentation_loss(self.logits(wrong), self.truth, False) > 1.0

    def test_where_only_the_liver_is_labelled_the_rest_is_free(self):
        truth = torch.where(self.truth == classes.LIVER, self.truth, 0)
        guess = torch.where(self.truth == classes.HEART, classes.SPLEEN, self.truth)
        guess = torch.where(torch.isin(guess, torch.tensor(classes.LESIONS)), 0, guess)
        assert segmentation_loss(self.logits(guess), truth, True) < 1e-3
        guess[0] = classes.LIVER
        assert segmentation_loss(self.logits(guess), truth, True) > 0.5

    def test_a_lesion_that_is_missed_costs_more_than_its_voxels(self):
        truth = torch.full((10, 10, 10), classes.LIVER, dtype=torch.uint8)
        truth[0, 0, :4] = classes.CYST
        blind = torch.full_like(truth, classes.LIVER)
        assert segmentation_loss(0.2 * self.logits(blind), truth, False) > 2.0

    def test_lesions_are_part_of_a_liver_that_is_labelled_alone(self):
        truth = torch.full((4, 4, 4), classes.LIVER, dtype=torch.uint8)
        lesions = torch.full_like(truth, classes.CYST)
        assert segmentation_loss(self.logits(lesions), truth, True) < 1e-3


class TestPhases:
    def test_one_phase_to_four_and_never_none(self):
        rng = np.random.default_rng(0)
        drawn = [scanner.draw_phases(rng) for _ in range(400)]
        counts = np.bincount([sum(present) for _, present in drawn], minlength=5) / 400
        assert counts[0] == 0
        assert 0.4 < counts[1] < 0.75
        assert counts[4] > 0.25
        single = [present.index(True) for _, present in drawn if sum(present) == 1]
        assert set(single) == {0, 1, 2, 3}

    def test_a_single_phase_is_sometimes_given_under_another_name(self):
        rng = np.random.default_rng(0)
        drawn = [scanner.draw_phases(rng) for _ in range(400)]
        misnamed = [s for s, p in drawn if sum(p) == 1 and s[p.index(True)] != p.index(True)]
        assert 10 < len(misnamed) < 80

    def test_cut_field_is_air_without_labels(self):
        rng = np.random.default_rng(1)
        hu, truth = torch.full((4, 20, 20, 20), 60.0), torch.ones((20, 20, 20), dtype=torch.uint8)
        cut = [scanner.cut_field(hu, truth, rng) for _ in range(20)]
        for image, labels in cut:
            assert torch.equal(image[0] > 0, labels > 0)
        assert 0.4 < np.mean([float((labels > 0).float().mean()) for _, labels in cut]) < 0.95


class TestViews:
    def test_without_deformation_a_view_is_the_patient(self):
        hu = torch.rand((2, 12, 10, 14)) * 100.0
        view = deform.make_view((12, 10, 14), (12, 10, 14), 3.0, np.zeros(3), np.eye(3), None)
        assert torch.allclose(view.image(hu), hu, atol=1e-2)
        labels = (hu[0] > 50.0).to(torch.uint8)
        assert torch.equal(view.labels(labels), labels)

    def test_a_moved_view_shows_air_beyond_the_patient(self):
        hu = torch.full((1, 8, 8, 8), 50.0)
        up = np.array([12.0, 0.0, 0.0])
        seen = deform.make_view((8, 8, 8), (8, 8, 8), 3.0, up, np.eye(3), None).image(hu)[0]
        assert seen[3, 4, 4] == pytest.approx(50.0)
        assert seen[4:].max() < -999.0


@pytest.fixture(scope="module")
def painted() -> PaintedPatient:
    """Return a patient of boxes: soft tissue, a liver, a cyst in it, lungs above."""
    front = np.zeros(SHAPE_KJI, dtype=np.uint8)
    front[20:116, 20:76, 30:106] = Material.MUSCLE
    front[60:90, 30:66, 40:84] = Material.LIVER
    front[70:80, 40:50, 50:60] = 100
    front[95:116, 30:66, 40:96] = Material.LUNG
    palette = Palette(np.random.default_rng(0), 60.0)
    palette.add("cyst 1 core", np.full(4, 7.0), (1.0, 1.0, 0.0), 16)
    names = np.full(256, "", dtype="U40")
    for code, name in palette.names.items():
        names[code] = name
    table = classes.CLASS_OF_LABEL[palette.label]
    share = np.full(SHAPE_KJI, 255, dtype=np.uint8)
    truth = table[front]
    return PaintedPatient(front, front.copy(), share, truth, palette.hu, palette.grain, names, 60.0)


class TestPatients:
    def test_written_and_read_again(self, painted, tmp_path):
        write_patient(tmp_path / "p.npz", painted)
        again = read_patient(tmp_path / "p.npz")
        assert isinstance(again, PaintedPatient)
        assert np.array_equal(again.truth, painted.truth)
        assert again.age_years == 60.0
        assert [p.name for p in tmp_path.iterdir()] == ["p.npz"]

    def test_pool_makes_a_patient_once(self, painted, tmp_path):
        made = []
        pool = Pool(tmp_path)
        for _ in range(2):
            pool.get("a", lambda: made.append(1) or painted)
        assert made == [1]

    def test_a_phantom_has_the_organs_that_leak(self):
        patient = paint_patient(1)
        there = set(np.unique(patient.truth).tolist())
        wanted = {classes.LIVER, classes.SPLEEN, classes.BOWEL, classes.HEART, classes.LUNG}
        assert wanted | {classes.SPINE, classes.BONE, classes.VESSEL} <= there
        again = paint_patient(1)
        assert np.array_equal(patient.front, again.front)
        assert np.array_equal(patient.hu, again.hu)


class TestContrast:
    def test_attenuations_change_and_keep_their_order(self, painted):
        rng = np.random.default_rng(0)
        drawn = [
            contrast.draw_attenuations(painted.hu, painted.names, 60.0, rng, 0.0) for _ in range(30)
        ]
        liver = np.array([hu[Material.LIVER] for hu in drawn])
        assert liver[:, 0].std() > 4.0
        assert (liver[:, 2] > liver[:, 0]).all()
        spleen = np.array([hu[Material.SPLEEN] for hu in drawn])
        assert (spleen[:, 1] > liver[:, 1]).mean() > 0.9
        assert abs(np.array([hu[100] for hu in drawn]) - 7.0).max() < 40.0

    def test_four_phases_are_shown(self, painted):
        showing = contrast.Showing(0, 0.0)
        phases = showing.phases(painted, np.random.default_rng(1))
        assert phases.shape == (4, *SHAPE_KJI)
        liver = painted.truth == classes.LIVER
        assert phases[2][liver].mean() > phases[0][liver].mean() + 10.0
        assert np.array_equal(phases, showing.phases(painted, np.random.default_rng(1)))

    def test_real_scan_moves_its_organs_and_gets_lesions(self):
        grid = training_grid()
        hu = np.full(SHAPE_KJI, -1000.0, dtype=np.float32)
        structures = np.zeros(SHAPE_KJI, dtype=np.uint16)
        hu[20:116, 20:76, 30:106] = 45.0
        structures[50:90, 26:70, 40:90] = 5
        hu[structures == 5] = 60.0
        scan = RealScan(
            hu, structures, {5: "liver"}, Grid(SHAPE_KJI, (3.0,) * 3, grid.origin_ras), np.eye(4)
        )
        patients = [real_patient(scan, seed, liver_only=True) for seed in (0, 1)]
        assert any(np.isin(p.truth, classes.LESIONS).any() for p in patients)
        assert all((p.truth == classes.LIVER).sum() > 40_000 for p in patients)
        assert patients[0].liver_only
        showing = contrast.Showing(0, 0.0)
        shown = [showing.phases(patients[0], np.random.default_rng(n)) for n in range(4)]
        liver = patients[0].truth == classes.LIVER
        rise = [float(v[2][liver].mean() - v[0][liver].mean()) for v in shown]
        assert max(rise) > 20.0
        outside = ~np.isin(patients[0].truth, (classes.LIVER, *classes.LESIONS))
        assert np.abs(shown[0][0][outside] - hu[outside]).mean() < 2.0


class TestVisits:
    def test_coarse_samples_fit_their_window(self, painted):
        hu = torch.from_numpy(contrast.Showing(0, 0.0).phases(painted, np.random.default_rng(0)))
        stage = STAGE.model_copy(update={"window_kji": (32, 32, 48)})
        rng = np.random.default_rng(0)
        visits = CoarseVisits(painted, hu, rng, stage)
        looks = [visits.sample(rng) for _ in range(3)]
        assert {look.image.shape for look in looks} == {(9, 32, 32, 48)}
        assert all(torch.isfinite(look.image).all() for look in looks)
        assert any((look.truth == classes.LIVER).sum() > 50 for look in looks)
        assert not torch.equal(looks[0].image, looks[1].image)

    def test_fine_samples_are_told_what_the_coarse_network_says(self, painted):
        hu = torch.from_numpy(contrast.Showing(0, 0.0).phases(painted, np.random.default_rng(0)))

        class Oracle(torch.nn.Module):
            """Says liver wherever any phase is as bright as soft tissue."""

            def forward(self, image: torch.Tensor) -> torch.Tensor:
                logits = torch.zeros((1, 20, *image.shape[2:]))
                logits[:, 1] = 20.0 * (image[:, 4] > -0.1) - 10.0
                return logits

        rng = np.random.default_rng(3)
        visits = FineVisits(painted, hu, rng, STAGE, Oracle())
        looks = [visits.sample(rng) for _ in range(12)]
        assert {look.image.shape for look in looks} == {(16, 32, 16, 16)}
        told = [look for look in looks if look.image[9:].any()]
        assert 0 < len(told) < len(looks)  # at times it must do without
        opinion = torch.cat([look.image[9].flatten() for look in told])
        liver = torch.cat([(look.truth == classes.LIVER).flatten() for look in told])
        assert liver.float().mean() > 0.1
        assert opinion[liver].mean() > 0.7


class TestSettings:
    def test_shipped_settings_are_valid(self):
        settings = read_settings(CONFIG)
        for stage in (settings.coarse, settings.fine):
            assert all(n % 16 == 0 for n in stage.window_kji)
        patients = settings.patients
        assert patients.first_seed + patients.phantoms <= patients.first_validation_seed

    def test_unknown_keys_are_refused_by_name(self, tmp_path):
        path = tmp_path / "t.toml"
        path.write_text(CONFIG.read_text().replace("seed = 0", "seed = 0\nsede = 1", 1))
        with pytest.raises(ValueError, match="sede"):
            read_settings(path)

    def test_command_does_not_overwrite_a_training(self, tmp_path):
        (tmp_path / "coarse").mkdir()
        result = CliRunner().invoke(train, ["liver", "--out", str(tmp_path)])
        assert result.exit_code != 0
        assert "--resume" in result.output


def test_scores_count_lesions_as_liver():
    truth = torch.zeros(SHAPE, dtype=torch.uint8)
    truth[4:12] = classes.LIVER
    truth[6:8] = classes.HCC

    class Says(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            guess = torch.where(truth == classes.HCC, classes.CYST, truth)
            return torch.nn.functional.one_hot(guess.long(), 20).permute(3, 0, 1, 2)[None].float()

    scores = dice_scores(Says(), [Sample(torch.zeros((9, *SHAPE)), truth, False)])
    assert scores["liver"] == 1.0
    assert scores["lesion"] == 1.0
    assert scores["type"] == 0.0


def samples_of_both() -> None:
    """Compare the samples of a process of their own with those made here."""
    stream = Stream(FakePatients, partial(FakeVisits), 3, 0, visits=2, block=3)
    loader = iter(samples.loader(stream))
    direct = iter(stream)
    assert [tuple(next(loader)) for _ in range(5)] == [next(direct) for _ in range(5)]


def test_samples_come_from_a_process_of_their_own():
    # a fork of this process, full of threads by other tests, may crash
    code = "from tests.unit.test_liver_training import samples_of_both; samples_of_both()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
