"""Checking that everything about cases can be read and fits together (``ct-labeler check``)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from labeler.core.edits import NOTES
from labeler.storage.case_centroids import with_centroid_file
from labeler.storage.case_names import case_file_name, case_id_of
from labeler.storage.cases import Case, CaseSet, inspect
from labeler.storage.errors import ImageError
from labeler.storage.images import read_volume
from labeler.storage.label_files import load_label_table
from labeler.storage.masks import read_mask
from labeler.storage.sidecar import list_sidecars, load_sidecar
from labeler.storage.unsaved import read_unsaved

#: Cases read at once; each holds one volume in memory.
_READERS = 2


@dataclass(frozen=True)
class Finding:
    """Something wrong with a case; ``case_id`` is "" for the folders as a whole."""

    case_id: str
    sentence: str


def check_folders(found: CaseSet) -> list[Finding]:
    """What is wrong with the folders: the search, the labels, notes without a case."""
    sentences = list(found.problems)
    sentences += load_label_table(found.mask_root)[1]
    known = {case_file_name(case.id) for case in found.cases}
    sentences += [
        f"The notes {path.name} belong to no case{_whose(name)}."
        for name, path in sorted(list_sidecars(found.mask_root).items())
        if name not in known
    ]
    return [Finding("", sentence) for sentence in sentences]


def _whose(name: str) -> str:
    """The case id, when the name of the file is not that already."""
    case_id = case_id_of(name)
    return "" if case_id in (None, name) else f": there is none called {case_id!r}"


def check_cases(cases: tuple[Case, ...]) -> Iterator[list[Finding]]:
    """Check cases, several at once; yields the findings of each, in order."""
    with ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(check_case, cases)


def check_case(case: Case) -> list[Finding]:
    """Read every byte of a case: headers, voxels with their checksums, masks, centroids, notes,
    journal."""
    inspected = inspect(case)
    sentences = list(inspected.problems)
    for phase, source in inspected.phases.items():
        try:
            read_volume(source.series or source.path)
        except ImageError as error:
            sentences.append(f"{phase}: {error}")
    digests: dict[str, str] = {}
    for mask in inspected.masks:
        try:
            file = read_mask(mask.path, mask.name)
        except ImageError as error:
            sentences.append(f"Mask {mask.name}: {error}")
        else:
            if file.fingerprint is not None:
                digests[mask.name] = file.fingerprint.digest
    notes = with_centroid_file(inspected, load_sidecar(case.mask_root, case.id))
    sentences += notes.problems
    digests[NOTES] = notes.sidecar.annotations().saved_digest or ""
    sentences += _check_journal(case, digests)
    return [Finding(case.id, sentence) for sentence in dict.fromkeys(sentences)]


def _check_journal(case: Case, digests: dict[str, str]) -> list[str]:
    try:
        unsaved = read_unsaved(case.mask_root, case.id, digests)
    except ImageError as error:
        return [f"The journal cannot be read: {error}"]
    if unsaved is None:
        return []
    sentences = [
        f"Mask {name} is not the one its unsaved edits were made on." for name in unsaved.strangers
    ]
    if unsaved.entries:
        count = len(unsaved.entries)
        edits = f"{count} edit{' is' if count == 1 else 's are'}"
        sentences.append(f"{edits} not saved; open the case to restore or discard them.")
    return sentences
