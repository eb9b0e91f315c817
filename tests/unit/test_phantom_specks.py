"""Masks of the examples hold organs and lesions, not crumbs of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from inference.phantom.labels import HCC, LIVER, PORTAL_VEIN, SPLEEN
from inference.phantom.specks import MIN_LESION_ML, remove_specks


def test_small_pieces_get_the_label_around_them():
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:18, 2:18, 2:14] = LIVER
    labels[5:9, 5:9, 5:9] = HCC
    labels[6, 6, 6] = LIVER  # inside the lesion
    labels[10, 10, 10] = PORTAL_VEIN  # inside the liver
    labels[10, 10, 17] = LIVER  # outside of everything
    remove_specks(labels, 0.01)
    assert labels[6, 6, 6] == HCC
    assert labels[10, 10, 10] == LIVER
    assert labels[10, 10, 17] == 0
    assert (labels == HCC).sum() == 64


@pytest.mark.parametrize("corner", [0, 19])
def test_pieces_at_the_border_are_found(corner):
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[corner, corner, corner] = SPLEEN
    remove_specks(labels, 0.001)
    assert not labels.any()


def test_no_piece_smaller_than_the_limit_is_left():
    labels = np.random.default_rng(1).choice([0, 0, 0, LIVER, HCC], (24, 24, 24)).astype(np.uint8)
    labels = ndimage.median_filter(labels, 3)
    remove_specks(labels, 0.001)
    pieces, _ = ndimage.label(labels == HCC, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(pieces.ravel())[1:]
    assert (sizes * 0.001 >= MIN_LESION_ML).all()
