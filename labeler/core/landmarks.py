"""Vertebra centroids of a case, and the corrections people make to them.

Centroids are held by a key that stays with a point whatever it is called. Every correction is a
plain function that returns what changes, so that it becomes one undoable edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from labeler.core.vertebrae import next_level, place

Point = tuple[float, float, float]

FARTHEST_MM = 100_000.0
"""No coordinate of a centroid is larger: what tells of one is damaged."""


class LandmarkError(ValueError):
    """A correction that makes no sense; the message is a sentence for the user."""


@dataclass(frozen=True)
class Centroid:
    """The centre of a vertebral body.

    Attributes
    ----------
    level
        Name, one of :data:`labeler.core.vertebrae.LEVELS`.
    position_ras
        RAS mm.
    confidence
        0 to 1; None for one that a person placed.
    flags
        Doubts of the model, in words.
    """

    level: str
    position_ras: Point
    confidence: float | None = None
    flags: tuple[str, ...] = ()

    def to_value(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "level": self.level,
            "position_ras": list(self.position_ras),
            "confidence": self.confidence,
            "flags": list(self.flags),
        }

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> Centroid:
        """Return the centroid of :meth:`to_value`; ValueError, KeyError or TypeError otherwise."""
        place(value["level"])
        confidence = value.get("confidence")
        try:
            x, y, z = (float(v) for v in value["position_ras"])
            numbers = (x, y, z, 0.0 if confidence is None else float(confidence))
        except OverflowError as error:
            raise ValueError(str(error)) from error
        if not all(abs(number) <= FARTHEST_MM for number in numbers):  # NaN is no such number
            raise ValueError(f"{value['level']} is at {(x, y, z)}")
        return cls(
            value["level"],
            (x, y, z),
            None if confidence is None else float(confidence),
            tuple(str(flag) for flag in value.get("flags", ())),
        )


Centroids = Mapping[str, Centroid]
"""Centroids by key."""

Changes = dict[str, Centroid | None]
"""What a correction puts in place of the centroids of these keys; None takes one away."""


def from_above(centroids: Centroids) -> list[str]:
    """Return the keys from the head down."""
    return sorted(centroids, key=lambda key: (-centroids[key].position_ras[2], key))


def applied(centroids: Centroids, changes: Changes) -> dict[str, Centroid]:
    """Return the centroids after a correction."""
    after = {key: value for key, value in centroids.items() if key not in changes}
    after.update({key: value for key, value in changes.items() if value is not None})
    return after


def free_key(centroids: Centroids) -> str:
    """Return a key that no centroid has."""
    taken = {int(key) for key in centroids if key.isdecimal()}
    return str(max(taken, default=0) + 1)


def moved(centroids: Centroids, key: str, position_ras: Point) -> Changes:
    """Move one centroid: a person has seen it, which settles the doubts about its place."""
    return {key: replace(centroids[key], position_ras=position_ras, confidence=None, flags=())}


def renamed(centroids: Centroids, key: str, level: str) -> Changes:
    """Give one centroid another name."""
    place(level)
    return _named(centroids, {key: level})


def swapped(centroids: Centroids, first: str, second: str) -> Changes:
    """Exchange the names of two centroids."""
    names = {first: centroids[second].level, second: centroids[first].level}
    return _named(centroids, names)


def shifted(centroids: Centroids, keys: Iterable[str], steps: int) -> Changes:
    """Rename centroids by so many levels, down the spine when positive.

    Raises
    ------
    LandmarkError
        When one of them would have no name.
    """
    names = {}
    for key in keys:
        level = next_level(centroids[key].level, steps)
        if level is None:
            side = "below" if steps > 0 else "above"
            raise LandmarkError(f"There is no level {side} {centroids[key].level}")
        names[key] = level
    return _named(centroids, names)


def at_and_above(centroids: Centroids, key: str) -> list[str]:
    """Return the keys from the head down to this one."""
    keys = from_above(centroids)
    return keys[: keys.index(key) + 1]


def at_and_below(centroids: Centroids, key: str) -> list[str]:
    """Return the keys from this one down."""
    keys = from_above(centroids)
    return keys[keys.index(key) :]


def renumbered(centroids: Centroids, anchor: str, level: str) -> Changes:
    """Name all centroids by counting up and down from one that is known.

    Raises
    ------
    LandmarkError
        When there are more centroids on one side than levels.
    """
    keys = from_above(centroids)
    middle = keys.index(anchor)
    names = {}
    for n, key in enumerate(keys):
        name = next_level(level, n - middle)
        if name is None:
            raise LandmarkError(
                f"With {level} here, {abs(n - middle)} more centroids do not fit "
                f"{'above' if n < middle else 'below'} it"
            )
        names[key] = name
    return _named(centroids, names)


def inserted(centroids: Centroids, key: str, position_ras: Point) -> Changes:
    """Add a centroid named after its place, and count on below it.

    The new one is called what follows the centroid above it. Those below keep their names where
    there was a gap in the names, and are renamed by one where there was none.

    Raises
    ------
    LandmarkError
        When the lowest level has no level below.
    """
    new = Centroid("C1", position_ras)
    everything = applied(centroids, {key: new})
    keys = from_above(everything)
    here = keys.index(key)
    if here:
        name = next_level(centroids[keys[here - 1]].level)
    elif len(keys) > 1:
        name = next_level(centroids[keys[1]].level, -1)
    else:
        name = "L1"
    if name is None:
        raise LandmarkError("There is no level left for a centroid here")
    changes: Changes = {key: replace(new, level=name)}
    taken = name
    below = []
    for other in keys[here + 1 :]:
        if here == 0 or place(centroids[other].level) > place(taken):
            break
        below.append(other)
        taken = next_level(centroids[other].level) or taken
    return {**changes, **shifted(centroids, below, 1)}


def kept(centroids: Centroids, key: str) -> Changes:
    """Settle what the model doubted about a centroid, and about all of which it said the same.

    A person has seen it and agrees.
    """
    flags = centroids[key].flags
    same = [other for other, c in centroids.items() if flags and c.flags == flags]
    return {other: replace(centroids[other], confidence=None, flags=()) for other in same}


def counted_as_extra(centroids: Centroids, key: str, level: str) -> Changes:
    """Call a vertebra T13 or L6 and count on below it, so that those below go up by one name.

    Raises
    ------
    LandmarkError
        When one of those below would have no name.
    """
    changes = renamed(centroids, key, level)
    below = [other for other in at_and_below(centroids, key) if other != key]
    return {**changes, **shifted(centroids, below, -1)}


def removed(centroids: Centroids, keys: Iterable[str]) -> Changes:
    """Take centroids away; the others keep their names."""
    return {key: None for key in keys if key in centroids}


def _named(centroids: Centroids, names: Mapping[str, str]) -> Changes:
    return {
        key: replace(centroids[key], level=level, confidence=None, flags=())
        for key, level in names.items()
        if centroids[key].level != level
    }
