"""What the corners of a view say."""

from __future__ import annotations

import math
from functools import lru_cache

from PyQt5.QtGui import QColor

from labeler.core.geometry import FloatArray, Plane
from labeler.core.labels import Label
from labeler.core.regions import Region
from labeler.core.spine_summary import reason_for
from labeler.core.views import ViewTransform
from labeler.state.placement import Shift
from labeler.state.view_state import Window
from labeler.ui import formats
from labeler.ui.style import AMBER, DIM, TEXT
from labeler.ui.view_overlay import Overlay
from labeler.ui.view_scene import Notice, ViewScene
from labeler.workflows.workspace import Workspace

#: Label colours darker than this (HSL lightness) are raised to it where they colour a text.
MIN_LIGHTNESS = 0.68


def compose_overlay(
    ws: Workspace, scene: ViewScene, index: int, transform: ViewTransform | None
) -> Overlay:
    """Put together what a view says about the slice placed by ``transform``."""
    views, pane = ws.views, ws.views.panes[index]
    letters = pane.plane.edge_letters
    active = views.active == index and views.maximized is None
    notice = scene.notice(pane.phase)
    if notice is None and transform is not None and not transform.has_slice:
        notice = Notice("The crosshair is outside of this phase")
    if notice is not None or transform is None:
        notice = notice or Notice("")
        return Overlay(
            letters,
            views.mm_per_px,
            notice=notice.text,
            notice_colour=AMBER if notice.is_problem else DIM,
            progress=notice.progress,
            active=active,
        )
    region = None if scene.spine.is_shown else scene.selected_region()
    label = None if region is None else ws.session.labels[region.label]
    crosshair_ijk = transform.grid.to_ijk(views.crosshair_ras)
    return Overlay(
        letters,
        views.mm_per_px,
        window=window_text(views.window(pane.phase)),
        offset=offset_lines(transform, crosshair_ijk, scene.shift_mm(pane.phase)),
        region=(
            level_lines(ws, scene)
            if region is None or label is None
            else region_lines(region, label, pane.phase)
        ),
        region_colour=TEXT if label is None else readable_colour(label.colour),
        active=active,
    )


def slice_text(transform: ViewTransform | None, plane_name: str) -> str:
    """Plane and slice number, such as "axial 43 / 133"."""
    if transform is None or not transform.has_slice:
        return plane_name
    return f"{plane_name} {transform.slice_index + 1} / {transform.n_slices}"


def window_text(window: Window) -> str:
    """Grey scale, such as "W 350 L 40"."""
    return f"W {formats.whole(window.width_hu)}  L {formats.whole(window.level_hu)}"


def region_lines(region: Region, label: Label, phase: str) -> tuple[str, ...]:
    """Name and volume of a region; what it measures in a phase."""
    first = f"{label.name}  {formats.measure(region.volume_ml)} ml"
    hu = region.hu.get(phase)
    return (first,) if hu is None else (first, f"{formats.whole(hu.mean)} ± {hu.sd:.0f} HU")


def level_lines(ws: Workspace, scene: ViewScene) -> tuple[str, ...]:
    """Name and confidence of the selected vertebra, such as "T11 · 0.94", and what is doubted."""
    layer, key = scene.spine, ws.spine.key
    centroid = layer.centroids.get(key) if key is not None and layer.is_shown else None
    if key is None or centroid is None:
        return ()
    confidence = "" if centroid.confidence is None else f" · {centroid.confidence:.2f}"
    doubt = layer.doubt_of(key)
    first = f"{centroid.level}{confidence}"
    # the panel of checks has the sentence; here it would run into the scale bar
    return (first,) if doubt is None else (first, reason_for(doubt, layer.centroids))


@lru_cache(maxsize=64)
def readable_colour(colour: str) -> str:
    """A label's colour, light enough to be read as text on black."""
    lifted = QColor(colour)
    hue, saturation, lightness, _ = lifted.getHslF()
    if lightness < MIN_LIGHTNESS:
        lifted.setHslF(max(0.0, hue), saturation, MIN_LIGHTNESS)
    return lifted.name()


def offset_lines(
    transform: ViewTransform, crosshair_ijk: FloatArray, shift_mm: Shift
) -> tuple[str, ...]:
    """How far the slice is from the crosshair, below the length of the phase's shift, if any."""
    axis = transform.plane.normal_axis
    depth = transform.slice_index - crosshair_ijk[axis]
    # positive is Superior, Anterior or Right, as everywhere in RAS
    sign = 1.0 if transform.plane is Plane.AXIAL else -1.0
    offset_mm = round(sign * float(depth) * transform.grid.spacing_mm[axis], 1) + 0.0
    offset = f"{offset_mm:+.1f} mm".replace("-", formats.MINUS)
    length_mm = math.hypot(*shift_mm)
    return (offset,) if length_mm < 0.05 else (f"shifted {length_mm:.1f} mm", offset)
