"""Item model of the region list: a group per mask, a row per region."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from PyQt5.QtCore import QAbstractItemModel, QMimeData, QModelIndex, QObject, Qt

from labeler.core.regions import Region
from labeler.core.volume import PHASES
from labeler.state.selection import RegionRef
from labeler.state.session import Change, Session
from labeler.ui import formats
from labeler.ui.badges import phase_title
from labeler.ui.region_drag import REGIONS_MIME, carried
from labeler.ui.region_filter import RegionFilter
from labeler.workflows.review_case import ticked_ids

REGION_ROLE = int(Qt.UserRole)
REVIEWED_ROLE = REGION_ROLE + 1
GROUP_ROLE = REGION_ROLE + 2
COLOUR_ROLE = REGION_ROLE + 3

LABEL, VOLUME, DIAMETER, REVIEWED = "label", "volume_ml", "diameter_mm", "reviewed"
HU = "hu_"

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
    reviewed
        Ids of ticked regions.
    """

    mask: str
    regions: list[Region] = field(default_factory=list)
    total: int | None = None
    reviewed: frozenset[int] = frozenset()


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
        self.columns = [LABEL, VOLUME, DIAMETER]
        self.columns += [HU + phase for phase in self._phases()] + [REVIEWED]
        self.groups = [self._group(name) for name in self.session.masks]
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
            self._reorder(row, self._sorted(group.regions, group.reviewed))

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
            return int(Qt.AscendingOrder if column == LABEL else Qt.DescendingOrder)
        if role == Qt.TextAlignmentRole:
            return int(Qt.AlignVCenter | (Qt.AlignLeft if column == LABEL else Qt.AlignRight))
        return None

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        if not index.isValid():
            return None
        region = self.region(index)
        if region is None:
            return self._group_data(self.groups[index.row()], role)
        column = self.columns[index.column()]
        if role in (Qt.DisplayRole, Qt.AccessibleTextRole):
            return self._text(region, column)
        if role == REGION_ROLE:
            return region
        if role == REVIEWED_ROLE:
            return region.id in self.groups[index.internalId() - 1].reviewed
        if role == COLOUR_ROLE:
            return self.session.labels[region.label].colour
        if role == Qt.ToolTipRole:
            return self._tip(region)
        return None

    def _group_data(self, group: Group, role: int) -> Any:
        if role in (Qt.DisplayRole, Qt.AccessibleTextRole):
            return group.mask
        return group if role == GROUP_ROLE else None

    def _text(self, region: Region, column: str) -> str:
        if column == LABEL:
            return self.session.labels[region.label].name
        if column == VOLUME:
            return formats.measure(region.volume_ml)
        if column == DIAMETER:
            return formats.whole(region.diameter_mm)
        if column.startswith(HU):
            statistics = region.hu.get(column.removeprefix(HU))
            text = formats.whole(None if statistics is None else statistics.mean)
            # the hyphen is half as wide, and four phases of fat or gas have to fit side by side
            return text.replace(formats.MINUS, "-").replace(",", "")
        return ""

    def _tip(self, region: Region) -> str:
        lines = [
            f"{self.session.labels[region.label].name} in {region.mask}",
            f"{formats.measure(region.volume_ml)} ml, {region.voxels:,} voxels",
            f"longest axial diameter {formats.measure(region.diameter_mm)} mm",
        ]
        for phase, statistics in region.hu.items():
            if statistics is None:
                lines.append(f"{phase}: outside of the phase")
            else:
                mean, sd = (formats.whole(value) for value in statistics)
                lines.append(f"{phase}: {mean} \u00b1 {sd} HU")
        return "\n".join(lines)

    def _phases(self) -> list[str]:
        """Phases of the case, in display order."""
        case = self.session.case
        names = set(self.session.volumes) | set(case.phases if case is not None else ())
        return [p for p in PHASES if p in names] + sorted(names.difference(PHASES))

    def _group(self, mask: str) -> Group:
        index = self.session.regions.get(mask)
        if index is None:
            return Group(mask)
        reviewed = frozenset(ticked_ids(self.session, mask))
        listed = self._listed(index.regions.values(), reviewed)
        return Group(mask, self._sorted(listed, reviewed), len(index.regions), reviewed)

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

    def _sorted(self, regions: Sequence[Region], reviewed: frozenset[int]) -> list[Region]:
        # by id first: equal rows stay in one order whatever was shown before
        ordered = sorted(regions, key=lambda region: (region.label, region.id))
        if self._sort is not None:
            column, descending = self._sort
            ordered.sort(key=self._sort_key(column, reviewed), reverse=descending)
        return ordered

    def _sort_key(self, column: str, reviewed: frozenset[int]) -> Callable[[Region], Any]:
        labels = self.session.labels
        if column == VOLUME:
            return lambda region: region.volume_ml
        if column == DIAMETER:
            return lambda region: region.diameter_mm
        if column == REVIEWED:
            return lambda region: region.id in reviewed
        if column == LABEL:
            return lambda region: labels[region.label].name.casefold()
        phase = column.removeprefix(HU)

        def mean_hu(region: Region) -> float:
            statistics = region.hu.get(phase)
            return float("-inf") if statistics is None else statistics.mean

        return mean_hu

    def _phase_loaded(self, phase: str) -> None:
        if HU + phase not in self.columns:
            self.rebuild()

    def _changed(self, change: Change) -> None:
        if any(value.field == "tick" for value in change.values):
            for group in self.groups:
                self._recounted(group.mask)

    def _recounted(self, mask: str) -> None:
        row = next((row for row, group in enumerate(self.groups) if group.mask == mask), None)
        if row is not None:
            self._follow(row, self._group(mask))

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
        group.total, group.reviewed = fresh.total, fresh.reviewed
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


def column_title(column: str) -> str:
    """Short title of a column."""
    short = {LABEL: "Label", VOLUME: "ml", DIAMETER: "mm", REVIEWED: ""}
    return short.get(column, column.removeprefix(HU))


def column_tip(column: str) -> str:
    """What a column shows, in words."""
    words = {
        LABEL: "Label",
        VOLUME: "Volume in ml",
        DIAMETER: "Longest axial diameter in mm",
        REVIEWED: "Reviewed",
    }
    phase = column.removeprefix(HU)
    return words.get(column) or f"Mean HU in {phase} ({phase_title(phase).lower()})"
