"""Variety for training: what is drawn, and that the traps are really there."""

import numpy as np
import pytest
from scipy import ndimage

from inference.contract import PHASES
from inference.phantom import labels, variety
from inference.phantom.anatomy import make_anatomy
from inference.phantom.grids import Grid
from inference.phantom.materials import Material
from inference.phantom.patient import make_patient
from inference.phantom.variety import Variety

SPACING_MM = (4.0, 4.0, 4.0)
WHOLE = {"low_mm": -290.0, "high_mm": 150.0, "width_mm": 480.0}
BONE = (Material.CORTICAL_BONE, Material.RIB_MARROW)


def patient(seed=2, **options):
    chosen = Variety(**({"lesions": ()} | options))
    return make_patient(seed, spacing_mm=SPACING_MM, phases=("PV",), variety=chosen)


def materials(case, *wanted):
    return np.isin(case.truth.materials, wanted)


def x_of(case):
    affine = case.reference.affine_ras
    return affine[0, 0] * np.arange(case.reference.array.shape[2]) + affine[0, 3]


def z_of(case):
    affine = case.reference.affine_ras
    return affine[2, 2] * np.arange(case.reference.array.shape[0]) + affine[2, 3]


def millilitres(mask):
    return mask.sum() * np.prod(SPACING_MM) / 1000.0


@pytest.fixture(scope="module")
def plain():
    return patient()


def test_nothing_asked_is_the_plain_phantom():
    one = make_patient(5, spacing_mm=4.0)
    other = make_patient(5, spacing_mm=4.0, variety=variety.PLAIN)
    assert all(np.array_equal(one.phases[p].array, other.phases[p].array) for p in PHASES)
    assert np.array_equal(one.truth.materials, other.truth.materials)


def test_draws_repeat_and_differ():
    assert variety.draw(3) == variety.draw(3)
    assert variety.draw(3) != variety.draw(4)


def test_draws_cover_what_training_needs():
    drawn = [variety.draw(seed) for seed in range(400)]
    partial = [v.low_mm > -290.0 or v.high_mm < 180.0 for v in drawn]
    assert 0.7 < np.mean(partial) < 0.9
    assert {v.arms for v in drawn} == set(variety.ARMS)
    for trap in ("nodules_mm", "ascites_mm", "left_lobe_mm", "flexure_up_mm", "stool"):
        assert 0.05 < np.mean([getattr(v, trap) > 0.0 for v in drawn]) < 0.7, trap
    assert 0.1 < np.mean([v.liver_fat_hu < 0.0 for v in drawn]) < 0.4
    numbers = [len(v.lesions) for v in drawn]
    assert min(numbers) == 0
    assert max(numbers) == variety.MOST_LESIONS
    radii = [radius for v in drawn for _, radius in v.lesions]
    assert 3.0 <= min(radii) < 5.0
    assert 30.0 < max(radii) <= 40.0
    assert {label for v in drawn for label, _ in v.lesions} == set(labels.LESION_LABELS)


def test_arms_lie_beside_the_trunk():
    case = patient(arms="down", hips=True, **WHOLE)
    inside = np.abs(x_of(case)) > 190.0
    assert millilitres(materials(case, *BONE)[:, :, inside]) > 20.0
    without = patient(arms="away", hips=True, **WHOLE)
    assert not materials(without, *BONE)[:, :, np.abs(x_of(without)) > 190.0].any()


def test_hips_are_below_the_spine_and_are_no_vertebrae():
    case = patient(hips=True, **WHOLE)
    low = z_of(case) < -180.0
    bone = materials(case, *BONE)[low]
    assert millilitres(bone) > 300.0
    assert not case.truth.vertebra_numbers[low].any()
    x = x_of(case)
    right, left = (millilitres(bone[:, :, side]) for side in (x > 30.0, x < -30.0))
    assert right == pytest.approx(left, rel=0.15)


def test_organs_stay_above_the_hips():
    case = patient(hips=True, **WHOLE)
    assert not np.isin(case.reference.array[z_of(case) < -180.0], labels.ORGAN_LABELS).any()


def test_cirrhosis_has_fluid_around_and_a_large_spleen(plain):
    ill = patient(nodules_mm=2.2, ascites_mm=10.0, liver_volume=0.7, spleen=1.35)
    assert millilitres(materials(ill, Material.ASCITES)) > 60.0
    assert not materials(plain, Material.ASCITES).any()
    touching = ndimage.binary_dilation(ill.reference.array == labels.LIVER)
    assert (touching & materials(ill, Material.ASCITES)).sum() > 500
    spleens = [millilitres(p.reference.array == labels.SPLEEN) for p in (plain, ill)]
    assert spleens[1] > 1.25 * spleens[0]


def test_cirrhosis_is_nodular():
    def roughness(nodules_mm):
        ill = Variety(
            nodules_mm=nodules_mm, ascites_mm=6.0, lesions=(), low_mm=-60.0, high_mm=130.0
        )
        case = make_patient(2, spacing_mm=(2.5, 2.5, 2.5), phases=("PV",), variety=ill)
        # what opening takes away is edges and knobs
        liver = case.reference.array == labels.LIVER
        return 1.0 - ndimage.binary_opening(liver, iterations=2).sum() / liver.sum()

    # against a nearly smooth one, so that all other draws are the same
    assert roughness(2.4) > 1.5 * roughness(0.01)


def test_left_lobe_reaches_further(plain):
    def leftmost(case):
        return x_of(case)[(case.reference.array == labels.LIVER).any(axis=(0, 1))].min()

    assert leftmost(patient(left_lobe_mm=60.0)) <= leftmost(plain) - 8.0


def test_fat_darkens_the_liver_alone(plain):
    fat = patient(liver_fat_hu=-40.0)

    def median(case, label):
        inside = ndimage.binary_erosion(case.reference.array == label, iterations=2)
        return np.median(case.phases["PV"].array[inside])

    assert median(fat, labels.LIVER) == pytest.approx(median(plain, labels.LIVER) - 40.0, abs=6.0)
    assert median(fat, labels.SPLEEN) == pytest.approx(median(plain, labels.SPLEEN), abs=6.0)


def contact_voxels(case, one, other):
    return int((ndimage.binary_dilation(one, iterations=1) & other).sum())


def test_colon_comes_to_lie_against_the_liver(plain):
    near = patient(flexure_up_mm=45.0, stool=1.0, gap_mm=0.5)
    colon = (Material.COLON_WALL, Material.STOOL, Material.COLON_GAS)
    touching = [
        contact_voxels(p, p.reference.array == labels.LIVER, materials(p, *colon))
        for p in (plain, near)
    ]
    assert touching[1] > touching[0] + 50
    gas, stool = (materials(near, m).sum() for m in (Material.COLON_GAS, Material.STOOL))
    assert stool > 10 * gas


def test_kidney_comes_to_lie_against_the_liver(plain):
    near = patient(kidney_contact=True, gap_mm=0.5)
    touching = [
        contact_voxels(
            p, p.reference.array == labels.LIVER, p.reference.array == labels.RIGHT_KIDNEY
        )
        for p in (plain, near)
    ]
    assert touching[1] > 2 * touching[0] + 50


def test_lesions_wanted_are_painted():
    wanted = ((labels.METASTASIS, 12.0), (labels.CYST, 6.0))
    case = patient(lesions=wanted)
    assert [(lesion.label, lesion.radius_mm) for lesion in case.lesions] == list(wanted)


def test_late_scan_is_part_of_the_next_phase():
    hu = np.array([[40.0, 100.0, 200.0, 80.0]], dtype=np.float32)
    assert variety.delayed(hu, (0.0, 0.0, 0.0, 0.0)) == pytest.approx(hu)
    late = variety.delayed(hu, (0.0, 0.25, -0.5, 0.9))
    assert late == pytest.approx(np.array([[40.0, 125.0, 150.0, 80.0]]))


def test_materials_of_a_twin_tissue_have_one_draw():
    anatomy_rng = np.random.default_rng(0)
    grid = Grid((60, 60, 60), (6.0, 6.0, 6.0), (180.0, 200.0, -200.0))
    anatomy = make_anatomy(grid, anatomy_rng, lambda *_: None, Variety(hips=True))
    codes = np.unique(anatomy.scene.front)
    assert {Material.COLON_WALL, Material.BOWEL_WALL} <= set(codes.tolist())
