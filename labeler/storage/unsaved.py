"""The journals of all cases: edits that are not in the files yet, and histories of saved cases.

While a case is open, and when the program dies, its journal is ``<case>.journal``. When the case
was left with everything saved it is renamed to ``<case>.history``: nothing in it is missing
anywhere, so that old ones may be removed to make room.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from labeler.storage.case_names import case_file_name
from labeler.storage.errors import ImageError
from labeler.storage.journal import read_journal, remove_journal
from labeler.storage.locations import user_local_folder
from labeler.storage.recovery import Recovery

log = logging.getLogger(__name__)

_HISTORY = ".history"


def journal_path(mask_root: Path, case_id: str) -> Path:
    """Where the journal of a case is kept for this user.

    In the user's local folder, by mask folder: two data sets may have cases of one name.
    """
    root = hashlib.sha256(os.fsencode(mask_root.resolve())).hexdigest()[:16]
    return _folder() / root / f"{case_file_name(case_id)}.journal"


def history_path(journal: Path) -> Path:
    """Where a journal goes when its case is left with everything saved."""
    return journal.with_suffix(_HISTORY)


def read_unsaved(mask_root: Path, case_id: str, digests: Mapping[str, str]) -> Recovery | None:
    """Read what the journal of a case holds more than its files.

    Parameters
    ----------
    mask_root, case_id
        The case.
    digests
        Digest of each document as it is on disk (:class:`~labeler.storage.recovery.Recovery`).

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
    recovery = read_journal(path).recovery(digests)
    return recovery if recovery.has_unsaved else None


def read_earlier(journal: Path, digests: Mapping[str, str]) -> Recovery:
    """Read what an earlier run left of a case: unsaved edits, history, or nothing.

    Raises
    ------
    ImageError
        When there is a journal that cannot be read.
    """
    if os.path.exists(journal):
        return read_journal(journal).recovery(digests)
    try:
        return read_journal(history_path(journal)).recovery(digests)
    except ImageError as error:  # in most cases: there is none
        log.info("no history: %s", error)
        return Recovery()


def prune_histories(max_bytes: int) -> None:
    """Remove the histories that were written longest ago until the rest fits."""
    found = []
    for path in _folder().glob(f"*/*{_HISTORY}"):
        with contextlib.suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= max_bytes:
            break
        remove_journal(path)
        total -= size


def _folder() -> Path:
    return user_local_folder() / "journals"
