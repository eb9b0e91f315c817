"""The same four views as users of pyqtgraph build them; only where `make bench` installs it."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PyQt5.QtGui import QColor, QPainterPath, QPen
from PyQt5.QtWidgets import QGraphicsPathItem

from benchmarks.scroll_kernel import WINDOW_HU
from labeler.core.contours import Contour, label_contours
from labeler.core.labels import LabelTable
from labeler.core.rendering import colour_table


class PyqtgraphView(pg.GraphicsLayoutWidget):
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
