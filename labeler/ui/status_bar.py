"""The bottom line: what is saved, where the cursor is, what it measures, what went wrong."""

from __future__ import annotations

from collections.abc import Iterable

from PyQt5.QtCore import QEvent, QSize, Qt, QTime, QTimer
from PyQt5.QtGui import QMouseEvent, QResizeEvent
from PyQt5.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QStatusBar,
    QWidget,
)

from labeler.core.geometry import FloatArray
from labeler.core.volume import PHASES
from labeler.state.placement import placed_volume_grid
from labeler.ui import formats, style
from labeler.ui.badges import dot_icon
from labeler.workflows.workspace import Workspace

MESSAGE_MS = 6000


class StatusBar(QStatusBar):
    """Listens to session and views; the wiring tells it about saving, loading and refusals."""

    def __init__(self, ws: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("statusBar")
        self.setAccessibleName("Status")
        self.setSizeGripEnabled(False)
        self._ws = ws
        self._saved_at: QTime | None = None
        self._is_saving = False
        self._save_errors: list[str] = []
        self._shown_state: tuple[str, str, str] | None = None
        self._hovered_ras: FloatArray | None = None
        self._dot = QLabel(self)
        self._saved = _text(self, "savedState", "Whether every change is on disk")
        self._place = _text(self, "cursorPlace", "Cursor (or crosshair) in RAS millimetres")
        self._values = _text(self, "cursorValues", "What every phase measures there")
        self._message = MessageLabel(self)
        self._loading = _text(self, "loadingText", "What is being read or computed")
        self._loading.setProperty("dim", True)
        self._progress = QProgressBar(self)
        self._lay_out()
        ws.session.history_changed.connect(self._show_saved)
        ws.session.changed.connect(self._show_saved)
        ws.session.case_opened.connect(self._case_opened)
        ws.session.problem_found.connect(self._problem_found)
        ws.session.volume_loaded.connect(self._show_cursor)
        ws.views.hovered.connect(self._hovered)
        ws.views.moved.connect(self._show_cursor)
        self._show_saved()
        self._show_cursor()

    def show_message(self, sentence: str) -> None:
        """Show a sentence for a few seconds (an error comes back after it)."""
        self._message.show_message(sentence)

    def show_error(self, sentence: str) -> None:
        """Show a sentence in red until it is clicked."""
        self._message.show_error(sentence)

    def show_saving(self) -> None:
        """Say that files are being written."""
        self._is_saving = True
        self._show_saved()

    def show_saved(self, when: QTime | None = None) -> None:
        """Say that everything is on disk since ``when`` (now)."""
        self._is_saving = False
        self._saved_at = when or QTime.currentTime()
        self._show_saved()
        if not self._ws.session.is_dirty:
            self._forget_save_errors()

    def show_save_error(self, sentence: str) -> None:
        """Say that saving failed, until it is clicked, all is saved or the case is left."""
        self._is_saving = False
        self._show_saved()
        self._save_errors.append(sentence)
        self.show_error(sentence)

    def show_progress(self, text: str, fraction: float | None = None) -> None:
        """Show what is going on at the right; ``None``: nobody knows how long."""
        self._loading.setText(text)
        self._progress.setRange(0, 0 if fraction is None else 1000)
        if fraction is not None:
            self._progress.setValue(round(1000 * fraction))
        self._progress.setVisible(True)

    def hide_progress(self) -> None:
        """Nothing is going on any more."""
        self._loading.clear()
        self._progress.setVisible(False)

    def _lay_out(self) -> None:
        self._dot.setFixedWidth(style.scaled(9))
        self._progress.setObjectName("loadingProgress")
        self._progress.setAccessibleName("Progress")
        self._progress.setTextVisible(False)
        self._progress.setFixedWidth(style.scaled(90))
        self._progress.setVisible(False)
        self._values.setProperty("dim", True)
        self._place.setProperty("dim", True)
        widest = formats.place((-288.8, -288.8, -1888.8))
        self._place.setMinimumWidth(self.fontMetrics().horizontalAdvance(widest))
        line = QWidget(self)
        line.setObjectName("statusLine")
        layout = QHBoxLayout(line)
        layout.setContentsMargins(*(style.scaled(px) for px in (10, 2, 10, 2)))
        layout.setSpacing(style.scaled(6))
        layout.addWidget(self._dot)
        layout.addWidget(self._saved)
        layout.addSpacing(style.scaled(12))
        layout.addWidget(self._place)
        layout.addSpacing(style.scaled(12))
        layout.addWidget(self._values)
        layout.addSpacing(style.scaled(12))
        layout.addWidget(self._message, 1)
        layout.addWidget(self._loading)
        layout.addWidget(self._progress)
        # a permanent widget is never covered by the tips of menu entries
        self.addPermanentWidget(line, 1)

    def _forget_save_errors(self) -> None:
        self._message.take_back(self._save_errors)
        self._save_errors.clear()

    def _case_opened(self, _case: object) -> None:
        self._forget_save_errors()
        self._saved_at = None
        self._is_saving = False
        self._show_saved()
        self._show_cursor()

    def _problem_found(self, where: str, sentence: str) -> None:
        # those of a phase, a mask or the case stand in the view, the row or the report panel
        if where == "app":
            self.show_error(sentence)

    def _show_saved(self) -> None:
        state = self._saved_state()
        if state == self._shown_state:
            return  # a stroke changes the session with every move of the mouse
        self._shown_state = state
        text, colour, tip = state
        self._saved.setText(text)
        self._saved.setToolTip(tip)
        self._saved.setStyleSheet(f"color: {colour}")
        self._dot.setPixmap(dot_icon(colour, 8).pixmap(style.scaled(8)))
        self._dot.setVisible(bool(text))

    def _saved_state(self) -> tuple[str, str, str]:
        """Words, colour and explanation of what is on disk."""
        session = self._ws.session
        if session.case is None:
            return "", style.FAINT, ""
        if self._is_saving:
            return "Saving \u2026", style.ACCENT, "Files are being written"
        if session.is_dirty:
            return "Edited", style.AMBER, "There are changes that are not on disk (Ctrl+S saves)"
        if session.read_only_reason:
            return "Read-only", style.AMBER, session.read_only_reason
        if self._saved_at is not None:
            time = self._saved_at.toString("HH:mm:ss")
            return f"Saved {time}", style.GREEN, f"Everything is on disk since {time}"
        return "No changes", style.FAINT, "Nothing was changed since the case was opened"

    def _hovered(self, ras: FloatArray | None) -> None:
        self._hovered_ras = ras
        self._show_cursor()

    def _show_cursor(self) -> None:
        session = self._ws.session
        if not session.volumes:
            self._place.clear()
            self._values.clear()
            return
        ras = self._ws.views.crosshair_ras if self._hovered_ras is None else self._hovered_ras
        self._place.setText(formats.place(ras))
        known = [phase for phase in PHASES if phase in session.volumes]
        known += [phase for phase in session.volumes if phase not in PHASES]
        values = [f"{phase} {self._value_at(phase, ras)}" for phase in known]
        self._values.setText(" \u00b7 ".join(values) + " HU")

    def _value_at(self, phase: str, ras: FloatArray) -> str:
        """Value of a phase at a RAS point, its breathing shift included."""
        grid = placed_volume_grid(self._ws.session, phase)
        if grid is None:
            return formats.UNKNOWN
        ijk = grid.nearest_ijk(ras)
        if not grid.contains(ijk):
            return formats.UNKNOWN
        i, j, k = ijk
        return formats.whole(float(self._ws.session.volumes[phase].array[k, j, i]))


class MessageLabel(QLabel):
    """One line for sentences: passing ones go by themselves, errors when they are clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("statusMessage")
        self.setAccessibleName("Message")
        self.setTextFormat(Qt.PlainText)
        self.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Preferred)
        self._sentence = ""
        self._colour = ""
        self._errors: list[str] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(MESSAGE_MS)
        self._timer.timeout.connect(self._passed)

    @property
    def sentence(self) -> str:
        """What is shown, unshortened."""
        return self._sentence or (self._errors[-1] if self._errors else "")

    def show_message(self, sentence: str) -> None:
        self._sentence = sentence
        self._timer.start()
        self._show()

    def show_error(self, sentence: str) -> None:
        if sentence in self._errors:
            self._errors.remove(sentence)
        self._errors.append(sentence)
        self._passed()

    def take_back(self, sentences: Iterable[str]) -> None:
        """Forget errors that are none any more."""
        self._errors = [error for error in self._errors if error not in set(sentences)]
        self._show()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take away what is shown; the error before it comes back."""
        if self._errors and not self._sentence:
            self._errors.pop()
        self._passed()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.FontChange:
            self._show()

    def hideEvent(self, event: QEvent) -> None:
        self._timer.stop()
        super().hideEvent(event)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def _passed(self) -> None:
        self._timer.stop()
        self._sentence = ""
        self._show()

    def _show(self) -> None:
        is_error = bool(self._errors) and not self._sentence
        more = f"  (+{len(self._errors) - 1} more)" if is_error and len(self._errors) > 1 else ""
        text = self.sentence + more
        colour = style.RED if is_error else style.TEXT
        if colour != self._colour:  # a new sheet lays the whole line out anew
            self._colour = colour
            self.setStyleSheet(f"color: {colour}")
        self.setText(self.fontMetrics().elidedText(text, Qt.ElideRight, self.width()))
        self.setToolTip(f"{text}\nClick to dismiss" if is_error else text)
        self.setCursor(Qt.PointingHandCursor if is_error else Qt.ArrowCursor)


def _text(parent: QWidget, name: str, tip: str) -> QLabel:
    label = QLabel(parent)
    label.setObjectName(name)
    label.setAccessibleName(tip)
    label.setToolTip(tip)
    label.setTextFormat(Qt.PlainText)
    return label
