"""Reading images: any orientation and type into canonical int16, and a sentence for the rest."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from labeler.storage.errors import ImageError
from labeler.storage.images import read_header, read_volume
from tests.unit.storage_files import (
    ORIENTATIONS,
    Progress,
    affine_for,
    change_header,
    content_of,
    put,
    random_hu,
    write_nifti,
)

SHAPE = (5, 7, 4)


def canonical(path: Path) -> np.ndarray:
    """The volume by nibabel alone: closest to RAS, then i to Left and j to Posterior."""
    image = nib.as_closest_canonical(nib.load(path))
    return np.asarray(image.dataobj)[::-1, ::-1].transpose(2, 1, 0)


def refusal(path: Path) -> str:
    """The sentence that reading the voxels ends in."""
    with pytest.raises(ImageError) as caught:
        read_volume(path)
    sentence = str(caught.value)
    assert path.name in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


# Orientation


@pytest.mark.parametrize("codes", ORIENTATIONS, ids="".join)
def test_every_orientation_becomes_canonical(tmp_path, codes):
    path = write_nifti(tmp_path / "v.nii.gz", random_hu(SHAPE), affine_for(codes, SHAPE))
    volume, header = read_volume(path), read_header(path)
    assert nib.aff2axcodes(volume.grid.affine) == ("L", "P", "S")
    np.testing.assert_array_equal(volume.array, canonical(path))
    assert volume.array.dtype == np.int16
    assert volume.array.flags.c_contiguous
    assert not volume.array.flags.writeable
    assert header.shape_ijk == SHAPE
    assert header.grid.matches(volume.grid, 1e-4)
    np.testing.assert_allclose(header.spacing_mm, nib.load(path).header.get_zooms(), rtol=1e-5)


@given(st.sampled_from(ORIENTATIONS), st.tuples(*[st.integers(1, 6)] * 3), st.data())
def test_a_voxel_stays_at_its_place_in_the_patient(codes, shape_ijk, data):
    path = Path(os.environ["CT_LABELER_LOCAL_DIR"]) / "v.nii"
    path.parent.mkdir(exist_ok=True)
    image_ijk = random_hu(shape_ijk)
    affine = affine_for(codes, shape_ijk)
    write_nifti(path, image_ijk, affine)
    volume = read_volume(path)
    ijk = tuple(data.draw(st.integers(0, n - 1)) for n in shape_ijk)
    ras = (affine @ [*ijk, 1])[:3]
    assert volume.value_at(ras) == image_ijk[ijk]
    canonical_ijk = volume.grid.nearest_ijk(ras)
    assert volume.axis_order.to_file_ijk(canonical_ijk) == ijk


def test_oblique_volume_keeps_its_affine(tmp_path):
    angle = np.radians(20)
    affine = affine_for("LAS", SHAPE)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    path = write_nifti(tmp_path / "v.nii", random_hu(SHAPE), turn @ affine)
    volume = read_volume(path)
    ijk = (1, 2, 3)
    ras = (turn @ affine @ [*ijk, 1])[:3]
    assert volume.value_at(ras) == random_hu(SHAPE)[ijk]


def test_planes_larger_than_a_slab_and_slabs_that_do_not_divide_the_volume(tmp_path):
    array = random_hu((300, 200, 37))
    for codes in ("LPS", "RAS", "PIR"):
        path = write_nifti(tmp_path / "v.nii.gz", array, affine_for(codes, array.shape))
        np.testing.assert_array_equal(read_volume(path).array, canonical(path))
    large = random_hu((1100, 900, 3), dtype=np.float32)
    path = write_nifti(tmp_path / "v.nii.gz", large, affine_for("RAS", large.shape))
    np.testing.assert_array_equal(read_volume(path).array, canonical(path))


# Types and scaling


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_every_type_in_either_byte_order(tmp_path, dtype, order):
    stored = np.random.default_rng(1).integers(0, 127, SHAPE).astype(order + dtype)
    image = nib.Nifti1Image(stored, np.eye(4), nib.Nifti1Header(endianness=order))
    image.header.set_data_dtype(stored.dtype)
    path = tmp_path / "v.nii.gz"
    image.to_filename(path)
    assert nib.load(path).header.endianness == order
    np.testing.assert_array_equal(read_volume(path).array, canonical(path))


@pytest.mark.parametrize(
    ("dtype", "slope", "inter", "expected"),
    [
        ("i2", 1, -1024, [-1024, -924, 976]),
        ("u2", 1, -1024, [-1024, -924, 976]),
        ("i2", 2.5, 0.5, [0, 250, 5000]),
        ("u1", 10, -1000, [-1000, 0, 1000]),
        ("f4", 2, 1, [1, 201, 4001]),
        ("i2", 0, 50, [0, 100, 2000]),  # slope 0: no scaling, whatever the intercept
        ("i2", np.nan, np.nan, [0, 100, 2000]),
    ],
)
def test_scaling(tmp_path, dtype, slope, inter, expected):
    stored = np.array([0, 100, 200 if dtype == "u1" else 2000], dtype).reshape(3, 1, 1)
    path = write_nifti(
        tmp_path / "v.nii", stored, np.diag([-1.0, -1, 1, 1]), scl_slope=slope, scl_inter=inter
    )
    assert read_volume(path).array.ravel().tolist() == expected


def test_fractions_are_rounded(tmp_path):
    stored = np.array([-1000.4, 0.5, 1.5, 99.6], "f4").reshape(4, 1, 1)
    path = write_nifti(tmp_path / "v.nii", stored, np.diag([-1.0, -1, 1, 1]))
    assert read_volume(path).array.ravel().tolist() == [-1000, 0, 2, 100]


@pytest.mark.parametrize("padding", [-2048, -3024])
def test_padding_is_kept(tmp_path, padding):
    stored = np.full(SHAPE, padding, np.int16)
    assert read_volume(write_nifti(tmp_path / "v.nii", stored)).array.min() == padding


def test_limits_of_int16_are_kept_and_nothing_beyond(tmp_path):
    stored = np.array([-32768.0, 32767.0]).reshape(2, 1, 1)
    path = write_nifti(tmp_path / "v.nii", stored, np.diag([-1.0, -1, 1, 1]))
    assert read_volume(path).array.ravel().tolist() == [-32768, 32767]
    for value in (40000.0, -32769.0, np.inf, -np.inf, 1e300):
        stored[0] = value
        path = write_nifti(tmp_path / "v.nii", stored, np.diag([-1.0, -1, 1, 1]))
        assert "outside the Hounsfield units" in refusal(path)
    for dtype, value, inter in (("u2", 40000, 0), ("i4", -40000, 0), ("i2", 32000, 1000)):
        integers = np.full(SHAPE, value, dtype)
        path = write_nifti(tmp_path / "v.nii", integers, scl_slope=1, scl_inter=inter)
        assert "outside the Hounsfield units" in refusal(path)


def test_large_integers_with_a_large_intercept(tmp_path):
    stored = np.full(SHAPE, 60000, np.uint16)
    path = write_nifti(tmp_path / "v.nii", stored, scl_slope=1, scl_inter=-60100)
    assert np.all(read_volume(path).array == -100)


def test_voxels_that_are_no_numbers_become_air_with_a_note(tmp_path):
    stored = random_hu(SHAPE, dtype=np.float32)
    stored[0, 0, :2] = np.nan
    volume = read_volume(write_nifti(tmp_path / "v.nii", stored, affine_for("LPS", SHAPE)))
    assert volume.array[:2, 0, 0].tolist() == [-1024, -1024]
    assert volume.notes == ("2 voxels of v.nii are not numbers and are shown as air (-1024 HU).",)


def test_normalized_values_are_no_hounsfield_units(tmp_path):
    stored = np.random.default_rng(0).random(SHAPE)
    assert "no Hounsfield units" in refusal(write_nifti(tmp_path / "v.nii", stored))


# Header


def test_sform_is_preferred_to_qform(tmp_path):
    path = write_nifti(tmp_path / "v.nii", random_hu(SHAPE))
    image = nib.load(path)
    image.header.set_qform(np.diag([3.0, 3, 3, 1]), 1)
    image.header.set_sform(np.diag([1.0, 1, 2, 1]), 1)
    image.to_filename(path)
    change_header(path, pixdim=[1, 3, 3, 3, 1, 1, 1, 1])
    assert read_header(path).spacing_mm == (1, 1, 2)
    change_header(path, sform_code=0)
    assert read_header(path).spacing_mm == (3, 3, 3)


def test_without_orientation_the_spacing_counts_and_a_note_says_so(tmp_path):
    path = write_nifti(tmp_path / "v.nii", random_hu(SHAPE), qform_code=0, sform_code=0)
    volume = read_volume(path)
    assert volume.grid.spacing_mm == (1, 1, 2)
    assert "left and right may be swapped" in volume.notes[0]


def test_qfac_of_zero_means_one(tmp_path):
    path = write_nifti(tmp_path / "v.nii", random_hu(SHAPE), affine_for("LPS", SHAPE))
    image = nib.load(path)
    image.header.set_qform(image.affine, 1)
    image.header["sform_code"] = 0
    image.to_filename(path)
    change_header(path, sform_code=0, qform_code=1, pixdim=[0, 0.7, 0.9, 2.5, 1, 1, 1, 1])
    assert read_header(path).spacing_mm == pytest.approx((0.7, 0.9, 2.5))


@pytest.mark.parametrize(("unit", "factor"), [(1, 0.001), (3, 1000.0), (0, 1.0), (2, 1.0)])
def test_units_become_millimetres(tmp_path, unit, factor):
    affine = np.diag([0.7 * factor, 0.7 * factor, 2.5 * factor, 1.0])
    path = write_nifti(tmp_path / "v.nii", random_hu(SHAPE), affine, xyzt_units=unit)
    header = read_header(path)
    assert header.spacing_mm == pytest.approx((0.7, 0.7, 2.5))
    assert bool(header.notes) == (unit in (1, 3))


def test_nifti_2_and_extensions(tmp_path):
    extension = nib.nifti1.Nifti1Extension("comment", b"x" * 5000)
    path = write_nifti(
        tmp_path / "v.nii.gz", random_hu(SHAPE), kind=nib.Nifti2Image, extensions=[extension]
    )
    np.testing.assert_array_equal(read_volume(path).array, canonical(path))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 4, 1), (5, 7, 4, 1, 1)])
def test_one_slice_and_dimensions_of_one(tmp_path, shape):
    array = random_hu(shape)
    volume = read_volume(write_nifti(tmp_path / "v.nii", array, affine_for("LPS", (5, 7, 4))))
    expected = array.reshape((*shape, 1)[:3])
    np.testing.assert_array_equal(volume.array, expected.transpose(2, 1, 0))


def test_content_counts_not_the_name(tmp_path):
    plain = write_nifti(tmp_path / "v.nii", random_hu(SHAPE))
    packed = tmp_path / "packed.nii"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    unpacked = tmp_path / "unpacked.nii.gz"
    unpacked.write_bytes(plain.read_bytes())
    expected = read_volume(plain)
    np.testing.assert_array_equal(read_volume(packed).array, expected.array)
    volume = read_volume(unpacked)
    np.testing.assert_array_equal(volume.array, expected.array)
    assert volume.notes == ("unpacked.nii.gz is not compressed, whatever its name says.",)


def test_offset_of_zero_means_right_behind_the_header(tmp_path):
    path = write_nifti(tmp_path / "v.nii", random_hu(SHAPE))
    expected = canonical(path)
    change_header(path, vox_offset=0)
    np.testing.assert_array_equal(read_volume(path).array, expected)


# Bad input


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"dim": [4, 5, 7, 2, 2, 1, 1, 1]}, r"4 dimensions \(5 x 7 x 2 x 2\)"),
        ({"dim": [0, 5, 7, 4, 1, 1, 1, 1]}, "0 dimensions"),
        ({"dim": [9, 5, 7, 4, 1, 1, 1, 1]}, "is damaged"),
        ({"dim": [3, 5, 0, 4, 1, 1, 1, 1]}, "is empty"),
        ({"dim": [3, 5, -7, 4, 1, 1, 1, 1]}, "is empty"),
        ({"dim": [3, 32767, 32767, 32767, 1, 1, 1, 1]}, "is truncated: its header promises"),
        ({"datatype": 7777}, "data type 7777 is not known"),
        ({"datatype": 128, "bitpix": 24}, "holds colours"),
        ({"datatype": 32, "bitpix": 64}, "holds numbers of a type"),
        ({"datatype": 1536, "bitpix": 128}, "holds numbers of a type"),
        ({"vox_offset": 100}, "start at byte 100"),
        ({"vox_offset": 1e9}, r"start at byte 1e\+09"),
        ({"vox_offset": np.nan}, "start at byte nan"),
        ({"scl_slope": 1, "scl_inter": np.nan}, "intercept is not a number"),
        ({"srow_x": [np.nan, 0, 0, 0]}, "not numbers"),
        ({"srow_z": [0, 0, 0, 0]}, "spacing is zero"),
        ({"srow_x": [1, 0.5, 0, 0]}, "sheared by 26.6 degrees"),
        ({"srow_x": [1e6, 0, 0, 0]}, "a voxel spacing is"),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": 3.0}, "orientation cannot be decoded"),
        ({"sform_code": 0, "qform_code": 1, "pixdim": [1, -1, 1, 1, 1, 1, 1, 1]}, "orientation"),
        ({"magic": b"ni1"}, "NIfTI pair"),
        ({"magic": b""}, "ANALYZE"),
        ({"sizeof_hdr": 7}, "no NIfTI file"),
    ],
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_bad_headers(tmp_path, fields, why, suffix):
    path = write_nifti(tmp_path / f"v{suffix}", random_hu(SHAPE), **fields)
    with pytest.raises(ImageError, match=why):
        read_header(path)
    refusal(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_files(tmp_path, suffix, part):
    path = write_nifti(tmp_path / f"v{suffix}", random_hu((40, 40, 20)))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    assert "is truncated" in refusal(path) or part == 0
    if part == 0:
        assert "is empty" in refusal(path)


def test_file_without_its_checksum(tmp_path):
    path = write_nifti(tmp_path / "v.nii.gz", random_hu(SHAPE))
    data = path.read_bytes()
    for missing in range(1, 9):
        path.write_bytes(data[:-missing])
        assert "is truncated" in refusal(path)


def test_flipped_bits_are_noticed(tmp_path):
    path = write_nifti(tmp_path / "v.nii.gz", random_hu((20, 20, 10)))
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for position in (len(data) - 1, len(data) - 6, *rng.integers(1000, len(data) - 8, 20)):
        damaged = data.copy()
        damaged[position] ^= 16
        path.write_bytes(bytes(damaged))
        assert any(word in refusal(path) for word in ("damaged", "truncated", "more data"))


def test_bytes_after_the_image_are_told(tmp_path):
    path = write_nifti(tmp_path / "v.nii.gz", random_hu(SHAPE))
    expected, data = read_volume(path), path.read_bytes()
    assert expected.notes == ()
    put(path, gzip.decompress(data) + bytes(100))
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, expected.array)
    assert volume.notes == ("100 bytes that belong to no image follow in v.nii.gz.",)
    path.write_bytes(data + bytes(1000))  # padding of a tape or of a transfer
    np.testing.assert_array_equal(read_volume(path).array, expected.array)


@pytest.mark.parametrize("shape", [SHAPE, (64, 64, 64)])
def test_garbage_behind_the_packed_data_is_refused(tmp_path, shape):
    path = write_nifti(tmp_path / "v.nii.gz", random_hu(shape))
    path.write_bytes(path.read_bytes() + b"garbage behind the stream")
    assert "ends in other bytes" in refusal(path)


def test_a_bomb_is_not_unpacked(tmp_path):
    path = write_nifti(tmp_path / "v.nii", random_hu(SHAPE))
    packed = tmp_path / "v.nii.gz"
    packed.write_bytes(gzip.compress(path.read_bytes() + bytes(200 * 2**20), 9))
    tracemalloc.start()
    try:
        assert "more data than its header describes" in refusal(packed)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 * 2**20


def test_a_header_that_lies_costs_no_memory(tmp_path):
    path = write_nifti(tmp_path / "v.nii.gz", np.zeros((64, 64, 64), np.int16))
    change_header(path, dim=[3, 2000, 2000, 2000, 1, 1, 1, 1])
    tracemalloc.start()
    try:
        assert "its header promises 16,000.0 MB" in refusal(path)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 * 2**20


def test_a_nrrd_header_that_lies_costs_no_memory(tmp_path):
    path = nrrd(tmp_path / "v.nrrd", bytes(16), sizes="1000 1000 1000")
    tracemalloc.start()
    try:
        assert "its header promises 2,000.0 MB" in refusal(path)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 * 2**20


def test_more_voxels_than_can_be_shown(tmp_path):
    path = tmp_path / "v.nii"
    write_nifti(path, np.zeros(SHAPE, np.uint8), dim=[3, 2000, 2000, 600, 1, 1, 1, 1])
    os.truncate(path, 352 + 2000 * 2000 * 600)  # sparse: it takes no room
    assert "is too large" in refusal(path)


def test_no_memory_is_a_sentence(tmp_path, monkeypatch):
    path = write_nifti(tmp_path / "v.nii", random_hu(SHAPE))

    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr("labeler.storage.voxels.empty_canonical", no_memory)
    assert "does not fit into memory" in refusal(path)


def test_files_that_are_not_there_or_not_files(tmp_path):
    assert "it is not there" in refusal(tmp_path / "missing.nii.gz")
    (tmp_path / "folder.nii.gz").mkdir()
    assert "is a folder, not an image" in refusal(tmp_path / "folder.nii.gz")
    os.mkfifo(tmp_path / "pipe.nii.gz")
    refusal(tmp_path / "pipe.nii.gz")


@pytest.mark.parametrize(
    "name",
    ["x.nii", "x.nii.gz", "x.nrrd", "x.nhdr", "x.mha", "x.mhd", "x.dcm", "x.png", "x", "x.z"],
)
@pytest.mark.parametrize("content", [b"", b"x", b"hello world, this is no image\n" * 100])
def test_text_is_no_image(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    refusal(path)
    with pytest.raises(ImageError):
        read_header(path)


@given(st.binary(max_size=600), st.sampled_from(["v.nii", "v.nii.gz", "v.nrrd", "v.mha", "v.png"]))
def test_arbitrary_bytes_end_in_a_sentence(data, name):
    path = Path(os.environ["CT_LABELER_LOCAL_DIR"]) / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    with pytest.raises(ImageError):
        read_volume(path)


@given(st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=8))
def test_arbitrary_headers_end_in_a_volume_or_a_sentence(changes):
    path = Path(os.environ["CT_LABELER_LOCAL_DIR"]) / "v.nii"
    path.parent.mkdir(exist_ok=True)
    data = bytearray(content_of(write_nifti(path, random_hu(SHAPE))))
    for position, value in changes:
        data[position] = value
    path.write_bytes(bytes(data))
    try:
        volume = read_volume(path)
    except ImageError:
        return
    assert volume.array.size > 0


def test_header_that_promises_one_slice_more(tmp_path):
    for suffix in (".nii", ".nii.gz"):
        path = write_nifti(tmp_path / f"v{suffix}", random_hu(SHAPE), dim=[3, 5, 7, 5, 1, 1, 1, 1])
        assert "is truncated" in refusal(path)


def test_gzip_of_several_members(tmp_path):
    plain = write_nifti(tmp_path / "v.nii", random_hu(SHAPE)).read_bytes()
    path = tmp_path / "v.nii.gz"
    parts = [plain[:100], plain[100:400], b"", plain[400:]]
    path.write_bytes(b"".join(gzip.compress(part) + bytes(5) for part in parts))
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, canonical(tmp_path / "v.nii"))
    assert volume.notes == ()
    path.write_bytes(b"".join(gzip.compress(part) for part in parts[:3]))
    assert "is truncated" in refusal(path)


# Progress


@pytest.mark.parametrize("codes", ["LPS", "RAS", "PIR"])
def test_progress_and_stopping(tmp_path, codes):
    array = np.zeros((512, 512, 64), np.int16)
    path = write_nifti(tmp_path / "v.nii.gz", array, affine_for(codes, array.shape))
    progress = Progress()
    read_volume(path, progress)
    assert progress.fractions == sorted(progress.fractions)
    assert progress.fractions[0] == 0
    assert progress.fractions[-1] == 1
    assert progress.checks >= 3
    with pytest.raises(Progress.Stopped):
        read_volume(path, Progress(stop_at=2))


# Other formats


def itk_image(dtype=np.int16, seed=3):
    image = sitk.GetImageFromArray(random_hu((4, 7, 5), seed).astype(dtype))
    image.SetSpacing((0.7, 0.9, 2.5))
    image.SetOrigin((-30, 40, 100))
    image.SetDirection((1, 0, 0, 0, -1, 0, 0, 0, 1))
    return image


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".mhd", ".nhdr"])
@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("dtype", [np.int16, np.float64, np.int32])
def test_nrrd_and_metaimage_equal_nifti(tmp_path, suffix, is_packed, dtype):
    nifti, other = tmp_path / "v.nii", tmp_path / f"v{suffix}"
    image = itk_image(dtype)
    sitk.WriteImage(image, str(nifti))
    sitk.WriteImage(image, str(other), is_packed)
    expected, volume = read_volume(nifti), read_volume(other)
    np.testing.assert_array_equal(volume.array, expected.array)
    assert volume.grid.matches(expected.grid, 1e-4)
    assert read_header(other).shape_ijk == read_header(nifti).shape_ijk == (5, 7, 4)
    assert volume.notes == ()


@given(
    st.sampled_from(ORIENTATIONS),
    st.sampled_from([".nrrd", ".mha"]),
    st.floats(-0.4, 0.4),
    st.tuples(*[st.floats(-300, 300)] * 3),
)
def test_nrrd_and_metaimage_lie_where_simpleitk_has_them(codes, suffix, angle, origin):
    image = itk_image()
    direction = affine_for(codes, (5, 7, 4), (1, 1, 1))[:3, :3]
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    image.SetDirection((turn @ direction).ravel())
    image.SetOrigin(origin)
    path = Path(os.environ["CT_LABELER_LOCAL_DIR"]) / f"v{suffix}"
    path.parent.mkdir(exist_ok=True)
    sitk.WriteImage(image, str(path))
    volume = read_volume(path)
    for ijk in ((0, 0, 0), (4, 6, 3), (1, 2, 3)):
        lps = np.array(image.TransformIndexToPhysicalPoint(ijk))
        assert volume.value_at(lps * (-1, -1, 1)) == image.GetPixel(*ijk)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.999])
def test_truncated_nrrd_and_metaimage(tmp_path, suffix, is_packed, part):
    path = tmp_path / f"v{suffix}"
    image = sitk.GetImageFromArray(random_hu((20, 30, 40)))
    sitk.WriteImage(image, str(path), is_packed)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    assert "is truncated" in refusal(path)


NRRD = """NRRD0004
type: {type}
dimension: 3
space: {space}
sizes: {sizes}
space directions: (1,0,0) (0,1,0) (0,0,2)
endian: {endian}
encoding: {encoding}
space origin: (0,0,0)
{more}

"""


def nrrd(path: Path, data: bytes, **fields) -> Path:
    values = {
        "type": "short", "space": "left-posterior-superior", "sizes": "2 2 2",
        "endian": "little", "encoding": "raw", "more": "content: x",
    } | fields  # fmt: skip
    path.write_bytes(NRRD.format(**values).encode() + data)
    return path


def test_nrrd_spaces_and_byte_order(tmp_path):
    data = np.arange(8, dtype=">i2").tobytes()
    lps = read_volume(nrrd(tmp_path / "lps.nrrd", data, endian="big"))
    assert lps.array.ravel().tolist() == list(range(8))
    ras = read_volume(
        nrrd(tmp_path / "ras.nrrd", data, endian="big", space="right-anterior-superior")
    )
    np.testing.assert_array_equal(ras.array, lps.array[:, ::-1, ::-1])


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"encoding": "ascii"}, "packed as 'ascii'"),
        ({"encoding": "bzip2"}, "packed as 'bzip2'"),
        ({"more": "byte skip: -1"}, "skips bytes"),
        ({"more": "data file: ../other.raw"}, "not beside it"),
        ({"more": "data file: /etc/passwd"}, "not beside it"),
        ({"more": "data file: missing.raw"}, "not beside it"),
        ({"more": "kinds: vector domain domain"}, "colours or vectors"),
        ({"sizes": "2 2"}, "2 dimensions"),
        ({"sizes": "3 2 2 2"}, "4 dimensions"),
        ({"sizes": "2 2 x"}, "damaged"),
        ({"sizes": "2 2 0"}, "empty or too large"),
        ({"sizes": "2000 2000 2000"}, "too large"),
        ({"sizes": "1000 1000 1000"}, "is truncated"),
        ({"type": "block"}, "damaged"),
    ],
)
def test_nrrd_that_cannot_be_read(tmp_path, fields, why):
    assert why in refusal(nrrd(tmp_path / "v.nrrd", bytes(16), **fields))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("TransformMatrix = 1 0 0", "TransformMatrix = 1 0 ", "damaged"),
        ("TransformMatrix = 1 0 0", "TransformMatrix = 1 0 nan", "not numbers"),
        ("ElementSpacing = ", "ElementSpacing = 0 0 0\nX = ", "spacing is zero"),
        ("DimSize = 5 7 4", "DimSize = 5 7", "2 dimensions"),
        ("DimSize = 5 7 4", "DimSize = 99999 99999 99999", "too large"),
        ("ElementType = MET_SHORT", "ElementType = MET_NONE", "damaged"),
        ("ElementType = MET_SHORT", "ElementType = MET_DOUBLE", "is truncated"),
        ("BinaryData = True", "BinaryData = False", "packed as 'text'"),
        ("BinaryData = True", "HeaderSize = 7", "skips bytes"),
        ("ElementDataFile = LOCAL", "ElementDataFile = LIST", "not beside it"),
        ("ElementDataFile = LOCAL", "ElementDataFile = ../v.raw", "not beside it"),
        ("ElementDataFile = LOCAL", "Nothing = LOCAL", "no NRRD or MetaImage"),
    ],
)
def test_metaimage_that_cannot_be_read(tmp_path, old, new, why):
    path = tmp_path / "v.mha"
    sitk.WriteImage(itk_image(), str(path))
    data = path.read_bytes()
    assert old.encode() in data
    path.write_bytes(data.replace(old.encode(), new.encode()))
    assert why in refusal(path)


def test_without_directions_a_note_says_so(tmp_path):
    path = tmp_path / "v.mha"
    sitk.WriteImage(itk_image(), str(path))
    path.write_bytes(re.sub(rb"TransformMatrix[^\n]*\n", b"", path.read_bytes()))
    assert "left and right may be swapped" in read_volume(path).notes[0]
    nrrd(tmp_path / "v.nrrd", bytes(16), space="3D-right-handed")
    assert "left and right may be swapped" in read_volume(tmp_path / "v.nrrd").notes[0]


def test_colours_are_no_volume(tmp_path):
    path = tmp_path / "v.mha"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 4, 5, 3), np.uint8), isVector=True), path)
    assert "colours or vectors" in refusal(path)


# Films


def test_png_films(tmp_path):
    for dtype, top in ((np.uint8, 255), (np.uint16, 65535)):
        pixels = np.random.default_rng(0).integers(0, top, (6, 9)).astype(dtype)
        path = tmp_path / "film.png"
        cv2.imwrite(str(path), pixels)
        header, volume = read_header(path), read_volume(path)
        assert header.is_film
        assert header.shape_ijk == (9, 6, 1)
        assert volume.array.dtype == np.float32
        np.testing.assert_array_equal(volume.array[0], pixels)
        assert "pixel size" in volume.notes[0]


def test_colour_png_becomes_grey(tmp_path):
    path = tmp_path / "film.png"
    cv2.imwrite(str(path), np.full((4, 5, 3), 77, np.uint8))
    assert np.all(read_volume(path).array == 77)


def test_bad_png(tmp_path):
    path = tmp_path / "film.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (60, 90)).astype(np.uint8))
    data = bytearray(path.read_bytes())
    for part in (0.2, 0.7, 0.99):
        path.write_bytes(bytes(data[: int(len(data) * part)]))
        assert "truncated or damaged" in refusal(path)
    data[16:20] = (100_000).to_bytes(4, "big")
    data[20:24] = (100_000).to_bytes(4, "big")
    path.write_bytes(bytes(data))
    assert "too large: 100000 x 100000" in refusal(path)


# House rules


def test_format_libraries_wait_for_their_first_file():
    """Listing and starting must not pay for libraries that most cases never need."""
    code = (
        "import sys\n"
        "from labeler.storage import atomic, cache, dicom, images, journal, locks, masks\n"
        "late = ('nibabel', 'pydicom', 'SimpleITK', 'blosc2')\n"
        "print([name for name in late if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
