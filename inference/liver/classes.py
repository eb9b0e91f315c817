"""The classes of the liver networks and the labels of the masks they become.

Besides background, seven organs and six lesion types the networks learn what is easily taken for
them: bowel, heart, lungs, spine, other bones and large vessels. These classes are left out of
the mask.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.phantom import labels

BACKGROUND = 0
LIVER, SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY, GALLBLADDER, PANCREAS, STOMACH = range(1, 8)
HCC, ICC, METASTASIS, HEMANGIOMA, FNH, CYST = range(8, 14)
BOWEL, HEART, LUNG, SPINE, BONE, VESSEL = range(14, 20)
N_CLASSES = 20

ORGANS = tuple(range(LIVER, STOMACH + 1))
LESIONS = tuple(range(HCC, CYST + 1))
LIVER_AND_LESIONS = (LIVER, *LESIONS)
MALIGNANT = (HCC, ICC, METASTASIS)


def _within_a_sentence(name: str) -> str:
    return name if name.isupper() else name.lower()


CLASS_NAMES = (
    "background",
    *(_within_a_sentence(labels.LABEL_NAMES[label]) for label in labels.ORGAN_LABELS),
    *(_within_a_sentence(labels.LABEL_NAMES[label]) for label in labels.LESION_LABELS),
    "bowel",
    "heart",
    "lung",
    "spine",
    "bone",
    "vessel",
)


def _label_of_class() -> NDArray[np.uint8]:
    table = np.zeros(N_CLASSES, dtype=np.uint8)
    table[list(ORGANS)] = labels.ORGAN_LABELS
    table[list(LESIONS)] = labels.LESION_LABELS
    table.flags.writeable = False
    return table


LABEL_OF_CLASS = _label_of_class()
"""uint8, shape (20,): label in the mask of each class, 0 for what is left out."""


def _class_of_label() -> NDArray[np.uint8]:
    table = np.zeros(256, dtype=np.uint8)
    known = np.flatnonzero(LABEL_OF_CLASS)
    table[LABEL_OF_CLASS[known]] = known
    table[[labels.AORTA, labels.INFERIOR_VENA_CAVA, labels.PORTAL_VEIN]] = VESSEL
    table.flags.writeable = False
    return table


CLASS_OF_LABEL = _class_of_label()
"""uint8, shape (256,): class of each label of a mask."""
