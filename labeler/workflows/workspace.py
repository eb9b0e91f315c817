"""The state objects that a user's act needs, in one bundle."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeler.state.perspective import Perspective
from labeler.state.selection import Selection
from labeler.state.session import Session
from labeler.state.settings import Settings
from labeler.state.spine_state import SpineState
from labeler.state.tasks import TaskRunner
from labeler.state.view_state import ViewState
from labeler.workflows.spine_findings import SpineFollower


@dataclass(frozen=True)
class Workspace:
    """State of one window; made once in ``app.py`` and handed to widgets and workflows."""

    session: Session
    selection: Selection
    views: ViewState
    settings: Settings
    tasks: TaskRunner
    perspective: Perspective = field(default_factory=Perspective)
    spine: SpineState = field(default_factory=SpineState)

    def __post_init__(self) -> None:
        SpineFollower(self.session, self.spine)  # belongs to the state, which keeps it
