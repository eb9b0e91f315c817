"""Figures of the vertebra evaluation, on scans and answers that are counted by hand."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from inference.contract import Image
from inference.evaluation.spine_masks import MaskScore, score_masks
from inference.evaluation.spine_report import spine_report_html
from inference.evaluation.spine_scans import (
    KnownSpine,
    known_spines,
    phantom_spine,
    variant_seen,
    variant_spines,
)
from inference.evaluation.spine_summary import (
    ALL,
    NORMAL,
    identification,
    scans_csv,
    shift_counts,
    spine_figures,
    spine_figures_csv,
)
from inference.evaluation.vertebra import METHODS, Parts, SpineResult, compare
from inference.phantom.spine.curve import VARIANTS
from inference.vertebra.levels import VERSE_NUMBER

NAMES = ("T10", "T11", "T12", "L1", "L2")
GAP_MM = 30.0


def spine(whole=NAMES):
    centres = {name: np.array([0.0, 0.0, -GAP_MM * n]) for n, name in enumerate(NAMES)}
    image = Image(np.zeros((2, 2, 2), np.int16), np.eye(4))
    return KnownSpine("x", "long", image, centres, frozenset(whole))


def at(*rows):
    """Level, height and doubt of each prediction."""
    return {level: (np.array([3.0, 4.0, z]), flagged) for level, z, flagged in rows}


def test_an_exact_answer_is_all_correct():
    found = at(*((name, -GAP_MM * n, False) for n, name in enumerate(NAMES)))
    true, predicted = compare(spine(), found)
    assert all(v.identified and v.distance_mm == pytest.approx(5.0) for v in true)
    assert [p.shift for p in predicted] == [0] * 5


def test_a_shift_of_the_whole_is_counted_as_such():
    found = at(*((name, -GAP_MM * (n - 1), True) for n, name in enumerate(NAMES) if n))
    true, predicted = compare(spine(), found)
    assert not any(v.identified for v in true)
    assert [v.missed for v in true] == [True, False, False, False, False]
    assert [p.shift for p in predicted] == [1, 1, 1, 1]
    assert SpineResult("x", "", "rectified", true, predicted, Parts(), 1.0).shift == 1


def test_what_is_far_from_all_is_no_vertebra_and_what_is_beyond_is_not_judged():
    found = {"T12": (np.array([0.0, 60.0, -60.0]), False), "L3": (np.array([0, 0, -150.0]), False)}
    true, predicted = compare(spine(), found)
    assert [(p.level, p.shift) for p in predicted] == [("T12", None)]
    assert not any(v.identified for v in true)
    assert next(v for v in true if v.level == "T12").distance_mm == pytest.approx(60.0)


def test_cut_bodies_are_not_counted_but_may_be_found():
    found = at(*((name, -GAP_MM * n, False) for n, name in enumerate(NAMES)))
    true, predicted = compare(spine(whole=("T11", "T12")), found)
    assert [v.level for v in true] == ["T11", "T12"]
    assert [p.right for p in predicted] == [True] * 5


def results():
    exact = at(*((name, -GAP_MM * n, name == "L1") for n, name in enumerate(NAMES)))
    shifted = at(*((name, -GAP_MM * (n - 1), n > 2) for n, name in enumerate(NAMES) if n))
    parts = Parts((0, 0, 0, 1, 2), (1.0, 2.0, 3.0, 4.0, 50.0))
    rows = []
    for method, answers in ((METHODS[0], (exact, exact)), (METHODS[2], (exact, shifted))):
        for n, answer in enumerate(answers):
            true, predicted = compare(spine(), answer)
            rows.append(SpineResult(f"s{n}", "long", method, true, predicted, parts, 2.0))
    return rows


def test_figures_are_those_counted_by_hand():
    found = {(f.method, f.measure): f.interval for f in spine_figures(results()) if f.group == ALL}
    assert found["rectified", "identification"].value == 1.0
    assert found["arg-max", "identification"].value == 0.5
    assert found["arg-max", "identification"].count == 10
    assert found["arg-max", "identification"].low == 0.0  # vertebrae of a scan go together
    assert found["arg-max", "identification thoracic"].value == 0.5
    assert found["arg-max", "scans all correct"].value == 0.5
    assert found["arg-max", "scans shifted as a whole"].value == 0.5
    assert found["arg-max", "wrong among flagged"].value == pytest.approx(2 / 3)
    assert found["arg-max", "wrong among unflagged"].value == pytest.approx(2 / 6)
    assert found["rectified", "level network right at true centres"].value == 0.6
    assert found["rectified", "level network at most one off"].value == 0.8
    assert found["rectified", "centre network within 6 mm"].value == 0.8
    assert ("arg-max", "centre network within 6 mm") not in found


def test_variants_are_counted_apart_from_what_is_usual():
    usual = [replace(r, variant="") for r in results()]
    unusual = [replace(r, variant="T13", name=f"v {r.name}") for r in results()]
    assert {f.group for f in spine_figures(usual)} == {ALL, "long"}
    found = {
        (f.group, f.method): f.interval
        for f in spine_figures([*usual, *unusual])
        if f.measure == "identification"
    }
    assert found[ALL, "arg-max"].count == 20
    assert found[NORMAL, "arg-max"].count == found["variant T13", "arg-max"].count == 10


def test_a_variant_counts_where_it_can_be_seen():
    person = ("T11", "T12", "T13", "L1", "L2")
    assert variant_seen(person, {"T13", "L1"}) == "T13"
    assert variant_seen(person, {"L1", "L2"}) == ""
    assert variant_seen(("T11", "L1", "L2", "L5"), {"T11", "L1"}) == "T11"
    assert variant_seen(("T12", "L4", "S1"), {"T12", "L4"}) == ""
    assert variant_seen(("T12", "L5", "S1"), {"T12", "L5", "S1"}) == ""


def test_masks_are_judged_by_name_and_by_place():
    truth = np.zeros((30, 20, 20), np.uint8)
    truth[0:8, 5:15, 5:15], truth[10:18, 5:15, 5:15], truth[20:28, 5:15, 5:15] = 22, 21, 20
    shifted = np.where(truth > 0, truth - 1, 0).astype(np.uint8)
    shifted[20:28] = 0  # the uppermost is not drawn
    names = {20: "L1", 21: "L2", 22: "L3"}
    exact = score_masks(truth, truth, (1.0, 1.0, 1.0), names)
    assert [(s.level, s.named, s.matched, s.surface_mm) for s in exact] == [
        ("L1", 1.0, 1.0, 0.0), ("L2", 1.0, 1.0, 0.0), ("L3", 1.0, 1.0, 0.0),
    ]  # fmt: skip
    off = score_masks(truth, shifted, (1.0, 1.0, 1.0), names)
    assert [(s.named, s.matched) for s in off] == [(0.0, 0.0), (0.0, 1.0), (0.0, 1.0)]
    assert np.isnan(off[0].surface_mm)
    half = truth.copy()
    half[:, :, 10:] = 0
    for score in score_masks(truth, half, (1.0, 1.0, 2.0), names):
        assert score.matched == pytest.approx(2 / 3)
        assert score.surface_mm > 1.0


def test_figures_of_masks_are_means_over_vertebrae():
    scores = (MaskScore("L1", 0.0, 0.9, 1.0), MaskScore("L2", 0.6, 0.7, float("nan")))
    drawn = [replace(r, masks=scores) for r in results() if r.method == METHODS[0]]
    found = {f.measure: f.interval for f in spine_figures(drawn) if f.group == ALL}
    assert found["mask Dice, name and all"].value == pytest.approx(0.3)
    assert found["mask Dice, whatever the name"].value == pytest.approx(0.8)
    assert found["masks with Dice of at least 0.8"].value == 0.5
    assert found["mask surface distance, mm"].value == 1.0
    assert found["mask surface distance, mm"].count == 4
    row = next(csv.DictReader(io.StringIO(scans_csv(drawn))))
    assert row["mask Dice"] == "0.800"


def test_shifts_are_counted():
    counts = shift_counts([r for r in results() if r.method == "arg-max"])
    assert counts == {"-2": 0, "-1": 0, "0": 5, "+1": 4, "+2": 0, "no vertebra": 0, "missed": 1}


def test_the_sacrum_does_not_count():
    assert identification([]).count == 0


def test_tables_and_report_can_be_read():
    rows = list(csv.DictReader(io.StringIO(spine_figures_csv(spine_figures(results())))))
    assert {row["method"] for row in rows} == {"rectified", "arg-max"}
    scans = list(csv.DictReader(io.StringIO(scans_csv(results()))))
    assert [row["all correct"] for row in scans] == ["1", "1", "1", "0"]
    report = spine_report_html(results(), "A < B")
    assert "A &lt; B" in report
    assert "not for clinical use" in report
    start = report.index("<svg")
    ET.fromstring(report[start : report.index("</svg>", start) + 6])


def test_the_same_seed_is_the_same_scan_and_its_centres_lie_in_bone():
    scan, again = phantom_spine(17), phantom_spine(17)
    assert np.array_equal(scan.image.array, again.image.array)
    to_index = np.linalg.inv(scan.image.affine_ras)
    inner = [n for n in scan.whole if n not in {"C1", "C2", "S1"}]
    values = []
    for name in inner:
        i, j, k = np.rint(to_index[:3, :3] @ scan.centres_ras[name] + to_index[:3, 3]).astype(int)
        values.append(scan.image.array[k - 1 : k + 2, j - 1 : j + 2, i - 1 : i + 2].mean())
        marked = scan.masks[k, j, i]
        assert marked == VERSE_NUMBER[name]
    assert len(inner) > 2
    assert np.median(values) > 40.0
    assert scan.masks.shape == scan.image.array.shape


def test_people_with_a_variant_are_found_and_looked_at_there():
    spine = next(variant_spines(2_000_000, 1))
    assert spine.variant in VARIANTS
    assert variant_seen(tuple(spine.centres_ras), spine.whole) == spine.variant


def test_ct_and_truth_of_a_folder_find_each_other(tmp_path):
    labels = np.zeros((40, 40, 60), np.uint8)
    labels[10:30, 10:30, 20:40] = 20
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    for name in ("sub-a_ct", "sub-b_ct", "sub-c_ct"):
        nib.save(
            nib.Nifti1Image(np.zeros(labels.shape, np.int16), affine), tmp_path / f"{name}.nii.gz"
        )
    nib.save(nib.Nifti1Image(labels, affine), tmp_path / "sub-a_seg-vert_msk.nii.gz")
    (tmp_path / "sub-b_seg-subreg_ctd.json").write_text(
        json.dumps([{"direction": ["L", "P", "S"]}, {"label": 19, "X": 5, "Y": 6, "Z": 7}])
    )
    found = {s.name: s.centres_ras for s in known_spines(tmp_path)}
    assert list(found) == ["sub-a_ct", "sub-b_ct"]
    assert np.allclose(found["sub-a_ct"]["L1"], [-19.5, -19.5, 29.5], atol=0.6)
    assert np.allclose(found["sub-b_ct"]["T12"], [-5.0, -6.0, 7.0])
    masks = {s.name: s.masks for s in known_spines(tmp_path)}
    assert masks["sub-b_ct"] is None
    assert (masks["sub-a_ct"] == 20).sum() == (labels == 20).sum()


def test_a_folder_without_truth_is_said(tmp_path):
    with pytest.raises(ValueError, match="no CT with"):
        list(known_spines(tmp_path))
