"""What lies around a lesion that was found: one that borders on other organs is doubtful.

Vessels at the hilum, the upper pole of the kidney, the gallbladder's neighbourhood and the fissures
are what is mistaken for lesions most often. Lesions at the liver's edge are real as well, so this
is a doubt for a person to settle: nothing is dropped for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.liver import classes

OUTSIDE_SHARE = 0.5
"""Part of the rim of a lesion that may lie outside of the liver."""

_NAMED_SHARE = 0.15


def place_doubts(found: NDArray[np.uint8], region: NDArray[np.bool_]) -> tuple[str, ...]:
    """Return why the place of a lesion is a reason to doubt it, a phrase each.

    Parameters
    ----------
    found : ndarray of uint8, shape (nk, nj, ni)
        Classes, with the lesions as they are drawn.
    region : ndarray of bool, shape (nk, nj, ni)
        One of them.
    """
    rim = found[ndimage.binary_dilation(region) & ~region]
    if not rim.size or float((~np.isin(rim, classes.LIVER_AND_LESIONS)).mean()) < OUTSIDE_SHARE:
        return ()
    counts = np.bincount(rim, minlength=classes.N_CLASSES)
    counts[[classes.BACKGROUND, *classes.LIVER_AND_LESIONS]] = 0
    neighbour = int(counts.argmax())
    if counts[neighbour] < _NAMED_SHARE * rim.size:
        return ("mostly outside of the liver",)
    return (f"mostly outside of the liver, beside {classes.CLASS_NAMES[neighbour]}",)
