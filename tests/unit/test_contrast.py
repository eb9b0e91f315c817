"""Automatic grey scale: soft tissue fills the scale, whatever else is in the volume."""

import time

import numpy as np
import pytest

from labeler.core.contrast import auto_window_hu


def _abdomen(liver_hu, spleen_hu, vessel_hu, noise_hu=15.0, shape=(40, 128, 128)):
    """Air around a body of fat and muscle with organs, vessels and bone."""
    rng = np.random.default_rng(3)
    _, j, i = np.indices(shape)
    radius = np.hypot((j - 64) / 50, (i - 64) / 60)
    hu = np.where(radius < 1, -100.0, -1000.0)
    hu[radius < 0.85] = 55
    hu[(radius < 0.8) & (i < 64)] = liver_hu
    hu[(radius < 0.75) & (i > 78)] = spleen_hu
    hu[np.hypot(j - 70, i - 72) < 5] = vessel_hu
    hu[np.hypot(j - 95, i - 64) < 9] = 700
    return (hu + rng.normal(0, noise_hu, shape)).astype(np.int16)


@pytest.mark.parametrize(
    ("liver_hu", "spleen_hu", "vessel_hu"), [(55, 45, 42), (77, 148, 325), (113, 120, 160)]
)
def test_organs_are_neither_black_nor_white(liver_hu, spleen_hu, vessel_hu):
    width, level = auto_window_hu(_abdomen(liver_hu, spleen_hu, vessel_hu))
    low, high = level - width / 2, level + width / 2
    for organ_hu in (liver_hu, spleen_hu, 55):
        assert low + 0.1 * width < organ_hu < high - 0.1 * width
    assert width <= 350, "soft tissue differences must stay visible"


def test_contrast_medium_widens_and_brightens():
    plain = auto_window_hu(_abdomen(55, 45, 42))
    contrast = auto_window_hu(_abdomen(77, 148, 325))
    assert contrast[0] > plain[0]
    assert contrast[1] > plain[1]


def test_a_volume_without_soft_tissue_gets_its_own_range():
    rng = np.random.default_rng(0)
    lung = rng.uniform(-950, -700, (20, 40, 40)).astype(np.int16)
    width, level = auto_window_hu(lung)
    assert 200 < width < 260
    assert -850 < level < -800


def test_a_film_gets_its_own_range():
    film = np.linspace(0.0, 1.0, 100 * 80, dtype=np.float32).reshape(1, 100, 80)
    width, level = auto_window_hu(film)
    assert level == pytest.approx(0.5, abs=0.05) or width >= 0.9


@pytest.mark.parametrize("value", [0, -1000, 60, 3000])
def test_a_constant_volume_gets_a_usable_window(value):
    width, level = auto_window_hu(np.full((3, 4, 5), value, np.int16))
    assert width >= 1
    assert level == value


def test_values_that_are_not_numbers_are_ignored():
    film = np.full((1, 50, 50), np.nan, np.float32)
    film[0, :, 25:] = np.linspace(5.0, 9.0, 25)
    width, level = auto_window_hu(film)
    assert width > 2.0
    assert 5.0 < level < 9.0
    assert np.isfinite(auto_window_hu(np.full((1, 9, 9), np.inf, np.float32))).all()


def test_one_slice_and_one_voxel():
    for shape in ((1, 64, 64), (1, 1, 1)):
        width, level = auto_window_hu(np.full(shape, 40, np.int16))
        assert width >= 1
        assert np.isfinite(level)


def test_large_volumes_take_no_longer_than_small_ones():
    volume = np.zeros((300, 512, 512), np.int16)  # untouched zero pages: cheap to make
    start = time.perf_counter()
    auto_window_hu(volume)
    assert time.perf_counter() - start < 0.2
