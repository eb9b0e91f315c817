"""Which image of a case is which phase.

What a person set by hand wins; then the words in file names and series descriptions (the table is
in ``config/layouts.toml``); then order of acquisition. Whatever was guessed is said.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labeler.core.volume import PHASES
from labeler.storage.layouts import layout_rules, word_pattern
from labeler.storage.listing import display_name, natural_key, printable
from labeler.storage.sources import DicomSeries


@dataclass(frozen=True)
class PhaseSource:
    """An image of a case.

    Attributes
    ----------
    key
        Names the image within the case for good: path below the image folder, or series UID.
    path
        The file, or the folder of the series.
    text
        What its phase is told by.
    series
        The DICOM series; ``None`` for a file.
    channel_phase
        Phase that the data set's own description gives.
    shape_ijk, spacing_mm
        Of the file as stored; ``None`` until the header has been read.
    is_guessed
        Whether its phase is an assumption.
    """

    key: str
    path: Path
    text: str
    series: DicomSeries | None = None
    channel_phase: str | None = None
    shape_ijk: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    is_guessed: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of slices that has not been looked into yet."""
        return self.series is None and self.path.is_dir()

    @property
    def title(self) -> str:
        """Name for lists and sentences."""
        return display_name(self.path) if self.series is None else printable(self.series.title)


@dataclass(frozen=True)
class Assignment:
    """Images by phase.

    Attributes
    ----------
    phases
        In the order of :data:`labeler.core.volume.PHASES`.
    spare
        Images that are not shown.
    problems, notes
        Sentences; notes ask nobody to look.
    """

    phases: dict[str, PhaseSource]
    spare: tuple[PhaseSource, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@functools.lru_cache(maxsize=3)
def _patterns(tier: str) -> dict[str, re.Pattern[str]]:
    return {phase: word_pattern(layout_rules().phases[phase][tier]) for phase in PHASES}


@dataclass(frozen=True)
class PhaseWord:
    """A word that names a phase, and where it stands in the text."""

    phase: str
    start: int
    end: int


def find_phase_word(text: str, tiers: Sequence[str] = ("words", "fallback")) -> PhaseWord | None:
    """Find the word that tells the phase.

    Of several the last one decides, since names begin with the case and end with the phase; of
    those that end at one place the longest ("late venous", not "venous").
    """
    for tier in tiers:
        found = [
            PhaseWord(phase, match.start(), match.end())
            for phase, pattern in _patterns(tier).items()
            for match in pattern.finditer(text)
        ]
        if found:
            return max(found, key=lambda word: (word.end, word.end - word.start))
    return None


@functools.lru_cache(maxsize=4096)
def phase_of_text(text: str) -> str | None:
    """Phase named by a text (file name, series description), ``None`` when none or unclear."""
    word = find_phase_word(text)
    return word.phase if word is not None else None


def assign_phases(
    images: Sequence[PhaseSource],
    overrides: Mapping[str, str] | None = None,
    single_phase: str = "NC",
) -> Assignment:
    """Decide which image is shown as which phase.

    Parameters
    ----------
    images
        All images of the case.
    overrides
        Phase by image key, set by hand; "" keeps an image out.
    single_phase
        Phase of an only image that nothing names.
    """
    spare, phases, left = _by_hand(images, overrides or {})
    named, unnamed = _by_name(left)
    problems: list[str] = []
    for phase, candidates in named.items():
        if phase in phases:
            spare += candidates
            continue
        best, *rest = sorted(candidates, key=_preference)
        phases[phase] = best
        spare += rest
        if rest:
            others = ", ".join(image.title for image in rest)
            problems.append(
                f"{phase} is there more than once: {best.title} is shown, not {others}."
            )
    notes: list[str] = []
    if not phases and len(unnamed) == 1:
        phase = _phase_of_single(unnamed[0], single_phase)
        phases[phase] = replace(unnamed[0], is_guessed=True)
        notes.append(f"{unnamed[0].title} names no phase and is shown as {phase}.")
    elif unnamed:
        problems += _guess(unnamed, phases, spare)
    ordered = {phase: phases[phase] for phase in PHASES if phase in phases}
    return Assignment(ordered, tuple(spare), tuple(problems), tuple(notes))


def _by_hand(
    images: Sequence[PhaseSource], overrides: Mapping[str, str]
) -> tuple[list[PhaseSource], dict[str, PhaseSource], list[PhaseSource]]:
    """Sort images into those kept out, those with a phase set by hand, and the others."""
    spare: list[PhaseSource] = []
    phases: dict[str, PhaseSource] = {}
    left: list[PhaseSource] = []
    for image in images:
        if image.is_guessed:
            image = replace(image, is_guessed=False)
        phase = overrides.get(image.key)
        if phase == "" or phase in phases:
            spare.append(image)
        elif phase in PHASES:
            phases[phase] = image
        else:
            left.append(image)
    return spare, phases, left


def _by_name(
    images: Sequence[PhaseSource],
) -> tuple[dict[str, list[PhaseSource]], list[PhaseSource]]:
    """Sort images into those whose phase is named and those whose phase is not."""
    named: dict[str, list[PhaseSource]] = {}
    unnamed: list[PhaseSource] = []
    for image in images:
        phase = image.channel_phase or phase_of_text(image.text)
        if phase is None:
            unnamed.append(image)
        else:
            named.setdefault(phase, []).append(image)
    codes = {image.key: find_phase_word(image.text, ("codes",)) for image in unnamed}
    phases = [word.phase for word in codes.values() if word is not None]
    if len(phases) >= 2 and len(set(phases)) == len(phases) and not set(phases) & set(named):
        for image in list(unnamed):
            word = codes[image.key]
            if word is not None:
                named[word.phase] = [image]
                unnamed.remove(image)
    return named, unnamed


def _is_derived(image: PhaseSource) -> bool:
    return layout_rules().derived_words.search(image.text) is not None


def _slice_count(image: PhaseSource) -> int:
    return len(image.series.slices) if image.series is not None else 0


def _preference(image: PhaseSource) -> tuple[bool, bool, int, bool, str]:
    """Sort key among images of one phase: readable originals with most slices first."""
    broken = image.series is not None and image.series.problem is not None
    plain = not image.path.name.lower().endswith(".gz")  # PV.nii.gz before a PV.nii beside it
    return broken, _is_derived(image), -_slice_count(image), plain, image.key


def _phase_of_single(image: PhaseSource, single_phase: str) -> str:
    if image.series is not None:
        return "PV" if image.series.contrast else "NC"
    return single_phase


def _guess(
    unnamed: Sequence[PhaseSource],
    phases: dict[str, PhaseSource],
    spare: list[PhaseSource],
) -> list[str]:
    """Put images without a named phase into free phases, in order of acquisition."""
    derived = [image for image in unnamed if _is_derived(image)]
    originals = [image for image in unnamed if not _is_derived(image)]
    if not originals and not phases:
        originals, derived = derived, []
    spare += derived
    problems = []
    unplaced = []
    for image in sorted(originals, key=_time_order):
        phase = next((p for p in PHASES if p not in phases and _may_be(image, p)), None)
        if phase is None:
            unplaced.append(image)
            continue
        phases[phase] = replace(image, is_guessed=True)
        problems.append(f"Phase guessed: {image.title} is shown as {phase}.")
    spare += unplaced
    if unplaced:
        names = ", ".join(image.title for image in unplaced[:4])
        more = f" and {len(unplaced) - 4} more" if len(unplaced) > 4 else ""
        problems.append(f"Not shown, phase unknown: {names}{more}.")
    return problems


def _may_be(image: PhaseSource, phase: str) -> bool:
    """Whether the series allows a phase: with contrast agent it is not NC.

    No agent noted says nothing: many scanners leave it out.
    """
    return phase != "NC" or image.series is None or not image.series.contrast


def _time_order(image: PhaseSource) -> tuple[str, object]:
    acquired = image.series.acquired if image.series is not None else ""
    return acquired, natural_key(image.key)
