"""Which phase and plane the four views show when a case opens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from labeler.core.geometry import Plane
from labeler.core.volume import PHASES
from labeler.state.view_state import Pane

Panes = tuple[Pane, Pane, Pane, Pane]


def panes_for_case(phases: Iterable[str], remembered: Sequence[Pane]) -> Panes:
    """Choose the four panes for a case.

    A case with several phases gets what the user has set; a phase it lacks stays an empty,
    labelled view, so that every phase keeps its place from case to case. A case with one phase
    is shown from three sides, and once more in the plane of the user's first view, instead of in
    one view of four.

    Parameters
    ----------
    phases
        Names of the phases the case has.
    remembered
        The four panes of the user's settings.
    """
    available = list(phases)
    if len(available) != 1:
        first, second, third, fourth = remembered
        return first, second, third, fourth
    phase = available[0]
    planes = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL, remembered[0].plane)
    first, second, third, fourth = (Pane(phase, plane) for plane in planes)
    return first, second, third, fourth


def spine_phase(phases: Iterable[str]) -> str:
    """Return the phase in which the spine is looked at: portal venous, else the first there is."""
    there = list(phases)
    names = [name for name in ("PV", *PHASES) if name in there]
    return (names or there or ["PV"])[0]


def is_users_choice(phases: Iterable[str]) -> bool:
    """Whether the panes of a case with these phases are the user's and worth remembering."""
    return len(list(phases)) > 1


def remembered_panes(phases: Sequence[str], planes: Sequence[str]) -> Panes:
    """Make four panes from the lists of the settings file, with defaults where they are bad."""
    panes = []
    for index in range(4):
        phase = phases[index] if index < len(phases) and phases[index] else PHASES[index]
        plane = planes[index] if index < len(planes) else Plane.AXIAL.value
        known = plane in {member.value for member in Plane}
        panes.append(Pane(phase, Plane(plane) if known else Plane.AXIAL))
    first, second, third, fourth = panes
    return first, second, third, fourth
