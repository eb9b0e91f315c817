"""Results of single patients on disk, so that a stopped evaluation goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inference.evaluation.liver import CaseResult, FindingRow, LesionRow
from inference.liver.patient import Decision


def write_results(path: Path, results: Sequence[CaseResult], key: str) -> None:
    """Write the results of a patient, so that the file is there as a whole or not at all.

    Parameters
    ----------
    path : Path
    results : sequence of CaseResult
    key : str
        Of the weights they were made with.
    """
    partial = path.with_suffix(f".{os.getpid()}.part")
    document = {"key": key, "results": [asdict(r) for r in results]}
    partial.write_text(json.dumps(document, allow_nan=True), encoding="utf-8")
    os.replace(partial, path)


def read_results(path: Path, key: str) -> list[CaseResult] | None:
    """Return the results of a patient; None if there are none, or of other weights."""
    if not path.is_file():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    if document.get("key") != key:
        return None
    return [_result(row) for row in document["results"]]


def _result(row: dict[str, Any]) -> CaseResult:
    decision = {**row["decision"], "warnings": tuple(row["decision"]["warnings"])}
    return CaseResult(
        **{
            **row,
            "lesions": tuple(LesionRow(**lesion) for lesion in row["lesions"]),
            "findings": tuple(FindingRow(**finding) for finding in row["findings"]),
            "decision": Decision(**decision),
        }
    )
