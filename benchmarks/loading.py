"""Loading: four phases from disk, cold and again; reading and saving masks; the journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from benchmarks import _scene
from benchmarks._files import AFFINE_RAS, Folder, write_phases
from benchmarks.registry import Measured, Pair, row
from labeler.core.edits import Edit
from labeler.core.mask import Box, Patch, new_token
from labeler.core.volume import PHASES, Volume
from labeler.storage.cache import VolumeCache
from labeler.storage.images import read_volume
from labeler.storage.journal import Journal
from labeler.storage.masks import new_mask, read_mask, save_mask

_BASELINE = "SimpleITK ReadImage, one after the other"
_LOOK_S = 0.001


def _read_by_simpleitk(paths: list[Path]) -> list[sitk.Image]:
    """All four are held in the end, as in a viewer: fresh memory costs time as well."""
    return [sitk.ReadImage(str(path)) for path in paths]


def _read_side_by_side(paths: list[Path], cache: VolumeCache | None = None) -> list[Volume]:
    """A thread a phase, as the program does."""
    with ThreadPoolExecutor(len(paths)) as pool:
        return list(pool.map(partial(read_volume, cache=cache), paths))


@row("load-cold", baseline=_BASELINE, reach_ratio=0.40, budget_s=25)
def load_cold() -> Pair:
    """Four phases from .nii.gz, cold."""
    folder = Folder()
    paths = write_phases(folder.path)
    return Pair(lambda: _read_side_by_side(paths), lambda: _read_by_simpleitk(paths), folder.remove)


@row("load-again", baseline=_BASELINE, reach_ratio=0.15, budget_s=25)
def load_again() -> Pair:
    """The same four phases again, from the cache."""
    folder = Folder()
    paths = write_phases(folder.path)
    cache = VolumeCache(folder.path / "cache", 10**10)
    for path in paths:
        cache.put(path, read_volume(path))
    return Pair(
        lambda: _read_side_by_side(paths, cache), lambda: _read_by_simpleitk(paths), folder.remove
    )


@row("load-stall", reach=50.0)
def load_stall() -> Measured:
    """Longest time another thread cannot run while four phases are read, cold and again."""
    folder = Folder()
    try:
        paths = write_phases(folder.path)
        cache = VolumeCache(folder.path / "cache", 10**10)
        stalls = [_longest_stall_ms(lambda: _read_side_by_side(paths)) for _ in range(3)]
        for path in paths:
            cache.put(path, read_volume(path))
        stalls += [_longest_stall_ms(lambda: _read_side_by_side(paths, cache)) for _ in range(3)]
        return Measured(max(stalls), None, "ms")
    finally:
        folder.remove()


def _longest_stall_ms(work: Callable[[], object]) -> float:
    """Longest delay of a thread that wants to run every millisecond."""
    is_over = threading.Event()
    longest_s = 0.0

    def look() -> None:
        nonlocal longest_s
        last = time.perf_counter()
        while not is_over.wait(_LOOK_S):
            now = time.perf_counter()
            longest_s = max(longest_s, now - last - _LOOK_S)
            last = now

    looker = threading.Thread(target=look)
    looker.start()
    work()
    is_over.set()
    looker.join()
    return longest_s * 1e3


@row("save-mask", baseline="nibabel save in place", reach_ratio=1.2)
def save_a_mask() -> Pair:
    """Mask saved durably: packed, synced, read back, renamed."""
    folder = Folder()
    ours, theirs = folder.path / "ours.nii.gz", folder.path / "theirs.nii.gz"
    image = nib.Nifti1Image(_scene.labels().transpose(2, 1, 0), AFFINE_RAS)
    for path in (ours, theirs):
        image.to_filename(path)
    mask_file = read_mask(ours)
    array = mask_file.mask.array.copy()
    fingerprint = mask_file.fingerprint

    def save() -> None:
        nonlocal fingerprint
        fingerprint = save_mask(ours, array, mask_file, expected_fingerprint=fingerprint)

    return Pair(save, lambda: image.to_filename(theirs), folder.remove)


@row("read-mask", baseline="nibabel load and asanyarray")
def read_a_mask() -> Pair:
    """Mask of 79 million voxels read, checked and fingerprinted."""
    folder = Folder()
    volume = _scene.phases()[PHASES[0]]
    path = folder.path / "mask.nii.gz"
    mask_file = new_mask("mask", volume.grid, volume.axis_order, volume)
    save_mask(path, _scene.mask().array.copy(), mask_file, expected_fingerprint=None)
    return Pair(
        lambda: read_mask(path),
        lambda: np.asanyarray(nib.Nifti1Image.from_filename(path, mmap=False).dataobj),
        folder.remove,
    )


@row("journal-append", reach=1.0, budget_s=2)
def journal_append() -> Pair:
    """A stroke of 200 bytes appended to the journal and synced."""
    folder = Folder()
    journal = Journal.create(folder.path / "case.journal", "case", {})
    box = Box((0, 0, 0), (1, 27, 27))
    before = np.zeros(box.shape_kji, np.uint8)
    patch = Patch.between("draft", box, before, _scene.labels()[170:171, 200:227, 100:127])
    assert patch is not None
    stroke = patch

    def append() -> None:
        journal.append(Edit("Brush Liver", (replace(stroke, token=new_token()),)))

    def cleanup() -> None:
        journal.close()
        folder.remove()

    return Pair(append, cleanup=cleanup)
