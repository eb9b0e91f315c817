"""How a centroid looks: a dot with its level beside it, ringed while it is selected."""

from __future__ import annotations

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QPainter, QPen

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
    painter.setRenderHint(QPainter.Antialiasing)
    painter.setOpacity(opacity)
    painter.setPen(QPen(QColor(0, 0, 0, 170), scaled(1.5)))
    painter.setBrush(QColor(colour))
    painter.drawEllipse(at, scaled(DOT_PX), scaled(DOT_PX))
    if is_selected:
        painter.setBrush(Qt.NoBrush)
        for pen in (QPen(QColor(0, 0, 0, 150), scaled(4)), QPen(QColor(BRIGHT), scaled(2))):
            painter.setPen(pen)
            painter.drawEllipse(at, scaled(RING_PX), scaled(RING_PX))
    painter.setOpacity(1.0)


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
    for at, name, colour, _ in sorted(names, key=lambda entry: not entry[3]):
        size = text_size(name, size_px, bold=True)
        corner = at + QPointF(scaled(RING_PX + 5), 0.0)
        if at.x() < width < corner.x() + size.width():
            corner = at - QPointF(scaled(RING_PX + 5) + size.width(), 0.0)
        box = QRectF(corner - QPointF(0.0, size.height() / 2), size)
        if any(box.intersects(other) for other in taken):
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
    for key in layer.from_above():
        depth = transform.grid.to_ijk(layer.ras(key))[axis] - transform.slice_index
        away_mm = max(0.0, abs(float(depth)) - 0.5) * step_mm
        if away_mm < FAR_MM:
            shown[key] = 1.0 if away_mm <= NEAR_MM else 0.75 * (1 - away_mm / FAR_MM)
    return shown
