"""The pictures along the spine as users of pyqtgraph build them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from scipy.interpolate import CubicSpline

from labeler.workflows.draw_spine import SpinePicture

LINE_POINTS = 140
WINDOW_HU = (-450.0, 1350.0)


class PyqtgraphSpine(pg.GraphicsLayoutWidget):
    """Two images with a curve, dots and names each, and a plot of the distances.

    Parameters
    ----------
    pictures
        Sagittal and coronal.
    places_ras
        By level, from the head down.
    """

    def __init__(
        self, pictures: Sequence[SpinePicture], places_ras: Mapping[str, npt.NDArray[np.float64]]
    ) -> None:
        super().__init__()
        self._planes = [picture.plane for picture in pictures]
        self._places = np.array(list(places_ras.values()))
        self._lines, self._dots, self._names = [], [], []
        for picture in pictures:
            box = self.addViewBox(lockAspect=True, invertY=True, enableMouse=False)
            image = pg.ImageItem(axisOrder="row-major")
            image.setImage(picture.image_hu, levels=WINDOW_HU, autoLevels=False)
            line, dots = pg.PlotCurveItem(pen=pg.mkPen("#4aa3df", width=2)), pg.ScatterPlotItem()
            names = [pg.TextItem(level) for level in places_ras]
            for item in (image, line, dots, *names):
                box.addItem(item)
            self._lines.append(line)
            self._dots.append(dots)
            self._names.append(names)
        plot = self.addPlot()
        self._gaps = plot.plot(symbol="o")
        self._show()

    def drag(self, index: int, n_steps: int) -> Iterator[None]:
        """Move a centroid step by step; each is painted when it is yielded."""
        for step in range(n_steps):
            self._places[index, :2] += (0.5, -0.5) if step % 2 else (-0.4, 0.6)
            self._show()
            self.viewport().repaint()
            yield

    def rename(self, levels: Mapping[str, object]) -> Iterator[None]:
        """Give all other names, and paint."""
        for names in self._names:
            for item, level in zip(names, levels, strict=True):
                item.setText(level)
        self.viewport().repaint()
        yield

    def _show(self) -> None:
        z = self._places[::-1, 2]
        heights = np.linspace(z[0], z[-1], LINE_POINTS)
        sides = CubicSpline(z, self._places[::-1, :2])(heights)
        line_ras = np.column_stack((sides, heights))
        parts = zip(self._planes, self._lines, self._dots, self._names, strict=True)
        for plane, line, dots, names in parts:
            rows, columns = plane.to_pixels(line_ras).T
            line.setData(columns, rows)
            at = plane.to_pixels(self._places)
            dots.setData(at[:, 1], at[:, 0])
            for item, (row, column) in zip(names, at, strict=True):
                item.setPos(column, row)
        gaps = np.linalg.norm(np.diff(self._places, axis=0), axis=1)
        self._gaps.setData(gaps, np.arange(len(gaps), dtype=float))
