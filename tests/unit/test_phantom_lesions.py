"""Lesions: their patterns in four phases, their places, and what the reports say of them."""

import csv
import datetime
import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.distance import pdist

from inference.contract import PHASES
from inference.phantom import labels, lesions, reports
from inference.phantom.fields import ellipsoid
from inference.phantom.grids import Grid
from inference.phantom.liver import Liver
from inference.phantom.materials import Material, Palette
from inference.phantom.patient import make_patient
from inference.phantom.prediction import LesionVoxels, fates, predict
from inference.phantom.scene import Scene

NC, ART, PV, DL = range(4)
GRID = Grid((50, 70, 70), (2.0, 2.0, 3.0), (69.0, 69.0, -73.5))


def ball_liver():
    shape = ellipsoid(GRID, (0.0, 0.0, 0.0), (62.0, 62.0, 62.0))
    zero = np.zeros(3)
    return Liver(shape, zero, zero, np.array([20.0, 40.0, -20.0]), -20.0)


def painted(scenario, seed=0):
    palette = Palette(np.random.default_rng(seed), 60.0)
    scene = Scene(GRID)
    liver = ball_liver()
    scene.paint(liver.shape, Material.LIVER)
    found = lesions.paint_scenario(
        scene, palette, liver, scenario, np.empty((0, 3)), np.random.default_rng(seed)
    )
    return scene, palette, found


def hu_of(palette, lesion):
    """HU in four phases of each part of a lesion, by the part's name."""
    return {palette.names[code].split()[-1]: palette.hu[code] for code in lesion.codes}


@pytest.mark.parametrize("seed", range(4))
def test_hcc_washes_in_and_out(seed):
    _, palette, found = painted("hcc", seed)
    liver = palette.hu[Material.LIVER]
    hcc = [lesion for lesion in found if lesion.label == labels.HCC]
    assert hcc
    for lesion in hcc:
        parts = hu_of(palette, lesion)
        core, capsule = parts["core"], parts["capsule"]
        assert core[ART] > liver[ART] + 15
        assert core[PV] < liver[PV]
        assert core[DL] < liver[DL] - 5
        assert capsule[DL] > core[DL] + 15


@pytest.mark.parametrize("seed", range(4))
def test_hemangioma_fills_from_the_rim(seed):
    _, palette, found = painted("hemangioma", seed)
    lesion = next(x for x in found if x.label == labels.HEMANGIOMA)
    parts = hu_of(palette, lesion)
    assert parts["nodules"][ART] == pytest.approx(0.8 * palette.hu[Material.AORTA, ART], rel=1e-5)
    assert parts["early"][ART] < 70 < 130 < parts["early"][PV]
    assert parts["late"][PV] < 80 < 90 < parts["late"][DL]
    assert parts["core"][DL] < 80


@pytest.mark.parametrize("seed", range(4))
def test_other_types_enhance_as_they_should(seed):
    for scenario, label in (("icc", labels.ICC), ("metastases", labels.METASTASIS)):
        _, palette, found = painted(scenario, seed)
        parts = hu_of(palette, next(x for x in found if x.label == label))
        assert parts["rim"][ART] > parts["core"][ART] + 20
        if label == labels.ICC:  # fibrous: the core keeps what the rim gives back
            assert parts["core"][DL] > parts["core"][PV] + 15
    _, palette, found = painted("fnh", seed)
    parts = hu_of(palette, next(x for x in found if x.label == labels.FNH))
    assert parts["core"][ART] > palette.hu[Material.LIVER, ART] + 20
    assert parts["scar"][ART] < parts["core"][ART] - 30
    assert parts["scar"][DL] > parts["core"][DL] + 5
    _, palette, found = painted("cysts", seed)
    core = hu_of(palette, found[0])["core"]
    assert np.ptp(core) < 12
    assert core.max() < 25


@pytest.mark.parametrize("scenario", ["metastases", "mixed", "cysts"])
def test_lesions_stay_in_the_liver_and_apart(scenario):
    for seed in range(3):
        scene, palette, found = painted(scenario, seed)
        mask = np.isin(palette.label[scene.front], labels.LESION_LABELS)
        inside = np.zeros(GRID.shape_kji, dtype=bool)
        shape = ball_liver().shape
        inside[shape.box] = shape.values < 0
        assert not (mask & ~inside).any()
        pieces, n = ndimage.label(mask, np.ones((3, 3, 3)))
        sizes = np.bincount(pieces.ravel())[1:]
        assert (sizes > 5).sum() == len(found)
        assert n - len(found) <= 2  # a voxel cut off at an uneven border


def test_no_room_no_lesion():
    tiny = ellipsoid(GRID, (0.0, 0.0, 0.0), (6.0, 6.0, 6.0))
    nothing = np.empty((0, 3))
    rng = np.random.default_rng(0)
    assert lesions.place(tiny, Scene(GRID), 40.0, [], nothing, rng) is None


def test_lesions_keep_off_large_vessels():
    vessel = np.array([[0.0, 0.0, float(z)] for z in range(-60, 61, 2)])
    for seed in range(5):
        rng = np.random.default_rng(seed)
        spot = lesions.place(ball_liver().shape, Scene(GRID), 10.0, [], vessel, rng)
        assert spot is not None
        centre, radius = spot
        assert np.hypot(*centre[:2]) > 0.75 * radius + 2.0


@pytest.fixture(scope="module")
def patient():
    return make_patient(11, case_id="LV-0042", spacing_mm=2.5, scenario="mixed")


def measured(patient, label):
    """Longest axial diameters of the lesions of a label in cm, measured point by point."""
    step = np.linalg.norm(patient.reference.affine_ras[:3, :3], axis=0)
    pieces, n = ndimage.label(patient.reference.array == label, np.ones((3, 3, 3)))
    result = []
    for piece in range(1, n + 1):
        voxels = np.argwhere(pieces == piece)
        if len(voxels) < 6:
            continue
        longest = 0.0
        for k in np.unique(voxels[:, 0]):
            points = voxels[voxels[:, 0] == k][:, 1:] * step[1::-1]
            if len(points) > 1:
                longest = max(longest, float(pdist(points).max()))
        result.append((longest + step[0]) / 10)
    return sorted(result)


def test_radiology_names_every_lesion_with_its_size_and_segment(patient):
    row = patient.radiology[0]
    words = {
        labels.HCC: "washout",
        labels.HEMANGIOMA: "fill-in",
        labels.CYST: "non-enhancing",
    }
    sentences = row["findings"].split(". ")
    for label, word in words.items():
        said = [s for s in sentences if word in s]
        sizes = sorted(float(re.search(r"([\d.]+) cm", s)[1]) for s in said)
        assert sizes == pytest.approx(measured(patient, label), abs=0.06)
        stated = sorted(re.search(r"segment (\w+)", s)[1] for s in said)
        assert stated == sorted(x.segment for x in patient.lesions if x.label == label)
    assert row["case_id"] == "LV-0042"
    datetime.date.fromisoformat(row["date"])


def test_pathology_proves_what_is_usually_proven(patient):
    assert [row["case_id"] for row in patient.pathology] == ["LV-0042"]
    assert "hepatocellular carcinoma" in patient.pathology[0]["diagnosis"].lower()
    assert patient.pathology[0]["date"] > patient.radiology[0]["date"]


def finding(label, segment="5", diameter_mm=23.0):
    return reports.Finding(label, segment, diameter_mm)


def test_missing_phase_is_named_and_not_described():
    day = datetime.date(2020, 5, 1)
    found = [finding(labels.HCC), finding(labels.HEMANGIOMA)]
    text = reports.radiology_rows("A", found, ("NC", "ART", "PV"), day)[0]["findings"]
    assert "The delayed phase was not acquired." in text
    assert text.count("delayed") == 1


def test_two_lesions_were_seen_by_sonography_before():
    day = datetime.date(2020, 5, 1)
    assert len(reports.radiology_rows("A", [finding(labels.CYST)], PHASES, day)) == 1
    rows = reports.radiology_rows("A", [finding(labels.CYST)] * 2, PHASES, day)
    assert [row["modality"] for row in rows] == ["CT", "US"]
    assert rows[1]["date"] < rows[0]["date"]


@pytest.mark.parametrize(
    ("found", "impression"),
    [
        ([], "No focal liver lesion."),
        ([finding(labels.ICC, "4a")], "Intrahepatic cholangiocarcinoma, segment 4a."),
        (
            [finding(labels.METASTASIS, "8"), finding(labels.METASTASIS, "2")],
            "2 liver metastases, segments 2, 8.",
        ),
    ],
)
def test_impression_sums_up(found, impression):
    rows = reports.radiology_rows("A", found, PHASES, datetime.date(2020, 5, 1))
    assert rows[0]["impression"] == impression


def test_longest_diameter_is_that_of_the_longest_slice():
    voxels = np.array([[0, 0, 0], [1, 0, 0], [1, 3, 4], [1, 1, 1]])
    assert reports.longest_axial_mm(voxels, (2.0, 2.0, 5.0)) == pytest.approx(10.0 + 2.0)


@given(st.integers(2, 12), st.integers(0, 10_000))
def test_something_always_goes_wrong_with_several_lesions(n, seed):
    drawn = fates(n, np.random.default_rng(seed))
    assert len(drawn) == n
    assert {"missed", "mislabelled", "displaced"} & set(drawn)


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_prediction_is_close_for_organs_but_not_equal(patient):
    reference, prediction = patient.reference.array, patient.prediction.array
    whole = [labels.LIVER, *labels.LESION_LABELS]
    liver = dice(np.isin(reference, whole), np.isin(prediction, whole))
    assert 0.93 < liver < 0.995
    for label in (labels.SPLEEN, labels.RIGHT_KIDNEY, labels.STOMACH):
        assert 0.8 < dice(reference == label, prediction == label) < 0.995
    # nothing far from any organ
    far = ~ndimage.binary_dilation(reference > 0, np.ones((3, 3, 3)), iterations=3)
    assert not prediction[far].any()


def test_prediction_has_lesions_that_are_not_there(patient):
    false = np.isin(patient.prediction.array, labels.LESION_LABELS)
    false &= ~np.isin(patient.reference.array, labels.LESION_LABELS)
    pieces, n = ndimage.label(np.isin(patient.prediction.array, labels.LESION_LABELS))
    assert any((~false[pieces == piece]).sum() == 0 for piece in range(1, n + 1))


def test_each_fate_does_what_it_says(monkeypatch):
    grid = Grid((30, 60, 60), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    reference = np.zeros(grid.shape_kji, dtype=np.uint8)
    reference[3:27, 4:56, 4:56] = labels.LIVER
    box = np.zeros_like(reference, dtype=bool)
    box[10:18, 20:32, 20:32] = True
    reference[box] = labels.HCC
    lesion = LesionVoxels(labels.HCC, np.argwhere(box))
    monkeypatch.setattr("inference.phantom.prediction._invent", lambda *_: None)
    got = {}
    for fate in ("missed", "mislabelled", "displaced", "smaller", "larger", "good"):
        monkeypatch.setattr("inference.phantom.prediction.fates", lambda n, rng, f=fate: [f] * n)
        got[fate] = predict(reference, grid, [lesion], np.random.default_rng(1))
    hcc = {fate: (mask == labels.HCC) for fate, mask in got.items()}
    assert not hcc["missed"].any()
    assert not hcc["mislabelled"].any()
    assert (got["mislabelled"] == labels.METASTASIS).any()
    assert 0.1 < dice(hcc["displaced"], box) < 0.9
    assert hcc["smaller"].sum() < hcc["good"].sum() < hcc["larger"].sum()
    assert dice(hcc["good"], box) > 0.9


def test_segments_divide_the_liver_as_couinaud_did():
    centre = {"hilum": np.array([38.0, 60.0, 34.0]), "cava": np.array([19.0, 40.0, 88.0])}
    liver = Liver(
        ball_liver().shape, centre["cava"], centre["hilum"], np.array([62.0, 90.0, -18.0]), 8.0
    )
    where = {
        "2": (-50, 70, 80), "3": (-30, 90, 20), "4a": (20, 90, 70), "4b": (22, 92, 10),
        "8": (80, 80, 80), "5": (90, 85, 0), "7": (95, 10, 70), "6": (100, 0, -10),
        "1": (15, 50, 60),
    }  # fmt: skip
    assert {name: liver.segment(np.array(p, float)) for name, p in where.items()} == {
        name: name for name in where
    }


def test_report_rows_survive_csv(patient):
    text = io.StringIO()
    writer = csv.DictWriter(text, reports.RADIOLOGY_COLUMNS)
    writer.writerows(patient.radiology)
    text.seek(0)
    assert list(csv.DictReader(text, reports.RADIOLOGY_COLUMNS)) == patient.radiology
