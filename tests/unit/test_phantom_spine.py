"""Whole spines: anatomical, told exactly, the same for a seed."""

import itertools

import numpy as np
import pytest

from inference.phantom.spine.curve import draw_levels, draw_spine
from inference.phantom.spine.scene import attenuation, make_spine_scene
from inference.phantom.spine.tissue import Tissue, draw_attenuations
from inference.vertebra.levels import INDEX, VERSE_NUMBER, step_between
from inference.vertebra.mask_centres import mask_centres


@pytest.fixture(scope="module")
def scene():
    return make_spine_scene(3, 4.0)


def test_people_have_all_levels_and_a_few_one_more_or_less():
    people = [draw_levels(np.random.default_rng(seed)) for seed in range(400)]
    usual = [p for p in people if len(p) == 25 and not {"T13", "L6"} & set(p)]
    assert 0.9 < len(usual) / len(people) < 0.99
    for names in people:
        for upper, lower in itertools.pairwise(names):
            assert step_between(INDEX[upper], INDEX[lower]) is not None


@pytest.mark.parametrize("seed", range(12))
def test_spines_run_down_at_about_the_usual_distances(seed):
    spine = draw_spine(np.random.default_rng(seed))
    centres = spine.centres_ras
    assert (np.diff(centres[:, 2]) < 0).all()
    for n, (upper, lower) in enumerate(itertools.pairwise(spine.names)):
        usual = step_between(INDEX[upper], INDEX[lower]).gap_mm * spine.scale
        found = np.linalg.norm(centres[n + 1] - centres[n])
        if not {upper, lower} & spine.compressed:
            assert 0.8 * usual < found < 1.2 * usual


def test_centres_lie_in_bone_of_their_own(scene):
    grid = scene.scene.grid
    for vertebra in scene.spine.vertebrae[1:]:
        k, j, i = np.rint(grid.to_kji(vertebra.centre_ras)).astype(int)
        assert scene.numbers[k, j, i] == VERSE_NUMBER[vertebra.name]
        assert scene.scene.front[k, j, i] in (Tissue.TRABECULA, Tissue.CORTEX)


def test_centres_read_off_the_mask_are_those_of_the_bodies(scene):
    names = {number: name for name, number in VERSE_NUMBER.items()}
    found = mask_centres(scene.numbers, scene.scene.grid.affine_ras, names)
    true = {v.name: v.centre_ras for v in scene.spine.vertebrae}
    inner = [name for name in true if name not in {"C1", "C2", "S1"}]
    assert np.median([np.linalg.norm(found[n] - true[n]) for n in inner]) < 3.0


def test_the_same_seed_is_the_same_person_however_much_is_shown(scene):
    again = make_spine_scene(3, 4.0)
    assert np.array_equal(again.scene.front, scene.scene.front)
    assert np.array_equal(again.scene.share, scene.scene.share)
    narrow = make_spine_scene(3, 4.0, (40.0, 40.0, 60.0))
    assert narrow.spine.names == scene.spine.names
    assert np.array_equal(narrow.spine.centres_ras, scene.spine.centres_ras)
    assert narrow.scene.front.size < scene.scene.front.size / 3


@pytest.mark.parametrize("seed", range(20, 32))
def test_every_person_can_be_painted(seed):
    person = make_spine_scene(seed, 8.0)
    assert len(np.unique(person.scene.front)) > 12


def test_scans_differ_and_bone_is_the_brightest(scene):
    first, second = (attenuation(scene.scene, np.random.default_rng(n)) for n in (0, 1))
    assert first.dtype == np.float32
    assert not np.array_equal(first, second)
    cortex, fat = scene.scene.front == Tissue.CORTEX, scene.scene.front == Tissue.FAT
    assert first[cortex].mean() > first[fat].mean() + 200.0


def test_attenuations_are_plausible():
    for seed in range(50):
        hu = draw_attenuations(np.random.default_rng(seed))
        assert hu[Tissue.LUNG] < hu[Tissue.FAT] < hu[Tissue.MUSCLE] < hu[Tissue.CORTEX]
