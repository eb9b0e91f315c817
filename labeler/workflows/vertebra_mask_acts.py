"""Between centroids and vertebra masks: each made to agree with the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from labeler.core.distance import Check
from labeler.core.landmarks import Centroid, Point
from labeler.core.mask import Mask, Patch
from labeler.core.mask_operations import rename_labels
from labeler.core.painting import PaintingError
from labeler.core.vertebra_masks import body_centres, numbering, relabelling
from labeler.core.vertebrae import NUMBERS, TOTALSEGMENTATOR_NUMBERS, next_level
from labeler.workflows.background_edit import (
    Draft,
    Refused,
    draft_in_background,
    find_in_background,
)
from labeler.workflows.correct_landmarks import replace_centroids
from labeler.workflows.edit_rules import EditRefused, lock_of, refuse_read_only
from labeler.workflows.spine_findings import VERTEBRA_WORDS, centroids_of
from labeler.workflows.workspace import Workspace

NO_VERTEBRAE = "The labels of {} are no vertebrae"


def centroids_from_mask(ws: Workspace, said: Refused) -> None:
    """Make centroids of the labels of the active mask: one edit, worked out in the background.

    Parameters
    ----------
    said
        Gets a sentence when nothing is done.

    Raises
    ------
    EditRefused
        When the case may not be changed, or no mask is active.
    """
    mask = _mask(ws)

    def find(copy: Mask, check: Check) -> dict[str, Centroid]:
        numbers = _numbers(copy)
        check()
        names = {number: level for level, number in numbers.items()}
        centres = _centres(copy, numbers)
        levels = sorted(centres, key=lambda value: -centres[value][2])
        return {
            str(n): Centroid(names[value], centres[value])
            for n, value in enumerate(levels, start=1)
        }

    def found(centroids: dict[str, Centroid], revision: int) -> None:
        try:
            replace_centroids(ws, f"Centroids from {mask.name}", centroids)
        except EditRefused as refusal:
            said(str(refusal))

    find_in_background(ws, "centroids from mask", mask, find, found, said)


def relabel_mask(ws: Workspace, said: Refused) -> None:
    """Rename the labels of the active mask after the centroids: one edit, in the background.

    Locked labels stay, and so does what has no centroid near.

    Parameters
    ----------
    said
        Gets a sentence for whatever is left as it is.

    Raises
    ------
    EditRefused
        When the case may not be changed, no mask is active, or there are no centroids.
    """
    mask, centroids = _mask(ws), centroids_of(ws.session)
    if not centroids:
        raise EditRefused("There are no centroids to rename the labels after")
    constraint = lock_of(ws, mask.name)

    problems: list[str] = []

    def work(copies: Sequence[Mask], check: Check) -> Iterable[Patch | None]:
        copy = copies[0]
        numbers = _numbers(copy)
        check()
        centres = _centres(copy, numbers)
        check()
        values, problems[:] = relabelling(centres, centroids, numbers, constraint.locked)
        if not values:
            agree = f"The labels of {copy.name} agree with the centroids"
            raise PaintingError("; ".join(problems) or agree)
        return list(rename_labels(copy, values, constraint, check))

    def done(draft: Draft) -> None:
        try:
            draft.commit(ws)
        except EditRefused as refusal:
            said(str(refusal))
        else:
            if problems:
                said("; ".join(problems))

    name = f"Relabel {mask.name} to match centroids"
    draft_in_background(ws, "relabel vertebrae", name, [mask], work, done, said)


def _mask(ws: Workspace) -> Mask:
    refuse_read_only(ws)
    entry = ws.session.masks.get(ws.selection.mask or "")
    if entry is None:
        raise EditRefused("Choose the mask of the vertebrae first")
    return entry.mask


def _numbers(mask: Mask) -> Mapping[str, int]:
    """The value of each level in a mask.

    Raises
    ------
    PaintingError
        When its labels are no vertebrae.
    """
    from scipy import ndimage  # not at the start: it takes long

    boxes = ndimage.find_objects(mask.array)
    values = {value for value, box in enumerate(boxes, start=1) if box is not None}
    numbers = numbering(_of_vertebrae(values))
    if numbers is None or not values & set(numbers.values()):
        raise PaintingError(NO_VERTEBRAE.format(mask.name))
    return numbers


def _centres(mask: Mask, numbers: Mapping[str, int]) -> dict[int, Point]:
    """The centre of each vertebra of a mask.

    Raises
    ------
    PaintingError
        When its labels are organs with the numbers of vertebrae: none has the next level below
        it, and the name of the mask speaks of no spine either.
    """
    centres = body_centres(mask.array, mask.grid, set(numbers.values()))
    pairs = ((numbers[level], numbers.get(next_level(level) or "")) for level in numbers)
    is_spine = any(
        upper in centres and lower in centres and centres[upper][2] > centres[lower][2]
        for upper, lower in pairs
        if lower is not None
    )
    if not is_spine and not any(word in mask.name.lower() for word in VERTEBRA_WORDS):
        raise PaintingError(NO_VERTEBRAE.format(mask.name))
    return centres


def _of_vertebrae(values: Collection[int]) -> set[int]:
    """Leave organs out: a map of all TotalSegmentator structures has them on both sides."""
    is_whole = max(values, default=0) > max(NUMBERS.values())
    return set(values) & set(TOTALSEGMENTATOR_NUMBERS.values()) if is_whole else set(values)
