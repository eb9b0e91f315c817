"""Grids, and images and labels that go from one to another and back."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from inference.contract import Image
from inference.grid import Grid, body_box, grid_of
from inference.resampling import labels_from_scores, resample, resample_labels

DIRECTIONS = [
    "".join(letters)
    for order in itertools.permutations(("RL", "AP", "SI"))
    for letters in itertools.product(*order)
]


def rotation(degrees: tuple[float, float, float]) -> np.ndarray:
    return Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()


@st.composite
def grids(draw, oblique=True, smallest=2, largest=9):
    """Grids of any spacing, orientation and place."""
    sizes = st.integers(smallest, largest)
    shape = draw(st.tuples(sizes, sizes, sizes))
    angle = st.floats(-40, 40) if oblique else st.just(0.0)
    affine = np.eye(4)
    affine[:3, :3] = rotation(draw(st.tuples(angle, angle, angle)))
    affine[:3, :3] *= draw(st.tuples(*[st.floats(0.5, 5)] * 3))
    affine[:3, 3] = draw(st.tuples(*[st.floats(-100, 100)] * 3))
    return Grid(shape, affine).oriented(draw(st.sampled_from(DIRECTIONS)))


def centres_ras(grid: Grid) -> np.ndarray:
    """Return the world coordinates [k, j, i, 3] of a grid's voxels."""
    kji = np.stack(np.indices(grid.shape_kji), axis=-1)
    return kji[..., ::-1] @ grid.affine_ras[:3, :3].T + grid.affine_ras[:3, 3]


@given(grids(), st.sampled_from(DIRECTIONS))
def test_another_orientation_has_the_same_voxels(grid, directions):
    turned = grid.oriented(directions)
    before = centres_ras(grid).reshape(-1, 3)
    after = centres_ras(turned).reshape(-1, 3)
    order = [np.lexsort(np.round(points, 4).T) for points in (before, after)]
    np.testing.assert_allclose(before[order[0]], after[order[1]], atol=1e-6)
    assert np.allclose(turned.oriented(directions).affine_ras, turned.affine_ras)


@given(grids(oblique=False), st.sampled_from(DIRECTIONS))
def test_array_axes_run_to_the_letters(grid, directions):
    turned = grid.oriented(directions)
    for axis, letter in enumerate(directions):
        step = turned.affine_ras[:3, 2 - axis]
        world = "RAS".find(letter) if letter in "RAS" else "LPI".find(letter)
        assert np.flatnonzero(np.abs(step) > 1e-6).tolist() == [world]
        assert (step[world] > 0) == (letter in "RAS")


@given(grids(), st.tuples(*[st.floats(0.3, 8)] * 3))
def test_another_spacing_covers_the_same_extent(grid, spacing):
    other = grid.respaced(spacing)
    assert other.spacing_kji_mm == pytest.approx(spacing)
    for axis, size in enumerate(other.shape_kji):
        extent = grid.shape_kji[axis] * grid.spacing_kji_mm[axis]
        assert size == 1 or abs(size * spacing[axis] - extent) <= spacing[axis] / 2 + 1e-6
    np.testing.assert_allclose(
        centres_ras(other).mean((0, 1, 2)), centres_ras(grid).mean((0, 1, 2)), atol=1e-6
    )


@given(grids(), st.data())
def test_a_box_has_the_voxels_of_the_array_in_it(grid, data):
    box = []
    for size in grid.shape_kji:
        low = data.draw(st.integers(0, size - 1))
        box.append(slice(low, data.draw(st.integers(low + 1, size))))
    part = grid.cropped(tuple(box))
    np.testing.assert_allclose(centres_ras(part), centres_ras(grid)[tuple(box)], atol=1e-6)


@given(grids(), grids())
def test_a_linear_image_is_met_exactly_on_any_grid(grid, other):
    ramp = np.array([0.3, -0.2, 0.5])
    image = Image(np.float32(centres_ras(grid) @ ramp), grid.affine_ras)
    found = resample(image, other, fill_hu=-1e4)
    kji = np.moveaxis(centres_ras(other) - grid.affine_ras[:3, 3], -1, 0)
    kji = np.einsum("ab,b...->a...", np.linalg.inv(grid.affine_ras[:3, :3]), kji)[::-1]
    limits = np.array(grid.shape_kji)[:, None, None, None] - 1
    within = ((kji >= 0) & (kji <= limits)).all(0)
    np.testing.assert_allclose(found[within], (centres_ras(other) @ ramp)[within], atol=1e-2)
    beyond = ((kji < -0.51) | (kji > limits + 0.51)).any(0)
    assert (found[beyond] == -1e4).all()


@given(grids(smallest=3, largest=7), st.sampled_from(DIRECTIONS), st.integers(0, 2**31))
def test_an_image_only_turned_keeps_every_voxel(grid, directions, seed):
    array = np.random.default_rng(seed).integers(-1024, 3000, grid.shape_kji, dtype=np.int16)
    there = grid.oriented(directions)
    turned = resample(Image(array, grid.affine_ras), there, antialias=True)
    assert sorted(turned.ravel()) == sorted(array.ravel())
    back = resample(Image(turned, there.affine_ras), grid)
    np.testing.assert_array_equal(back, array)


@given(grids(), st.floats(0.2, 0.99), st.sampled_from(DIRECTIONS), st.integers(0, 2**31))
def test_labels_return_from_a_finer_grid_as_they_were(grid, factor, directions, seed):
    labels = np.random.default_rng(seed).integers(0, 4, grid.shape_kji, dtype=np.uint8)
    k, j, i = (spacing * factor for spacing in grid.spacing_kji_mm)
    # a voxel more on each side, so that the finer grid covers all
    wider = Grid(
        tuple(n + 2 for n in grid.shape_kji),
        grid.affine_ras @ np.array([[1, 0, 0, -1], [0, 1, 0, -1], [0, 0, 1, -1], [0, 0, 0, 1]]),
    )
    fine = wider.respaced((k, j, i)).oriented(directions)
    there = resample_labels(labels, grid, fine)
    assert there.dtype == np.uint8
    np.testing.assert_array_equal(resample_labels(there, fine, grid), labels)


@given(st.tuples(*[st.floats(-40, 40)] * 3), st.integers(0, 2**31))
def test_labels_return_from_a_turned_grid_as_they_were(degrees, seed):
    labels = np.random.default_rng(seed).integers(0, 3, (4, 5, 6), dtype=np.uint16)
    grid = Grid((4, 5, 6), np.eye(4))
    affine = np.eye(4)
    affine[:3, :3] = rotation(degrees) * 0.5  # half the diagonal of a voxel is under half a voxel
    affine[:3, 3] = np.array([2.5, 2, 1.5]) - affine[:3, :3] @ [12, 12, 12]
    fine = Grid((25, 25, 25), affine)
    there = resample_labels(labels, grid, fine)
    np.testing.assert_array_equal(resample_labels(there, fine, grid), labels)


def test_no_labels_are_found_where_there_are_none():
    grid = Grid((4, 4, 4), np.eye(4))
    turned = Grid((5, 5, 5), np.block([[rotation((10, 20, 30)), np.zeros((3, 1))], [0, 0, 0, 1]]))
    far = Grid((5, 5, 5), turned.affine_ras + np.eye(4, k=3) * 100)
    full = np.ones((4, 4, 4), np.uint8)
    assert resample_labels(full, grid, turned).any()
    assert not resample_labels(full * 0, grid, turned).any()
    assert not resample_labels(full, grid, far).any()
    straight = Grid((2, 2, 2), np.eye(4) + np.eye(4, k=3) * 9)
    assert not resample_labels(full, grid, straight).any()


def test_antialias_takes_the_mean_where_points_would_take_the_noise():
    rng = np.random.default_rng(0)
    image = Image(rng.normal(50, 20, (40, 40, 40)).astype(np.float32), np.eye(4))
    coarse = grid_of(image).respaced((6, 6, 6))
    points, means = resample(image, coarse), resample(image, coarse, antialias=True)
    assert means.std() < points.std() / 4
    assert means.mean() == pytest.approx(50, abs=1)


@given(grids(oblique=False, smallest=1, largest=6), st.integers(1, 9), st.integers(0, 2**31))
def test_best_scores_are_those_of_scores_interpolated_everywhere(grid, classes, seed):
    scores = np.random.default_rng(seed).normal(size=(classes, *grid.shape_kji)).astype(np.float32)
    fine = grid.respaced(tuple(s * 0.37 for s in grid.spacing_kji_mm)).oriented("LIP")
    found = labels_from_scores(scores, grid, fine)
    everywhere = np.stack(
        [resample(Image(score, grid.affine_ras), fine, fill_hu=0) for score in scores]
    )
    best = np.sort(everywhere, axis=0)
    clear = best[-1] - best[-2] > 1e-4 if classes > 1 else np.ones(fine.shape_kji, bool)
    np.testing.assert_array_equal(found[clear], everywhere.argmax(0)[clear])


def test_the_body_is_found_without_its_table():
    array = np.full((20, 100, 120), -1000, np.int16)
    array[:, 85:87] = 200
    k, j, i = np.ogrid[:20, :100, :120]
    array[((j - 45) / 30.0) ** 2 + ((i - 60) / 45.0) ** 2 + 0 * k < 1] = 40
    box = body_box(Image(array, np.diag([2.0, 2.0, 5.0, 1.0])), margin_mm=4)
    body = np.zeros(array.shape, bool)
    body[box] = True
    assert body[array == 40].all()
    assert box[1].stop <= 80
    assert body.sum() < array.size * 0.75


def test_an_image_of_air_is_all_body():
    image = Image(np.full((3, 10, 10), -1000, np.int16), np.eye(4))
    assert image.array[body_box(image)].shape == (3, 10, 10)


def test_oblique_scanning_finds_the_same_structure():
    """A ball seen through a turned grid has its volume and its centre."""
    array = np.zeros((30, 30, 30), np.float32)
    k, j, i = np.ogrid[:30, :30, :30]
    array[(k - 15) ** 2 + (j - 14) ** 2 + (i - 13) ** 2 < 64] = 1
    affine = np.eye(4)
    affine[:3, :3] = rotation((20, -15, 30)) * 0.8
    affine[:3, 3] = np.array([13, 14, 15]) - affine[:3, :3] @ [20, 20, 20]
    found = resample(Image(array, np.eye(4)), Grid((41, 41, 41), affine), fill_hu=0)
    assert found.sum() * 0.8**3 == pytest.approx(array.sum(), rel=0.02)
    assert ndimage.center_of_mass(found) == pytest.approx((20, 20, 20), abs=0.1)
