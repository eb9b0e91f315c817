"""Checkpoints that survive being killed at any moment.

The last two are kept: a new one is written beside them, flushed to the disk and renamed. One that
cannot be read is passed over for the one before.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

log = logging.getLogger(__name__)

NAME = "checkpoint.pt"
PREVIOUS = "checkpoint.previous.pt"


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold a folder, so that no second training writes into it.

    The system lets go of it when the process ends, however it ends.

    Raises
    ------
    ValueError
        Another process holds it.
    """
    import fcntl  # of POSIX systems only, like trainings

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"a training is running in {folder} already") from error
        yield


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write the state of a training; the checkpoint before becomes the previous one."""
    partial = folder / f"{NAME}.part"
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    current = folder / NAME
    if current.exists():
        os.replace(current, folder / PREVIOUS)
    os.replace(partial, current)


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """Return the newest state that can be read, None if there is none."""
    for name in (NAME, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torn files fail in many ways
            log.warning("%s cannot be read (%s); trying the one before", path, error)
            continue
        if isinstance(state, dict):
            return state
    return None
