"""Drawing four views of a slice, without the program around them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from typing import Protocol

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PyQt5.QtGui import QImage, QPainter, QPaintEvent
from PyQt5.QtWidgets import QApplication, QWidget

from benchmarks import _scene
from benchmarks.registry import Pair, row
from labeler.core.geometry import Plane
from labeler.core.labels import LabelTable
from labeler.core.rendering import MaskLayer, colour_table, render
from labeler.core.slices import SliceCache
from labeler.core.views import ViewTransform

SIZE_PX = 700
WINDOW_HU = (350.0, 40.0)
SLICES = range(100, 240)


class _SliceView(Protocol):
    def show_slice(self, k: int) -> None: ...


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
    from benchmarks._pyqtgraph import PyqtgraphView

    app = QApplication.instance() or QApplication([])
    masks = [_scene.labels(), _scene.second_labels()]
    volumes = list(_scene.phases().values())
    ours = [_OurView(v.array, p, masks) for v, p in zip(volumes, planes, strict=True)]
    theirs = [PyqtgraphView(volume.array, masks) for volume in volumes]
    widgets: list[QWidget] = [*ours, *theirs]
    for widget in widgets:
        widget.resize(SIZE_PX, SIZE_PX)
        widget.show()
    app.processEvents()

    def scroll(views: Sequence[_SliceView]) -> Callable[[], None]:
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
