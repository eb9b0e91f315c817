"""One picture along the spine, with the centroids on it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PyQt5.QtCore import QPointF, QSize, Qt
from PyQt5.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PyQt5.QtWidgets import QSizePolicy, QWidget

from labeler.core.curved_planes import OUTSIDE_HU
from labeler.core.geometry import FloatArray, Plane
from labeler.state.strip_view import StripView
from labeler.state.view_state import Window
from labeler.ui.spine_layer import SpineLayer
from labeler.ui.spine_marks import paint_mark, paint_names, text_colour
from labeler.ui.spine_probe import Probe
from labeler.ui.style import ACCENT, AMBER, BRIGHT, DIM, SMALL_PX, TEXT_PX, scaled
from labeler.ui.view_text import PlacedText, draw_texts, place_text, text_size
from labeler.ui.view_texts import window_text
from labeler.workflows.draw_spine import SpinePicture
from labeler.workflows.workspace import Workspace

MARGIN_PX = 8

#: How far beyond the edge of the picture the line is drawn.
EDGE_PX = 20.0

#: Points of the line that joins the centroids.
LINE_STEP_MM = 4.0

#: Below this zoom names are written small.
SMALL_MM_PER_PX = 0.9


def grey_values(
    image_hu: npt.NDArray[np.int16],
    window: Window,
    corner_px: tuple[float, float],
    step_px: float,
    size: tuple[int, int],
) -> npt.NDArray[np.uint8]:
    """Return a part of a picture in grey, interpolated; black outside of it.

    Parameters
    ----------
    image_hu
        ``[row, column]``.
    window
        Grey scale.
    corner_px
        Column and row of the picture at the centre of the first pixel.
    step_px
        Pixels of the picture a pixel of the result.
    size
        Width and height of the result.
    """
    matrix = np.array([[step_px, 0, corner_px[0]], [0, step_px, corner_px[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    part = cv2.warpAffine(image_hu, matrix, size, flags=flags, borderValue=(OUTSIDE_HU,))
    scale = 255.0 / window.width_hu
    low = window.level_hu - window.width_hu / 2
    grey = cv2.convertScaleAbs(np.maximum(part, np.int16(low)), alpha=scale, beta=-low * scale)
    return np.ascontiguousarray(grey, np.uint8)


class SpinePane(QWidget):
    """Draws a picture along the spine; what the hand does in it is in ``SpineHand``.

    Parameters
    ----------
    view
        What part is shown; shared with the other picture.
    plane
        Sagittal or coronal.
    """

    def __init__(
        self, ws: Workspace, layer: SpineLayer, view: StripView, plane: Plane, parent: QWidget
    ) -> None:
        super().__init__(parent)
        name = plane.value
        self.setObjectName(f"spine{name.title()}")
        self.setAccessibleName(f"{name.title()} picture along the spine")
        self.setAttribute(Qt.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.StrongFocus)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self.ws = ws
        self.layer = layer
        self.view = view
        self.plane = plane
        self.picture: SpinePicture | None = None
        self._probe = Probe(ws, layer)
        self._backdrop: tuple[tuple[object, ...], QPixmap] | None = None
        self._lined: tuple[tuple[object, ...], QPixmap] | None = None
        layer.changed.connect(self.update)
        layer.moved.connect(self.update)
        layer.dragged.connect(lambda _: self.update())
        view.changed.connect(self.update)
        ws.views.window_changed.connect(lambda _: self.update())

    @property
    def phase(self) -> str:
        """Phase whose grey scale is used."""
        return self.ws.views.panes[0].phase

    def show_picture(self, picture: SpinePicture | None) -> None:
        """Show another picture, or none."""
        self.picture, self._backdrop, self._lined = picture, None, None
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(scaled(420), scaled(700))

    def minimumSizeHint(self) -> QSize:
        return QSize(scaled(140), scaled(200))

    def pos_of(self, ras: FloatArray) -> QPointF:
        """Widget position of a RAS point."""
        (point,) = self.positions(ras[np.newaxis])
        return point

    def positions(self, points_ras: FloatArray) -> list[QPointF]:
        """Widget positions of RAS points ``(n, 3)``."""
        axis = 1 if self.plane is Plane.SAGITTAL else 0
        middle = np.array((self.view.sides_mm[self.plane], self.view.height_mm))
        away = (middle - points_ras[:, (axis, 2)]) / self.view.mm_per_px
        away += (self.width() / 2, self.height() / 2)
        return [QPointF(x, y) for x, y in away.tolist()]

    def side_and_height(self, pos: QPointF) -> tuple[float, float]:
        """RAS y or x, and z, under a widget position."""
        mm = self.view.mm_per_px
        side = self.view.sides_mm[self.plane] - (pos.x() - self.width() / 2) * mm
        return side, self.view.height_mm - (pos.y() - self.height() / 2) * mm

    def ras_at(self, pos: QPointF) -> FloatArray | None:
        """Point of the patient under a widget position, RAS mm; ``None`` without a picture."""
        if self.picture is None:
            return None
        side, height = self.side_and_height(pos)
        plane = self.picture.plane
        row = (plane.top_mm - height) / plane.mm_per_px
        return plane.to_ras(row, (plane.left_mm - side) / plane.mm_per_px)

    def places(self) -> dict[str, tuple[float, float]]:
        """Widget position of each centroid."""
        keys, points = self.layer.from_above(), self.positions(self.layer.points_ras)
        return {key: (at.x(), at.y()) for key, at in zip(keys, points, strict=True)}

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self.picture is None:
            painter.fillRect(self.rect(), QColor("#000000"))
        else:
            painter.setRenderHint(QPainter.Antialiasing)
            self._paint_ground(painter, self.picture)
            self._paint_centroids(painter)
        self._paint_texts(painter)

    def _drawn(self, picture: SpinePicture) -> QPixmap:
        """The picture as it is shown; kept while centroids are dragged over it."""
        view, ratio = self.view, self.devicePixelRatioF()
        window = self.ws.views.window(self.phase)
        key = (
            view.height_mm, view.sides_mm[self.plane], view.mm_per_px, self.width(),
            self.height(), ratio, window,
        )  # fmt: skip
        if self._backdrop is None or self._backdrop[0] != key:
            size = (round(self.width() * ratio), round(self.height() * ratio))
            mm = view.mm_per_px / ratio / picture.plane.mm_per_px
            left = (picture.plane.left_mm - view.sides_mm[self.plane]) / picture.plane.mm_per_px
            top = (picture.plane.top_mm - view.height_mm) / picture.plane.mm_per_px
            corner = (left - (size[0] - 1) / 2 * mm, top - (size[1] - 1) / 2 * mm)
            grey = grey_values(picture.image_hu, window, corner, mm, size)
            image = QImage(grey.data, *size, size[0], QImage.Format_Grayscale8)
            pixmap = QPixmap.fromImage(image)  # in the colours of the screen: drawn by copying
            pixmap.setDevicePixelRatio(ratio)
            self._backdrop = (key, pixmap)
        return self._backdrop[1]

    def _paint_ground(self, painter: QPainter, picture: SpinePicture) -> None:
        """The picture and the line through the centroids, kept while only names change."""
        ground, corner = self._drawn(picture), QPointF(0.0, 0.0)
        if len(self.layer.from_above()) < 2:
            painter.drawPixmap(corner, ground)
        elif self.layer.is_dragging:  # another line with every move
            painter.drawPixmap(corner, ground)
            self._paint_line(painter)
        else:
            key = (ground.cacheKey(), self.layer.curve)
            if self._lined is None or self._lined[0] != key:
                lined = ground.copy()
                onto = QPainter(lined)
                onto.setRenderHint(QPainter.Antialiasing)
                self._paint_line(onto)
                onto.end()
                self._lined = (key, lined)
            painter.drawPixmap(corner, self._lined[1])

    def _paint_line(self, painter: QPainter) -> None:
        line = self._line()
        for colour, width in ((QColor(0, 0, 0, 120), 3.4), (QColor(ACCENT), 1.6)):
            painter.setPen(QPen(colour, scaled(width)))
            painter.drawPolyline(line)

    def _paint_centroids(self, painter: QPainter) -> None:
        layer, selected = self.layer, self.ws.spine.key
        keys, names = layer.from_above(), []
        for key, at in zip(keys, self.positions(layer.points_ras), strict=True):
            is_selected = key == selected
            paint_mark(painter, at, layer.colour(key), is_selected=is_selected)
            names.append((at, layer.name(key), text_colour(layer, key), is_selected))
        is_small = self.view.mm_per_px > SMALL_MM_PER_PX
        paint_names(painter, names, size_px=SMALL_PX + 1 if is_small else TEXT_PX)

    def _line(self) -> QPolygonF:
        """The curve through the centroids, on the screen."""
        curve = self.layer.curve
        # only what is seen: a wrong file may have a centroid kilometres away
        _, top = self.side_and_height(QPointF(0.0, -EDGE_PX))
        _, bottom = self.side_and_height(QPointF(0.0, self.height() + EDGE_PX))
        low, high = np.clip((curve.heights_mm[0], curve.heights_mm[-1]), bottom, top).tolist()
        heights = np.linspace(low, high, max(2, int((high - low) / LINE_STEP_MM)))
        return QPolygonF(self.positions(np.column_stack((curve.at(heights), heights))))

    def _measured(self, ratio: float, margin: int) -> list[PlacedText]:
        """What is measured at the selected vertebra, from the lower corner up; what has room."""
        bottom, texts = self.height() - margin, []
        lines = self._probe.lines()
        for n, line in reversed(list(enumerate(lines))):
            size = TEXT_PX if n == 0 else SMALL_PX + 1
            if text_size(line, size, bold=n == 0).width() > self.width() - 2 * margin:
                continue
            texts.append(
                place_text(
                    QPointF(margin, bottom), line, ratio, align=(0.0, 1.0), size_px=size,
                    colour=BRIGHT if n == 0 else DIM, bold=n == 0,
                )
            )  # fmt: skip
            bottom -= scaled(size + 5)
        return texts

    def _paint_texts(self, painter: QPainter) -> None:
        ratio, margin = self.devicePixelRatioF(), scaled(MARGIN_PX)
        title = self.plane.value.title()
        corner = QPointF(margin, margin)
        texts = [place_text(corner, title, ratio, colour=BRIGHT, bold=True)]
        if self.picture is not None:
            words = "brightest of a slab" if self.picture.is_projection else "along the spine"
            start = margin + text_size(title, TEXT_PX, bold=True).width() + scaled(6)
            room = self.width() - start - margin
            window = window_text(self.ws.views.window(self.phase))
            if text_size(words, SMALL_PX + 1).width() <= room:
                texts.append(
                    place_text(
                        QPointF(start, margin + scaled(1)), words, ratio,
                        colour=DIM, size_px=SMALL_PX + 1,
                    )
                )  # fmt: skip
                room -= text_size(words, SMALL_PX + 1).width() + scaled(10)
            if self.plane is Plane.SAGITTAL and text_size(window, SMALL_PX + 1).width() <= room:
                texts.append(
                    place_text(
                        QPointF(self.width() - margin, margin + scaled(1)), window, ratio,
                        align=(1.0, 0.0), colour=DIM, size_px=SMALL_PX + 1,
                    )
                )  # fmt: skip
            left, right, *_ = self.plane.edge_letters
            for letter, x, align in ((left, margin, 0.0), (right, self.width() - margin, 1.0)):
                at = QPointF(x, self.height() / 2)
                texts.append(place_text(at, letter, ratio, align=(align, 0.5), colour=AMBER))
            if self.plane is Plane.SAGITTAL:
                texts += self._measured(ratio, margin)
        draw_texts(painter, texts)
