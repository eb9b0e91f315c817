"""Contours of a slice."""

from __future__ import annotations

import numpy as np
from skimage.measure import find_contours

from benchmarks.registry import Pair, row
from labeler.core.contours import label_contours

#: Label, centre and half axes (row, column) of wavy ellipses.
OUTLINES = (
    (1, (230, 170), (100, 120)),
    (2, (300, 400), (50, 40)),
    (3, (330, 180), (40, 30)),
    (4, (330, 340), (40, 30)),
    (5, (230, 190), (12, 14)),
)


@row("contours", baseline="skimage.find_contours", reach_ratio=0.2, budget_s=3)
def contours() -> Pair:
    """Contours of a 512 x 512 slice with 5 labels."""
    labels = np.zeros((512, 512), np.uint8)
    y, x = np.indices(labels.shape)
    for label, (row_at, column_at), (height, width) in OUTLINES:
        wave = 1 + 0.05 * np.sin(9 * np.arctan2(y - row_at, x - column_at))
        labels[np.hypot((y - row_at) / height, (x - column_at) / width) < wave] = label
    wanted = [label for label, _, _ in OUTLINES]
    return Pair(
        lambda: label_contours(labels),
        lambda: [find_contours(labels == label, 0.5) for label in wanted],
    )
