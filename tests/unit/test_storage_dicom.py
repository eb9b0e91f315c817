"""DICOM: a tree of files becomes series, a series becomes a volume or a sentence."""

from __future__ import annotations

import copy
import logging
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from labeler.storage import dicom_slices
from labeler.storage.dicom import scan_dicom, series_of_file
from labeler.storage.errors import ImageError
from labeler.storage.images import read_header, read_volume
from tests.unit.dicom_files import (
    AXIAL,
    ct_slice,
    describe_pixels,
    hu_of,
    multiframe,
    save,
    write_series,
)
from tests.unit.storage_files import Progress


def only(folder: Path):
    """The one series of a folder in which everything can be read."""
    scan = scan_dicom(folder)
    assert scan.problems == ()
    (series,) = scan.series
    return series


def problem_of(folder: Path) -> str:
    """Why the one series of a folder is no volume; reading it says the same."""
    series = only(folder)
    assert series.problem is not None
    for read in (read_header, read_volume):
        with pytest.raises(ImageError) as caught:
            read(series)
        assert str(caught.value) == series.problem
    return series.problem


def refusal(source) -> str:
    with pytest.raises(ImageError) as caught:
        read_volume(source)
    return str(caught.value)


# Volumes


def test_series_becomes_a_volume_sorted_by_place(tmp_path):
    hu = hu_of(5)
    write_series(tmp_path / "a", hu)
    series = only(tmp_path)
    volume, header = read_volume(series), read_header(series)
    np.testing.assert_array_equal(volume.array, hu)
    assert volume.array.dtype == np.int16
    assert volume.grid.spacing_mm == pytest.approx((0.7, 0.9, 2.0))
    assert header.shape_ijk == series.shape_ijk == (8, 6, 5)
    # LPS (-20, -30, 0) of the first pixel is RAS (20, 30, 0)
    np.testing.assert_allclose(volume.grid.to_ras((0, 0, 0)), (20, 30, 0))
    assert header.grid.matches(volume.grid)
    assert (series.title, series.modality, series.kind) == ("3 Abdomen PV 2.0", "CT", "volume")
    assert series.folder == tmp_path / "a"


def test_simpleitk_places_it_alike(tmp_path):
    paths = write_series(tmp_path, hu_of(4), start_mm=-100)
    image = sitk.ReadImage([str(path) for path in paths])
    volume = read_volume(only(tmp_path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.array)
    lps = np.array(image.TransformIndexToPhysicalPoint((1, 2, 3)))
    np.testing.assert_allclose(volume.grid.to_ras((1, 2, 3)), lps * (-1, -1, 1))


@pytest.mark.parametrize(
    ("direction", "normal"),
    [
        (AXIAL, (0, 0, 1)),
        ([-1, 0, 0, 0, -1, 0], (0, 0, 1)),  # prone
        ([1, 0, 0, 0, 0, -1], (0, 1, 0)),  # coronal
        ([0, 1, 0, 0, 0, -1], (-1, 0, 0)),  # sagittal
        ([0, 1, 0, 1, 0, 0], (0, 0, -1)),  # turned by a quarter and mirrored
    ],
)
def test_any_direction_becomes_canonical(tmp_path, direction, normal):
    hu = hu_of(4)
    for number, plane in enumerate(hu):
        position = np.array(normal) * 3.0 * number
        dataset = ct_slice((plane + 1024).astype(np.uint16), position)
        dataset.ImageOrientationPatient = direction
        save(dataset, tmp_path / f"{number}")
    volume = read_volume(only(tmp_path))
    number, row, column = 2, 1, 5
    lps = (
        np.array(normal) * 3.0 * number
        + np.array(direction[:3]) * 0.7 * column
        + np.array(direction[3:]) * 0.9 * row
    )
    assert volume.value_at(lps * (-1, -1, 1)) == hu[number, row, column]
    axes = volume.grid.affine[:3, :3] / volume.grid.spacing_mm
    np.testing.assert_allclose(axes, np.diag([-1, -1, 1]), atol=1e-6)


def test_rescaling_differs_from_slice_to_slice(tmp_path):
    for number, (slope, inter) in enumerate([(1, -1024), (2, -1000), (0.5, 0)]):
        dataset = ct_slice(np.full((6, 8), 100, np.uint16), (0, 0, number))
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, inter
        save(dataset, tmp_path / f"{number}")
    volume = read_volume(only(tmp_path))
    assert volume.array[:, 0, 0].tolist() == [-924, -800, 50]


def test_slices_of_one_grey_with_an_odd_slope(tmp_path):
    """Fractions in a narrow range look normalized in other formats; DICOM says what they are."""
    for number in range(2):
        dataset = ct_slice(np.full((6, 8), 3, np.uint16), (0, 0, number))
        dataset.RescaleSlope = f"1.000244{number}"
        save(dataset, tmp_path / f"{number}")
    assert np.all(read_volume(only(tmp_path)).array == -1021)


def test_zero_padded_decimals_and_missing_rescaling(tmp_path):
    dataset = ct_slice(np.full((6, 8), 7, np.int16), RescaleSlope=None, RescaleIntercept=None)
    dataset.PixelSpacing = ["007.421875e-01", "007.421875e-01"]
    save(dataset, tmp_path / "a")
    volume = read_volume(only(tmp_path))
    assert np.all(volume.array == 7)
    assert volume.grid.spacing_mm == pytest.approx((0.7421875, 0.7421875, 2))


def test_one_slice_is_a_volume_as_thick_as_it_says(tmp_path):
    write_series(tmp_path, hu_of(1), SliceThickness=5)
    assert read_volume(only(tmp_path)).grid.spacing_mm[2] == pytest.approx(5)


def test_padding_outside_int16_becomes_air(tmp_path):
    stored = np.full((6, 8), 1100, np.uint16)
    stored[0] = 63536
    save(ct_slice(stored, PixelPaddingValue=63536), tmp_path / "a")
    array = read_volume(only(tmp_path)).array[0]
    assert array[0].tolist() == [-1024] * 8
    assert np.all(array[1:] == 76)
    stored[:] = 63536
    save(ct_slice(stored, PixelPaddingValue=63536), tmp_path / "a")
    assert np.all(read_volume(only(tmp_path)).array == -1024)


def test_padding_inside_int16_is_kept(tmp_path):
    stored = np.full((6, 8), -2000, np.int16)
    save(ct_slice(stored, PixelPaddingValue=-2000), tmp_path / "a")
    assert np.all(read_volume(only(tmp_path)).array == -3024)


def test_values_outside_int16_are_refused(tmp_path):
    save(ct_slice(np.full((6, 8), 60000, np.uint16)), tmp_path / "a")
    assert "outside the Hounsfield units" in refusal(only(tmp_path))


def test_progress_and_stopping(tmp_path):
    write_series(tmp_path, hu_of(10))
    series, progress = only(tmp_path), Progress()
    read_volume(series, progress)
    assert progress.fractions == sorted(progress.fractions)
    assert progress.fractions[-1] == 1
    with pytest.raises(Progress.Stopped):
        read_volume(series, Progress(stop_at=5))
    with pytest.raises(Progress.Stopped):
        scan_dicom(tmp_path, Progress(stop_at=5))


# Transfer syntaxes


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
    ids=["implicit", "big endian", "deflated"],
)
def test_plain_syntaxes(tmp_path, syntax):
    hu = hu_of(3)
    for number, plane in enumerate(hu):
        dataset = ct_slice((plane + 1024).astype(np.uint16), (0, 0, number))
        dataset.file_meta.TransferSyntaxUID = syntax
        save(dataset, tmp_path / f"{number}")
    np.testing.assert_array_equal(read_volume(only(tmp_path)).array, hu)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless], ids=["rle", "jpeg 2000"])
def test_packed_syntaxes(tmp_path, syntax):
    hu = hu_of(3, rows=64, columns=48)
    for number, plane in enumerate(hu):
        dataset = ct_slice((plane + 1024).astype(np.uint16), (0, 0, number))
        dataset.compress(syntax, generate_instance_uid=False)
        save(dataset, tmp_path / f"{number}")
    np.testing.assert_array_equal(read_volume(only(tmp_path)).array, hu)


def test_files_without_preamble(tmp_path):
    hu = hu_of(2)
    for path in write_series(tmp_path, hu):
        data = path.read_bytes()
        path.write_bytes(data[132:])
    np.testing.assert_array_equal(read_volume(only(tmp_path)).array, hu)


def test_a_deflated_bomb_is_not_unpacked(tmp_path, monkeypatch):
    dataset = ct_slice(np.zeros((6, 8), np.uint16))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = save(dataset, tmp_path / "bomb.dcm")
    assert series_of_file(path).kind == "volume"
    data = path.read_bytes()
    # preamble, magic, the element that tells the length of the file meta group, and that group
    head = 132 + 12 + int.from_bytes(data[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    path.write_bytes(data[:head] + packer.compress(bytes(3 * 10**6)) + packer.flush())
    monkeypatch.setattr(dicom_slices, "_MAX_INFLATED_BYTES", 10**6)
    assert "bomb.dcm is refused: it unpacks to more than 1 GB." in refusal(path)


# Which slices belong together


def test_several_series_in_one_folder(tmp_path):
    one, two = hu_of(3, seed=1), hu_of(4, seed=2)
    write_series(tmp_path, one, uid="1.1", SeriesNumber=1)
    write_series(tmp_path, two, uid="1.2", SeriesNumber=2)
    (tmp_path / "readme.txt").write_text("not DICOM")
    os.mkfifo(tmp_path / "pipe")
    scan = scan_dicom(tmp_path)
    assert [series.series_number for series in scan.series] == [1, 2]
    for series, hu in zip(scan.series, (one, two), strict=True):
        np.testing.assert_array_equal(read_volume(series).array, hu)


def test_one_series_over_several_folders(tmp_path):
    hu = hu_of(4)
    paths = write_series(tmp_path / "a", hu)
    (tmp_path / "b").mkdir()
    for path in paths[:2]:
        path.rename(tmp_path / "b" / path.name)
    series = only(tmp_path)
    assert series.folder == tmp_path
    np.testing.assert_array_equal(read_volume(series).array, hu)


def test_copies_of_a_file_count_once(tmp_path):
    hu = hu_of(3)
    write_series(tmp_path / "a", hu)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    np.testing.assert_array_equal(read_volume(only(tmp_path)).array, hu)


@pytest.mark.parametrize(
    "tag", ["AcquisitionNumber", "TemporalPositionIdentifier", "EchoNumbers", None]
)
def test_contrast_phases_within_one_series_become_parts(tmp_path, tag):
    phases = [hu_of(3, seed=seed) for seed in range(3)]
    for number, hu in enumerate(phases, 1):
        write_series(tmp_path, hu, **({tag: number} if tag else {}))
    scan = scan_dicom(tmp_path)
    assert [series.part for series in scan.series] == [1, 2, 3]
    assert scan.series[0].title == "3 Abdomen PV 2.0 (1)"
    for series, hu in zip(scan.series, phases, strict=True):
        np.testing.assert_array_equal(read_volume(series).array, hu)


def test_acquisitions_one_after_the_other_stay_one_volume(tmp_path):
    hu = hu_of(6)
    write_series(tmp_path, hu[:3], AcquisitionNumber=1)
    write_series(tmp_path, hu[3:], AcquisitionNumber=2, start_mm=6)
    np.testing.assert_array_equal(read_volume(only(tmp_path)).array, hu)


def test_localizers_and_other_directions_are_left_apart(tmp_path):
    hu = hu_of(3)
    write_series(tmp_path, hu)
    write_series(tmp_path, hu_of(1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_series(tmp_path, hu_of(1), ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    write_series(tmp_path, hu_of(1, rows=4))
    scan = scan_dicom(tmp_path)
    assert sorted((s.kind, len(s.slices)) for s in scan.series) == [
        ("localizer", 1), ("volume", 1), ("volume", 1), ("volume", 3),
    ]  # fmt: skip
    (volume,) = (series for series in scan.series if len(series.slices) == 3)
    np.testing.assert_array_equal(read_volume(volume).array, hu)
    (localizer,) = (series for series in scan.series if series.kind == "localizer")
    assert "set of localizers" in refusal(localizer)


def test_objects_without_a_picture_are_passed_over(tmp_path):
    write_series(tmp_path, hu_of(2))
    for modality in ("SR", "RTDOSE", "SEG", "US", "PR"):
        path = save(ct_slice(np.zeros((6, 8), np.uint16), Modality=modality), tmp_path / modality)
        assert f"{modality} is a DICOM object of the kind {modality}" in refusal(path)
    assert len(only(tmp_path).slices) == 2


def test_what_the_user_sees_of_a_series(tmp_path, caplog):
    write_series(
        tmp_path, hu_of(2), ContrastBolusAgent="Iomeron 350 ", ContrastBolusRoute="IV",
        AcquisitionDate="20240131", AcquisitionTime="101530.5",
    )  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        series = only(tmp_path)
    assert series.contrast == "Iomeron 350, IV"
    assert series.acquired == "20240131101530"
    assert series.patient_id == "4711"
    everything = repr(series) + series.title + caplog.text
    assert "DOE" not in everything
    assert "4711" not in everything


# Stacks that are no volume


def test_gantry_tilt(tmp_path):
    tilt = np.radians(18.5)
    for number in range(4):
        dataset = ct_slice(np.zeros((6, 8), np.uint16), (0, 0, 4 * number))
        dataset.ImageOrientationPatient = [1, 0, 0, 0, np.cos(tilt), np.sin(tilt)]
        save(dataset, tmp_path / f"{number}")
    assert problem_of(tmp_path) == (
        f"Series '3 Abdomen PV 2.0' in {tmp_path.name} cannot be shown as a volume: "
        "the gantry was tilted by 18.5 degrees."
    )


def test_tilt_that_no_eye_sees_is_shown(tmp_path):
    tilt = np.radians(0.5)
    for number in range(4):
        dataset = ct_slice(np.zeros((6, 8), np.uint16), (0, 0, 4 * number))
        dataset.ImageOrientationPatient = [1, 0, 0, 0, np.cos(tilt), np.sin(tilt)]
        save(dataset, tmp_path / f"{number}")
    assert read_volume(only(tmp_path)).array.shape == (4, 6, 8)


def test_missing_slices(tmp_path):
    write_series(tmp_path, hu_of(6), places=[0, 1, 2, 4, 5, 8])
    assert problem_of(tmp_path).endswith(
        "3 slices are missing, the widest gap being 6 mm instead of 2 mm (after 10.0 mm)."
    )


def test_uneven_spacing(tmp_path):
    write_series(tmp_path, hu_of(5), places=[0, 1, 2, 3.6, 4.7])
    assert problem_of(tmp_path).endswith("the distance of its slices varies from 2 to 3.2 mm.")


def test_rounded_positions_are_even_enough(tmp_path):
    hu = hu_of(40)
    for number, plane in enumerate(hu):
        position = (0, 0, round(number * 0.625, 1))
        save(ct_slice((plane + 1024).astype(np.uint16), position), tmp_path / f"{number}")
    volume = read_volume(only(tmp_path))
    np.testing.assert_array_equal(volume.array, hu)
    assert volume.grid.spacing_mm[2] == pytest.approx(0.625, abs=0.002)


def test_slices_at_the_same_place(tmp_path):
    write_series(tmp_path / "all", hu_of(3), places=[1, 1, 1])
    assert problem_of(tmp_path / "all").endswith("all its 3 slices lie at the same place.")
    write_series(tmp_path / "two", hu_of(4), places=[0, 1, 1, 2])
    assert problem_of(tmp_path / "two").endswith(
        "several of its slices lie at the same place (at 2.0 mm)."
    )


def test_slices_shifted_sideways(tmp_path):
    for number in range(5):
        position = (3.0 if number == 2 else 0.0, 0, number)
        save(ct_slice(np.zeros((6, 8), np.uint16), position), tmp_path / f"{number}")
    assert "shifted sideways against each other by up to 3.0 mm" in problem_of(tmp_path)


@pytest.mark.parametrize(
    "missing", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"]
)
def test_slices_that_do_not_say_where_they_are(tmp_path, missing):
    write_series(tmp_path, hu_of(3), **{missing: None})
    assert "say nothing of their place" in problem_of(tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
        {"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]},
        {"ImageOrientationPatient": [1, 0, 0, 0.5, 0.9, 0]},
        {"PixelSpacing": [0, 0]},
    ],
)
def test_impossible_geometry(tmp_path, fields):
    write_series(tmp_path, hu_of(3), **fields)
    assert "cannot be shown as a volume" in problem_of(tmp_path)


# Files that are broken


def test_broken_files_are_named_and_the_rest_is_usable(tmp_path):
    hu = hu_of(3)
    paths = write_series(tmp_path, hu)
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(paths[0].read_bytes()[:300])
    scan = scan_dicom(tmp_path)
    assert len(scan.series) == 1
    np.testing.assert_array_equal(read_volume(scan.series[0]).array, hu)


def test_truncated_pixels(tmp_path):
    paths = write_series(tmp_path, hu_of(3))
    paths[1].write_bytes(paths[1].read_bytes()[:-40])
    sentence = refusal(only(tmp_path))
    assert paths[1].name in sentence
    assert "is truncated" in sentence


def test_no_pixels_at_all(tmp_path):
    save(ct_slice(np.zeros((6, 8), np.uint16), PixelData=None), tmp_path / "a")
    assert "holds no pixels" in refusal(only(tmp_path))


def test_damaged_packed_pixels(tmp_path):
    for number in range(2):
        dataset = ct_slice(np.zeros((64, 48), np.uint16), (0, 0, number))
        dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
        path = save(dataset, tmp_path / f"{number}")
    data = path.read_bytes()
    assert b"\xff\x4f\xff\x51" in data  # what a JPEG 2000 stream begins with
    path.write_bytes(data.replace(b"\xff\x4f\xff\x51", b"\xff\x4f\xff\x99"))
    assert "1 is damaged: its pixels cannot be unpacked" in refusal(only(tmp_path))


def test_series_that_changed_since_it_was_found(tmp_path):
    paths = write_series(tmp_path, hu_of(3))
    series = only(tmp_path)
    save(ct_slice(np.zeros((3, 3), np.uint16)), paths[0])
    assert "no longer the slice that was found" in refusal(series)
    paths[0].unlink()
    assert f"{paths[0].name} cannot be read: it is not there." in refusal(series)


def test_colours_and_bad_rescaling(tmp_path):
    path = save(
        ct_slice(np.zeros((6, 8), np.uint16), PhotometricInterpretation="RGB"), tmp_path / "a"
    )
    assert "holds colours" in refusal(path)
    path = save(ct_slice(np.zeros((6, 8), np.uint16), RescaleSlope=0), tmp_path / "a")
    assert "its rescaling makes no values" in refusal(path)


def test_too_many_frames_are_refused(tmp_path):
    dataset = multiframe(hu_of(2))
    dataset.NumberOfFrames = 2_000_000_000
    assert "is damaged" in refusal(save(dataset, tmp_path / "a.dcm"))


def test_unknown_transfer_syntax(tmp_path):
    path = save(ct_slice(np.zeros((6, 8), np.uint16)), tmp_path / "a.dcm")
    data = path.read_bytes()
    for uid in (b"1.2.840.10008.1.2.7", b"1.2.840.10008.1.9.9", b"9.9.999.99999.9.9.9"):
        path.write_bytes(data.replace(b"1.2.840.10008.1.2.1\0", uid + b"\0", 1))
        assert "a.dcm is damaged" in refusal(path)


@given(st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=12))
def test_changed_bytes_end_in_a_volume_or_a_sentence(changes):
    folder = Path(os.environ["CT_LABELER_LOCAL_DIR"])
    path = save(ct_slice(np.zeros((6, 8), np.uint16), SOPInstanceUID="1.2.3.4"), folder / "a.dcm")
    data = bytearray(path.read_bytes())
    for part, value in changes:
        data[132 + int(part * (len(data) - 132))] = value
    path.write_bytes(bytes(data))
    for series in scan_dicom(folder).series:
        try:
            array = read_volume(series).array
        except ImageError:
            continue
        assert array.size > 0


def test_missing_folder(tmp_path):
    scan = scan_dicom(tmp_path / "missing")
    assert scan.series == ()
    assert scan.problems == ("The folder missing cannot be read.",)


def test_a_thousand_problems_are_counted(tmp_path, monkeypatch):
    for number in range(30):
        (tmp_path / f"{number}").write_bytes(bytes(128) + b"DICM" + b"\xff" * 200)

    def broken(path):
        raise ImageError(f"{path.name} is broken.")

    monkeypatch.setattr(dicom_slices, "read_slices", broken)
    problems = scan_dicom(tmp_path).problems
    assert len(problems) == 21
    assert problems[-1] == f"10 more files in {tmp_path.name} cannot be read."


# Multi-frame


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2)])
def test_enhanced_ct(tmp_path, order):
    hu = hu_of(4)
    path = save(multiframe(hu, order=order), tmp_path / "a.dcm")
    for source in (path, only(tmp_path)):
        volume = read_volume(source)
        np.testing.assert_array_equal(volume.array, hu)
        assert volume.grid.spacing_mm == pytest.approx((0.7, 0.9, 2.0))


def test_enhanced_ct_with_rescaling_of_each_frame(tmp_path):
    hu = hu_of(3)
    dataset = multiframe(hu)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    rescale = shared.PixelValueTransformationSequence
    del shared.PixelValueTransformationSequence
    for number, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        group.PixelValueTransformationSequence = copy.deepcopy(rescale)
        group.PixelValueTransformationSequence[0].RescaleIntercept = -1024 - number
    save(dataset, tmp_path / "a.dcm")
    expected = hu - np.arange(3).reshape(3, 1, 1)
    np.testing.assert_array_equal(read_volume(only(tmp_path)).array, expected)


def test_frames_without_a_place_are_passed_over(tmp_path):
    dataset = ct_slice(np.zeros((3, 6, 8), np.uint16), NumberOfFrames=3)
    path = save(dataset, tmp_path / "a.dcm")
    assert scan_dicom(tmp_path).series == ()
    assert "cannot be shown" in refusal(path)


# Films


def film(pixels, **fields):
    dataset = ct_slice(
        pixels, Modality="DX", ImagePositionPatient=None, ImageOrientationPatient=None,
        SliceThickness=None, RescaleSlope=None, RescaleIntercept=None, **fields,
    )  # fmt: skip
    describe_pixels(dataset, pixels)
    for name, value in fields.items():
        if value is not None:
            setattr(dataset, name, value)
    return dataset


def test_films_are_bright_where_dense(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4096, (6, 8)).astype(np.uint16)
    save(film(pixels, BitsStored=12), tmp_path / "a.dcm")
    save(film(pixels, BitsStored=12, PhotometricInterpretation="MONOCHROME1"), tmp_path / "b.dcm")
    first, second = scan_dicom(tmp_path).series
    assert first.kind == second.kind == "film"
    volume = read_volume(first)
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array[0], pixels)
    assert volume.grid.spacing_mm == pytest.approx((0.7, 0.9, 1.0))
    np.testing.assert_array_equal(read_volume(second).array[0], 4095.0 - pixels)


def test_pixel_size_of_films(tmp_path):
    pixels = np.zeros((6, 8), np.uint16)
    path = save(film(pixels, PixelSpacing=None, ImagerPixelSpacing=[0.2, 0.1]), tmp_path / "a")
    assert read_header(path).spacing_mm == pytest.approx((0.1, 0.2, 1.0))
    path = save(film(pixels, PixelSpacing=None), tmp_path / "a")
    header = read_header(path)
    assert header.is_film
    assert header.spacing_mm == (1, 1, 1)
    assert header.notes == ("a says nothing of its pixel size; 1 mm is assumed.",)
