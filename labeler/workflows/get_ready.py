"""What the first case needs and an empty window does not: compiled kernels, slow libraries, tools.

Starting them with the program would keep the window from being shown, and starting them with the
first case would make that one wait. So it happens in between, in the background, from the moment
the window has been painted for the first time.
"""

from __future__ import annotations

import gc
import importlib

from PyQt5.QtCore import QEvent, QObject, QTimer, pyqtSignal

from labeler.core.warm_up import warm_up
from labeler.state.tasks import TaskContext, TaskRunner

#: Take a fifth of a second each to import: for the usual files, smart brushes, the cache, the line
#: of the spine and the bone around it.
LIBRARIES = ("nibabel", "scipy.ndimage", "blosc2", "scipy.interpolate", "scipy.signal")


class GettingReady(QObject):
    """Makes the program ready to show a case.

    Signals
    -------
    progress
        How much is done (0..1).
    ready
        Slices can be drawn and edited without waiting for a compiler.
    """

    progress = pyqtSignal(float)
    ready = pyqtSignal()

    def __init__(self, tasks: TaskRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self.is_ready = False

    def put_garbage_off(self) -> None:
        """Let Python look for garbage only when all is loaded, and only among what comes after.

        Modules and compiled kernels stay to the end. Looking through them, again and again, would
        stop the window for 50 ms each time.
        """
        gc.disable()
        self.ready.connect(gc.freeze)
        self.ready.connect(gc.enable)

    def begin_when_painted(self, widget: QObject) -> None:
        """Begin after the first painting of a widget."""
        widget.installEventFilter(self)

    def eventFilter(self, widget: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Paint:
            widget.removeEventFilter(self)
            QTimer.singleShot(0, self.begin)  # the painting itself comes first
        return False

    def begin(self) -> None:
        """Compile the kernels, or load them from their caches; then load the libraries."""
        self._tasks.submit(
            "compute", ("get ready",), _warm_up,
            done=lambda _: self._end(), failed=self._failed,
            progress=lambda fraction, _: self.progress.emit(fraction),
        )  # fmt: skip

    def _end(self) -> None:
        self.is_ready = True
        self.ready.emit()
        self._tasks.submit("io", ("libraries",), _load_libraries)

    def _failed(self, error: Exception) -> None:
        """Say what is wrong and go on: what does not need it works."""
        self._tasks.failed.emit(error)
        self._end()


def _warm_up(context: TaskContext) -> None:
    def report(fraction: float) -> None:
        context.check()
        context.report(fraction)

    warm_up(report)


def _load_libraries(context: TaskContext) -> None:
    for name in LIBRARIES:
        context.check()
        importlib.import_module(name)
    from labeler.core.warm_up_tools import warm_up_tools  # brings in all that tools need

    warm_up_tools(lambda fraction: context.check())
