"""Pictures of the real window, drawn without a screen: ``ct-labeler snapshot`` and the docs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QEvent, QEventLoop, QTimer

from labeler.app import Program, create_application
from labeler.state.perspective import PERSPECTIVES
from labeler.ui.qt_messages import log_qt_messages
from labeler.workflows.open_folder import Roots


class SnapshotError(ValueError):
    """The picture that was asked for cannot be drawn; a sentence for the user."""


def snapshot(
    images: Path,
    masks: Path | None,
    reports: tuple[Path, ...],
    case_id: str,
    out: Path,
    size: tuple[int, int],
    region: int | None = None,
    perspective: str = "liver",
    layout: str | None = None,
) -> None:
    """Draw the real window, off screen, as it shows one case.

    Parameters
    ----------
    size
        Width and height of the window in pixels.
    region
        Number of the region in the list to jump to, from 1.

    Raises
    ------
    SnapshotError
        When there is no such perspective or region.
    OSError
        When the picture cannot be written.
    """
    if perspective not in PERSPECTIVES:
        raise SnapshotError(f"The {perspective} perspective is not part of this version.")
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    log_qt_messages()
    application = create_application()
    program = Program(remember=False)
    try:
        program.window.resize(*size)
        program.window.show()
        program.window.arrange_docks()
        program.ws.perspective.choose(perspective)
        program.open(Roots(images, masks, reports, layout), case_id)
        _wait(program.has_settled)
        program.ws.perspective.choose(perspective)  # a case may have opened in another one
        if region is not None and not program.select_region(region):
            raise SnapshotError(f"Case {case_id} has fewer than {region} regions.")
        _wait(program.has_settled)
        out.parent.mkdir(parents=True, exist_ok=True)
        if not program.window.grab().save(str(out), "PNG"):
            raise OSError(f"{out} cannot be written")
    finally:
        program.close()
        program.window.deleteLater()
        application.sendPostedEvents(program.window, QEvent.DeferredDelete)


def _wait(is_done: Callable[[], bool]) -> None:
    """Run the event loop until ``is_done``, at least once around."""
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if is_done() else None)
    timer.start(20)
    loop.exec_()
