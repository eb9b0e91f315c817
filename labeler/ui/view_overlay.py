"""What stands over the image of a view: texts, letters, scale bar, crosshair, frame.

Plain functions of a painter and a value; the view decides what to say, this module how it looks.
Nothing is boxed and nothing covers the anatomy but thin lines and small letters.
"""

from __future__ import annotations

from dataclasses import dataclass

from PyQt5.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt
from PyQt5.QtGui import QColor, QPainter, QPen

from labeler.ui.style import ACCENT, AMBER, DIM, FAINT, SMALL_PX, TEXT, scaled
from labeler.ui.view_text import draw_text, text_size

MARGIN_PX = 8
CROSSHAIR_GAP_PX = 14
CROSSHAIR_OPACITY = 0.75

#: Lengths a scale bar may have.
SCALE_STEPS_MM = (1, 2, 5, 10, 20, 50, 100, 200, 500)
SCALE_BAR_SHARE = 0.22

#: Below these sizes of a view the less needed texts are left out.
NARROW_PX, LOW_PX = 300, 200


@dataclass(frozen=True)
class Overlay:
    """What a view says about its image.

    Attributes
    ----------
    edge_letters
        Patient directions at the left, right, top and bottom edge.
    mm_per_px
        Zoom, for the scale bar.
    window, offset
        Top right and bottom right text lines.
    region
        Bottom left lines about the selected region, and their colour.
    crosshair_px
        Where the lines cross, ``None`` when they are not shown.
    notice, notice_colour
        One sentence in the middle instead of an image that is not there ("" when it is).
    progress
        How much of the image has been read (0..1), ``None`` when it is not being read.
    active
        Whether keys act on this view.
    """

    edge_letters: tuple[str, str, str, str]
    mm_per_px: float
    window: str = ""
    offset: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    region_colour: str = TEXT
    crosshair_px: tuple[float, float] | None = None
    notice: str = ""
    progress: float | None = None
    notice_colour: str = DIM
    active: bool = False


def paint_overlay(
    painter: QPainter, size: QSizeF, overlay: Overlay, right_inset_px: float = 0.0
) -> None:
    """Draw everything of ``overlay`` into a view of ``size``.

    ``right_inset_px`` is a strip at the right edge that the slider takes.
    """
    painter.save()
    if overlay.notice:
        _paint_notice(painter, size, overlay)
    else:
        if overlay.crosshair_px is not None:
            _paint_crosshair(painter, size, QPointF(*overlay.crosshair_px))
        _paint_letters(painter, size, overlay.edge_letters, right_inset_px)
        _paint_corners(painter, size, overlay, right_inset_px)
        if size.height() >= LOW_PX:
            _paint_scale_bar(painter, size, overlay.mm_per_px)
    if overlay.active:
        _paint_frame(painter, size)
    painter.restore()


def scale_bar_mm(view_width_px: float, mm_per_px: float) -> int:
    """Longest round length that takes at most about a fifth of the view's width."""
    room_mm = view_width_px * SCALE_BAR_SHARE * mm_per_px
    fitting = [step for step in SCALE_STEPS_MM if step <= room_mm]
    return fitting[-1] if fitting else SCALE_STEPS_MM[0]


def text_block_height(lines: int, size_px: float = SMALL_PX + 1) -> float:
    """Height of that many lines of corner text."""
    return lines * text_size("0", size_px).height()


def _paint_corners(
    painter: QPainter, size: QSizeF, overlay: Overlay, right_inset_px: float
) -> None:
    margin = scaled(MARGIN_PX)
    right, bottom = size.width() - margin - right_inset_px, size.height() - margin
    small = SMALL_PX + 1
    if size.width() >= NARROW_PX:
        draw_text(
            painter,
            QPointF(right, margin),
            overlay.window,
            align=(1.0, 0.0),
            size_px=small,
        )
    step = text_block_height(1, small)
    for index, line in enumerate(reversed(overlay.region)):
        first = index == len(overlay.region) - 1
        draw_text(
            painter,
            QPointF(margin, bottom - index * step),
            line,
            align=(0.0, 1.0),
            size_px=small,
            colour=overlay.region_colour if first else TEXT,
        )
    if size.width() >= NARROW_PX:
        for index, line in enumerate(reversed(overlay.offset)):
            draw_text(
                painter,
                QPointF(right, bottom - index * step),
                line,
                align=(1.0, 1.0),
                size_px=small,
                colour=TEXT if index == 0 else AMBER,
            )


def _paint_letters(
    painter: QPainter, size: QSizeF, letters: tuple[str, str, str, str], right_inset_px: float
) -> None:
    inset = scaled(5)
    width, height = size.width(), size.height()
    places = (
        (QPointF(inset, height / 2), (0.0, 0.5)),
        (QPointF(width - inset - right_inset_px, height / 2), (1.0, 0.5)),
        (QPointF(width / 2, inset), (0.5, 0.0)),
        (QPointF(width / 2, height - inset), (0.5, 1.0)),
    )
    for letter, (anchor, align) in zip(letters, places, strict=True):
        draw_text(
            painter, anchor, letter, align=align, colour=AMBER, size_px=SMALL_PX + 1, bold=True
        )


def _paint_scale_bar(painter: QPainter, size: QSizeF, mm_per_px: float) -> None:
    """A bar left of the middle, so that the lower orientation letter keeps its place."""
    length_mm = scale_bar_mm(size.width(), mm_per_px)
    length_px = length_mm / mm_per_px
    letter_room = scaled(18)
    y = round(size.height() - scaled(MARGIN_PX + 3)) + 0.5
    right = round(size.width() / 2 - letter_room) + 0.5
    left = right - length_px
    tick = scaled(3)
    lines = [
        QLineF(left, y, right, y),
        QLineF(left, y - tick, left, y + tick),
        QLineF(right, y - tick, right, y + tick),
    ]
    painter.setRenderHint(QPainter.Antialiasing, False)
    for colour, width in ((QColor(0, 0, 0, 150), 3.0), (QColor(TEXT), 1.0)):
        painter.setPen(QPen(colour, width, Qt.SolidLine, Qt.FlatCap))
        painter.drawLines(lines)
    draw_text(
        painter,
        QPointF((left + right) / 2, y - tick),
        f"{length_mm} mm",
        align=(0.5, 1.0),
        size_px=SMALL_PX,
    )


def _paint_crosshair(painter: QPainter, size: QSizeF, at: QPointF) -> None:
    """Two lines of one device pixel with a gap, so that the point itself stays visible."""
    x, y, gap = int(at.x()) + 0.5, int(at.y()) + 0.5, scaled(CROSSHAIR_GAP_PX)
    colour = QColor(ACCENT)
    colour.setAlphaF(CROSSHAIR_OPACITY)
    painter.setRenderHint(QPainter.Antialiasing, False)
    painter.setPen(QPen(colour, 0))
    painter.drawLines(
        QLineF(0, y, x - gap, y),
        QLineF(x + gap, y, size.width(), y),
        QLineF(x, 0, x, y - gap),
        QLineF(x, y + gap, x, size.height()),
    )


def _paint_frame(painter: QPainter, size: QSizeF) -> None:
    painter.setRenderHint(QPainter.Antialiasing, False)
    pen = QPen(QColor(ACCENT), scaled(1))
    pen.setJoinStyle(Qt.MiterJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.NoBrush)
    inset = pen.widthF() / 2
    box = QRectF(0, 0, size.width(), size.height())
    painter.drawRect(box.adjusted(inset, inset, -inset, -inset))


def _paint_notice(painter: QPainter, size: QSizeF, overlay: Overlay) -> None:
    """One sentence, wrapped, in the middle; below it how far reading is."""
    painter.setPen(QColor(overlay.notice_colour))
    box = QRectF(0, 0, size.width(), size.height())
    margin = scaled(24)
    text_box = box.adjusted(margin, margin, -margin, -margin)
    painter.drawText(text_box, Qt.AlignCenter | Qt.TextWordWrap, overlay.notice)
    if overlay.progress is None:
        return
    width, height = min(scaled(160), size.width() - 2 * margin), scaled(3)
    bar = QRectF((size.width() - width) / 2, size.height() / 2 + scaled(22), width, height)
    painter.fillRect(bar, QColor(FAINT))
    bar.setWidth(width * min(1.0, max(0.0, overlay.progress)))
    painter.fillRect(bar, QColor(ACCENT))
