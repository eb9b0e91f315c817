"""Finding cases where each phase has a folder: ``ART/<case>.nii.gz``, ``PV/<case>/*.dcm``.

Only names are looked at, and the first bytes of files that may be slices.
"""

from __future__ import annotations

from collections.abc import Iterator

from labeler.core.volume import PHASES
from labeler.storage.centroid_names import centroids_among
from labeler.storage.dicom import holds_slices
from labeler.storage.finding import Findings, FoundCase, FoundImage, split_flat
from labeler.storage.layouts import layout_rules
from labeler.storage.listing import Listing, list_folder, natural_key
from labeler.storage.phases import phase_of_text

LAYOUT = "phase-folders"

#: Cases that two phases must have in common: one alone may as well be a case with two folders.
_LEAST_SHARED = 2


def is_phase_first(root: Listing) -> bool:
    """Whether the folders in ``root`` are phases that have cases in common."""
    folders = [name for name in root.folders if _may_hold_images(name)]
    phases = {phase_of_text(name) for name in folders}
    if len(phases) < 2 or None in phases:
        return False
    seen: set[str] = set()
    shared: set[str] = set()
    for name in folders:
        ids = {case_id for case_id, _, _ in _entries(list_folder(root.path(name)))}
        shared |= ids & seen
        seen |= ids
        if len(shared) >= _LEAST_SHARED:
            return True
    return False


def find_phase_folders(root: Listing) -> Findings:
    """Find the cases of layout ``phase-folders``; other folders are passed over."""
    findings = Findings([], [], problems=list(root.problems))
    by_id: dict[str, FoundCase] = {}
    order = {phase: place for place, phase in enumerate(PHASES)}
    named = [(phase_of_text(name), name) for name in root.folders if _may_hold_images(name)]
    for phase, name in sorted(named, key=lambda item: order.get(item[0] or "", len(order))):
        if phase is None:
            continue
        listing = list_folder(root.path(name))
        findings.problems += listing.problems
        findings.loose_centroids += centroids_among(listing)
        for case_id, stem, entry in _entries(listing):
            path = listing.path(entry)
            if stem is not None and layout_rules().is_mask_file(entry):
                findings.loose_masks.append((stem, path))
                continue
            case = by_id.setdefault(case_id, FoundCase(case_id, LAYOUT, listing.folder))
            if stem is not None:
                case.images.append(FoundImage(path, stem, phase))
            else:
                _add_folder(case, list_folder(path), phase)
    findings.ids = sorted(by_id, key=natural_key)
    findings.cases = [by_id[case_id] for case_id in findings.ids]
    return findings


def _may_hold_images(folder: str) -> bool:
    rules = layout_rules()
    return not rules.is_ignored(folder) and not rules.is_mask_folder(folder)


def _entries(listing: Listing) -> Iterator[tuple[str, str | None, str]]:
    """What a phase's folder holds: case id, stem (``None`` for a folder) and name."""
    for name in listing.files:
        stem = layout_rules().stem(name)
        if stem is not None:
            yield split_flat(stem)[0] or stem, stem, name
    for name in listing.folders:
        if _may_hold_images(name):
            yield name, None, name


def _add_folder(case: FoundCase, listing: Listing, phase: str) -> None:
    """Add the files of one case in one phase; a folder of slices is an image by itself."""
    rules = layout_rules()
    case.problems += listing.problems
    if not rules.has_volumes(listing):
        deeper = [list_folder(listing.path(name)) for name in listing.folders]
        if any(map(holds_slices, (listing, *deeper))):
            case.images.append(FoundImage(listing.folder, phase, phase))
        else:
            case.problems.append(f"Its folder for {phase} holds no images.")
        return
    for name in listing.files:
        stem = rules.stem(name)
        if stem is not None and rules.is_mask_file(name):
            case.masks.append((stem, listing.path(name)))
        elif stem is not None:
            case.images.append(FoundImage(listing.path(name), stem, phase))
