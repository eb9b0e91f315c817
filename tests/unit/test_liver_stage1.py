"""Stage 1 of the liver model: geometry, windows, clearing up, doubts, files."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from inference.contract import PHASES, Cancelled, Image, Request
from inference.grid import grid_of
from inference.liver import FACTORY, LiverFactory, classes, quality
from inference.liver.inputs import (
    N_CHANNELS,
    at_positions,
    coarse_of_fine,
    network_input,
)
from inference.liver.model import LiverModel
from inference.liver.networks import (
    coarse_network,
    fine_network,
    make_network,
    organ_context,
    start_from_coarse,
)
from inference.liver.organ_doubts import measure_organs, organ_warnings
from inference.liver.rules import OrganLimits, QualityLimits
from inference.liver.scan import Scan, make_scan, mask_on_image, reference_phase
from inference.liver.stage1 import NothingFound, Segmentation, Stage1, clear_up, organ_box
from inference.weights import save_weights

# no border passes through another tissue on its way
TISSUE_HU, LIVER_HU, LESION_HU, KIDNEY_HU = -20.0, 120.0, 220.0, 320.0
CENTRE_RAS, RADII_MM = (30.0, -10.0, 40.0), (60.0, 45.0, 40.0)
TINY = [4, 4, 4, 4, 4, 4]
LIMITS = QualityLimits(0.12, 0.18, 0.16)


class Listener:
    """A context that remembers, and cancels after some reports."""

    def __init__(self, cancel_after: int = 10**9) -> None:
        self.heard: list[float] = []
        self.cancel_after = cancel_after

    def report(self, fraction: float, text: str) -> None:
        self.heard.append(fraction)

    def check(self) -> None:
        if len(self.heard) >= self.cancel_after:
            raise Cancelled


def ellipsoid(points_ras: np.ndarray, centre: tuple, radii: tuple) -> np.ndarray:
    return (((points_ras - centre) / radii) ** 2).sum(axis=-1) < 1.0


def points_of(image_shape: tuple, affine: np.ndarray) -> np.ndarray:
    k, j, i = np.meshgrid(*(np.arange(n) for n in image_shape), indexing="ij")
    return np.stack([i, j, k], axis=-1) @ affine[:3, :3].T + affine[:3, 3]


def body(codes: str = "LPS", spacing_mm: tuple = (2.0, 2.0, 4.0)) -> tuple[Image, np.ndarray]:
    """Return a scan of an ellipsoid body with liver, kidney and a lesion, and the liver's truth."""
    signs = [1.0 if code in "RAS" else -1.0 for code in codes]
    affine = np.diag([*(np.array(spacing_mm) * signs), 1.0])
    shape = (70, 130, 150)
    middle = (np.array(shape[::-1]) - 1) / 2.0
    affine[:3, 3] = np.array([10.0, -20.0, 30.0]) - affine[:3, :3] @ middle
    points = points_of(shape, affine)
    hu = np.full(shape, -1000.0)
    hu[ellipsoid(points, (10.0, -20.0, 30.0), (110.0, 90.0, 400.0))] = TISSUE_HU
    liver = ellipsoid(points, CENTRE_RAS, RADII_MM)
    hu[liver] = LIVER_HU
    hu[ellipsoid(points, (40.0, -10.0, 45.0), (14.0, 14.0, 14.0))] = LESION_HU
    hu[ellipsoid(points, (-60.0, -60.0, 10.0), (25.0, 20.0, 40.0))] = KIDNEY_HU
    return Image(np.rint(hu).astype(np.int16), affine), liver


def oracle(window: torch.Tensor) -> torch.Tensor:
    """Return logits that tell tissues by their attenuation alone."""
    wide = window[:, 4] * 1000.0
    logits = torch.full((1, classes.N_CLASSES, *window.shape[2:]), -10.0)
    for number, hu in (
        (classes.BACKGROUND, TISSUE_HU),
        (classes.LIVER, LIVER_HU),
        (classes.RIGHT_KIDNEY, KIDNEY_HU),
        (classes.CYST, LESION_HU),
    ):
        logits[:, number] = -((wide - hu).abs()) / 10.0
    logits[:, 0] = torch.where(wide < -100.0, 10.0, logits[:, 0])
    return logits


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2.0 * float((a & b).sum()) / float(a.sum() + b.sum())


@pytest.fixture(scope="module")
def card():
    from inference.contract import Card

    return Card("liver", "liver", "Liver", "1", "GPL", "Demonstration.")


class TestInputs:
    def test_missing_phases_show_nothing_but_their_flag(self):
        hu = torch.full((4, 2, 2, 2), 200.0)
        image = network_input(hu, [True, False, True, False])
        assert image.shape == (N_CHANNELS, 2, 2, 2)
        assert image[:, 0, 0, 0].tolist() == pytest.approx(
            [1.0, 0.0, 1.0, 0.0, 0.2, 1.0, 0.0, 1.0, 0.0]
        )

    def test_the_wide_window_shows_the_best_phase(self):
        hu = torch.stack([torch.full((1, 1, 1), 100.0 * (n + 1)) for n in range(4)])
        order = [[0, 1, 2, 3], [0, 1, 3], [0, 1], [0]]
        for phases, best in zip(order, (2, 3, 1, 0), strict=True):
            image = network_input(hu, [n in phases for n in range(4)])
            assert float(image[4]) == pytest.approx(0.1 * (best + 1))

    def test_no_phase_is_refused(self):
        with pytest.raises(ValueError, match="at least one"):
            network_input(torch.zeros((4, 1, 1, 1)), [False] * 4)

    def test_networks_see_which_phases_there_are(self):
        torch.manual_seed(0)
        network = make_network(N_CHANNELS, TINY).eval()
        hu = torch.full((4, 32, 32, 32), 50.0)  # the level of the window: images are equal
        one, four = (
            network(network_input(hu, flags)[None])
            for flags in ([False, False, True, False], [True] * 4)
        )
        assert (one - four).abs().mean() > 1e-2

    def test_a_coarse_voxel_lies_on_every_second_fine_one(self):
        ramp = torch.arange(20.0).view(1, -1, 1, 1).expand(1, 20, 8, 8)
        coarse = coarse_of_fine(ramp)
        assert coarse.shape == (1, 10, 4, 4)
        assert coarse[0, 1:-1, 2, 2].tolist() == [float(2 * n) for n in range(1, 9)]
        place = torch.tensor([3.5, 2.0, 2.0]).view(1, 1, 1, 3)
        assert float(at_positions(coarse, place)) == pytest.approx(7.0)

    def test_lesions_belong_to_the_liver_a_coarse_network_tells_of(self):
        logits = torch.full((20, 3, 3, 3), -20.0)
        logits[classes.LIVER], logits[classes.ICC] = 0.0, 0.0
        context = organ_context(logits)
        assert float(context[0].min()) == pytest.approx(1.0, abs=1e-4)
        assert float(context[1:].max()) < 1e-4

    def test_a_fine_network_starts_as_the_coarse_one(self):
        torch.manual_seed(0)
        coarse, fine = coarse_network(TINY).eval(), fine_network(TINY).eval()
        start_from_coarse(fine, coarse.state_dict())
        image, told = torch.randn((1, N_CHANNELS, 32, 16, 16)), torch.rand((1, 7, 32, 16, 16))
        with torch.no_grad():
            assert torch.allclose(fine(torch.cat([image, told], dim=1)), coarse(image), atol=1e-3)

    def test_a_fine_network_is_told_where_but_not_how_exactly(self):
        logits = torch.zeros((20, 12, 12, 12))
        logits[classes.SPLEEN, 6:] = 20.0
        told = organ_context(logits)[1, :, 6, 6]
        assert told[2] < 0.1
        assert told[9] > 0.99
        assert (told[4:8].diff() < 0.5).all()


class TestScan:
    def test_the_grid_runs_to_left_posterior_superior(self):
        image, _ = body("RAS")
        scan = make_scan(Request({"NC": image}))
        assert scan.grid.spacing_kji_mm == pytest.approx((3.0, 3.0, 3.0))
        assert np.sign(np.diag(scan.grid.affine_ras)[:3]).tolist() == [-1, -1, 1]
        assert scan.present == (True, False, False, False)
        assert scan.reference == "NC"
        bright = np.argwhere(scan.phases_hu[0] > 250.0).mean(axis=0)
        x, y, z, _ = scan.grid.affine_ras @ [*bright[::-1], 1.0]
        assert (x, y, z) == pytest.approx((-60.0, -60.0, 10.0), abs=1.0)

    def test_the_body_is_cut_out(self):
        image, _ = body()
        scan = make_scan(Request({"PV": image}))
        nj, ni = scan.grid.shape_kji[1:]
        assert ni * 3.0 < 265.0
        assert nj * 3.0 < 225.0

    def test_phases_of_other_grids_are_brought_onto_that_of_the_best(self):
        image, _ = body("LPS", (2.0, 2.0, 4.0))
        other, _ = body("RAS", (2.2, 2.2, 5.0))
        scan = make_scan(Request({"PV": image, "ART": other}))
        assert scan.reference == "PV"
        both = scan.phases_hu[[1, 2]]
        inside = (both > -500.0).all(axis=0)
        assert np.median(np.abs(both[0] - both[1])[inside]) < 1.0
        assert (np.abs(both[0] - both[1]) > 60.0)[inside].mean() < 0.03

    def test_a_transform_moves_a_phase(self):
        image, _ = body()
        up = np.eye(4)
        up[2, 3] = 12.0
        scan = make_scan(Request({"PV": image, "NC": image}), {"NC": up})
        assert np.allclose(scan.phases_hu[0][4:], scan.phases_hu[2][:-4], atol=1.0)

    def test_without_a_phase_of_ours_there_is_nothing_to_do(self):
        image, _ = body()
        with pytest.raises(ValueError, match="one of the phases"):
            reference_phase({"XX": image})

    def test_what_was_decided_beats_what_is_likely(self):
        image, _ = body()
        scan = make_scan(Request({"PV": image}))
        logits = oracle(network_input(torch.from_numpy(scan.phases_hu), scan.present)[None])[0]
        found = np.where(logits.argmax(0).numpy() == classes.RIGHT_KIDNEY, 2, 0).astype(np.uint8)
        mask = mask_on_image(found, logits.numpy(), scan.grid, image).array
        assert set(np.unique(mask)) == {0, 2}
        kidney = np.asarray(image.array) > 250
        assert dice(mask == 2, kidney) > 0.9


class TestPredict:
    @pytest.mark.parametrize("codes", ["LPS", "RAS", "LAS"])
    def test_a_liver_is_outlined_on_the_input_grid(self, codes, card):
        image, liver = body(codes)
        listener = Listener()
        result = LiverModel(card, Stage1(oracle, oracle)).predict(Request({"PV": image}), listener)
        assert result.mask is not None
        assert result.mask.array.shape == image.array.shape
        assert np.array_equal(result.mask.affine_ras, image.affine_ras)
        mask = result.mask.array
        assert dice(np.isin(mask, (1, 16)), liver) > 0.95
        assert set(np.unique(mask)) == {0, 1, 3, 16}
        assert listener.heard == sorted(listener.heard)
        assert listener.heard[-1] == 1.0
        assert result.measures is not None
        assert result.measures["liver volume (ml)"] == pytest.approx(452.0, rel=0.04)

    def test_findings_point_into_their_region(self, card):
        image, _ = body("RAS")
        result = LiverModel(card, Stage1(oracle, oracle)).predict(
            Request({"ART": image}), Listener()
        )
        assert result.mask is not None
        (finding,) = result.findings
        assert finding.label == 16
        assert finding.anchor_ras == pytest.approx((40.0, -10.0, 45.0), abs=5.0)
        i, j, k, _ = np.linalg.inv(image.affine_ras) @ [*finding.anchor_ras, 1.0]
        assert result.mask.array[round(k), round(j), round(i)] == 16
        assert finding.measures["volume (ml)"] == pytest.approx(11.5, rel=0.2)
        assert max(finding.opinions["stage 1"], key=finding.opinions["stage 1"].get) == "cyst"

    def test_it_stops_within_a_window(self, card):
        image, _ = body()
        model = LiverModel(card, Stage1(oracle, oracle))
        listener = Listener(cancel_after=4)
        with pytest.raises(Cancelled):
            model.predict(Request({"PV": image}), listener)
        assert len(listener.heard) <= 6

    def test_no_liver_is_an_answer(self, card):
        image, _ = body()
        hu = np.minimum(image.array, int(TISSUE_HU)).astype(np.int16)
        empty = Image(hu, image.affine_ras)
        result = LiverModel(card, Stage1(oracle, oracle)).predict(
            Request({"PV": empty}), Listener()
        )
        assert result.mask is not None
        assert not result.mask.array.any()
        assert "no liver" in result.warnings[0]


class TestClearing:
    def test_one_piece_of_each_organ_and_lesions_in_the_liver_only(self):
        raw = np.zeros((20, 20, 40), dtype=np.uint8)
        raw[2:18, 2:18, 2:18] = classes.LIVER
        raw[8:12, 8:12, 8:12] = classes.HCC
        raw[9, 9, 9] = 0  # a hole in the lesion is liver
        raw[2:8, 2:8, 25:30] = classes.LIVER
        raw[10:14, 2:8, 25:30] = classes.ICC
        raw[2:16, 10:18, 32:39] = classes.SPLEEN
        raw[18, 18, 38] = classes.SPLEEN
        raw[18, 0, 38] = classes.PANCREAS  # a speck
        found = clear_up(raw, 0.027)
        assert set(np.unique(found)) == {0, classes.LIVER, classes.SPLEEN, classes.HCC}
        assert not found[:, :, 20:31].any()
        assert found[9, 9, 9] == classes.LIVER
        assert found[18, 18, 38] == 0

    def test_box_holds_the_organs_with_a_margin_inside_the_scan(self):
        coarse = np.zeros((30, 20, 30), dtype=np.uint8)
        coarse[1:12, 4:14, 5:15] = classes.LIVER
        coarse[10:14, 8:12, 20:24] = classes.LEFT_KIDNEY
        coarse[28, 18, 28] = classes.LIVER
        k, j, i = organ_box(coarse, (60, 40, 60))
        assert (k.start, k.stop) == (0, 33)
        assert (j.start, j.stop) == (2, 33)
        assert (i.start, i.stop) == (4, 53)

    def test_too_little_liver_is_none(self):
        coarse = np.zeros((30, 20, 30), dtype=np.uint8)
        coarse[:5, :5, :5] = classes.LIVER
        with pytest.raises(NothingFound):
            organ_box(coarse, (60, 40, 60))


class TestQuality:
    def segmentation(self, change: Callable[[Scan], Scan] = lambda scan: scan):
        image, _ = body()
        scan = change(make_scan(Request({"PV": image})))
        found = Stage1(oracle, oracle).predict(scan, Listener())
        return found, quality.measure(found, scan.grid.shape_kji[0])

    def test_a_plain_liver_raises_no_doubt_about_its_outline(self):
        _, measured = self.segmentation()
        assert measured.outliers < LIMITS.outliers
        assert measured.disagreement < LIMITS.disagreement
        assert measured.unsure < LIMITS.unsure
        (text,) = quality.warnings(measured, LIMITS)  # it is a child's
        assert "unusually small" in text

    def test_a_small_liver_is_said_to_be_small(self):
        _, measured = self.segmentation()
        assert measured.liver_ml < quality.LIVER_ML[0]
        assert any("unusually small" in text for text in quality.warnings(measured, LIMITS))

    def test_a_liver_at_the_edge_is_cut(self):
        def cut(scan: Scan) -> Scan:
            nk, nj, ni = scan.grid.shape_kji
            return scan.cropped((slice(0, nk * 55 // 100), slice(0, nj), slice(0, ni)))

        assert self.segmentation()[1].cut_mm2 == 0.0
        _, measured = self.segmentation(cut)
        assert measured.cut_mm2 > quality.CUT_MM2
        assert any("edge of the scan" in text for text in quality.warnings(measured, LIMITS))

    def test_a_leak_does_not_look_like_the_liver(self):
        found, _ = self.segmentation()
        leak = found.found.copy()
        leak[leak == classes.RIGHT_KIDNEY] = classes.LIVER
        leaked = type(found)(found.scan, found.logits, leak, found.coarse, found.box)
        measured = quality.measure(leaked, 200)
        assert measured.outliers > LIMITS.outliers
        assert any("leaked" in text for text in quality.warnings(measured, LIMITS))


class TestOrganDoubts:
    """The body has a right kidney of its own attenuation and no spleen."""

    LIMITS: ClassVar = {"right kidney": OrganLimits(0.3, 0.2, 0.1)}

    def found(self) -> Segmentation:
        image, _ = body()
        return Stage1(oracle, oracle).predict(make_scan(Request({"PV": image})), Listener())

    def texts(self, found: Segmentation) -> list[str]:
        return organ_warnings(measure_organs(found), self.LIMITS)

    def test_a_missing_organ_is_named_and_a_plain_one_is_not(self):
        texts = self.texts(self.found())
        assert "The spleen was not found." in texts
        assert not any("right kidney" in text for text in texts)

    def test_networks_that_do_not_agree(self):
        found = self.found()
        found.coarse[found.coarse == classes.RIGHT_KIDNEY] = classes.BOWEL
        assert "right kidney (networks differ)" in self.texts(found)[-1]

    def test_an_organ_the_network_is_not_sure_of(self):
        found = self.found()
        kidney = found.found == classes.RIGHT_KIDNEY
        found.logits[:, kidney] = 0.0
        assert "right kidney (100 % unsure)" in self.texts(found)[-1]

    def test_a_kidney_with_bowel_in_it(self):
        found = self.found()
        places = np.argwhere(found.found == classes.RIGHT_KIDNEY)
        k, j, i = places[: len(places) // 3].T
        found.scan.phases_hu[:, k, j, i] = -300.0
        (text,) = (t for t in self.texts(found) if "right kidney" in t)
        assert "% unlike the rest" in text


def write_model(folder: Path) -> Path:
    """Write a liver model with tiny networks."""
    torch.manual_seed(0)
    lines = [
        "[model]",
        'id = "liver"',
        'family = "liver"',
        'title = "Liver"',
        'version = "1"',
        'licence = "GPL-3.0-or-later"',
        'intended_use = "Demonstration."',
        "demonstration = true",
        "[weights]",
    ]
    for name, make in (("coarse", coarse_network), ("fine", fine_network)):
        digest = save_weights(folder / f"{name}.safetensors", make(TINY).state_dict())
        lines.append(f'"{name}.safetensors" = "{digest}"')
    lines += ["[networks]", f"coarse = {TINY}", f"fine = {TINY}"]
    (folder / "model.toml").write_text("\n".join(lines))
    return folder


class TestFactory:
    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CT_LABELER_CACHE_DIR", str(tmp_path / "cache"))

    def test_a_model_is_loaded_from_its_folder_and_answers(self, tmp_path):
        factory = LiverFactory(write_model(tmp_path))
        assert factory.card().demonstration
        model = factory.load("cpu")
        image, _ = body()
        results = [
            model.predict(Request({phase: image}), Listener()) for phase in (PHASES[0], PHASES[0])
        ]
        masks = [r.mask.array for r in results if r.mask is not None]
        assert masks[0].shape == grid_of(image).shape_kji
        assert np.array_equal(*masks)

    def test_changed_weights_are_refused(self, tmp_path):
        factory = LiverFactory(write_model(tmp_path))
        path = tmp_path / "fine.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(ValueError, match="not those of the card"):
            factory.load("cpu")

    def test_weights_of_another_network_are_refused(self, tmp_path):
        folder = write_model(tmp_path)
        text = (folder / "model.toml").read_text()
        (folder / "model.toml").write_text(text.replace(f"fine = {TINY}", "fine = [8,8,8,8,8,8]"))
        with pytest.raises(ValueError, match="does not fit"):
            LiverFactory(folder).load("cpu")

    def test_missing_weights_are_named(self, tmp_path):
        factory = LiverFactory(write_model(tmp_path))
        (tmp_path / "coarse.safetensors").unlink()
        with pytest.raises(ValueError, match=r"coarse\.safetensors"):
            factory.card()

    def test_no_model_says_where_it_should_be(self, tmp_path):
        with pytest.raises(ValueError, match=str(tmp_path)):
            LiverFactory(tmp_path).card()

    def test_the_shipped_model_loads(self):
        assert FACTORY.card().demonstration
        assert FACTORY.load("cpu").card.weights == FACTORY.card().weights
