"""Drawing one view: grey values, masks with fill and contour, straight into the image's pixels.

Contours are drawn inside the label, a given number of screen pixels wide at any zoom, by eroding
runs of labels (:mod:`labeler.core._render_kernels`). All kernels release the GIL.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeler.core._jit import Array, frozen
from labeler.core._render_kernels import (
    BLACK,
    ScreenRuns,
    draw_runs,
    draw_slice,
    sample_labels,
    to_screen,
)
from labeler.core.geometry import FloatArray, Grid
from labeler.core.labels import LabelTable, spare_rgb
from labeler.core.mask import Box, LabelArray
from labeler.core.runs import scan_rows
from labeler.core.slices import SliceCache, SlicePart
from labeler.core.views import ViewTransform

Pixels = npt.NDArray[np.uint32]

MAX_CONTOUR_PX = 12

#: A mask's axes count as parallel to the screen's when they stray by less than this over a view.
PARALLEL_VOXELS = 0.01

#: Added to coordinates of mask voxels: a pixel exactly between two voxels shows the upper one
#: everywhere, not the one that rounding errors choose.
TIE = 1e-6


@dataclass(frozen=True, eq=False)
class MaskLayer:
    """A mask and how it is drawn.

    Attributes
    ----------
    array
        ``[k, j, i]`` uint8 or uint16, C-contiguous.
    grid
        Where it lies.
    colours
        uint32 ``0xffRRGGBB`` by label, 0 for what is not drawn (see :func:`colour_table`); labels
        beyond its end are not drawn.
    fill_opacity, contour_opacity
        0..1.
    contour_px
        Width of the contour inside the label, in pixels of the view; 0 for none.
    dashed
        Dash the contour (proposals).
    revision
        Names the content of the array (:attr:`Mask.revision`) for views with a cache.
    """

    array: LabelArray
    grid: Grid
    colours: Pixels
    fill_opacity: float = 0.15
    contour_opacity: float = 1.0
    contour_px: float = 2.0
    dashed: bool = False
    revision: int = 0


def colour_table(
    labels: LabelTable, hidden: Collection[int] = (), dtype: npt.DTypeLike = np.uint8
) -> Pixels:
    """Colours of all labels of a mask for :class:`MaskLayer`.

    Parameters
    ----------
    labels
        Names and colours; other values get the colours that the table gives them.
    hidden
        Labels that are not drawn.
    dtype
        Type of the mask's array.
    """
    size = np.iinfo(np.dtype(dtype).type).max + 1
    table = BLACK | spare_rgb(np.arange(size))
    for label in labels:
        if label.value < size:
            table[label.value] = BLACK | np.uint32(int(label.colour[1:], 16))
    table[[value for value in hidden if value < size]] = 0
    table[0] = 0
    return np.asarray(table, np.uint32)


def highlight_layer(
    box: Box,
    crop: npt.NDArray[np.bool_] | npt.NDArray[np.uint8],
    grid: Grid,
    *,
    rgb: tuple[int, int, int] = (255, 255, 255),
    contour_px: float = 2.0,
) -> MaskLayer:
    """Bright contour of one region, from :meth:`RegionIndex.component_crop`.

    Make it once per selection, not per repaint; ``grid`` is the mask's.
    """
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_ras(box.lo_kji[::-1])
    red, green, blue = rgb
    colours = np.array([0, 0xFF000000 | red << 16 | green << 8 | blue], np.uint32)
    return MaskLayer(
        np.ascontiguousarray(crop).view(np.uint8),
        Grid(box.shape_kji, affine),
        colours,
        fill_opacity=0.0,
        contour_px=contour_px,
    )


def render(
    out: Pixels,
    values: npt.NDArray[Any] | None,
    view: ViewTransform,
    window_hu: tuple[float, float],
    layers: Sequence[MaskLayer] = (),
    *,
    smooth: bool = True,
    cache: SliceCache | None = None,
) -> None:
    """Draw a view; every pixel of ``out`` is written.

    Parameters
    ----------
    out
        uint32 ``(height, width)``, C-contiguous: the bytes of a ``QImage.Format_RGB32``.
    values
        ``[k, j, i]`` int16 or float32 on ``view.grid``, C-contiguous; ``None`` for a black image.
    view
        What is shown; its size is that of ``out``.
    window_hu
        Width and level: ``level - width / 2`` is black, ``level + width / 2`` white.
    layers
        Masks, the last one on top.
    smooth
        Linear interpolation in the slice, else the nearest voxel.
    cache
        The view's memory of sagittal slices; layers that change need their ``revision`` then.

    Raises
    ------
    ValueError
        When sizes do not agree.
    """
    if out.shape != view.size_px[::-1]:
        raise ValueError(f"an image of {out.shape[::-1]} for a view of {view.size_px}")
    if values is None or not view.has_slice:
        out[:] = BLACK
    else:
        if values.shape != view.grid.shape_kji:
            raise ValueError(f"values of shape {values.shape} on a grid {view.grid.shape_kji}")
        _draw_values(out, values, view, window_hu, smooth, cache)
    for layer in layers:
        _draw_layer(out, layer, view, cache)


def _draw_values(
    out: Pixels,
    values: Array,
    view: ViewTransform,
    window_hu: tuple[float, float],
    smooth: bool,
    cache: SliceCache | None,
) -> None:
    part = SlicePart.of(values, view, view.to_ijk, view.slice_index, cache=cache)
    window, level = window_hu
    draw_slice(
        out, part.flat, part.offset, part.row_stride, part.shape[1], part.shape[0],
        *part.columns, *part.rows, level - window / 2, 255.0 / max(window, 1e-6), smooth,
    )  # fmt: skip


def _draw_layer(
    out: Pixels, layer: MaskLayer, view: ViewTransform, cache: SliceCache | None
) -> None:
    contour_px = min(max(layer.contour_px, 0.0), MAX_CONTOUR_PX)
    fill = round(256 * min(max(layer.fill_opacity, 0.0), 1.0))
    contour = round(256 * min(max(layer.contour_opacity, 0.0), 1.0))
    if contour_px < 1.0 or contour == 0:
        contour_px, contour = 0.0, fill
    if fill == 0 and contour == 0:
        return
    matrix = view.to_ijk_of(layer.grid)
    matrix = matrix.copy()
    matrix[:, 2] += TIE
    margin = int(contour_px)
    distances = np.arange(margin + 1)
    chords = (
        np.sqrt(contour_px**2 - distances**2).astype(np.int32) if margin else np.zeros(1, np.int32)
    )
    # The contour lies over the fill.
    edge = fill + round((256 - fill) * contour / 256) if margin else fill
    runs = _runs_of(layer, view, matrix, margin, cache)
    if runs is not None:
        draw_runs(out, runs, margin, chords, layer.colours, fill, edge, layer.dashed)


def _runs_of(
    layer: MaskLayer,
    view: ViewTransform,
    matrix: FloatArray,
    margin: int,
    cache: SliceCache | None,
) -> ScreenRuns | None:
    """Label runs of the screen rows; ``None`` when the slice misses the mask."""
    plane, shape = view.plane, layer.grid.shape_ijk
    column, row, normal = plane.column_axis, plane.row_axis, plane.normal_axis
    width, height = view.size_px
    reach = np.abs(matrix[:, :2]) * (width, height)
    stray = max(reach[column, 1], reach[row, 0], reach[normal, 0], reach[normal, 1])
    if stray > PARALLEL_VOXELS or matrix[column, 0] <= 0:
        image = sample_labels(frozen(layer.array), matrix, width, height, margin)
        row_ptr, _, start, stop, label = scan_rows(
            image.reshape(-1), 0, image.shape[1], *image.shape
        )
        return ScreenRuns(row_ptr[:-1], row_ptr[1:], start - margin, stop - margin, label)
    index = int(np.floor(matrix[normal, 2] + 0.5))
    if not 0 <= index < shape[normal]:
        return None
    part = SlicePart.of(layer.array, view, matrix, index, margin, cache, layer.revision)
    row_ptr, _, start, stop, label = scan_rows(part.flat, part.offset, part.row_stride, *part.shape)
    return to_screen(
        row_ptr, start, stop, label, part.shape[1], *part.columns, *part.rows,
        width, height, margin,
    )  # fmt: skip
