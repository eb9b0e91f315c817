"""The slice slider of a view: a map of where the regions are."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PyQt5.QtCore import QEvent, QPoint, QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QWheelEvent
from PyQt5.QtWidgets import QSizePolicy, QToolTip, QWidget

from labeler.core.geometry import Grid, Plane
from labeler.core.labels import LabelTable
from labeler.core.regions import Region
from labeler.ui.style import BACKGROUND, BRIGHT, LINE, TEXT, scaled

#: Organs are drawn faint, as a backdrop for the lesions, which are what people look for; without
#: a group in the label table, so is what takes more than this share of the slices.
BACKDROP_SHARE = 0.3
BACKDROP_OPACITY = 0.4
LESION_GROUP = "lesion"

MIN_MARK_PX = 3.0

#: More marks than anybody tells apart.
MANY_REGIONS = 500

#: Regions that are looked at for marks, the largest; a threshold leaves tens of thousands.
MAX_MARKED = 2000

#: Small regions on the same slices stand beside each other, in at most this many columns.
MAX_LANES = 3


@dataclass(frozen=True)
class SliderMark:
    """Slices ``lo <= slice < hi`` that hold a region, its colour, and whether it is backdrop."""

    lo: int
    hi: int
    colour: str
    is_backdrop: bool = False


def region_marks(
    regions: Iterable[Region],
    mask_grid: Grid,
    view_grid: Grid,
    plane: Plane,
    labels: LabelTable,
    hidden_labels: frozenset[int] = frozenset(),
) -> list[SliderMark]:
    """Find which slices of a view hold the regions of a mask, largest region first.

    Where there are very many, those of one label on the same slices share a mark, and the smallest
    have none: a threshold leaves thousands of specks.

    Parameters
    ----------
    mask_grid, view_grid
        Where the mask and the shown phase stand (shifts applied).
    """
    shown = [region for region in regions if region.label not in hidden_labels]
    if not shown:
        return []
    if len(shown) > MAX_MARKED:
        shown = heapq.nlargest(MAX_MARKED, shown, key=lambda region: region.voxels)
    axis = plane.normal_axis
    along = view_grid.to_ijk(mask_grid.to_ras(_corners_ijk(shown)))[..., axis]
    lows = np.floor(along.min(axis=1) + 0.5).astype(int)
    highs = np.floor(along.max(axis=1) + 0.5).astype(int) + 1
    count = view_grid.shape_ijk[axis]
    values = [region.label for region in shown]
    places = np.stack((lows.clip(0), highs.clip(max=count), values), axis=1)
    marks = []
    if len(places) > MANY_REGIONS:
        places = np.unique(places, axis=0)
    for lo, hi, value in places.tolist():
        label = labels[value]
        is_large = hi - lo > BACKDROP_SHARE * count
        is_backdrop = label.group != LESION_GROUP if label.group else is_large
        if lo < hi:
            marks.append(SliderMark(lo, hi, label.colour, is_backdrop))
    return sorted(marks, key=lambda mark: mark.lo - mark.hi)


def _corners_ijk(regions: Sequence[Region]) -> npt.NDArray[np.int64]:
    """Voxel centres of the eight corners of each region's box, ``[region, corner, ijk]``."""
    boxes = np.array([(region.box.lo_kji, region.box.hi_kji) for region in regions])
    ends = np.stack((boxes[:, 0, ::-1], boxes[:, 1, ::-1] - 1), axis=1)
    choices = np.array(list(itertools.product((0, 1), repeat=3)))
    return ends[:, choices, np.arange(3)]


def lanes_of(marks: Iterable[SliderMark]) -> list[list[SliderMark]]:
    """Distribute marks over as few columns as keep those of common slices apart.

    Beyond :data:`MAX_LANES` the smallest marks share the last column with others.
    """
    lanes: list[list[SliderMark]] = []
    for mark in marks:
        free = (lane for lane in lanes if all(mark.hi <= m.lo or m.hi <= mark.lo for m in lane))
        lane = next(free, None)
        if lane is not None:
            lane.append(mark)
        elif len(lanes) < MAX_LANES:
            lanes.append([mark])
        else:
            lanes[-1].append(mark)
    return lanes


class RegionSlider(QWidget):
    """Thin vertical slider; top is the head, the front or the right side of the patient.

    Signals
    -------
    slice_chosen
        Slice number along the plane's normal.
    """

    slice_chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._count = 0
        self._slice = 0
        self._top_is_last = True
        self._marks: tuple[SliderMark, ...] = ()
        self._map: QPixmap | None = None
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Fixed, QSizePolicy.Expanding)
        self.setCursor(Qt.PointingHandCursor)
        self.setFocusPolicy(Qt.NoFocus)

    @property
    def marks(self) -> tuple[SliderMark, ...]:
        """What the map shows, largest region first."""
        return self._marks

    def set_range(self, count: int, *, top_is_last: bool) -> None:
        """Set the number of slices (0: nothing to slide through) and which end is at the top."""
        if (count, top_is_last) != (self._count, self._top_is_last):
            self._count, self._top_is_last = count, top_is_last
            self._map = None
            self.update()

    def set_slice(self, index: int) -> None:
        """Put the handle at a slice.

        Asks for no repaint: the view below changes as well and paints its children, and two
        requests would make Qt paint the view twice.
        """
        self._slice = index

    def set_marks(self, marks: Iterable[SliderMark]) -> None:
        """Set where regions are."""
        new = tuple(marks)
        if new != self._marks:
            self._marks = new
            self._map = None
            self.update()

    def slice_at(self, y_px: float) -> int:
        """Slice whose part of the track is at a height."""
        track = self._track()
        fraction = (y_px - track.top()) / max(1.0, track.height())
        index = int(np.floor(fraction * self._count))
        index = self._count - 1 - index if self._top_is_last else index
        return min(max(0, index), max(0, self._count - 1))

    def y_of(self, index: float) -> float:
        """Height of the middle of a slice's part of the track."""
        track = self._track()
        fraction = (index + 0.5) / max(1, self._count)
        fraction = 1.0 - fraction if self._top_is_last else fraction
        return track.top() + fraction * track.height()

    def sizeHint(self) -> QSize:
        return QSize(scaled(12), scaled(100))

    def resizeEvent(self, event: QEvent) -> None:
        self._map = None

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._count < 2:
            return
        if self._map is None:
            self._map = self._paint_map()
        painter.drawPixmap(0, 0, self._map)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setPen(QPen(QColor(BACKGROUND), 1.0))
        painter.setBrush(QColor(BRIGHT if self.underMouse() else TEXT))
        height = scaled(6)
        box = QRectF(0, self.y_of(self._slice) - height / 2, self.width(), height)
        painter.drawRoundedRect(box.adjusted(1, 0, -1, 0), height / 2, height / 2)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.LeftButton:
            self._choose(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.LeftButton:
            self._choose(event)
        elif self._count > 1:
            self._show_tip(event.globalPos(), self.slice_at(event.y()))

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # the view scrolls

    def enterEvent(self, event: QEvent) -> None:
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.update()

    def _choose(self, event: QMouseEvent) -> None:
        if self._count > 1:
            index = self.slice_at(event.y())
            self._show_tip(event.globalPos(), index)
            self.slice_chosen.emit(index)

    def _show_tip(self, at: QPoint, index: int) -> None:
        QToolTip.showText(at, f"Slice {index + 1} / {self._count}", self)

    def _track(self) -> QRectF:
        margin = scaled(6)
        return QRectF(0, margin, self.width(), max(1, self.height() - 2 * margin))

    def _paint_map(self) -> QPixmap:
        """Draw track and marks once; they are shown until regions, phase or plane change."""
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(self.size() * ratio)
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setPen(Qt.NoPen)
        track = self._track()
        width = scaled(8)
        bar = QRectF((self.width() - width) / 2, track.top(), width, track.height())
        painter.setBrush(QColor(LINE))
        painter.drawRoundedRect(bar, width / 2, width / 2)
        for mark in self._marks:
            if mark.is_backdrop:
                self._paint_mark(painter, bar, mark, BACKDROP_OPACITY)
        lanes = lanes_of(mark for mark in self._marks if not mark.is_backdrop)
        lane_width = bar.width() / max(1, len(lanes))
        for number, marks in enumerate(lanes):
            lane = QRectF(bar.left() + number * lane_width, bar.top(), lane_width, bar.height())
            for mark in marks:
                self._paint_mark(painter, lane, mark, 1.0)
        painter.end()
        return pixmap

    def _paint_mark(self, painter: QPainter, bar: QRectF, mark: SliderMark, opacity: float) -> None:
        per_slice = bar.height() / max(1, self._count)
        first = self._count - mark.hi if self._top_is_last else mark.lo
        top, height = bar.top() + first * per_slice, (mark.hi - mark.lo) * per_slice
        if height < MIN_MARK_PX:
            top, height = top - (MIN_MARK_PX - height) / 2, MIN_MARK_PX
        painter.setBrush(_colour(mark.colour, opacity))
        painter.drawRoundedRect(QRectF(bar.left(), top, bar.width(), height), 1.5, 1.5)


@lru_cache(maxsize=256)
def _colour(name: str, opacity: float) -> QColor:
    colour = QColor(name)
    colour.setAlphaF(opacity)
    return colour
