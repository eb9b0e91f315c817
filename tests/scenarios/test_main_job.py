"""The main job: open a case, see it in step, go from region to region, correct, save, next."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtWidgets import QApplication

from labeler.core.geometry import Plane
from labeler.workflows.open_folder import Roots
from tests.cases_on_disk import SHAPE_IJK, affine, labels_ijk, write_case, write_image
from tests.gui.view_world import drag
from tests.scenarios.conftest import stop

PHASES = ("NC", "ART", "PV", "DL")


@pytest.fixture
def cohort(tmp_path):
    """Three cases; the last one lacks the delayed phase."""
    for case_id in ("LV-1", "LV-2"):
        write_case(tmp_path, case_id)
    write_case(tmp_path, "LV-3", phases=("NC", "ART", "PV"))
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "radiology.csv").write_text(
        "case_id,findings\nLV-1,Two lesions in segment 8.\nLV-2,Nothing.\n"
    )
    return tmp_path


def pixels(widget) -> np.ndarray:
    image = widget.grab().toImage()
    data = image.constBits().asarray(image.byteCount())
    return np.frombuffer(data, np.uint8).reshape(image.height(), image.bytesPerLine()).copy()


def square(center_ras, half_mm: float):
    """Corners of a square around a point of an axial slice, closed."""
    x, y, z = center_ras
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    return [np.array((x + sx * half_mm, y + sy * half_mm, z)) for sx, sy in signs]


def test_open_look_jump_correct_save_next(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    session = user.session
    assert set(session.volumes) == set(PHASES)
    pictures = [pixels(user.view(index)) for index in range(4)]
    assert all(picture.std() > 5 for picture in pictures)
    assert "Two lesions in segment 8." in user.shown_text("reportPanel")

    user.key(Qt.Key_N)
    first = user.program.ws.selection.region
    assert first is not None
    user.key(Qt.Key_N)
    assert user.program.ws.selection.region != first

    before = session.masks["draft"].mask.array.copy()
    user.program.ws.selection.set_label(12)
    user.key(Qt.Key_2)
    crosshair = user.program.ws.views.crosshair_ras
    user.drag(user.view(2), square(crosshair, 9.0))
    after = session.masks["draft"].mask.array
    drawn = int((after == 12).sum())
    assert 60 <= drawn <= 110, "an 18 mm square on a 2 mm grid has about 81 voxels"
    assert session.history.undo_name.startswith("Draw contour")

    user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(session.masks["draft"].mask.array, before)
    user.key(Qt.Key_Z, Qt.ControlModifier | Qt.ShiftModifier)
    assert int((session.masks["draft"].mask.array == 12).sum()) == drawn
    user.wait(user.program.has_settled)
    assert 12 in {region.label for region in session.regions["draft"].regions.values()}

    with user.qtbot.waitSignal(user.program.saver.saved, timeout=60_000):
        user.key(Qt.Key_S, Qt.ControlModifier)
    assert not session.is_dirty
    mask = session.masks["draft"].mask
    on_disk = nib.load(cohort / "masks" / "LV-1" / "draft.nii.gz")
    np.testing.assert_allclose(on_disk.affine, affine())
    expected = mask.axis_order.to_file(mask.array)
    np.testing.assert_array_equal(np.asanyarray(on_disk.dataobj), expected)

    user.key(Qt.Key_PageDown, Qt.ControlModifier)
    user.wait(lambda: session.case.id == "LV-2" and user.program.has_settled())
    user.key(Qt.Key_PageUp, Qt.ControlModifier)
    user.wait(lambda: session.case.id == "LV-1" and user.program.has_settled())
    np.testing.assert_array_equal(session.masks["draft"].mask.array, mask.array)


def test_switching_while_loading_ends_at_the_last_click(user, cohort):
    user.open(cohort)
    for case_id in ("LV-1", "LV-2", "LV-3", "LV-1", "LV-3"):
        user.click_case(case_id, settle=False)
    user.wait(lambda: user.session.case is not None and user.session.case.id == "LV-3")
    user.wait(user.program.has_settled)
    assert set(user.session.volumes) == {"NC", "ART", "PV"}
    notice = user.program.views.views[3].scene.notice("DL")
    assert "No delayed phase" in notice.text


def test_region_jump_brings_every_phase_to_the_region(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    for number in range(3):
        user.click_region(number)
        ref = user.program.ws.selection.region
        region = user.session.region(ref.mask, ref.region_id)
        grid = user.session.masks[ref.mask].mask.grid
        point_ras = grid.to_ras(region.first_kji[::-1])
        assert region.first_k == region.box.lo_kji[0]
        for index in range(4):
            transform = user.view(index).transform
            depth = transform.grid.to_ijk(point_ras)[Plane.AXIAL.normal_axis]
            assert abs(depth - transform.slice_index) <= 0.5 + 1e-6
            x, y = transform.ras_to_screen(point_ras)
            assert 0 <= x <= user.view(index).width()
            assert 0 <= y <= user.view(index).height()


def test_brush_erase_and_delete_each_undo_by_name(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    session = user.session
    start = session.masks["draft"].mask.array.copy()
    user.key(Qt.Key_N)
    center = user.program.ws.views.crosshair_ras.copy()
    names = []
    user.key(Qt.Key_3)
    user.drag(user.view(2), [center, center + np.array((6.0, 0.0, 0.0))])
    names.append(session.history.undo_name)
    user.drag(user.view(2), [center, center + np.array((2.0, 0.0, 0.0))], Qt.RightButton)
    names.append(session.history.undo_name)
    user.wait(user.program.has_settled)
    user.key(Qt.Key_Delete)
    names.append(session.history.undo_name)
    assert [name.split()[0] for name in names] == ["Brush", "Erase", "Delete"]
    for _ in names:
        user.key(Qt.Key_Z, Qt.ControlModifier)
    np.testing.assert_array_equal(session.masks["draft"].mask.array, start)
    assert not session.is_dirty


@pytest.mark.parametrize(("button", "is_saved"), [("Save", True), ("Discard", False)])
def test_leaving_with_unsaved_edits_asks_once(user, cohort, button, is_saved):
    user.open(cohort)
    user.click_case("LV-1")
    user.key(Qt.Key_N)
    user.key(Qt.Key_Delete)
    remaining = set(np.unique(user.session.masks["draft"].mask.array))
    asked = user.answer(button)
    user.click_case("LV-2")
    assert len(asked) == 1
    on_disk = np.asanyarray(nib.load(cohort / "masks" / "LV-1" / "draft.nii.gz").dataobj)
    assert (set(np.unique(on_disk)) == remaining) is is_saved
    user.click_case("LV-1")
    assert not user.session.is_dirty


def test_staying_keeps_case_and_edits(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    user.key(Qt.Key_N)
    user.key(Qt.Key_Delete)
    asked = user.answer("Stay")
    user.click_case("LV-2", settle=False)
    user.wait(lambda: len(asked) == 1)
    QApplication.processEvents()
    assert user.session.case.id == "LV-1"
    assert user.session.is_dirty
    user.program.saver.save()
    user.wait(lambda: not user.session.is_dirty)


def views_split(grid) -> tuple[float, float]:
    """Share of width and height that the first view has."""
    first = grid.views[0]
    return first.width() / grid.width(), first.height() / grid.height()


def test_settings_survive_a_restart(start, cohort):
    user = start()
    user.open(cohort)
    user.click_case("LV-1")
    user.key(Qt.Key_W)
    user.key(Qt.Key_X)
    user.key(Qt.Key_D)
    user.key(Qt.Key_2, Qt.ControlModifier)
    user.key(Qt.Key_1, Qt.AltModifier)
    views = user.program.ws.views
    kept = (
        views.windows_linked, views.crosshair_visible, views.style("draft").fill_opacity,
        views.panes, views.window("NC"),
    )  # fmt: skip
    user.program.ws.selection.set_brush_mm(7.0)
    grid = user.widget("viewGrid")
    middle, corner = grid.rect().center(), QPoint(grid.width() // 3, 2 * grid.height() // 3)
    drag(grid, middle, corner)
    split = views_split(grid)
    assert split[0] < 0.4 < 0.6 < split[1]
    stop(user.program)

    again = start().program
    views = again.ws.views
    assert kept == (
        views.windows_linked, views.crosshair_visible, views.style("draft").fill_opacity,
        views.panes, views.window("NC"),
    )  # fmt: skip
    assert again.ws.selection.brush_mm == 7.0
    assert views_split(again.views) == pytest.approx(split, abs=0.01)
    assert kept[:2] == (False, False)


def test_wrong_mask_is_refused_and_the_case_stays_usable(user, cohort):
    write_image(cohort / "masks" / "LV-1" / "shifted.nii.gz", labels_ijk(), affine(300.0))
    user.open(cohort)
    user.click_case("LV-1")
    assert list(user.session.masks) == ["draft"]
    assert "shifted.nii.gz is refused" in user.shown_text("reportPanel")
    user.key(Qt.Key_N)
    assert user.program.ws.selection.region is not None


def test_a_new_mask_is_drawn_saved_and_found_again(user, cohort):
    user.open(cohort)
    user.click_case("LV-2")
    user.program.ws.views.set_options(active=2)
    asked = user.answer("Add mask")
    user.key(Qt.Key_N, Qt.ControlModifier)
    assert asked == ["maskNameDialog"]
    name = user.program.ws.selection.mask
    assert name != "draft"
    assert name in user.session.masks
    user.key(Qt.Key_3)
    center = user.program.ws.views.crosshair_ras.copy()
    user.drag(user.view(2), [center, center + np.array((4.0, 4.0, 0.0))])
    painted = user.session.masks[name].mask.array.copy()
    assert painted.any()
    with user.qtbot.waitSignal(user.program.saver.saved, timeout=60_000):
        user.key(Qt.Key_S, Qt.ControlModifier)
    user.click_case("LV-1")
    user.click_case("LV-2")
    np.testing.assert_array_equal(user.session.masks[name].mask.array, painted)
    file = nib.load(user.session.masks[name].file.path)
    assert file.shape == SHAPE_IJK
    np.testing.assert_allclose(file.affine, affine())


def test_a_case_that_is_not_there_is_named(user, cohort):
    user.program.open(Roots(cohort / "images", cohort / "masks"), "LV-9")
    user.wait(user.program.has_settled)
    assert "no case 'LV-9'" in user.widget("statusMessage").text()


def test_a_new_mask_never_takes_the_name_of_a_file_that_cannot_be_read(user, cohort):
    broken = cohort / "masks" / "LV-1" / "draft.nii.gz"
    broken.write_bytes(b"damaged")
    user.open(cohort)
    user.click_case("LV-1")
    user.answer("Add mask")
    with user.qtbot.waitSignal(user.program.saver.saved, timeout=60_000):
        user.key(Qt.Key_N, Qt.ControlModifier)
    assert list(user.session.masks) == ["draft 2"]
    assert broken.read_bytes() == b"damaged"


def test_a_read_only_case_asks_nothing_that_it_would_refuse(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    user.key(Qt.Key_N)
    user.session.read_only_reason = "Somebody has this case open."
    for key, modifier in ((Qt.Key_N, Qt.ControlModifier), (Qt.Key_L, Qt.NoModifier)):
        user.key(key, modifier)  # a dialog would fail the test
        assert user.widget("statusMessage").text() == "Somebody has this case open."
        user.program.status.show_message("")


def test_a_new_mask_gets_its_file_and_saves_nothing_else(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    user.key(Qt.Key_N)
    user.key(Qt.Key_Delete)
    before = (cohort / "masks" / "LV-1" / "draft.nii.gz").read_bytes()
    user.answer("Add mask")
    with user.qtbot.waitSignal(user.program.saver.saved, timeout=60_000):
        user.key(Qt.Key_N, Qt.ControlModifier)
    assert (cohort / "masks" / "LV-1" / "draft 2.nii.gz").exists()
    assert (cohort / "masks" / "LV-1" / "draft.nii.gz").read_bytes() == before
    assert user.session.masks["draft"].mask.is_dirty


def test_done_saves_marks_and_goes_on(user, cohort):
    user.open(cohort)
    user.click_case("LV-1")
    user.key(Qt.Key_Return, Qt.ControlModifier)
    user.wait(lambda: user.session.case.id == "LV-2" and user.program.has_settled())
    assert user.program.worklist.case("LV-1").status == "done"
    user.click_case("LV-1")
    assert user.session.annotations.get("status", "") == "done"
