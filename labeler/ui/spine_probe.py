"""What is measured at the selected vertebra, in words for the corner of a picture."""

from __future__ import annotations

from labeler.core.body_probe import BALL_MM, BallHu, ball_hu, neighbour_distances
from labeler.core.landmarks import Point
from labeler.state.pane_choice import spine_phase
from labeler.state.placement import placed_volume_grid
from labeler.ui.spine_layer import SpineLayer
from labeler.workflows.workspace import Workspace


class Probe:
    """Measures once for each place: names change more often than places do."""

    def __init__(self, ws: Workspace, layer: SpineLayer) -> None:
        self._ws = ws
        self._layer = layer
        self._found: tuple[tuple[object, ...], BallHu | None] | None = None

    def lines(self) -> tuple[str, ...]:
        """Name and confidence, distances to the neighbours, and HU; empty without a selection.

        HU are mean and standard deviation of a ball of 10 mm around the centroid.
        """
        ws, layer = self._ws, self._layer
        key = ws.spine.key
        if key is None or key not in layer.centroids or ws.session.case is None:
            return ()
        centroid = layer.centroids[key]
        sure = centroid.confidence
        lines = [centroid.level if sure is None else f"{centroid.level} · {sure:.2f}"]
        near = neighbour_distances(layer.centroids, key)
        if near:
            words = ", ".join(f"to {level} {distance:.1f}" for level, distance in near)
            lines.append(f"{words} mm")
        found = self._ball(centroid.position_ras)
        if found is not None:
            size = f"{2 * BALL_MM:.0f} mm ball"
            words = f"{size} {found.mean_hu:.0f} ± {found.sd_hu:.0f} HU"
            lines.append(words.replace("-", "\u2212"))
        return tuple(lines)

    def _ball(self, centre_ras: Point) -> BallHu | None:
        session = self._ws.session
        assert session.case is not None
        phase = spine_phase(session.case.phases)
        volume, grid = session.volumes.get(phase), placed_volume_grid(session, phase)
        if volume is None or grid is None:
            return None
        where = (grid, centre_ras)  # a phase that is read anew has another grid, too
        if self._found is None or self._found[0] != where:
            self._found = (where, ball_hu(volume.array, grid, centre_ras))
        return self._found[1]
