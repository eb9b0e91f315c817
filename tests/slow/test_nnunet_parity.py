"""Our nnU-Net against the package ``nnunetv2``, on folders with random weights.

The package lives in an environment of its own (``make test-slow`` makes it): it brings versions
and libraries that the program must not depend on.
"""

import os
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from inference.contract import Request
from inference.progress import Silent
from inference.registry import find_model
from inference.volumes import read_source
from tests.architecture.rules import ROOT
from tests.nnunet_folder import write_nnunet

pytestmark = pytest.mark.slow

PYTHON = ROOT / ".venv-nnunet" / "bin" / "python"


def write_ct(path: Path, spacing: tuple[float, float, float]) -> None:
    """Write a smooth CT with an edge of zeros, stored as DICOM is: to Left, Posterior, Superior."""
    rng = np.random.default_rng(0)
    array = ndimage.gaussian_filter(rng.normal(size=(33, 27, 15)), 2) * 1500
    array[:3] = array[:, -2:] = 0
    nib.save(
        nib.Nifti1Image(array.astype(np.int16), np.diag([-spacing[0], -spacing[1], spacing[2], 1])),
        path,
    )


@pytest.fixture(scope="module")
def reference():
    if not PYTHON.exists():
        pytest.skip("there is no .venv-nnunet; make test-slow makes it")

    def run(folder: Path, image: Path, out: Path) -> dict:
        script = str(ROOT / "tests" / "slow" / "nnunet_reference.py")
        command = [str(PYTHON), script, str(folder), str(image), str(out)]
        # for networks of this size threads only wait for each other
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "nnUNet_def_n_proc": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        return dict(np.load(out))

    return run


@pytest.mark.parametrize(
    ("options", "spacing"),
    [
        ({"mirror": (0, 1)}, (0.8, 0.8, 2.5)),
        ({"old": True, "folds": (0, 1), "mirror": (2,)}, (1.2, 1.2, 2.0)),
        ({"residual": True, "mirror": (1, 2)}, (1.0, 0.9, 1.1)),
        ({"spacing": (5.0, 1.0, 1.0), "mirror": None}, (0.8, 0.8, 2.5)),
        ({"transpose": (2, 0, 1), "mirror": None}, (0.9, 1.0, 1.5)),
    ],
    ids=["plain", "old plans, two folds", "residual", "thick slices", "transposed"],
)
def test_logits_and_labels_are_those_of_the_package(
    tmp_path, reference, options, spacing, record_property
):
    folder = write_nnunet(tmp_path / "m", **options)
    write_ct(tmp_path / "ct.nii.gz", spacing)
    theirs = reference(folder, tmp_path / "ct.nii.gz", tmp_path / "out.npz")
    image = read_source(tmp_path / "ct.nii.gz").image
    model = find_model("m", [folder]).load("cpu")
    request = Request({"CT": image})
    volume, grid = model.prepared(request, Silent())
    volume, _ = model.on_network_grid(volume, grid, Silent())
    np.testing.assert_allclose(volume, theirs["data"], atol=1e-4)
    difference = np.abs(model.logits(volume, request, Silent()) - theirs["logits"]).max()
    record_property("maximum logit difference", float(difference))
    assert difference < 1e-3
    mask = model.predict(request, Silent()).mask.array
    assert len(np.unique(theirs["labels"])) > 1
    assert (mask == theirs["labels"]).mean() > 0.999
