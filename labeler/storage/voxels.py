"""From the voxels of a file to a canonical array: slab by slab, so that memory stays bounded.

A slab is a few consecutive planes ``[k, j, i]`` in the order of the file. It is converted (to
HU, to labels) while it is in the cache of a core and then put where it belongs. numpy, OpenCV and
isal release the interpreter lock in all that takes time here, so the window goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from labeler.core.geometry import AxisOrder
from labeler.core.labels import MAX_LABEL
from labeler.storage.errors import ImageError
from labeler.storage.sources import ReadContext

AnyArray = npt.NDArray[Any]

#: What voxels that are not numbers become.
AIR_HU = -1024
#: Fractional values that span less than this are not Hounsfield units (0..1, z-scores).
_MIN_HU_SPAN = 20.0
#: Slabs of unpermuted files fit the cache of a core; permuted ones need planes to write runs.
_SLAB_BYTES = 2**20
_PERMUTED_SLAB_BYTES = 16 * 2**20
#: Bytes between two looks at the context.
_CHECK_BYTES = 8 * 2**20
#: Largest distance of a scaled value from the whole number that it stands for.
_SCALING_ERROR = 0.01


class Converter(Protocol):
    """Turns slabs of a file's type into the type of the program, and refuses what does not fit."""

    dtype: np.dtype[Any]

    def keeps(self, file_dtype: np.dtype[Any]) -> bool:
        """Whether voxels of this type are taken as they are."""

    def convert(self, slab: AnyArray) -> AnyArray:
        """Return the slab in :attr:`dtype`; raises :class:`ImageError`."""


class HuConverter:
    """Voxels to int16 HU.

    Parameters
    ----------
    name
        Name of the file, for sentences.
    slope, inter
        HU = slope * stored + inter.
    """

    dtype = np.dtype(np.int16)

    def __init__(self, name: str, slope: float = 1.0, inter: float = 0.0) -> None:
        self._name = name
        self._slope = slope
        self._inter = inter
        self._nan_voxels = 0
        self._has_fractions = False
        self._lo_hu = np.inf
        self._hi_hu = -np.inf

    def keeps(self, file_dtype: np.dtype[Any]) -> bool:
        return file_dtype == self.dtype and self._slope == 1 and self._inter == 0

    def convert(self, slab: AnyArray) -> AnyArray:
        """Scale, round and check; ``slab`` may be reused afterwards.

        Raises
        ------
        ImageError
            When a value does not fit int16.
        """
        if self.keeps(slab.dtype.newbyteorder("=")):
            return slab.astype(self.dtype, copy=False)
        if slab.dtype.kind in "iu" and self._slope == 1 and self._inter.is_integer():
            self._check_range(int(slab.min()) + self._inter, int(slab.max()) + self._inter)
            wide = slab.astype(np.int32 if slab.dtype.itemsize <= 2 else np.int64)
            return np.add(wide, int(self._inter)).astype(self.dtype)
        return self._round(slab)

    def _round(self, slab: AnyArray) -> AnyArray:
        is_scaled = self._slope != 1 or self._inter != 0
        is_single = slab.dtype.kind == "f" and slab.dtype.itemsize <= 4 and not is_scaled
        values: AnyArray = slab.astype(np.float32 if is_single else np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            if is_scaled:
                values = values * self._slope + self._inter
            if np.isnan(values.min()):
                is_nan = np.isnan(values)
                self._nan_voxels += int(np.count_nonzero(is_nan))
                values[is_nan] = AIR_HU
        rounded = np.rint(values)
        self._check_range(float(rounded.min()), float(rounded.max()))
        if not self._has_fractions:
            self._has_fractions = not np.array_equal(rounded, values)
        return rounded.astype(self.dtype)

    def _check_range(self, lo_hu: float, hi_hu: float) -> None:
        limits = np.iinfo(self.dtype)
        if lo_hu < limits.min or hi_hu > limits.max:
            extreme = hi_hu if hi_hu > limits.max else lo_hu
            raise ImageError(
                f"{self._name} holds the value {extreme:.6g}, which is outside the Hounsfield "
                f"units that can be kept ({limits.min} to {limits.max})."
            )
        self._lo_hu, self._hi_hu = min(self._lo_hu, lo_hu), max(self._hi_hu, hi_hu)

    def finish(self) -> list[str]:
        """Judge the volume as a whole; return notes for the user.

        Raises
        ------
        ImageError
            When the values cannot be HU.
        """
        if self._has_fractions and self._hi_hu - self._lo_hu < _MIN_HU_SPAN:
            raise ImageError(
                f"{self._name} holds values from about {self._lo_hu:.0f} to {self._hi_hu:.0f} "
                f"with fractions: these are no Hounsfield units."
            )
        if self._nan_voxels:
            return [
                f"{self._nan_voxels:,} voxels of {self._name} are not numbers and are shown as "
                f"air ({AIR_HU} HU)."
            ]
        return []


class LabelConverter:
    """Voxels to labels; refuses whatever is not a whole number within 0..65535.

    Parameters
    ----------
    name
        Name of the file, for sentences.
    file_dtype
        Stored type; 8 bit files without scaling are read without a detour.
    slope, inter
        Label = slope * stored + inter.
    """

    def __init__(
        self, name: str, file_dtype: np.dtype[Any], slope: float = 1.0, inter: float = 0.0
    ) -> None:
        self._name = name
        self._is_scaled = slope != 1 or inter != 0
        self._slope = slope
        self._inter = inter
        is_byte = file_dtype == np.uint8 and not self._is_scaled
        self.dtype: np.dtype[Any] = np.dtype(np.uint8 if is_byte else np.uint16)
        self.highest = 0

    def keeps(self, file_dtype: np.dtype[Any]) -> bool:
        return file_dtype == self.dtype == np.uint8 and not self._is_scaled

    def convert(self, slab: AnyArray) -> AnyArray:
        """Scale and check.

        Raises
        ------
        ImageError
            When a value is no label.
        """
        if self.keeps(slab.dtype):
            return slab
        if slab.dtype.kind == "f" or self._is_scaled:
            slab = self._whole_numbers(slab)
        lo, hi = float(slab.min()), float(slab.max())
        if lo < 0 or hi > MAX_LABEL:
            raise self._refused(f"the value {lo if lo < 0 else hi:.6g}")
        self.highest = max(self.highest, int(hi))
        return slab.astype(self.dtype)

    def _whole_numbers(self, slab: AnyArray) -> AnyArray:
        values = slab.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            if self._is_scaled:
                values = values * self._slope + self._inter
            rounded = np.rint(values)
            tolerance = _SCALING_ERROR if self._is_scaled else 0.0
            is_wrong = ~(np.abs(values - rounded) <= tolerance)
        if is_wrong.any():
            raise self._refused(f"the value {float(values[is_wrong][0]):.6g}")
        return rounded

    def _refused(self, what: str) -> ImageError:
        return ImageError(
            f"{self._name} is no mask: it holds {what}, "
            f"and labels are whole numbers from 0 to {MAX_LABEL}."
        )


def read_canonical(
    read_into: Callable[[AnyArray], None],
    file_dtype: np.dtype[Any],
    order: AxisOrder,
    converter: Converter,
    context: ReadContext,
) -> AnyArray:
    """Read all voxels of a file into a new canonical array.

    Parameters
    ----------
    read_into
        Fills a C-contiguous array with the next voxels of the file, where i runs fastest.
    file_dtype
        Stored type.
    order
        Way from the file's axes to the canonical ones.
    converter
        Gives the type of the result.
    context
        Asked every 8 MB whether to go on.

    Returns
    -------
    ndarray
        ``[k, j, i]`` in canonical axes, C-contiguous, ``converter.dtype``.

    Raises
    ------
    ImageError
        What ``read_into`` and ``converter`` raise.
    MemoryError
        When the array cannot be allocated.
    """
    ni, nj, nk = order.file_shape_ijk
    out = empty_canonical(order, converter.dtype)
    plane_bytes = ni * nj * file_dtype.itemsize
    is_unpermuted = order.permutation == (0, 1, 2)
    slab_bytes = _SLAB_BYTES if is_unpermuted else _PERMUTED_SLAB_BYTES
    planes = min(nk, max(1, slab_bytes // plane_bytes))
    is_direct = is_unpermuted and converter.keeps(file_dtype)
    slab = None if is_direct else np.empty((planes, nj, ni), file_dtype)
    unreported_bytes = _CHECK_BYTES
    for k0 in range(0, nk, planes):
        if unreported_bytes >= _CHECK_BYTES:
            context.check()
            context.report(k0 / nk, "")
            unreported_bytes = 0
        k1 = min(nk, k0 + planes)
        if slab is None:
            _read_planes(read_into, out, order, k0, k1)
        else:
            part = slab[: k1 - k0]
            read_into(part)
            place(out, order, k0, converter.convert(part))
        unreported_bytes += (k1 - k0) * plane_bytes
    context.report(1.0, "")
    return out


def empty_canonical(order: AxisOrder, dtype: np.dtype[Any]) -> AnyArray:
    """Make an array for the canonical axes, content undefined."""
    i, j, k = (order.file_shape_ijk[axis] for axis in order.permutation)
    return np.empty((k, j, i), dtype)


def _read_planes(
    read_into: Callable[[AnyArray], None], out: AnyArray, order: AxisOrder, k0: int, k1: int
) -> None:
    """Read planes to where they belong and flip them there."""
    code = _flip_code(order)
    for k in range(k0, k1):
        plane = out[len(out) - 1 - k if order.flips[2] else k]
        read_into(plane)
        if code is not None:
            cv2.flip(plane, code, plane)


def place(out: AnyArray, order: AxisOrder, k0: int, slab: AnyArray) -> None:
    """Copy planes ``[k, j, i]`` of the file, from ``k0`` on, into the canonical array."""
    if order.permutation != (0, 1, 2):
        # A view of `out` in the file's axes: numpy sorts out the strides.
        order.to_file(out).transpose(2, 1, 0)[k0 : k0 + len(slab)] = slab
        return
    code = _flip_code(order)
    for k, plane in enumerate(slab, k0):
        target = out[len(out) - 1 - k if order.flips[2] else k]
        if code is None:
            np.copyto(target, plane)
        else:
            cv2.flip(plane, code, target)


def _flip_code(order: AxisOrder) -> int | None:
    """OpenCV's name for the flips within a plane: several times faster than negative strides."""
    return {(False, False): None, (False, True): 0, (True, False): 1, (True, True): -1}[
        order.flips[0], order.flips[1]
    ]
