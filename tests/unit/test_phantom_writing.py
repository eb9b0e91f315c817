"""Example cases on disk: folders, geometry, equal bytes, and the case without delayed phase."""

import csv
import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from inference.phantom import labels
from inference.phantom.writing import ROTATION, write_examples

SPACING_MM = 6.0


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    steps = []
    written = write_examples(
        folder, 3, 7, SPACING_MM, progress=lambda fraction, text: steps.append((fraction, text))
    )
    return folder, written, steps


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_folders_are_those_of_the_manual(examples):
    folder, written, _ = examples
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == {
        *(f"images/LV-000{n}/{p}.nii.gz" for n in (1, 2) for p in ("NC", "ART", "PV", "DL")),
        *(f"images/LV-0003/{p}.nii.gz" for p in ("NC", "ART", "PV")),
        *(f"masks/LV-000{n}/{m}.nii.gz" for n in (1, 2, 3) for m in ("reference", "prediction")),
        "reports/radiology.csv",
        "reports/pathology.csv",
    }
    assert sorted(written) == sorted(p for p in folder.rglob("*") if p.is_file())


def test_report_of_the_incomplete_case_says_so(examples):
    findings = {r["case_id"]: r["findings"] for r in rows(examples[0] / "reports/radiology.csv")
                if r["modality"] == "CT"}  # fmt: skip
    assert "delayed phase was not acquired" in findings["LV-0003"]
    assert "not acquired" not in findings["LV-0001"]


def test_tables_name_the_cases(examples):
    folder = examples[0]
    radiology = rows(folder / "reports/radiology.csv")
    assert {r["case_id"] for r in radiology} == {"LV-0001", "LV-0002", "LV-0003"}
    assert len(radiology) > 3
    assert set(rows(folder / "reports/pathology.csv")[0]) == {
        "case_id", "date", "specimen", "diagnosis",
    }  # fmt: skip


def test_volumes_say_where_they_are(examples):
    folder = examples[0]
    for path in folder.rglob("*.nii.gz"):
        image = nib.load(path)
        assert image.header["sform_code"] == image.header["qform_code"] == 1
        assert np.allclose(image.get_sform(), image.get_qform(), atol=1e-3)
        assert image.header.get_xyzt_units()[0] == "mm"
        assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
        wanted = np.uint8 if "masks" in path.parts else np.int16
        assert image.get_data_dtype() == wanted
    portal = nib.load(folder / "images/LV-0001/PV.nii.gz")
    mask = nib.load(folder / "masks/LV-0001/reference.nii.gz")
    assert portal.shape == mask.shape
    assert np.array_equal(portal.affine, mask.affine)
    assert set(np.unique(np.asanyarray(mask.dataobj))) <= {0, *labels.LABEL_NAMES}


def test_cases_of_a_set_differ(examples):
    assert len(set(ROTATION)) == len(ROTATION) == 8
    masks = [
        nib.load(examples[0] / f"masks/LV-000{n}/reference.nii.gz").get_fdata() for n in (1, 2)
    ]
    assert not np.array_equal(*masks)


def test_same_seed_same_bytes_in_another_process(examples, tmp_path):
    folder = examples[0]
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from inference.phantom.writing import write_examples\n"
        f"write_examples(Path(sys.argv[1]), 3, 7, {SPACING_MM})\n"
    )
    threads = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    import os

    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, env={**os.environ, **threads}
    )
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        assert (tmp_path / path.relative_to(folder)).read_bytes() == path.read_bytes(), path


def test_other_seed_other_bytes(examples, tmp_path):
    write_examples(tmp_path, 1, 8, SPACING_MM)
    name = "images/LV-0001/PV.nii.gz"
    assert (tmp_path / name).read_bytes() != (examples[0] / name).read_bytes()


def test_progress_runs_from_start_to_end(examples):
    fractions = [fraction for fraction, _ in examples[2]]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any("LV-0002" in text for _, text in examples[2])


@pytest.mark.parametrize(
    "arguments", [{"cases": 0}, {"seed": -1}, {"spacing_mm": 99.0}, {"spacing_mm": 0.1}]
)
def test_nonsense_is_refused_before_anything_is_written(tmp_path, arguments):
    with pytest.raises(ValueError, match="must"):
        write_examples(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_examples(tmp_path / "file" / "out", 1, 0, SPACING_MM)


def test_no_window_and_no_network_library_is_loaded():
    code = (
        "import json, sys\n"
        "import inference.phantom.writing\n"
        "print(json.dumps([m for m in sys.modules if m.split('.')[0] in "
        "('torch', 'PyQt5', 'labeler', 'monai', 'vtkmodules', 'SimpleITK', 'pandas')]))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert json.loads(found.stdout) == []
