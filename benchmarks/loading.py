"""Loading: four phases from disk, cold and again; saving masks, the journal, DICOM folders."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from benchmarks import _scene
from benchmarks.registry import Measured, Pair, row
from labeler.core.edits import Edit
from labeler.core.mask import Box, Patch
from labeler.core.volume import PHASES
from labeler.storage.cache import VolumeCache
from labeler.storage.images import read_volume
from labeler.storage.journal import Journal
from labeler.storage.masks import new_mask, read_mask, save_mask

#: As most converters write: columns to the right, rows to the front.
_RAS = np.diag([*_scene.SPACING_MM, 1.0])
_BASELINE = "SimpleITK ReadImage, one after the other"
_LOOK_S = 0.001


class _Folder:
    """A temporary folder that lives until the row is measured."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ct-labeler-bench-")
        self.path = Path(self._folder.name)

    def remove(self) -> None:
        self._folder.cleanup()


def _write_phases(folder: Path) -> list[Path]:
    """Four phases of 157 MB, about 66 MB packed: a noisy body in less noisy air."""
    rng = np.random.default_rng(5)
    j, i = np.ogrid[-1:1:512j, -1:1:512j]
    is_body = (j / 0.62) ** 2 + (i / 0.85) ** 2 < 1
    noise = rng.normal(0, 1, (60, 512, 512))
    slab = np.where(is_body, 60 + 18 * noise, -1000 + 6 * noise).astype(np.int16)
    paths = []
    for number, phase in enumerate(PHASES):
        array_kji = np.roll(np.tile(slab, (5, 1, 1)), 7 * number, axis=0)
        image = nib.Nifti1Image(array_kji.transpose(2, 1, 0), _RAS)
        paths.append(folder / f"{phase}.nii.gz")
        image.to_filename(paths[-1])
    return paths


def _read_by_simpleitk(paths: list[Path]) -> None:
    for path in paths:
        sitk.ReadImage(str(path))


def _read_side_by_side(paths: list[Path], cache: VolumeCache | None = None) -> None:
    """A thread a phase, as the program does."""
    with ThreadPoolExecutor(len(paths)) as pool:
        list(pool.map(partial(read_volume, cache=cache), paths))


@row("load-cold", baseline=_BASELINE, reach_ratio=0.40, budget_s=25)
def load_cold() -> Pair:
    """Four phases from .nii.gz, cold."""
    folder = _Folder()
    paths = _write_phases(folder.path)
    return Pair(lambda: _read_side_by_side(paths), lambda: _read_by_simpleitk(paths), folder.remove)


@row("load-again", baseline=_BASELINE, reach_ratio=0.15, budget_s=25)
def load_again() -> Pair:
    """The same four phases again, from the cache."""
    folder = _Folder()
    paths = _write_phases(folder.path)
    cache = VolumeCache(folder.path / "cache", 10**10)
    for path in paths:
        cache.put(path, read_volume(path))
    return Pair(
        lambda: _read_side_by_side(paths, cache), lambda: _read_by_simpleitk(paths), folder.remove
    )


@row("load-stall", reach=50.0)
def load_stall() -> Measured:
    """Longest time another thread cannot run while four phases are read, cold and again."""
    folder = _Folder()
    try:
        paths = _write_phases(folder.path)
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
    folder = _Folder()
    ours, theirs = folder.path / "ours.nii.gz", folder.path / "theirs.nii.gz"
    image = nib.Nifti1Image(_scene.labels().transpose(2, 1, 0), _RAS)
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
    folder = _Folder()
    volume = _scene.phases()[PHASES[0]]
    path = folder.path / "mask.nii.gz"
    mask_file = new_mask("mask", volume.grid, volume.axis_order, volume)
    save_mask(path, _scene.mask().array.copy(), mask_file, expected_fingerprint=None)
    return Pair(
        lambda: read_mask(path),
        lambda: np.asanyarray(nib.load(path, mmap=False).dataobj),
        folder.remove,
    )


@row("journal-append", reach=1.0, budget_s=2)
def journal_append() -> Pair:
    """A stroke of 200 bytes appended to the journal and synced."""
    folder = _Folder()
    journal = Journal.create(folder.path / "case.journal", "case", {})
    box = Box((0, 0, 0), (1, 27, 27))
    before = np.zeros(box.shape_kji, np.uint8)
    patch = Patch.between("draft", box, before, _scene.labels()[170:171, 200:227, 100:127])
    assert patch is not None
    edit = Edit("Brush Liver", (patch,))

    def cleanup() -> None:
        journal.close()
        folder.remove()

    return Pair(lambda: journal.append(edit), cleanup=cleanup)
