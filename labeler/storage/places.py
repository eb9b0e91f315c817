"""Whether a folder is still the one it was: where a drive was, an empty folder is left.

What is written to files that were read before needs no such check: they are gone with the drive.
A new file would be made in that empty folder, and nobody would ever find it again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from labeler.storage.errors import SaveError
from labeler.storage.listing import display_name


@dataclass(frozen=True)
class Place:
    """A folder on a drive; made by :meth:`of`.

    Attributes
    ----------
    folder
        The folder.
    witness
        A file that this program keeps there: a drive that was taken out and is back may have
        other numbers.
    identity
        Numbers of the drive and of the folder on it; ``None`` when there was no folder.
    """

    folder: Path
    witness: Path
    identity: tuple[int, int] | None

    @staticmethod
    def of(folder: Path, witness: Path) -> Place:
        """Note which folder it is."""
        return Place(folder, witness, _identity_of(folder))

    def check(self) -> None:
        """Find the folder where it was.

        Raises
        ------
        SaveError
            When it is gone, or its drive is.
        """
        identity = _identity_of(self.folder)
        if self.identity in (None, identity) or os.path.exists(self.witness):
            return
        name = display_name(self.folder)
        if identity is None:
            raise SaveError(f"The folder {name} is gone; nothing was saved there.")
        raise SaveError(
            f"The drive of {name} is gone, or another folder is in its place; nothing was saved "
            "there."
        )


def _identity_of(folder: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino
