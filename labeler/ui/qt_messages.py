"""Qt's own messages go to the log, without what the off-screen platform cannot do."""

from __future__ import annotations

import logging
import sys

from PyQt5.QtCore import QMessageLogContext, QtFatalMsg, QtMsgType, qInstallMessageHandler

log = logging.getLogger("qt")

#: Requests that only a window manager can serve, and a folder that a container does not have.
HARMLESS = ("This plugin does not support", "QStandardPaths: XDG_RUNTIME_DIR not set")

LEVELS = {
    0: logging.DEBUG,
    1: logging.WARNING,
    2: logging.ERROR,
    3: logging.CRITICAL,
    4: logging.INFO,
}


def log_qt_messages() -> None:
    """Send Qt's messages to the log from now on; call before the application is made."""
    qInstallMessageHandler(_handle)


def _handle(kind: QtMsgType, _context: QMessageLogContext, text: str | None) -> None:
    if text and not text.startswith(HARMLESS):
        log.log(LEVELS.get(int(kind), logging.WARNING), text)
    if kind == QtFatalMsg and text:  # Qt ends the process now, before anybody looks into the log
        print(text.partition("\n")[0], file=sys.stderr)  # noqa: T201
