"""Looking into folders quickly and without surprises.

A folder of thousands of cases is listed with one ``scandir`` a folder and no ``stat`` a file.
Whatever cannot be read becomes a sentence, never an exception.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

#: Endings that say "not a slice of a DICOM series"; those files mostly have no ending at all.
_NOT_DICOM = re.compile(
    r"\.(bmp|bvec|bval|csv|db|docx?|exe|gif|gz|html?|ini|ipynb|jpe?g|js|json|lnk|log|mat|md|mha|mhd"
    r"|npy|npz|nhdr|nii|nrrd|obj|pdf|ply|png|pptx?|ps|py|rar|raw|rtf|sh|sql|stl|svg|tar|tex|tiff?"
    r"|toml|tsv|txt|vt[kp]|xlsx?|xml|xz|ya?ml|zip|zst)$|^(dicomdir|readme|licen[cs]e|version)$",
    re.IGNORECASE,
)


_NUMBER = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class Listing:
    """Names in a folder, sorted by code point; hidden ones are left out.

    Attributes
    ----------
    folder
        The folder.
    files, folders
        Names of regular files and of folders; links count as what they point to.
    problems
        Sentences: the folder cannot be read, a link points nowhere.
    """

    folder: str
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)


def list_folder(folder: str | os.PathLike[str]) -> Listing:
    """List a folder; never raises for what is or is not there.

    Devices, sockets and pipes are left out: opening one could wait for ever.
    """
    folder = os.fspath(folder)
    files: list[str] = []
    folders: list[str] = []
    problems: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    _sort_in(entry, files, folders, problems)
    except OSError as error:
        problems.append(f"The folder {display_name(folder)} cannot be read ({reason(error)}).")
    return Listing(folder, tuple(sorted(files)), tuple(sorted(folders)), tuple(problems))


def _sort_in(
    entry: os.DirEntry[str], files: list[str], folders: list[str], problems: list[str]
) -> None:
    try:
        if entry.is_dir():
            folders.append(entry.name)
        elif entry.is_file():
            files.append(entry.name)
        elif entry.is_symlink():
            problems.append(f"The link {display_name(entry.name)} points nowhere.")
    except OSError as error:
        problems.append(f"{display_name(entry.name)} cannot be read ({reason(error)}).")


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key that puts ``case_2`` before ``case_10``."""
    parts: list[str | int] = [*_NUMBER.split(name.casefold())]
    parts[1::2] = map(int, parts[1::2])  # text and numbers take turns
    return parts, name


def looks_like_dicom(file_name: str) -> bool:
    """Whether a file could be a DICOM slice, judged by its name alone."""
    return _NOT_DICOM.search(file_name) is None


def display_name(path: str | os.PathLike[str]) -> str:
    """Name of a file or folder for a sentence (see :func:`printable`)."""
    return printable(Path(path).name or os.fspath(path))


def printable(text: str) -> str:
    """A text on one line: bytes that are no text and control characters become "?"."""
    return "".join(c if c.isprintable() else "?" for c in text)


def reason(error: OSError) -> str:
    """What the system says about a failure, in lower case and without the path."""
    return (error.strerror or type(error).__name__).lower()
