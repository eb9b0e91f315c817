"""A label map that changes by patches only."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from labeler.core.geometry import AxisOrder, Grid

#: Changes that a copy in progress may fall behind before it begins anew.
LOGGED_BOXES = 4096

LabelArray = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Box:
    """Half-open voxel box; ``lo_kji <= index < hi_kji``."""

    lo_kji: tuple[int, int, int]
    hi_kji: tuple[int, int, int]

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        k, j, i = (slice(lo, hi) for lo, hi in zip(self.lo_kji, self.hi_kji, strict=True))
        return k, j, i

    @property
    def shape_kji(self) -> tuple[int, int, int]:
        k, j, i = (hi - lo for lo, hi in zip(self.lo_kji, self.hi_kji, strict=True))
        return k, j, i

    @property
    def is_empty(self) -> bool:
        return min(self.shape_kji) <= 0

    def union(self, other: Box) -> Box:
        """Smallest box that holds both."""
        lo = tuple(min(a, b) for a, b in zip(self.lo_kji, other.lo_kji, strict=True))
        hi = tuple(max(a, b) for a, b in zip(self.hi_kji, other.hi_kji, strict=True))
        return Box(lo, hi)  # type: ignore[arg-type]

    def clipped(self, shape_kji: tuple[int, int, int]) -> Box:
        """The part of the box inside an array of this shape."""
        lo = tuple(min(max(0, a), n) for a, n in zip(self.lo_kji, shape_kji, strict=True))
        hi = tuple(min(max(0, a), n) for a, n in zip(self.hi_kji, shape_kji, strict=True))
        return Box(lo, hi)  # type: ignore[arg-type]

    def slices_in(self, outer: Box) -> tuple[slice, slice, slice]:
        """Where the box is in an array of ``outer``, which holds it."""
        k, j, i = (
            slice(lo - start, hi - start)
            for lo, hi, start in zip(self.lo_kji, self.hi_kji, outer.lo_kji, strict=True)
        )
        return k, j, i

    @staticmethod
    def whole(shape_kji: tuple[int, int, int]) -> Box:
        return Box((0, 0, 0), shape_kji)

    @staticmethod
    def around(array: npt.NDArray[Any]) -> Box | None:
        """Smallest box around the non-zero voxels of ``[k, j, i]``, ``None`` if there are none."""
        planes = np.flatnonzero(np.any(array, axis=(1, 2)))
        if planes.size == 0:
            return None
        k0, k1 = int(planes[0]), int(planes[-1]) + 1
        flat = np.asarray(np.any(array[k0:k1], axis=0))
        rows, columns = np.flatnonzero(np.any(flat, axis=1)), np.flatnonzero(np.any(flat, axis=0))
        lo = (k0, int(rows[0]), int(columns[0]))
        return Box(lo, (k1, int(rows[-1]) + 1, int(columns[-1]) + 1))


def new_token() -> int:
    """A random non-zero number that names one change."""
    return secrets.randbits(63) | 1


@dataclass(frozen=True)
class Patch:
    """The difference a change makes to a box of one mask.

    The payload is ``before XOR after``, zstd-compressed: applying a patch twice restores the
    mask, so undo and redo are the same operation, and a brush stroke costs about 200 bytes.

    Attributes
    ----------
    mask
        Name of the mask.
    box
        Where; tight around the voxels that differ.
    dtype
        ``uint8`` or ``uint16``, the type of the difference.
    payload
        Compressed difference, C order ``[k, j, i]``.
    token
        Random non-zero number; XOR of the tokens of all applied patches names a mask's state.
    """

    mask: str
    box: Box
    dtype: str
    payload: bytes
    token: int = field(default_factory=new_token)

    @property
    def nbytes(self) -> int:
        return len(self.payload) + 120

    @property
    def voxels(self) -> int:
        """Size of the box."""
        return math.prod(self.box.shape_kji)

    def difference(self) -> LabelArray:
        """The XOR difference, shape ``box.shape_kji``.

        Raises
        ------
        ValueError
            When the payload does not unpack to the size of the box.
        """
        dtype = np.dtype(self.dtype)
        size = int(np.prod(self.box.shape_kji)) * dtype.itemsize
        try:
            raw = zstandard.ZstdDecompressor().decompress(self.payload, max_output_size=size)
        except zstandard.ZstdError as error:
            raise ValueError(f"a stored edit is damaged ({error})") from error
        if len(raw) != size:
            raise ValueError("a stored edit does not fit its box")
        return np.frombuffer(raw, dtype=dtype).reshape(self.box.shape_kji)

    @staticmethod
    def between(mask: str, box: Box, before: LabelArray, after: LabelArray) -> Patch | None:
        """Make the patch that turns ``before`` into ``after`` inside ``box``.

        Returns ``None`` when nothing differs.
        """
        difference = np.bitwise_xor(before, after)
        tight = Box.around(difference)
        if tight is None:
            return None
        payload = zstandard.ZstdCompressor(level=1).compress(
            np.ascontiguousarray(difference[tight.slices]).tobytes()
        )
        lo = tuple(a + b for a, b in zip(box.lo_kji, tight.lo_kji, strict=True))
        hi = tuple(a + b for a, b in zip(box.lo_kji, tight.hi_kji, strict=True))
        return Patch(mask, Box(lo, hi), difference.dtype.name, payload)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Prepared:
    """The content of a mask after some patches, worked out in another thread.

    A patch of 80 million voxels takes a tenth of a second, putting its result in place nothing.

    Attributes
    ----------
    array
        ``[k, j, i]``; belongs to the mask once it is adopted.
    base_revision, revision
        Revision of the mask that the patches were applied to, and the one they lead to.
    """

    array: LabelArray
    base_revision: int
    revision: int


class Mask:
    """A named label map over a grid; changed by patches and nothing else.

    Parameters
    ----------
    name
        Name within the case (file stem).
    array
        ``[k, j, i]`` uint8 or uint16, C-contiguous; the mask takes ownership.
    grid
        Shape and placement, canonical axes.
    axis_order
        How the file's axes map to the array's.
    """

    def __init__(self, name: str, array: LabelArray, grid: Grid, axis_order: AxisOrder) -> None:
        if array.dtype not in (np.uint8, np.uint16) or not array.flags.c_contiguous:
            raise ValueError("a mask's array must be C-contiguous uint8 or uint16")
        if array.shape != grid.shape_kji:
            raise ValueError(f"array {array.shape} does not fit grid {grid.shape_kji}")
        self.name = name
        self.grid = grid
        self.axis_order = axis_order
        self._array = array if array.flags.writeable else array.copy()
        self._revision = 0
        self._saved_revision = 0
        self._writes = 0
        #: Number of the first box of the list, and where patches were applied, in order.
        self._log: tuple[int, list[Box]] = (0, [])

    @property
    def array(self) -> LabelArray:
        """Read-only view ``[k, j, i]``; fetch it anew after each change."""
        view = self._array.view()
        view.setflags(write=False)
        return view

    @property
    def revision(self) -> int:
        """Names the present content: undoing a change brings the former number back."""
        return self._revision

    @property
    def saved_revision(self) -> int:
        """Names the content that is on disk."""
        return self._saved_revision

    @property
    def is_dirty(self) -> bool:
        return self._revision != self._saved_revision

    def snapshot(self, box: Box | None = None) -> tuple[LabelArray, int]:
        """Copy the content, or that of a box, and its revision; may be called from any thread.

        What changes while it is copied is copied again, until the copy is that of one moment: it
        never holds half an edit, and somebody who goes on painting does not hold it up.
        """
        wanted = Box.whole(self.grid.shape_kji) if box is None else box
        while True:
            first, boxes = self._log
            seen = first + len(boxes)
            seen -= self._writes % 2  # a change in progress is the last one there is
            array = self._array
            copied = array[wanted.slices].copy()
            revision = self._catch_up(array, copied, wanted, seen)
            if revision is not None:
                return copied, revision

    def _catch_up(
        self, array: LabelArray, copied: LabelArray, wanted: Box, seen: int
    ) -> int | None:
        """Copy what changed since; the revision of the copy, ``None`` when too much did."""
        while True:
            before, revision = self._writes, self._revision
            first, boxes = self._log
            if array is not self._array or seen < first:
                return None
            fresh = boxes[seen - first :]
            seen += len(fresh)
            for changed in fresh:
                lo = tuple(map(max, changed.lo_kji, wanted.lo_kji))
                hi = tuple(map(min, changed.hi_kji, wanted.hi_kji))
                part = Box(lo, hi)  # type: ignore[arg-type]
                if not part.is_empty:
                    copied[part.slices_in(wanted)] = array[part.slices]
            if before % 2 == 0 and self._writes == before:
                return revision

    def prepare(
        self, patches: Iterable[Patch], snapshot: tuple[LabelArray, int] | None = None
    ) -> Prepared:
        """Work out what patches lead to, for :meth:`adopt`; may be called from any thread.

        Parameters
        ----------
        snapshot
            From :meth:`snapshot`, and not to be used any more; by default of the present content.

        Raises
        ------
        ValueError
            See :meth:`apply`.
        """
        array, revision = self.snapshot() if snapshot is None else snapshot
        scratch = Mask(self.name, array, self.grid, self.axis_order)
        for patch in patches:
            scratch.apply(patch)
        return Prepared(scratch._array, revision, revision ^ scratch._revision)

    def adopt(self, prepared: Prepared) -> None:
        """Put prepared content in place.

        Raises
        ------
        ValueError
            When the mask has changed since; it stays as it is.
        """
        if prepared.base_revision != self._revision:
            raise ValueError("the mask has changed since its new content was prepared")
        self._writes += 1
        self._array, self._revision = prepared.array, prepared.revision
        self._writes += 1

    def resume(self, revision: int) -> None:
        """Give the content, as just read, the name that it was known by before."""
        self._revision = self._saved_revision = revision

    def mark_saved(self, revision: int) -> None:
        """Note that the content named ``revision`` is on disk."""
        self._saved_revision = revision

    def apply(self, patch: Patch) -> Box:
        """Apply a patch, or take it back when it is applied already.

        Returns
        -------
        Box
            The box that changed.

        Raises
        ------
        ValueError
            When the patch belongs to another mask, is damaged or lies outside the grid; the mask
            is unchanged then.
        """
        if patch.mask != self.name:
            raise ValueError(f"a change of {patch.mask!r} was given to mask {self.name!r}")
        if patch.box.clipped(self.grid.shape_kji) != patch.box or patch.box.is_empty:
            raise ValueError("a change lies outside the mask")
        difference = patch.difference()
        self._writes += 1  # odd while a change is in progress, see snapshot()
        first, boxes = self._log
        if len(boxes) >= LOGGED_BOXES:
            self._log = first, boxes = first + len(boxes), []
        boxes.append(patch.box)
        if difference.dtype.itemsize > self._array.dtype.itemsize:
            self._array = self._array.astype(np.uint16)
        region = self._array[patch.box.slices]
        np.bitwise_xor(region, difference, out=region, casting="unsafe")
        self._revision ^= patch.token
        self._writes += 1
        return patch.box
