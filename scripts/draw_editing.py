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
from PyQt5.QtCore import QPoint, QPointF, Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QDoubleSpinBox, QLineEdit, QSpinBox

from labeler.state.selection import EditLimits
from labeler.ui.label_picker import LabelPopup
from labeler.ui.limits_popup import LimitsPopup
from labeler.ui.region_operation_dialog import RegionOperationDialog
from labeler.ui.tool_button import ToolButton


def contour(p: Pictures) -> None:
    """Freehand, nearly around."""
    p.begin(Qt.Key_2)
    way = p.around(0.3, 0.82)
    p.hold(way)
    p.take("contour")
    p.release(way[-1])


def erase_contour(p: Pictures) -> None:
    """Corner by corner around what is too much."""
    p.begin(Qt.Key_5, drawn=True)
    for right, down in ((2, -21), (20, -20), (22, -3), (14, -5), (9, -8)):
        p.click(p.mm(right, down))
    p.move(p.mm(4, -13))
    p.take("contour-erase")


def livewire(p: Pictures) -> None:
    """Four corners; the way from the last one snaps to the edge."""
    p.begin(Qt.Key_8)
    for turn in (0.25, 0.42, 0.6, 0.78):
        p.click(p.edge(turn, -1.3))
    p.move(p.edge(0.99, -1.3))
    p.take("livewire")
    p.key(Qt.Key_Escape)


def bend(p: Pictures) -> None:
    """A point of the contour is pulled."""
    p.begin(Qt.Key_7, drawn=True, brush_mm=14.0)
    p.move(p.mm(0, 0))
    edge = p.edge(0.95)
    p.hold([edge + QPointF(6 * step, -3 * step) for step in range(8)])
    p.take("bend-contour")
    p.key(Qt.Key_Escape)
    p.release(edge)


def brush(p: Pictures) -> None:
    """In the middle of a stroke."""
    p.begin(Qt.Key_3)
    way = [p.mm(-9 + step, 5 * math.sin(step / 4)) for step in range(18)]
    p.hold(way)
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
    p.hold(way)
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
    p.ws.selection.set_limits(EditLimits(LIVER, ("ART", 100.0, 180.0)))
    p.move(p.mm(4, 0))
    p.take("threshold-paint")


def limits(p: Pictures) -> None:
    """The limits while they are set, and what they leave."""
    p.begin(Qt.Key_3)
    p.ws.selection.set_limits(EditLimits(LIVER, ("ART", 99.0, 180.0)))
    p.key(Qt.Key_O)
    popup = p.program.window.findChild(LimitsPopup)
    popup.findChild(QSpinBox, "lowestHu").setValue(100)
    p.take("limits", popup, QPoint(940, 42))
    popup.close()


def fill(p: Pictures) -> None:
    """The area under the pointer, before the click."""
    p.begin(Qt.Key_2)
    p.drag(p.around(0.3))
    p.drag(p.around(-9.0), Qt.RightButton)
    p.key(Qt.Key_6)
    p.move(p.mm(1, 1))
    p.take("fill")


def between(p: Pictures) -> None:
    """Drawn on two slices; what would be between them is offered."""
    p.begin(Qt.Key_2)
    spacing = p.ws.session.masks["prediction"].mask.grid.spacing_mm[2]
    for steps, more_mm in ((-2, -2.0), (2, -0.5)):
        p.ws.views.set_crosshair(p.centre + np.array((0.0, 0.0, steps * spacing)))
        p.drag(p.around(more_mm))
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
    for step in range(1, 10):
        p.move(start + QPointF(0.0, -2 * step))
    p.settle()
    p.take("grow")
    p.release(start)


def scribble(p: Pictures) -> None:
    """Inside a line, outside a dotted one, between them the edge that was found."""
    p.begin(Qt.Key_G)
    p.drag([p.mm(-8 + step, 3 * math.sin(step / 2)) for step in range(18)])
    p.drag(p.around(5.0), Qt.RightButton)
    p.move(p.mm(34, 20))
    p.take("scribble")


def axes(p: Pictures) -> None:
    """Long and short axis, an end under the pointer."""
    p.begin(Qt.Key_E, drawn=True)
    p.settle()
    found = p.program.views.axes.found
    assert found is not None
    lesion_ras, p.centre = p.centre, np.mean(found.axes.long_ras, axis=0)
    p.frame()
    p.move(p.view.pos_of(np.array(found.axes.long_ras[1])))
    p.take("axes")
    p.centre = lesion_ras


def split(p: Pictures) -> None:
    """A line across the region."""
    p.begin(Qt.Key_0, drawn=True)
    way = [p.mm(-24 + 2 * step, 10 - step * 0.7) for step in range(25)]
    p.hold(way)
    p.take("split")
    p.key(Qt.Key_Escape)
    p.release(way[-1])


def labels(p: Pictures) -> None:
    """The list of labels, searched."""
    p.begin(Qt.Key_3)
    p.program.window.findChild(ToolButton, "activeLabel").click()
    popup = p.program.window.findChild(LabelPopup)
    QTest.keyClicks(popup.findChild(QLineEdit), "me")
    p.take("labels", popup, QPoint(655, 42))
    popup.close()


def region_grow(p: Pictures) -> None:
    """An operation on the selected region, before it is done."""
    p.begin(Qt.Key_1, drawn=True)
    p.key(Qt.Key_Equal)
    dialog = p.program.window.findChild(RegionOperationDialog)
    dialog.findChild(QDoubleSpinBox).setValue(3.0)
    p.settle()
    p.take("region-grow", dialog, QPoint(790, 90))
    dialog.reject()
    p.settle()


def history(p: Pictures) -> None:
    """Some steps, the last two taken back."""
    p.begin(Qt.Key_2)
    p.drag(p.around(0.3))
    p.key(Qt.Key_4)
    p.drag([p.edge(0.9), p.edge(0.95)])
    p.drag([p.edge(0.2), p.edge(0.25)])
    p.key(Qt.Key_3)
    p.drag([p.edge(0.6), p.edge(0.63)])
    p.key(Qt.Key_5)
    p.drag([p.edge(0.7, 2.0), p.edge(0.75, 2.0), p.edge(0.72, -4.0)])
    p.key(Qt.Key_H)
    for _ in range(2):
        p.key(Qt.Key_Z, Qt.ControlModifier)
        p.settle()
    p.frame()
    p.take_panel("history", "historyPanel")
    p.key(Qt.Key_H)


def difference(p: Pictures) -> None:
    """Two masks compared."""
    p.key(Qt.Key_Escape)
    for mask in p.ws.session.masks:
        p.show_mask(mask)
    p.ws.selection.set_mask("prediction")
    p.frame()
    p.key(Qt.Key_Y)
    p.settle()
    p.take("difference")
    p.key(Qt.Key_Y)


PICTURES: tuple[Callable[[Pictures], None], ...] = (
    contour, erase_contour, livewire, bend, brush, ball, eraser, smart, threshold, limits, fill,
    between, grow, scribble, axes, split, labels, region_grow, history,
)  # fmt: skip


def main(example: str, out: str, *names: str) -> None:
    """Draw all pictures, or those of some functions."""
    pictures = open_example(Path(example), Path(out))
    difference(pictures)  # as long as both masks have the lesion
    pictures.forget_lesion()
    for draw in PICTURES:
        if not names or draw.__name__ in names:
            draw(pictures)
    pictures.program.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
