"""Why an edit is not done, in words for the user."""

from __future__ import annotations

from dataclasses import dataclass, replace

from labeler.core.mask import Mask
from labeler.core.painting import Constraint, HuLimit
from labeler.state.session import Session
from labeler.workflows.mask_places import values_on_mask
from labeler.workflows.workspace import Workspace


class EditRefused(Exception):
    """An edit that cannot be done now; the message is a sentence for the user."""


def refuse_read_only(ws: Workspace) -> None:
    """Refuse when nothing of the open case may be changed.

    Raises
    ------
    EditRefused
        When no case is open or it can only be looked at, or a change is under way.
    """
    if ws.session.case is None:
        raise EditRefused("Open a case first (Ctrl+O)")
    if ws.session.read_only_reason:
        raise EditRefused(ws.session.read_only_reason)
    refuse_busy(ws)


def refuse_busy(ws: Workspace) -> None:
    """Refuse while something is being changed.

    Raises
    ------
    EditRefused
        With what it is.
    """
    if ws.session.busy_with is not None:
        raise EditRefused(f"{ws.session.busy_with} is still being done")
    if ws.session.is_drawing:
        raise EditRefused("Finish the stroke first")


def drawing_target(ws: Workspace) -> Mask:
    """The mask that a tool draws on: the active one, if it may be changed and is seen.

    Raises
    ------
    EditRefused
        When there is none, or its active label is locked or hidden.
    """
    refuse_read_only(ws)
    name, label = ws.selection.mask, ws.selection.label
    entry = ws.session.masks.get(name) if name is not None else None
    if entry is None or name is None:
        raise EditRefused("Choose or create a mask first (Ctrl+N)")
    refuse_locked(ws, name, label)
    style = ws.views.style(name)
    if not ws.views.masks_visible:
        raise EditRefused("Masks are hidden: show them first (S)")
    if not style.visible:
        raise EditRefused(f"Mask {name} is hidden: show it before you edit it")
    if label in style.hidden_labels:
        raise EditRefused(f"{label_name(ws.session, label)} is hidden in {name}: show it first")
    return entry.mask


def refuse_locked(ws: Workspace, mask: str, label: int) -> None:
    """Refuse to change a locked label.

    Raises
    ------
    EditRefused
        When ``label`` of ``mask`` is locked.
    """
    if ws.selection.is_locked(mask, label):
        raise EditRefused(f"{label_name(ws.session, label)} is locked in {mask} (K frees it)")


def lock_of(ws: Workspace, mask: str, only: frozenset[int] | None = None) -> Constraint:
    """What an edit of a mask may touch: no locked label, and nothing but ``only``."""
    return Constraint(locked=ws.selection.locked.get(mask, frozenset()), only=only)


@dataclass(frozen=True)
class Ink:
    """What drawing writes and where it may.

    Attributes
    ----------
    label
        Label of the voxels that are drawn; 0 erases.
    ground
        Label of voxels that cease to belong to the active one.
    constraint
        What may be overwritten.
    """

    label: int
    ground: int
    constraint: Constraint


def ink_of(ws: Workspace, mask: Mask, *, erase: bool = False, label: int | None = None) -> Ink:
    """What a tool writes into a mask, with locks and the limits of the selection.

    Inside a label, new voxels are taken from that label only, and what is erased becomes it again.

    Parameters
    ----------
    erase
        Take the label away instead of adding it.
    label
        The label that is meant, when it is not the one that is drawn: that of a region whose form
        changes. The limit to be inside this very label does not apply then.

    Raises
    ------
    EditRefused
        When the limits leave nothing to draw on, or need a phase that is not read.
    """
    active, limits = label or ws.selection.label, ws.selection.limits
    ground, only = 0, frozenset({active}) if erase else None
    if limits.inside is not None and limits.inside != active:
        refuse_locked(ws, mask.name, limits.inside)
        ground, only = limits.inside, only or frozenset({limits.inside})
    elif limits.inside == active and not erase and label is None:
        name = label_name(ws.session, active)
        raise EditRefused(f"Drawing {name} only inside {name} changes nothing (O: limits)")
    constraint = lock_of(ws, mask.name, only)
    if limits.hu is not None:
        phase, low_hu, high_hu = limits.hu
        values = values_on_mask(ws, mask, phase)
        if values is None:
            raise EditRefused(f"Drawing is limited to HU of {phase}, which is not read (O: limits)")
        constraint = replace(constraint, hu=HuLimit(values, low_hu, high_hu))
    return Ink(ground if erase else active, ground, constraint)


def label_name(session: Session, label: int) -> str:
    """Name of a label."""
    return session.labels[label].name
