"""The random walker, against a direct solution, and on lesions in noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from labeler.core.brushes import BallBrush
from labeler.core.mask import Box
from labeler.core.painting import PaintingError
from labeler.core.scribbles import (
    COARSE_ENOUGH,
    INSIDE,
    OUTSIDE,
    UNKNOWN,
    Scribbles,
    _weights,
    chances,
    walked_region,
)
from labeler.core.statistics import PlacedVolume
from tests.unit.core_strategies import make_grid, seeds


def solved_directly(values, marks, spacing, edge):
    """Chances from the full system of equations."""
    numbers = np.arange(values.size).reshape(values.shape)
    laplacian = sparse.lil_array((values.size, values.size))
    for axis, weight in enumerate(_weights(values, spacing, edge)):
        for at in np.ndindex(*(n - (a == axis) for a, n in enumerate(values.shape))):
            one = numbers[at]
            other = numbers[tuple(x + (a == axis) for a, x in enumerate(at))]
            laplacian[one, one] += weight[at]
            laplacian[other, other] += weight[at]
            laplacian[one, other] -= weight[at]
            laplacian[other, one] -= weight[at]
    laplacian = laplacian.tocsr()
    known = (marks != UNKNOWN).ravel()
    result = (marks == INSIDE).ravel().astype(float)
    if not known.all():
        right = -laplacian[~known][:, known] @ result[known]
        result[~known] = spsolve(laplacian[~known][:, ~known].tocsc(), right)
    return result.reshape(values.shape)


@given(st.tuples(st.integers(1, 4), st.integers(2, 6), st.integers(2, 6)), seeds, st.floats(0.5, 4))
def test_chances_solve_the_equations(shape, seed, edge):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 30, shape).astype(np.float32)
    marks = rng.choice([UNKNOWN, INSIDE, OUTSIDE], shape, p=[0.8, 0.1, 0.1]).astype(np.uint8)
    marks.flat[0], marks.flat[-1] = INSIDE, OUTSIDE
    spacing = (0.7, 0.9, 2.5)
    found = chances(values, marks, spacing, edge=edge, tolerance=1e-6)
    expected = solved_directly(values, marks, spacing, edge)
    # Parts behind edges all around hang on very little: rounding is seen there.
    assert np.allclose(found, expected, atol=0.01 if edge > 1.5 else 0.05)
    assert (found[marks == INSIDE] == 1).all()
    assert (found[marks == OUTSIDE] == 0).all()


def test_a_box_with_a_coarse_start_gives_the_same():
    rng = np.random.default_rng(3)
    shape = (9, 23, 25)
    assert np.prod(shape) > COARSE_ENOUGH
    values = ndimage.gaussian_filter(rng.normal(0, 20, shape), 1.0).astype(np.float32)
    marks = np.full(shape, OUTSIDE, np.uint8)
    marks[1:-1, 1:-1, 1:-1] = UNKNOWN
    marks[4, 10:13, 9:16] = INSIDE
    found = chances(values, marks, (1.0, 1.0, 2.0), edge=2.0, tolerance=1e-5)
    expected = solved_directly(values, marks, (1.0, 1.0, 2.0), 2.0)
    assert np.abs(found - expected).max() < 0.02


def lesion(contrast_hu, noise_hu, radius_mm, squeeze=1.0):
    grid = make_grid((48, 72, 72), (0.8, 0.8, 1.25))
    k, j, i = np.indices(grid.shape_kji)
    away = np.sqrt(((k - 24) * 1.25) ** 2 + ((j - 36) * 0.8) ** 2 + ((i - 36) * 0.8 * squeeze) ** 2)
    inside = away <= radius_mm
    rng = np.random.default_rng(1)
    values = ndimage.gaussian_filter(np.where(inside, 110.0 - contrast_hu, 110.0), 0.7)
    values += ndimage.gaussian_filter(rng.normal(0, 2.2 * noise_hu, inside.shape), 0.6)
    return grid, PlacedVolume(values.astype(np.int16), grid), inside


def scribbled(grid, radius_mm, squeeze=1.0):
    scribbles, brush = Scribbles(grid), BallBrush(grid, 1.5)
    wide, high = radius_mm / squeeze / 0.8, radius_mm / 0.8
    for inside, row, half in [
        (True, 36, 0.5 * wide), (False, 36 - 1.3 * high, wide), (False, 36 + 1.3 * high, wide)
    ]:  # fmt: skip
        ends = (grid.to_ras((36 + side * half, row, 24)) for side in (-1, 1))
        scribbles.add(*brush.sweep(*ends), inside)
    return scribbles


@pytest.mark.parametrize(
    ("contrast_hu", "noise_hu", "radius_mm", "squeeze"),
    [(60, 12, 12, 1.0), (40, 15, 12, 1.0), (35, 12, 14, 1.6), (60, 20, 7, 1.0)],
)
def test_a_few_strokes_find_a_lesion_in_noise(contrast_hu, noise_hu, radius_mm, squeeze):
    grid, phase, inside = lesion(contrast_hu, noise_hu, radius_mm, squeeze)
    box, marks = scribbled(grid, radius_mm, squeeze).marks()
    region = walked_region(grid, phase, box, marks)
    found = np.zeros_like(inside)
    found[region.box.slices] = region.inside
    assert 2 * (found & inside).sum() / (found.sum() + inside.sum()) > 0.87
    assert ndimage.label(found)[1] == 1


def test_a_stop_is_heard():
    def stop():
        raise RuntimeError("stopped")

    grid, phase, _ = lesion(60, 12, 12)
    with pytest.raises(RuntimeError, match="stopped"):
        walked_region(grid, phase, *scribbled(grid, 12).marks(), check=stop)


def test_later_strokes_count_and_the_rim_is_outside():
    grid = make_grid((20, 60, 60), (1.0, 1.0, 1.0))
    scribbles = Scribbles(grid)
    assert scribbles.marks() is None
    scribbles.add(Box((9, 30, 30), (10, 31, 34)), np.ones((1, 1, 4), bool), False)
    assert scribbles.marks() is None, "there is no region yet"
    scribbles.add(Box((9, 29, 33), (10, 31, 36)), np.ones((1, 2, 3), bool), True)
    box, marks = scribbles.marks()
    assert box == Box((0, 19, 23), (20, 41, 46))
    at = marks[9, 30 - 19, 30 - 23 : 36 - 23]
    assert at.tolist() == [OUTSIDE] * 3 + [INSIDE] * 3
    assert (marks[:, 0] == OUTSIDE).all()
    assert (marks[1:-1, 1:-1, 1:-1] > 0).sum() == 3 + 6


def test_scribbles_far_outside_are_in_the_box_too():
    grid = make_grid((20, 60, 90), (1.0, 1.0, 1.0))
    scribbles = Scribbles(grid)
    scribbles.add(Box((9, 30, 30), (10, 31, 34)), np.ones((1, 1, 4), bool), True)
    scribbles.add(Box((9, 30, 70), (10, 31, 72)), np.ones((1, 1, 2), bool), False)
    box, marks = scribbles.marks()
    assert (box.lo_kji, box.hi_kji) == ((0, 9, 9), (20, 52, 72))
    assert (marks[9, 30 - 9, 70 - 9 : 72 - 9] == OUTSIDE).all()


def test_a_large_box_is_worked_on_in_blocks(monkeypatch):
    grid, phase, inside = lesion(60, 12, 12)
    found = scribbled(grid, 12).marks()
    fine = walked_region(grid, phase, *found).inside
    monkeypatch.setattr("labeler.core.scribbles.FINE_VOXELS", 1000)
    coarse = walked_region(grid, phase, *found).inside
    assert 2 * (fine & coarse).sum() / (fine.sum() + coarse.sum()) > 0.93
    truth = inside[found[0].slices]
    assert 2 * (truth & coarse).sum() / (truth.sum() + coarse.sum()) > 0.9
    assert coarse[found[1] == INSIDE].all()
    assert not coarse[found[1] == OUTSIDE].any()


def test_scribbles_all_over_the_place_are_refused():
    grid = make_grid((300, 400, 400), (0.7, 0.7, 1.0))
    scribbles = Scribbles(grid)
    for k, j, i in [(10, 10, 10), (250, 380, 380)]:
        scribbles.add(Box((k, j, i), (k + 1, j + 1, i + 1)), np.ones((1, 1, 1), bool), True)
    with pytest.raises(PaintingError, match="too far apart"):
        scribbles.marks()
