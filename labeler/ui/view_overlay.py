"""What stands over the image of a view: texts, letters, scale bar, crosshair, frame.

Plain functions of a painter and a value; the view decides what to say, this module how it looks.
Nothing is boxed and nothing covers the anatomy but thin lines and small letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from PyQt5.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PyQt5.QtGui import QColor, QPainter, QPen

from labeler.ui.style import ACCENT, AMBER, DIM, FAINT, SMALL_PX, TEXT, scaled
from labeler.ui.view_text import PlacedText, draw_texts, place_text, text_size

MARGIN_PX = 8
DETAIL_PX = SMALL_PX + 1
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
    notice: str = ""
    progress: float | None = None
    notice_colour: str = DIM
    active: bool = False


def paint_overlay(
    painter: QPainter,
    size: QSize,
    overlay: Overlay,
    crosshair: QPointF | None = None,
    right_inset_px: int = 0,
) -> None:
    """Draw everything of ``overlay`` into a view of ``size``.

    Parameters
    ----------
    crosshair
        Where its lines cross, ``None`` when they are not shown.
    right_inset_px
        Strip at the right edge that the slider takes.
    """
    if overlay.notice:
        _paint_notice(painter, size, overlay)
    else:
        if crosshair is not None:
            _paint_crosshair(painter, size, crosshair)
        bar = _ScaleBar.of(size, overlay.mm_per_px)
        if bar is not None:
            _paint_scale_bar(painter, bar)
        ratio = painter.device().devicePixelRatioF()
        draw_texts(painter, _texts(overlay, size.width(), size.height(), right_inset_px, ratio))
    if overlay.active:
        _paint_frame(painter, size)


def scale_bar_mm(view_width_px: float, mm_per_px: float) -> int:
    """Longest round length that takes at most about a fifth of the view's width."""
    room_mm = view_width_px * SCALE_BAR_SHARE * mm_per_px
    fitting = [step for step in SCALE_STEPS_MM if step <= room_mm]
    return fitting[-1] if fitting else SCALE_STEPS_MM[0]


@lru_cache(maxsize=32)
def _texts(
    overlay: Overlay, width: int, height: int, right_inset_px: int, ratio: float
) -> tuple[PlacedText, ...]:
    """Lay out all texts; while a case is scrolled through, most views keep theirs."""
    size = QSize(width, height)
    texts = _letters(size, overlay.edge_letters, right_inset_px, ratio)
    texts += _corners(size, overlay, right_inset_px, ratio)
    bar = _ScaleBar.of(size, overlay.mm_per_px)
    if bar is not None:
        middle = QPointF((bar.left + bar.right) / 2, bar.y - bar.tick)
        label = f"{bar.length_mm} mm"
        texts.append(place_text(middle, label, ratio, align=(0.5, 1.0), size_px=SMALL_PX))
    return tuple(texts)


def _corners(size: QSize, overlay: Overlay, inset: int, ratio: float) -> list[PlacedText]:
    margin = scaled(MARGIN_PX)
    right, bottom = size.width() - margin - inset, size.height() - margin
    step = text_size("0", DETAIL_PX).height()
    texts = []
    for row, line in enumerate(reversed(overlay.region)):
        is_name = row == len(overlay.region) - 1
        at, colour = QPointF(margin, bottom - row * step), overlay.region_colour
        texts.append(
            place_text(
                at, line, ratio, align=(0.0, 1.0), size_px=DETAIL_PX,
                colour=colour if is_name else TEXT, bold=is_name,
            )
        )  # fmt: skip
    if size.width() < NARROW_PX:
        return texts
    at = QPointF(right, margin)
    texts.append(place_text(at, overlay.window, ratio, align=(1.0, 0.0), size_px=DETAIL_PX))
    for row, line in enumerate(reversed(overlay.offset)):
        at, colour = QPointF(right, bottom - row * step), TEXT if row == 0 else AMBER
        texts.append(
            place_text(at, line, ratio, align=(1.0, 1.0), size_px=DETAIL_PX, colour=colour)
        )
    return texts


def _letters(
    size: QSize, letters: tuple[str, str, str, str], right_inset_px: int, ratio: float
) -> list[PlacedText]:
    inset = scaled(5)
    width, height = size.width(), size.height()
    places = (
        (QPointF(inset, height / 2), (0.0, 0.5)),
        (QPointF(width - inset - right_inset_px, height / 2), (1.0, 0.5)),
        (QPointF(width / 2, inset), (0.5, 0.0)),
        (QPointF(width / 2, height - inset), (0.5, 1.0)),
    )
    return [
        place_text(at, letter, ratio, align=align, colour=AMBER, size_px=DETAIL_PX, bold=True)
        for letter, (at, align) in zip(letters, places, strict=True)
    ]


class _ScaleBar(NamedTuple):
    """A bar left of the middle, so that the lower orientation letter keeps its place."""

    length_mm: int
    left: float
    right: float
    y: float
    tick: int

    @staticmethod
    def of(size: QSize, mm_per_px: float) -> _ScaleBar | None:
        """The bar of a view; none where there is no room for it."""
        if size.height() < LOW_PX:
            return None
        length_mm = scale_bar_mm(size.width(), mm_per_px)
        right = size.width() // 2 - scaled(18) + 0.5
        y = size.height() - scaled(MARGIN_PX + 3) + 0.5
        return _ScaleBar(length_mm, right - length_mm / mm_per_px, right, y, scaled(3))


def _paint_scale_bar(painter: QPainter, bar: _ScaleBar) -> None:
    lines = [
        QLineF(bar.left, bar.y, bar.right, bar.y),
        QLineF(bar.left, bar.y - bar.tick, bar.left, bar.y + bar.tick),
        QLineF(bar.right, bar.y - bar.tick, bar.right, bar.y + bar.tick),
    ]
    painter.setRenderHint(QPainter.Antialiasing, False)
    for colour, width in ((QColor(0, 0, 0, 150), 3.0), (QColor(TEXT), 1.0)):
        painter.setPen(QPen(colour, width, Qt.SolidLine, Qt.FlatCap))
        painter.drawLines(lines)


def _paint_crosshair(painter: QPainter, size: QSize, at: QPointF) -> None:
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


def _paint_frame(painter: QPainter, size: QSize) -> None:
    painter.setRenderHint(QPainter.Antialiasing, False)
    pen = QPen(QColor(ACCENT), scaled(1))
    pen.setJoinStyle(Qt.MiterJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.NoBrush)
    inset = pen.widthF() / 2
    box = QRectF(0, 0, size.width(), size.height())
    painter.drawRect(box.adjusted(inset, inset, -inset, -inset))


def _paint_notice(painter: QPainter, size: QSize, overlay: Overlay) -> None:
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
