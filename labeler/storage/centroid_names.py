"""Which files hold vertebra centroids, told by their names, and where new ones are written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from labeler.storage.listing import Listing, list_folder, natural_key

VERSE_SUFFIX, SLICER_SUFFIX = "_ctd.json", ".mrk.json"


def centroid_stem(file_name: str) -> str | None:
    """Name of a centroid file without its ending; ``None`` when it is none."""
    for suffix in (VERSE_SUFFIX, SLICER_SUFFIX):
        if file_name.lower().endswith(suffix) and len(file_name) > len(suffix):
            return file_name[: -len(suffix)]
    return None


def centroids_among(listing: Listing) -> list[tuple[str, str]]:
    """``(stem, path)`` of the centroid files in a folder."""
    stems = ((centroid_stem(name), listing.path(name)) for name in listing.files)
    return [(stem, path) for stem, path in stems if stem is not None]


def centroids_in(folder: str | os.PathLike[str]) -> list[str]:
    """Paths of the centroid files in a folder that belongs to one case; empty without one."""
    if not os.path.isdir(folder):
        return []
    return [path for _, path in centroids_among(list_folder(folder))]


def in_order(paths: Iterable[str], mask_root: Path) -> tuple[Path, ...]:
    """Centroid files of a case, each once, the one that is used first.

    Those in the mask folder come before those among the images, where somebody else put them, and
    VerSe files before those of Slicer.
    """
    root = os.path.join(mask_root, "")

    def key(path: str) -> tuple[bool, bool, tuple[list[str | int], str]]:
        is_verse = path.lower().endswith(VERSE_SUFFIX)
        return not path.startswith(root), not is_verse, natural_key(path)

    return tuple(Path(path) for path in sorted(set(paths), key=key))
