"""Weights of networks: safetensors, which cannot carry code, loaded by path and hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from inference.cards import read_card, sha256_of

if TYPE_CHECKING:
    import torch

__all__ = ["checked_bytes", "load_weights", "read_card", "save_weights", "sha256_of"]


def checked_bytes(path: Path, sha256: str) -> bytes:
    """Return the content of a file, if it is the one its card speaks of.

    Raises
    ------
    ValueError
        It is missing, or its SHA-256 is another.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"the weights {path} cannot be read: {error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ValueError(
            f"the weights {path} are not those of the card: "
            f"SHA-256 {found[:12]}..., not {sha256[:12]}..."
        )
    return data


def save_weights(path: Path, state_dict: Mapping[str, torch.Tensor]) -> str:
    """Write a state dict whole or not at all, and return the SHA-256 of the file.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``.
    state_dict : mapping of str to Tensor
        Copied to the processor; tensors that share memory are written once each.
    """
    from safetensors.torch import save

    tensors = {name: t.detach().cpu().contiguous().clone() for name, t in state_dict.items()}
    data = save(tensors)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    return hashlib.sha256(data).hexdigest()


def load_weights(path: Path, sha256: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a file of weights, on the processor.

    Raises
    ------
    ValueError
        The file is missing, not the one expected, or no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    data = checked_bytes(path, sha256)  # read once: what was hashed is what is loaded
    try:
        return load(data)
    except SafetensorError as error:
        raise ValueError(f"the weights {path} are no safetensors file: {error}") from error
