"""A program in a process of its own that paints strokes until somebody kills it.

Prints ``stroke N`` when stroke N is in the journal. Usage: ``painter.py ROOT CASE STROKES
[SAVE_EVERY]``: with the last argument it saves after every so many strokes, and paints meanwhile.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PyQt5.QtCore import QTimer

from labeler.app import Program, create_application
from labeler.core.geometry import Plane
from labeler.workflows.edit_mask import BrushStroke
from labeler.workflows.open_folder import Roots


def stroke_points(number: int) -> list[np.ndarray]:
    """Where stroke ``number`` goes, RAS mm."""
    random = np.random.default_rng(number)
    start = np.array((*random.uniform(-30, 30, 2), -96.0 + 4 * (number % 14)))
    return [start, start + np.array((*random.uniform(-15, 15, 2), 0.0))]


def paint(ws, number: int) -> None:
    """Paint stroke ``number`` with label 10 + number % 5."""
    ws.selection.set_label(10 + number % 5)
    stroke = BrushStroke(ws, Plane.AXIAL)
    for point in stroke_points(number):
        stroke.move_to(point)
    stroke.finish()


def main() -> None:
    root, case_id, strokes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    save_every = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    application = create_application()
    program = Program()
    program.window.show()
    program.open(Roots(root / "images", root / "masks"), case_id)
    painted = 0

    def step() -> None:
        nonlocal painted
        ws = program.ws
        if not program.has_settled() or ws.session.case is None:
            return
        if ws.tasks.is_pending_where(lambda key: isinstance(key, tuple) and key[0] == "journal"):
            return
        if painted:
            print(f"stroke {painted}", flush=True)  # noqa: T201 (read by the test)
        if painted < strokes:
            painted += 1
            paint(ws, painted)
            if save_every and painted % save_every == 0:
                program.saver.save()

    timer = QTimer()
    timer.timeout.connect(step)
    timer.start(1)
    application.exec_()


if __name__ == "__main__":
    main()
