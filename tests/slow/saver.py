"""Saves a mask again and again, alternating between two contents, until somebody kills it.

Usage: ``saver.py MASK``. Prints ``ready`` and then ``saved N`` after each save.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from labeler.storage.masks import read_mask, save_mask


def content(number: int, shape_kji: tuple[int, ...]) -> np.ndarray:
    """What save ``number`` writes: uneven, so that files differ in size."""
    random = np.random.default_rng(number % 7)
    return random.integers(0, 1 + number % 7, shape_kji, dtype=np.uint8)


def main() -> None:
    path = Path(sys.argv[1])
    file = read_mask(path)
    fingerprint, number = file.fingerprint, 0
    print("ready", flush=True)  # noqa: T201 (read by the test)
    while True:
        number += 1
        array = content(number, file.mask.array.shape)
        fingerprint = save_mask(path, array, file, expected_fingerprint=fingerprint)
        print(f"saved {number}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
