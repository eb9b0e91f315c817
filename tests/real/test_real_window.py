"""The main job on a real anatomy, and real DICOM in the window."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from PyQt5.QtCore import Qt

from inference.phantom.labels import LESION_LABELS, LIVER
from inference.phantom.writing import write_examples
from labeler.workflows.open_folder import Roots
from tests.scenarios.conftest import User, start, user

__all__ = ["start", "user"]

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def four_phases(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One four-phase case made from LIDC-IDRI-0001."""
    folder = tmp_path_factory.mktemp("lidc")
    with tarfile.open(real_data / "ct" / "lidc-idri-0001_ct_and_89labels.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    scan = folder / "lidc-idri-0001"
    write_examples(
        folder / "cases", cases=1, seed=4, anatomy=(scan / "cxr.nii", scan / "mask.nii.gz")
    )
    return folder / "cases"


def test_main_job_on_a_real_anatomy(user: User, four_phases: Path) -> None:
    user.open(four_phases)
    case_id = user.program.worklist.case_at(0).id
    user.click_case(case_id)
    session = user.session
    assert set(session.volumes) == {"NC", "ART", "PV", "DL"}
    regions = session.regions["reference"].regions.values()
    liver = max((r for r in regions if r.label == LIVER), key=lambda r: r.voxels)
    assert 900 < liver.volume_ml < 1100
    hu = {phase: statistics.mean for phase, statistics in liver.hu.items()}
    assert hu["NC"] < hu["ART"] < hu["PV"] > hu["DL"]
    assert any(region.label in LESION_LABELS for region in regions)
    assert "Radiology" in user.shown_text("reportPanel")

    user.program.ws.selection.set_mask("prediction")
    before = session.masks["prediction"].mask.array.copy()
    user.key(Qt.Key_N)
    user.key(Qt.Key_3)
    center = user.program.ws.views.crosshair_ras.copy()
    user.drag(user.view(2), [center, center + np.array((8.0, 4.0, 0.0))])
    user.wait(user.program.has_settled)
    edited = session.masks["prediction"].mask.array.copy()
    assert (edited != before).any()
    with user.qtbot.waitSignal(user.program.saver.saved, timeout=60_000):
        user.key(Qt.Key_S, Qt.ControlModifier)
    user.program.opener.open(case_id)
    user.wait(lambda: not user.program.opener.is_loading and user.program.has_settled())
    np.testing.assert_array_equal(session.masks["prediction"].mask.array, edited)


def test_real_dicom_in_three_planes(user: User, real_data: Path, tmp_path: Path) -> None:
    with tarfile.open(real_data / "ct" / "3dircadb1-17_image_dicom.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    user.program.open(Roots(tmp_path))
    user.wait(user.program.has_settled)
    user.click_case(user.program.worklist.case_at(0).id)
    planes = [pane.plane.value for pane in user.program.ws.views.panes]
    assert planes[:3] == ["axial", "coronal", "sagittal"]
    (volume,) = user.session.volumes.values()
    grid = volume.grid
    assert grid.shape_ijk == (512, 512, 119)
    spots = [(100.0 + step, 25.0, 0.0) for step in range(-6, 7, 2)]
    values = [volume.value_at(grid.center_ras + np.array(spot)) for spot in spots]
    assert 60 < np.median(values) < 160, "the liver lies at the patient's right"
