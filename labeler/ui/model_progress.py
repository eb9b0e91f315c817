"""What models are doing: the running case with the time left, and what waits behind it."""

from __future__ import annotations

import html

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QColor
from PyQt5.QtWidgets import QLabel, QListWidget, QListWidgetItem, QProgressBar, QVBoxLayout, QWidget

from labeler.ui import formats, style
from labeler.ui.model_choice import wrapped_label
from labeler.workflows.model_queue import JobLine
from labeler.workflows.run_model import ModelRunner, Progress

#: Rows of the queue that are shown at once.
MAX_ROWS = 4

STATES = {"waiting": "waits", "running": "running", "done": "done", "failed": "failed"}
COLOURS = {
    "waiting": style.DIM,
    "running": style.TEXT,
    "done": style.FAINT,
    "failed": style.AMBER,
}


class ModelProgress(QWidget):
    """Follows a :class:`ModelRunner`; hidden while there is nothing to say."""

    def __init__(self, runner: ModelRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._bar = QProgressBar(self)
        self._text = QLabel(self)
        self._failure = wrapped_label(self, "modelFailure", "Why the last run failed")
        self._queue = QListWidget(self)
        self._dress()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, style.scaled(2), 0, 0)
        layout.setSpacing(style.scaled(4))
        for widget in (self._bar, self._text, self._failure, self._queue):
            layout.addWidget(widget)
        runner.progressed.connect(self._show_progress)
        runner.queue_changed.connect(self._show_queue)
        self._show_queue()

    @property
    def text(self) -> str:
        """What is being done, and how long it takes."""
        return self._text.text()

    def _dress(self) -> None:
        self._bar.setObjectName("modelProgress")
        self._bar.setAccessibleName("Progress of the model")
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 1000)
        self._text.setObjectName("modelStep")
        self._text.setAccessibleName("What the model is doing")
        self._text.setTextFormat(Qt.PlainText)
        self._text.setProperty("dim", True)
        self._failure.setProperty("look", True)
        self._queue.setObjectName("modelQueue")
        self._queue.setAccessibleName("Queue")
        self._queue.setToolTip("Cases that the model is run on, in this order")
        self._queue.setFocusPolicy(Qt.NoFocus)
        self._queue.setSelectionMode(QListWidget.NoSelection)
        self._queue.setUniformItemSizes(True)

    def _show_progress(self, progress: Progress) -> None:
        running = self._runner.running
        if running is None:
            return
        self._bar.setValue(round(1000 * progress.fraction))
        self._text.setText(progress_text(running.case.id, progress))
        self._text.setToolTip(progress.text)

    def _show_queue(self) -> None:
        lines, running = self._runner.lines, self._runner.running
        failed = [line for line in lines if line.state == "failed"]
        self._bar.setVisible(running is not None)
        self._text.setVisible(running is not None)
        self._show_progress(self._runner.progress)
        self._failure.setVisible(bool(failed) and len(lines) == 1)
        if failed:
            self._failure.setText(_failure(failed[-1]))
        self._queue.setVisible(len(lines) > 1)
        self._queue.clear()
        for line in lines:
            item = QListWidgetItem(f"{line.job.case.id}   {STATES[line.state]}", self._queue)
            item.setForeground(QColor(COLOURS[line.state]))
            item.setToolTip(line.text or STATES[line.state])
        row = self._queue.sizeHintForRow(0) if lines else 0
        self._queue.setFixedHeight(min(len(lines), MAX_ROWS) * row + style.scaled(4))
        place = next((n for n, line in enumerate(lines) if line.state == "running"), 0)
        self._queue.scrollToItem(self._queue.item(place))
        self.setVisible(bool(running or failed) or len(lines) > 1)


def progress_text(case_id: str, progress: Progress) -> str:
    """``LV-1: Stage 1, window 3 of 12, 14 s left``."""
    parts = [progress.text] if progress.text else []
    if progress.left_s is not None:
        parts.append(f"{duration(progress.left_s)} left")
    return f"{case_id}: {', '.join(parts)}" if parts else case_id


def duration(seconds: float) -> str:
    """Seconds as people say them: ``14 s``, ``3 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{formats.whole(seconds / 60)} min"


def _failure(line: JobLine) -> str:
    return html.escape(f"{line.job.case.id}: {line.text}")
