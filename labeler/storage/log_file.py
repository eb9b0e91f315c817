"""The log that errors are reported with."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler

from labeler.storage.locations import user_local_folder

log = logging.getLogger(__name__)


def log_to_file() -> None:
    """Keep the last messages in the user's folder, for reports of errors; no patient data."""
    folder = user_local_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(folder / "log.txt", maxBytes=2**20, backupCount=1)
    except OSError as error:
        log.warning("no log file: %s", error)
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
