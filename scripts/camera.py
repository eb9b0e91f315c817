"""The window, a hand and a camera for the pictures of the documentation."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import cv2
import numpy as np
import numpy.typing as npt
from PyQt5.QtCore import QEventLoop, QPoint, QPointF, QRect, Qt, QTimer
from PyQt5.QtGui import QImage
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QWidget

from labeler.app import Program, create_application
from labeler.state.selection import EditLimits, RegionRef
from labeler.workflows.open_folder import Roots
from labeler.workflows.region_acts import relabel_region

WINDOW_PX = (1920, 1080)

#: What is cut out, with the tool bar on top, and where the place that is shown is in it.
PICTURE = QRect(0, 0, 1330, 450)
MIDDLE_PX = QPoint(430, 250)

#: Colours of a picture, and how many of them are taken as they are, the most frequent ones; more
#: make the files large and look the same.
N_COLOURS, N_EXACT = 72, 24
MAX_BYTES = 150_000

MM_PER_PX = 0.14

#: Height of the title of a panel.
HEADER_PX = 34

LIVER, HCC = 1, 11


class Camera:
    """The window and a camera.

    Parameters
    ----------
    program
        The program; the case is open.
    out
        Folder of the pictures.
    """

    def __init__(self, program: Program, out: Path) -> None:
        self.program = program
        self.ws = program.ws
        self.application: QApplication | None = None
        self._out = out
        self._window = program.window

    def settle(self) -> None:
        """Wait for the background."""
        loop, looks = QEventLoop(), QTimer()
        looks.timeout.connect(lambda: loop.quit() if not self.ws.tasks.pending_count else None)
        looks.start(20)
        loop.exec_()

    def save(
        self, name: str, part: QRect, over: QWidget | None = None, at: QPoint | None = None
    ) -> None:
        """Draw a part of the window, in few colours."""
        self.settle()
        cut = _pixels(self._window.grab(part).toImage().convertToFormat(QImage.Format_RGB32))
        if over is not None and at is not None:
            shown = _pixels(over.grab().toImage().convertToFormat(QImage.Format_RGB32))
            under = cut[at.y() : at.y() + len(shown), at.x() : at.x() + shown.shape[1]]
            under[:] = shown[: under.shape[0], : under.shape[1]]
        self._write(name, cut)

    def _write(self, name: str, cut: npt.NDArray[np.uint8]) -> None:
        path = self._out / f"{name}.png"
        if not _in_few_colours(np.ascontiguousarray(cut)).save(str(path), "PNG", 0):
            raise OSError(f"{path} cannot be written")
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path} has {path.stat().st_size} bytes: cut out less")

    def save_widget(self, name: str, widget: QWidget) -> None:
        """Draw a widget by itself, in few colours."""
        self._write(name, _pixels(widget.grab().toImage().convertToFormat(QImage.Format_RGB32)))

    def top(self) -> int:
        """Where the tool bar begins."""
        return self._window.findChild(QWidget, "toolPanel").mapTo(self._window, QPoint()).y()


class Pictures(Camera):
    """The window of the example, a hand, and a camera."""

    def __init__(self, program: Program, out: Path) -> None:
        super().__init__(program, out)
        self._edge_mm: tuple[list[float], list[float]] = ([0.0, 1.0], [1.0, 1.0])
        self._handle = self._window.windowHandle()
        self.view = program.views.views[1]  # arterial: the lesion is seen best
        self.lesion = _largest(program, "prediction", HCC)
        self.centre = np.zeros(3)

    # --- the hand

    def key(self, key: int, modifier: Qt.KeyboardModifier = Qt.NoModifier) -> None:
        QApplication.setActiveWindow(self._window)
        self.view.setFocus()
        QTest.keyClick(self.view, key, modifier)

    def press(self, pos: QPointF, button: Qt.MouseButton = Qt.LeftButton) -> None:
        QTest.mousePress(self._handle, button, Qt.NoModifier, self._at(pos))

    def move(self, pos: QPointF) -> None:
        QTest.mouseMove(self._handle, self._at(pos))

    def release(self, pos: QPointF, button: Qt.MouseButton = Qt.LeftButton) -> None:
        QTest.mouseRelease(self._handle, button, Qt.NoModifier, self._at(pos))

    def drag(self, points: Iterable[QPointF], button: Qt.MouseButton = Qt.LeftButton) -> None:
        first, *others = points
        self.move(first)
        self.press(first, button)
        for point in others:
            self.move(point)
        self.release(others[-1], button)
        self.settle()

    def hold(self, points: Sequence[QPointF]) -> None:
        """Press at the first point and go on to the last; the button stays down."""
        self.move(points[0])
        self.press(points[0])
        for point in points[1:]:
            self.move(point)

    def click(self, pos: QPointF, button: Qt.MouseButton = Qt.LeftButton) -> None:
        self.move(pos)
        self.press(pos, button)
        self.release(pos, button)

    def mm(self, right: float, down: float) -> QPointF:
        """Place on the screen so many mm from the middle of what is shown."""
        return self.view.pos_of(self.centre) + QPointF(right, down) / self.ws.views.mm_per_px

    def edge(self, turn: float, more_mm: float = 0.0) -> QPointF:
        """Place on the edge of the lesion, or outside of it, by turns from the right side on."""
        radius_mm = float(np.interp(turn % 1.0, *self._edge_mm)) + more_mm
        angle = 2 * math.pi * turn
        return self.mm(radius_mm * math.cos(angle), radius_mm * math.sin(angle))

    def around(self, more_mm: float = 0.0, turn: float = 1.0) -> list[QPointF]:
        """The way around the lesion, or a part of it, from the right side on."""
        return [self.edge(at, more_mm) for at in np.linspace(0, turn, 80).tolist()]

    # --- what is in front of the camera

    def prepare(self) -> None:
        """Show the lesion large in one view; make it liver in one of the masks."""
        for name in ("casesDock", "regionsDock"):  # room for the tool bar and the view in one cut
            self._window.findChild(QWidget, name).hide()
        views = self.ws.views
        views.set_options(crosshair_visible=False)
        views.set_options(active=1, maximized=1)
        self.settle()
        self.go_to(self.lesion)

    def forget_lesion(self) -> None:
        """Let the lesion be drawn anew: in the reference it becomes liver."""
        regions = self.ws.session.regions["reference"].regions.values()
        same = min(
            (r for r in regions if r.label == HCC),
            key=lambda region: float(np.linalg.norm(np.array(region.centroid_ras) - self.centre)),
        )
        relabel_region(self.ws, LIVER, RegionRef("reference", same.id))
        self.settle()
        self.ws.session.history.clear()
        self.ws.session.history_changed.emit()

    def show_mask(self, name: str) -> None:
        """Show one mask and hide the other."""
        for mask in self.ws.session.masks:
            style = self.ws.views.style(mask)
            self.ws.views.set_style(mask, replace(style, visible=mask == name))

    def go_to(self, ref: RegionRef, mm_per_px: float = MM_PER_PX) -> None:
        """Bring a region into the middle of the picture, on its largest slice."""
        self.ws.selection.select_region(ref)
        box, crop = self.ws.session.regions[ref.mask].component_crop(ref.region_id)
        k = int(crop.sum(axis=(1, 2)).argmax())
        j, i = (float(ends.mean()) for ends in np.nonzero(crop[k]))
        lo = box.lo_kji
        grid = self.ws.session.masks[ref.mask].mask.grid
        self.centre = grid.to_ras((lo[2] + i, lo[1] + j, lo[0] + k))
        self.ws.views.set_frame(mm_per_px=mm_per_px)
        self.frame()
        self.settle()
        self._edge_mm = _edge_mm(crop[k], (j, i), grid.spacing_mm)

    def frame(self) -> None:
        """Put the middle of what is shown where the picture has it."""
        at = self.view.mapFrom(self._window, PICTURE.topLeft() + MIDDLE_PX + QPoint(0, self.top()))
        away = QPointF(self.view.rect().center() - at)
        self.ws.views.set_frame(
            crosshair_ras=self.centre,
            center_ras=self.centre + self.view.vector_ras(away.x(), away.y()),
        )

    def begin(self, tool: int, *, drawn: bool = False, brush_mm: float = 10.0) -> None:
        """Take back what the picture before has done, and take a tool.

        Parameters
        ----------
        drawn
            Show the mask that has the lesion; in the other one it is liver, so that the tool can
            draw it.
        """
        self.key(Qt.Key_Escape)
        while self.ws.session.history.undo_name is not None:
            self.ws.session.undo()
            self.settle()
        self.show_mask("prediction" if drawn else "reference")
        selection = self.ws.selection
        selection.set_tool("tool.navigate")
        selection.set_brush_form(ball=False, smart=False)
        selection.set_contour_replaces(False)
        selection.set_limits(EditLimits())
        selection.set_brush_mm(brush_mm)
        selection.set_label(HCC)
        if drawn:
            selection.select_region(self.lesion)
        else:
            selection.set_mask("reference")
            selection.select_region(None)
        self.settle()
        self.frame()  # undoing goes to what is undone
        self.key(tool)

    # --- the camera

    def take(self, name: str, over: QWidget | None = None, at: QPoint | None = None) -> None:
        """Draw the tool bar and the place that is shown.

        Parameters
        ----------
        over
            A window of its own that stands over it.
        at
            Where in the picture; the screen there is off screen would move it elsewhere.
        """
        self.save(name, PICTURE.translated(0, self.top()), over, at)

    def take_panel(self, name: str, panel: str) -> None:
        """Draw a panel of the window alone."""
        widget = self._window.findChild(QWidget, panel)
        self.settle()
        part = QRect(widget.mapTo(self._window, QPoint()), widget.size())
        self.save(name, part.adjusted(0, -HEADER_PX, 0, 0))

    def _at(self, pos: QPointF) -> QPoint:
        return self.view.mapTo(self._window, pos.toPoint())


def _pixels(image: QImage) -> npt.NDArray[np.uint8]:
    """Copy an image ``(row, column, rgb)``."""
    data = np.frombuffer(image.constBits().asarray(image.byteCount()), np.uint8)
    rows = data.reshape(image.height(), image.bytesPerLine())
    return rows[:, : 4 * image.width()].reshape(image.height(), -1, 4)[..., 2::-1].copy()


def _in_few_colours(rgb: npt.NDArray[np.uint8]) -> QImage:
    """The picture with a palette of the colours that stand for all of it best."""
    cv2.setRNGSeed(1)
    flat = rgb.reshape(-1, 3).astype(np.float32)
    # Lines and letters are few pixels with colours of their own: each colour counts, not often.
    colours, counts = np.unique(rgb.reshape(-1, 3) // 4, axis=0, return_counts=True)
    sample = np.repeat(colours * 4 + 2, np.minimum(counts, 40), axis=0).astype(np.float32)
    rule = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 20, 1.0)
    start = cv2.KMEANS_PP_CENTERS
    _, _, found = cv2.kmeans(sample, N_COLOURS - N_EXACT, None, rule, 1, start)
    exact, counts = np.unique(rgb.reshape(-1, 3), axis=0, return_counts=True)
    palette = np.concatenate((exact[np.argsort(-counts)[:N_EXACT]], found)).astype(np.float32)
    nearest = np.concatenate(
        [
            ((part[:, np.newaxis] - palette) ** 2).sum(axis=2).argmin(axis=1)
            for part in np.array_split(flat, 64)
        ]
    )
    height, width = rgb.shape[:2]
    indices = np.zeros((height, -(-width // 4) * 4), np.uint8)
    indices[:, :width] = nearest.reshape(height, width)
    image = QImage(indices.data, width, height, indices.shape[1], QImage.Format_Indexed8)
    table = palette.round().astype(int) @ (1 << 16, 1 << 8, 1) | 0xFF000000
    image.setColorTable(table.tolist())
    return image.copy()


def _edge_mm(
    inside: npt.NDArray[np.bool_], middle: tuple[float, float], spacing_mm: tuple[float, ...]
) -> tuple[list[float], list[float]]:
    """Distance of the edge from the middle (row, column) of a shape, by turns."""
    turns = np.linspace(0, 1, 121).tolist()
    radii = []
    for turn in turns:
        right, down = math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn)
        radius = 0.0
        while True:
            row = round(middle[0] + radius * down / spacing_mm[1])
            column = round(middle[1] + radius * right / spacing_mm[0])
            is_in_box = 0 <= row < inside.shape[0] and 0 <= column < inside.shape[1]
            if not (is_in_box and inside[row, column]):
                break
            radius += 0.1
        radii.append(radius)
    return turns, np.convolve(np.pad(radii, 4, "wrap"), np.full(9, 1 / 9), "valid").tolist()


def _largest(program: Program, mask: str, label: int) -> RegionRef:
    regions = program.ws.session.regions[mask].regions.values()
    largest = max((r for r in regions if r.label == label), key=lambda region: region.voxels)
    return RegionRef(mask, largest.id)


def open_case(
    roots: Roots, case_id: str, size_px: tuple[int, int], perspective: str
) -> tuple[QApplication, Program]:
    """Open a case in a window; the application must be kept, or Qt deletes it."""
    application = create_application()
    program = Program(remember=False)
    program.window.resize(*size_px)
    program.window.show()
    program.window.arrange_docks()
    program.ws.perspective.choose(perspective)
    program.open(roots, case_id)
    loop, looks = QEventLoop(), QTimer()
    looks.timeout.connect(lambda: loop.quit() if program.has_settled() else None)
    looks.start(20)
    loop.exec_()
    return application, program


def open_example(root: Path, out: Path) -> Pictures:
    """Open the first case of an example in a window of the usual size."""
    (first, *_) = sorted(folder.name for folder in (root / "images").iterdir())
    reports = tuple(sorted((root / "reports").iterdir()))
    roots = Roots(root / "images", root / "masks", reports)
    application, program = open_case(roots, first, WINDOW_PX, "liver")
    pictures = Pictures(program, out)
    pictures.application = application
    pictures.prepare()
    return pictures
