"""Adds one to a number in a mask, saves and begins again, while others do the same.

Usage: ``adder.py MASK TIMES``. Prints how often the mask was changed by somebody else meanwhile.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from labeler.storage.errors import ConflictError
from labeler.storage.masks import read_mask, save_mask


def number_in(array: np.ndarray) -> int:
    """The number, from the first two voxels."""
    return 256 * int(array[0, 0, 0]) + int(array[0, 0, 1])


def main() -> None:
    path, left, conflicts = Path(sys.argv[1]), int(sys.argv[2]), 0
    while left:
        file = read_mask(path)
        array = file.mask.array.copy()
        array[0, 0, :2] = divmod(number_in(array) + 1, 256)
        try:
            save_mask(path, array, file, expected_fingerprint=file.fingerprint, keep_backups=2)
            left -= 1
        except ConflictError:
            conflicts += 1
    print(conflicts)  # noqa: T201 (read by the test)


if __name__ == "__main__":
    main()
