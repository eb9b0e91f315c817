"""Restores the views from the settings and notes their changes there."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from PyQt5.QtCore import QObject

from labeler.state.pane_choice import is_users_choice, remembered_panes
from labeler.state.session import Session
from labeler.state.settings import Settings
from labeler.state.view_state import MaskStyle, ViewState, Window


def restored_views(settings: Settings, parent: QObject | None = None) -> ViewState:
    """Make the view state that the settings describe."""
    data = settings.data
    views = ViewState(remembered_panes(data.views.phases, data.views.planes), parent)
    views.windows_linked = data.views.windows_linked
    views.crosshair_visible = data.views.crosshair
    views.smooth = data.views.smooth
    views.default_style = MaskStyle(
        contour_width_px=data.masks.contour_width_px,
        contour_opacity=data.masks.contour_opacity,
        fill_opacity=data.masks.fill_opacity,
    )
    for phase, (width_hu, level_hu) in data.windows.phases.items():
        views.set_phase_window(phase, Window(width_hu, level_hu))
    for mask, values in data.masks.styles.items():
        style = _style(values)
        if style is not None:
            views.set_style(mask, style)
    return views


class ViewMemory(QObject):
    """Keeps the settings in step with what the user does to the views.

    Attributes
    ----------
    paused
        Whether panes and grey scales are not noted: they are those of another perspective.
    """

    def __init__(
        self, views: ViewState, session: Session, settings: Settings, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._views = views
        self._session = session
        self._settings = settings
        self.paused = False
        views.pane_changed.connect(self._keep_panes)
        views.options_changed.connect(self._keep_options)
        views.window_changed.connect(self._keep_window)
        views.style_changed.connect(self._keep_style)

    def _keep_panes(self, _index: int) -> None:
        case = self._session.case
        if case is not None and is_users_choice(case.phases) and not self.paused:
            panes = self._views.panes
            self._settings.update(
                "views",
                phases=[pane.phase for pane in panes],
                planes=[pane.plane.value for pane in panes],
            )

    def _keep_options(self) -> None:
        views, data = self._views, self._settings.data.views
        now = (views.windows_linked, views.crosshair_visible, views.smooth)
        if now != (data.windows_linked, data.crosshair, data.smooth):
            linked, crosshair, smooth = now
            self._settings.update(
                "views", windows_linked=linked, crosshair=crosshair, smooth=smooth
            )

    def _keep_window(self, phase: str) -> None:
        if self.paused:
            return
        window = self._views.window(phase)
        phases = dict(self._settings.data.windows.phases)
        phases[phase] = [window.width_hu, window.level_hu]
        self._settings.update("windows", phases=phases)

    def _keep_style(self, mask: str) -> None:
        style = asdict(self._views.style(mask))
        style["hidden_labels"] = sorted(style["hidden_labels"])
        styles = {**self._settings.data.masks.styles, mask: style}
        self._settings.update("masks", styles=styles)


def _style(values: dict[str, Any]) -> MaskStyle | None:
    """Read a remembered style; ``None`` when the file holds something else."""
    try:
        return MaskStyle(
            visible=bool(values["visible"]),
            contour_width_px=min(8.0, max(0.0, float(values["contour_width_px"]))),
            contour_opacity=min(1.0, max(0.0, float(values["contour_opacity"]))),
            fill_opacity=min(1.0, max(0.0, float(values["fill_opacity"]))),
            hidden_labels=frozenset(int(value) for value in values["hidden_labels"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
