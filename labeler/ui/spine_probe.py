"""What is measured at the selected vertebra, in words for the corner of a picture."""

from __future__ import annotations

from labeler.core.body_probe import BALL_MM, ball_hu, neighbour_distances
from labeler.state.pane_choice import spine_phase
from labeler.state.placement import placed_volume_grid
from labeler.ui.spine_layer import SpineLayer
from labeler.workflows.workspace import Workspace


def probe_lines(ws: Workspace, layer: SpineLayer) -> tuple[str, ...]:
    """Return name and confidence, distances to the neighbours, and HU; empty without a selection.

    HU are mean and standard deviation of a ball of 10 mm around the centroid.
    """
    key, case = ws.spine.key, ws.session.case
    if key is None or key not in layer.centroids or case is None:
        return ()
    centroid = layer.centroids[key]
    sure = centroid.confidence
    lines = [centroid.level if sure is None else f"{centroid.level} · {sure:.2f}"]
    near = neighbour_distances(layer.centroids, key)
    if near:
        words = ", ".join(f"to {level} {distance:.1f}" for level, distance in near)
        lines.append(f"{words} mm")
    phase = spine_phase(case.phases)
    volume, grid = ws.session.volumes.get(phase), placed_volume_grid(ws.session, phase)
    found = None
    if volume is not None and grid is not None:
        found = ball_hu(volume.array, grid, centroid.position_ras)
    if found is not None:
        size = f"{2 * BALL_MM:.0f} mm ball"
        lines.append(f"{size} {found.mean_hu:.0f} ± {found.sd_hu:.0f} HU".replace("-", "\u2212"))
    return tuple(lines)
