"""What errors of the system mean to somebody who opens or saves, in words."""

from __future__ import annotations

import errno
from pathlib import Path

from labeler.storage.errors import ImageError

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "you may not write there",
    errno.EPERM: "you may not write there",
    errno.EIO: "the disk reports an error",
    errno.EFBIG: "the file is larger than allowed there",
    errno.ENOENT: "the folder is gone",
    errno.ENOTDIR: "part of its path is a file, not a folder",
    errno.EEXIST: "a file is where a folder should be",
    errno.EISDIR: "there is a folder of that name",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ESTALE: "the network drive is gone",
    errno.ENODEV: "the drive is gone",
}

_READING_REASONS = {
    errno.EACCES: "you may not read it",
    errno.EPERM: "you may not read it",
    errno.ENOENT: "it is not there",
}


def reason(error: OSError) -> str:
    """What an error of the system means to somebody who saves, as the end of a sentence."""
    return _REASONS.get(error.errno or 0) or (error.strerror or str(error)).lower()


def unreadable(path: Path, error: OSError) -> ImageError:
    """Make the sentence for a file that the system does not let us read."""
    why = _READING_REASONS.get(error.errno or 0) or reason(error)
    return ImageError(f"{path.name} cannot be read: {why}.")
