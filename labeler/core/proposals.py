"""What a model proposes, region by region: numbered, named, and written into a mask when taken.

A proposal is kept as a map of region numbers, not of labels: showing, hiding or colouring one of
its regions then changes a table of some entries and never a voxel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from labeler.core.distance import Check, never_stop
from labeler.core.geometry import Grid
from labeler.core.labels import LabelTable
from labeler.core.mask import Box, LabelArray, Mask, Patch
from labeler.core.painting import FREE, Constraint, write
from labeler.core.regions import Region, RegionIndex
from labeler.core.resampling import resampled
from labeler.core.statistics import VoxelSource

#: Regions kept of a proposal, the largest: nobody decides on more one by one, and a network that
#: crumbles makes a hundred thousand.
MAX_REGIONS = 300


@dataclass(frozen=True, eq=False)
class Numbered:
    """A label map taken apart into its regions.

    Attributes
    ----------
    numbers
        ``[k, j, i]`` uint8 or uint16, C-contiguous: 0, or the ``id`` of the region.
    regions
        26-connected components by id (1, 2, ... by label, then upwards); ``label`` is the value
        in the label map.
    n_left_out
        Regions beyond :data:`MAX_REGIONS`, which are not in ``numbers``.
    """

    numbers: LabelArray
    regions: Mapping[int, Region]
    n_left_out: int = 0


def number_regions(
    labels: LabelArray,
    grid: Grid,
    phases: Mapping[str, VoxelSource] | None = None,
    check: Check = never_stop,
) -> Numbered:
    """Number and measure the regions of a label map.

    The same label map gets the same numbers each time.

    Parameters
    ----------
    labels
        ``[k, j, i]`` uint8 or uint16 on ``grid``, C-contiguous.
    grid
        Where it lies.
    phases
        Volumes to measure the regions in, on any grids.
    check
        Called now and then; may raise to stop.
    """
    index = RegionIndex.build("", labels, grid, phases)
    largest = sorted(index.regions.values(), key=lambda region: -region.voxels)[:MAX_REGIONS]
    kept = sorted(largest, key=lambda region: region.id)
    dtype = np.dtype("uint8" if len(kept) < 256 else "uint16")
    numbers: LabelArray = np.zeros(labels.shape, dtype)
    regions = {}
    for number, region in enumerate(kept, 1):
        check()
        box, crop = index.component_crop(region.id)
        numbers[box.slices][crop] = number
        regions[number] = replace(region, id=number)
    return Numbered(numbers, regions, len(index.regions) - len(kept))


@dataclass(frozen=True)
class Taken:
    """What came of writing one region into a mask.

    Attributes
    ----------
    number
        Of the region.
    n_inside
        Voxels of the mask's grid that the region covers; 0 when it lies outside of it.
    n_kept_out
        Those that locks or limits protect and that have another label therefore; all of them when
        the region's own label is locked and the mask has not all of it.
    patch
        The change; ``None`` when there is nothing to change.
    """

    number: int
    n_inside: int
    n_kept_out: int
    patch: Patch | None

    @property
    def is_taken(self) -> bool:
        """Whether the mask has at least a part of the region now."""
        return self.n_kept_out < self.n_inside


def take_regions(
    numbers: LabelArray,
    grid: Grid,
    boxes: Mapping[int, Box],
    labels: Mapping[int, int],
    target: Mask,
    constraints: Mapping[int, Constraint] | None = None,
    check: Check = never_stop,
) -> Iterator[Taken]:
    """Write regions of a proposal into a mask.

    Parameters
    ----------
    numbers
        See :class:`Numbered`.
    grid
        Where the proposal lies, in the coordinates of the mask; sampled by nearest voxel where
        the mask's grid differs.
    boxes
        Box of each region that is wanted, by its number.
    labels
        Label that each of them gets in the mask.
    target
        Left as it is.
    constraints
        What may be overwritten, by label.
    check
        Called before each region; may raise to stop.
    """
    for number, box in boxes.items():
        check()
        label = labels[number]
        constraint = (constraints or {}).get(label, FREE)
        there, inside = resampled(numbers[box.slices] == number, box, grid, target.grid)
        if there.is_empty or not inside.any():
            yield Taken(number, 0, 0, None)
            continue
        lacking = inside & (target.array[there.slices] != label)
        kept_out = lacking & ~constraint.writable(target, there, label)
        if label in constraint.locked and lacking.any():
            kept_out = inside  # a part that happens to be there is no accepted region
        patch = write(target, there, inside, label, constraint)
        yield Taken(number, int(inside.sum()), int(kept_out.sum()), patch)


def same_names(names: Mapping[int, str], table: LabelTable) -> dict[int, int]:
    """Find the labels of a table that a model's labels stand for, by their names.

    Case, order of words and what separates them do not count: ``kidney_right`` is "Right kidney".

    Parameters
    ----------
    names
        Name of each label of the model.
    table
        The labels of this program.

    Returns
    -------
    dict
        Value in the table by value of the model; a name that is not there is left out.
    """
    find = label_finder(table)
    found = {value: find(name) for value, name in names.items()}
    return {value: label for value, label in found.items() if label is not None}


def label_finder(table: LabelTable) -> Callable[[str], int | None]:
    """Make what finds the value of a label by a model's name of it (see :func:`same_names`)."""
    known = {_words(label.name): label.value for label in reversed(list(table))}
    return lambda name: known.get(_words(name))


def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", name.casefold().replace("_", " ")))
