"""Item model of the region list: a group per mask, a row per region."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PyQt5.QtCore import QAbstractItemModel, QMimeData, QModelIndex, QObject, Qt

from labeler.core.regions import Region
from labeler.core.volume import PHASES
from labeler.state.proposals import PROVENANCE
from labeler.state.selection import RegionRef
from labeler.state.session import Change, Session
from labeler.ui.region_cells import (
    DIAMETER,
    HU,
    LABEL,
    REVIEWED,
    VOLUME,
    cell_text,
    column_tip,
    column_title,
    columns_for,
    is_text,
    row_tip,
    sort_key,
)
from labeler.ui.region_drag import REGIONS_MIME, carried
from labeler.ui.region_filter import RegionFilter
from labeler.workflows.region_origins import RegionOrigin, origins_of
from labeler.workflows.review_case import ticked_ids

REGION_ROLE = int(Qt.UserRole)
REVIEWED_ROLE = REGION_ROLE + 1
GROUP_ROLE = REGION_ROLE + 2
COLOUR_ROLE = REGION_ROLE + 3
ORIGIN_ROLE = REGION_ROLE + 4

#: Rows of a mask, the largest regions: nobody looks at more one by one, and a threshold leaves tens
#: of thousands of specks. The filter finds those that are left out.
MAX_LISTED = 2000

#: More rows than this that come or go at once: the list is rebuilt rather than followed.
MAX_FOLLOWED = 200

_NO_INDEX = QModelIndex()


@dataclass
class Group:
    """The regions of one mask that are listed.

    Attributes
    ----------
    mask
        Name of the mask.
    regions
        In the order shown.
    total
        Number of regions, listed or not; ``None`` while they are being counted.
    is_cut
        Whether only the largest of those that fit the filter are listed.
    reviewed
        Ids of ticked regions.
    origins
        What models said of regions that were taken from them, by id.
    """

    mask: str
    regions: list[Region] = field(default_factory=list)
    total: int | None = None
    reviewed: frozenset[int] = frozenset()
    origins: Mapping[int, RegionOrigin] = field(default_factory=dict)
    is_cut: bool = False


class RegionTable(QAbstractItemModel):
    """Mirrors ``session.regions``; order and selection survive a recount."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._filter = RegionFilter()
        self._sort: tuple[str, bool] | None = None
        self.columns: list[str] = [LABEL, VOLUME, DIAMETER, REVIEWED]
        self.groups: list[Group] = []
        session.case_opened.connect(self.rebuild)
        session.mask_loaded.connect(self.rebuild)
        session.mask_removed.connect(self.rebuild)
        session.volume_loaded.connect(self._phase_loaded)
        session.regions_changed.connect(self._recounted)
        session.changed.connect(self._changed)
        self.rebuild()

    def rebuild(self) -> None:
        """Make columns and rows anew."""
        self.beginResetModel()
        self.groups = [self._group(name) for name in self.session.masks]
        self.columns = self._wanted_columns(self.groups)
        self.endResetModel()

    def set_filter(self, wanted: RegionFilter) -> None:
        """List only some of the regions."""
        if wanted != self._filter:
            self._filter = wanted
            self.rebuild()

    def sort(self, column: int, order: Qt.SortOrder = Qt.AscendingOrder) -> None:
        """Order the regions of each mask by a column; -1: by label, then in order of finding."""
        self._sort = (self.columns[column], order == Qt.DescendingOrder) if column >= 0 else None
        for row, group in enumerate(self.groups):
            self._reorder(row, self._sorted(group.regions, group.reviewed, group.origins))

    @property
    def sort_section(self) -> int:
        """Column the rows are sorted by, -1 for none."""
        name = self._sort[0] if self._sort else ""
        return self.columns.index(name) if name in self.columns else -1

    @property
    def sort_order(self) -> Qt.SortOrder:
        return Qt.DescendingOrder if self._sort and self._sort[1] else Qt.AscendingOrder

    def ref(self, index: QModelIndex) -> RegionRef | None:
        """Region of a row, ``None`` for a group."""
        region = self.region(index)
        return None if region is None else RegionRef(region.mask, region.id)

    def region(self, index: QModelIndex) -> Region | None:
        if not index.isValid() or not index.internalId():
            return None
        return self.groups[index.internalId() - 1].regions[index.row()]

    def index_of(self, ref: RegionRef | None) -> QModelIndex:
        """Row of a region; invalid when it is not listed."""
        for row, group in enumerate(self.groups):
            if ref is not None and group.mask == ref.mask:
                for place, region in enumerate(group.regions):
                    if region.id == ref.region_id:
                        return self.index(place, 0, self.index(row, 0))
        return QModelIndex()

    def sorted_refs(self, indexes: Iterable[QModelIndex]) -> list[RegionRef]:
        """Regions of some rows, each once, from top to bottom."""
        rows = {(i.internalId(), i.row()): self.ref(i) for i in indexes}
        return [ref for _, ref in sorted(rows.items()) if ref is not None]

    def refs(self) -> Iterator[RegionRef]:
        """Every listed region, from top to bottom."""
        for group in self.groups:
            for region in group.regions:
                yield RegionRef(group.mask, region.id)

    def index(self, row: int, column: int, parent: QModelIndex = _NO_INDEX) -> QModelIndex:
        # a tree asks this for every row when it lays them out: no call back into rowCount()
        if parent.isValid():
            place = parent.row() + 1
            rows = 0 if parent.internalId() else len(self.groups[place - 1].regions)
        else:
            place, rows = 0, len(self.groups)
        if 0 <= row < rows and 0 <= column < len(self.columns):
            return self.createIndex(row, column, place)
        return QModelIndex()

    def parent(self, index: QModelIndex) -> QModelIndex:
        if not index.isValid() or not index.internalId():
            return QModelIndex()
        return self.createIndex(index.internalId() - 1, 0, 0)

    def rowCount(self, parent: QModelIndex = _NO_INDEX) -> int:
        if not parent.isValid():
            return len(self.groups)
        if parent.internalId() or parent.column():
            return 0
        return len(self.groups[parent.row()].regions)

    def hasChildren(self, parent: QModelIndex = _NO_INDEX) -> bool:
        return not parent.isValid() or not parent.internalId()

    def columnCount(self, parent: QModelIndex = _NO_INDEX) -> int:
        return len(self.columns)

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        flags = super().flags(index)
        return flags if self.region(index) is None else flags | Qt.ItemIsDragEnabled

    def mimeTypes(self) -> list[str]:
        return [REGIONS_MIME]

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:
        return carried(self.session, self.sorted_refs(indexes))

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole
    ) -> Any:
        if orientation != Qt.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.DisplayRole:
            return column_title(column)
        if role == Qt.ToolTipRole:
            return column_tip(column)
        if role == Qt.InitialSortOrderRole:
            # figures are looked at from the largest down, names from A
            return int(Qt.AscendingOrder if is_text(column) else Qt.DescendingOrder)
        if role == Qt.TextAlignmentRole:
            return int(Qt.AlignVCenter | (Qt.AlignLeft if is_text(column) else Qt.AlignRight))
        return None

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        if not index.isValid():
            return None
        region = self.region(index)
        if region is None:
            return self._group_data(self.groups[index.row()], role)
        group = self.groups[index.internalId() - 1]
        origin = group.origins.get(region.id)
        if role in (Qt.DisplayRole, Qt.AccessibleTextRole):
            return cell_text(region, self.columns[index.column()], self.session.labels, origin)
        if role == REGION_ROLE:
            return region
        if role == REVIEWED_ROLE:
            return region.id in group.reviewed
        if role == ORIGIN_ROLE:
            return origin
        if role == COLOUR_ROLE:
            return self.session.labels[region.label].colour
        if role == Qt.ToolTipRole:
            return row_tip(region, self.session.labels, origin)
        return None

    def _group_data(self, group: Group, role: int) -> Any:
        if role in (Qt.DisplayRole, Qt.AccessibleTextRole):
            return group.mask
        return group if role == GROUP_ROLE else None

    def _phases(self) -> list[str]:
        """Phases of the case, in display order."""
        case = self.session.case
        names = set(self.session.volumes) | set(case.phases if case is not None else ())
        return [p for p in PHASES if p in names] + sorted(names.difference(PHASES))

    def _wanted_columns(self, groups: Iterable[Group]) -> list[str]:
        origins = [origin for group in groups for origin in group.origins.values()]
        return columns_for(self._phases(), origins)

    def _group(self, mask: str) -> Group:
        index = self.session.regions.get(mask)
        if index is None:
            return Group(mask)
        reviewed = frozenset(ticked_ids(self.session, mask))
        origins = origins_of(self.session, mask)
        listed = self._listed(index.regions.values(), reviewed)
        is_cut = len(listed) > MAX_LISTED
        if is_cut:
            listed = heapq.nlargest(MAX_LISTED, listed, key=_size)
        ordered = self._sorted(listed, reviewed, origins)
        return Group(mask, ordered, len(index.regions), reviewed, origins, is_cut)

    def _listed(self, regions: Any, reviewed: frozenset[int]) -> list[Region]:
        if self._filter.is_open:
            return list(regions)
        names = self.session.labels
        return [
            region
            for region in regions
            if self._filter.fits(
                names[region.label].name,
                region.mask,
                region.volume_ml,
                is_reviewed=region.id in reviewed,
            )
        ]

    def _sorted(
        self,
        regions: Sequence[Region],
        reviewed: frozenset[int],
        origins: Mapping[int, RegionOrigin],
    ) -> list[Region]:
        # by id first: equal rows stay in one order whatever was shown before
        ordered = sorted(regions, key=lambda region: (region.label, region.id))
        if self._sort is not None:
            column, descending = self._sort
            key = sort_key(column, self.session.labels, reviewed, origins)
            ordered.sort(key=key, reverse=descending)
        return ordered

    def _phase_loaded(self, phase: str) -> None:
        if HU + phase not in self.columns:
            self.rebuild()

    def _changed(self, change: Change) -> None:
        if any(value.field in ("tick", PROVENANCE) for value in change.values):
            for group in self.groups:
                self._recounted(group.mask)

    def _recounted(self, mask: str) -> None:
        row = next((row for row, group in enumerate(self.groups) if group.mask == mask), None)
        if row is None:
            return
        fresh = self._group(mask)
        if (
            self._wanted_columns([*self.groups[:row], fresh, *self.groups[row + 1 :]])
            != self.columns
        ):
            self.rebuild()
        else:
            self._follow(row, fresh)

    def _follow(self, row: int, fresh: Group) -> None:
        """Turn a group into ``fresh`` by as few row changes as the views need."""
        group = self.groups[row]
        wanted = {region.id: region for region in fresh.regions}
        had = {region.id for region in group.regions}
        if len(wanted.keys() ^ had) > MAX_FOLLOWED:
            self.beginResetModel()
            self.groups[row] = fresh
            self.endResetModel()
            return
        parent = self.index(row, 0)
        for place in reversed(range(len(group.regions))):
            if group.regions[place].id not in wanted:
                self.beginRemoveRows(parent, place, place)
                del group.regions[place]
                self.endRemoveRows()
        self._reorder(row, [region for region in fresh.regions if region.id in had])
        for place, region in enumerate(fresh.regions):
            if region.id not in had:
                self.beginInsertRows(parent, place, place)
                group.regions.insert(place, region)
                self.endInsertRows()
        group.total, group.reviewed, group.origins = fresh.total, fresh.reviewed, fresh.origins
        group.is_cut = fresh.is_cut
        self.dataChanged.emit(parent, parent)
        if group.regions:
            last = self.index(len(group.regions) - 1, len(self.columns) - 1, parent)
            self.dataChanged.emit(self.index(0, 0, parent), last)

    def _reorder(self, row: int, regions: list[Region]) -> None:
        """Put the same regions, possibly measured anew, in another order."""
        group = self.groups[row]
        order = [region.id for region in regions]
        if order == [region.id for region in group.regions]:
            group.regions = regions
            return
        self.layoutAboutToBeChanged.emit()
        places = {region_id: place for place, region_id in enumerate(order)}
        old = [i for i in self.persistentIndexList() if i.internalId() == row + 1]
        new = [
            self.createIndex(places[group.regions[i.row()].id], i.column(), row + 1) for i in old
        ]
        group.regions = regions
        self.changePersistentIndexList(old, new)
        self.layoutChanged.emit()


def _size(region: Region) -> tuple[int, int]:
    """Larger regions first; of equal ones those that were found first."""
    return region.voxels, -region.id
