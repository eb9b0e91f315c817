"""Vertebrae of a real body in painted people: measured, met by the rest, told exactly."""

import dataclasses
from functools import partial
from itertools import islice

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from inference.phantom.real_scan import AnatomyError
from inference.phantom.spine.columns import read_column
from inference.phantom.spine.curve import VARIANTS, variant_of
from inference.phantom.spine.scene import make_spine_scene, person_variant
from inference.phantom.spine.tissue import Tissue
from inference.training.spine_stream import Scenes, SpineStream, known_columns
from inference.training.spines import phantom_image
from inference.training.vertebra_masks import mask_sample
from inference.vertebra.levels import LEVEL_OF_VERSE, VERSE_NUMBER

NAMES = ("T12", "L1", "L2")
MASK_NAME = "sub-verse004_seg-vert_msk.nii.gz"
REACH_MM = (60.0, 40.0, 70.0)
SPACING_MM = 2.0
GAP_MM = 32.0
TURN = Rotation.from_euler("x", 5.0, degrees=True).as_matrix()


def blocks(numbers=(19, 20, 21)):
    """Bodies of 40 x 30 x 22 mm with pedicles, a lamina and a process, ``[i, j, k]`` in RAS.

    Voxels are 2 x 1 x 1 mm; the first vertebra lies highest, the canal is 20 mm wide.
    """
    mask = np.zeros((44, 110, 40 + len(numbers) * int(GAP_MM)), dtype=np.float64)
    for n, number in enumerate(numbers):
        middle = mask.shape[2] - 30 - n * int(GAP_MM)
        body, arch = slice(middle - 11, middle + 11), slice(middle - 6, middle + 10)
        mask[12:32, 70:100, body] = number
        for side in (slice(12, 17), slice(27, 32)):
            mask[side, 45:70, arch] = number  # pedicles
        mask[12:32, 45:52, arch] = number  # lamina
        mask[20:24, 20:45, arch] = number  # spinous process
        mask[2:42, 47:53, middle : middle + 6] = number  # transverse processes
    return mask


def specks():
    """Single voxels at the usual distances."""
    mask = np.zeros((20, 20, 120))
    mask[10, 10, [100, 68, 36]] = (19, 20, 21)
    return mask


def write(folder, mask, name=MASK_NAME):
    """Write a mask with its axes in another order and 5 degrees oblique."""
    affine = np.eye(4)
    affine[:3, :3] = TURN * [2.0, 1.0, 1.0]
    affine[:3, 3] = (-40.0, 210.0, -900.0)
    image = nib.Nifti1Image(mask, affine)
    orientation = nib.orientations.axcodes2ornt(("P", "I", "R"))
    here = nib.orientations.io_orientation(affine)
    path = folder / name
    nib.save(image.as_reoriented(nib.orientations.ornt_transform(here, orientation)), path)
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("columns"), blocks())


@pytest.fixture(scope="module")
def column(path):
    return read_column(path)


@pytest.fixture(scope="module")
def person(column):
    return make_spine_scene(1, SPACING_MM, REACH_MM, column)


def test_bodies_are_measured(column):
    assert column.names == NAMES
    for real in column.vertebrae:
        assert real.vertebra.size_mm == pytest.approx((40.0, 30.0, 22.0), abs=2.5)
        right, back, _ = (real.canal_ras - real.vertebra.centre_ras) @ real.vertebra.frame.T
        assert abs(right) < 1.5
        assert 20.0 < back < 28.0
        assert real.vertebra.frame[2] @ TURN[:, 2] > np.cos(np.deg2rad(2.0))


def test_the_centre_of_a_collapsed_body_lies_in_it(tmp_path):
    mask = blocks()
    middle = mask.shape[2] - 30 - int(GAP_MM)
    mask[12:32, 70:100, middle + 1 : middle + 11] = 0.0  # of L1 half the body is left,
    mask[10:19, 40:60, middle - 6 : middle + 10] = 20.0  # its joints are large
    mask[25:34, 40:60, middle - 6 : middle + 10] = 20.0
    real = read_column(write(tmp_path, mask)).vertebrae[1]
    assert real.vertebra.size_mm == pytest.approx((40.0, 30.0, 12.0), abs=2.5)


def test_the_numbers_are_those_of_the_mask(path, column, person):
    offset, grid = column.offset(person.spine), person.scene.grid
    inverse = np.linalg.inv(nib.load(path).affine)
    voxels = np.argwhere(np.isin(person.numbers, [VERSE_NUMBER[name] for name in NAMES]))
    box = tuple(
        slice(low, high + 1) for low, high in zip(voxels.min(0), voxels.max(0), strict=True)
    )
    z, y, x = np.meshgrid(*grid.axes(box), indexing="ij")
    points = np.stack([x, y, z], axis=-1) - offset
    index = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    mask = np.asarray(nib.load(path).dataobj)
    within = ((index >= 0) & (index < mask.shape)).all(axis=-1)
    expected = np.where(
        within, mask[tuple(np.moveaxis(index.clip(0, np.array(mask.shape) - 1), -1, 0))], 0
    )
    for name in NAMES:
        own, true = (part == VERSE_NUMBER[name] for part in (person.numbers[box], expected))
        assert 2.0 * (own & true).sum() / (own.sum() + true.sum()) > 0.93


def test_every_vertebra_is_bone_with_a_cortex_around_its_marrow(person):
    front = person.scene.front
    for name in NAMES:
        own = front[person.numbers == VERSE_NUMBER[name]]
        assert np.isin(own, (Tissue.CORTEX, Tissue.TRABECULA)).all()
        assert 0.15 < np.mean(own == Tissue.TRABECULA) < 0.85


def test_the_canal_is_free_of_bone(column, person):
    grid = person.scene.grid
    for point in column.canals(person.spine).values():
        k, j, i = np.rint(grid.to_kji(point)).astype(int)
        assert (person.scene.front[k, j - 2 : j + 3, i - 2 : i + 3] == Tissue.THECAL_SAC).all()


def test_the_rest_of_the_spine_meets_the_column(person):
    spine = person.spine
    assert spine.names == tuple(n for n in LEVEL_OF_VERSE.values() if n not in {"L6", "T13"})
    gaps = -np.diff(spine.centres_ras, axis=0)
    first, last = spine.names.index("T12"), spine.names.index("L2")
    assert np.linalg.norm(gaps[first:last], axis=1) == pytest.approx(GAP_MM, abs=0.5)
    assert (gaps[:, 2] > 0.0).all()
    directions = gaps / np.linalg.norm(gaps, axis=1, keepdims=True)
    bends = np.degrees(np.arccos((directions[1:] * directions[:-1]).sum(axis=1).clip(-1.0, 1.0)))
    assert bends[first - 2 : last + 1].max() < 25.0
    sizes = np.linalg.norm(gaps, axis=1)
    assert 0.75 < sizes[first - 1] / sizes[first] < 1.2


def test_a_person_has_the_usual_levels_whatever_was_drawn(column):
    seed = next(s for s in range(200) if person_variant(s) in VARIANTS)
    person = make_spine_scene(seed, 12.0, REACH_MM, column)
    assert not variant_of(person.spine.names)


def test_scans_differ_in_brightness_and_a_seed_repeats_one(person):
    one, again, other = (phantom_image(person, np.random.default_rng(s)) for s in (0, 0, 1))
    assert np.array_equal(one.hu, again.hu)
    assert not np.array_equal(one.hu, other.hu)
    bone = one.numbers == VERSE_NUMBER["L1"]
    assert one.hu[bone].mean() > one.hu[person.scene.front == Tissue.MUSCLE].mean() + 60.0


def stream_of(sample, share, columns):
    scenes = Scenes(10.0, REACH_MM)
    return SpineStream(sample, scenes, 0, 0, visits=2, real_share=share, columns=columns)


def test_a_stream_shows_columns_as_often_as_asked_for(path):
    def height(image, rng):  # of T12 above L1, which tells people apart
        at = dict(zip(image.names, image.centres_ras[:, 2], strict=True))
        return round(float(at.get("T12", 0.0) - at["L1"]), 3)

    every, some = ([*islice(stream_of(height, share, (path,)), 12)] for share in (1.0, 0.5))
    assert len(set(every)) == 1
    assert 2 <= some.count(every[0]) <= 10


def test_a_stream_without_columns_paints_the_people_it_always_did():
    sample = partial(mask_sample, count=1, most_noise_hu=10.0)
    first = next(iter(stream_of(sample, 0.5, ())))
    seed = int(np.random.default_rng((0, 2, 0)).integers(2**31))
    rng = np.random.default_rng((0, 3, 0))
    expected = sample(phantom_image(make_spine_scene(seed, 10.0, REACH_MM), rng), rng)
    assert first.image.equal(expected.image)
    assert first.mask.equal(expected.mask)


def test_samples_of_columns_depend_on_the_step_alone(path):
    sample = partial(mask_sample, count=1, most_noise_hu=10.0)
    (one, other), (again, _) = ([*islice(stream_of(sample, 1.0, (path,)), 2)] for _ in range(2))
    assert one.image.equal(again.image)
    assert not one.image.equal(other.image)
    assert one.mask.any()


def test_masks_are_drawn_of_the_real_vertebrae_alone(person):
    image = phantom_image(person, np.random.default_rng(0))
    assert image.real == NAMES
    painted = dataclasses.replace(image, numbers=image.numbers.clone())
    painted.numbers[torch.isin(image.numbers, torch.tensor([19, 20, 21]))] = 0
    rng = np.random.default_rng(1)
    assert mask_sample(image, rng, 9, 10.0).mask.flatten(1).any(dim=1).all()
    assert not mask_sample(painted, rng, 9, 10.0).mask.any()


def test_only_the_mask_that_is_never_tested_on_is_found(tmp_path):
    (tmp_path / "deep").mkdir()
    found = write(tmp_path / "deep", blocks())
    write(tmp_path, blocks(), "sub-verse005_seg-vert_msk.nii.gz")
    assert known_columns(tmp_path) == (found,)
    assert known_columns(None) == ()


@pytest.mark.parametrize(
    "mask",
    [
        blocks(()),
        blocks((19, 20)),
        blocks((19, 20, 22)),
        blocks((21, 20, 19)),
        blocks() + 0.25,
        np.full((8, 8, 8), np.nan),
        specks(),
    ],
)
def test_a_mask_that_is_no_part_of_a_spine_is_refused(tmp_path, mask):
    path = write(tmp_path, mask)
    with pytest.raises(AnatomyError, match=MASK_NAME):
        read_column(path)


def test_a_file_that_is_no_mask_is_refused(tmp_path):
    path = tmp_path / MASK_NAME
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(AnatomyError, match=MASK_NAME):
        read_column(path)


def test_a_vertebra_whose_body_is_cut_is_left_out(tmp_path):
    mask = blocks((18, 19, 20, 21))
    cut = mask[:, :, : mask.shape[2] - 28]
    assert read_column(write(tmp_path, cut)).names == NAMES
