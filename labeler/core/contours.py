"""Closed outlines of labels on a slice, and back.

An outline runs through the centres of the outermost voxels of a label, in steps to one of the
eight neighbours of which straight ones are joined. Holes are outlined by the label's voxels
around them. Filling the outlines of a label gives its voxels back exactly.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, frozen, kernel
from labeler.core.mask import LabelArray


@dataclass(frozen=True, eq=False)
class Contour:
    """One closed outline.

    Attributes
    ----------
    points
        int32 ``(n, 2)``; voxels (column, row) in order, the last one is joined to the first. On
        a :class:`~labeler.core.raster.GridSlice` its ``to_ras`` gives their place.
    is_hole
        Whether it surrounds a hole of the label.
    """

    points: npt.NDArray[np.int32]
    is_hole: bool


def label_contours(
    labels: LabelArray, only: Collection[int] | None = None
) -> dict[int, tuple[Contour, ...]]:
    """Outline every label of a slice.

    Parameters
    ----------
    labels
        ``[row, column]`` uint8 or uint16, any strides.
    only
        Labels wanted; ``None`` for all but the background.

    Returns
    -------
    dict
        Contours by label, ascending.
    """
    labels = frozen(np.ascontiguousarray(labels))
    found: dict[int, tuple[Contour, ...]] = {}
    for label, row_lo, row_hi, lo, hi in _label_boxes(labels).tolist():
        if only is not None and label not in only:
            continue
        part = labels[row_lo:row_hi, lo:hi] == label
        lines, hierarchy = cv2.findContours(
            part.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(lo, row_lo)
        )
        # A contour with a parent is a hole: RETR_CCOMP has two levels only.
        parents = hierarchy[0, :, 3].tolist()
        found[label] = tuple(
            Contour(np.asarray(line.reshape(-1, 2), np.int32), parent >= 0)
            for line, parent in zip(lines, parents, strict=True)
        )
    return found


@kernel
def _label_boxes(labels: Array) -> Array:
    """Rows (label, first row, end row, first column, end column) of the labels, ascending."""
    n_rows, n_columns = labels.shape
    highest = 0
    for row in range(n_rows):
        for column in range(n_columns):
            highest = max(highest, labels[row, column])
    boxes = np.zeros((highest + 1, 5), np.int64)
    for row in range(n_rows):
        for column in range(n_columns):
            label = labels[row, column]
            if label != 0:
                if boxes[label, 0] == 0:
                    boxes[label, 0] = label
                    boxes[label, 1], boxes[label, 3] = row, column
                boxes[label, 2] = row + 1
                boxes[label, 3] = min(boxes[label, 3], column)
                boxes[label, 4] = max(boxes[label, 4], column + 1)
    return boxes[boxes[:, 0] > 0]
