"""Which phase a file or a series is, told by the words of ``config/layouts.toml``."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable

from inference.contract import PHASES
from inference.locations import config_folder

_LETTER = r"[^\W\d_]"


def phase_of(text: str) -> str | None:
    """Return the phase that a name speaks of; the last word that names one decides.

    Parameters
    ----------
    text : str
        File name without suffix, or description of a series.
    """
    for tier in ("words", "fallback"):
        found = [
            (match.end(), match.end() - match.start(), phase)
            for phase, pattern in _patterns(tier).items()
            for match in pattern.finditer(text)
        ]
        if found:
            return max(found)[2]
    return None


@functools.lru_cache(maxsize=2)
def _patterns(tier: str) -> dict[str, re.Pattern[str]]:
    rules = tomllib.loads((config_folder() / "layouts.toml").read_text(encoding="utf-8"))
    return {phase: _any_of(rules["phases"][phase].get(tier, [])) for phase in PHASES}


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Return an expression for any of the words; a space stands for nothing or a separator."""
    bodies = []
    for word in sorted(words, key=len, reverse=True):
        body = r"[\s_.\-]*".join(map(re.escape, word.split()))
        if word.isascii():  # Chinese and Japanese words stand inside running text
            before = rf"(?<!{_LETTER})" if word[0].isalpha() else r"(?<!\w)"
            after = rf"(?!{_LETTER})" if word[-1].isalpha() else r"(?!\d)"
            body = before + body + after
        bodies.append(body)
    return re.compile("|".join(bodies) or r"(?!)", re.IGNORECASE)
