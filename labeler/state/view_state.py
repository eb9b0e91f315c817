"""What the four views show: one linked state, no widgets.

The crosshair is a RAS point; along a view's normal it chooses the slice. The centre is another
RAS point; in a view's plane it chooses the pan. The zoom is in mm per pixel. All views share the
three, each on its own phase's grid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PyQt5.QtCore import QObject, pyqtSignal

from labeler.core.geometry import FloatArray, Grid, Plane

MIN_MM_PER_PX, MAX_MM_PER_PX = 0.02, 8.0


@dataclass(frozen=True)
class Pane:
    """What one of the four views is set to show."""

    phase: str
    plane: Plane


@dataclass(frozen=True)
class Window:
    """Grey scale in HU."""

    width_hu: float
    level_hu: float


@dataclass(frozen=True)
class MaskStyle:
    """How one mask is drawn."""

    visible: bool = True
    contour_width_px: float = 2.0
    contour_opacity: float = 1.0
    fill_opacity: float = 0.15
    hidden_labels: frozenset[int] = frozenset()


class ViewState(QObject):
    """Linked view state.

    Signals
    -------
    moved
        Crosshair, centre or zoom changed: every view repaints.
    pane_changed
        Index of a view whose phase or plane changed.
    window_changed
        A phase's grey scale changed (its name).
    style_changed
        A mask's style changed (its name).
    options_changed
        Crosshair or mask visibility, linking, maximized or active view changed.
    hovered
        RAS point under the cursor (``None`` when it leaves the views).
    """

    moved = pyqtSignal()
    pane_changed = pyqtSignal(int)
    window_changed = pyqtSignal(str)
    style_changed = pyqtSignal(str)
    options_changed = pyqtSignal()
    hovered = pyqtSignal(object)

    def __init__(self, panes: tuple[Pane, Pane, Pane, Pane], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.panes: list[Pane] = list(panes)
        self.crosshair_ras: FloatArray = np.zeros(3)
        self.center_ras: FloatArray = np.zeros(3)
        self.mm_per_px = 1.0
        self.windows_linked = True
        self.crosshair_visible = True
        self.masks_visible = True
        self.smooth = True
        self.maximized: int | None = None
        self.active = 0
        #: Width and height of one view on the screen; set by the view grid, used to fit regions.
        self.view_size_px: tuple[int, int] = (600, 450)
        self._windows: dict[str, Window] = {}
        self._styles: dict[str, MaskStyle] = {}
        self.default_window = Window(350.0, 40.0)
        self.default_style = MaskStyle()

    def set_crosshair(self, ras: FloatArray) -> None:
        """Move the crosshair; views follow along their normals."""
        if not np.array_equal(ras, self.crosshair_ras):
            self.crosshair_ras = np.array(ras, dtype=np.float64)
            self.moved.emit()

    def set_frame(
        self,
        *,
        center_ras: FloatArray | None = None,
        mm_per_px: float | None = None,
        crosshair_ras: FloatArray | None = None,
    ) -> None:
        """Change pan, zoom and crosshair in one step (one repaint)."""
        if center_ras is not None:
            self.center_ras = np.array(center_ras, dtype=np.float64)
        if mm_per_px is not None:
            self.mm_per_px = float(np.clip(mm_per_px, MIN_MM_PER_PX, MAX_MM_PER_PX))
        if crosshair_ras is not None:
            self.crosshair_ras = np.array(crosshair_ras, dtype=np.float64)
        self.moved.emit()

    def zoom(self, factor: float, anchor_ras: FloatArray) -> None:
        """Zoom by a factor (> 1 enlarges) so that ``anchor_ras`` stays where it is."""
        old = self.mm_per_px
        new = float(np.clip(old / factor, MIN_MM_PER_PX, MAX_MM_PER_PX))
        anchor = np.asarray(anchor_ras, dtype=np.float64)
        self.set_frame(center_ras=anchor + (self.center_ras - anchor) * (new / old), mm_per_px=new)

    def set_pane(self, index: int, *, phase: str | None = None, plane: Plane | None = None) -> None:
        """Choose phase or plane of a view."""
        pane = self.panes[index]
        new = replace(pane, phase=phase or pane.phase, plane=plane or pane.plane)
        if new != pane:
            self.panes[index] = new
            self.pane_changed.emit(index)

    def window(self, phase: str) -> Window:
        return self._windows.get(phase, self.default_window)

    def set_window(self, phase: str, window: Window) -> None:
        """Set the grey scale of a phase, or of all phases when they are linked."""
        window = Window(max(1.0, window.width_hu), window.level_hu)
        names = {pane.phase for pane in self.panes} | set(self._windows) | {phase}
        for name in names if self.windows_linked else {phase}:
            self._windows[name] = window
            self.window_changed.emit(name)

    def set_phase_window(self, phase: str, window: Window) -> None:
        """Set the grey scale of one phase whatever the linking (auto contrast, restore)."""
        self._windows[phase] = Window(max(1.0, window.width_hu), window.level_hu)
        self.window_changed.emit(phase)

    def style(self, mask: str) -> MaskStyle:
        return self._styles.get(mask, self.default_style)

    def set_style(self, mask: str, style: MaskStyle) -> None:
        if style != self.style(mask):
            self._styles[mask] = style
            self.style_changed.emit(mask)

    def set_options(self, **options: object) -> None:
        """Set any of ``windows_linked``, ``crosshair_visible``, ``masks_visible``, ``smooth``,
        ``maximized``, ``active``."""
        known = {"windows_linked", "crosshair_visible", "masks_visible", "smooth"}
        for name, value in options.items():
            if name not in known | {"maximized", "active"}:
                raise AttributeError(name)
            setattr(self, name, value)
        self.options_changed.emit()

    def fit(self, grid: Grid, size_px: tuple[int, int], plane: Plane = Plane.AXIAL) -> None:
        """Show a whole slice of ``grid`` in a view of ``size_px`` (width, height), centred."""
        shape, spacing = grid.shape_ijk, grid.spacing_mm
        width_mm = shape[plane.column_axis] * spacing[plane.column_axis]
        height_mm = shape[plane.row_axis] * spacing[plane.row_axis]
        scale = max(width_mm / max(1, size_px[0]), height_mm / max(1, size_px[1]))
        center = grid.center_ras
        self.set_frame(center_ras=center, mm_per_px=scale, crosshair_ras=center)
