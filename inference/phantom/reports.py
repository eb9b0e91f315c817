"""Radiology and pathology reports that say what is in the case."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.phantom import labels

RADIOLOGY_COLUMNS = ("case_id", "date", "modality", "findings", "impression")
PATHOLOGY_COLUMNS = ("case_id", "date", "specimen", "diagnosis")

PHASE_WORDS = {
    "NC": "non-contrast",
    "ART": "arterial",
    "PV": "portal venous",
    "DL": "delayed",
}


@dataclass(frozen=True)
class Finding:
    """A lesion as a radiologist measures it.

    Parameters
    ----------
    label : int
    segment : str
        Couinaud segment.
    diameter_mm : float
        Longest axial diameter.
    """

    label: int
    segment: str
    diameter_mm: float

    @property
    def size(self) -> str:
        """Diameter in words."""
        return f"{self.diameter_mm / 10.0:.1f} cm"


def longest_axial_mm(voxels_kji: NDArray[np.intp], spacing_mm: tuple[float, ...]) -> float:
    """Return the longest diameter of a lesion in any axial slice, pixel edges included.

    Parameters
    ----------
    voxels_kji : ndarray of int, shape (n, 3)
    spacing_mm : tuple of float
        Voxel size along i, j and k.
    """
    longest = 0.0
    for k in np.unique(voxels_kji[:, 0]):
        points = voxels_kji[voxels_kji[:, 0] == k][:, :0:-1] * np.asarray(spacing_mm[:2])
        hull = cv2.convexHull(points.astype(np.float32)).reshape(-1, 2).astype(np.float64)
        apart = hull[:, None] - hull[None]
        longest = max(longest, float(np.sqrt((apart**2).sum(axis=2)).max()))
    return longest + spacing_mm[0]


_DESCRIPTION = {
    labels.HCC: ("{size} mass in segment {segment} with arterial hyperenhancement{washout}"),
    labels.ICC: (
        "{size} lobulated mass in segment {segment} with irregular peripheral enhancement in "
        "the arterial phase{late}"
    ),
    labels.METASTASIS: (
        "{size} hypovascular lesion in segment {segment} with rim enhancement, best seen in the "
        "portal venous phase"
    ),
    labels.HEMANGIOMA: (
        "{size} lesion in segment {segment} with peripheral nodular arterial enhancement and "
        "progressive centripetal fill-in{fill}"
    ),
    labels.FNH: (
        "{size} lesion in segment {segment} with homogeneous arterial enhancement, nearly "
        "isodense in the portal venous phase, with a central scar{scar}"
    ),
    labels.CYST: "{size} non-enhancing fluid-density lesion in segment {segment}",
}
_IMPRESSION = {
    labels.HCC: ("hepatocellular carcinoma (LI-RADS 5)", "hepatocellular carcinomas (LI-RADS 5)"),
    labels.ICC: ("intrahepatic cholangiocarcinoma", "intrahepatic cholangiocarcinomas"),
    labels.METASTASIS: ("liver metastasis", "liver metastases"),
    labels.HEMANGIOMA: ("hemangioma", "hemangiomas"),
    labels.FNH: ("focal nodular hyperplasia", "focal nodular hyperplasias"),
    labels.CYST: ("simple cyst", "simple cysts"),
}
_TISSUE = {
    labels.HCC: "hepatocellular carcinoma, {grade} differentiated",
    labels.ICC: "intrahepatic cholangiocarcinoma, mass-forming type, {grade} differentiated",
    labels.METASTASIS: "metastatic adenocarcinoma, {grade} differentiated, of colorectal origin",
    labels.FNH: "focal nodular hyperplasia with central scar",
}
_PRIMARIES = (labels.HCC, labels.ICC, labels.METASTASIS, labels.FNH)


def _sentence(finding: Finding, phases: tuple[str, ...]) -> str:
    """Describe one lesion with what the phases at hand can show."""
    delayed = "DL" in phases
    return _DESCRIPTION[finding.label].format(
        size=finding.size,
        segment=finding.segment,
        washout=(
            ", portal venous and delayed washout and a late enhancing capsule"
            if delayed
            else " and portal venous washout"
        ),
        late=" and delayed enhancement of the center" if delayed else "",
        fill=" in the delayed phase" if delayed else "",
        scar=" that enhances late" if delayed else "",
    )


def _impression(findings: list[Finding]) -> str:
    """Name the types found, how many of each, and in which segments."""
    lines = []
    for label in dict.fromkeys(f.label for f in findings):
        found = [f for f in findings if f.label == label]
        singular, plural = _IMPRESSION[label]
        name = singular if len(found) == 1 else f"{len(found)} {plural}"
        where = sorted({f.segment for f in found})
        lines.append(f"{name}, segment{'s' if len(where) > 1 else ''} {', '.join(where)}")
    text = "; ".join(lines) or "no focal liver lesion"
    return f"{text[0].upper()}{text[1:]}."


def draw_date(rng: np.random.Generator) -> datetime.date:
    """Return the day of an examination."""
    return datetime.date(2019, 1, 7) + datetime.timedelta(days=int(rng.integers(0, 1500)))


def radiology_rows(
    case_id: str,
    findings: list[Finding],
    phases: tuple[str, ...],
    date: datetime.date,
) -> list[dict[str, str]]:
    """Return the radiology rows of a case: the CT, and an earlier sonography for some."""
    names = [PHASE_WORDS[p] for p in phases]
    technique = f"CT of the upper abdomen, {', '.join(names[:-1])} and {names[-1]} phases."
    missing = [PHASE_WORDS[p] for p in PHASE_WORDS if p not in phases]
    if missing:
        technique += f" The {' and '.join(missing)} phase was not acquired."
    if findings:
        body = " ".join(f"{_sentence(f, phases)}." for f in findings)
    else:
        body = "No focal liver lesion."
    rest = "No ascites. Portal vein patent. Spleen, pancreas and kidneys unremarkable."
    rows = [
        dict(
            zip(
                RADIOLOGY_COLUMNS,
                (
                    case_id,
                    date.isoformat(),
                    "CT",
                    f"{technique} {body} {rest}",
                    _impression(findings),
                ),
                strict=True,
            )
        )
    ]
    if len(findings) >= 2:
        largest = max(findings, key=lambda f: f.diameter_mm)
        earlier = date - datetime.timedelta(days=19)
        text = (
            f"{len(findings)} focal liver lesions, the largest about "
            f"{round(largest.diameter_mm / 10.0)} cm in segment {largest.segment}."
        )
        advice = "Focal liver lesions, four-phase CT recommended."
        values = (case_id, earlier.isoformat(), "US", text, advice)
        rows.append(dict(zip(RADIOLOGY_COLUMNS, values, strict=True)))
    return rows


def pathology_rows(
    case_id: str, findings: list[Finding], date: datetime.date, rng: np.random.Generator
) -> list[dict[str, str]]:
    """Return the pathology rows of a case: one for each type that is usually proven."""
    rows = []
    for label in _PRIMARIES:
        found = [f for f in findings if f.label == label]
        if not found:
            continue
        largest = max(found, key=lambda f: f.diameter_mm)
        resected = label in (labels.HCC, labels.ICC) and len(found) <= 2
        specimen = "partial hepatectomy" if resected else "core needle biopsy"
        grade = str(rng.choice(("well", "moderately", "poorly")))
        diagnosis = _TISSUE[label].format(grade=grade)
        if resected:
            diagnosis += f", {largest.size}, margins free"
        day = date + datetime.timedelta(days=int(rng.integers(6, 30)))
        values = (
            case_id,
            day.isoformat(),
            f"Liver, segment {largest.segment}, {specimen}",
            f"{diagnosis[0].upper()}{diagnosis[1:]}.",
        )
        rows.append(dict(zip(PATHOLOGY_COLUMNS, values, strict=True)))
    return rows
