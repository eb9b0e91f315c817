"""Masks: whole numbers only, and written back with the geometry they were read with."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.mask import Box, Patch
from labeler.storage.atomic import Fingerprint
from labeler.storage.errors import ConflictError, ImageError, SaveError
from labeler.storage.images import read_volume
from labeler.storage.masks import encode_mask, new_mask, read_mask, save_mask
from tests.unit.storage_faults import killed_after, small_disk
from tests.unit.storage_files import (
    ORIENTATIONS,
    Progress,
    affine_for,
    change_header,
    content_of,
    random_hu,
    write_nifti,
)

SHAPE = (5, 7, 4)


def labels(shape_ijk=SHAPE, highest=7, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, highest + 1, shape_ijk).astype(dtype)


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path, mmap=False).dataobj)


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        read_mask(path)
    assert path.name in str(caught.value)
    return str(caught.value)


def save(path, mask_file, array=None, expected="as read", **more):
    """Save what was read, or ``array``."""
    return save_mask(
        path,
        mask_file.mask.array.copy() if array is None else array,
        mask_file,
        expected_fingerprint=mask_file.fingerprint if expected == "as read" else expected,
        **more,
    )


# Reading


@pytest.mark.parametrize("codes", ORIENTATIONS[::5], ids="".join)
def test_mask_lies_where_its_image_lies(tmp_path, codes):
    affine = affine_for(codes, SHAPE)
    image = write_nifti(tmp_path / "v.nii.gz", labels().astype(np.int16), affine)
    mask_file = read_mask(write_nifti(tmp_path / "m.nii.gz", labels(), affine))
    volume = read_volume(image)
    np.testing.assert_array_equal(mask_file.mask.array, volume.array)
    assert mask_file.mask.grid.matches(volume.grid, 1e-6)
    assert mask_file.mask.axis_order == volume.axis_order


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_every_type_of_whole_numbers(tmp_path, dtype):
    path = write_nifti(tmp_path / "m.nii.gz", labels(dtype=dtype), affine_for("LPS", SHAPE))
    mask = read_mask(path).mask
    assert mask.array.dtype == np.uint8
    np.testing.assert_array_equal(mask.array, labels().transpose(2, 1, 0))


def test_labels_over_255_need_16_bits(tmp_path):
    for highest in (255, 256, 65535):
        array = np.zeros(SHAPE, np.float64)
        array[1, 2, 3] = highest
        mask = read_mask(write_nifti(tmp_path / "m.nii.gz", array)).mask
        assert mask.array.dtype == (np.uint8 if highest < 256 else np.uint16)
        assert mask.array.max() == highest


def test_scaling_is_applied(tmp_path):
    array = np.full(SHAPE, 3, np.int16)
    path = write_nifti(tmp_path / "m.nii", array, scl_slope=2, scl_inter=1)
    assert np.all(read_mask(path).mask.array == 7)
    # 0.00392157 * 255 is 1.00000035 in the header's precision, and means 1
    path = write_nifti(tmp_path / "m.nii", np.full(SHAPE, 255, np.uint8), scl_slope=1 / 255)
    assert np.all(read_mask(path).mask.array == 1)


@pytest.mark.parametrize(
    ("value", "dtype", "fields"),
    [
        (-1, "i2", {}),
        (65536, "i4", {}),
        (0.5, "f4", {}),
        (1e-6, "f8", {}),
        (np.nan, "f8", {}),
        (np.inf, "f4", {}),
        (-1.0, "f8", {}),
        (70000.0, "f8", {}),
        (3, "u1", {"scl_slope": 0.5}),
        (3, "u1", {"scl_slope": 1, "scl_inter": -5}),
    ],
)
def test_what_is_no_label_is_refused(tmp_path, value, dtype, fields):
    array = np.zeros(SHAPE, dtype)
    array[1, 2, 3] = value
    sentence = refusal(write_nifti(tmp_path / "m.nii.gz", array, **fields))
    assert "is no mask: it holds the value" in sentence


def test_geometry_that_cannot_be_shown_is_refused(tmp_path):
    path = write_nifti(tmp_path / "m.nii.gz", labels(), srow_x=[np.nan, 0, 0, 0])
    assert "cannot be shown" in refusal(path)
    path = write_nifti(tmp_path / "m.nii.gz", labels((3, 4, 5, 2)))
    assert "4 dimensions" in refusal(path)


def test_an_empty_file_is_called_empty(tmp_path):
    path = tmp_path / "draft.nii.gz"
    path.touch()
    assert refusal(path) == "draft.nii.gz is empty."


def test_truncated_and_damaged_masks_are_refused(tmp_path):
    path = write_nifti(tmp_path / "m.nii.gz", labels((40, 40, 40)))
    data = path.read_bytes()
    for end in (1, 20, 300, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:end])
        assert "truncated" in refusal(path)
    path.write_bytes(data[:-6] + b"?" + data[-5:])
    assert "damaged" in refusal(path)


def test_other_formats_are_no_masks_that_can_be_written_back(tmp_path):
    (tmp_path / "m.nrrd").write_bytes(b"NRRD0004\n")
    assert "masks are NIfTI files" in refusal(tmp_path / "m.nrrd")


def test_names_and_fingerprint(tmp_path):
    path = write_nifti(tmp_path / "case.v1.nii.gz", labels())
    assert read_mask(path).mask.name == "case.v1"
    assert read_mask(path, "draft").mask.name == "draft"
    assert read_mask(path).fingerprint == Fingerprint.of(path)


def test_reading_can_be_watched_and_stopped(tmp_path):
    path = write_nifti(tmp_path / "m.nii.gz", np.zeros((256, 256, 400), np.uint8))
    progress = Progress()
    read_mask(path, context=progress)
    assert progress.fractions[-1] == 1
    with pytest.raises(Progress.Stopped):
        read_mask(path, context=Progress(stop_at=2))


# Writing back


@given(
    st.sampled_from(ORIENTATIONS),
    st.tuples(*[st.integers(1, 6)] * 3),
    st.sampled_from(["u1", "u2", "i2", "i4", "f4", "f8", ">i2", ">f4", ">u2"]),
    st.sampled_from([1, 200, 255, 256, 40000]),
    st.sampled_from([".nii", ".nii.gz"]),
    st.integers(0, 10),
)
def test_what_is_written_back_is_equal(codes, shape_ijk, dtype, highest, suffix, seed):
    """Voxels, header and extensions, byte for byte where the type is kept."""
    folder = Path(os.environ["CT_LABELER_LOCAL_DIR"])
    folder.mkdir(exist_ok=True)
    path, copy = folder / f"m{suffix}", folder / f"copy{suffix}"
    copy.unlink(missing_ok=True)
    array = labels(shape_ijk, min(highest, 255 if dtype == "u1" else 32767), dtype, seed)
    header = nib.Nifti1Header(endianness=">" if dtype.startswith(">") else "<")
    image = nib.Nifti1Image(array, affine_for(codes, shape_ijk), header)
    image.header.set_data_dtype(array.dtype)
    image.header.set_qform(image.affine, 3)
    image.header.set_sform(image.affine, 4)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"made by a model"
    image.header["aux_file"] = b"colours.txt"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"kept"))
    image.to_filename(path)
    save(copy, read_mask(path), expected=None)
    assert content_of(copy) == content_of(path)
    np.testing.assert_array_equal(voxels(copy), array)


@pytest.mark.parametrize(
    ("dtype", "label", "stored"),
    [
        ("u1", 255, "u1"), ("u1", 256, "u2"),
        ("i1", 127, "i1"), ("i1", 128, "u1"), ("i1", 300, "u2"),
        ("i2", 32767, "i2"), ("i2", 32768, "u2"),
        ("f4", 65535, "f4"), ("f8", 65535, "f8"),
        (">i2", 65535, ">u2"),
    ],
)  # fmt: skip
def test_type_is_kept_when_it_holds_the_labels(tmp_path, dtype, label, stored):
    order = ">" if dtype.startswith(">") else "<"
    image = nib.Nifti1Image(labels(dtype=dtype), np.eye(4), nib.Nifti1Header(endianness=order))
    image.header.set_data_dtype(np.dtype(dtype))
    image.to_filename(tmp_path / "m.nii.gz")
    mask_file = read_mask(tmp_path / "m.nii.gz")
    array = mask_file.mask.array.astype(np.uint16)
    array[0, 0, 0] = label
    save(tmp_path / "m.nii.gz", mask_file, array)
    saved = nib.load(tmp_path / "m.nii.gz")
    assert saved.header.get_data_dtype() == np.dtype(stored)
    assert saved.header.endianness == order
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nii.gz").mask.array, array)


def test_scaled_file_is_written_without_scaling(tmp_path):
    path = write_nifti(tmp_path / "m.nii.gz", labels(), scl_slope=2, scl_inter=1)
    mask_file = read_mask(path)
    save(path, mask_file)
    np.testing.assert_array_equal(voxels(path), labels() * 2 + 1)
    np.testing.assert_array_equal(read_mask(path).mask.array, mask_file.mask.array)


def test_affine_and_codes_are_kept_also_when_they_disagree(tmp_path):
    path = write_nifti(tmp_path / "m.nii.gz", labels())
    image = nib.load(path)
    image.header.set_qform(affine_for("RAS", SHAPE), 1)
    image.header.set_sform(affine_for("LPI", SHAPE), 2)
    image.to_filename(path)
    before = nib.load(path).header
    save(path, read_mask(path))
    after = nib.load(path).header
    for form in ("qform", "sform"):
        old, new = (getattr(header, f"get_{form}")(coded=True) for header in (before, after))
        np.testing.assert_array_equal(old[0], new[0])
        assert old[1] == new[1]


def test_four_dimensions_of_one_are_kept(tmp_path):
    path = write_nifti(tmp_path / "m.nii.gz", labels((5, 7, 4, 1)))
    save(path, read_mask(path))
    assert nib.load(path).shape == (5, 7, 4, 1)


def test_equal_masks_are_equal_files(tmp_path):
    """Nothing of the clock or of the file's name goes into the bytes."""
    path = write_nifti(tmp_path / "m.nii.gz", labels())
    mask_file = read_mask(path)
    save(path, mask_file)
    first = path.read_bytes()
    save(tmp_path / "other.nii.gz", mask_file, expected=None)
    assert (tmp_path / "other.nii.gz").read_bytes() == first


def test_slabs_do_not_show_in_the_file(tmp_path):
    shape = (300, 200, 150)
    path = write_nifti(tmp_path / "m.nii.gz", labels(shape), affine_for("RAS", shape))
    save(path, read_mask(path))
    np.testing.assert_array_equal(voxels(path), labels(shape))


def test_edited_mask(tmp_path):
    path = write_nifti(tmp_path / "m.nii.gz", labels(), affine_for("RAS", SHAPE))
    mask_file = read_mask(path)
    box = Box((0, 0, 0), (1, 2, 2))
    before = mask_file.mask.array[box.slices].copy()
    mask_file.mask.apply(Patch.between(mask_file.mask.name, box, before, before + 1))
    fingerprint = save(path, mask_file)
    assert fingerprint == Fingerprint.of(path)
    expected = labels()
    expected[-2:, -2:, 0] += 1  # canonical i and j run against the file's
    np.testing.assert_array_equal(voxels(path), expected)


def test_array_of_another_grid_is_a_bug(tmp_path):
    mask_file = read_mask(write_nifti(tmp_path / "m.nii.gz", labels()))
    with pytest.raises(ValueError, match="is not that of mask"):
        encode_mask(np.zeros((1, 2, 3), np.uint8), mask_file, is_gzip=True)


# New masks


@pytest.mark.parametrize("codes", ORIENTATIONS[::7], ids="".join)
def test_new_mask_lies_on_its_volume(tmp_path, codes):
    affine = affine_for(codes, SHAPE)
    volume = read_volume(write_nifti(tmp_path / "v.nii.gz", random_hu(SHAPE), affine))
    mask_file = new_mask("draft", volume.grid, volume.axis_order, volume)
    assert mask_file.fingerprint is None
    assert not mask_file.mask.array.any()
    array = mask_file.mask.array.copy()
    array[1, 2, 3] = 9
    save(tmp_path / "draft.nii.gz", mask_file, array)
    saved = nib.load(tmp_path / "draft.nii.gz")
    np.testing.assert_allclose(saved.affine, affine, atol=1e-4)
    assert saved.shape == SHAPE
    assert saved.header["sform_code"] == saved.header["qform_code"] == 1
    assert saved.header.get_xyzt_units()[0] == "mm"
    reread = read_mask(tmp_path / "draft.nii.gz").mask
    np.testing.assert_array_equal(reread.array, array)
    assert reread.grid.matches(volume.grid)
    assert reread.axis_order == volume.axis_order


def test_new_mask_like_another(tmp_path):
    path = write_nifti(
        tmp_path / "m.nii.gz", labels(dtype=np.float64), affine_for("PIR", SHAPE), sform_code=4
    )
    like = read_mask(path)
    mask_file = new_mask("copy", like.mask.grid, like.mask.axis_order, like)
    save(tmp_path / "copy.nii.gz", mask_file, like.mask.array.copy())
    saved = nib.load(tmp_path / "copy.nii.gz")
    assert saved.get_data_dtype() == np.uint8
    assert saved.header["sform_code"] == 4
    np.testing.assert_array_equal(saved.affine, nib.load(path).affine)
    np.testing.assert_array_equal(voxels(tmp_path / "copy.nii.gz"), labels())
    other = read_mask(write_nifti(tmp_path / "o.nii.gz", labels()))
    with pytest.raises(ValueError, match="another grid"):
        new_mask("x", other.mask.grid, other.mask.axis_order, like)


# Saving


def test_saving_again_and_again(tmp_path):
    path = write_nifti(tmp_path / "m.nii.gz", labels())
    mask_file = read_mask(path)
    fingerprint = mask_file.fingerprint
    for label in range(10, 18):
        array = mask_file.mask.array.copy()
        array[0, 0, 0] = label
        fingerprint = save(path, mask_file, array, fingerprint)
    assert read_mask(path).mask.array[0, 0, 0] == 17
    kept = sorted((tmp_path / "backups").iterdir())
    assert [read_mask(backup).mask.array[0, 0, 0] for backup in kept] == [12, 13, 14, 15, 16]


def test_a_file_that_changed_is_never_overwritten(tmp_path):
    path = write_nifti(tmp_path / "m.nii.gz", labels())
    mask_file = read_mask(path)
    theirs = write_nifti(path, labels(seed=1)).read_bytes()
    with pytest.raises(ConflictError, match="somebody else changed the file"):
        save(path, mask_file)
    assert path.read_bytes() == theirs
    save(tmp_path / "copy.nii.gz", mask_file, expected=None)
    np.testing.assert_array_equal(voxels(tmp_path / "copy.nii.gz"), labels())
    with pytest.raises(ConflictError, match="there already"):
        save(path, mask_file, expected=None)


def test_only_nifti_is_written(tmp_path):
    mask_file = read_mask(write_nifti(tmp_path / "m.nii.gz", labels()))
    with pytest.raises(SaveError, match="written as"):
        save(tmp_path / "m.nrrd", mask_file, expected=None)


def test_killed_while_saving_leaves_one_whole_mask(tmp_path):
    path = tmp_path / "m.nii.gz"
    old = write_nifti(path, labels()).read_bytes()
    mask_file = read_mask(path)
    new = np.full(mask_file.mask.array.shape, 3, np.uint8)
    seen = set()
    for calls in range(100):
        path.write_bytes(old)
        died = killed_after(calls, lambda: save(path, mask_file, new))
        array = read_mask(path).mask.array
        is_new = np.array_equal(array, new)
        assert is_new or np.array_equal(array, mask_file.mask.array)
        seen.add((died, is_new))
        if not died:
            break
    assert seen == {(True, False), (True, True), (False, True)}


def test_full_disk_and_retry(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "m.nii"
        write_nifti(path, labels((40, 40, 40)))
        mask_file = read_mask(path)
        (disk / "filler").write_bytes(os.urandom(150_000))
        with pytest.raises(SaveError, match=r"^m\.nii was not saved: the disk is full\.$"):
            save(path, mask_file, np.ones((40, 40, 40), np.uint8))
        np.testing.assert_array_equal(voxels(path), labels((40, 40, 40)))
        (disk / "filler").unlink()
        save(path, mask_file, np.ones((40, 40, 40), np.uint8))
        assert np.all(voxels(path) == 1)


def test_gzip_by_the_name_of_the_target(tmp_path):
    plain = write_nifti(tmp_path / "m.nii", labels())
    mislabelled = tmp_path / "m.nii.gz"
    mislabelled.write_bytes(plain.read_bytes())
    mask_file = read_mask(mislabelled)
    assert "is not compressed" in mask_file.notes[0]
    save(mislabelled, mask_file)
    assert gzip.decompress(mislabelled.read_bytes()) == plain.read_bytes()


def test_file_without_offset_gets_one(tmp_path):
    path = write_nifti(tmp_path / "m.nii", labels())
    change_header(path, vox_offset=0)
    save(path, read_mask(path))
    np.testing.assert_array_equal(voxels(path), labels())
