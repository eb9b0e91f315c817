"""One of the four views: a slice of a phase with masks, texts and tools."""

from __future__ import annotations

from PyQt5.QtCore import QEvent, QPoint, QPointF, QRect, Qt, pyqtSignal
from PyQt5.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PyQt5.QtWidgets import QWidget

from labeler.core.geometry import FloatArray, Grid, Plane
from labeler.core.mask import Box
from labeler.core.views import ViewTransform, draw_the_same, moved_by_slices
from labeler.state.session import Change
from labeler.state.view_state import Pane
from labeler.ui.commands import Commands
from labeler.ui.region_slider import RegionSlider
from labeler.ui.spine_marks import mark_rect
from labeler.ui.view_header import ViewHeader
from labeler.ui.view_image import Picture, ViewImage, covered_rect
from labeler.ui.view_layers import paint_layers
from labeler.ui.view_mouse import ViewMouse, is_typing
from labeler.ui.view_overlay import paint_overlay
from labeler.ui.view_scene import ViewScene
from labeler.ui.view_texts import compose_overlay, slice_text
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.shift_phase import shift_phase
from labeler.workflows.workspace import Workspace


class SliceView(QWidget):
    """Shows what ``ws.views.panes[index]`` says; draws, and forwards mouse and keys.

    Signals
    -------
    refused
        Sentence for the status bar: why something was not done.
    """

    refused = pyqtSignal(str)

    def __init__(
        self,
        ws: Workspace,
        commands: Commands,
        scene: ViewScene,
        index: int,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName(f"view{index}")
        self.ws = ws
        self.scene = scene
        self._index = index
        self._transform: ViewTransform | None = None
        self._image = ViewImage()
        self._image_is_stale = True
        self._stale_rect = QRect()
        self._dragged_rect = QRect()
        self._header = ViewHeader(commands, self)
        self._header.setObjectName(f"view{index}Header")
        self._slider = RegionSlider(self)
        self._slider.setObjectName(f"view{index}Slider")
        self._mouse = ViewMouse(self)
        self.setAttribute(Qt.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.StrongFocus)
        self.setMinimumSize(40, 40)
        self._connect()
        self._pane_changed()

    @property
    def phase(self) -> str:
        """Name of the phase shown."""
        return self.ws.views.panes[self._index].phase

    @property
    def plane(self) -> Plane:
        """Plane shown."""
        return self.ws.views.panes[self._index].plane

    @property
    def transform(self) -> ViewTransform | None:
        """Placement of the slice, in widget pixels; ``None`` while there is no image."""
        return self._transform

    def ras_at(self, pos: QPointF) -> FloatArray:
        """Point of the shown slice under a widget position, RAS mm."""
        if self._transform is None:
            return self.ws.views.crosshair_ras
        return self._transform.screen_to_ras(pos.x(), pos.y())

    def pos_of(self, ras: FloatArray) -> QPointF:
        """Widget position of a RAS point, seen along the view's normal."""
        if self._transform is None:
            return QPointF()
        x, y = self._transform.ras_to_screen(ras)
        return QPointF(float(x), float(y))

    def vector_ras(self, dx_px: float, dy_px: float) -> FloatArray:
        """In-plane RAS vector in mm of a movement on the screen."""
        return self.ras_at(QPointF(dx_px, dy_px)) - self.ras_at(QPointF(0.0, 0.0))

    def shows(self, ras: FloatArray) -> bool:
        """Whether a point lies in the slice that is shown."""
        if self._transform is None:
            return False
        depth = self._transform.grid.to_ijk(ras)[self.plane.normal_axis]
        return bool(abs(depth - self._transform.slice_index) <= 0.51)

    def sees(self, grid: Grid, box: Box) -> bool:
        """Whether a box of voxels is cut by the slice and inside the visible field."""
        return self._rect_of(grid, box).intersects(self.rect())

    def step(self, steps: int) -> None:
        """Move by slices of this view's phase; positive is towards head, front or right."""
        transform = self._transform
        if transform is not None:
            steps *= 1 if self._top_is_last else -1
            views = self.ws.views
            views.set_crosshair(
                moved_by_slices(transform.grid, self.plane, views.crosshair_ras, steps)
            )

    def fit(self) -> None:
        """Show the whole slice, centred, and leave the crosshair where it is."""
        if self._transform is None:
            return
        views = self.ws.views
        crosshair_ras = views.crosshair_ras
        views.fit(self._transform.grid, (self.width(), self.height()), self.plane)
        views.set_crosshair(crosshair_ras)

    def refuse(self, sentence: str) -> None:
        """Tell the user why something is not done."""
        self.refused.emit(sentence)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._has_image:
            self._draw_image()
            painter.drawImage(QPointF(0.0, 0.0), self._image.image)
            paint_layers(painter, self)
            self._mouse.paint(painter)
        else:
            painter.fillRect(self.rect(), QColor("#000000"))
        overlay = compose_overlay(self.ws, self.scene, self._index, self._transform)
        views = self.ws.views
        cross = self.pos_of(views.crosshair_ras) if views.crosshair_visible else None
        paint_overlay(painter, self.size(), overlay, cross, self._slider.width())

    def resizeEvent(self, event: QResizeEvent) -> None:
        width = self._slider.sizeHint().width()
        self._slider.setGeometry(self.width() - width, 0, width, self.height())
        self._place()

    def showEvent(self, event: QShowEvent) -> None:
        self._place()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.MouseFocusReason)
        if self.ws.views.active != self._index:
            self.ws.views.set_options(active=self._index)
        if self._has_image:
            self._mouse.press(event)
        self._show_cursor()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._mouse.move(event)
        if self._has_image:
            self.ws.views.hovered.emit(self.ras_at(QPointF(event.localPos())))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._mouse.release(event)
        self._show_cursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._mouse.double_click(event):
            views = self.ws.views
            alone = None if views.maximized is not None else self._index
            views.set_options(maximized=alone, active=self._index)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._transform is not None:
            self._mouse.wheel(event)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._mouse.key_press(event):
            super().keyPressEvent(event)
        self._show_cursor()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if not self._mouse.key_release(event):
            super().keyReleaseEvent(event)
        self._show_cursor()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._mouse.focus_lost()
        super().focusOutEvent(event)

    def enterEvent(self, event: QEvent) -> None:
        if not is_typing():
            self.setFocus(Qt.MouseFocusReason)
        self._show_cursor()

    def leaveEvent(self, event: QEvent) -> None:
        self._mouse.leave()
        self.ws.views.hovered.emit(None)

    @property
    def _has_image(self) -> bool:
        return self._transform is not None and self._transform.has_slice

    @property
    def _top_is_last(self) -> bool:
        """Whether the slice with the highest number is the one nearest to the head or front."""
        return self.plane is Plane.AXIAL

    def _connect(self) -> None:
        session, views, selection = self.ws.session, self.ws.views, self.ws.selection
        views.moved.connect(self._place)
        views.pane_changed.connect(self._one_pane_changed)
        views.window_changed.connect(self._window_changed)
        views.style_changed.connect(self._masks_changed)
        views.options_changed.connect(self._masks_changed)
        session.case_opened.connect(self._pane_changed)
        session.volume_loaded.connect(self._volume_loaded)
        session.mask_loaded.connect(self._masks_changed)
        session.mask_removed.connect(self._masks_changed)
        session.regions_changed.connect(self._masks_changed)
        session.problem_found.connect(self._repaint)
        session.changed.connect(self._content_changed)
        selection.region_selected.connect(self._repaint)
        selection.changed.connect(self._repaint)
        selection.tool_changed.connect(self._tool_changed)
        self.scene.placement_changed.connect(self._placement_changed)
        self.scene.highlight_changed.connect(self._repaint)
        self.scene.preview.changed.connect(self._repaint)
        self.scene.difference.changed.connect(self._repaint)
        self.scene.proposal.changed.connect(self._masks_changed)
        self.scene.proposal.highlighted.connect(self._repaint)
        self.scene.axes.changed.connect(self.update)
        self.scene.spine.changed.connect(self.update)
        self.scene.spine.moved.connect(self.update)
        self.scene.spine.dragged.connect(self._centroid_dragged)
        self.scene.progress_changed.connect(self.update)
        self._header.pane_chosen.connect(self._choose_pane)
        self._header.shift_reset.connect(self._reset_shift)
        self._slider.slice_chosen.connect(self._go_to_slice)

    def _repaint(self, *_: object) -> None:
        """Draw image and overlay anew; several requests become one repaint."""
        self._image_is_stale = True
        self.update()

    def _place(self) -> None:
        """Follow crosshair, pan and zoom."""
        grid = self.scene.volume_grid(self.phase)
        before, self._transform = self._transform, None
        if grid is not None:
            self._transform = self._transform_for(grid, 1.0)
            self._slider.set_range(self._transform.n_slices, top_is_last=self._top_is_last)
            self._slider.set_slice(self._transform.slice_index)
        else:
            self._slider.set_range(0, top_is_last=True)
        pane = self.ws.views.panes[self._index]
        self._header.show_pane(pane, slice_text(self._transform, self.plane.value))
        if not draw_the_same(before, self._transform):
            self._image_is_stale = True
        self.update()
        at = self._mouse.hovered_at
        if at is not None:  # the pointer rests, but over another point now
            self.ws.views.hovered.emit(self.ras_at(at) if self._has_image else None)

    def _transform_for(self, grid: Grid, pixel_ratio: float) -> ViewTransform:
        views, size = self.ws.views, self.size() * pixel_ratio
        return ViewTransform.through(
            views.crosshair_ras,
            grid=grid,
            plane=self.plane,
            center_ras=views.center_ras,
            mm_per_px=views.mm_per_px / pixel_ratio,
            size_px=(max(1, size.width()), max(1, size.height())),
        )

    def _draw_image(self) -> None:
        """Bring the image up to date, in device pixels so that a dense screen shows all it can."""
        views, ratio = self.ws.views, self.devicePixelRatioF()
        if self._image.image.devicePixelRatioF() != ratio:  # the window is on another screen now
            self._image_is_stale = True
        if self._transform is None or not (self._image_is_stale or self._stale_rect.isValid()):
            return
        window = views.window(self.phase)
        picture = Picture(
            self.ws.session.volumes[self.phase].array,
            self._transform if ratio == 1.0 else self._transform_for(self._transform.grid, ratio),
            (window.width_hu, window.level_hu),
            self.scene.layers(ratio),
            views.smooth,
        )
        if self._image_is_stale:
            self._image.draw(picture, ratio)
        else:
            rect = self._stale_rect
            low, high = rect.topLeft() * ratio, (rect.bottomRight() + QPoint(1, 1)) * ratio
            self._image.draw_part(picture, QRect(low, high))
        self._image_is_stale = False
        self._stale_rect = QRect()

    def _one_pane_changed(self, index: int) -> None:
        if index == self._index:
            self._pane_changed()

    def _pane_changed(self, *_: object) -> None:
        self._mouse.cancel()
        self._placement_changed()

    def _volume_loaded(self, phase: str) -> None:
        if phase == self.phase:
            self._pane_changed()

    def _window_changed(self, phase: str) -> None:
        if phase == self.phase:
            self._repaint()

    def _masks_changed(self, *_: object) -> None:
        self._map_regions()
        self._repaint()

    def _placement_changed(self) -> None:
        is_shifted = any(self.scene.shift_mm(self.phase))
        self._header.set_choices(self.scene.phase_choices(), is_shifted=is_shifted)
        self._image_is_stale = True
        self._place()
        self._map_regions()

    def _content_changed(self, change: Change) -> None:
        """Repaint what a changed box covers, if it is on this slice."""
        for name, box in change.boxes.items():
            if name not in self.ws.session.masks:
                continue
            rect = self._rect_of(self.scene.mask_grid(name), box) & self.rect()
            if not rect.isEmpty():
                self._stale_rect |= rect
                self.update(rect)

    def _centroid_dragged(self, key: str) -> None:
        """Repaint where a centroid was and where it is; the same slice is under it."""
        rect = mark_rect(self, key)
        self.update(rect | self._dragged_rect)
        self._dragged_rect = rect

    def _rect_of(self, grid: Grid, box: Box) -> QRect:
        transform = self._transform
        if transform is None or not transform.has_slice:
            return QRect()
        return covered_rect(transform, grid, box)

    def _tool_changed(self, tool: str) -> None:
        self._mouse.choose_tool(tool)
        self._show_cursor()
        self.update()

    def _show_cursor(self) -> None:
        self.setCursor(self._mouse.cursor)

    def _map_regions(self) -> None:
        """Mark on the slider where the visible regions are."""
        grid = self.scene.volume_grid(self.phase)
        self._slider.set_marks([] if grid is None else self.scene.marks(grid, self.plane))

    def _go_to_slice(self, index: int) -> None:
        if self._transform is not None:
            self.ws.views.set_options(active=self._index)
            steps = index - self._transform.slice_index
            self.step(steps if self._top_is_last else -steps)

    def _choose_pane(self, pane: Pane) -> None:
        self.ws.views.set_options(active=self._index)
        self.ws.views.set_pane(self._index, phase=pane.phase, plane=pane.plane)

    def _reset_shift(self) -> None:
        try:
            shift_phase(self.ws, self.phase, (0.0, 0.0, 0.0))
        except EditRefused as refusal:
            self.refuse(str(refusal))
