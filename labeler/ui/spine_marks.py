"""How a centroid looks: a dot with its level beside it, ringed while it is selected."""

from __future__ import annotations

from functools import lru_cache

from PyQt5.QtCore import QPointF, QRect, QRectF, Qt
from PyQt5.QtGui import QColor, QPainter, QPen, QPixmap

from labeler.ui.spine_layer import SpineLayer
from labeler.ui.style import BRIGHT, TEXT_PX, scaled
from labeler.ui.view_gestures import Canvas
from labeler.ui.view_text import draw_texts, place_text, text_size

DOT_PX, RING_PX = 4.5, 10.0

#: In a slice a dot fades with its distance and is gone from here on.
NEAR_MM, FAR_MM = 3.0, 14.0


def paint_mark(
    painter: QPainter, at: QPointF, colour: str, *, is_selected: bool, opacity: float = 1.0
) -> None:
    """Draw a dot with a dark edge, and a ring around the selected one."""
    ratio = painter.device().devicePixelRatioF()
    pixmap, middle = _mark(colour, is_selected, ratio)
    corner = QPointF(
        round((at.x() - middle) * ratio) / ratio, round((at.y() - middle) * ratio) / ratio
    )
    if opacity != 1.0:
        painter.setOpacity(opacity)
    painter.drawPixmap(corner, pixmap)
    if opacity != 1.0:
        painter.setOpacity(1.0)


@lru_cache(maxsize=64)
def _mark(colour: str, is_selected: bool, ratio: float) -> tuple[QPixmap, float]:
    """Draw a mark once; its picture, and how far its middle is from the corner.

    A spine has fifty of them on the screen, and each move of the mouse draws them all.
    """
    middle = scaled(RING_PX) + scaled(4)
    pixmap = QPixmap(*(round(2 * middle * ratio),) * 2)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.Antialiasing)
    at = QPointF(middle, middle)
    painter.setPen(QPen(QColor(0, 0, 0, 170), scaled(1.5)))
    painter.setBrush(QColor(colour))
    painter.drawEllipse(at, scaled(DOT_PX), scaled(DOT_PX))
    if is_selected:
        painter.setBrush(Qt.NoBrush)
        for pen in (QPen(QColor(0, 0, 0, 150), scaled(4)), QPen(QColor(BRIGHT), scaled(2))):
            painter.setPen(pen)
            painter.drawEllipse(at, scaled(RING_PX), scaled(RING_PX))
    painter.end()
    return pixmap, float(middle)


def paint_names(
    painter: QPainter,
    names: list[tuple[QPointF, str, str, bool]],
    *,
    size_px: float = TEXT_PX,
) -> None:
    """Write levels at the right of their dots, at the edge of the widget at their left.

    One that would cover another is left out.

    Parameters
    ----------
    names
        Place of the dot, level, colour, whether it is selected.
    """
    taken: list[QRectF] = []
    texts = []
    ratio, width = painter.device().devicePixelRatioF(), painter.window().width()
    beside = scaled(RING_PX + 5)
    for at, name, colour, _ in sorted(names, key=lambda entry: not entry[3]):
        size = text_size(name, size_px, bold=True)
        corner = at + QPointF(beside, 0.0)
        if at.x() < width < corner.x() + size.width():
            corner = at - QPointF(beside + size.width(), 0.0)
        box = QRectF(corner - QPointF(0.0, size.height() / 2), size)
        if any(map(box.intersects, taken)):
            continue
        taken.append(box.adjusted(0, size.height() * 0.12, 0, -size.height() * 0.12))
        texts.append(
            place_text(
                corner, name, ratio, align=(0.0, 0.5), colour=colour, size_px=size_px, bold=True
            )
        )
    draw_texts(painter, texts)


def paint_centroids(painter: QPainter, canvas: Canvas) -> None:
    """Draw the centroids near the slice of a view, fainter the further away they are."""
    layer = canvas.scene.spine
    if not layer.is_shown:
        return
    names = []
    for key, opacity in shown_centroids(canvas).items():
        at = canvas.pos_of(layer.ras(key))
        is_selected = key == canvas.ws.spine.key
        paint_mark(painter, at, layer.colour(key), is_selected=is_selected, opacity=opacity)
        if opacity > 0.5:
            names.append((at, layer.name(key), text_colour(layer, key), is_selected))
    paint_names(painter, names)


def mark_rect(canvas: Canvas, key: str) -> QRect:
    """Return what a mark and its name cover in a view, and the names that may depend on it.

    Empty when the view does not show the centroid.
    """
    if not canvas.scene.spine.is_shown or key not in shown_centroids(canvas):
        return QRect()
    name = text_size(canvas.scene.spine.name(key), TEXT_PX, bold=True)
    reach_x = 2 * (scaled(RING_PX + 5) + round(name.width()))
    reach_y = scaled(RING_PX + 5) + 2 * round(name.height())
    at = canvas.pos_of(canvas.scene.spine.ras(key)).toPoint()
    return QRect(at.x() - reach_x, at.y() - reach_y, 2 * reach_x, 2 * reach_y)


def text_colour(layer: SpineLayer, key: str) -> str:
    """Colour of a level's name: that of its doubt, or bright."""
    return BRIGHT if layer.doubt_of(key) is None else layer.colour(key)


def shown_centroids(canvas: Canvas) -> dict[str, float]:
    """Opacity of the centroids near enough to the slice that a view shows, by key."""
    transform, layer = canvas.transform, canvas.scene.spine
    if transform is None:
        return {}
    axis = transform.plane.normal_axis
    step_mm = transform.grid.spacing_mm[axis]
    shown = {}
    depths = transform.grid.to_ijk(layer.points_ras)[:, axis] - transform.slice_index
    for key, depth in zip(layer.from_above(), depths.tolist(), strict=True):
        away_mm = max(0.0, abs(depth) - 0.5) * step_mm
        if away_mm < FAR_MM:
            shown[key] = 1.0 if away_mm <= NEAR_MM else 0.75 * (1 - away_mm / FAR_MM)
    return shown
