"""The folders of the last time and of earlier times, kept in the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labeler.state.settings import Settings
from labeler.storage.layouts import LAYOUTS
from labeler.workflows.open_folder import Roots

MAX_RECENT = 12


def remember_roots(settings: Settings, roots: Roots) -> None:
    """Note folders as those of the last time and as the newest of the recent ones."""
    entry = _entry(roots)
    older = [other for other in settings.data.folders.recent if other != entry]
    settings.update("folders", **entry, recent=[entry, *older][:MAX_RECENT])


def last_roots(settings: Settings) -> Roots | None:
    """Folders of the last time; ``None`` at the first start or when they are gone."""
    folders = settings.data.folders
    roots = _roots(
        {
            "images": folders.images,
            "masks": folders.masks,
            "reports": folders.reports,
            "layout": folders.layout,
        }
    )
    return roots if roots is not None and roots.images.exists() else None


def recent_roots(settings: Settings) -> list[Roots]:
    """Folders opened before, newest first; entries that cannot be read are left out."""
    found = (_roots(entry) for entry in settings.data.folders.recent)
    return [roots for roots in found if roots is not None]


def _entry(roots: Roots) -> dict[str, Any]:
    # absolute: the program may be started from another folder the next time
    return {
        "images": str(roots.images.absolute()),
        "masks": "" if roots.masks is None else str(roots.masks.absolute()),
        "reports": [str(path.absolute()) for path in roots.reports],
        "layout": roots.layout or "",
    }


def _roots(entry: dict[str, Any]) -> Roots | None:
    """Read an entry of the settings file, which a person may have edited."""
    images, masks = entry.get("images"), entry.get("masks")
    reports, layout = entry.get("reports"), entry.get("layout")
    if not isinstance(images, str) or not images:
        return None
    paths = [text for text in reports if isinstance(text, str)] if isinstance(reports, list) else []
    return Roots(
        Path(images),
        Path(masks) if isinstance(masks, str) and masks else None,
        tuple(Path(text) for text in paths),
        layout if layout in LAYOUTS else None,
    )
