"""What the four views show when a case opens."""

from labeler.core.geometry import Plane
from labeler.state.pane_choice import is_users_choice, panes_for_case, remembered_panes
from labeler.state.view_state import Pane

USERS = (
    Pane("PV", Plane.AXIAL),
    Pane("PV", Plane.CORONAL),
    Pane("ART", Plane.AXIAL),
    Pane("DL", Plane.SAGITTAL),
)


def test_a_case_with_several_phases_gets_what_the_user_has_set():
    assert panes_for_case(["NC", "ART", "PV", "DL"], USERS) == USERS
    assert panes_for_case(["NC", "PV"], USERS) == USERS, "missing phases keep their place"


def test_one_phase_is_shown_from_three_sides_and_once_more():
    panes = panes_for_case(["ART"], USERS)
    assert {pane.phase for pane in panes} == {"ART"}
    assert [pane.plane for pane in panes[:3]] == [Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL]
    assert panes[3].plane is USERS[0].plane


def test_a_case_without_phases_keeps_the_users_panes():
    assert panes_for_case([], USERS) == USERS


def test_panes_of_a_single_phase_are_not_the_users_choice():
    assert is_users_choice(["NC", "PV"])
    assert not is_users_choice(["NC"])
    assert not is_users_choice([])


def test_panes_from_settings_survive_bad_values():
    panes = remembered_panes(["PV", "", "ART"], ["coronal", "oblique"])
    assert panes[0] == Pane("PV", Plane.CORONAL)
    assert panes[1] == Pane("ART", Plane.AXIAL)
    assert panes[2] == Pane("ART", Plane.AXIAL)
    assert panes[3] == Pane("DL", Plane.AXIAL)
