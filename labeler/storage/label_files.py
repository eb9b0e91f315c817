"""Files that say what the values in a mask stand for: ``labels.toml``."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from labeler.core.labels import Label, LabelTable, spare_colour
from labeler.storage.listing import reason
from labeler.storage.locations import bundled_folder

FILE_NAME = "labels.toml"

_MAX_BYTES = 16 * 2**20


def load_label_table(mask_root: Path | None = None) -> tuple[LabelTable, list[str]]:
    """Read the labels that hold for a folder of masks.

    A ``labels.toml`` in that folder replaces the one that ships with the program as a whole: its
    values may stand for other things. When it has no valid entry at all, it replaces nothing.
    """
    problems: list[str] = []
    if mask_root is not None and os.path.exists(mask_root / FILE_NAME):
        table, problems = read_labels(mask_root / FILE_NAME)
        if len(table):
            return table, problems
    shipped, more = read_labels(bundled_folder("config") / FILE_NAME)
    return shipped, problems + more


def read_labels(path: Path) -> tuple[LabelTable, list[str]]:
    """Read a label file.

    Returns
    -------
    LabelTable
        The valid entries.
    list of str
        One sentence per entry, or file, that was ignored.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            return LabelTable(), [f"{path.name} is too large for a label file and is ignored."]
        content = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        return LabelTable(), [f"{path.name} cannot be read ({reason(error)})."]
    except (ValueError, RecursionError) as error:
        return LabelTable(), [f"{path.name} is not valid TOML and is ignored ({error})."]
    problems = [
        f"{path.name}: {key!r} is unknown and ignored." for key in content if key != "label"
    ]
    entries = content.get("label", [])
    if not isinstance(entries, list):
        return LabelTable(), [f"{path.name}: labels must be written as [[label]] entries."]
    labels: dict[int, Label] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            label = _label(entry)
            if label.value in labels:
                raise ValueError(f"value {label.value} is there twice; the first one counts")
            labels[label.value] = label
        except ValueError as error:
            problems.append(f"{path.name}: label entry {number} is ignored: {error}.")
    return LabelTable(labels.values()), problems


def _label(entry: Any) -> Label:
    """Make a label of one entry.

    Raises
    ------
    ValueError
        With what is wrong, as part of a sentence.
    """
    if not isinstance(entry, dict):
        raise ValueError("it is not a table")
    value, name = entry.get("value"), entry.get("name")
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("its value is not a whole number")
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"value {value} has no name")
    colour = entry.get("colour", entry.get("color"))
    if colour is None:
        colour = spare_colour(value)
    group = entry.get("group", "")
    if not isinstance(colour, str) or not isinstance(group, str):
        raise ValueError(f"colour and group of {name!r} must be texts")
    colour = colour.strip().lower()
    if not re.fullmatch("#[0-9a-f]{6}", colour):
        raise ValueError(f"the colour {colour!r} of {name!r} is not #rrggbb")
    return Label(value, " ".join(name.split()), colour, group.strip())
