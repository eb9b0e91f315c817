"""A small open case without a window: phases on different grids, a mask, its regions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from labeler.core.geometry import CANONICAL_RAS, AxisOrder, Grid, Plane
from labeler.core.labels import Label, LabelTable
from labeler.core.mask import Mask
from labeler.core.regions import RegionIndex
from labeler.core.statistics import PlacedVolume
from labeler.core.volume import Volume
from labeler.state.placement import placed_volume_grid
from labeler.state.selection import RegionRef, Selection
from labeler.state.session import Session
from labeler.state.settings import Settings
from labeler.state.tasks import TaskRunner
from labeler.state.view_state import Pane, ViewState
from labeler.storage.cases import Case, PhaseSource
from labeler.workflows.workspace import Workspace

LIVER, LESION = 1, 9

LABELS = LabelTable([Label(LIVER, "Liver", "#3cb44b"), Label(LESION, "HCC", "#ff2020")])


def make_grid(shape_kji, spacing_mm, center_ras=(0.0, 0.0, 0.0)) -> Grid:
    """A canonical grid around a point."""
    affine = np.eye(4)
    affine[:3, :3] = CANONICAL_RAS.T * np.array(spacing_mm)
    affine[:3, 3] = center_ras - affine[:3, :3] @ ((np.array(shape_kji[::-1]) - 1) / 2)
    return Grid(shape_kji, affine)


def plain_order(grid: Grid) -> AxisOrder:
    return AxisOrder((0, 1, 2), (False, False, False), grid.shape_ijk)


def sphere(grid: Grid, center_ras, radius_mm: float) -> np.ndarray:
    """Voxels whose centres lie inside a ball, bool ``[k, j, i]``."""
    k, j, i = np.indices(grid.shape_kji)
    ras = grid.to_ras(np.stack((i, j, k), axis=-1))
    return np.linalg.norm(ras - np.asarray(center_ras), axis=-1) <= radius_mm


def make_volume(grid: Grid, liver_hu: int, lesion_hu: int) -> Volume:
    """A ball of liver with a lesion in it, in air."""
    array = np.full(grid.shape_kji, -1000, np.int16)
    array[sphere(grid, (0, 0, 0), 45)] = liver_hu
    array[sphere(grid, (15, 0, 0), 10)] = lesion_hu
    return Volume(array, grid, plain_order(grid))


def make_mask(name: str, grid: Grid) -> Mask:
    array = np.zeros(grid.shape_kji, np.uint8)
    array[sphere(grid, (0, 0, 0), 45)] = LIVER
    array[sphere(grid, (15, 0, 0), 10)] = LESION
    return Mask(name, array, grid, plain_order(grid))


#: PV is the grid of the masks; ART has thicker slices, NC another spacing and place.
GRIDS = {
    "NC": make_grid((40, 50, 50), (2.0, 2.0, 3.0), (1.0, -2.0, 1.2)),
    "ART": make_grid((24, 60, 60), (2.0, 2.0, 5.0), (0.0, 0.0, 0.5)),
    "PV": make_grid((48, 60, 60), (2.0, 2.0, 2.5)),
}


def make_workspace(folder: Path, phases=("NC", "ART", "PV", "DL")) -> Workspace:
    panes = tuple(Pane(phase, Plane.AXIAL) for phase in phases)
    return Workspace(
        session=Session(LABELS, 2**26),
        selection=Selection(8.0),
        views=ViewState(panes),
        settings=Settings(folder / "settings.toml", folder / "no-defaults.toml"),
        tasks=TaskRunner(),
    )


def open_case(ws: Workspace, folder: Path, *, phases=("NC", "ART", "PV")) -> None:
    """Open a case whose phases are there at once, with a mask on PV's grid."""
    sources = {phase: PhaseSource(phase, folder / f"{phase}.nii.gz", phase) for phase in phases}
    ws.session.begin(Case("case-1", "case-folders", folder, folder, folder, sources))
    for phase in phases:
        ws.session.add_volume(phase, make_volume(GRIDS[phase], 100, 40))
    if "PV" in phases:
        ws.session.add_mask(make_mask("draft", GRIDS["PV"]), None)
        ws.selection.set_mask("draft")


def count_regions(ws: Workspace, name: str) -> None:
    """Do what the background task does after a change."""
    mask = ws.session.masks[name].mask
    phases = {
        phase: PlacedVolume(volume.array, placed_volume_grid(ws.session, phase))
        for phase, volume in ws.session.volumes.items()
    }
    ws.session.set_regions(name, RegionIndex.build(name, mask.array, mask.grid, phases))


def region_of(ws: Workspace, name: str, label: int) -> RegionRef:
    """The first region of a label."""
    regions = ws.session.regions[name].regions.values()
    return RegionRef(name, next(region.id for region in regions if region.label == label))
