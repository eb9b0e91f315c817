"""The shipped vertebra model on real scans: what docs/models/vertebra.md says of them.

VerSe 005 and 007: A. Sekuboyina et al., CC BY-SA 4.0, never trained on. ACRIN-FLT-Breast-001:
CC BY 3.0, never trained on. LIDC-IDRI-0001: CC BY 3.0, trained on, so that it only shows that
nothing broke.
"""

import tarfile

import numpy as np
import pytest

from inference.evaluation.spine_masks import score_masks
from inference.evaluation.spine_scans import known_spines
from inference.grid import grid_of
from inference.phantom.real_scan import read_scan
from inference.progress import Silent
from inference.vertebra import FACTORY
from inference.vertebra.levels import LEVELS
from inference.vertebra.mask_centres import mask_centres
from inference.vertebra.model import DRAWN
from inference.vertebra.pipeline import decide
from inference.volumes import read_source

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def model():
    return FACTORY.load("cpu")


@pytest.fixture(scope="module")
def pipeline(model):
    return model.pipeline


def found_in(pipeline, image):
    """Names from the head down, their places, and which are doubted."""
    reading = decide(pipeline.look(image, Silent()))
    names = [v.name for v in reading.chain.vertebrae]
    return names, reading.positions_ras, [v.name for v in reading.chain.vertebrae if v.flags]


def unpacked(real_data, name, folder):
    with tarfile.open(real_data / "ct" / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_bodies_of_cropped_spines_are_found_and_a_wrong_name_is_doubted(pipeline, real_data):
    spines = list(known_spines(real_data / "vertebra"))
    assert len(spines) == 2
    for spine in spines:
        names, places, doubted = found_in(pipeline, spine.image)
        true = sorted(spine.centres_ras, key=LEVELS.index)
        shifts = []
        for name in true:
            apart = np.linalg.norm(places - spine.centres_ras[name], axis=1)
            assert apart.min() < 12.0, (spine.name, name)
            shifts.append(LEVELS.index(names[int(apart.argmin())]) - LEVELS.index(name))
        assert abs(np.median(shifts)) <= 2, (spine.name, names, shifts)
        assert names == true or doubted == names


def test_vertebrae_are_drawn_where_experts_drew_them(model, real_data):
    for spine in known_spines(real_data / "vertebra"):
        reading = decide(model.pipeline.look(spine.image, Silent()))
        drawn = model.draw(reading, spine.image, Silent())
        names = {number: name for number, name in DRAWN.items() if name in spine.whole}
        spacing = grid_of(spine.image).spacing_kji_mm
        scores = score_masks(spine.masks, drawn.array, spacing, names)
        assert len(scores) == len(spine.whole)
        assert np.mean([score.matched for score in scores]) > 0.65
        assert np.mean([score.surface_mm for score in scores]) < 3.0


def test_a_chest_that_was_trained_on_is_named(pipeline, real_data, tmp_path):
    folder = unpacked(real_data, "lidc-idri-0001_ct_and_89labels", tmp_path) / "lidc-idri-0001"
    scan = read_scan(folder / "cxr.nii", folder / "mask.nii.gz", 1e4)
    levels = {n: name.removeprefix("vertebrae_") for n, name in scan.names.items()}
    levels = {n: name for n, name in levels.items() if name in LEVELS}
    true = mask_centres(scan.structures, scan.grid.affine_ras, levels)
    names, places, _ = found_in(pipeline, read_source(folder / "cxr.nii").image)
    at = dict(zip(names, places, strict=True))
    assert set(true) <= set(at)
    errors = [float(np.linalg.norm(at[name] - place)) for name, place in true.items()]
    assert np.mean(errors) < 5.0
    assert max(errors) < 12.0


def test_a_trunk_without_contrast_is_counted_from_the_sacrum(pipeline, real_data, tmp_path):
    folder = unpacked(real_data, "ACRIN-FLT-Breast_001_visit1_dicom", tmp_path)
    names, places, _ = found_in(pipeline, read_source(folder).image)
    assert names[-6:] == ["L1", "L2", "L3", "L4", "L5", "S1"]
    gaps = np.linalg.norm(np.diff(places[-6:], axis=0), axis=1)
    assert (gaps > 25.0).all()
    assert (gaps < 45.0).all()
