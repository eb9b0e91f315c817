"""The spine line and the signals along it."""

import numpy as np
import pytest

from inference.vertebra.rectification import disc_offsets, rectify, sample
from inference.vertebra.spine_line import find_spine_line

SHAPE_KJI = (100, 60, 50)
AFFINE = np.diag([-3.0, -3.0, 3.0, 1.0])


def index_grid():
    return np.stack(np.meshgrid(*map(np.arange, SHAPE_KJI), indexing="ij"), axis=-1)


def curved(k):
    """A spine in scoliosis and kyphosis: (j, i) at slice k."""
    return 30 + 6 * np.sin(k / 30.0), 25 + 5 * np.cos(k / 25.0)


def blobs(slices, sigma=2.5):
    volume = np.zeros(SHAPE_KJI, np.float32)
    for k in slices:
        centre = np.array([k, *curved(k)])
        distance = ((index_grid() - centre) ** 2).sum(axis=-1)
        volume = np.maximum(volume, np.exp(-0.5 * distance / sigma**2))
    return volume.astype(np.float32)


def ras(k):
    j, i = curved(k)
    return np.array([-3.0 * i, -3.0 * j, 3.0 * k])


def distance_to(line, point):
    return float(np.linalg.norm(line.points_ras - point, axis=1).min())


CENTRES = range(8, 96, 8)


def test_line_passes_the_centres_from_the_head_down():
    line = find_spine_line(blobs(CENTRES), AFFINE)
    assert line.points_ras[0, 2] > line.points_ras[-1, 2]
    assert max(distance_to(line, ras(k)) for k in CENTRES) < 3.0
    steps = np.linalg.norm(np.diff(line.points_ras, axis=0), axis=1)
    assert steps == pytest.approx(np.ones(len(steps)), abs=0.02)


@pytest.mark.parametrize("flip", [(1, 1, -1), (1, -1, 1)])
def test_line_does_not_depend_on_how_the_voxels_are_stored(flip):
    volume = blobs(CENTRES)
    straight = find_spine_line(volume, AFFINE)
    signs = np.array(flip)
    axes = tuple(axis for axis in range(3) if signs[::-1][axis] < 0)
    affine = AFFINE @ np.diag([*signs, 1.0])
    affine[:3, 3] = AFFINE[:3, :3] @ ((signs < 0) * (np.array(SHAPE_KJI[::-1]) - 1))
    turned = find_spine_line(np.flip(volume, axes), affine)
    assert turned.points_ras == pytest.approx(straight.points_ras, abs=1e-6)


def test_missing_vertebrae_are_bridged_and_leaks_ignored():
    volume = blobs([k for k in CENTRES if k not in (40, 48)])
    volume[70:74, 5:10, 2:6] = 0.8
    line = find_spine_line(volume, AFFINE)
    assert distance_to(line, ras(44)) < 6.0
    assert distance_to(line, ras(72)) < 6.0


def test_no_line_without_responses():
    assert find_spine_line(np.zeros(SHAPE_KJI, np.float32), AFFINE) is None


def test_frames_are_perpendicular_and_point_to_the_back():
    frames = find_spine_line(blobs(CENTRES), AFFINE).frames()
    product = np.einsum("nab,ncb->nac", frames, frames)
    assert product == pytest.approx(np.broadcast_to(np.eye(3), product.shape), abs=1e-9)
    assert (frames[:, 1, 1] < -0.5).all()
    assert (frames[:, 0, 0] > 0.5).all()


def test_sampling_is_linear_and_zero_outside():
    volume = (index_grid() @ np.array([1.0, 10.0, 100.0])).astype(np.float32)[None]
    points_ijk = np.array([[10.25, 20.5, 30.75], [0.0, 0.0, 0.0], [-2.0, 5.0, 5.0]])
    values = sample(volume, AFFINE, points_ijk @ AFFINE[:3, :3].T)
    assert values[0] == pytest.approx([30.75 + 205.0 + 1025.0, 0.0, 0.0], rel=1e-5)


def test_signals_peak_at_the_centres_with_distances_kept():
    channels = np.stack([blobs([k]) for k in (24, 32, 64)])
    line = find_spine_line(blobs(CENTRES), AFFINE)
    for mode in (False, True):
        signals = rectify(channels, AFFINE, line, peak=mode)
        assert signals.shape == (3, len(line.points_ras))
        for signal, k in zip(signals, (24, 32, 64), strict=True):
            assert np.linalg.norm(line.at(float(signal.argmax())) - ras(k)) < 3.5


def test_the_disc_has_its_radius():
    offsets = disc_offsets(10.0, 2.0)
    assert np.linalg.norm(offsets, axis=1).max() == pytest.approx(10.0)
    assert len(offsets) == pytest.approx(np.pi * 25.0, rel=0.1)


def test_an_extended_line_goes_straight_on_and_keeps_its_middle():
    line = find_spine_line(blobs(CENTRES), AFFINE)
    longer = line.extended(20.0)
    assert longer.length_mm == line.length_mm + 40.0
    np.testing.assert_array_equal(longer.points_ras[20:-20], line.points_ras)
    steps = np.diff(longer.points_ras, axis=0)
    np.testing.assert_allclose(np.linalg.norm(steps[:20], axis=1), 1.0)
    np.testing.assert_allclose(steps[:20], np.broadcast_to(steps[0], (20, 3)), atol=1e-9)
    assert steps[0] @ line.tangents[0] > 0.95
    assert steps[-1] @ line.tangents[-1] > 0.95
