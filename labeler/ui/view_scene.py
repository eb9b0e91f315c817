"""What there is to draw, shared by the four views: placed grids, mask layers, the highlight.

Looks up state and caches what is the same for every repaint (colour tables, the outline of the
selected region). Holds nothing that is worth saving.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.geometry import FloatArray, Grid, Plane
from labeler.core.regions import Region
from labeler.core.rendering import MaskLayer, Pixels, colour_table, highlight_layer
from labeler.core.volume import PHASE_TITLES, PHASES
from labeler.state.placement import Shift, placed_mask_grid, placed_volume_grid, shifts_mm
from labeler.state.session import Change
from labeler.ui.axes_layer import AxesLayer
from labeler.ui.difference_layer import DifferenceLayer
from labeler.ui.preview_layer import PreviewLayer
from labeler.ui.proposal_layer import ProposalLayer
from labeler.ui.region_slider import SliderMark, region_marks
from labeler.ui.spine_layer import SpineLayer
from labeler.ui.view_header import PhaseChoice
from labeler.workflows.review_proposal import PROPOSED
from labeler.workflows.workspace import Workspace

#: The outline of the selected region: this much wider, and this much of the way to white.
HIGHLIGHT_EXTRA_PX = 1.0
HIGHLIGHT_WHITE = 0.55


@dataclass(frozen=True)
class Notice:
    """What a view says instead of an image."""

    text: str
    is_problem: bool = False
    progress: float | None = None


class ViewScene(QObject):
    """Content of the views.

    Signals
    -------
    placement_changed
        A phase moved against the others (stored or previewed).
    highlight_changed
        The outline of the selected region disappeared, as an edit may have changed the region.
    progress_changed
        Name of a phase of which more has been read; "" when all views are concerned.
    """

    placement_changed = pyqtSignal()
    highlight_changed = pyqtSignal()
    progress_changed = pyqtSignal(str)

    def __init__(self, ws: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ws = ws
        self._preview: tuple[str, Shift] | None = None
        self._progress: dict[str, float] = {}
        self._preparing: float | None = None
        self._tables: dict[tuple[object, frozenset[int], str], Pixels] = {}
        self._layers: dict[float, list[MaskLayer]] = {}
        self._highlight: tuple[object, MaskLayer] | None = None
        self._region_may_differ = False
        #: What is shown over the masks before it is done.
        self.preview = PreviewLayer(ws, self)
        self.preview.changed.connect(self._forget_layers)
        #: Two masks compared, in place of the masks.
        self.difference = DifferenceLayer(ws, self)
        self.difference.changed.connect(self._forget_layers)
        #: What a model proposes, over the masks.
        self.proposal = ProposalLayer(ws, self)
        self.proposal.changed.connect(self._forget_layers)
        self.proposal.highlighted.connect(self._forget_layers)
        #: Axes of the selected region.
        self.axes = AxesLayer(ws, self)
        #: Centroids of vertebrae.
        self.spine = SpineLayer(ws, self)
        ws.session.case_opened.connect(self._reset)
        ws.session.changed.connect(self._changed)
        ws.session.regions_changed.connect(self._regions_changed)
        for signal in (
            ws.session.volume_loaded,
            ws.session.mask_loaded,
            ws.session.mask_removed,
            ws.selection.changed,
            ws.selection.region_selected,
            ws.views.style_changed,
            ws.views.options_changed,
        ):
            signal.connect(self._forget_layers)

    def shift_mm(self, phase: str) -> Shift:
        """Shift of a phase as shown now, RAS mm."""
        return self._shifts().get(phase, (0.0, 0.0, 0.0))

    def preview_shift(self, phase: str, shift_mm: FloatArray) -> None:
        """Show a phase shifted without storing it."""
        x, y, z = (float(value) for value in shift_mm)
        self._preview = (phase, (x, y, z))
        self._forget_layers()
        self.placement_changed.emit()

    def end_shift_preview(self) -> None:
        """Show the stored shifts again."""
        if self._preview is not None:
            self._preview = None
            self._forget_layers()
            self.placement_changed.emit()

    def volume_grid(self, phase: str) -> Grid | None:
        """Where a phase stands; ``None`` while it is not read or nothing can be drawn yet."""
        if self._preparing is not None:
            return None
        return placed_volume_grid(self._ws.session, phase, self._shifts())

    def mask_grid(self, name: str) -> Grid:
        """Where a mask stands."""
        return placed_mask_grid(self._ws.session, name, self._shifts())

    def set_progress(self, phase: str, fraction: float) -> None:
        """Note how much of a phase has been read."""
        self._progress[phase] = fraction
        self.progress_changed.emit(phase)

    def set_preparing(self, fraction: float | None) -> None:
        """Note how far the program is with what it draws slices by; ``None`` when it is ready."""
        was_preparing, self._preparing = self._preparing is not None, fraction
        if was_preparing != (fraction is not None):
            self.placement_changed.emit()
        elif was_preparing:
            self.progress_changed.emit("")

    def phase_choices(self) -> list[PhaseChoice]:
        """Phases a view may be set to: the four usual ones and whatever else the case has."""
        case = self._ws.session.case
        available = list(case.phases) if case is not None else []
        names = [*PHASES, *(phase for phase in available if phase not in PHASES)]
        return [PhaseChoice(name, name in available) for name in names]

    def notice(self, phase: str) -> Notice | None:
        """Why there is no image of a phase; ``None`` when there is one."""
        session = self._ws.session
        if session.case is None:
            return None
        if phase in session.volumes:
            if self._preparing is None:
                return None
            return Notice("Preparing to draw …", progress=self._preparing)
        problem = session.problems.get(f"phase:{phase}")
        if problem is not None:
            return Notice(problem, is_problem=True)
        title = PHASE_TITLES.get(phase, phase)
        if phase in session.case.phases:
            return Notice(f"Reading {title.lower()} …", progress=self._progress.get(phase, 0.0))
        return Notice(f"No {title.lower()} phase in this case")

    def shown_masks(self) -> list[str]:
        """Masks that are drawn, the active one last (on top)."""
        views, active = self._ws.views, self._ws.selection.mask
        if not views.masks_visible:
            return []
        alone = self.difference.alone
        if alone is not None and (alone in self._ws.session.masks or alone == PROPOSED):
            return [name for name in self._ws.session.masks if name == alone]
        names = [name for name in self._ws.session.masks if views.style(name).visible]
        return sorted(names, key=lambda name: name == active)

    def layers(self, pixel_ratio: float) -> list[MaskLayer]:
        """Mask layers of a repaint, the selected region's outline on top."""
        if pixel_ratio not in self._layers:
            self._layers[pixel_ratio] = self._make_layers(pixel_ratio)
        return self._layers[pixel_ratio]

    def marks(self, view_grid: Grid, plane: Plane) -> list[SliderMark]:
        """Slices of a view that hold regions of the shown masks, largest region first."""
        session, marks = self._ws.session, []
        for name in self.shown_masks():
            index = session.regions.get(name)
            if index is not None:
                hidden = self._ws.views.style(name).hidden_labels
                regions, grid = index.regions.values(), self.mask_grid(name)
                marks += region_marks(regions, grid, view_grid, plane, session.labels, hidden)
        proposal = self.proposal.proposal
        if proposal is not None:
            grid = self.volume_grid(proposal.phase) or proposal.grid
            proposed = self.proposal.regions()
            marks += region_marks(proposed, grid, view_grid, plane, session.labels)
        return sorted(marks, key=lambda mark: mark.lo - mark.hi)

    def selected_region(self) -> Region | None:
        """The region that is highlighted and described."""
        ref = self._ws.selection.region
        return None if ref is None else self._ws.session.region(ref.mask, ref.region_id)

    def _make_layers(self, pixel_ratio: float) -> list[MaskLayer]:
        difference = self.difference.layer(pixel_ratio) if self._ws.views.masks_visible else None
        layers = [] if difference is None else [difference]
        for name in self.shown_masks() if difference is None else ():
            style = self._ws.views.style(name)
            mask = self._ws.session.masks[name].mask
            array = mask.array
            layers.append(
                MaskLayer(
                    array,
                    self.mask_grid(name),
                    self._table(style.hidden_labels, array.dtype.name),
                    fill_opacity=style.fill_opacity,
                    contour_opacity=style.contour_opacity,
                    contour_px=style.contour_width_px * pixel_ratio,
                    revision=mask.revision,
                )
            )
        proposal = None if difference is not None else self._proposal_layer(pixel_ratio)
        preview = self.preview.layer(self.mask_grid, pixel_ratio)
        extra = (self._highlight_layer(pixel_ratio), proposal, preview)
        return [*layers, *(layer for layer in extra if layer is not None)]

    def _proposal_layer(self, pixel_ratio: float) -> MaskLayer | None:
        """What is proposed; hidden with the masks, and while one of two is shown by itself."""
        proposal, alone = self.proposal.proposal, self.difference.alone
        grid = self.volume_grid(proposal.phase) if proposal is not None else None
        is_hidden = not self._ws.views.masks_visible or alone not in (None, PROPOSED)
        if grid is None or is_hidden:
            return None
        return self.proposal.layer(grid, pixel_ratio)

    def _shifts(self) -> dict[str, Shift]:
        stored = shifts_mm(self._ws.session)
        return stored if self._preview is None else {**stored, self._preview[0]: self._preview[1]}

    def _table(self, hidden: frozenset[int], dtype: str) -> Pixels:
        key = (self._ws.session.labels, hidden, dtype)
        if key not in self._tables:
            if len(self._tables) > 16:
                self._tables.clear()
            self._tables[key] = colour_table(self._ws.session.labels, hidden, np.dtype(dtype))
        return self._tables[key]

    def _highlight_layer(self, pixel_ratio: float) -> MaskLayer | None:
        """Outline of the selected region; none until regions are counted after a change."""
        region = self.selected_region()
        if region is None or self._region_may_differ or region.mask not in self.shown_masks():
            return None
        style = self._ws.views.style(region.mask)
        if region.label in style.hidden_labels:
            return None
        index = self._ws.session.regions[region.mask]
        grid = self.mask_grid(region.mask)
        width = (style.contour_width_px + HIGHLIGHT_EXTRA_PX) * pixel_ratio
        key = (index, region.id, grid, width)
        if self._highlight is None or self._highlight[0] != key:
            box, crop = index.component_crop(region.id)
            rgb = _towards_white(self._ws.session.labels[region.label].rgb, HIGHLIGHT_WHITE)
            layer = highlight_layer(box, crop, grid, rgb=rgb, contour_px=width)
            self._highlight = (key, layer)
        return self._highlight[1]

    def _reset(self, _case: object) -> None:
        self._preview = None
        self._highlight = None
        self._region_may_differ = False
        self._progress.clear()
        self._forget_layers()

    def _forget_layers(self, *_: object) -> None:
        """Make the layers anew for the next repaint; connected before any view is."""
        self._layers.clear()

    def _changed(self, change: Change) -> None:
        self._forget_layers()
        region = self.selected_region()
        if region is not None and region.mask in change.boxes and not self._region_may_differ:
            self._region_may_differ = True
            self.highlight_changed.emit()
        if any(value.field == "shift" for value in change.values):
            self.placement_changed.emit()

    def _regions_changed(self, mask: str) -> None:
        self._forget_layers()
        ref = self._ws.selection.region
        if ref is None or ref.mask == mask:
            self._region_may_differ = False


def _towards_white(rgb: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(value + (255 - value) * share) for value in rgb)
    return red, green, blue
