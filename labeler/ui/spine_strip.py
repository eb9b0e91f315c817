"""The whole spine at once: a sagittal and a coronal picture along it, and the gaps beside them."""

from __future__ import annotations

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtGui import QResizeEvent, QShowEvent
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QWidget

from labeler.core.curved_planes import bounds_ras
from labeler.core.geometry import Plane
from labeler.core.landmarks import Centroids
from labeler.state.pane_choice import spine_phase
from labeler.state.placement import Shift, placed_volume_grid, spine_shift_mm
from labeler.state.strip_view import StripView
from labeler.ui.spacing_plot import GapColumn
from labeler.ui.spine_hand import SpineHand
from labeler.ui.spine_layer import SpineLayer
from labeler.ui.spine_pane import SpinePane
from labeler.ui.spine_signals_pane import SignalPane, signals_shown
from labeler.ui.style import scaled
from labeler.workflows.correct_landmarks import next_doubt
from labeler.workflows.draw_spine import STRIP, Pictures, draw_spine
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.workspace import Workspace

#: Width from which on the gaps are shown beside the pictures.
COLUMN_FROM_PX = 640

#: Width from which on the signals of a model are shown beside them unasked.
SIGNALS_FROM_PX = 760

NO_SIGNALS = "No signals to show: run the vertebra model on this case first (Ctrl+M)"

#: Room around the spine when all of it is shown, mm.
SPARE_MM = 28.0

#: What the axial view shows of a vertebra at first, mm.
AXIAL_MM = 130.0

#: Width of the sentence that says what to do.
HINT_PX = 460

EMPTY = (
    "No centroids yet. Choose Add (2) and click into the middle of each vertebral body, "
    "run the vertebra model, or take them from a mask or a file (Spine menu)."
)


class SpineStrip(QWidget):
    """Both pictures with one height and scale, and the curve of the gaps.

    Signals
    -------
    refused
        Sentence for the status bar: why something was not done.
    signals_toggled
        Whether the signals of a model are shown now.
    """

    refused = pyqtSignal(str)
    signals_toggled = pyqtSignal(bool)

    def __init__(self, ws: Workspace, layer: SpineLayer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("spineStrip")
        self.setAccessibleName("Spine")
        self._ws = ws
        self._layer = layer
        self._view = StripView(self)
        self._drawn: tuple[Centroids, Shift] | None = None
        self._is_placed = False
        self._sagittal = SpinePane(ws, layer, self._view, Plane.SAGITTAL, self)
        self._coronal = SpinePane(ws, layer, self._view, Plane.CORONAL, self)
        self._column = GapColumn(ws, layer, self._view, self)
        self._column.chosen.connect(ws.spine.select)
        self._signals = SignalPane(ws, layer, self._view, self)
        self._signals.hide()
        self._wants_signals: bool | None = None
        self._hint = QLabel(EMPTY, self)
        self._hint.setObjectName("spineHint")
        self._hint.setAlignment(Qt.AlignCenter)
        self._hint.setWordWrap(True)
        self._hint.setAttribute(Qt.WA_TransparentForMouseEvents)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(scaled(3))
        layout.addWidget(self._sagittal, 1)
        layout.addWidget(self._column)
        layout.addWidget(self._coronal, 1)
        layout.addWidget(self._signals)
        for pane in self.panes:
            hand = SpineHand(pane)
            hand.refused.connect(self.refused)
            hand.fit_requested.connect(self.fit)
        layer.changed.connect(self._draw)
        ws.session.case_opened.connect(self._case_opened)
        ws.session.volume_loaded.connect(self._volume_loaded)
        ws.perspective.changed.connect(lambda _: self._draw())
        ws.session.proposals.changed.connect(self._show_hint)
        self._show_hint()

    @property
    def panes(self) -> tuple[SpinePane, SpinePane]:
        """Sagittal and coronal picture."""
        return self._sagittal, self._coronal

    @property
    def view(self) -> StripView:
        """What part of the spine is shown."""
        return self._view

    @property
    def is_current(self) -> bool:
        """Whether the pictures are those of the centroids as they are now."""
        return self._is_drawn_for_now() and not self._ws.tasks.is_pending(STRIP)

    @property
    def shows_signals(self) -> bool:
        """Whether the signals of a model are beside the pictures."""
        return not self._signals.isHidden()

    def toggle_signals(self) -> None:
        """Show or hide the signals of a model, whatever room there is.

        Raises
        ------
        EditRefused
            When there are none, in a sentence that says how to get them.
        """
        if signals_shown(self._ws) is None:
            raise EditRefused(NO_SIGNALS)
        self._wants_signals = not self.shows_signals
        self._show_hint()

    def fit(self) -> None:
        """Show the whole spine, or all of the image while there are no centroids."""
        box = self._box()
        if box is not None:
            self._view.show_box(*box, (self._sagittal.width(), self._sagittal.height()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._show_hint()
        width = min(scaled(HINT_PX), self.width() - scaled(40))
        height = max(self._hint.heightForWidth(width), scaled(48))
        self._hint.setGeometry(
            (self.width() - width) // 2, self.height() - height - scaled(16), width, height
        )
        self._hint.raise_()
        self.fit()

    def showEvent(self, event: QShowEvent) -> None:
        self._draw()

    def _box(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """What a look at the whole spine shows: the centroids near the image, else the image."""
        session, points = self._ws.session, self._layer.points_ras
        grid = None
        if session.case is not None:
            grid = placed_volume_grid(session, spine_phase(session.case.phases))
        if grid is not None:
            low, high = bounds_ras(grid)
            if not len(points):
                return tuple(low.tolist()), tuple(high.tolist())
            # one that a wrong file has kilometres away must not make a dot of all others
            is_near = ((points >= low - SPARE_MM) & (points <= high + SPARE_MM)).all(axis=1)
            points = points[is_near] if is_near.any() else points
        if not len(points):
            return None
        low, high = points.min(axis=0) - SPARE_MM, points.max(axis=0) + SPARE_MM
        return tuple(low.tolist()), tuple(high.tolist())

    def _case_opened(self, _case: object) -> None:
        self._drawn, self._is_placed = None, False
        self._ws.tasks.cancel(STRIP)
        for pane in self.panes:
            pane.show_picture(None)
        self._show_hint()

    def _volume_loaded(self, phase: str) -> None:
        case = self._ws.session.case
        if case is not None and phase == spine_phase(case.phases):
            self._drawn = None
            self._draw()

    def _draw(self) -> None:
        """Ask for the pictures of the centroids, unless they are there or nobody looks."""
        self._show_hint()
        if self.isVisible() and self._layer.is_shown and not self._is_drawn_for_now():
            centroids, shift_mm = self._layer.centroids, spine_shift_mm(self._ws.session)

            def show(pictures: Pictures) -> None:
                self._drawn = (centroids, shift_mm)
                self._show(centroids, pictures)

            draw_spine(self._ws, centroids, show)

    def _is_drawn_for_now(self) -> bool:
        """Whether line and place of the image are the same; names do not matter."""
        if self._drawn is None or self._drawn[1] != spine_shift_mm(self._ws.session):
            return False
        now, then = self._layer.centroids, self._drawn[0]
        places = [{c.position_ras for c in some.values()} for some in (now, then)]
        return places[0] == places[1]

    def _show(self, centroids: Centroids, pictures: Pictures) -> None:
        for pane in self.panes:
            pane.show_picture(pictures[pane.plane])
        if not self._is_placed:
            self._is_placed = True
            self.fit()
            self._go_to_first(centroids)

    def _go_to_first(self, centroids: Centroids) -> None:
        """Show the first vertebra to look at, large; in the middle when nothing is doubtful."""
        if not centroids:
            return
        views = self._ws.views
        views.set_frame(mm_per_px=AXIAL_MM / min(views.view_size_px))
        if self._ws.spine.key is None:
            keys = self._layer.from_above()
            doubtful = next_doubt(self._ws.spine, None)
            self._ws.spine.select(doubtful or keys[len(keys) // 2])

    def _show_hint(self) -> None:
        has_case = self._ws.session.case is not None
        self._hint.setVisible(has_case and not self._layer.centroids)
        # in a narrow window the pictures need the room; the panel has the same curve
        is_wide = self.width() >= scaled(COLUMN_FROM_PX)
        self._column.setVisible(bool(self._layer.centroids) and is_wide)
        wants = self._wants_signals
        if wants is None:
            wants = self.width() >= scaled(SIGNALS_FROM_PX)
        is_shown = wants and signals_shown(self._ws) is not None
        if is_shown == self._signals.isHidden():
            self._signals.setVisible(is_shown)
            self.signals_toggled.emit(is_shown)
