"""Kernels of :mod:`labeler.core.rendering`; pixels are ``0xffRRGGBB``.

Nothing here knows about planes or grids: images and masks come as flat arrays with an offset and
a row stride, screen pixels as straight lines through them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from labeler.core._jit import Array, kernel

BLACK = np.uint32(0xFF000000)
_RED_BLUE = np.uint32(0x00FF00FF)
_GREEN = np.uint32(0x0000FF00)
_GREY = np.uint32(0x00010101)

#: Dashes are this many pixels (a power of two, as its exponent).
_DASH_BITS = 2


class ScreenRuns(NamedTuple):
    """Runs of labels in screen rows, also a margin of pixels beyond the edges of the screen.

    Attributes
    ----------
    lo, hi
        int32 ``(margin + height + margin,)``; the runs of a screen row are ``lo[row]:hi[row]``.
        Rows within one row of voxels share their runs.
    start, stop
        int32; half-open range of screen columns.
    label
        uint16; never 0.
    """

    lo: Array
    hi: Array
    start: Array
    stop: Array
    label: Array


@kernel
def gather(array: Array, column: int, row_lo: int, row_hi: int, lo: int, hi: int) -> Array:
    """Copy ``array[row_lo:row_hi, lo:hi, column]`` into a flat array."""
    out = np.empty((row_hi - row_lo) * (hi - lo), array.dtype)
    n = 0
    for row in range(row_lo, row_hi):
        for j in range(lo, hi):
            out[n] = array[row, j, column]
            n += 1
    return out


@kernel
def _samples(origin: float, step: float, count: int, n: int, smooth: bool) -> Any:
    """Lower sample and weight of the upper one for ``count`` pixels; which pixels lie inside."""
    index = np.empty(count, np.int32)
    weight = np.empty(count, np.float32)
    lo, hi = count, 0
    for pixel in range(count):
        at = origin + step * (pixel + 0.5)
        if -0.5 <= at < n - 0.5:
            lo, hi = min(lo, pixel), pixel + 1
        at = min(max(at, 0.0), n - 1.0)
        if not smooth:
            at = np.floor(at + 0.5)
        index[pixel] = np.int32(at)
        weight[pixel] = at - np.floor(at)
    return index, weight, lo, hi


@kernel
def draw_slice(
    out: Array, flat: Array, offset: int, row_stride: int, n_columns: int, n_rows: int,
    column_origin: float, column_step: float, row_origin: float, row_step: float,
    low: float, scale: float, smooth: bool,
) -> None:  # fmt: skip
    """Draw a slice, ``(value - low) * scale`` being the grey value; black outside of it."""
    height, width = out.shape
    column, column_weight, x_lo, x_hi = _samples(
        column_origin, column_step, width, n_columns, smooth
    )
    row, row_weight, y_lo, y_hi = _samples(row_origin, row_step, height, n_rows, smooth)
    if x_lo >= x_hi or y_lo >= y_hi:
        out[:] = BLACK
        return
    out[:y_lo] = BLACK
    out[y_hi:] = BLACK
    # Two rows of the slice at a time, resampled along x and kept for as long as they are needed.
    lines = np.empty((2, x_hi - x_lo), np.float32)
    held = np.full(2, -1, np.int32)
    scaled = np.empty(column[x_hi - 1] - column[x_lo] + 2, np.float32)
    for y in range(y_lo, y_hi):
        lower, upper = int(row[y]), int(min(row[y] + 1, n_rows - 1))
        slot = 1 if held[1] == lower or (held[0] == upper and held[0] != lower) else 0
        for which in range(2):
            wanted = lower if which == slot else upper
            if held[which] != wanted:
                held[which] = wanted
                base = offset + wanted * row_stride
                _scale_line(scaled, flat, base, column[x_lo], n_columns, low, scale)
                _resample_line(lines[which], scaled, column[x_lo:x_hi], column_weight[x_lo:x_hi])
        out[y, :x_lo] = BLACK
        out[y, x_hi:] = BLACK
        _mix_lines(out[y, x_lo:x_hi], lines[slot], lines[1 - slot], row_weight[y])


@kernel
def _scale_line(
    scaled: Array, flat: Array, base: int, first: int, n_columns: int, low: float, scale: float
) -> None:
    """Grey values of the columns from ``first`` on; beyond the last one a copy of it."""
    offset, factor = np.float32(0.5 - low * scale), np.float32(scale)
    count = min(len(scaled), n_columns - first)
    values = flat[base + first : base + first + count]
    for n in range(count):
        scaled[n] = np.float32(values[n]) * factor + offset
    scaled[count:] = scaled[count - 1]


@kernel
def _resample_line(line: Array, scaled: Array, column: Array, weight: Array) -> None:
    first = column[0]
    for x in range(len(line)):
        n = column[x] - first
        line[x] = scaled[n] + (scaled[n + 1] - scaled[n]) * weight[x]


@kernel
def _mix_lines(out: Array, lower: Array, upper: Array, weight: float) -> None:
    share = np.float32(weight)
    for x in range(len(out)):
        grey = lower[x] + (upper[x] - lower[x]) * share
        # Written so that a value that is not a number becomes black.
        grey = grey if grey > np.float32(0.0) else np.float32(0.0)
        grey = grey if grey < np.float32(255.0) else np.float32(255.0)
        out[x] = BLACK | (np.uint32(np.int32(grey)) * _GREY)


@kernel
def to_screen(
    row_ptr: Array, start: Array, stop: Array, label: Array, n_columns: int,
    column_origin: float, column_step: float, row_origin: float, row_step: float,
    width: int, height: int, margin: int,
) -> ScreenRuns:  # fmt: skip
    """Place runs of rows of voxels on a screen whose axes are parallel to theirs."""
    edges = np.empty(n_columns + 1, np.int32)
    for i in range(n_columns + 1):
        # First pixel whose centre is nearest to voxel i or a later one.
        x = np.ceil((i - 0.5 - column_origin) / column_step - 0.5)
        edges[i] = min(max(x, -margin), width + margin)
    # A run narrower than a pixel may cover no centre: it is left out.
    n_rows = len(row_ptr) - 1
    first = np.empty(n_rows + 1, np.int32)
    x_start, x_stop = np.empty(len(start), np.int32), np.empty(len(start), np.int32)
    x_label = np.empty(len(start), np.uint16)
    n = 0
    for row in range(n_rows):
        first[row] = n
        for run in range(row_ptr[row], row_ptr[row + 1]):
            x0, x1 = edges[start[run]], edges[stop[run]]
            if x0 < x1:
                x_start[n], x_stop[n], x_label[n] = x0, x1, label[run]
                n += 1
    first[n_rows] = n
    n_lines = height + 2 * margin
    lo, hi = np.zeros(n_lines, np.int32), np.zeros(n_lines, np.int32)
    for line in range(n_lines):
        row = int(np.floor(row_origin + row_step * (line - margin + 0.5) + 0.5))
        if 0 <= row < n_rows:
            lo[line], hi[line] = first[row], first[row + 1]
    return ScreenRuns(lo, hi, x_start, x_stop, x_label)


@kernel
def sample_labels(array: Array, matrix: Array, width: int, height: int, margin: int) -> Array:
    """Label under each pixel's centre, for any position of the mask and beyond the edges.

    Returns uint16 ``(margin + height + margin, margin + width + margin)``.
    """
    n_k, n_j, n_i = array.shape
    out = np.zeros((height + 2 * margin, width + 2 * margin), np.uint16)
    for line in range(out.shape[0]):
        y = line - margin + 0.5
        i0 = matrix[0, 1] * y + matrix[0, 2] + 0.5
        j0 = matrix[1, 1] * y + matrix[1, 2] + 0.5
        k0 = matrix[2, 1] * y + matrix[2, 2] + 0.5
        for column in range(out.shape[1]):
            x = column - margin + 0.5
            i = int(np.floor(i0 + matrix[0, 0] * x))
            j = int(np.floor(j0 + matrix[1, 0] * x))
            k = int(np.floor(k0 + matrix[2, 0] * x))
            if 0 <= i < n_i and 0 <= j < n_j and 0 <= k < n_k:
                out[line, column] = array[k, j, i]
    return out


@kernel
def _overlap(
    a_start: Array, a_stop: Array, a_label: Array, n_a: int,
    start: Array, stop: Array, label: Array, lo: int, hi: int, shrink: int,
    out_start: Array, out_stop: Array, out_label: Array,
) -> int:  # fmt: skip
    """Intersect intervals with the runs ``lo:hi`` shortened by ``shrink`` at either end."""
    n, a, b = 0, 0, lo
    while a < n_a and b < hi:
        x0 = max(a_start[a], start[b] + shrink)
        x1 = min(a_stop[a], stop[b] - shrink)
        if x0 < x1 and a_label[a] == label[b]:
            out_start[n], out_stop[n], out_label[n] = x0, x1, label[b]
            n += 1
        if a_stop[a] < stop[b] - shrink:
            a += 1
        else:
            b += 1
    return n


@kernel
def _blend(pixels: Array, colour: int, alpha: int) -> None:
    """Mix a colour into pixels, ``alpha`` in 0..256."""
    share, rest = np.uint32(alpha), np.uint32(256 - alpha)
    red_blue = (np.uint32(colour) & _RED_BLUE) * share
    green = (np.uint32(colour) & _GREEN) * share
    for x in range(len(pixels)):
        pixel = pixels[x]
        rb = (((pixel & _RED_BLUE) * rest + red_blue) >> np.uint32(8)) & _RED_BLUE
        g = (((pixel & _GREEN) * rest + green) >> np.uint32(8)) & _GREEN
        pixels[x] = BLACK | rb | g


@kernel
def _edge(
    out: Array, y: int, lo: int, hi: int, colour: int, fill: int, edge: int, dashed: bool
) -> None:
    """Draw pixels of a contour, or of its gaps."""
    if not dashed:
        _blend(out[y, lo:hi], colour, edge)
        return
    x = lo
    while x < hi:
        end = min(hi, ((((x + y) >> _DASH_BITS) + 1) << _DASH_BITS) - y)
        _blend(out[y, x:end], colour, edge if ((x + y) >> _DASH_BITS) & 1 == 0 else fill)
        x = end


@kernel
def draw_runs(
    out: Array, runs: ScreenRuns, margin: int, chords: Array,
    colours: Array, fill: int, edge: int, dashed: bool,
) -> None:  # fmt: skip
    """Blend runs into ``out``: fill inside, contour within the given distance of another label.

    ``chords[d]`` is half the width of the contour's disc ``d`` rows away; ``margin`` its radius.
    The inside of a row is what remains of its runs when those of the rows around, shortened by
    the chord, are intersected: the erosion by a disc, done on intervals.
    """
    height, width = out.shape
    start, stop, label = runs.start, runs.stop, runs.label
    most = width + 2 * margin  # disjoint intervals in a row
    a_start, b_start = np.empty(most, np.int32), np.empty(most, np.int32)
    a_stop, b_stop = np.empty(most, np.int32), np.empty(most, np.int32)
    a_label, b_label = np.empty(most, np.uint16), np.empty(most, np.uint16)
    for y in range(height):
        line = y + margin
        lo, hi = runs.lo[line], runs.hi[line]
        if lo == hi:
            continue
        n = 0
        for run in range(lo, hi):
            if stop[run] - start[run] > 2 * chords[0]:
                a_start[n], a_stop[n] = start[run] + chords[0], stop[run] - chords[0]
                a_label[n] = label[run]
                n += 1
        for distance in range(1, margin + 1):
            for other in (line - distance, line + distance):
                if runs.lo[other] == lo and runs.hi[other] == hi:
                    continue  # the same row of voxels, shortened already
                n = _overlap(
                    a_start, a_stop, a_label, n,
                    start, stop, label, runs.lo[other], runs.hi[other], chords[distance],
                    b_start, b_stop, b_label,
                )  # fmt: skip
                a_start, b_start = b_start, a_start
                a_stop, b_stop = b_stop, a_stop
                a_label, b_label = b_label, a_label
        inner = 0
        for run in range(lo, hi):
            colour: Any = colours[label[run]] if label[run] < len(colours) else np.uint32(0)
            x, end = max(start[run], 0), min(stop[run], width)
            while inner < n and a_start[inner] < stop[run]:
                if colour != 0:
                    x0, x1 = min(max(a_start[inner], x), end), min(a_stop[inner], end)
                    _edge(out, y, x, x0, colour, fill, edge, dashed)
                    if fill > 0 and x0 < x1:
                        _blend(out[y, x0:x1], colour, fill)
                    x = max(x0, x1)
                inner += 1
            if colour != 0 and x < end:
                _edge(out, y, x, end, colour, fill, edge, dashed)
