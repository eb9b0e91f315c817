"""Options that several commands of ``ct-infer`` have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def folder_option(
    *names: str, help_text: str, is_there: bool = True, required: bool = False
) -> Callable[[F], F]:
    """Return an option that takes a folder.

    Parameters
    ----------
    names : str
        ``--images``, for example, and the name of the parameter where it is another.
    help_text : str
    is_there : bool
        Whether the folder must exist.
    required : bool
        Whether it must be given.
    """
    kind = click.Path(path_type=Path, file_okay=False, exists=is_there)
    return click.option(*names, type=kind, required=required, help=help_text)


def settings_option(default: str) -> Callable[[F], F]:
    """Return the option that takes the settings of a training.

    Parameters
    ----------
    default : str
        File that is read without it.
    """
    kind = click.Path(path_type=Path, dir_okay=False)
    help_text = f"Settings of the training; {default} by default."
    return click.option("--settings", type=kind, help=help_text)


resume_option = click.option(
    "--resume", is_flag=True, help="Go on with the training that is in the folder."
)
model_option = folder_option(
    "--model", help_text="Folder of the model; the shipped one by default."
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu or cuda."
)
