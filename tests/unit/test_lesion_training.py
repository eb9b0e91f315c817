"""Training patches of the second stage: right types, honest negatives, pasted lesions."""

from pathlib import Path

import numpy as np
import pytest
import torch

from inference.liver import classes
from inference.liver.stage2 import N_CHANNELS, NOT_A_LESION, PATCH, LesionNetwork
from inference.phantom import labels
from inference.phantom.variety import Variety
from inference.training import lesion_patients
from inference.training.lesion_patients import LiverShowing, false_proposals, lesions_of
from inference.training.lesion_samples import (
    LiverVisit,
    PatchBatch,
    feathered,
    make_batch,
    mirrored,
    proposed,
)
from inference.training.lesions import learn_levels, patch_loss, patch_scores
from inference.training.patients import paint_patient
from inference.training.settings import read_settings

PLAN = ((labels.CYST, 16.0), (labels.HCC, 12.0))


@pytest.fixture(scope="module")
def settings():
    root = Path(__file__).resolve().parents[2]
    return read_settings(root / "config" / "train_liver.toml").lesions


@pytest.fixture(scope="module")
def liver():
    return paint_patient(1, lesion_patients.liver_grid(), Variety(lesions=PLAN))


@pytest.fixture(scope="module")
def hu(liver):
    return LiverShowing(0).phases(liver, np.random.default_rng(0))


def visit(liver, hu, settings, **changes):
    return LiverVisit(liver, hu, np.random.default_rng(1), settings.model_copy(update=changes))


def test_lesions_are_found_in_the_painting(liver):
    found = lesions_of(liver)
    first = classes.LESIONS[0]
    assert sorted(c.kind for c in found) == [classes.HCC - first, classes.CYST - first]
    for candidate in found:
        assert (liver.truth[candidate.box][candidate.mask] == candidate.kind + first).all()


def test_false_proposals_keep_off_lesions(liver, hu):
    lesions = lesions_of(liver)
    found = false_proposals(liver, hu[2], lesions, np.random.default_rng(3))
    assert len(found) >= 8
    sick = np.isin(liver.truth, classes.LESIONS)
    for candidate in found:
        assert candidate.kind == NOT_A_LESION
        assert (candidate.mask & sick[candidate.box]).mean() < 0.2


def test_patches_show_what_they_say(liver, hu, settings):
    looks = visit(liver, hu, settings, negative_share=0.0, context_share=0.0, noise_hu=(0.0, 1.0))
    rng = np.random.default_rng(5)
    for _ in range(6):
        image, kind, outline = looks.draw(rng)
        assert image.shape == (N_CHANNELS, PATCH, PATCH, PATCH)
        inside = outline > 0.5
        assert inside.any()
        shown = [n for n in range(4) if image[8 + n, 0, 0, 0] == 1.0]
        if kind == classes.CYST - classes.LESIONS[0]:
            assert all(image[n][inside].median() < -0.1 for n in shown)


def test_negatives_have_no_outline(liver, hu, settings):
    looks = visit(liver, hu, settings, negative_share=1.0)
    _, kind, outline = looks.draw(np.random.default_rng(2))
    assert kind == NOT_A_LESION
    assert not outline.any()


def test_a_pasted_lesion_is_in_liver(liver, hu, settings):
    looks = visit(liver, hu, settings, negative_share=0.0, context_share=1.0, noise_hu=(0.0, 0.1))
    image, _, outline = looks.draw(np.random.default_rng(7))
    assert (image[12][outline > 0.5] == 1.0).all()


def test_feather_falls_over_two_voxels():
    ball = torch.zeros((PATCH,) * 3)
    ball[20:28, 20:28, 20:28] = 1.0
    share = feathered(ball)
    assert (share[ball > 0] == 1.0).all()
    line = share[24, 24, 27:34]
    assert (line.diff() <= 0).all()
    assert 0.0 < line[2] < 1.0
    assert line[6] < 0.01


def test_proposals_of_stage_1_are_imitated():
    mask = np.zeros((15, 15, 15), dtype=bool)
    mask[2:13, 2:13, 2:13] = True
    rng = np.random.default_rng(0)
    sizes = [proposed(mask, rng).sum() / mask.sum() for _ in range(40)]
    assert min(sizes) < 0.8
    assert max(sizes) > 1.1
    assert all(size > 0 for size in sizes)


def test_mirrored_batches_stay_together():
    patches = torch.rand(2, N_CHANNELS, 4, 4, 4)
    batch = PatchBatch(patches, torch.tensor([1, 2]), patches[:, 0])
    turned = mirrored(batch, np.random.default_rng(1))
    assert torch.equal(turned.patches[:, 0], turned.outlines)
    assert not torch.equal(turned.patches, batch.patches)


def test_attenuations_alone_tell_a_cyst(liver, hu, settings):
    looks = visit(liver, hu, settings)
    rng = np.random.default_rng(0)
    batches = [make_batch([looks], 8, rng) for _ in range(4)]
    torch.manual_seed(0)
    network = LesionNetwork((4, 8, 8)).eval()
    with torch.no_grad():
        before = float(patch_loss(network, batches[0]))
    learn_levels(network, batches, settings.model_copy(update={"level_steps": 150}), 0)
    network.eval()
    with torch.no_grad():
        assert float(patch_loss(network, batches[0])) < before - 0.4
    scores = patch_scores(network, batches)
    assert set(scores) == {"kept", "dropped", "type", "dice", "score"}
    assert scores["type"] > 0.7
