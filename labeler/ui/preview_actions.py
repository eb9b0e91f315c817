"""Accepting and giving up what is previewed; filling between slices; limits while they are set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from labeler.core.views import moved_by_slices, slice_at
from labeler.state.placement import placed_mask_grid
from labeler.state.selection import EditLimits
from labeler.ui import formats
from labeler.ui.commands import Commands
from labeler.ui.preview_layer import Offer, PreviewLayer
from labeler.workflows.background_edit import Refused
from labeler.workflows.edit_rules import EditRefused, label_name
from labeler.workflows.interpolate_slices import SliceFill, accept_slices, interpolate_slices
from labeler.workflows.limit_preview import drawable_voxels
from labeler.workflows.workspace import Workspace


def bind_preview_commands(
    ws: Workspace, commands: Commands, layer: PreviewLayer, refused: Refused
) -> None:
    """Bind ``preview.*`` and ``region.between``; their keys are free while nothing is offered."""

    def attempt(act: Callable[[], None]) -> None:
        try:
            act()
        except EditRefused as refusal:
            refused(str(refusal))

    def accept() -> None:
        offer = layer.offer
        if offer is not None and offer.accept is not None:
            layer.withdraw()
            attempt(offer.accept)

    def accept_slice() -> None:
        offer = layer.offer
        if offer is not None and offer.accept_slice is not None:
            attempt(offer.accept_slice)

    def follow() -> None:
        offer = layer.offer
        action = commands.action("preview.accept")
        action.setEnabled(offer is not None and offer.accept is not None)
        action.setText(offer.text if offer is not None and offer.text else "Accept preview")
        has_slices = offer is not None and offer.accept_slice is not None
        commands.action("preview.accept_slice").setEnabled(has_slices)
        # what belongs to a tool can be given up before there is anything to accept
        can_end = offer is not None and (offer.accept is not None or bool(offer.tool))
        commands.action("preview.cancel").setEnabled(can_end)

    commands.bind("preview.accept", accept)
    commands.bind("preview.accept_slice", accept_slice)
    commands.bind("preview.cancel", layer.withdraw)
    commands.bind("region.between", lambda: attempt(lambda: _interpolate(ws, layer, refused)))
    layer.changed.connect(follow)
    follow()
    _preview_limits(ws, layer)


def _interpolate(ws: Workspace, layer: PreviewLayer, refused: Refused) -> None:
    plane = ws.views.panes[ws.views.active].plane
    interpolate_slices(ws, plane, lambda fill: _show_fill(ws, layer, fill), refused)


def _show_fill(ws: Workspace, layer: PreviewLayer, fill: SliceFill) -> None:
    """Offer the slices and go to the nearest of them, so that one is seen."""
    name = label_name(ws.session, fill.label)
    layer.show(
        Offer(
            fill.mask.name,
            fill.label,
            tuple(fill.slices.values()),
            owner=fill,
            text=f"Fill {formats.count(len(fill.slices), 'slice')} of {name}",
            accept=lambda: accept_slices(ws, fill),
            accept_slice=lambda: _accept_slice(ws, layer, fill),
        )
    )
    here = _slice_of_crosshair(ws, fill)
    nearest = min(fill.slices, key=lambda index: abs(index - here))
    if nearest != here:
        grid, views = placed_mask_grid(ws.session, fill.mask.name), ws.views
        views.set_crosshair(
            moved_by_slices(grid, fill.plane, views.crosshair_ras, nearest - here)
        )  # fmt: skip


def _accept_slice(ws: Workspace, layer: PreviewLayer, fill: SliceFill) -> None:
    here = _slice_of_crosshair(ws, fill)
    if here not in fill.slices:
        raise EditRefused("Nothing is offered on this slice: scroll to one with a dashed line")
    accept_slices(ws, fill, {here})
    rest = {index: voxels for index, voxels in fill.slices.items() if index != here}
    if rest:
        _show_fill(ws, layer, replace(fill, slices=rest))


def _slice_of_crosshair(ws: Workspace, fill: SliceFill) -> int:
    grid = placed_mask_grid(ws.session, fill.mask.name)
    return slice_at(grid, fill.plane, ws.views.crosshair_ras)


def _preview_limits(ws: Workspace, layer: PreviewLayer) -> None:
    """Show what a range of HU takes in while it is being set, until the hand is back in a view."""
    known = [ws.selection.limits]

    def follow() -> None:
        limits = ws.selection.limits
        if limits == known[0]:
            return
        known[0] = limits
        voxels = None
        if limits.hu is not None:
            plane = ws.views.panes[ws.views.active].plane
            try:
                voxels = drawable_voxels(ws, plane, ws.views.crosshair_ras)
            except EditRefused:
                pass  # said when somebody draws
        if voxels is not None and ws.selection.mask is not None:
            layer.show(Offer(ws.selection.mask, ws.selection.label, (voxels,), owner=limits))
        else:
            hide()

    def hide(*_: object) -> None:
        if layer.offer is not None and isinstance(layer.offer.owner, EditLimits):
            layer.withdraw()

    ws.selection.changed.connect(follow)
    ws.views.hovered.connect(hide)
