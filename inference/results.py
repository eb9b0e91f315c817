"""Results as files and JSON documents."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inference.contract import Image, LabelMap, Result
from inference.vertebra.centroid_files import slicer_document
from inference.volumes import Source
from inference.worker import RunResult


def write_mask(path: Path, mask: LabelMap, source: Source) -> None:
    """Write a mask in exactly the geometry of an image's file, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.nii.gz``.
    mask : LabelMap
        On the grid of the image.
    source : Source
        The image; shape, affine and the codes of sform and qform become the mask's.
    """
    import nibabel

    kind = nibabel.Nifti1Image
    header = None
    affine: np.ndarray[Any, Any] | None = mask.affine_ras
    if source.header is not None:
        header = source.header.copy()  # type: ignore[no-untyped-call]
        kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else kind
        header.set_data_dtype(mask.array.dtype)
        header.set_slope_inter(1, 0)
        header.set_intent("none")
        header.extensions.clear()  # DICOM headers kept there hold names
        for name in ("descrip", "aux_file", "db_name", "cal_min", "cal_max"):
            if name in header:
                header[name] = 0 if name.startswith("cal") else b""
        affine = None  # the header has it
    nifti = kind(mask.array.transpose(2, 1, 0), affine, header)  # type: ignore[no-untyped-call]
    part = path.with_name(f".{path.name[: -len('.nii.gz')]}.part.nii.gz")
    with _whole_or_not_at_all(part, path):
        nibabel.save(nifti, part)


def landmarks_document(result: Result, image: Image) -> list[dict[str, Any]]:
    """Return landmarks as a VerSe centroid file: voxels of the image, axes as stored."""
    import nibabel

    to_ijk = np.linalg.inv(image.affine_ras)
    directions = nibabel.aff2axcodes(image.affine_ras)  # type: ignore[no-untyped-call]
    document: list[dict[str, Any]] = [{"direction": list(directions)}]
    for mark in result.landmarks or ():
        x, y, z = (to_ijk[:3, :3] @ mark.position_ras + to_ijk[:3, 3]).tolist()
        document.append({"label": mark.label, "X": x, "Y": y, "Z": z})
    return document


def write_results(
    folder: Path,
    model_id: str,
    ran: RunResult,
    sources: dict[str, Source],
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """Write what a model found into a folder and return the document of ``run --json``.

    Files are named after the model: ``ID.nii.gz``, landmarks as ``ID_ctd.json`` and
    ``ID.mrk.json``, and last of all ``ID.json``, the document: where it is, the others are whole.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    model_id : str
    ran : RunResult
    sources : dict of str to Source
        By phase, as they were in the request.
    warnings : sequence of str
        Told with those of the model.
    """
    result = ran.result
    folder.mkdir(parents=True, exist_ok=True)
    source = _source_of(result, sources)
    mask = landmarks = None
    if result.mask is not None:
        mask = folder / f"{model_id}.nii.gz"
        write_mask(mask, result.mask, source)
    if result.landmarks is not None:
        landmarks = folder / f"{model_id}_ctd.json"
        _write_json(landmarks, landmarks_document(result, source.image))
        _write_json(folder / f"{model_id}.mrk.json", slicer_document(result.landmarks))
    document = {
        "model": model_id,
        "weights": ran.weights,
        "device": ran.device,
        "seconds": round(ran.seconds, 3),
        "peak_rss_mb": round(ran.peak_rss_mb, 1),
        "mask": str(mask) if mask else None,
        "landmarks": str(landmarks) if landmarks else None,
        "points": _points(result),
        "measures": dict(result.measures or {}),
        "warnings": [*warnings, *result.warnings],
        "report": result.report,
        "phases": {phase: str(each.path) for phase, each in sources.items()},
        "findings": _findings(result),
    }
    _write_json(folder / f"{model_id}.json", document)
    return document


def _findings(result: Result) -> list[dict[str, Any]]:
    """What the model said of regions of the mask."""
    return [
        {
            "label": finding.label,
            "anchor_ras": list(finding.anchor_ras),
            "confidence": finding.confidence,
            "opinions": {stage: dict(p) for stage, p in finding.opinions.items()},
            "measures": dict(finding.measures),
            "flags": list(finding.flags),
        }
        for finding in result.findings
    ]


def _points(result: Result) -> list[dict[str, Any]]:
    """Landmarks with what has no room in a centroid file."""
    return [
        {
            "label": mark.label,
            "position_ras": list(mark.position_ras),
            "confidence": mark.confidence,
            "flags": list(mark.flags),
        }
        for mark in result.landmarks or ()
    ]


def _source_of(result: Result, sources: dict[str, Source]) -> Source:
    """Return the image on whose grid the mask is; the first one without a mask."""
    if result.mask is not None:
        for source in sources.values():
            same_shape = source.image.array.shape == result.mask.array.shape
            if same_shape and np.array_equal(source.image.affine_ras, result.mask.affine_ras):
                return source
    return next(iter(sources.values()))


def _write_json(path: Path, document: object) -> None:
    part = path.with_name(f".{path.name}.part")
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    with _whole_or_not_at_all(part, path):
        part.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _whole_or_not_at_all(part: Path, path: Path) -> Iterator[None]:
    """Put a file that is written within into its place; leave nothing when that fails."""
    try:
        yield
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
