"""Where the program's own files are, and where the user's go.

Two folders ship with the program, ``config`` (defaults) and ``resources`` (icons, style sheet,
example report). They stand beside the packages in a checkout and in an editable install, and
inside the package when it was installed from a wheel (``setup.py`` puts them there).

Three folders belong to the user. Each follows the system's convention unless an environment
variable names another one, which is how tests and shared machines keep apart.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import platformdirs

_PACKAGE = Path(__file__).resolve().parents[1]
_APP_NAME = "ct-labeler"


def bundled_folder(name: Literal["config", "resources"]) -> Path:
    """Return the folder ``name`` that ships with the program.

    Works from a wheel, an editable install and a bare checkout.

    Raises
    ------
    FileNotFoundError
        The installation is incomplete: the folder is in neither place.
    """
    for parent in (_PACKAGE / "_bundled", _PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise FileNotFoundError(
        f"The folder '{name}' that ships with CT Labeler is missing; install the program again."
    )


def user_config_folder() -> Path:
    """Return the folder of the user's settings (``CT_LABELER_CONFIG_DIR`` overrides it)."""
    return _user_folder("CT_LABELER_CONFIG_DIR", platformdirs.user_config_path)


def user_local_folder() -> Path:
    """Return the folder of journals and logs (``CT_LABELER_LOCAL_DIR`` overrides it).

    On this machine only, never roaming: a journal belongs to the disk it was written on.
    """
    return _user_folder("CT_LABELER_LOCAL_DIR", platformdirs.user_data_path)


def user_cache_folder() -> Path:
    """Return the folder of what can be made again (``CT_LABELER_CACHE_DIR`` overrides it)."""
    return _user_folder("CT_LABELER_CACHE_DIR", platformdirs.user_cache_path)


def _user_folder(variable: str, system_folder: Callable[..., Path]) -> Path:
    """Return the folder named by ``variable``, or the system's; nothing is created."""
    override = os.environ.get(variable)
    return Path(override) if override else system_folder(_APP_NAME, appauthor=False)
