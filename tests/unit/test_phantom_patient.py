"""The synthetic patient: repeatable, in anatomical order, as bright as the literature says."""

import re
from itertools import pairwise

import cv2
import numba
import numpy as np
import pytest
from scipy import ndimage

from inference.contract import PHASES, Cancelled
from inference.phantom import labels
from inference.phantom.anatomy import make_anatomy
from inference.phantom.lesions import SCENARIOS
from inference.phantom.materials import TISSUES, Material, Palette
from inference.phantom.patient import make_patient
from inference.phantom.protocol import padded, reference_grid
from inference.phantom.skeleton import LEVELS, VERSE_NUMBER

SEED = 4
SPACING_MM = 3.0


@pytest.fixture(scope="module")
def patient():
    return make_patient(SEED, spacing_mm=SPACING_MM, scenario="mixed")


def spacing_mm(volume):
    return np.linalg.norm(volume.affine_ras[:3, :3], axis=0)


def to_ras(volume, index_kji):
    return (volume.affine_ras @ [*index_kji[::-1], 1.0])[:3]


def centre_ras(patient, *wanted):
    inside = np.argwhere(np.isin(patient.reference.array, wanted))
    return to_ras(patient.reference, inside.mean(axis=0))


def same_bits(one, other):
    volumes = [(one.reference, other.reference), (one.prediction, other.prediction)]
    volumes += [(one.phases[p], other.phases[p]) for p in one.phases]
    return all(
        np.array_equal(a.array, b.array) and np.array_equal(a.affine_ras, b.affine_ras)
        for a, b in volumes
    )


def test_same_seed_same_bits_whatever_the_number_of_threads(patient):
    threads = cv2.getNumThreads(), numba.get_num_threads()
    try:
        cv2.setNumThreads(1)
        numba.set_num_threads(1)
        again = make_patient(SEED, spacing_mm=SPACING_MM, scenario="mixed")
    finally:
        cv2.setNumThreads(threads[0])
        numba.set_num_threads(threads[1])
    assert same_bits(patient, again)
    assert patient.radiology == again.radiology
    assert patient.pathology == again.pathology


def test_other_seed_other_patient(patient):
    other = make_patient(SEED + 1, spacing_mm=SPACING_MM, scenario="mixed")
    assert not np.array_equal(other.reference.array, patient.reference.array)


def test_phases_have_grids_of_their_own(patient):
    assert list(patient.phases) == list(PHASES)
    grids = {(i.array.shape, i.affine_ras.tobytes()) for i in patient.phases.values()}
    assert len(grids) == len(PHASES)
    assert patient.phases["PV"].array.shape == patient.reference.array.shape
    assert np.array_equal(patient.phases["PV"].affine_ras, patient.reference.affine_ras)
    for image in patient.phases.values():
        assert image.array.dtype == np.int16
        assert image.array.min() >= -1024
        assert image.array.max() <= 3071


def test_default_is_256_pixels_in_96_slices():
    grid = reference_grid(1.5)
    assert grid.shape_kji == (96, 256, 256)
    assert grid.spacing_mm == pytest.approx((1.5, 1.5, 2.5))


@pytest.mark.parametrize(
    ("label", "material"),
    [
        (labels.LIVER, Material.LIVER),
        (labels.SPLEEN, Material.SPLEEN),
        (labels.AORTA, Material.AORTA),
    ],
)
def test_organs_are_as_bright_as_the_table_in_every_phase(patient, label, material):
    inside = patient.reference.array == label
    deep = np.argwhere(ndimage.binary_erosion(inside, iterations=2))
    spread = np.asarray(TISSUES[material].sd)
    for n, phase in enumerate(PHASES):
        image = patient.phases[phase]
        world = np.c_[deep[:, ::-1], np.ones(len(deep))] @ patient.reference.affine_ras.T
        index = np.rint(world @ np.linalg.inv(image.affine_ras).T)[:, 2::-1].astype(int)
        index = index[((index >= 0) & (index < image.array.shape)).all(axis=1)]
        measured = np.median(image.array[tuple(index.T)])
        expected = TISSUES[material].hu[n]
        # patients differ by up to 1.6 SD; blur and beam hardening add a few HU
        assert abs(measured - expected) < 1.6 * spread[n] + 12.0, phase


def test_organs_lie_on_their_sides(patient):
    assert centre_ras(patient, labels.LIVER)[0] > 30
    assert centre_ras(patient, labels.SPLEEN)[0] < -50
    assert centre_ras(patient, labels.RIGHT_KIDNEY)[0] > 40
    assert centre_ras(patient, labels.LEFT_KIDNEY)[0] < -40
    assert centre_ras(patient, labels.STOMACH)[0] < 0
    assert centre_ras(patient, labels.GALLBLADDER)[0] > 20
    aorta, cava = centre_ras(patient, labels.AORTA), centre_ras(patient, labels.INFERIOR_VENA_CAVA)
    assert aorta[0] < 0 < cava[0]
    # the liver is in front of the right kidney and above it
    kidney = centre_ras(patient, labels.RIGHT_KIDNEY)
    liver = centre_ras(patient, labels.LIVER)
    assert liver[1] > kidney[1]
    assert liver[2] > kidney[2]


def test_every_organ_is_there_in_one_piece(patient):
    reference = patient.reference.array
    for label in labels.ORGAN_LABELS:
        mask = reference == label
        if label == labels.LIVER:
            mask = mask | np.isin(reference, labels.LESION_LABELS)
        pieces, n = ndimage.label(mask, np.ones((3, 3, 3)))
        assert n, patient.label_names[label]
        sizes = np.bincount(pieces.ravel())[1:]
        assert sizes.max() > 0.9 * sizes.sum(), patient.label_names[label]


def test_fat_runs_between_kidneys_spleen_and_liver():
    # finer than the other tests: the gap is a few mm
    patient = make_patient(7, spacing_mm=(2.0, 2.0, 2.5), scenario="none")
    organs = (labels.LIVER, labels.SPLEEN, labels.RIGHT_KIDNEY, labels.LEFT_KIDNEY)
    masks = {n: patient.reference.array == n for n in organs}
    for n, mask in masks.items():
        around = ndimage.binary_dilation(mask)
        for other in organs:
            if other != n:
                assert not (around & masks[other]).any(), (n, other)


def test_volumes_are_those_of_adults():
    for seed in range(5):
        scene = make_anatomy(
            padded(reference_grid(4.0))[0], np.random.default_rng(seed), lambda *_: None
        ).scene
        label = Palette(np.random.default_rng(0), 60.0).label[scene.front]
        ml = np.bincount(label.ravel(), minlength=30) * scene.grid.voxel_ml
        assert 850 < ml[labels.LIVER] < 2250
        assert 60 < ml[labels.SPLEEN] < 350
        assert 90 < ml[labels.RIGHT_KIDNEY] < 240
        assert 90 < ml[labels.LEFT_KIDNEY] < 240


def test_organs_follow_the_breath_and_the_spine_does_not():
    anatomy = make_anatomy(
        padded(reference_grid(4.0))[0], np.random.default_rng(0), lambda *_: None
    )
    front, weight = anatomy.scene.front, anatomy.weight
    assert np.median(weight[front == Material.LIVER]) > 230
    assert np.median(weight[front == Material.STOMACH_WALL]) > 230
    assert np.percentile(weight[front == Material.TRABECULAR_BONE], 90) < 30
    assert weight[front == Material.SKIN].max() == 0


def test_vertebrae_of_the_truth_are_in_order_and_of_bone(patient):
    truth = patient.truth
    names = [v.name for v in truth.vertebrae]
    first = LEVELS.index(names[0])
    assert names == list(LEVELS[first : first + len(names)])
    assert "L1" in names
    for vertebra in truth.vertebrae:
        index = np.linalg.inv(patient.reference.affine_ras) @ [*vertebra.centre_ras, 1.0]
        k, j, i = np.rint(index[2::-1]).astype(int)
        assert truth.vertebra_numbers[k, j, i] == VERSE_NUMBER[vertebra.name]
        assert truth.materials[k, j, i] == Material.TRABECULAR_BONE
    places = {v.name: v.centre_ras for v in truth.vertebrae}
    assert places["L1"] == pytest.approx((0.0, 0.0, 0.0), abs=3.0)
    # distances as tabulated, times the size of the patient
    gap = np.linalg.norm(places["L1"] - places["T12"]) / np.linalg.norm(places["L2"] - places["L1"])
    assert gap == pytest.approx(32.04 / 33.39, abs=0.06)
    assert all(a[2] > b[2] for a, b in pairwise(places.values()))


def test_vessel_trees_thin_out_and_stay_connected(patient):
    for tree in (patient.truth.vessel_trees.portal, patient.truth.vessel_trees.veins):
        inner = np.flatnonzero(tree.parent >= 0)
        assert (tree.parent[inner] < inner).all()
        assert (tree.radii_mm[inner] <= tree.radii_mm[tree.parent[inner]] + 1e-9).all()
        steps = np.linalg.norm(tree.points[inner] - tree.points[tree.parent[inner]], axis=1)
        assert steps.max() < 25.0
    materials = patient.truth.materials
    assert (materials == Material.LIVER_PORTAL).sum() * np.prod(spacing_mm(patient.reference)) > 5e3


def test_progress_is_told_and_cancelling_stops():
    class Impatient:
        def __init__(self):
            self.fractions = []

        def report(self, fraction, text):
            assert text
            self.fractions.append(fraction)

        def check(self):
            if len(self.fractions) == 3:
                raise Cancelled

    context = Impatient()
    with pytest.raises(Cancelled):
        make_patient(1, spacing_mm=6.0, context=context)
    assert context.fractions == sorted(context.fractions)
    assert len(context.fractions) == 3


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"spacing_mm": 0.0}, "between 0.3 and 12"),
        ({"spacing_mm": float("nan")}, "between 0.3 and 12"),
        ({"spacing_mm": (1.0, 1.0)}, "between 0.3 and 12"),
        ({"scenario": "flu"}, "no scenario 'flu'"),
        ({"phases": ("PV", "LATE")}, "phases must be some of"),
        ({"phases": ()}, "phases must be some of"),
    ],
)
def test_nonsense_is_refused(arguments, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        make_patient(1, **arguments)


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_every_scenario_has_the_lesions_it_names(scenario):
    patient = make_patient(2, spacing_mm=4.0, scenario=scenario, phases=("PV",))
    allowed = {label for label, _, _ in SCENARIOS[scenario]}
    needed = {label for label, (least, _), _ in SCENARIOS[scenario] if least}
    found = {lesion.label for lesion in patient.lesions}
    assert needed <= found <= allowed
    marked = set(np.unique(patient.reference.array)) & set(labels.LESION_LABELS)
    assert marked == found
