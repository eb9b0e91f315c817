"""Where what ships with the program is, and where a user's models and compiled networks go.

``resources`` and ``config`` stand beside the packages in a checkout and in an editable install,
and inside the package ``labeler`` when the program was installed from a wheel (``setup.py`` puts
them there).
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_ROOT = Path(__file__).resolve().parents[1]
_APP_NAME = "ct-labeler"


def shipped_models_folder() -> Path:
    """Return the folder with one folder per shipped model (it may not exist)."""
    return _shipped("resources") / "models"


def config_folder() -> Path:
    """Return the folder of default settings."""
    return _shipped("config")


def user_models_folder() -> Path:
    """Return the folder in which a user's own models are always found (it may not exist)."""
    override = os.environ.get("CT_LABELER_LOCAL_DIR")
    local = Path(override) if override else platformdirs.user_data_path(_APP_NAME, appauthor=False)
    return local / "models"


def compiled_networks_folder() -> Path:
    """Return the folder of networks compiled for this machine, which can be made again."""
    override = os.environ.get("CT_LABELER_CACHE_DIR")
    cache = Path(override) if override else platformdirs.user_cache_path(_APP_NAME, appauthor=False)
    return cache / "networks"


def _shipped(name: str) -> Path:
    bundled = _ROOT / "labeler" / "_bundled" / name
    return bundled if bundled.is_dir() else _ROOT / name
