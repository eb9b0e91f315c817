"""Where images and masks are and in which layout, found by looking at names.

Of files whose names do not tell whether they are DICOM the first bytes are looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

from labeler.storage.dicom import holds_slices
from labeler.storage.finding import split_flat
from labeler.storage.layouts import channel_of, layout_rules, lits_case_of
from labeler.storage.listing import Listing, list_folder
from labeler.storage.phase_folders import LAYOUT as PHASE_FOLDERS
from labeler.storage.phase_folders import is_phase_first
from labeler.storage.phases import phase_of_text

#: How many folders are looked into to tell a layout.
_PEEKED = 12

#: How many names of a folder are looked at, spread over it.
_SAMPLED = 200


def find_roots(image_root: Path, mask_root: Path | None) -> tuple[Path, Path]:
    """Settle where images and masks are.

    ``DIR`` with ``DIR/images`` in it stands for that folder. When no mask folder is given, a
    ``masks`` folder beside ``images`` is taken, otherwise the image folder itself.

    Returns
    -------
    image_root, mask_root : Path
        Equal when masks lie among the images.
    """
    if os.path.isfile(image_root):
        return image_root, mask_root or image_root.parent
    rules = layout_rules()
    if image_root.name in rules.image_sets:  # the labels are beside it
        return image_root, mask_root or image_root.parent
    listing = list_folder(image_root)
    if not rules.has_volumes(listing):
        inner = [name for name in listing.folders if name.casefold() in rules.image_folders]
        if len(inner) == 1:
            image_root = image_root / inner[0]
    if mask_root is None and image_root.name.casefold() in rules.image_folders:
        mask_root = next(
            (
                image_root.parent / name
                for name in list_folder(image_root.parent).folders
                if rules.is_mask_folder(name)
            ),
            None,
        )
    return image_root, mask_root or image_root


def detect_layout(image_root: Path) -> str:
    """Tell the layout of a folder (see ``config/layouts.toml``) by looking into a few folders.

    What fits nothing is called ``case-folders``, the layout that takes most.
    """
    rules = layout_rules()
    if os.path.isfile(image_root):
        return "dicom" if rules.stem(image_root.name) is None else "flat"
    listing = list_folder(image_root)
    for name in rules.image_sets:
        if name in listing.folders:
            return _layout_of_files(list_folder(listing.path(name)), is_set=True)
    if is_phase_first(listing):
        return PHASE_FOLDERS
    names = [n for n in listing.folders if not rules.is_ignored(n) and not rules.is_mask_folder(n)]
    children = [list_folder(listing.path(name)) for name in names[:_PEEKED]]
    stems = [stem for name in listing.files if (stem := rules.stem(name)) is not None]
    if stems and len(stems) >= sum(rules.has_volumes(child) for child in children):
        return _layout_of_files(listing, is_set=image_root.name in rules.image_sets)
    if any(rules.has_volumes(child) for child in children):
        return "case-folders"
    return "dicom" if any(map(_leads_to_slices, [listing, *children])) else "case-folders"


def _layout_of_files(listing: Listing, *, is_set: bool) -> str:
    rules = layout_rules()
    volumes = [name for name in listing.files if rules.stem(name) is not None]
    sample = volumes[:: 1 + len(volumes) // _SAMPLED]
    stems = [stem for name in sample if (stem := rules.stem(name)) is not None]
    if stems and all(channel_of(stem) for stem in stems):
        return "nnunet"
    if is_set or any(lits_case_of(stem) for stem in stems):
        return "msd"
    images = [
        stem
        for name, stem in zip(sample, stems, strict=True)
        if not rules.is_mask_file(name) and not rules.is_anatomy(stem)
    ]
    is_named = any(split_flat(stem)[0] for stem in images or stems)
    inner = any(phase_of_text(name) for name in listing.folders)
    return "flat" if is_named and not inner else "case-folders"


def _leads_to_slices(listing: Listing) -> bool:
    """Whether a folder, or the first folder in it and so on, holds what looks like slices."""
    for _ in range(3):
        if layout_rules().has_volumes(listing):
            return False
        if holds_slices(listing):
            return True
        if not listing.folders:
            return False
        listing = list_folder(listing.path(listing.folders[0]))
    return False
