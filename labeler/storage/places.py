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
        another number.
    device
        Number of the drive; ``None`` when there was no folder.
    """

    folder: Path
    witness: Path
    device: int | None

    @staticmethod
    def of(folder: Path, witness: Path) -> Place:
        """Note on which drive a folder is."""
        return Place(folder, witness, _device_of(folder))

    def check(self) -> None:
        """Find the folder where it was.

        Raises
        ------
        SaveError
            When it is gone, or its drive is.
        """
        device = _device_of(self.folder)
        if self.device is None or device == self.device or os.path.exists(self.witness):
            return
        what = "The folder" if device is None else "The drive of"
        raise SaveError(f"{what} {display_name(self.folder)} is gone; nothing was saved there.")


def _device_of(folder: Path) -> int | None:
    try:
        return os.stat(folder).st_dev
    except OSError:
        return None
