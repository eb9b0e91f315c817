"""Real scans, ordinary and odd ones: voxels as other readers see them, or the right sentence."""

from __future__ import annotations

import itertools
import tarfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from labeler.core.volume import Volume
from labeler.storage.cache import VolumeCache
from labeler.storage.dicom import DicomScan, scan_dicom, series_of_file
from labeler.storage.errors import ImageError
from labeler.storage.images import read_header, read_volume
from labeler.storage.masks import read_mask, save_mask

pytestmark = pytest.mark.real

Unpack = Callable[[str], Path]


@pytest.fixture(scope="module")
def unpack(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Unpack:
    """Unpacks an archive, each once."""
    folders: dict[str, Path] = {}

    def unpack(name: str) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("real")
            with tarfile.open(real_data / f"{name}.tar.xz") as archive:
                archive.extractall(folders[name], filter="data")
        return folders[name]

    return unpack


def scan(folder: Path) -> DicomScan:
    found = scan_dicom(folder)
    assert found.problems == ()
    return found


def refusal(source: object) -> str:
    with pytest.raises(ImageError) as caught:
        read_volume(source)  # type: ignore[arg-type]
    return str(caught.value)


def assert_as_simpleitk(volume: Volume, image: sitk.Image) -> None:
    """Every voxel (rounded), and where the corners lie, as SimpleITK has them in its own axes."""
    order = volume.axis_order
    in_file_order = order.to_file(volume.array).transpose(2, 1, 0)
    np.testing.assert_array_equal(in_file_order, np.rint(sitk.GetArrayViewFromImage(image)))
    assert image.GetSize() == order.file_shape_ijk
    i, j, k = (n - 1 for n in volume.grid.shape_ijk)
    for corner in itertools.product((0, i), (0, j), (0, k)):
        lps = image.TransformIndexToPhysicalPoint(order.to_file_ijk(corner))
        np.testing.assert_allclose(
            volume.grid.to_ras(corner), np.array(lps) * (-1, -1, 1), atol=0.02
        )


# Ordinary scans


@pytest.mark.parametrize(
    ("archive", "shape_ijk", "spacing_mm", "hu"),
    [
        ("3dircadb1-17_image_dicom", (512, 512, 119), (0.743, 0.743, 1.6), (-1024, 1023)),
        ("ACRIN-FLT-Breast_001_visit1_dicom", (512, 512, 99), (0.977, 0.977, 4.25), (-3024, 1288)),
        ("CRLM-CT-1004_dicom", (512, 512, 41), (0.797, 0.797, 5.0), (-3024, 1377)),
    ],
)  # fmt: skip
def test_ct_series(unpack, archive, shape_ijk, spacing_mm, hu):
    (series,) = scan(unpack(f"ct/{archive}")).series
    assert (series.kind, series.modality, series.problem) == ("volume", "CT", None)
    volume = read_volume(series)
    assert volume.grid.shape_ijk == series.shape_ijk == shape_ijk
    assert volume.grid.spacing_mm == pytest.approx(spacing_mm, abs=0.001)
    assert (volume.array.min(), volume.array.max()) == hu
    assert volume.notes == ()
    image = sitk.ReadImage([str(path) for path in series.paths])
    assert_as_simpleitk(volume, image)


def test_masks_stored_as_dicom_lie_on_their_scan(unpack):
    (scanned,) = scan(unpack("ct/3dircadb1-17_image_dicom")).series
    masks = {s.folder.name: s for s in scan(unpack("ct/3dircadb1-17_masks_dicom")).series}
    assert sorted(masks) == [
        "artery", "bone", "liver", "livertumor1", "livertumor2", "portalvein", "skin",
        "venoussystem",
    ]  # fmt: skip
    ct, liver = read_volume(scanned), read_volume(masks["liver"])
    assert liver.grid.matches(ct.grid)
    inside = liver.array > 0
    assert inside.sum() * ct.grid.voxel_ml == pytest.approx(1860.6, abs=1)
    assert ct.array[inside].mean() == pytest.approx(99, abs=1)


def test_float_nifti_with_a_label_map(unpack):
    folder = unpack("ct/lidc-idri-0001_ct_and_89labels") / "lidc-idri-0001"
    ct = read_volume(folder / "cxr.nii")
    labels = read_mask(folder / "mask.nii.gz")
    assert ct.array.dtype == np.int16
    assert (ct.array.min(), ct.array.max()) == (-2048, 3071)
    assert labels.mask.grid.matches(ct.grid)
    assert len(np.unique(labels.mask.array)) == 90
    assert_as_simpleitk(ct, sitk.ReadImage(str(folder / "cxr.nii")))


@pytest.mark.parametrize("name", ["sub-ct_label-22_ct", "sub-verse005_ct", "sub-verse007_ct"])
def test_nifti_in_other_directions(real_data, name):
    path = real_data / "vertebra" / f"{name}.nii.gz"
    volume = read_volume(path)
    assert nib.aff2axcodes(nib.load(path).affine) == ("P", "I", "R")
    assert_as_simpleitk(volume, sitk.ReadImage(str(path)))
    assert read_header(path).grid.matches(volume.grid)


@pytest.mark.parametrize(
    ("name", "dtype", "labels"),
    [
        ("vertebra/sub-verse004_seg-vert_msk", np.float64, range(16, 25)),
        ("vertebra/sub-verse005_seg-vert_msk", np.uint8, range(20, 25)),
        ("vertebra/sub-verse007_seg-vert_msk", np.uint8, range(16, 23)),
        ("vertebra/sub-ct_seg-vert_label-22_msk", np.uint8, range(21, 24)),
        ("vertebra/sub-ct_seg-subreg_label-22_msk", np.uint8, None),
        ("anatomy/cptac_pda_C3N00249_labels", np.uint8, None),
        ("anatomy/hubmap_VH_F_labels", np.uint8, None),
        ("anatomy/hubmap_VH_M_labels", np.uint8, None),
    ],
)
def test_masks_are_written_back_as_they_were(real_data, tmp_path, name, dtype, labels):
    path, copy = real_data / f"{name}.nii.gz", tmp_path / "copy.nii.gz"
    mask_file = read_mask(path)
    if labels is not None:
        assert sorted(set(np.unique(mask_file.mask.array)) - {0}) == list(labels)
    save_mask(copy, mask_file.mask.array.copy(), mask_file, expected_fingerprint=None)
    before, after = nib.load(path), nib.load(copy)
    assert before.get_data_dtype() == after.get_data_dtype() == dtype
    np.testing.assert_array_equal(np.asanyarray(before.dataobj), np.asanyarray(after.dataobj))
    np.testing.assert_array_equal(before.affine, after.affine)
    assert before.header.binaryblock == after.header.binaryblock


def test_label_map_on_the_grid_of_its_scan(real_data):
    ct = read_volume(real_data / "anatomy" / "cptac_pda_C3N00249_ct.nii.gz")
    labels = read_mask(real_data / "anatomy" / "cptac_pda_C3N00249_labels.nii.gz").mask
    assert labels.grid.matches(ct.grid)


def test_cache_of_real_scans(real_data, unpack, tmp_path):
    cache = VolumeCache(tmp_path, 10**10)
    (series,) = scan(unpack("ct/CRLM-CT-1004_dicom")).series
    for source in (real_data / "vertebra" / "sub-verse005_ct.nii.gz", series):
        volume = read_volume(source)
        cache.put(source, volume)
        cached = cache.get(source)
        assert cached is not None
        np.testing.assert_array_equal(cached.array, volume.array)
        np.testing.assert_array_equal(cached.grid.affine, volume.grid.affine)


# Films


def test_png_films(real_data):
    paths = sorted((real_data / "cxr").glob("*.png"))
    assert len(paths) == 13
    for path in paths:
        film = read_volume(path)
        assert film.array.dtype == np.float32
        assert film.array.shape[0] == 1
        assert 0 <= film.array.min() < film.array.max() <= 255


def test_dicom_films_are_bright_where_dense(real_data):
    """The second is the first, relabelled as inverted by its authors."""
    plain = read_volume(real_data / "cxr" / "txv_cr_pa_mono2.dcm")
    inverted = read_volume(real_data / "cxr" / "txv_cr_pa_mono1.dcm")
    assert plain.array.shape == (1, 1024, 1024)
    assert plain.grid.spacing_mm[:2] == pytest.approx((0.168, 0.168))
    np.testing.assert_array_equal(inverted.array, 255 - plain.array)


# Odd ones


def test_gantry_tilt_and_variable_spacing(unpack):
    (series,) = scan(unpack("odd/ge_tilt_variable_spacing")).series
    assert len(series.slices) == 28
    sentence = refusal(series)
    assert "the gantry was tilted by 18.5 degrees" in sentence
    assert "the distance of its slices varies from 1.081 to 6.999 mm" in sentence


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("gantrytilting/001", "the gantry was tilted by 14.0 degrees"),
        ("notavolume/001", "all its 4 slices lie at the same place"),
        ("sliceincrement/001", "1 slice is missing, the widest gap being 10 mm instead of 5 mm"),
        ("sliceincrement/002", "1 slice is missing, the widest gap being"),
    ],
)
def test_stacks_that_are_no_volume(unpack, folder, why):
    root = unpack("odd/dicom2nifti_failing_ct") / "dicom2nifti_failing" / folder
    (series,) = scan(root).series
    assert why in refusal(series)
    with pytest.raises(ImageError):
        read_header(series)


def test_mixed_series_in_one_folder(unpack):
    """13 files: 11 series of one slice each, two of the files being copies."""
    found = scan(unpack("odd/mixed_series_one_folder"))
    assert len(found.series) == 11
    assert len({series.uid for series in found.series}) == 11
    for series in found.series:
        volume = read_volume(series)
        assert volume.array.shape == (1, 512, 512)
        assert volume.array.min() == -1024
        image = sitk.ReadImage(str(series.paths[0]))
        difference = volume.array - sitk.GetArrayViewFromImage(image).astype(np.float64)
        assert np.abs(difference).max() <= 1  # slopes such as 1.0002441 are rounded at the end


@pytest.mark.parametrize("number", ["CT1", "CT2"])
def test_transfer_syntaxes(unpack, number):
    folder = unpack("odd/nema_wg04_ct_transfer_syntaxes") / "nema_wg04_ct"
    plain = read_volume(folder / f"{number}_UNC").array
    for syntax in ("RLE", "JPLL", "JLSL", "J2KR"):
        np.testing.assert_array_equal(read_volume(folder / f"{number}_{syntax}").array, plain)
    for syntax, largest in (("JLSN", 20), ("J2KI", 500)):
        array = read_volume(folder / f"{number}_{syntax}").array
        assert 0 < np.abs(array.astype(int) - plain).max() <= largest
    problems = [series.problem or "" for series in scan(folder).series]
    assert sum("slices lie at the same place" in problem for problem in problems) == 2


def test_multi_frame_and_single_frame_scans_agree(unpack):
    folder = unpack("odd/dcmqi_ct_dicom_seg") / "dcmqi"
    (single,) = scan(folder / "23x38x3" / "image").series
    (multi,) = scan(folder / "23x38x3" / "multiframe").series
    assert (len(single.paths), len(multi.paths)) == (3, 1)
    one, other = read_volume(single), read_volume(multi)
    np.testing.assert_array_equal(one.array, other.array)
    assert one.grid.matches(other.grid)


def test_scan_and_nrrd_masks_and_segmentation_objects(unpack):
    folder = unpack("odd/dcmqi_ct_dicom_seg") / "dcmqi"
    (series,) = scan(folder / "ct-3slice").series
    volume = read_volume(series)
    assert volume.array.shape == (3, 512, 512)
    assert "is a DICOM object of the kind SEG" in refusal(folder / "liver.dcm")
    nrrds = sorted(folder.glob("*.nrrd"))
    assert len(nrrds) == 7
    for path in nrrds:
        assert_as_simpleitk(read_volume(path), sitk.ReadImage(str(path)))


def test_names_in_any_character_set_are_no_obstacle(unpack, caplog):
    folder = unpack("odd/fodicom_charset_names")
    found = scan(folder)
    assert all(series.kind == "film" for series in found.series)
    for path in folder.rglob("*.dcm"):
        sentence = refusal(path)  # none of them has a picture that can be shown
        assert path.name in sentence
    assert "Buc" not in caplog.text
    assert "Yamada" not in caplog.text


PYDICOM_FILES = {
    "CT_small.dcm": (1, 128, 128),
    "eCT_Supplemental.dcm": (2, 512, 512),
    "693_J2KI.dcm": (1, 512, 512),
    "J2K_pixelrep_mismatch.dcm": (1, 512, 512),
    "MR_small_RLE.dcm": (1, 64, 64),
    "MR_small_jpeg_ls_lossless.dcm": (1, 64, 64),
    "MR_truncated.dcm": "is truncated: it holds",
    "rtplan_truncated.dcm": "is a DICOM object of the kind RTPLAN",
    "ExplVR_BigEnd.dcm": "is a DICOM object of the kind US",
    "image_dfl.dcm": "is a DICOM object of the kind OT",
    "badVR.dcm": "is a DICOM object of the kind RTDOSE",
    "empty_charset_LEI.dcm": "no DICOM image",
    "meta_missing_tsyntax.dcm": "no DICOM image",
    "no_meta.dcm": None,
    "ExplVR_LitEndNoMeta.dcm": None,
    "JPEG2000.dcm": "say nothing of their place",
    "JPEG2000-embedded-sequence-delimiter.dcm": "say nothing of their place",
    "JPGExtended.dcm": "say nothing of their place",
}


@pytest.mark.parametrize(("name", "outcome"), PYDICOM_FILES.items(), ids=PYDICOM_FILES)
def test_broken_and_unusual_files(unpack, name, outcome):
    path = unpack("odd/pydicom_test_files") / "pydicom_test" / name
    if isinstance(outcome, tuple):
        assert read_volume(path).array.shape == outcome
        assert series_of_file(path).problem is None
    else:
        assert (outcome or "") in refusal(path)


def test_every_file_of_pydicom_is_listed(unpack):
    folder = unpack("odd/pydicom_test_files") / "pydicom_test"
    names = {path.name for path in folder.iterdir()} - {"README.txt"}
    assert names == set(PYDICOM_FILES)


def test_a_tree_with_everything(unpack):
    """All odd archives at once: nothing is raised, and every series can be read or tells why."""
    folders = [
        unpack(f"odd/{name}")
        for name in ("dicom2nifti_failing_ct", "pydicom_test_files", "dcmqi_ct_dicom_seg")
    ]
    for series in itertools.chain(*(scan_dicom(folder).series for folder in folders)):
        try:
            volume = read_volume(series)
        except ImageError:
            continue
        assert volume.grid.shape_ijk == series.shape_ijk
