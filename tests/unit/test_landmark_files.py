"""Centroid files of other programs: read exactly, written exactly, refused with a sentence."""

import json
import warnings

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeler.core.geometry import Grid
from labeler.core.landmarks import Centroid
from labeler.core.vertebra_masks import body_centres, relabelling
from labeler.core.vertebrae import LEVELS, NUMBERS
from labeler.storage.errors import ImageError
from labeler.storage.landmarks import StoredGrid, read_centroids, write_slicer, write_verse

AFFINE = np.array([[-1.5, 0.1, 0, 40], [0.1, -1.2, 0, 60], [0, 0, 2.5, -300], [0, 0, 0, 1.0]])
IMAGE = StoredGrid((60, 70, 80), AFFINE)
CENTROIDS = {
    "1": Centroid("T12", (10.0, 20.0, -150.0)),
    "2": Centroid("L1", (11.0, 19.25, -182.5)),
    "3": Centroid("T13", (11.0, 19.0, -170.0)),
}
DIRECTIONS = [
    "".join(order)
    for axes in [("LR", "AP", "SI"), ("AP", "SI", "LR"), ("SI", "LR", "AP"), ("AP", "LR", "SI")]
    for order in np.stack(np.meshgrid(*map(list, axes)), -1).reshape(-1, 3)
]


def by_level(centroids):
    return {c.level: c.position_ras for c in centroids.values()}


def assert_same(found, expected, mm=0.01):
    assert set(by_level(found)) == set(by_level(expected))
    for level, position in by_level(expected).items():
        assert by_level(found)[level] == pytest.approx(position, abs=mm)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_verse_files_in_any_direction(tmp_path, direction):
    path = tmp_path / "a_ctd.json"
    write_verse(path, CENTROIDS, IMAGE, direction=direction)
    read = read_centroids(path, IMAGE)
    assert read.direction == tuple(direction)
    assert_same(read.centroids, CENTROIDS)


def test_verse_voxels_are_those_of_the_reoriented_image(tmp_path):
    # an independent way: mark a voxel, let nibabel turn the image, look where the mark went
    array = np.zeros(IMAGE.shape_ijk, np.uint8)
    array[12, 30, 41] = 1
    image = nib.Nifti1Image(array, AFFINE)
    wanted = nib.orientations.axcodes2ornt("PIR")
    change = nib.orientations.ornt_transform(nib.io_orientation(AFFINE), wanted)
    turned = np.argwhere(np.asarray(image.as_reoriented(change).dataobj))[0].tolist()
    entry = dict(zip(("label", "X", "Y", "Z"), [20, *turned], strict=True))
    path = tmp_path / "a_ctd.json"
    path.write_text(json.dumps([{"direction": list("PIR")}, entry]))
    (found,) = read_centroids(path, IMAGE).centroids.values()
    assert found.level == "L1"
    assert found.position_ras == pytest.approx((AFFINE @ [12, 30, 41, 1])[:3])


def test_slicer_files(tmp_path):
    path = tmp_path / "a.mrk.json"
    write_slicer(path, CENTROIDS)
    read = read_centroids(path, IMAGE)
    assert read.direction is None
    assert_same(read.centroids, CENTROIDS)


def test_slicer_points_in_lps_and_undefined_ones(tmp_path):
    points = [
        {"label": "L1", "position": [-10.0, -20.0, 30.0]},
        {"label": "L2", "position": [0, 0, 0], "positionStatus": "undefined"},
        {"label": "tumour", "position": [0, 0, 0]},
    ]
    path = tmp_path / "a.mrk.json"
    path.write_text(json.dumps({"markups": [{"coordinateSystem": "LPS", "controlPoints": points}]}))
    read = read_centroids(path, IMAGE)
    assert by_level(read.centroids) == {"L1": (10.0, 20.0, 30.0)}
    assert read.problems == ("a.mrk.json: “tumour” is no vertebra; it is left out.",)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(LEVELS), st.tuples(*[st.floats(-500, 500)] * 3)),
             max_size=30, unique_by=lambda entry: entry[0]),
    st.sampled_from(DIRECTIONS),
)  # fmt: skip
def test_round_trips_lose_less_than_a_tenth_of_a_voxel(tmp_path, entries, direction):
    centroids = {str(n): Centroid(*entry) for n, entry in enumerate(entries)}
    write_verse(tmp_path / "a.json", centroids, IMAGE, direction=direction)
    write_slicer(tmp_path / "b.json", centroids)
    for name in ("a.json", "b.json"):
        assert_same(read_centroids(tmp_path / name, IMAGE).centroids, centroids)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not valid JSON"),
        ("[]", "names no direction"),
        ('{"a": 1}', "no VerSe"),
        ("17", "no VerSe"),
        ("", "is empty"),
        ('[{"direction": ["P", "I", "R"]}, {"label": 20, "X"', "not valid JSON .*line 1, column"),
        ("[" * 100_000, "nested too deeply"),
        (f"[{'9' * 5000}]", "a number in it is too long"),
        ("[null]", "names no direction"),
        ('[{"direction": 5}]', "three letters"),
        ('[{"direction": ["P", "I", "R", "A"]}]', "three letters"),
        ('[{"direction": ["P", "I"]}]', "three letters"),
        ('[{"direction": ["P", "A", "R"]}]', "names an axis twice"),
        ('[{"direction": ["P", "I", "Q"]}]', "three letters"),
        ('[{"direction": ["P", "I", "R"]}, {"label": 3, "X": 1}]', "entry 1 has no 'Y'"),
        ('[{"direction": ["P", "I", "R"]}, {"label": "x", "X": 1, "Y": 1, "Z": 1}]', "entry 1"),
        ('[{"direction": ["P", "I", "R"]}, 5]', "entry 1 is no centroid"),
        ('{"markups": [{"coordinateSystem": "XYZ"}]}', "not known"),
        ('{"markups": [{"controlPoints": [{"label": "L1", "position": [1]}]}]}', "place of L1"),
        ('{"markups": [null]}', "one of its markups is no object"),
        ('{"markups": [{"controlPoints": {"a": 1}}]}', "control points are no list"),
        ('[{"type": null, "coordinates": {}}]', "entry 1 is no centroid"),
    ],
)
def test_bad_files_are_refused_with_a_sentence(tmp_path, content, words):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(ImageError, match=words) as refused:
        read_centroids(path, IMAGE)
    assert "bad.json" in str(refused.value)


GOOD = {"label": 21, "X": 1.0, "Y": 2.0, "Z": 3.0}
POINT = {"label": "L2", "position": [1.0, 2.0, 3.0]}
TOO_LARGE = int("9" * 400)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({**GOOD, "label": 20, "X": "here"}, "the place of L1 is not a number"),
        ({**GOOD, "label": 20, "X": None}, "the place of L1 is not a number"),
        ({**GOOD, "label": 20, "X": TOO_LARGE}, "the place of L1 is not a number"),
        ({**GOOD, "label": 20, "X": 1.7e308}, "the place of L1 is not a number"),
        ({**GOOD, "label": 20, "X": 1e30}, "L1 lies more than 100 m away"),
        ({**GOOD, "label": TOO_LARGE}, "is no vertebra"),
        ({**GOOD, "label": 0}, "“0” is no vertebra"),
        ({**GOOD, "label": None}, "entry 2 is no centroid"),
        ({"label": 20, "X": 1.0, "Z": 1.0}, "entry 2 has no 'Y'"),
        ({"X": 1.0, "Y": 1.0, "Z": 1.0}, "entry 2 has no 'label'"),
        ("L1", "entry 2 is no centroid"),
        ({"label": "L1"}, "entry 2 has no 'position'"),
        ({"label": "L1", "position": None}, "the place of L1 is not a number"),
        ({"label": "L1", "position": [TOO_LARGE, 0, 0]}, "the place of L1 is not a number"),
    ],
)
def test_a_damaged_entry_does_not_cost_the_others(tmp_path, entry, words):
    is_slicer = isinstance(entry, dict) and "position" in words + str(entry)
    if is_slicer:
        content = {"markups": [{"controlPoints": [POINT, entry, POINT]}]}
    else:
        content = [{"direction": ["P", "I", "R"]}, GOOD, entry, GOOD]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with warnings.catch_warnings(action="error"):
        read = read_centroids(path, IMAGE)
    assert [c.level for c in read.centroids.values()] == ["L2", "L2"]
    (problem,) = read.problems
    assert words in problem
    assert problem.startswith("a.json")
    assert len(problem) < 200


def test_many_damaged_entries_are_few_sentences(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"direction": ["P", "I", "R"]}, GOOD, *[7] * 500]))
    read = read_centroids(path, IMAGE)
    assert len(read.centroids) == 1
    assert read.problems[-1] == "a.json: 497 more entries are left out."


def test_entries_that_are_no_vertebrae_are_named(tmp_path):
    entries = [{"direction": ["P", "I", "R"]}]
    entries += [{"label": n, "X": 1.0, "Y": 2.0, "Z": 3.0} for n in (20, 99)]
    entries.append({"label": 21, "X": float("nan"), "Y": 2.0, "Z": 3.0})
    entries.append({"label": 22, "X": float("inf"), "Y": 2.0, "Z": 3.0})
    path = tmp_path / "a.json"
    path.write_text(json.dumps(entries))
    with warnings.catch_warnings(action="error"):
        read = read_centroids(path, IMAGE)
    assert [c.level for c in read.centroids.values()] == ["L1"]
    assert len(read.problems) == 3


def vertebra_mask():
    """Two bodies with an arch behind each; the second is cut by the lower edge."""
    labels = np.zeros((40, 60, 60), np.uint8)
    labels[22:34, 15:31, 20:40] = 20
    labels[26:30, 31:55, 28:32] = 20
    labels[0:10, 15:31, 20:40] = 21
    return labels, Grid((40, 60, 60), np.diag([-1.0, -1.0, 2.0, 1.0]))


def test_the_centre_is_that_of_the_body_and_not_of_the_arch():
    labels, grid = vertebra_mask()
    centres = body_centres(labels, grid)
    assert centres[20] == pytest.approx((-29.5, -22.5, 55.0), abs=2.0)
    assert centres[21][2] == pytest.approx(9.0, abs=2.0)


def test_masks_follow_corrected_centroids():
    labels, grid = vertebra_mask()
    centres = body_centres(labels, grid)
    shifted = {
        str(n): Centroid(level, centres[value])
        for n, (level, value) in enumerate([("T12", 20), ("L1", 21)])
    }
    assert relabelling(centres, shifted, NUMBERS) == ({20: 19, 21: 20}, [])


def test_a_label_without_a_centroid_stays_and_nothing_joins_it():
    labels, grid = vertebra_mask()
    centres = body_centres(labels, grid)
    only = {"1": Centroid("L2", centres[20])}
    changes, problems = relabelling(centres, only, NUMBERS)
    assert changes == {}
    assert any("No centroid within" in text for text in problems)
    assert any("is taken" in text for text in problems)


def test_key_points_of_vid_are_bodies_in_dicom_coordinates(tmp_path):
    path = tmp_path / "a.json"
    points = [
        {
            "coordinates": {"world_space": [10.0, 20.0, -30.0]},
            "type": {"spine_level": "T8", "keypoint_type": "body"},
        },
        {
            "coordinates": {"world_space": [0, 0, 0]},
            "type": {"spine_level": "T8", "keypoint_type": "spinous_process"},
        },
    ]
    path.write_text(json.dumps(points))
    read = read_centroids(path, IMAGE)
    assert by_level(read.centroids) == {"T8": (-10.0, -20.0, -30.0)}
    assert not read.problems
    path.write_text(json.dumps([{"coordinates": {}}]))
    with pytest.raises(ImageError, match="cannot be used"):
        read_centroids(path, IMAGE)
