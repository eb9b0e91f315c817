"""Label values of the written masks, and the names other label maps use for the same organs."""

from __future__ import annotations

from types import MappingProxyType

LIVER, SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY, GALLBLADDER, PANCREAS, STOMACH = range(1, 8)
HCC, ICC, METASTASIS, HEMANGIOMA, FNH, CYST = range(11, 17)
AORTA, INFERIOR_VENA_CAVA, PORTAL_VEIN = range(21, 24)

LABEL_NAMES = MappingProxyType(
    {
        LIVER: "Liver",
        SPLEEN: "Spleen",
        RIGHT_KIDNEY: "Right kidney",
        LEFT_KIDNEY: "Left kidney",
        GALLBLADDER: "Gallbladder",
        PANCREAS: "Pancreas",
        STOMACH: "Stomach",
        HCC: "HCC",
        ICC: "ICC",
        METASTASIS: "Metastasis",
        HEMANGIOMA: "Hemangioma",
        FNH: "FNH",
        CYST: "Cyst",
        AORTA: "Aorta",
        INFERIOR_VENA_CAVA: "Inferior vena cava",
        PORTAL_VEIN: "Portal vein",
    }
)
"""Stable numbers: written masks, the application's label file and models share them."""

ORGAN_LABELS = tuple(range(LIVER, STOMACH + 1))
LESION_LABELS = tuple(range(HCC, CYST + 1))

LABEL_OF_STRUCTURE = MappingProxyType(
    {
        "liver": LIVER,
        "spleen": SPLEEN,
        "kidney_right": RIGHT_KIDNEY,
        "kidney_left": LEFT_KIDNEY,
        "gallbladder": GALLBLADDER,
        "pancreas": PANCREAS,
        "stomach": STOMACH,
        "aorta": AORTA,
        "inferior_vena_cava": INFERIOR_VENA_CAVA,
        "portal_vein_and_splenic_vein": PORTAL_VEIN,
    }
)
"""Structure names of TotalSegmentator that have a label of ours."""
