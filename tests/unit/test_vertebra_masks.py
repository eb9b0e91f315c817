"""Masks of vertebrae: windows around known centres, who gets which voxel, and what remains."""

import numpy as np
import pytest
import torch

from inference.contract import Image
from inference.progress import Silent
from inference.vertebra.masks import draw_masks, mask_windows

PIR = np.array([[0, 0, -2.0, 70], [-1.5, 0, 0, 60], [0, -1.0, 0, 60], [0, 0, 0, 1]], float)
CENTRES = np.array([[0.0, 0.0, 30.0], [0.0, -4.0, 0.0], [0.0, 0.0, -30.0]])


def spine(gap_mm=8.0):
    """Three blocks of bone, 30 x 24 x (30 - gap) mm, in an image whose axes run P, I, R."""
    nk, nj, ni = 70, 120, 80
    k, j, i = np.meshgrid(np.arange(nk), np.arange(nj), np.arange(ni), indexing="ij")
    x, y, z = (PIR[n, 0] * i + PIR[n, 1] * j + PIR[n, 2] * k + PIR[n, 3] for n in range(3))
    truth = np.zeros((nk, nj, ni), np.uint8)
    for number, (cx, cy, cz) in enumerate(CENTRES, start=19):
        block = (abs(x - cx) < 15) & (abs(y - cy) < 12) & (abs(z - cz) < 15 - gap_mm / 2)
        truth[block] = number
    hu = np.where(truth > 0, 300, 0).astype(np.int16)
    return Image(hu, PIR), truth


def bone_near_the_spot(batch):
    """Bone within 32 mm of the spot, the likelier the nearer."""
    spot, bone = batch[:, 2:3], batch[:, 1:2] > 0.11
    near = 8.0 + torch.log(spot.clamp(min=1e-9))
    return torch.where(bone, near, -8.0)


def dice(a, b):
    return 2.0 * (a & b).sum() / (a.sum() + b.sum())


def test_each_vertebra_gets_its_own_bone_whatever_way_the_axes_run():
    image, truth = spine()
    labels = draw_masks(image, CENTRES, (19, 20, 21), bone_near_the_spot, Silent())
    assert labels.shape == truth.shape
    for number in (19, 20, 21):
        assert dice(labels == number, truth == number) > 0.9


def test_a_voxel_goes_to_the_likelier_of_two_vertebrae():
    image, _ = spine(gap_mm=0.0)  # one piece of bone
    labels = draw_masks(image, CENTRES, (19, 20, 21), bone_near_the_spot, Silent())
    rows = np.argwhere(labels == 19)[:, 1], np.argwhere(labels == 20)[:, 1]
    # z = 60 - j: the border lies halfway between the centres
    assert rows[0].max() <= 46
    assert rows[1].min() >= 44


def test_what_is_not_wanted_turns_windows_but_is_not_drawn():
    image, _ = spine()
    labels = draw_masks(image, CENTRES, (19, 20, 0), bone_near_the_spot, Silent())
    assert set(np.unique(labels)) == {0, 19, 20}
    assert not draw_masks(image, CENTRES, (0, 0, 0), bone_near_the_spot, Silent()).any()


def test_of_a_vertebra_one_piece_remains():
    image, truth = spine()
    hu = image.array.copy()
    hu[28:42, 85:87, 28:50] = 300  # a crumb below the second, nearer to it than the gap is wide
    labels = draw_masks(
        Image(hu, PIR), CENTRES[1:2], (20,), lambda b: torch.where(b[:, 1:2] > 0.15, 5.0, -5.0),
        Silent(),
    )  # fmt: skip
    kept = truth[labels == 20]
    assert len(set(np.unique(kept)) - {0}) == 1


def test_marrow_that_is_taken_for_none_is_filled():
    image, _ = spine()
    hu = image.array.copy()
    hu[31:40, 56:65, 38:47] = 0  # a cavity of 18 x 9 x 13 mm inside the second
    labels = draw_masks(Image(hu, PIR), CENTRES, (19, 20, 21), bone_near_the_spot, Silent())
    assert (labels[31:40, 56:65, 38:47] == 20).all()


def test_a_vertebra_outside_of_the_image_is_empty():
    image, _ = spine()
    far = CENTRES - (0.0, 0.0, 400.0)
    assert not draw_masks(image, far, (19, 20, 21), bone_near_the_spot, Silent()).any()


def test_drawing_stops_when_it_is_cancelled():
    class Impatient(Silent):
        def check(self):
            raise InterruptedError

    image, _ = spine()
    with pytest.raises(InterruptedError):
        draw_masks(image, CENTRES, (19, 20, 21), bone_near_the_spot, Impatient())


def test_windows_lie_around_the_centres_and_turn_with_the_spine():
    tilted = CENTRES @ np.array([[1, 0, 0], [0, 0.9, -0.436], [0, 0.436, 0.9]])
    for window, centre in zip(mask_windows(tilted), tilted, strict=True):
        middle = np.linalg.solve(window.affine_ras, [*centre, 1.0])[2::-1]
        assert middle == pytest.approx([13.5, 12.5, 23.5])
        assert window.frame @ window.frame.T == pytest.approx(np.eye(3))
        assert window.frame[0, 2] < -0.8  # down
        assert window.frame[1, 1] < -0.8  # to the back
    alone = mask_windows(CENTRES[:1])[0]
    assert alone.frame[0] == pytest.approx([0, 0, -1])
