"""``ct-infer models``, ``run`` and ``batch`` on files: what is written, said and refused."""

import csv
import gzip
import json

import nibabel as nib
import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from inference import cli
from inference.cli_run import parse_params
from inference.contract import Card, Parameter
from inference.phases import phase_of
from inference.volumes import find_inputs, read_source
from tests import plugin_models
from tests.models_on_disk import write_torchscript

CPU = ("--device", "cpu")  # "auto" loads torch to look for others
OBLIQUE = np.array([[-0.8, 0.1, 0, 30], [0.1, 0.9, 0.3, -20], [0, -0.2, 2.5, 7], [0, 0, 0, 1]])


def write_nifti(path, seed=0, affine=OBLIQUE, kind=nib.Nifti1Image, dtype=np.int16):
    """Write a CT whose voxels are -80 or 80 HU, with a header that a mask must keep."""
    array = np.random.default_rng(seed).choice([-80, 80], (12, 10, 8)).astype(dtype)
    image = kind(array, affine)
    image.set_sform(affine, code=2)
    image.set_qform(None, code=0)
    image.header["descrip"] = b"Name^Of^Patient"
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return array


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    folder = tmp_path / "plugin"
    folder.mkdir()
    plugin_models.install(folder, monkeypatch)


def run(*arguments):
    return cli.main([str(a) for a in arguments])


def test_a_mask_has_exactly_the_geometry_of_its_image(tmp_path, plugin, capsys):
    array = write_nifti(tmp_path / "ct.nii.gz")
    assert (
        run("run", "threshold", tmp_path / "ct.nii.gz", "--out", tmp_path / "o", *CPU, "--json")
        == 0
    )
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert said.err == ""
    mask, ct = nib.load(document["mask"]), nib.load(tmp_path / "ct.nii.gz")
    np.testing.assert_array_equal(np.asarray(mask.dataobj), array > 0)
    assert mask.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(mask.affine, ct.affine)
    for field in ("sform_code", "qform_code", "pixdim", "srow_x", "srow_y", "srow_z", "quatern_b"):
        np.testing.assert_array_equal(mask.header[field], ct.header[field])
    assert b"Name" not in mask.header["descrip"].tobytes()
    assert {"model", "weights", "device", "seconds", "peak_rss_mb", "mask", "landmarks"} < set(
        document
    )
    assert document["model"] == "threshold"
    assert document["weights"] == "00ff"
    assert document["landmarks"] is None
    assert document["warnings"] == ["nothing names the phase of ct.nii.gz; it is taken as NC"]
    assert json.loads((tmp_path / "o" / "threshold.json").read_text("utf-8")) == document


def test_nifti_2_stays_nifti_2(tmp_path, plugin, capsys):
    write_nifti(tmp_path / "pv.nii", kind=nib.Nifti2Image)
    assert run("run", "threshold", tmp_path / "pv.nii", "--out", tmp_path / "o", *CPU) == 0
    assert isinstance(nib.load(tmp_path / "o" / "threshold.nii.gz"), nib.Nifti2Image)


def test_results_that_are_there_are_kept(tmp_path, plugin, capsys):
    write_nifti(tmp_path / "pv.nii")
    old = tmp_path / "o" / "threshold.nii.gz"
    old.parent.mkdir()
    old.write_bytes(b"corrected by hand")
    command = ("run", "threshold", tmp_path / "pv.nii", "--out", tmp_path / "o", *CPU)
    assert run(*command) == 2
    assert "has results" in capsys.readouterr().err
    assert old.read_bytes() == b"corrected by hand"
    assert run(*command, "--overwrite") == 0
    assert nib.load(old).shape == (12, 10, 8)


def test_phases_are_found_by_name_or_said(tmp_path):
    for name in ("x_arterial.nii.gz", "PortalVenous.nii", "x_DL.nii.gz"):
        write_nifti(tmp_path / "case" / name)
    assert {i.phase: i.path.name for i in find_inputs([str(tmp_path / "case")])} == {
        "ART": "x_arterial.nii.gz",
        "PV": "PortalVenous.nii",
        "DL": "x_DL.nii.gz",
    }
    file = write_nifti(tmp_path / "whatever.nii") is not None and tmp_path / "whatever.nii"
    assert find_inputs([f"nc={file}"])[0].phase == "NC"
    with pytest.raises(ValueError, match="more than one image of DL"):
        find_inputs([str(tmp_path / "case"), f"DL={file}"])
    with pytest.raises(ValueError, match="does not exist"):
        find_inputs(["no-such"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="neither NIfTI"):
        find_inputs([str(tmp_path / "empty")])


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("LV-0001_PV", "PV"),
        ("pre contrast", "NC"),
        ("CT_w/o contrast", "NC"),
        ("late arterial", "ART"),
        ("late_venous", "DL"),
        ("门静脉期", "PV"),
        ("party", None),
        ("case_12", None),
        ("delayed_3min", "DL"),
    ],
)
def test_words_for_phases(name, phase):
    assert phase_of(name) == phase


def write_dicom(folder, slices=6, skip=(), tilt=0.0, description="portal venous", uid=None):
    """Write a CT series; return its HU [k, j, i], from the feet up."""
    rng = np.random.default_rng(0)
    array = rng.integers(-1000, 1000, (slices, 5, 7), dtype=np.int16)
    folder.mkdir(parents=True, exist_ok=True)
    uid = uid or generate_uid()
    for n in set(range(slices)) - set(skip):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        data.Modality, data.SeriesInstanceUID, data.SeriesDescription = "CT", uid, description
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [-100, -50 + tilt * n, 20 + 2.5 * n]
        data.PixelSpacing = [0.7, 0.8]
        data.Rows, data.Columns = 5, 7
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 0
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        data.PixelData = (array[n] + 1024).astype(np.uint16).tobytes()
        data.save_as(folder / f"{(n * 7) % slices:03d}.dcm", enforce_file_format=True)
    return array


def test_a_dicom_folder_is_a_volume_in_the_patient(tmp_path):
    array = write_dicom(tmp_path / "series")
    (tmp_path / "series" / "README.txt").write_text("no DICOM")
    image = read_source(tmp_path / "series").image
    np.testing.assert_array_equal(image.array, array)
    expected = np.diag([-0.8, -0.7, 2.5, 1.0])
    expected[:3, 3] = 100, 50, 20
    np.testing.assert_allclose(image.affine_ras, expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"skip": (2,)}, "unevenly spaced"), ({"tilt": 0.5}, "tilted gantry")],
)
def test_dicom_without_a_regular_grid_is_refused(tmp_path, options, words):
    write_dicom(tmp_path, **options)
    with pytest.raises(ValueError, match=words):
        read_source(tmp_path)


def test_of_several_series_the_larger_one_is_taken_but_never_guessed(tmp_path):
    array = write_dicom(tmp_path / "a")
    write_dicom(tmp_path / "b", slices=2)
    np.testing.assert_array_equal(read_source(tmp_path).image.array, array)
    write_dicom(tmp_path / "c")
    with pytest.raises(ValueError, match="3 series"):
        read_source(tmp_path)


def test_float_voxels_are_rounded_and_scaled_ones_scaled(tmp_path):
    array = write_nifti(tmp_path / "ct.nii.gz", dtype=np.float32)
    np.testing.assert_array_equal(read_source(tmp_path / "ct.nii.gz").image.array.T, array)
    scaled = nib.Nifti1Image(np.full((3, 3, 3), 10, np.int16), np.eye(4))
    scaled.header.set_slope_inter(2, -1000)
    nib.save(scaled, tmp_path / "s.nii")
    values = np.asanyarray(nib.load(tmp_path / "s.nii").dataobj)
    np.testing.assert_array_equal(read_source(tmp_path / "s.nii").image.array, values)


def broken(kind, path):
    write_nifti(path)
    data = gzip.decompress(path.read_bytes())
    nan = np.full((2, 2, 2), np.nan, np.float32)
    if kind == "nan":
        nib.save(nib.Nifti1Image(nan, np.eye(4)), path)
    elif kind == "4-D":
        nib.save(nib.Nifti1Image(np.zeros((2, 2, 2, 3), np.int16), np.eye(4)), path)
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif kind == "short":
        path.write_bytes(gzip.compress(data[:-100]))
    elif kind == "flipped":
        packed = bytearray(path.read_bytes())
        packed[len(packed) // 2] ^= 0xFF
        path.write_bytes(packed)
    else:
        path.write_bytes(b"not an image")


@pytest.mark.parametrize("kind", ["nan", "4-D", "cut", "short", "flipped", "text"])
def test_damaged_images_are_one_sentence_and_exit_2(tmp_path, plugin, capsys, kind):
    path = tmp_path / "ct_pv.nii.gz"
    broken(kind, path)
    assert run("run", "threshold", path, "--out", tmp_path / "o", *CPU) == 2
    said = capsys.readouterr().err
    assert "ct_pv.nii.gz" in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [
        ("killed", 1, "was killed"),
        ("doubting", 2, "this is no liver"),
        ("absent", 2, "cannot be used"),
        ("no-such", 2, "There is no model no-such"),
    ],
)
def test_a_model_that_fails_is_one_sentence_and_writes_nothing(
    tmp_path, plugin, capsys, model, code, words
):
    write_nifti(tmp_path / "pv.nii")
    assert run("run", model, tmp_path / "pv.nii", "--out", tmp_path / "o", *CPU) == code
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "o").exists()


def test_models_are_listed_with_their_keys(tmp_path, plugin, capsys):
    write_torchscript(tmp_path / "m" / "own", id="own-model")
    assert run("models", "--models", tmp_path / "m", "--json") == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    keys = {"id", "family", "available", "problem", "phases", "labels", "licence", "weights"}
    assert all(keys <= set(row) for row in rows.values())
    assert rows["own-model"]["labels"] == {"1": "dense"}
    assert rows["broken"]["available"] is False
    assert run("models", "--models", tmp_path / "m") == 0
    said = capsys.readouterr().out
    assert "licence: CC0" in said
    assert "cannot be used: broken on purpose" in said


def test_parameters_have_the_kinds_of_the_card():
    kinds = (
        Parameter("m", 2.0, "", (1.0, 2.0)),
        Parameter("n", 3, ""),
        Parameter("deep", True, ""),
        Parameter("mode", "a", ""),
    )
    card = Card("x", "external", "X", "1", "", "", parameters=kinds)
    assert parse_params(card, ("m=1", "deep=false", "mode=b=c")) == {
        "m": 1.0,
        "n": 3,
        "deep": False,
        "mode": "b=c",
    }
    for bad in ("m=3", "m=x", "n=1.5", "deep=2", "colour=red", "m"):
        with pytest.raises(Exception, match=r"must be|parameters of x"):
            parse_params(card, (bad,))


def test_a_batch_does_every_case_once_and_says_what_failed(tmp_path, plugin, capsys):
    images, out = tmp_path / "images", tmp_path / "out"
    arrays = {name: write_nifti(images / name / "PV.nii.gz", n) for n, name in enumerate("abc")}
    (images / "=bad").mkdir()
    command = ("batch", "threshold", images, "--out", out, "--workers", 2, "--device", "cpu")
    assert run(*command) == 1
    said = capsys.readouterr()
    assert "1 of 4 cases failed" in said.err
    for name, array in arrays.items():
        mask = nib.load(out / name / "threshold.nii.gz")
        np.testing.assert_array_equal(np.asarray(mask.dataobj), array > 0)
    with (out / "batch.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "'=bad": "failed", "a": "done", "b": "done", "c": "done",
    }  # fmt: skip
    (images / "=bad").rmdir()
    before = (out / "a" / "threshold.nii.gz").stat().st_mtime_ns
    assert run(*command, "--json") == 0
    assert {row["state"] for row in json.loads(capsys.readouterr().out)} == {"there"}
    assert (out / "a" / "threshold.nii.gz").stat().st_mtime_ns == before


def test_a_flat_folder_is_cases_by_name(tmp_path, plugin, capsys):
    for name in ("x_1_PV", "x_1_ART", "y"):
        write_nifti(tmp_path / "flat" / f"{name}.nii.gz")
    out = tmp_path / "out"
    assert run("batch", "threshold", tmp_path / "flat", "--out", out, "--device", "cpu") == 0
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == ["x_1", "y"]
    document = json.loads((out / "x_1" / "threshold.json").read_text("utf-8"))
    assert sorted(document["phases"]) == ["ART", "PV"]
