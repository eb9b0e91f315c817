"""The window, a hand and a camera for the pictures of the documentation."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
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

#: What is cut out around the place that is shown, the tool bar on top of it.
PICTURE_PX = (900, 420)

#: Colours of a picture; more make the files large and look the same.
N_COLOURS = 48
MAX_BYTES = 150_000

MM_PER_PX = 0.22

LIVER, HCC = 1, 11


class Pictures:
    """The window, a hand, and a camera.

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
        self._bar_px = 0
        self._window = program.window
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

    def click(self, pos: QPointF, button: Qt.MouseButton = Qt.LeftButton) -> None:
        self.move(pos)
        self.press(pos, button)
        self.release(pos, button)

    def mm(self, right: float, down: float) -> QPointF:
        """Place on the screen so many mm from the middle of what is shown."""
        return self.view.pos_of(self.centre) + QPointF(right, down) / self.ws.views.mm_per_px

    def ring(self, radius_mm: float, count: int = 40, uneven: float = 0.0) -> list[QPointF]:
        """Places around the middle, on a circle or near to one."""
        angles = np.linspace(0, 2 * np.pi, count, endpoint=False).tolist()
        radii = [radius_mm * (1 + uneven * math.sin(3 * a)) for a in angles]
        return [
            self.mm(r * math.cos(a), r * math.sin(a)) for r, a in zip(radii, angles, strict=True)
        ]

    def settle(self) -> None:
        """Wait for the background."""
        loop, looks = QEventLoop(), QTimer()
        looks.timeout.connect(lambda: loop.quit() if not self.ws.tasks.pending_count else None)
        looks.start(20)
        loop.exec_()

    # --- what is in front of the camera

    def prepare(self) -> None:
        """Show the lesion large in one view, and one mask."""
        self.ws.views.set_options(crosshair_visible=False)
        style = self.ws.views.style("reference")
        self.ws.views.set_style("reference", replace(style, visible=False))
        self.ws.views.set_options(active=1, maximized=1)
        self.settle()
        self._bar_px = self._window.findChild(QWidget, "toolPanel").height()
        self.go_to(self.lesion)

    def go_to(self, ref: RegionRef, mm_per_px: float = MM_PER_PX) -> None:
        """Bring a region into the middle of the picture, on its largest slice."""
        self.ws.selection.select_region(ref)
        box, crop = self.ws.session.regions[ref.mask].component_crop(ref.region_id)
        k = int(crop.sum(axis=(1, 2)).argmax())
        j, i = (float(ends.mean()) for ends in np.nonzero(crop[k]))
        lo = box.lo_kji
        grid = self.ws.session.masks[ref.mask].mask.grid
        self.centre = grid.to_ras((lo[2] + i, lo[1] + j, lo[0] + k))
        self.ws.views.set_frame(
            crosshair_ras=self.centre, center_ras=self.centre, mm_per_px=mm_per_px
        )
        self.frame()
        self.settle()

    def frame(self) -> None:
        """Put the middle of what is shown into the middle of the picture, which is further up."""
        up = (self.view.height() - PICTURE_PX[1] + self._bar_px) / 2
        self.ws.views.set_frame(center_ras=self.centre + self.view.vector_ras(0.0, up))

    def begin(self, tool: int, *, drawn: bool = False, brush_mm: float = 10.0) -> None:
        """Take back what the picture before has done, and take a tool.

        Parameters
        ----------
        drawn
            Leave the lesion in the mask; otherwise it is liver, and the tool has it to draw.
        """
        self.key(Qt.Key_Escape)
        while self.ws.session.history.undo_name is not None:
            self.ws.session.undo()
            self.settle()
        selection = self.ws.selection
        selection.set_tool("tool.navigate")
        selection.set_brush_form(ball=False, smart=False)
        selection.set_contour_replaces(False)
        selection.set_limits(EditLimits())
        selection.set_brush_mm(brush_mm)
        selection.set_label(HCC)
        self.ws.views.set_crosshair(self.centre)
        self.settle()
        if drawn:
            selection.select_region(self.lesion)
        else:
            relabel_region(self.ws, LIVER, self.lesion)
            selection.select_region(None)
        self.settle()
        self.key(tool)

    # --- the camera

    def take(self, name: str, *over: QWidget, size: tuple[int, int] = PICTURE_PX) -> None:
        """Draw the tool bar and what is below it around the middle of the view.

        Parameters
        ----------
        over
            Windows of their own that stand over it.
        """
        top = self._window.findChild(QWidget, "toolPanel").mapTo(self._window, QPoint()).y()
        middle = self.view.mapTo(self._window, self.view.pos_of(self.centre).toPoint())
        left = middle.x() - size[0] // 2
        self.save(name, QRect(left, top, *size), *over)

    def save(self, name: str, part: QRect, *over: QWidget) -> None:
        """Draw a part of the window, in few colours."""
        QApplication.processEvents()
        picture = self._window.grab().toImage().convertToFormat(QImage.Format_RGB32)
        rgb = _pixels(picture)
        for window in over:
            shown = _pixels(window.grab().toImage().convertToFormat(QImage.Format_RGB32))
            at = window.mapTo(self._window, QPoint()) if window.parent() else window.pos()
            rows = slice(at.y(), at.y() + shown.shape[0])
            rgb[rows, at.x() : at.x() + shown.shape[1]] = shown[
                : rgb.shape[0] - at.y(), : rgb.shape[1] - at.x()
            ]
        cut = rgb[part.top() : part.bottom() + 1, part.left() : part.right() + 1]
        path = self._out / f"{name}.png"
        if not _in_few_colours(np.ascontiguousarray(cut)).save(str(path), "PNG", 0):
            raise OSError(f"{path} cannot be written")
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path} has {path.stat().st_size} bytes: cut out less")

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
    _, _, palette = cv2.kmeans(sample, N_COLOURS, None, rule, 1, cv2.KMEANS_PP_CENTERS)
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


def _largest(program: Program, mask: str, label: int) -> RegionRef:
    regions = program.ws.session.regions[mask].regions.values()
    largest = max((r for r in regions if r.label == label), key=lambda region: region.voxels)
    return RegionRef(mask, largest.id)


def open_example(root: Path, out: Path) -> Pictures:
    """Open the first case of an example in a window of the usual size."""
    application = create_application()
    program = Program(remember=False)
    program.window.resize(*WINDOW_PX)
    program.window.show()
    program.window.arrange_docks()
    (first, *_) = sorted(folder.name for folder in (root / "images").iterdir())
    reports = tuple(sorted((root / "reports").iterdir()))
    program.open(Roots(root / "images", root / "masks", reports), first)
    loop, looks = QEventLoop(), QTimer()
    looks.timeout.connect(lambda: loop.quit() if program.has_settled() else None)
    looks.start(20)
    loop.exec_()
    pictures = Pictures(program, out)
    pictures.application = application  # without a reference Qt would delete it
    pictures.prepare()
    return pictures
