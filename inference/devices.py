"""Where networks run: a CUDA device if there is one, else the processor."""

from __future__ import annotations

import os

_THREADS_MAX = 16  # networks of our sizes do not get faster with more


def resolve_device(name: str) -> str:
    """Return the device of torch for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    ValueError
        No such device, or none here.
    """
    if name == "cpu":  # without waiting for torch, which not every model needs
        return name
    import torch

    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind != "cuda" or not (index or "0").isdecimal():
        raise ValueError(f"the device must be auto, cpu or cuda, not {name}")
    if not torch.cuda.is_available() or int(index or 0) >= torch.cuda.device_count():
        raise ValueError(f"there is no device {name} here; choose cpu")
    return f"cuda:{index or 0}"


def device_title(device: str) -> str:
    """Return a device with its name, as people are told: ``cuda:0 NVIDIA ...`` or ``cpu``."""
    if device == "cpu":
        return device
    import torch

    return f"{device} {torch.cuda.get_device_name(device)}"


def processor_threads() -> int:
    """Return how many threads a network may use: on larger machines one core stays free."""
    cores = len(os.sched_getaffinity(0))
    return min(cores if cores <= 2 else cores - 1, _THREADS_MAX)
