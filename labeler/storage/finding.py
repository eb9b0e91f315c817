"""Finding cases where all images lie in one folder (flat, nnunet, msd), or are one file.

Only names are looked at, no image is opened.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labeler.storage.centroid_names import centroids_among
from labeler.storage.layouts import channel_of, layout_rules, lits_case_of
from labeler.storage.listing import Listing, list_folder, natural_key
from labeler.storage.phases import find_phase_word, phase_of_text

#: A larger file is no description of a data set.
_MAX_JSON_BYTES = 16 * 2**20


@dataclass
class FoundImage:
    """A volume file of a case: path, text that may name its phase, phase of its channel."""

    path: str
    text: str
    channel_phase: str | None = None


@dataclass
class FoundCase:
    """Files of a case, as their names tell them.

    ``masks`` are ``(name, path)``, ``centroids`` paths. When ``is_dicom``, the images are the
    series below ``folder``, which nobody knows before headers are read.
    """

    id: str
    layout: str
    folder: str
    images: list[FoundImage] = field(default_factory=list)
    masks: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    is_dicom: bool = False
    centroids: list[str] = field(default_factory=list)


@dataclass
class Findings:
    """What is found in an image folder.

    Attributes
    ----------
    ids
        Ids known beforehand; cases in deeper folders turn up later.
    cases
        Yields the cases in natural order; where each has a folder, that is listed on demand.
    loose_masks
        Mask files among the images, ``(stem, path)``, not yet given to a case.
    problems
        Sentences about the folder as a whole.
    loose_centroids
        Centroid files among the images, likewise.
    """

    ids: list[str]
    cases: Iterable[FoundCase]
    loose_masks: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    loose_centroids: list[tuple[str, str]] = field(default_factory=list)


def folder_name(folder: str | os.PathLike[str]) -> str:
    """Name of a folder, also of one given as "." or "/"."""
    return Path(folder).name or Path(folder).absolute().name or "case"


def find_single_file(path: Path, layout: str) -> Findings:
    """Make a case of one file; a slice stands for the series in its folder."""
    parent = os.fspath(path.parent)
    stem = layout_rules().stem(path.name)
    if stem is None:
        case = FoundCase(folder_name(path.absolute().parent), "dicom", parent, is_dicom=True)
    else:
        case_id = split_flat(stem)[0] or folder_name(path.absolute().parent)
        case = FoundCase(case_id, layout, parent, [FoundImage(os.fspath(path), stem)])
        beside = centroids_among(list_folder(parent))
        case.centroids = [where for name, where in beside if name.startswith(case_id)]
    return Findings([case.id], [case])


def find_flat(root: Listing, layout: str) -> Findings:
    """Find the cases of a layout that keeps all images in one folder: flat, nnunet or msd."""
    rules = layout_rules()
    sets = [list_folder(root.path(name)) for name in rules.image_sets if name in root.folders]
    channels = _channel_phases(root) if layout == "nnunet" else {}
    findings = Findings([], [], problems=list(root.problems))
    by_id: dict[str, FoundCase] = {}
    for listing in sets or [root]:
        findings.problems += listing.problems if sets else ()
        findings.loose_centroids += centroids_among(listing)
        cases = _cases_of_files(listing, layout, channels, findings.loose_masks)
        for case in cases.values():
            if case.id in by_id:  # in imagesTr and in imagesTs
                case.id = f"{folder_name(listing.folder)}/{case.id}"
            by_id[case.id] = case
    if layout == "flat":
        by_id = _joined_by_codes(by_id)
    findings.ids = sorted(by_id, key=natural_key)
    findings.cases = [by_id[case_id] for case_id in findings.ids]
    return findings


def _cases_of_files(
    listing: Listing, layout: str, channels: dict[str, str], loose_masks: list[tuple[str, str]]
) -> dict[str, FoundCase]:
    rules = layout_rules()
    cases: dict[str, FoundCase] = {}
    for name in listing.files:
        stem = rules.stem(name)
        if stem is None:
            continue
        channel = channel_of(stem) if layout == "nnunet" else None
        if channel is None and rules.is_mask_file(name):
            loose_masks.append((stem, listing.path(name)))
            continue
        text, phase = stem, None
        if channel is not None:
            case_id, phase = channel[0], channels.get(channel[1])
        elif layout == "flat":
            case_id, text = split_flat(stem)
            case_id = case_id or folder_name(listing.folder)
        else:
            case_id = lits_case_of(stem) or stem
        case = cases.setdefault(case_id, FoundCase(case_id, layout, listing.folder))
        case.images.append(FoundImage(listing.path(name), text, phase))
    return cases


def split_flat(stem: str) -> tuple[str, str]:
    """Split ``<case>[_<phase>][_ct]`` into case id and text that names the phase.

    The id is what stands before the phase, or after it when nothing stands before.
    """
    tail = layout_rules().image_tail(stem)
    if tail is not None:
        stem = _without(stem, tail.start(), tail.end())
    word = find_phase_word(stem)
    if word is None:
        return stem, stem
    return _without(stem, word.start, word.end), stem[word.start : word.end]


def _without(stem: str, start: int, end: int) -> str:
    return stem[:start].strip(" _-.") or stem[end:].strip(" _-.")


def _joined_by_codes(by_id: dict[str, FoundCase]) -> dict[str, FoundCase]:
    """Join ``x_C1``, ``x_C2`` ... to one case ``x`` where at least two differ by code only."""
    groups: dict[str, dict[str, FoundCase]] = {}
    for case_id, case in by_id.items():
        word = find_phase_word(case_id, ("codes",))
        if word is not None and word.end == len(case_id) and len(case.images) == 1:
            base = _without(case_id, word.start, word.end)
            groups.setdefault(base, {}).setdefault(word.phase, case)
    joined = dict(by_id)
    for base, cases in groups.items():
        if not base or base in by_id or len(cases) < 2:
            continue
        whole = FoundCase(base, "flat", "")
        for case in cases.values():
            whole.folder = case.folder
            whole.images += case.images
            del joined[case.id]
        joined[base] = whole
    return joined


def _channel_phases(root: Listing) -> dict[str, str]:
    """Phase by channel (``0000``), as far as a ``dataset.json`` names phases."""
    for folder in (root.folder, os.path.dirname(os.path.abspath(root.folder))):
        content = _read_json(os.path.join(folder, "dataset.json"))
        names = content.get("channel_names") or content.get("modality")
        if isinstance(names, dict):
            return {
                channel.rjust(4, "0"): phase
                for channel, name in names.items()
                if (phase := phase_of_text(str(name)[:200])) is not None
            }
    return {}


def _read_json(path: str) -> dict[str, Any]:
    """Content of a JSON object; empty when there is none or it is no good."""
    try:
        if os.path.getsize(path) > _MAX_JSON_BYTES:
            return {}
        with open(path, "rb") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
