"""Draw the pictures of docs/models_in_window.md: the liver model at work, by keys.

Usage: ``draw_models.py EXAMPLE OUT``, with the folder of an example that ``ct-labeler example`` has
written. Called by ``scripts/docs-screenshots``; takes as long as the model does.
"""

from __future__ import annotations

import sys
from pathlib import Path

from camera import HCC, Pictures, open_example
from PyQt5.QtCore import QEventLoop, QPoint, QRect, QSize, Qt, QTimer
from PyQt5.QtWidgets import QLineEdit, QWidget

from labeler.state.selection import RegionRef
from labeler.workflows.add_mask import new_mask
from labeler.workflows.region_origins import origins_of
from labeler.workflows.review_case import jump_to_region
from labeler.workflows.review_proposal import go_to_proposed

MODEL, MASK = "liver", "mine"

#: What is cut out of the arterial view around its middle.
VIEW_PX = (520, 360)


def wait(pictures: Pictures) -> None:
    """Run the event loop until the model has ended."""
    loop, looks = QEventLoop(), QTimer()
    looks.timeout.connect(lambda: loop.quit() if not pictures.program.models.running else None)
    looks.start(50)
    loop.exec_()
    pictures.settle()


def show_window(pictures: Pictures) -> None:
    """All panels and views, an empty mask, and nothing over the pictures."""
    window, ws = pictures.program.window, pictures.ws
    for name in ("casesDock", "regionsDock"):
        window.findChild(QWidget, name).show()
    ws.views.set_options(maximized=None, masks_visible=True)
    new_mask(ws, MASK, "PV")
    ws.selection.set_mask(MASK)
    ws.selection.select_region(None)
    pictures.show_mask(MASK)
    pictures.settle()


def run_model(pictures: Pictures) -> None:
    """Choose the model, run it where no answer waits, and go to the largest lesion proposed."""
    program = pictures.program
    pictures.key(Qt.Key_M, Qt.ControlModifier)
    pictures.settle()
    program.model_panel.choice.choose(MODEL)
    if pictures.ws.session.proposals.current is None:
        pictures.key(Qt.Key_R, Qt.ControlModifier)
        wait(pictures)
    proposal = pictures.ws.session.proposals.current
    if proposal is None:
        raise RuntimeError(program.models.lines[-1].text)
    lesions = [n for n, region in proposal.regions.items() if region.label >= HCC]
    go_to_proposed(pictures.ws, max(lesions, key=lambda n: proposal.regions[n].voxels))
    pictures.settle()


def take_view(pictures: Pictures, name: str) -> None:
    """Draw the middle of the arterial view."""
    middle = pictures.view.mapTo(pictures.program.window, pictures.view.rect().center())
    part = QRect(QPoint(), QSize(*VIEW_PX))
    part.moveCenter(middle)
    pictures.save(name, part)


def main(example: str, out: str) -> None:
    """Run the model on the first case of an example and draw every picture."""
    pictures = open_example(Path(example), Path(out))
    show_window(pictures)
    run_model(pictures)
    take_view(pictures, "model-proposal")
    pictures.take_panel("model-panel", "modelPanel")
    pictures.key(Qt.Key_Return, Qt.AltModifier)
    pictures.settle()
    take_view(pictures, "model-accepted")
    pictures.key(Qt.Key_Return, Qt.ControlModifier | Qt.ShiftModifier)
    pictures.settle()
    pictures.key(Qt.Key_M, Qt.ControlModifier)
    ws = pictures.ws
    said = [i for i, origin in origins_of(ws.session, MASK).items() if origin.opinion is not None]
    regions = ws.session.regions[MASK].regions
    jump_to_region(ws, RegionRef(MASK, max(said, key=lambda i: regions[i].voxels)))
    pictures.settle()
    pictures.take_panel("model-curve", "regionPanel")
    panel = pictures.program.reports
    bar = panel.findChild(QWidget, "reportScroll").verticalScrollBar()
    bar.setValue(bar.maximum())
    pictures.take_panel("model-details", "reportPanel")
    pictures.program.regions.findChild(QLineEdit, "regionFilter").setText(MASK)
    pictures.take_panel("model-regions", "regionList")
    pictures.program.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
