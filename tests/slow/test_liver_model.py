"""The shipped liver model on a synthetic patient: the same answer every time, and one that fits."""

import numpy as np
import pytest

from inference.contract import Cancelled, Request
from inference.liver import FACTORY
from inference.liver.rules import SETTINGS
from inference.metrics import dice
from inference.phantom import labels
from inference.phantom.patient import make_patient
from inference.progress import Silent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def patient():
    return make_patient(7, spacing_mm=2.0)


@pytest.fixture(scope="module")
def model():
    return FACTORY.load("cpu")


@pytest.fixture(scope="module")
def request_(patient):
    return Request({phase: patient.phases[phase] for phase in ("ART", "PV")})


@pytest.fixture(scope="module")
def result(model, request_):
    return model.predict(request_, Silent())


def test_the_same_input_gives_the_same_mask(model, request_, result):
    again = model.predict(request_, Silent())
    np.testing.assert_array_equal(again.mask.array, result.mask.array)
    # the last bits of probabilities may differ, by where in memory a patch lies
    for one, other in zip(again.findings, result.findings, strict=True):
        assert (one.label, one.anchor_ras, one.flags) == (
            other.label,
            other.anchor_ras,
            other.flags,
        )
        assert one.confidence == pytest.approx(other.confidence, abs=1e-3)
    assert again.measures == result.measures


def test_the_liver_is_found_on_the_grid_of_the_best_phase(patient, result):
    assert result.mask.array.shape == patient.phases["PV"].array.shape
    whole = (labels.LIVER, *labels.LESION_LABELS)
    truth = np.isin(patient.reference.array, whole)
    assert dice(truth, np.isin(result.mask.array, whole)) > 0.9
    assert result.measures["setting"] == SETTINGS[0]
    assert any("without the phase" in text for text in result.warnings)


class Impatient(Silent):
    """Cancels with the first word about lesions."""

    def __init__(self) -> None:
        self.heard = ""

    def report(self, fraction: float, text: str) -> None:
        self.heard = text

    def check(self) -> None:
        if self.heard == "Look at the lesions again":
            raise Cancelled


def test_the_second_look_can_be_cancelled(model, request_):
    with pytest.raises(Cancelled):
        model.predict(request_, Impatient())
