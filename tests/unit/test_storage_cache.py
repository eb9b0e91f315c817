"""The cache of volumes: equal to a cold read, or as if it were not there."""

from __future__ import annotations

import gzip
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from labeler.storage import cache as cache_module
from labeler.storage.cache import VolumeCache, source_key
from labeler.storage.dicom import scan_dicom
from labeler.storage.images import read_volume
from tests.unit.dicom_files import ct_slice, hu_of, save, write_series
from tests.unit.storage_files import Progress, affine_for, random_hu, write_nifti

SHAPE = (60, 50, 20)


@pytest.fixture
def cache(tmp_path: Path) -> VolumeCache:
    return VolumeCache(tmp_path / "cache", 10**9)


def image(path: Path, seed=0, codes="RAS") -> Path:
    path.parent.mkdir(exist_ok=True)
    return write_nifti(path, random_hu(SHAPE, seed), affine_for(codes, SHAPE))


def entries(cache: VolumeCache) -> list[Path]:
    return sorted(cache.folder.iterdir()) if cache.folder.exists() else []


def assert_equal(one, two):
    np.testing.assert_array_equal(one.array, two.array)
    np.testing.assert_array_equal(one.grid.affine, two.grid.affine)
    assert one.array.dtype == two.array.dtype
    assert one.axis_order == two.axis_order
    assert one.notes == two.notes
    assert not two.array.flags.writeable


@pytest.mark.parametrize("codes", ["RAS", "PIR", "LPS"])
def test_what_comes_out_is_what_went_in(tmp_path, cache, codes):
    path = image(tmp_path / "v.nii.gz", codes=codes)
    volume = read_volume(path)
    assert cache.get(path) is None
    cache.put(path, volume)
    assert cache.holds(path)
    assert_equal(volume, cache.get(path))


def test_reading_uses_it_and_does_not_fill_it(tmp_path, cache, monkeypatch):
    path = image(tmp_path / "v.nii.gz")
    volume = read_volume(path, cache=cache)
    assert not cache.holds(path)
    cache.put(path, volume)
    monkeypatch.setattr("labeler.storage.images._read_cold", lambda *_: pytest.fail("read"))
    assert_equal(volume, read_volume(path, cache=cache))


def test_chunks_that_do_not_divide_the_volume(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(cache_module, "_CHUNK_BYTES", 3 * 60 * 50 * 2)
    path = image(tmp_path / "v.nii.gz")
    cache.put(path, read_volume(path))
    assert_equal(read_volume(path), cache.get(path))


def test_films_and_series(tmp_path, cache):
    write_series(tmp_path / "dicom", hu_of(5))
    save(ct_slice(np.ones((6, 8), np.uint16), Modality="DX", uid="9"), tmp_path / "film" / "a.dcm")
    for folder in ("dicom", "film"):
        (series,) = scan_dicom(tmp_path / folder).series
        cache.put(series, read_volume(series))
        assert_equal(read_volume(series), cache.get(series))


# Keys


def test_the_place_of_a_file_does_not_count_its_content_does(tmp_path, cache):
    path = image(tmp_path / "a" / "v.nii.gz")
    cache.put(path, read_volume(path))
    copy = tmp_path / "renamed.nii.gz"
    shutil.copy2(path, copy)
    assert cache.holds(copy)
    image(copy, seed=1)
    assert not cache.holds(copy)


def test_one_changed_voxel_changes_the_key_also_when_size_and_time_stay(tmp_path):
    path = tmp_path / "v.nii.gz"
    keys, sizes = set(), set()
    for value in range(4):
        array = np.zeros((200, 200, 100), np.int16)
        array[100, 100, 50] = 1 + value
        write_nifti(path, array)
        os.utime(path, (1, 1))
        keys.add(source_key(path))
        sizes.add(path.stat().st_size)
    assert len(keys) == 4
    assert len(sizes) < 4


def test_a_change_far_from_both_ends_of_a_gzip_of_several_members_changes_the_key(tmp_path):
    """Its checksum at the end covers the last member only."""
    path, noise = tmp_path / "v.nii.gz", os.urandom(400_000)
    keys = []
    for number in range(2):
        content = bytearray(noise)
        content[200_000] = number
        path.write_bytes(gzip.compress(bytes(content), 0) + gzip.compress(b"end"))
        os.utime(path, (number, number))
        keys.append(source_key(path))
    assert keys[0] != keys[1]


def test_files_that_are_read_as_fast_without_it_are_not_kept(tmp_path, cache):
    path = image(tmp_path / "v.nii")
    assert source_key(path) is None
    cache.put(path, read_volume(path))
    assert entries(cache) == []
    assert cache.get(path) is None


def test_a_changed_slice_changes_the_key_of_a_series(tmp_path):
    paths = write_series(tmp_path, hu_of(5))
    (series,) = scan_dicom(tmp_path).series
    key = source_key(series)
    os.utime(paths[2], (1, 1))
    assert source_key(series) != key
    paths[2].unlink()
    with pytest.raises(FileNotFoundError):
        source_key(series)


def test_a_source_that_is_gone_is_a_miss(tmp_path, cache):
    assert cache.get(tmp_path / "missing.nii.gz") is None
    assert not cache.holds(tmp_path / "missing.nii.gz")


# Damage


def test_any_damaged_byte_and_any_torn_end_is_a_miss_and_the_entry_goes(tmp_path, cache):
    path = image(tmp_path / "v.nii.gz")
    volume = read_volume(path)
    cache.put(path, volume)
    (entry,) = entries(cache)
    whole = entry.read_bytes()
    rng = np.random.default_rng(0)
    places = [*range(40), *rng.integers(0, len(whole), 60), len(whole) - 1]
    damaged = [whole[:n] + bytes([whole[n] ^ 255]) + whole[n + 1 :] for n in places]
    torn = [whole[: int(n)] for n in (0, 5, 20, 100, len(whole) // 2, len(whole) - 1)]
    for data in damaged + torn:
        entry.write_bytes(data)
        assert cache.get(path) is None
        assert not entry.exists()
    entry.write_bytes(whole)
    assert_equal(volume, cache.get(path))


def test_entry_of_an_unknown_type_is_a_miss(tmp_path, cache):
    path = image(tmp_path / "v.nii.gz")
    volume = read_volume(path)
    cache.put(path, volume)
    (entry,) = entries(cache)
    header = cache_module._Header(
        (1, 1, 1), "object", [], (0, 1, 2), (False,) * 3, (1, 1, 1), [], 1
    )
    with open(entry, "wb") as file:
        file.write(cache_module._MAGIC)
        cache_module._write_block(file, cache_module.json.dumps(vars(header)).encode())
    assert cache.get(path) is None


# Size


def test_the_longest_unused_entries_are_dropped(tmp_path, cache):
    paths = [image(tmp_path / f"{number}.nii.gz", seed=number) for number in range(4)]
    cache.put(paths[0], read_volume(paths[0]))
    size = entries(cache)[0].stat().st_size
    cache.max_bytes = int(3.5 * size)
    for number, path in enumerate(paths[:3]):
        cache.put(path, read_volume(path))
        os.utime(cache._path(path), (number, number))
    assert cache.get(paths[0]) is not None  # used last now
    cache.put(paths[3], read_volume(paths[3]))
    assert [cache.holds(path) for path in paths] == [True, False, True, True]


def test_an_entry_larger_than_everything_is_not_kept(tmp_path, cache):
    path = image(tmp_path / "v.nii.gz")
    for max_bytes in (0, 1000):
        cache.max_bytes = max_bytes
        cache.put(path, read_volume(path))
        assert entries(cache) == []


def test_what_killed_processes_left_goes_first(tmp_path, cache):
    path = image(tmp_path / "v.nii.gz")
    cache.put(path, read_volume(path))
    (cache.folder / "half.tmp").write_bytes(bytes(10**6))
    cache.max_bytes = entries(cache)[0].stat().st_size + 10**5
    cache.put(path, read_volume(path))
    assert [entry.suffix for entry in entries(cache)] == [".volume"]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("x")
    cache = VolumeCache(tmp_path / "file" / "cache", 10**9)
    path = image(tmp_path / "v.nii.gz")
    cache.put(path, read_volume(path))
    assert cache.get(path) is None


def test_default_folder_and_size(isolated_user):
    cache = VolumeCache.default()
    assert cache.folder == isolated_user / "cache" / "volumes"
    assert 0 < cache.max_bytes <= 20 * 10**9
    assert VolumeCache.default(5).max_bytes == 5


def test_many_readers_and_writers(tmp_path, cache):
    """Entries come and go while others read them: a hit is always whole."""
    paths = [image(tmp_path / f"{number}.nii.gz", seed=number) for number in range(3)]
    volumes = [read_volume(path) for path in paths]
    cache.put(paths[0], volumes[0])
    cache.max_bytes = int(2.2 * entries(cache)[0].stat().st_size)

    def work(number):
        cache.put(paths[number % 3], volumes[number % 3])
        hit = cache.get(paths[(number + 1) % 3])
        return hit is None or np.array_equal(hit.array, volumes[(number + 1) % 3].array)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(60)))
    assert sum(entry.stat().st_size for entry in entries(cache)) <= cache.max_bytes


def test_progress_and_stopping(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(cache_module, "_CHUNK_BYTES", 5 * 60 * 50 * 2)
    path = image(tmp_path / "v.nii.gz")
    cache.put(path, read_volume(path))
    progress = Progress()
    cache.get(path, progress)
    assert progress.fractions == [0, 0.25, 0.5, 0.75, 1]
    with pytest.raises(Progress.Stopped):
        cache.get(path, Progress(stop_at=3))
    assert cache.holds(path)
