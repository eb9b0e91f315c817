"""Filling a mask from a range of HU, another mask or the slice beside; combining masks."""

import numpy as np
import pytest
from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QComboBox, QSpinBox

from labeler.core.geometry import Plane
from tests.cases_on_disk import write_case

LIVER, LESION, OTHER = 1, 11, 12


@pytest.fixture
def opened(user, tmp_path):
    write_case(tmp_path, "LV-1")
    user.open(tmp_path)
    user.click_case("LV-1")
    user.program.ws.views.set_options(active=2)
    return user


@pytest.fixture
def two_masks(opened):
    """An empty mask beside the draft, on the same grid, active."""
    opened.answer("Add mask")
    opened.key(Qt.Key_N, Qt.ControlModifier)
    settle(opened)
    assert len(opened.session.masks) == 2
    return opened


def array_of(user, mask: str = "draft") -> np.ndarray:
    return user.session.masks[mask].mask.array.copy()


def settle(user) -> None:
    tasks = user.program.ws.tasks
    user.wait(lambda: not tasks.is_pending_where(lambda k: isinstance(k, tuple) and k[0] == "edit"))
    QApplication.processEvents()
    user.wait(user.program.has_settled)


def fill_in(user, ok: str, choices=(), numbers=()) -> list[str]:
    """Answer the next question: entries of lists, numbers of fields, then its button."""
    seen: list[str] = []

    def act() -> None:
        dialog = QApplication.activeModalWidget()
        if dialog is None:
            return
        timer.stop()
        seen.append(dialog.objectName())
        for name, text in choices:
            dialog.findChild(QComboBox, name).setCurrentText(text)
        for name, value in numbers:
            dialog.findChild(QSpinBox, name).setValue(value)
        QTest.mouseClick(dialog.findChild(object, ok), Qt.LeftButton)

    timer = QTimer(user.program.window)
    timer.timeout.connect(act)
    timer.start(10)
    return seen


def test_a_range_of_hu_becomes_the_active_label(opened):
    """In PV the lesions have 121 HU, the liver 111 and everything else 110."""
    user = opened
    before = array_of(user)
    user.program.ws.selection.set_label(OTHER)
    user.program.ws.selection.set_locked("draft", LIVER, True)
    asked = fill_in(
        user, "thresholdDialog.ok", [("thresholdPhase", "PV")],
        [("thresholdLow", 111), ("thresholdHigh", 130)],
    )  # fmt: skip
    user.key(Qt.Key_T, Qt.ControlModifier)
    settle(user)
    assert asked == ["thresholdDialog"]
    after = array_of(user)
    np.testing.assert_array_equal(after == OTHER, before == LESION)
    np.testing.assert_array_equal(after == LIVER, before == LIVER)
    assert len(user.session.history.done) == 1
    user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(array_of(user), before)


@pytest.mark.parametrize(
    ("key", "plane", "moved"),
    [
        (Qt.Key_Comma, Plane.AXIAL, (0, 1)),
        (Qt.Key_Period, Plane.AXIAL, (0, -1)),
        (Qt.Key_Comma, Plane.CORONAL, (1, -1)),
        (Qt.Key_Period, Plane.SAGITTAL, (2, 1)),
    ],
)
def test_the_slice_beside_is_copied(opened, key, plane, moved):
    user, ws = opened, opened.program.ws
    ws.views.set_pane(2, plane=plane)
    index = user.session.regions["draft"]
    region = next(r for r in index.regions.values() if r.label == LIVER)
    axis, step = moved
    # just outside of the liver, on the side to which it is copied
    end = region.box.hi_kji[axis] if step > 0 else region.box.lo_kji[axis] - 1
    at = [(lo + hi) // 2 for lo, hi in zip(region.box.lo_kji, region.box.hi_kji, strict=True)]
    at[axis] = end
    grid = user.session.masks["draft"].mask.grid
    ws.views.set_crosshair(grid.to_ras(at[::-1]))
    ws.selection.set_label(LIVER)
    before = array_of(user)
    user.key(key)
    after = array_of(user)
    assert (after != before).any()
    np.testing.assert_array_equal(
        np.take(after, end, axis=axis) == LIVER, np.take(before, end - step, axis=axis) == LIVER
    )
    assert "Copy Liver from" in user.session.history.undo_name


def test_labels_of_another_mask_are_taken(two_masks):
    user = two_masks
    name = user.program.ws.selection.mask
    user.program.ws.selection.set_label(LESION)
    for label, choice in ((LESION, f"Only {user.session.labels[LESION].name}"), (0, "All labels")):
        asked = fill_in(user, "sourceDialog.ok", [("sourceLabels", choice)])
        user.key(Qt.Key_L, Qt.ControlModifier)
        settle(user)
        assert asked == ["sourceDialog"]
        draft = array_of(user)
        wanted = np.where(draft == label, draft, 0) if label else draft
        np.testing.assert_array_equal(array_of(user, name), wanted)
    for _ in range(2):
        user.key(Qt.Key_Z, Qt.ControlModifier)
    assert not array_of(user, name).any()


def test_masks_are_combined_into_the_first(two_masks):
    user = two_masks
    name = user.program.ws.selection.mask
    fill_in(user, "sourceDialog.ok")
    user.key(Qt.Key_L, Qt.ControlModifier)
    settle(user)
    draft = array_of(user)
    asked = fill_in(
        user, "combineDialog.ok",
        [
            ("combineFirst", "draft"), ("combineSecond", name),
            ("combineHow", "The first without the second"),
            ("combineLabels", f"Only {user.session.labels[LIVER].name}"),
        ],
    )  # fmt: skip
    user.program.ws.selection.set_label(LIVER)
    user.key(Qt.Key_B, Qt.ControlModifier)
    settle(user)
    assert asked == ["combineDialog"]
    np.testing.assert_array_equal(array_of(user), np.where(draft == LIVER, 0, draft))
    np.testing.assert_array_equal(array_of(user, name), draft)
    user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(array_of(user), draft)


@pytest.mark.parametrize("key", [Qt.Key_L, Qt.Key_B])
def test_without_another_mask_it_is_said(opened, key):
    with opened.qtbot.waitSignal(opened.program.acts.refused) as refused:
        opened.key(key, Qt.ControlModifier)
    assert refused.args == ["There is no other mask in this case"]


# --- difference


def colours(view) -> dict[str, int]:
    """Pixels of a view with the colours of the comparison."""
    image = view.grab().toImage()
    data = np.frombuffer(image.constBits().asarray(image.byteCount()), np.uint8)
    shown = data.reshape(image.height(), -1, 4)[..., 2::-1].astype(int)
    wanted = {"green": (63, 184, 104), "red": (224, 82, 79), "blue": (74, 163, 223)}
    return {name: int((np.abs(shown - rgb) < 6).all(axis=-1).sum()) for name, rgb in wanted.items()}


def test_the_difference_is_shown_blinks_and_follows_edits(two_masks):
    user, views = two_masks, two_masks.program.ws.views
    name = user.program.ws.selection.mask
    view = user.view(2)
    region = next(r for r in user.session.regions["draft"].regions.values() if r.label == LIVER)
    center = np.array(region.centroid_ras)
    views.set_frame(crosshair_ras=center, center_ras=center)
    views.set_options(crosshair_visible=False)
    before = colours(view)
    user.key(Qt.Key_Y)
    settle(user)
    assert colours(view)["red"] > before["red"] + 50, "the draft alone has the liver"
    user.program.ws.selection.set_label(LIVER)
    fill_in(user, "sourceDialog.ok", [("sourceMask", "draft")])
    user.key(Qt.Key_L, Qt.ControlModifier)
    settle(user)
    same = colours(view)
    assert same["blue"] > before["blue"] + 50
    assert same["red"] <= before["red"]
    user.key(Qt.Key_3)
    user.drag(view, [center, center + np.array((2.0, 0.0, 0.0))], Qt.RightButton)
    settle(user)
    assert colours(view)["red"] > before["red"] + 10, "what was erased is missing now"
    user.key(Qt.Key_Y, Qt.ShiftModifier)
    assert user.program.views.difference.alone == name
    assert colours(view)["blue"] <= before["blue"]
    user.key(Qt.Key_Y, Qt.ShiftModifier)
    assert user.program.views.difference.alone == "draft"
    user.key(Qt.Key_Y)
    assert colours(view)["red"] <= before["red"]
    assert not user.program.commands.action("view.difference").isChecked()


def test_nothing_to_compare_with_is_said(opened):
    with opened.qtbot.waitSignal(opened.program.views.refused) as refused:
        opened.key(Qt.Key_Y)
    assert "no other mask" in refused.args[0]
    assert not opened.program.commands.action("view.difference").isChecked()
