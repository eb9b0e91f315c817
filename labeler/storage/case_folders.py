"""Finding cases that have a folder each: volume files, or the series of an examination.

Names are looked at, and the first bytes of a few files where names do not tell whether they are
slices; each folder is listed when its turn comes.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from labeler.storage.centroid_names import centroids_among, centroids_in
from labeler.storage.dicom import holds_slices
from labeler.storage.finding import Findings, FoundCase, FoundImage, folder_name
from labeler.storage.layouts import layout_rules
from labeler.storage.listing import (
    Listing,
    display_name,
    list_folder,
    looks_like_dicom,
    natural_key,
)
from labeler.storage.mask_index import masks_in, rest_of_stem
from labeler.storage.phases import phase_of_text

#: How deep folders of cases may lie below the image folder.
_MAX_DEPTH = 4


def find_case_folders(root: Listing, layout: str, mask_root: Path) -> Findings:
    """Find the cases of ``case-folders`` or ``dicom``; none are looked for in ``mask_root``."""
    folders = [name for name in _image_folders(root) if Path(root.path(name)) != mask_root]
    if _is_one_case(root, folders, layout):
        case_id = folder_name(root.folder)
        case = _file_case(case_id, root, layout) if layout != "dicom" else None
        case = case or _dicom_case(case_id, root)
        return Findings([case_id], [case])
    problems = list(root.problems)
    strays = [name for name in root.files if layout_rules().stem(name) is not None]
    if strays:
        names = ", ".join(map(display_name, strays[:3]))
        problems.append(f"Files beside the case folders that are not shown: {names}"
                        f"{' ...' if len(strays) > 3 else ''}.")  # fmt: skip
    cases = itertools.chain.from_iterable(
        _cases_below(name, list_folder(root.path(name)), layout, _MAX_DEPTH) for name in folders
    )
    return Findings(folders, _unless_all_are_empty(cases), problems=problems)


def _unless_all_are_empty(cases: Iterable[FoundCase]) -> Iterator[FoundCase]:
    """Give the cases; folders without images are cases only where other folders have some."""
    empty: list[FoundCase] = []
    cases = iter(cases)
    for case in cases:
        if case.images or case.is_dicom or case.masks:
            yield from empty
            yield case
            break
        empty.append(case)
    yield from cases


def _image_folders(listing: Listing) -> list[str]:
    rules = layout_rules()
    names = [n for n in listing.folders if not rules.is_ignored(n) and not rules.is_mask_folder(n)]
    return sorted(names, key=natural_key)


def _is_one_case(root: Listing, folders: list[str], layout: str) -> bool:
    """Whether the image folder is itself the folder of a case."""
    has_others = any(phase_of_text(name) is None for name in folders)
    if folders and not has_others:
        return True
    if layout == "dicom":
        return (holds_slices(root) and not folders) or _is_one_study(root, folders)
    return layout_rules().has_volumes(root) and not has_others


def _is_one_study(root: Listing, folders: list[str]) -> bool:
    """Whether the folders of slices in ``root`` are the series of one examination.

    The first slice of the first and of the last folder are opened: names cannot tell.
    """
    studies = set()
    for name in {*folders[:1], *folders[-1:]}:
        child = list_folder(root.path(name))
        slices = [file for file in child.files if looks_like_dicom(file)]
        studies.add(_study_of(child.path(slices[0])) if slices else None)
    return len(folders) > 1 and len(studies) == 1 and None not in studies


def _study_of(path: str) -> str | None:
    from pydicom import dcmread  # takes 0.2 s to import, and only DICOM trees need it

    try:
        header = dcmread(path, specific_tags=["StudyInstanceUID"], stop_before_pixels=True)
        return str(header.StudyInstanceUID)
    except Exception:  # pydicom raises whatever a damaged file leads it to; the search goes on
        return None


def _cases_below(case_id: str, listing: Listing, layout: str, depth: int) -> Iterator[FoundCase]:
    """The case in a folder, or the cases in the folders below it."""
    case = _file_case(case_id, listing, layout) if layout != "dicom" else None
    if case is not None:
        yield case
        return
    names = _image_folders(listing) if depth > 1 else []
    children = [list_folder(listing.path(name)) for name in names]
    if _has_slices(listing) or any(_has_slices(child) for child in children):
        # Folders of slices are the series of one examination.
        yield _dicom_case(case_id, listing)
        return
    deeper = [
        case
        for name, child in zip(names, children, strict=True)
        for case in _cases_below(f"{case_id}/{name}", child, layout, depth - 1)
    ]
    found = [case for case in deeper if case.images or case.is_dicom]
    if len(found) == 1 and found[0].is_dicom:
        found[0].id = case_id  # patient/examination/series: one examination is the patient's
    yield from found
    if not found:
        yield _empty_case(case_id, listing, layout)


def _dicom_case(case_id: str, listing: Listing) -> FoundCase:
    centroids = [path for _, path in centroids_among(listing)]
    return FoundCase(case_id, "dicom", listing.folder, is_dicom=True, centroids=centroids)


def _empty_case(case_id: str, listing: Listing, layout: str) -> FoundCase:
    problems = list(listing.problems) or [f"The folder {display_name(case_id)} holds no images."]
    return FoundCase(case_id, layout, listing.folder, problems=problems)


def _has_slices(listing: Listing) -> bool:
    if layout_rules().has_volumes(listing):
        return False
    return holds_slices(listing)


def _file_case(case_id: str, listing: Listing, layout: str) -> FoundCase | None:
    """The case whose volume files lie in a folder; ``None`` when there are none."""
    rules = layout_rules()
    case = FoundCase(case_id, layout, listing.folder, problems=list(listing.problems))
    short_id = os.path.basename(case_id)
    stems = [(stem, name) for name in listing.files if (stem := rules.stem(name)) is not None]
    is_mask = {name: rules.is_mask_file(name) for _, name in stems}
    images_named = any(not is_mask[name] and not rules.is_anatomy(stem) for stem, name in stems)
    case.centroids += [path for _, path in centroids_among(listing)]
    for stem, name in stems:
        text = rest_of_stem(stem, short_id) or stem
        if is_mask[name] or (images_named and rules.is_anatomy(text)):
            case.masks.append((text, listing.path(name)))
        else:
            case.images.append(FoundImage(listing.path(name), text))
    for folder in listing.folders:
        if rules.is_mask_folder(folder):
            case.masks += _masks_below(listing.path(folder), folder, short_id, case.problems)
            case.centroids += centroids_in(listing.path(folder))
            case.centroids += centroids_in(os.path.join(listing.path(folder), short_id))
        elif not rules.is_ignored(folder) and phase_of_text(folder) is not None:
            case.images += _phase_images(list_folder(listing.path(folder)), folder, case.problems)
    return case if case.images else None


def _masks_below(
    path: str, folder: str, short_id: str, problems: list[str]
) -> list[tuple[str, str]]:
    """Masks in a case's folder of masks, or in its ``masks/<case>``."""
    found = masks_in(path, short_id, problems)
    found += masks_in(os.path.join(path, short_id), short_id, problems)
    return [(folder if name == short_id else name, where) for name, where in found]


def _phase_images(listing: Listing, folder: str, problems: list[str]) -> list[FoundImage]:
    """Images in a subfolder that is named by a phase."""
    rules = layout_rules()
    problems += listing.problems
    return [
        FoundImage(listing.path(name), stem if phase_of_text(stem) is not None else folder)
        for name in listing.files
        if (stem := rules.stem(name)) is not None and not rules.is_mask_file(name)
    ]
