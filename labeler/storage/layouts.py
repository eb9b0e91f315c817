"""The layouts of image folders, and the words that tell phases and masks from images.

The layouts and the words are in ``config/layouts.toml``, which also explains them.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeler.storage.listing import Listing
from labeler.storage.locations import bundled_folder

#: Layouts that can be detected or forced.
LAYOUTS = ("case-folders", "phase-folders", "nnunet", "msd", "flat", "dicom")

_CHANNEL = re.compile(r"^(?P<case>.+)_(?P<channel>[0-9]{4})$")
_LITS_VOLUME = re.compile(r"^volume-(?P<case>[0-9]+)$")
_SET_ENDING = re.compile(r"(Tr|Ts|Val)$")

# What may stand before and after a word, by the kind of its first and last character. A word of
# letters stands alone or is a camel hump; Chinese and Japanese have no spaces; a sign as in "C-"
# is none in "C-1" and "abc-".
_LETTER, _DIGIT, _HAN, _SIGN = range(4)
_BEFORE = {
    _LETTER: r"(?:(?<![^\W\d_])|(?<=[a-z])(?=[A-Z]))",
    _DIGIT: r"(?<![0-9.])",
    _HAN: "",
    _SIGN: r"(?<![^\W_])",
}
_AFTER = {
    _LETTER: r"(?:(?![^\W\d_])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))",
    _DIGIT: r"(?![0-9])",
    _HAN: "",
    _SIGN: r"(?![^\W_])",
}


def _kind(character: str) -> int:
    if character.isdigit():
        return _DIGIT
    if not character.isalpha():
        return _SIGN
    return _HAN if ord(character) > 0x2E80 else _LETTER


def word_pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Compile an expression that finds any of ``words`` as whole words, longest first.

    A space in an entry matches nothing or any of ``" _-."``. Words of Chinese or Japanese are
    found inside running text.
    """
    groups: dict[tuple[int, int], list[str]] = {}
    for word in sorted(words, key=len, reverse=True):
        body = r"[\s_.\-]*".join(re.escape(part) for part in word.split())
        groups.setdefault((_kind(word[0]), _kind(word[-1])), []).append(body)
    return re.compile(
        "|".join(
            f"{_BEFORE[first]}(?i:{'|'.join(bodies)}){_AFTER[last]}"
            for (first, last), bodies in groups.items()
        )
        or r"(?!)"
    )


@dataclass(frozen=True)
class LayoutRules:
    """Content of ``config/layouts.toml``, ready to use."""

    volume_suffixes: tuple[str, ...]
    single_phase: str
    single_phase_of_layout: dict[str, str]
    ignored_folders: frozenset[str]
    mask_folders: frozenset[str]
    image_folders: frozenset[str]
    image_sets: tuple[str, ...]
    report_folders: frozenset[str]
    mask_words: re.Pattern[str]
    anatomy_words: re.Pattern[str]
    image_words: re.Pattern[str]
    derived_words: re.Pattern[str]
    phases: dict[str, dict[str, list[str]]]

    def stem(self, file_name: str) -> str | None:
        """Name of a volume file without its ending; ``None`` when it is no volume."""
        lower = file_name.lower()
        for suffix in self.volume_suffixes:
            if lower.endswith(suffix) and len(lower) > len(suffix):
                return file_name[: -len(suffix)]
        return None

    def has_volumes(self, listing: Listing) -> bool:
        return any(self.stem(name) is not None for name in listing.files)

    def is_ignored(self, folder_name: str) -> bool:
        return folder_name in self.ignored_folders

    def is_mask_folder(self, folder_name: str) -> bool:
        return _SET_ENDING.sub("", folder_name).casefold() in self.mask_folders

    def is_mask_file(self, file_name: str) -> bool:
        """Whether a volume file is a mask, judged by its name."""
        if file_name.lower().endswith(".seg.nrrd"):
            return True
        stem = self.stem(file_name) or file_name
        if self.image_tail(stem) is not None:
            return False
        return self.mask_words.search(stem) is not None

    def is_anatomy(self, stem: str) -> bool:
        """Whether nothing but names of organs is in ``stem`` (``liver``, ``left_kidney``)."""
        rest = self.anatomy_words.sub("", stem)
        return rest != stem and not re.sub(r"[\W\d_]", "", rest)

    def image_tail(self, stem: str) -> re.Match[str] | None:
        """The image word that ends a stem, if one does."""
        found = list(self.image_words.finditer(stem))
        return found[-1] if found and found[-1].end() == len(stem) else None


def read_layout_rules(path: Path) -> LayoutRules:
    """Read a ``layouts.toml``.

    Raises
    ------
    OSError, ValueError, KeyError
        The file, which ships with the program, is missing or damaged.
    """
    content: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    folders, words = content["folders"], content["words"]
    return LayoutRules(
        volume_suffixes=tuple(content["volume_suffixes"]),
        single_phase=content["single_phase"],
        single_phase_of_layout=content["single_phase_of_layout"],
        ignored_folders=frozenset(folders["ignored"]),
        mask_folders=frozenset(folders["masks"]),
        image_folders=frozenset(folders["images"]),
        image_sets=tuple(folders["image_sets"]),
        report_folders=frozenset(folders["reports"]),
        mask_words=word_pattern(words["mask"]),
        anatomy_words=word_pattern(words["anatomy"]),
        image_words=word_pattern(words["image"]),
        derived_words=word_pattern(words["derived"]),
        phases=content["phases"],
    )


@functools.lru_cache(maxsize=1)
def layout_rules() -> LayoutRules:
    """Rules that ship with the program, read once."""
    return read_layout_rules(bundled_folder("config") / "layouts.toml")


def channel_of(stem: str) -> tuple[str, str] | None:
    """Split an nnU-Net stem ``<case>_0000`` into case and channel."""
    match = _CHANNEL.match(stem)
    return (match["case"], match["channel"]) if match else None


def lits_case_of(stem: str) -> str | None:
    """Case number of a LiTS stem ``volume-12``."""
    match = _LITS_VOLUME.match(stem)
    return match["case"] if match else None


def set_folder_name(folder_name: str) -> str:
    """``labelsTr`` -> ``labels``."""
    return _SET_ENDING.sub("", folder_name)
