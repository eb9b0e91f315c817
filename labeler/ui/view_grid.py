"""The four views: two by two, or one alone."""

from __future__ import annotations

import numpy as np
from PyQt5.QtCore import QPoint, QRect, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PyQt5.QtWidgets import QWidget

from labeler.state.perspective import SPINE
from labeler.state.session import Change
from labeler.ui.axes_layer import AxesLayer
from labeler.ui.commands import Commands
from labeler.ui.difference_layer import DifferenceLayer
from labeler.ui.preview_layer import PreviewLayer
from labeler.ui.slice_view import SliceView
from labeler.ui.spine_layer import SpineLayer
from labeler.ui.style import BRIGHT, DIM, LINE, scaled
from labeler.ui.view_scene import ViewScene
from labeler.workflows.step_history import changed_places
from labeler.workflows.workspace import Workspace

VIEW_COUNT = 4

#: Width of the line between views; it is also the handle that moves it.
GAP_PX = 3

#: Least share of the width or height that a view keeps.
MIN_SHARE = 0.15


class ViewGrid(QWidget):
    """Central widget: four :class:`SliceView` and the lines between them.

    Signals
    -------
    refused
        Sentence for the status bar: why something was not done.
    """

    refused = pyqtSignal(str)

    def __init__(self, ws: Workspace, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("viewGrid")
        self._ws = ws
        self._commands = commands
        self._scene = ViewScene(ws, self)
        self._split = [_within(share) for share in ws.settings.data.views.split]
        self._dragged: tuple[bool, bool] = (False, False)
        self.views = tuple(SliceView(ws, commands, self._scene, i, self) for i in range(VIEW_COUNT))
        for view in self.views:
            view.refused.connect(self.refused)
        self.setMouseTracking(True)
        self.setMinimumSize(scaled(320), scaled(240))
        ws.views.options_changed.connect(self._arrange)
        ws.perspective.changed.connect(lambda _: self._arrange())
        ws.session.case_opened.connect(self._case_opened)
        ws.session.changed.connect(self._bring_into_view)
        self._arrange()

    @property
    def active_view(self) -> SliceView:
        """The view that keys act on."""
        return self.views[self._ws.views.active]

    @property
    def preview(self) -> PreviewLayer:
        """What the views show before it is done."""
        return self._scene.preview

    @property
    def difference(self) -> DifferenceLayer:
        """The comparison of two masks."""
        return self._scene.difference

    @property
    def axes(self) -> AxesLayer:
        """The axes of the selected region."""
        return self._scene.axes

    @property
    def spine(self) -> SpineLayer:
        """The centroids of vertebrae."""
        return self._scene.spine

    def fit(self) -> None:
        """Show the whole slice of the active view, centred."""
        self.active_view.fit()

    def step(self, step: int) -> None:
        """Move the active view by slices; positive is towards head, front or right."""
        self.active_view.step(step)

    def toggle_maximized(self) -> None:
        """Show the active view alone, or all four again."""
        views = self._ws.views
        views.set_options(maximized=None if views.maximized is not None else views.active)

    def show_progress(self, phase: str, fraction: float) -> None:
        """Tell how much of a phase has been read (0..1)."""
        self._scene.set_progress(phase, fraction)

    def show_preparing(self, fraction: float | None) -> None:
        """Draw no slice yet and tell how far the preparations are; ``None`` ends that."""
        self._scene.set_preparing(fraction)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(LINE))
        if self._ws.session.case is None:
            self._paint_hint(painter)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.LeftButton and any(self._dragged):
            for axis, (length, at) in enumerate(
                ((self.width(), event.x()), (self.height(), event.y()))
            ):
                if self._dragged[axis]:
                    self._split[axis] = _within(at / max(1, length))
            self._arrange()
        else:
            self.setCursor(_SPLIT_CURSORS[self._lines_at(event.pos())])

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.LeftButton:
            self._dragged = self._lines_at(event.pos())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if any(self._dragged):
            self._dragged = (False, False)
            self._remember_split()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Put the line that was hit back into the middle."""
        for axis, hit in enumerate(self._lines_at(event.pos())):
            if hit:
                self._split[axis] = 0.5
        self._arrange()
        self._remember_split()

    def _remember_split(self) -> None:
        split = [round(share, 4) for share in self._split]
        if split != self._ws.settings.data.views.split:
            self._ws.settings.update("views", split=split)

    def _lines_at(self, pos: QPoint) -> tuple[bool, bool]:
        """Whether a point is on the upright and on the level line; both where they cross."""
        reach = scaled(GAP_PX) + scaled(4)
        x, y = self._split[0] * self.width(), self._split[1] * self.height()
        is_column = self._ws.perspective.name == SPINE
        return abs(pos.x() - x) <= reach and not is_column, abs(pos.y() - y) <= reach

    def _arrange(self) -> None:
        """Place the views that are shown, hide the others, tell how large they are."""
        views = self._ws.views
        alone = views.maximized
        has_case = self._ws.session.case is not None
        boxes = self._boxes() if alone is None else [self.rect()] * VIEW_COUNT
        for index, (view, box) in enumerate(zip(self.views, boxes, strict=True)):
            view.setGeometry(box)
            view.setVisible(has_case and alone in (None, index) and not box.isEmpty())
        shown = boxes[0] if alone is None else self.rect()
        views.view_size_px = (max(1, shown.width()), max(1, shown.height()))

    def _boxes(self) -> list[QRect]:
        """Places of the views; beside the spine two of them, one above the other."""
        gap = scaled(GAP_PX)
        is_column = self._ws.perspective.name == SPINE
        left = self.width() if is_column else round(self._split[0] * (self.width() - gap))
        top = round(self._split[1] * (self.height() - gap))
        right, bottom = self.width() - gap - left, self.height() - gap - top
        if is_column:
            column = [QRect(0, 0, left, top), QRect(0, top + gap, left, bottom)]
            return [*column, QRect(), QRect()]
        return [
            QRect(0, 0, left, top),
            QRect(left + gap, 0, right, top),
            QRect(0, top + gap, left, bottom),
            QRect(left + gap, top + gap, right, bottom),
        ]

    def _case_opened(self, _case: object) -> None:
        self._arrange()
        self.update()

    def _bring_into_view(self, change: Change) -> None:
        """After undo or redo show the place that changed, unless some view shows it already."""
        if change.origin not in ("undo", "redo"):
            return
        for name, box in changed_places(self._ws.session, change):
            grid = self._scene.mask_grid(name)
            if any(view.isVisible() and view.sees(grid, box) for view in self.views):
                return
            center = (np.array(box.lo_kji) + np.array(box.hi_kji) - 1) / 2
            ras = grid.to_ras(center[::-1])
            self._ws.views.set_frame(crosshair_ras=ras, center_ras=ras)
            return

    def _paint_hint(self, painter: QPainter) -> None:
        """What to do while nothing is open."""
        key = self._commands.action("file.open").shortcut().toString()
        painter.fillRect(self.rect(), QColor("#000000"))
        font = self.font()
        font.setPixelSize(scaled(20))
        painter.setFont(font)
        painter.setPen(QColor(BRIGHT))
        middle = self.rect().adjusted(0, -scaled(20), 0, -scaled(20))
        painter.drawText(middle, Qt.AlignCenter, "No case is open")
        painter.setFont(self.font())
        painter.setPen(QColor(DIM))
        below = self.rect().adjusted(scaled(20), scaled(36), -scaled(20), scaled(36))
        text = f"Choose a case in the list, or open a folder  ({key})"
        painter.drawText(below, Qt.AlignCenter | Qt.TextWordWrap, text)


def _within(share: float) -> float:
    """A share of the width or height that leaves both sides their least."""
    return min(1 - MIN_SHARE, max(MIN_SHARE, share))


_SPLIT_CURSORS = {
    (False, False): Qt.ArrowCursor,
    (True, False): Qt.SplitHCursor,
    (False, True): Qt.SplitVCursor,
    (True, True): Qt.SizeAllCursor,
}
