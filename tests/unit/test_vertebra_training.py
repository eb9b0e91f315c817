"""Samples of spines and what the two networks are punished for."""

from pathlib import Path

import torch

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
