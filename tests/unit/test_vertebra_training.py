"""Samples of spines and what the two networks are punished for."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from inference.training.real_spines import read_spine
from inference.training.spines import SpineStream
from inference.training.vertebra import centre_loss, level_loss, read_vertebra_settings
from inference.vertebra.networks import centre_network, level_network

CONFIG = Path(__file__).resolve().parents[2] / "config" / "train_vertebra.toml"
FEATURES = (4, 4, 4, 4, 4, 4)


def first(stage, step=0):
    sizes = {"window_kji": (48, 32, 32), "length": 64, "width": 32, "visits": 2}
    return next(iter(SpineStream(stage, 0, step, **sizes)))


def test_the_settings_that_ship_can_be_read():
    settings = read_vertebra_settings(CONFIG)
    assert all(n % 16 == 0 for n in settings.levels.window_kji)


def test_samples_depend_on_the_step_alone():
    one, again, other = first("levels", 1), first("levels", 1), first("levels", 2)
    assert torch.equal(one.image, again.image)
    assert not torch.equal(one.image, other.image)
    assert (one.seen | ~one.column).all()


def test_both_losses_have_gradients():
    for stage, network, loss in (
        ("levels", level_network(FEATURES), level_loss),
        ("centres", centre_network(FEATURES), centre_loss),
    ):
        value = loss(network, first(stage))
        value.backward()
        assert torch.isfinite(value)
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


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


def test_a_vertebra_whose_body_is_cut_has_no_centre(tmp_path):
    assert write_person(tmp_path, 17).names == ("T12", "L1")
