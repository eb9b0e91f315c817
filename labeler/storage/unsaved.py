"""Edits that are in a journal and not in the files: what is left when the program dies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from labeler.storage.journal import Recovery, read_journal
from labeler.storage.locations import user_local_folder
from labeler.storage.sidecar import case_file_name


def journal_path(mask_root: Path, case_id: str) -> Path:
    """Where the journal of a case is kept for this user.

    In the user's local folder, by mask folder: two data sets may have cases of one name.
    """
    root = hashlib.sha256(os.fsencode(mask_root.resolve())).hexdigest()[:16]
    return user_local_folder() / "journals" / root / f"{case_file_name(case_id)}.journal"


def read_unsaved(mask_root: Path, case_id: str, digests: Mapping[str, str]) -> Recovery | None:
    """Read what the journal of a case holds more than its files.

    Parameters
    ----------
    mask_root, case_id
        The case.
    digests
        Digest of the file of each mask, by name.

    Returns
    -------
    Recovery
        ``None`` when there is no journal, or nothing in it that the files do not hold.

    Raises
    ------
    ImageError
        When there is a journal that cannot be read.
    """
    path = journal_path(mask_root, case_id)
    if not os.path.exists(path):
        return None
    recovery = read_journal(path).unsaved(digests)
    return recovery if recovery.entries or recovery.strangers else None
