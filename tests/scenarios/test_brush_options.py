"""Ball, smart brush and limits in the whole window, by mouse and keys."""

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QCheckBox, QComboBox, QSpinBox

from labeler.ui.limits_popup import LimitsPopup
from tests.cases_on_disk import write_case

LIVER, OTHER = 1, 12


@pytest.fixture
def painting(user, tmp_path):
    """A brush of 12 mm over the middle of the liver, another label to paint with."""
    write_case(tmp_path, "LV-1")
    user.open(tmp_path)
    user.click_case("LV-1")
    region = next(r for r in user.session.regions["draft"].regions.values() if r.label == LIVER)
    user.program.ws.views.set_crosshair(np.array(region.centroid_ras))
    user.program.ws.selection.set_label(OTHER)
    user.program.ws.selection.set_brush_mm(12.0)
    user.key(Qt.Key_3)
    return user


def dab(user, button=Qt.LeftButton) -> np.ndarray:
    """Press and release over the liver in the PV view; returns the mask after it."""
    center = user.program.ws.views.crosshair_ras
    user.drag(user.view(2), [center, center + np.array((1.0, 0.0, 0.0))], button)
    return user.session.masks["draft"].mask.array.copy()


def slices_with(array, label) -> int:
    return len(np.unique(np.nonzero(array == label)[0]))


def test_the_ball_reaches_neighbouring_slices_and_erases_them(painting):
    user = painting
    before = user.session.masks["draft"].mask.array.copy()
    assert slices_with(dab(user), OTHER) == 1
    user.key(Qt.Key_Z, Qt.ControlModifier)
    user.key(Qt.Key_B)
    assert slices_with(dab(user), OTHER) == 3
    assert user.session.history.undo_name == "Brush ICC"
    assert not (dab(user, Qt.RightButton) == OTHER).any()
    for _ in range(2):
        user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(user.session.masks["draft"].mask.array, before)


def test_the_smart_brush_is_told_by_its_key(painting):
    user = painting
    button = user.widget("button.brush.smart")
    assert not button.isChecked()
    user.key(Qt.Key_B, Qt.ShiftModifier)
    assert button.isChecked()
    assert user.program.ws.selection.brush_is_smart
    dab(user)
    assert user.session.history.undo_name == "Brush ICC"


def test_limits_by_key_keep_the_brush_inside_a_label(painting):
    user = painting
    user.program.ws.selection.set_brush_mm(40.0)
    before = user.session.masks["draft"].mask.array.copy()
    user.key(Qt.Key_O)
    popup = user.program.window.findChild(LimitsPopup)
    QTest.keyClick(popup.findChild(QCheckBox, "onlyInside"), Qt.Key_Space)
    choice = popup.findChild(QComboBox, "insideLabel")
    choice.setCurrentIndex(choice.findData(LIVER))
    choice.activated.emit(choice.currentIndex())
    QTest.keyClick(popup, Qt.Key_Escape)
    assert user.widget("button.brush.limits").caption == "in Liver"
    after = dab(user)
    assert set(np.unique(before[after == OTHER])) == {LIVER}
    restored = dab(user, Qt.RightButton)
    np.testing.assert_array_equal(restored, before)


def test_a_range_of_hu_leaves_the_rest_alone(painting):
    """PV has 110 HU, and 111 in the liver."""
    user = painting
    user.program.ws.selection.set_brush_mm(40.0)
    before = user.session.masks["draft"].mask.array.copy()
    user.key(Qt.Key_O)
    popup = user.program.window.findChild(LimitsPopup)
    QTest.keyClick(popup.findChild(QCheckBox, "onlyHu"), Qt.Key_Space)
    popup.findChild(QComboBox, "limitPhase").setCurrentText("PV")
    popup.findChild(QSpinBox, "highestHu").setValue(150)
    popup.findChild(QSpinBox, "lowestHu").setValue(111)
    QTest.keyClick(popup, Qt.Key_Escape)
    assert user.widget("button.brush.limits").caption == "PV 111\N{EN DASH}150"
    after = dab(user)
    assert set(np.unique(before[after == OTHER])) == {LIVER}
