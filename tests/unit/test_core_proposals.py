"""Regions of a proposal: numbered, and written into masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core import proposals as module
from labeler.core.labels import Label, LabelTable
from labeler.core.mask import Mask
from labeler.core.painting import Constraint
from labeler.core.proposals import number_regions, same_names, take_regions
from tests.case_world import make_grid, plain_order

GRID = make_grid((6, 8, 10), (2.0, 2.0, 3.0))


def labels_of(*places) -> np.ndarray:
    array = np.zeros(GRID.shape_kji, np.uint8)
    for label, place in places:
        array[place] = label
    return array


def mask(array=None, grid=GRID) -> Mask:
    array = np.zeros(grid.shape_kji, np.uint8) if array is None else array
    return Mask("draft", array, grid, plain_order(grid))


def take(numbered, target, labels, constraints=None, grid=GRID):
    boxes = {number: numbered.regions[number].box for number in labels}
    return list(take_regions(numbered.numbers, grid, boxes, labels, target, constraints))


def apply(target, taken) -> np.ndarray:
    for result in taken:
        if result.patch is not None:
            target.apply(result.patch)
    return target.array


@given(st.lists(st.tuples(st.sampled_from([1, 2, 11]), st.integers(0, 5), st.integers(0, 6)),
                min_size=1, max_size=12))  # fmt: skip
def test_numbers_and_labels_say_the_same(places):
    labels = labels_of(*((label, np.s_[k, j : j + 2, j : j + 2]) for label, k, j in places))
    numbered = number_regions(labels, GRID)
    table = np.zeros(len(numbered.regions) + 1, np.uint8)
    for number, region in numbered.regions.items():
        assert region.id == number
        assert int((numbered.numbers == number).sum()) == region.voxels
        table[number] = region.label
    np.testing.assert_array_equal(table[numbered.numbers], labels)


def test_everything_taken_is_the_label_map():
    labels = labels_of((1, np.s_[1:5, 1:7, 1:9]), (11, np.s_[2, 2:4, 2:4]), (11, np.s_[4, 5, 7]))
    numbered = number_regions(labels, GRID)
    target = mask()
    taken = take(numbered, target, {n: r.label for n, r in numbered.regions.items()})
    np.testing.assert_array_equal(apply(target, taken), labels)
    assert all(result.is_taken and not result.n_kept_out for result in taken)


def test_one_region_changes_nothing_else():
    labels = labels_of((1, np.s_[1:5, 1:7, 1:9]), (11, np.s_[2, 2:4, 2:4]))
    numbered = number_regions(labels, GRID)
    before = labels_of((2, np.s_[:, :4, :]))
    target = mask(before.copy())
    after = apply(target, take(numbered, target, {2: 16}))
    np.testing.assert_array_equal(after, np.where(labels == 11, 16, before))


def test_locked_labels_are_kept_and_counted():
    numbered = number_regions(labels_of((11, np.s_[1:3, 0:4, 0:4])), GRID)
    before = labels_of((1, np.s_[:, :2, :]))
    target = mask(before.copy())
    locked = {11: Constraint(locked=frozenset({1}))}
    (result,) = take(numbered, target, {1: 11}, locked)
    assert (result.n_inside, result.n_kept_out, result.is_taken) == (32, 16, True)
    after = apply(target, [result])
    np.testing.assert_array_equal(after == 1, before == 1)
    assert int((after == 11).sum()) == 16


def test_what_is_all_locked_is_not_taken():
    numbered = number_regions(labels_of((11, np.s_[1, 0:4, 0:4])), GRID)
    target = mask(labels_of((1, np.s_[:])))
    (result,) = take(numbered, target, {1: 11}, {11: Constraint(locked=frozenset({1}))})
    assert not result.is_taken
    assert result.patch is None


def test_what_the_mask_has_already_is_taken_without_a_change():
    labels = labels_of((11, np.s_[1, 0:4, 0:4]))
    numbered = number_regions(labels, GRID)
    (result,) = take(numbered, mask(labels.copy()), {1: 11}, {11: Constraint(frozenset({11}))})
    assert result.is_taken
    assert result.patch is None


def test_another_grid_takes_the_nearest_voxel():
    labels = labels_of((11, np.s_[2:4, 2:6, 2:8]))
    numbered = number_regions(labels, GRID)
    fine = make_grid((12, 16, 20), (1.0, 1.0, 1.5))
    target = mask(grid=fine)
    after = apply(target, take(numbered, target, {1: 11}))
    k, j, i = np.indices(fine.shape_kji)
    ijk = np.floor(GRID.to_ijk(fine.to_ras(np.stack((i, j, k), -1))) + 0.5).astype(int)
    i, j, k = np.moveaxis(ijk, -1, 0)
    np.testing.assert_array_equal(after, labels[k, j, i])


def test_a_mask_elsewhere_gets_nothing():
    numbered = number_regions(labels_of((11, np.s_[2, 2, 2])), GRID)
    far = make_grid((4, 4, 4), (1.0, 1.0, 1.0), (500.0, 0.0, 0.0))
    (result,) = take(numbered, mask(grid=far), {1: 11})
    assert (result.n_inside, result.is_taken, result.patch) == (0, False, None)


def test_only_the_largest_regions_are_kept_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(module, "MAX_REGIONS", 2)
    labels = labels_of((11, np.s_[0, 0, 0]), (11, np.s_[0, 4:6, 4:6]), (1, np.s_[3, 2:5, 2:5]))
    numbered = number_regions(labels, GRID)
    assert numbered.n_left_out == 1
    assert [(n, r.label, r.voxels) for n, r in numbered.regions.items()] == [(1, 1, 9), (2, 11, 4)]
    assert numbered.numbers[0, 0, 0] == 0


TABLE = LabelTable(
    [Label(1, "Liver", "#00ff00"), Label(3, "Right kidney", "#00ff00"), Label(11, "HCC", "#ff0000")]
)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("liver", 1), ("LIVER", 1), ("kidney_right", 3), ("Right-Kidney", 3), ("hcc", 11),
        ("tumour", None), ("kidney", None), ("", None),
    ],
)  # fmt: skip
def test_labels_are_found_by_their_names(name, label):
    assert same_names({7: name}, TABLE) == ({} if label is None else {7: label})
