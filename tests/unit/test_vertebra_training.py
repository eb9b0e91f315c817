"""Samples of spines and what the three networks are punished for."""

import json
from functools import partial
from itertools import islice
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from inference.phantom.grids import Grid
from inference.phantom.spine.curve import VARIANTS, variant_of
from inference.training.real_spines import isotropic, read_spine
from inference.training.spine_stream import CENTRE_SCENES, LEVEL_SCENES, Scenes, SpineStream
from inference.training.spines import SpineImage, centre_sample, level_sample
from inference.training.vertebra import centre_loss, level_loss, read_vertebra_settings
from inference.training.vertebra_masks import mask_loss, mask_sample, mask_scores
from inference.vertebra.levels import VERSE_NUMBER
from inference.vertebra.masks import MASK_WINDOW_KJI
from inference.vertebra.networks import centre_network, level_network, mask_network

CONFIG = Path(__file__).resolve().parents[2] / "config" / "train_vertebra.toml"
FEATURES = (4, 4, 4, 4, 4, 4)


def first(stage, step=0):
    sample, scenes = {
        "levels": (partial(level_sample, window_kji=(48, 32, 32)), LEVEL_SCENES),
        "centres": (partial(centre_sample, length=64), CENTRE_SCENES),
        "masks": (partial(mask_sample, count=2, most_noise_hu=20.0), Scenes(4.0, (60, 50, 90))),
    }[stage]
    return next(iter(SpineStream(sample, scenes, 0, step, visits=2)))


def test_the_settings_that_ship_can_be_read():
    settings = read_vertebra_settings(CONFIG)
    assert all(n % 16 == 0 for n in settings.levels.window_kji)


def test_samples_depend_on_the_step_alone():
    one, again, other = first("levels", 1), first("levels", 1), first("levels", 2)
    assert torch.equal(one.image, again.image)
    assert not torch.equal(one.image, other.image)
    assert (one.seen | ~one.column).all()


def test_unusual_people_are_as_frequent_as_asked_for():
    def variants(share):
        def sample(image, rng):
            return variant_of(image.names)

        stream = SpineStream(sample, Scenes(12.0), 0, 0, visits=1, variant_share=share)
        return [*islice(stream, 12)]

    usual, half, all_of_them = (variants(share) for share in (0.0, 0.5, 1.0))
    assert usual.count("") > 9
    assert 1 < half.count("") < 11
    assert set(all_of_them) <= set(VARIANTS)


def test_all_losses_have_gradients():
    for stage, network, loss in (
        ("levels", level_network(FEATURES), level_loss),
        ("centres", centre_network(FEATURES), centre_loss),
        ("masks", mask_network(FEATURES), mask_loss),
    ):
        value = loss(network, first(stage))
        value.backward()
        assert torch.isfinite(value)
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def two_blocks():
    """L4 and L5 as blocks of bone, 20 mm high and 30 mm apart, and a sacrum below."""
    grid = isotropic(Grid((60, 60, 60), (2.0, 2.0, 2.0), (60.0, 60.0, -60.0)), 2.0)
    numbers = torch.zeros(grid.shape_kji, dtype=torch.uint8)
    for k, name in ((50, "L4"), (35, "L5"), (20, "S1")):
        numbers[k - 5 : k + 5, 22:38, 20:40] = VERSE_NUMBER[name]
    hu = torch.where(numbers > 0, 250.0, 20.0)
    centres = np.array([[0.0, 0.0, z] for z in (39.0, 9.0, -21.0)])
    return SpineImage(hu, grid, ("L4", "L5", "S1"), centres, numbers)


def test_a_mask_sample_shows_the_vertebra_that_is_meant_and_never_the_sacrum():
    rng = np.random.default_rng(3)
    for _ in range(5):
        sample = mask_sample(two_blocks(), rng, 3, 10.0)
        assert sample.image.shape == (3, 3, *MASK_WINDOW_KJI)
        for image, mask in zip(sample.image, sample.mask, strict=True):
            assert image[1][mask].median() > 0.15  # bone
            assert image[2][mask].max() > 0.9  # around the spot
            assert mask.sum() * 8.0 == pytest.approx(32.0 * 40.0 * 20.0, rel=0.8)


def test_the_dice_of_what_is_drawn_right_is_one():
    sample = first("masks")
    exact = torch.stack([torch.where(m, 5.0, -5.0) for m in sample.mask])[:, None]
    assert mask_scores(lambda batch: exact, [sample])["score"] == pytest.approx(1.0)
    assert mask_scores(lambda batch: -exact, [sample])["score"] < 0.1


def write_person(folder, first_slice):
    """A block of T12, L1, L2 and L3 above one another, 30 mm each, and a liver beside them."""
    labels = np.zeros((60, 40, 40), np.uint8)
    for n in range(4):  # from the feet up, voxels of 2 mm
        labels[n * 15 : n * 15 + 13, 10:22, 10:25] = 1 + n
    labels[20:40, 10:20, 28:38] = 9
    names = {1: "vertebrae_L3", 2: "vertebrae_L2", 3: "vertebrae_L1", 4: "vertebrae_T12"}
    hu = np.where(labels > 0, 200.0, 0.0).astype(np.float32)
    affine = np.diag([-2.0, -2.0, 2.0, 1.0])
    for name, array in (("ct", hu), ("labels", labels)):
        image = nib.Nifti1Image(array[first_slice:].transpose(2, 1, 0), affine)
        nib.save(image, folder / f"{name}.nii.gz")
    (folder / "labels_classes.json").write_text(json.dumps({**names, 9: "liver"}))
    return read_spine(folder / "ct.nii.gz", folder / "labels.nii.gz", 4.0)


def test_a_real_anatomy_ends_where_its_vertebrae_are_not_known(tmp_path):
    whole = write_person(tmp_path, 0)
    assert whole.names == ("T12", "L1", "L2")  # half a usual distance is more than the blocks have
    # L2 ends 2 mm above the last slice that is known; of L3 below most was shown
    shown = np.argwhere(whole.hu.numpy() > 150.0)[:, 0] * 4.0 + whole.grid.origin_ras[2]
    assert 20.0 < shown.min() <= 42.0
    assert whole.centres_ras[-1, 2] == pytest.approx(42.0, abs=1.5)
    drawn = whole.numbers[whole.hu > 150.0]
    assert set(drawn.tolist()) >= {VERSE_NUMBER[name] for name in whole.names}


def test_a_vertebra_whose_body_is_cut_has_no_centre(tmp_path):
    assert write_person(tmp_path, 17).names == ("T12", "L1")
