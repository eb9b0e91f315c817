"""Drawing four views of a slice, without the program around them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pyqtgraph as pg
from PyQt5.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PyQt5.QtWidgets import QApplication, QGraphicsPathItem, QWidget

from benchmarks import _scene
from benchmarks.registry import Pair, row
from labeler.core.contours import Contour, label_contours
from labeler.core.geometry import Plane
from labeler.core.labels import LabelTable
from labeler.core.rendering import MaskLayer, colour_table, render
from labeler.core.slices import SliceCache
from labeler.core.views import ViewTransform

SIZE_PX = 700
WINDOW_HU = (350.0, 40.0)
SLICES = range(100, 240)


@row(
    "scroll-kernel",
    baseline="pyqtgraph ImageItem + contours",
    reach_ratio=0.25,
    reach_p95=12.0,
)
def scroll_kernel() -> Pair:
    """Four painted 700 px views: CT and two masks with fill and contour."""
    return _four_views([Plane.AXIAL] * 4)


@row("scroll-kernel-planes", reach_p95=12.0, budget_s=4)
def scroll_kernel_planes() -> Pair:
    """The same with a coronal and a sagittal view, scrolling the axial ones."""
    pair = _four_views([Plane.AXIAL, Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL])
    return Pair(pair.ours, None, pair.cleanup)


def _four_views(planes: list[Plane]) -> Pair:
    app = QApplication.instance() or QApplication([])
    masks = [_scene.labels(), _scene.second_labels()]
    volumes = list(_scene.phases().values())
    ours = [_OurView(v.array, p, masks) for v, p in zip(volumes, planes, strict=True)]
    theirs = [_PyqtgraphView(volume.array, masks) for volume in volumes]
    widgets: list[QWidget] = [*ours, *theirs]
    for widget in widgets:
        widget.resize(SIZE_PX, SIZE_PX)
        widget.show()
    app.processEvents()

    def scroll(views: list[_OurView] | list[_PyqtgraphView]) -> Callable[[], None]:
        steps = itertools.cycle([*SLICES, *reversed(SLICES)])

        def show_next() -> None:
            k = next(steps)
            for view in views:
                view.show_slice(k)
            app.processEvents()

        return show_next

    def close() -> None:
        for widget in widgets:
            widget.close()
            widget.deleteLater()

    return Pair(scroll(ours), scroll(theirs), close)


class _OurView(QWidget):
    def __init__(self, values: np.ndarray, plane: Plane, masks: list[np.ndarray]) -> None:
        super().__init__()
        grid, colours = _scene.grid(), colour_table(LabelTable())
        self._values, self._plane = values, plane
        self._layers = [MaskLayer(array, grid, colours) for array in masks]
        self._cache = SliceCache()
        self._pixels = np.zeros((SIZE_PX, SIZE_PX), np.uint32)
        self._image = QImage(
            self._pixels.data, SIZE_PX, SIZE_PX, 4 * SIZE_PX, QImage.Format_RGB32
        )  # fmt: skip

    def show_slice(self, k: int) -> None:
        grid = _scene.grid()
        center = grid.center_ras
        view = ViewTransform.through(
            grid.to_ras((170, 230, k)),
            grid=grid,
            plane=self._plane,
            center_ras=center,
            mm_per_px=512 * 0.75 / SIZE_PX,
            size_px=(SIZE_PX, SIZE_PX),
        )
        render(self._pixels, self._values, view, WINDOW_HU, self._layers, cache=self._cache)
        self.repaint()

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).drawImage(0, 0, self._image)


class _PyqtgraphView(pg.GraphicsLayoutWidget):
    """Image items for the slice and the fills, one path item a mask for the contours."""

    def __init__(self, values: np.ndarray, masks: list[np.ndarray]) -> None:
        super().__init__()
        self._values, self._masks = values, masks
        box = self.addViewBox(lockAspect=True, invertY=True, enableMouse=False)
        self._image = pg.ImageItem(axisOrder="row-major")
        box.addItem(self._image)
        colours = colour_table(LabelTable())
        table = np.stack([colours >> 16, colours >> 8, colours, 38 * (colours > 0)], axis=-1)
        self._fills, self._lines = [], []
        for _ in masks:
            fill = pg.ImageItem(axisOrder="row-major")
            fill.setLookupTable((table & 0xFF).astype(np.uint8))
            fill.setLevels((0, 255))
            box.addItem(fill)
            self._fills.append(fill)
            lines = {}
            for label in range(1, 16):
                item = QGraphicsPathItem()
                pen = QPen(QColor(int(colours[label]) & 0xFFFFFF), 2)
                pen.setCosmetic(True)
                item.setPen(pen)
                box.addItem(item, ignoreBounds=True)
                lines[label] = item
            self._lines.append(lines)
        box.setRange(xRange=(0, 512), yRange=(0, 512), padding=0)

    def show_slice(self, k: int) -> None:
        width, level = WINDOW_HU
        self._image.setImage(
            self._values[k], levels=(level - width / 2, level + width / 2), autoLevels=False
        )
        for array, fill, lines in zip(self._masks, self._fills, self._lines, strict=True):
            fill.setImage(array[k], autoLevels=False)
            contours = label_contours(array[k])
            for label, item in lines.items():
                item.setPath(_path(contours.get(label, ())))
        self.viewport().repaint()


def _path(contours: tuple[Contour, ...]) -> QPainterPath:
    path = QPainterPath()
    for contour in contours:
        x, y = contour.points.T + 0.5
        path.addPath(pg.arrayToQPath(np.append(x, x[0]), np.append(y, y[0])))
    return path
