"""Whose mask or centroid file a file is, judged by the names of files and folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from labeler.storage.centroid_names import centroids_among, centroids_in
from labeler.storage.layouts import layout_rules, set_folder_name
from labeler.storage.listing import Listing, display_name, list_folder

_BIDS_SEG = re.compile(r"_seg-[A-Za-z0-9]+")


def rest_of_stem(stem: str, case_id: str) -> str | None:
    """What a file stem adds to a case id before or after it; ``None`` when it is another case.

    ``rest_of_stem("P7_draft", "P7")`` and ``rest_of_stem("draft-P7", "P7")`` are ``"draft"``;
    "P7" itself gives "".
    """
    if stem == case_id:
        return ""
    if stem.startswith(case_id) and stem[len(case_id)] in " _-.":
        return stem[len(case_id) :].strip(" _-.")
    if stem.endswith(case_id) and stem[-len(case_id) - 1] in " _-.":
        return stem[: -len(case_id)].strip(" _-.")
    return None


def masks_in(
    folder: str | os.PathLike[str], case_id: str, problems: list[str]
) -> list[tuple[str, str]]:
    """``(name, path)`` of the masks in a folder that belongs to one case; empty without one.

    What cannot be read is added to ``problems``.
    """
    if not os.path.isdir(folder):
        return []
    listing = list_folder(folder)
    problems += listing.problems
    return [
        (rest_of_stem(stem, case_id) or stem, listing.path(name))
        for name in listing.files
        if (stem := layout_rules().stem(name)) is not None
    ]


class MaskIndex:
    """Where the masks of each case are in a mask folder.

    The folder and its group folders (``<mask>/<case>.nii.gz``) are listed once; folders of cases
    when they are asked for.

    Parameters
    ----------
    mask_root
        The folder.
    case_ids
        Known cases.
    only_mask_folders
        Whether the folder is shared with images, so that only folders named as masks are used.
    loose
        More files ``(stem, path)`` to give to cases.
    loose_centroids
        More centroid files, likewise.
    """

    def __init__(
        self,
        mask_root: Path,
        case_ids: Iterable[str],
        *,
        only_mask_folders: bool = False,
        loose: Iterable[tuple[str, str]] = (),
        loose_centroids: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._root = os.fspath(mask_root)
        self._ids = set(case_ids)
        self._shared = only_mask_folders
        self._masks: dict[str, list[tuple[str, str]]] = {}
        self._centroids: dict[str, list[str]] = {}
        self._case_parents: list[str] = [] if only_mask_folders else [self._root]
        self.problems: list[str] = []
        self._unmatched: list[str] = []
        for stem, path in loose:
            self._give(stem, path, "mask")
        for stem, path in loose_centroids:
            self._give_centroids(stem, path)
        self._index(list_folder(mask_root))
        if self._unmatched:
            names = ", ".join(self._unmatched[:3])
            more = f" and {len(self._unmatched) - 3} more" if len(self._unmatched) > 3 else ""
            self.problems.append(f"Masks that belong to no case: {names}{more}.")

    def masks_of(self, case_id: str, problems: list[str]) -> list[tuple[str, str]]:
        """``(name, path)`` of a case's masks; what cannot be read is added to ``problems``."""
        found = list(self._masks.get(case_id, []))
        for parent in self._case_parents:
            found += masks_in(os.path.join(parent, case_id), case_id, problems)
        return found

    def centroids_of(self, case_id: str) -> list[str]:
        """Paths of a case's centroid files."""
        found = list(self._centroids.get(case_id, []))
        for parent in self._case_parents:
            found += centroids_in(os.path.join(parent, case_id))
        return found

    def _index(self, root: Listing) -> None:
        rules = layout_rules()
        self.problems += root.problems
        if not self._shared:
            for centroids, path in centroids_among(root):
                self._give_centroids(centroids, path)
            for name in root.files:
                stem = rules.stem(name)
                if stem is not None:
                    self._give(stem, root.path(name), set_folder_name(display_name(self._root)))
        for folder in root.folders:
            if folder in self._ids or rules.is_ignored(folder) or folder in rules.image_sets:
                continue
            if self._shared and not rules.is_mask_folder(folder):
                continue
            group = list_folder(root.path(folder))
            self.problems += group.problems
            if group.folders:
                self._case_parents.append(group.folder)
            for centroids, path in centroids_among(group):
                self._give_centroids(centroids, path)
            for name in group.files:
                stem = rules.stem(name)
                if stem is not None:
                    self._give(stem, group.path(name), set_folder_name(folder))

    def _give(self, stem: str, path: str, default_name: str) -> None:
        """Give a file to the case whose id its stem holds; the longest such id is right."""
        if stem in self._ids:
            self._masks.setdefault(stem, []).append((default_name, path))
            return
        case_id = self._owner(stem)
        if case_id is not None:
            name = rest_of_stem(stem, case_id) or default_name
            if not stem.startswith(case_id) and _BIDS_SEG.search(stem):
                name = _BIDS_SEG.findall(stem)[0].strip("_")
            self._masks.setdefault(case_id, []).append((name, path))
        elif len(self._ids) == 1:
            self._masks.setdefault(next(iter(self._ids)), []).append((stem, path))
        else:
            self._unmatched.append(display_name(path))

    def _give_centroids(self, stem: str, path: str) -> None:
        case_id = stem if stem in self._ids else self._owner(stem)
        if case_id is None and len(self._ids) == 1:
            case_id = next(iter(self._ids))
        if case_id is not None:
            self._centroids.setdefault(case_id, []).append(path)

    def _owner(self, stem: str) -> str | None:
        """The case whose id a file stem holds."""
        # In BIDS names the entity stands inside: sub-x_seg-vert_label-22_msk of sub-x_label-22.
        plain = _BIDS_SEG.sub("", stem)
        whole = [plain] if plain != stem else []
        for case_id in (*_ids_within(stem), *whole, *_ids_within(plain)):
            if case_id in self._ids:
                return case_id
        return None


def _ids_within(stem: str) -> Iterator[str]:
    """Beginnings and ends of a stem that could be a case id, longest first."""
    cuts = [place for place, character in enumerate(stem) if character in " _-."]
    candidates = {stem[:cut] for cut in cuts} | {stem[cut + 1 :] for cut in cuts}
    yield from sorted(candidates, key=len, reverse=True)
