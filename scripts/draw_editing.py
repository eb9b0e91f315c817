"""Draw the pictures of docs/editing.md: every tool in use, in the real window, by mouse and keys.

Usage: ``draw_editing.py EXAMPLE OUT [NAME]...``, with the folder of an example that ``ct-labeler
example`` has written. Called by ``scripts/docs-screenshots``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from camera import LIVER, Pictures, open_example
from PyQt5.QtCore import QPointF, Qt
from PyQt5.QtWidgets import QSpinBox

from labeler.state.selection import EditLimits
from labeler.ui.limits_popup import LimitsPopup


def contour(p: Pictures) -> None:
    """Freehand, nearly around."""
    p.begin(Qt.Key_2)
    way = p.ring(18.0, 60, 0.03)
    p.move(way[0])
    p.press(way[0])
    for pos in way[:47]:
        p.move(pos)
    p.take("contour")
    p.release(way[47])


def erase_contour(p: Pictures) -> None:
    """Corner by corner around what is too much."""
    p.begin(Qt.Key_5, drawn=True)
    for right, down in ((4, -21), (22, -20), (24, 2), (13, -3), (6, -8)):
        p.click(p.mm(right, down))
    p.move(p.mm(2, -12))
    p.take("contour-erase")


def livewire(p: Pictures) -> None:
    """Four corners; the way from the last one snaps to the edge."""
    p.begin(Qt.Key_8)
    for pos in p.ring(18.3, 6)[2:6]:
        p.click(pos)
    p.move(p.mm(18.0, 2.0))
    p.take("livewire")
    p.key(Qt.Key_Escape)


def bend(p: Pictures) -> None:
    """A point of the contour is pulled."""
    p.begin(Qt.Key_7, drawn=True, brush_mm=14.0)
    p.move(p.mm(0, 0))
    edge = p.mm(18.0, 0)
    p.move(edge)
    p.press(edge)
    for step in range(1, 8):
        p.move(edge + QPointF(4 * step, -2 * step))
    p.take("bend-contour")
    p.key(Qt.Key_Escape)
    p.release(edge)


def brush(p: Pictures) -> None:
    """In the middle of a stroke."""
    p.begin(Qt.Key_3)
    way = [p.mm(-11 + step, 5 * math.sin(step / 4)) for step in range(20)]
    p.move(way[0])
    p.press(way[0])
    for pos in way[1:]:
        p.move(pos)
    p.take("brush")
    p.release(way[-1])


def ball(p: Pictures) -> None:
    """A ball, with what it has painted above and below."""
    p.begin(Qt.Key_3, brush_mm=25.0)
    p.key(Qt.Key_B)
    p.drag([p.mm(-4, 0), p.mm(-2, 1)])
    p.move(p.mm(3, 1))
    p.take("brush-3d")


def eraser(p: Pictures) -> None:
    """Has taken a piece away."""
    p.begin(Qt.Key_4, drawn=True)
    way = [p.mm(20 - step, -14 + step / 3) for step in range(14)]
    p.move(way[0])
    p.press(way[0])
    for pos in way[1:]:
        p.move(pos)
    p.take("eraser")
    p.release(way[-1])


def smart(p: Pictures) -> None:
    """What of its circle it would paint."""
    p.begin(Qt.Key_3, brush_mm=40.0)
    p.key(Qt.Key_B, Qt.ShiftModifier)
    p.move(p.mm(6, 0))
    p.take("brush-smart")


def threshold(p: Pictures) -> None:
    """Painting within a range of HU."""
    p.begin(Qt.Key_3, brush_mm=45.0)
    p.ws.selection.set_limits(EditLimits(LIVER, ("ART", 96.0, 180.0)))
    p.move(p.mm(4, 0))
    p.take("threshold-paint")


def limits(p: Pictures) -> None:
    """The limits while they are set, and what they leave."""
    p.begin(Qt.Key_3)
    p.ws.selection.set_limits(EditLimits(LIVER, ("ART", 95.0, 180.0)))
    p.key(Qt.Key_O)
    popup = p.program.window.findChild(LimitsPopup)
    popup.findChild(QSpinBox, "lowestHu").setValue(96)
    p.take("limits", popup)
    popup.close()


def fill(p: Pictures) -> None:
    """The area under the pointer, before the click."""
    p.begin(Qt.Key_2)
    way = p.ring(18.0, 60, 0.02)
    p.drag([*way, way[0]])
    p.drag([*p.ring(9.0, 40), p.ring(9.0, 40)[0]], Qt.RightButton)
    p.key(Qt.Key_6)
    p.move(p.mm(1, 1))
    p.take("fill")


def between(p: Pictures) -> None:
    """Drawn on two slices; what would be between them is offered."""
    p.begin(Qt.Key_2)
    spacing = p.ws.session.masks["prediction"].mask.grid.spacing_mm[2]
    for steps, radius in ((-2, 15.0), (2, 17.5)):
        p.ws.views.set_crosshair(p.centre + np.array((0.0, 0.0, steps * spacing)))
        way = p.ring(radius, 60, 0.02)
        p.drag([*way, way[0]])
    p.ws.views.set_crosshair(p.centre)
    p.key(Qt.Key_I)
    p.settle()
    p.ws.views.set_crosshair(p.centre)
    p.take("between-slices")


def grow(p: Pictures) -> None:
    """What a range of HU takes."""
    p.begin(Qt.Key_9)
    p.ws.selection.set_limits(EditLimits(LIVER))
    start = p.mm(2, 2)
    p.move(start)
    p.press(start)
    p.settle()
    for step in range(1, 6):
        p.move(start + QPointF(2 * step, 2 * step))
    p.settle()
    p.take("grow")
    p.release(start)


def scribble(p: Pictures) -> None:
    """Inside a line, outside a dotted one, between them the edge that was found."""
    p.begin(Qt.Key_G)
    p.drag([p.mm(-8 + step, 3 * math.sin(step / 2)) for step in range(18)])
    around = p.ring(25.0, 60)
    p.drag([*around, around[0]], Qt.RightButton)
    p.move(p.mm(30, 14))
    p.take("scribble")


def axes(p: Pictures) -> None:
    """Long and short axis, an end under the pointer."""
    p.begin(Qt.Key_E, drawn=True)
    p.settle()
    found = p.program.views.axes.found
    if found is not None:
        p.centre = np.mean(found.axes.long_ras, axis=0)
        p.frame()
        p.move(p.view.pos_of(np.array(found.axes.long_ras[1])))
    p.take("axes")
    p.go_to(p.lesion)


def split(p: Pictures) -> None:
    """A line across the region."""
    p.begin(Qt.Key_0, drawn=True)
    way = [p.mm(-24 + 2 * step, 10 - step * 0.7) for step in range(25)]
    p.move(way[0])
    p.press(way[0])
    for pos in way[1:]:
        p.move(pos)
    p.take("split")
    p.key(Qt.Key_Escape)
    p.release(way[-1])


PICTURES: tuple[Callable[[Pictures], None], ...] = (
    contour, erase_contour, livewire, bend, brush, ball, eraser, smart, threshold, limits, fill,
    between, grow, scribble, axes, split,
)  # fmt: skip


def main(example: str, out: str, *names: str) -> None:
    """Draw all pictures, or those of some functions."""
    pictures = open_example(Path(example), Path(out))
    for draw in PICTURES:
        if not names or draw.__name__ in names:
            draw(pictures)
    pictures.program.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
