"""Real scans through the model side: read as the window reads them, masks back on their voxels."""

import json
import tarfile

import nibabel as nib
import numpy as np
import pytest

from inference import cli
from inference.contract import Image
from inference.grid import body_box, grid_of
from inference.resampling import resample, resample_labels
from inference.volumes import read_source
from labeler.storage.dicom import scan_dicom
from labeler.storage.images import read_volume
from tests.models_on_disk import write_torchscript

pytestmark = pytest.mark.real

ARCHIVES = ("3dircadb1-17_image_dicom", "ACRIN-FLT-Breast_001_visit1_dicom", "CRLM-CT-1004_dicom")


@pytest.fixture(params=ARCHIVES)
def folder(request, real_data, tmp_path):
    with tarfile.open(real_data / "ct" / f"{request.param}.tar.xz") as archive:
        archive.extractall(tmp_path / "dicom", filter="data")
    return tmp_path / "dicom"


def test_the_same_voxels_as_in_the_window_and_a_way_back(folder):
    image = read_source(folder).image
    (series,) = scan_dicom(folder).series
    volume = read_volume(series)
    shown = Image(volume.array, volume.grid.affine)
    np.testing.assert_array_equal(resample(image, grid_of(shown)), shown.array)
    k, j, i = body_box(image)
    assert (image.array[k, j, i] > -300).sum() > 0.9 * (image.array > -300).sum()
    # what is drawn on a fine grid of another orientation lands on its voxels
    labels = (image.array > 100).astype(np.uint8)
    k_mm, j_mm, i_mm = grid_of(image).spacing_kji_mm
    fine = grid_of(image).respaced((k_mm, j_mm / 1.3, i_mm / 1.3)).oriented("RAS")
    there = resample_labels(labels, grid_of(image), fine)
    np.testing.assert_array_equal(resample_labels(there, fine, grid_of(image)), labels)


def test_a_model_runs_on_a_dicom_folder(folder, tmp_path, capsys):
    model = write_torchscript(
        tmp_path / "models" / "dense", spacing_mm=[3.0, 3.0, 3.0], patch=[64, 64, 64]
    )
    arguments = ["run", "dense", f"PV={folder}", "--out", str(tmp_path / "out"), "--json"]
    assert cli.main([*arguments, "--models", str(model), "--device", "cpu"]) == 0
    document = json.loads(capsys.readouterr().out)
    mask = nib.load(document["mask"])
    image = read_source(folder).image
    np.testing.assert_allclose(mask.affine, image.affine_ras, atol=1e-4)
    inside = np.asarray(mask.dataobj).transpose(2, 1, 0)
    assert image.array[inside == 1].mean() > 20
    assert image.array[inside == 0].mean() < -100
