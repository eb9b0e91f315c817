"""Organs of donors in phantoms: read from label maps, fitted, and never where others are."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from inference.liver import classes
from inference.phantom.anatomy import make_anatomy
from inference.phantom.donors import ORGANS, donor_name, read_donor
from inference.phantom.grids import Grid
from inference.phantom.materials import Material
from inference.phantom.real_scan import AnatomyError
from inference.phantom.variety import Variety
from inference.training.liver import known_donors
from inference.training.patients import paint_patient
from inference.training.samples import Patients
from inference.training.settings import PatientSettings

CENTRES = {
    "liver": (60.0, 0.0, 350.0),
    "spleen": (-90.0, -60.0, 340.0),
    "kidney_right": (72.0, -60.0, 250.0),
    "kidney_left": (-72.0, -60.0, 260.0),
    "pancreas": (-15.0, -20.0, 280.0),
    "gallbladder": (70.0, 25.0, 285.0),
}
RADII = {
    "liver": (80.0, 70.0, 62.0),
    "spleen": (24.0, 40.0, 46.0),
    "kidney_right": (26.0, 28.0, 50.0),
    "kidney_left": (26.0, 28.0, 50.0),
    "pancreas": (60.0, 13.0, 16.0),
    "gallbladder": (13.0, 16.0, 18.0),
}
GRID = Grid((90, 64, 90), (4.5, 4.5, 4.5), (200.0, 160.0, -230.0))
SETTINGS = PatientSettings(
    phantoms=400,
    validation=2,
    real_share=0.0,
    real_copies=1,
    liver_only_share=0.0,
    random_contrast=0.0,
    donor_share=0.3,
)


def write_donor(folder: Path, name: str, *, without: str = "", affine=None) -> Path:
    """Write a body of ellipsoids at 4 mm; its kidneys are hollow towards the spine."""
    step = 4.0
    origin = np.array([-150.0, -140.0, 190.0])
    axes = np.meshgrid(*(np.arange(n) * step for n in (75, 70, 60)), indexing="ij")
    points = np.stack(axes, axis=-1) + origin
    labels = np.zeros(points.shape[:3], dtype=np.uint8)
    for number, organ in enumerate(ORGANS, start=1):
        inside = (((points - CENTRES[organ]) / RADII[organ]) ** 2).sum(axis=-1) < 1.0
        if organ.startswith("kidney"):
            inwards = -np.sign(CENTRES[organ][0])
            sinus = np.add(CENTRES[organ], (inwards * 14.0, 0.0, 0.0))
            inside &= (((points - sinus) / (14.0, 9.0, 22.0)) ** 2).sum(axis=-1) > 1.0
        if organ != without:
            labels[inside] = number
    if affine is None:
        affine = np.diag([step, step, step, 1.0])
        affine[:3, 3] = origin
    path = folder / f"{name}_labels.nii.gz"
    nib.save(nib.nifti1.Nifti1Image(labels, affine), path)
    names = {str(n): organ for n, organ in enumerate(ORGANS, start=1)}
    path.with_name(f"{name}_classes.json").write_text(json.dumps(names))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_donor(tmp_path_factory.mktemp("donors"), "hubmap_test")


@pytest.fixture(scope="module")
def donor(path):
    return read_donor(path)


@pytest.fixture(scope="module")
def anatomy(donor):
    rng = np.random.default_rng(5)
    return make_anatomy(GRID, rng, lambda *_: None, Variety(hips=True), donor)


def voxels(anatomy, *materials: Material) -> np.ndarray:
    return np.isin(anatomy.scene.front, materials)


LIVER = (Material.LIVER, Material.LIVER_PORTAL, Material.LIVER_VEIN, Material.LIVER_ARTERY)


class TestReading:
    def test_organs_have_their_place_and_size(self, donor):
        assert donor.name == "hubmap_test"
        assert set(donor.organs) == set(ORGANS)
        for name, organ in donor.organs.items():
            if name.startswith("kidney"):
                continue
            assert np.abs(organ.centre_ras - CENTRES[name]).max() < 2.0
            wanted = 4.0 / 3.0 * np.pi * np.prod(RADII[name]) / 1000.0
            assert organ.volume_ml == pytest.approx(wanted, rel=0.1)
        assert donor.midline_x_mm == pytest.approx(0.0, abs=3.0)

    def test_the_sinus_of_a_kidney_is_closed_and_found(self, donor):
        kidney = donor.organs["kidney_right"]
        sinus = kidney.grid.to_kji(np.array(CENTRES["kidney_right"]) - (12.0, 0.0, 0.0))
        at = tuple(np.rint(sinus).astype(int))
        assert kidney.distance[at] > 0.0 > kidney.filled[at]
        assert kidney.hilum_ras[0] < kidney.centre_ras[0] - 5.0

    def test_a_missing_organ_is_named(self, tmp_path):
        path = write_donor(tmp_path, "hubmap_no", without="kidney_left")
        with pytest.raises(AnatomyError, match="no kidney left"):
            read_donor(path)

    def test_an_oblique_label_map_is_refused(self, tmp_path):
        turned = np.eye(4)
        turned[:2, :2] = [[0.9, -0.4], [0.4, 0.9]]
        with pytest.raises(AnatomyError, match="oblique"):
            read_donor(write_donor(tmp_path, "hubmap_turned", affine=turned))

    def test_donors_of_a_folder_are_found_in_any_depth(self, tmp_path):
        (tmp_path / "anatomy").mkdir()
        (tmp_path / "other_labels.nii.gz").touch()
        wanted = tmp_path / "anatomy" / "hubmap_VH_F_labels.nii.gz"
        wanted.touch()
        assert known_donors(tmp_path) == (wanted,)
        assert known_donors(None) == ()


class TestFitting:
    def test_volumes_are_plausible(self, anatomy):
        ml = GRID.voxel_ml
        assert 800.0 < voxels(anatomy, *LIVER).sum() * ml < 2300.0
        assert 60.0 < voxels(anatomy, Material.SPLEEN).sum() * ml < 400.0
        assert 25.0 < voxels(anatomy, Material.PANCREAS).sum() * ml < 140.0
        for cortex, medulla in (
            (Material.RIGHT_CORTEX, Material.RIGHT_MEDULLA),
            (Material.LEFT_CORTEX, Material.LEFT_MEDULLA),
        ):
            assert 70.0 < voxels(anatomy, cortex, medulla).sum() * ml < 240.0

    def test_organs_lie_as_in_a_body(self, anatomy):
        def middle(*materials):
            return GRID.to_ras(np.argwhere(voxels(anatomy, *materials)).mean(axis=0))

        liver, gallbladder = middle(*LIVER), middle(Material.BILE)
        right, left = middle(Material.RIGHT_CORTEX), middle(Material.LEFT_CORTEX)
        assert right[0] > 40.0 > -40.0 > left[0]
        assert max(right[1], left[1]) < liver[1] - 20.0
        assert gallbladder[2] < liver[2] - 15.0
        assert gallbladder[1] > liver[1]
        assert middle(Material.SPLEEN)[0] < -50.0

    def test_the_liver_lies_on_the_diaphragm(self, anatomy):
        """Going up from the dome there is no fat before the lung."""
        liver = voxels(anatomy, *LIVER)
        fat = voxels(anatomy, Material.FAT)
        lung = voxels(anatomy, Material.LUNG)
        clear = 0
        columns = np.argwhere(liver.sum(axis=0) > 15)
        for j, i in columns:
            top = np.flatnonzero(liver[:, j, i])[-1]
            above = np.flatnonzero(lung[top:, j, i])
            clear += len(above) > 0 and not fat[top + 1 : top + above[0], j, i].any()
        assert len(columns) > 100
        assert clear > 0.9 * len(columns)

    def test_every_organ_is_in_one_piece_and_off_the_spine(self, anatomy, donor):
        for materials in (LIVER, (Material.SPLEEN,)):
            parts, n = ndimage.label(ndimage.binary_closing(voxels(anatomy, *materials)))
            assert np.bincount(parts.ravel())[1:].max() > 0.97 * (parts > 0).sum(), n
        bare = make_anatomy(GRID, np.random.default_rng(5), lambda *_: None, Variety(hips=True))
        for structure in (bare.vertebra_numbers > 0, voxels(bare, Material.AORTA)):
            taken = structure & (anatomy.scene.front != bare.scene.front)
            assert not (taken & voxels(anatomy, *LIVER, Material.SPLEEN)).any()

    def test_trees_and_lesions_grow_inside_the_donors_liver(self, anatomy, donor):
        inside = np.ones(GRID.shape_kji, dtype=np.float32)
        inside[anatomy.liver.shape.box] = anatomy.liver.shape.values
        tips = np.rint(GRID.to_kji(anatomy.trees.portal.points)).astype(int)
        assert (inside[tuple(tips.T)] < 4.0).mean() > 0.95
        patient = paint_patient(3, GRID, Variety(lesions=((12, 15.0),)), donor)
        lesion = np.isin(patient.truth, classes.LESIONS)
        assert lesion.sum() > 50
        around = ndimage.binary_dilation(lesion, iterations=2) & ~lesion
        assert (patient.truth[around] == classes.LIVER).mean() > 0.6

    def test_the_same_seed_gives_the_same_bits_and_another_donor_another_shape(
        self, donor, tmp_path
    ):
        first, again = (paint_patient(3, GRID, Variety(lesions=()), donor) for _ in range(2))
        assert np.array_equal(first.front, again.front)
        own = paint_patient(3, GRID, Variety(lesions=()))
        assert (first.truth != own.truth).mean() > 0.02
        # the body around is the same
        bone = own.truth == classes.SPINE
        assert np.array_equal(first.truth == classes.SPINE, bone)


class _Pool:
    """Remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []

    def phantom(self, seed, donor="", organs=None):
        assert bool(donor) == (organs is not None)
        self.asked.append((seed, donor))


class _Patients(Patients):
    """Draws patients without showing them."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)

        class Nothing:
            def phases(self, *_):
                return np.zeros(1, dtype=np.float32)

        self._showing = Nothing()


class TestTraining:
    def drawn(self, donors, method="draw", n=300):
        pool = _Pool()
        patients = _Patients(pool, SETTINGS, (), 0, donors)
        for number in range(n):
            getattr(patients, method)(number + 3000, np.random.default_rng(number))
        return pool.asked

    def test_a_part_of_the_phantoms_gets_a_donor_always_the_same(self, path):
        other = path.with_name("hubmap_other_labels.nii.gz")
        asked = self.drawn((path, other))
        names = {donor_name(path), donor_name(other)}
        assert {donor for _, donor in asked if donor} == names
        share = np.mean([bool(donor) for _, donor in asked])
        assert 0.2 < share < 0.4
        donor_of = dict(asked)
        assert all(donor_of[seed] == donor for seed, donor in asked)

    def test_without_donors_nothing_changes(self, path):
        plain = self.drawn(())
        assert not any(donor for _, donor in plain)
        # the same phantoms in the same order, some with other organs
        assert [seed for seed, _ in plain] == [seed for seed, _ in self.drawn((path,))]

    def test_validation_never_sees_a_donor(self, path):
        assert not any(donor for _, donor in self.drawn((path,), "validation"))

    def test_the_pool_keeps_both_apart(self, path, donor, tmp_path, monkeypatch):
        from inference.training import patients

        small = paint_patient(3, Grid((20, 20, 20), (20.0,) * 3, (190.0, 190.0, -190.0)))
        given = []

        def painted(seed, donor=None):
            given.append((seed, donor))
            return small

        monkeypatch.setattr(patients, "paint_patient", painted)
        pool = patients.Pool(tmp_path)
        pool.phantom(7)
        for _ in range(2):
            pool.phantom(7, donor.name, lambda: donor)
        assert given == [(7, None), (7, donor)]
        assert len(list(tmp_path.iterdir())) == 2
