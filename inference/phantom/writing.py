"""Writing example cases: images, masks and reports in folders as a clinic would keep them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip

from inference.contract import PHASES, Image, LabelMap
from inference.phantom.case import PhantomPatient
from inference.phantom.patient import make_patient
from inference.phantom.protocol import DEFAULT_SPACING_MM
from inference.phantom.real_patient import make_real_patient
from inference.phantom.real_scan import RealScan, read_scan
from inference.phantom.reports import PATHOLOGY_COLUMNS, RADIOLOGY_COLUMNS

Progress = Callable[[float, str], None]

ROTATION = ("hcc", "hemangioma", "metastases", "icc", "fnh", "mixed", "cysts", "none")
"""Scenarios of the cases of a set, in turn."""

INCOMPLETE_CASE = 3
"""Number of the case of each set that lacks the delayed phase, and whose report says so."""

_COMPRESSION = 2
_LIDC = (
    "These cases are made from case LIDC-IDRI-0001 of the LIDC-IDRI collection (Armato et al.,\n"
    "The Cancer Imaging Archive, https://doi.org/10.7937/K9/TCIA.2015.LO9QL9SX), licensed under\n"
    "CC BY 3.0 (https://creativecommons.org/licenses/by/3.0/).\n"
    "The images are changed: contrast moved to four phases, lesions painted in, resampled, noise\n"
    "added. The reports are invented. Not for clinical use.\n"
)
_OTHER = (
    "These cases are made from the CT {ct} and the label map {labels}; the terms of these files\n"
    "apply to them.\n"
    "The images are changed: contrast moved to four phases, lesions painted in, resampled, noise\n"
    "added. The reports are invented. Not for clinical use.\n"
)


class _Step:
    """Turns the progress of one case into that of the set; a context that never cancels."""

    def __init__(self, progress: Progress | None, case: int, cases: int, name: str) -> None:
        self._progress, self._case, self._cases, self._name = progress, case, cases, name

    def report(self, fraction: float, text: str) -> None:
        """Pass on the progress of the case."""
        if self._progress is not None:
            self._progress((self._case + fraction) / self._cases, f"{self._name}: {text}")

    def check(self) -> None:
        """Go on."""


def nifti_bytes(volume: Image | LabelMap) -> bytes:
    """Return a volume as a gzipped NIfTI file without time or name: equal input, equal bytes."""
    image = nib.nifti1.Nifti1Image(volume.array.transpose(2, 1, 0), volume.affine_ras)  # type: ignore[no-untyped-call]
    image.header.set_xyzt_units("mm")  # type: ignore[no-untyped-call]
    image.set_sform(volume.affine_ras, code=1)  # type: ignore[no-untyped-call]
    image.set_qform(volume.affine_ras, code=1)  # type: ignore[no-untyped-call]
    return igzip.compress(image.to_bytes(), compresslevel=_COMPRESSION, mtime=0)


def csv_bytes(columns: tuple[str, ...], rows: list[dict[str, str]]) -> bytes:
    """Return rows as CSV in UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _write(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)
    return path


def write_patient(out_dir: Path, patient: PhantomPatient) -> list[Path]:
    """Write images and masks of a case.

    Returns
    -------
    list of Path
        ``images/<case>/<phase>.nii.gz`` and ``masks/<case>/{reference,prediction}.nii.gz``.
    """
    images, masks = out_dir / "images" / patient.case_id, out_dir / "masks" / patient.case_id
    files: list[tuple[Path, Image | LabelMap]] = [
        (images / f"{phase}.nii.gz", image) for phase, image in patient.phases.items()
    ]
    files.append((masks / "reference.nii.gz", patient.reference))
    files.append((masks / "prediction.nii.gz", patient.prediction))
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(lambda file: _write(file[0], nifti_bytes(file[1])), files))


def _attribution(anatomy: tuple[Path, Path]) -> str:
    """Return what has to be said about the source of real cases."""
    ct, label_map = anatomy
    if "lidc" in str(ct.resolve()).lower():
        return _LIDC
    return _OTHER.format(ct=ct.name, labels=label_map.name)


def _make(
    number: int, seed: int, spacing_mm: float, source: RealScan | None, step: _Step
) -> PhantomPatient:
    """Make one case of a set; numbers count from 1."""
    case_seed = int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0])
    scenario = ROTATION[(number - 1) % len(ROTATION)]
    phases = tuple(p for p in PHASES if number != INCOMPLETE_CASE or p != "DL")
    name = f"LV-{number:04d}"
    if source is not None:
        return make_real_patient(
            source, case_seed, case_id=name, scenario=scenario, phases=phases, context=step
        )
    return make_patient(
        case_seed,
        case_id=name,
        spacing_mm=spacing_mm,
        scenario=scenario,
        phases=phases,
        context=step,
    )


def _write_reports(
    folder: Path, radiology: list[dict[str, str]], pathology: list[dict[str, str]]
) -> list[Path]:
    """Write the tables of all cases."""
    return [
        _write(folder / "radiology.csv", csv_bytes(RADIOLOGY_COLUMNS, radiology)),
        _write(folder / "pathology.csv", csv_bytes(PATHOLOGY_COLUMNS, pathology)),
    ]


def write_examples(
    out_dir: Path,
    cases: int = 3,
    seed: int = 0,
    spacing_mm: float | None = None,
    anatomy: tuple[Path, Path] | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write example cases; the same arguments give the same bytes.

    Parameters
    ----------
    out_dir : Path
        Gets ``images/``, ``masks/`` and ``reports/``; files of the same names are replaced.
    cases : int
        How many; they are called LV-0001, LV-0002, ... The third lacks its delayed phase.
    seed : int
        0 or more.
    spacing_mm : float, optional
        Size of the pixels, 1.5 by default; slices are 5/3 as thick.
    anatomy : tuple of two paths, optional
        A real CT and its organ label map, instead of the phantom.
    progress : callable, optional
        Called with the fraction done and what is being done.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ValueError
        Arguments out of range, or a scan that cannot be used.
    OSError
        The folder cannot be written.
    """
    if cases < 1 or seed < 0:
        raise ValueError("there must be at least one case, and the seed must not be negative")
    if anatomy is not None and spacing_mm is not None:
        raise ValueError("with a real scan the voxel size is that of the scan")
    out_dir = Path(out_dir)
    source, written = None, []
    if anatomy is not None:
        source = read_scan(*anatomy)
        written.append(_write(out_dir / "ATTRIBUTION.txt", _attribution(anatomy).encode()))
    radiology: list[dict[str, str]] = []
    pathology: list[dict[str, str]] = []
    for n in range(cases):
        step = _Step(progress, n, cases, f"LV-{n + 1:04d}")
        spacing = DEFAULT_SPACING_MM if spacing_mm is None else spacing_mm
        patient = _make(n + 1, seed, spacing, source, step)
        step.report(0.95, "Writing")
        written += write_patient(out_dir, patient)
        radiology += patient.radiology
        pathology += patient.pathology
    written += _write_reports(out_dir / "reports", radiology, pathology)
    if progress is not None:
        progress(1.0, "Done")
    return written
