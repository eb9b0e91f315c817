"""Phases brought to one breathing position: known shifts are found, aligned ones left alone."""

import numpy as np
import pytest

from inference.contract import PHASES, Cancelled, Image
from inference.liver.registration import register_phases
from inference.phantom import labels
from inference.phantom.patient import make_patient
from inference.phantom.protocol import plan_acquisitions, reference_grid
from inference.phantom.variety import Variety

SEED = 3
SPACING_MM = 2.5


@pytest.fixture(scope="module")
def patient():
    return make_patient(SEED, spacing_mm=SPACING_MM, scenario="none")


def breathing_ras(seed):
    """How far the organs of each phase have moved, as the phantom plans it."""
    protocol = np.random.SeedSequence(seed).spawn(6)[3]
    plans = plan_acquisitions(reference_grid(SPACING_MM), np.random.default_rng(protocol))
    return {a.phase: np.array(a.breathing_ras) for a in plans}


def liver_ras(patient):
    index = np.argwhere(patient.reference.array == labels.LIVER)[::40, ::-1]
    affine = patient.reference.affine_ras
    return index @ affine[:3, :3].T + affine[:3, 3]


def moved(points, matrix):
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def test_breathing_is_found_to_a_millimetre(patient):
    found = register_phases(patient.phases)
    assert found.reference == "PV"
    assert found.missing == found.doubtful == ()
    points = liver_ras(patient)
    for phase, breath in breathing_ras(SEED).items():
        # back from where the phase has them
        error = np.linalg.norm(moved(points + breath, found.transforms[phase]) - points, axis=1)
        assert error.mean() < 1.0, phase


def test_turn_and_shift_are_found(patient):
    image = patient.phases["PV"]
    angle = np.deg2rad(4.0)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turn[:3, 3] = (6.0, -9.0, 14.0)
    other = Image(image.array, turn @ image.affine_ras)
    found = register_phases({"PV": image, "ART": other})
    points = liver_ras(patient)
    back = moved(moved(points, turn), found.transforms["ART"])
    assert np.linalg.norm(back - points, axis=1).max() < 0.5
    assert found.moved_mm["ART"] == pytest.approx(np.linalg.norm((turn - np.eye(4))[:3, 3]), abs=8)


def test_aligned_phases_are_left_alone(patient):
    image = patient.phases["PV"]
    darker = Image((0.6 * image.array).astype(np.int16), image.affine_ras)
    found = register_phases({"PV": image, "NC": darker})
    assert np.array_equal(found.transforms["NC"], np.eye(4))
    assert found.moved_mm["NC"] == 0.0


def test_missing_phases_are_named(patient):
    found = register_phases({"NC": patient.phases["NC"], "DL": patient.phases["DL"]})
    assert found.reference == "DL"
    assert found.missing == ("ART", "PV")
    assert set(found.transforms) == {"NC", "DL"}


def test_nothing_to_compare_is_told():
    air = Image(np.full((20, 40, 40), -1000, dtype=np.int16), np.diag([4.0, 4.0, 4.0, 1.0]))
    found = register_phases({"PV": air, "ART": air})
    assert found.doubtful == ("ART",)
    assert np.array_equal(found.transforms["ART"], np.eye(4))


def test_no_phase_is_refused(patient):
    with pytest.raises(ValueError, match="phases"):
        register_phases({"T2": patient.phases["PV"]})


def test_cancel_stops(patient):
    class Stop:
        def report(self, fraction, text): ...

        def check(self):
            raise Cancelled

    with pytest.raises(Cancelled):
        register_phases(patient.phases, Stop())


def test_agrees_with_an_independent_registration(patient):
    sitk = pytest.importorskip("SimpleITK")
    plain = Variety(breathing_mm=6.0, lesions=())
    phases = make_patient(8, spacing_mm=3.0, phases=("PV", "ART"), variety=plain).phases

    def converted(image):
        volume = sitk.GetImageFromArray(image.array.astype(np.float32))
        to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine_ras
        spacing = np.linalg.norm(to_lps[:3, :3], axis=0)
        volume.SetSpacing(spacing.tolist())
        volume.SetOrigin(to_lps[:3, 3].tolist())
        volume.SetDirection((to_lps[:3, :3] / spacing).ravel().tolist())
        return volume

    from inference.liver.registration import deep_tissue

    fixed, moving = converted(phases["PV"]), converted(phases["ART"])
    spacing_kji = np.array(fixed.GetSpacing()[::-1])
    mask = sitk.GetImageFromArray(
        deep_tissue(phases["PV"].array.astype(np.float32), spacing_kji).astype(np.uint8)
    )
    mask.CopyInformation(fixed)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricFixedMask(mask)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.01, 120)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(sitk.TranslationTransform(3), inPlace=False)
    theirs = method.Execute(fixed, moving)
    shift_lps = np.array(theirs.TransformPoint((0.0, 0.0, 0.0)))
    ours = np.linalg.inv(register_phases(phases).transforms["ART"])
    middle = liver_ras(make_patient(8, spacing_mm=6.0, phases=("PV",), variety=plain)).mean(axis=0)
    shift_ras = moved(middle[None], ours)[0] - middle
    # both work at about 4 mm: a good third of a voxel
    assert shift_ras == pytest.approx(shift_lps * (-1.0, -1.0, 1.0), abs=1.5)
    assert set(phases) <= set(PHASES)
