"""The regions of all masks: sort, filter, walk through, tick."""

from __future__ import annotations

from collections.abc import Iterable

from PyQt5.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    pyqtSignal,
)
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from labeler.state.selection import RegionRef
from labeler.ui import style
from labeler.ui.commands import Commands
from labeler.ui.empty_state import EmptyState
from labeler.ui.panel_header import PanelHeader
from labeler.ui.region_cells import REVIEWED
from labeler.ui.region_columns import RegionColumns
from labeler.ui.region_delegate import RegionDelegate
from labeler.ui.region_drag import DropTarget, RegionDrop
from labeler.ui.region_filter import parse_filter
from labeler.ui.region_rows import FilterField, RegionRows
from labeler.ui.region_table import RegionTable
from labeler.ui.row_view import dress_rows, dress_tree
from labeler.workflows.edit_rules import EditRefused
from labeler.workflows.review_case import jump_to_region, tick_region
from labeler.workflows.workspace import Workspace

SHAPE_COMMANDS = (
    "region.grow",
    "region.shrink",
    "region.smooth",
    "region.fill_holes",
    "region.hollow",
    None,
    "tool.split",
    "region.split",
    "region.merge",
    None,
    "region.keep_largest",
    "region.remove_small",
)

MENU_COMMANDS = (
    "region.tick",
    None,
    "region.relabel",
    "region.copy",
    "region.move",
    None,
    "region.delete",
)


class RegionList(QWidget):
    """Region list; a click, an arrow key or :meth:`go` brings every view to a region.

    Signals
    -------
    said
        A sentence for the status bar.
    """

    said = pyqtSignal(str)

    def __init__(self, ws: Workspace, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("regionList")
        self.setAccessibleName("Regions")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WA_StyledBackground)
        self._ws = ws
        self._commands = commands
        self._closed: set[str] = set()
        self._place: RegionRef | None = None
        #: Place in the list of the selected region, kept when the region leaves the list.
        self._number: int | None = None
        self._is_toggling = False
        self.header = PanelHeader("Regions", self)
        self._filter = FilterField(self)
        self._unreviewed = QPushButton("Unreviewed", self)
        self._table = RegionTable(ws.session, self)
        self._view = RegionRows(self._table, self)
        self._columns = RegionColumns(self._view, self._table, ws.settings)
        self._drop = RegionDrop(ws, self._view.viewport(), self._drop_target)
        self._view.drop = self._drop
        self._empty = EmptyState(commands.action("mask.new"), self)
        self._stack = QStackedLayout()
        self._dress()
        self._lay_out()
        self._connect()
        self._restore()

    @property
    def view(self) -> RegionRows:
        """The rows themselves."""
        return self._view

    @property
    def table(self) -> RegionTable:
        """Regions listed, by mask."""
        return self._table

    def selected_refs(self) -> list[RegionRef]:
        """Regions that an act is meant for: the selected rows, or the one region selected."""
        ref = self._ws.selection.region
        if ref is None or self._ws.session.region(ref.mask, ref.region_id) is None:
            return []
        rows = self._table.sorted_refs(self._view.selectedIndexes())
        return rows if ref in rows else [ref]

    def go(self, step: int) -> None:
        """Jump to the region ``step`` rows below the selected one."""
        refs = list(self._table.refs())
        if not refs:
            self.said.emit("There is no region to go to.")
            return
        here = self._ws.selection.region
        if here in refs:
            place = refs.index(here) + step
        elif self._number is not None:  # deleted, ticked or filtered: go on from where it was
            place = self._number + min(step, 0)
        else:
            place = 0 if step > 0 else len(refs) - 1
        if 0 <= place < len(refs):
            jump_to_region(self._ws, refs[place])
        else:
            self.said.emit(f"This is the {'last' if step > 0 else 'first'} region of the list.")

    def _enter(self) -> None:
        """From the filter into the rows; to the first when the selected region is not there."""
        self._view.setFocus(Qt.TabFocusReason)
        if not self._table.index_of(self._ws.selection.region).isValid():
            self._number = None
            self.go(1)

    def _dress(self) -> None:
        self._filter.setObjectName("regionFilter")
        self._filter.setAccessibleName("Filter regions")
        self._filter.setPlaceholderText("Filter: hcc draft > 2 ml")
        self._filter.setToolTip("Parts of label or mask names, and bounds of the volume in ml")
        self._filter.setClearButtonEnabled(True)
        self._unreviewed.setObjectName("onlyUnreviewed")
        self._unreviewed.setAccessibleName("Only unreviewed regions")
        self._unreviewed.setToolTip("List only regions that are not ticked")
        self._unreviewed.setCheckable(True)
        self._unreviewed.setProperty("chip", True)
        self._unreviewed.setFont(style.text_font(style.SMALL_PX))
        view = self._view
        tip = (
            "A click goes to a region, a right click changes it; drag regions to another mask to "
            "move them, with Ctrl to copy them"
        )
        dress_rows(view, "regionRows", "Region rows", tip)
        dress_tree(view)
        view.setItemDelegate(RegionDelegate(view))
        view.setExpandsOnDoubleClick(False)
        view.setContextMenuPolicy(Qt.CustomContextMenu)

    def _lay_out(self) -> None:
        tools = QHBoxLayout()
        tools.setContentsMargins(*(style.scaled(px) for px in (12, 0, 10, 5)))
        tools.setSpacing(style.scaled(6))
        tools.addWidget(self._filter, 1)
        tools.addWidget(self._unreviewed)
        self._stack.addWidget(self._view)
        self._stack.addWidget(self._empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addLayout(tools)
        layout.addLayout(self._stack, 1)

    def _connect(self) -> None:
        view, table = self._view, self._table
        view.clicked.connect(self._clicked)
        view.activated.connect(self._activated)
        view.walked.connect(self._activated)
        view.dragged.connect(lambda: self._show_selected(self._ws.selection.region))
        view.collapsed.connect(lambda index: self._closed.add(index.data()))
        view.expanded.connect(lambda index: self._closed.discard(index.data()))
        view.customContextMenuRequested.connect(self._show_menu)
        self._filter.textChanged.connect(self._set_filter)
        self._filter.entered.connect(self._enter)
        self._unreviewed.toggled.connect(self._set_filter)
        table.modelAboutToBeReset.connect(self._remember)
        table.modelReset.connect(self._restore)
        table.dataChanged.connect(self._show_note)
        table.rowsRemoved.connect(self._rows_removed)
        table.rowsInserted.connect(self._show_note)
        self._ws.selection.region_selected.connect(self._show_selected)
        self._drop.said.connect(self.said)

    def _clicked(self, index: QModelIndex) -> None:
        ref = self._table.ref(index)
        if ref is None:
            self._view.setExpanded(index, not self._view.isExpanded(index))
        elif self._table.columns[index.column()] == REVIEWED:
            try:
                tick_region(self._ws, ref)
            except EditRefused as refusal:
                self.said.emit(str(refusal))
        elif self._view.selectionModel().isSelected(index):
            jump_to_region(self._ws, ref)
        else:  # taken out of several with Ctrl: the others stay selected
            rest = self._table.sorted_refs(self._view.selectedIndexes())
            self._is_toggling = True
            self._ws.selection.select_region(rest[-1] if rest else None)
            self._is_toggling = False

    def _activated(self, index: QModelIndex) -> None:
        ref = self._table.ref(index)
        if ref is not None:
            jump_to_region(self._ws, ref)

    def _set_filter(self) -> None:
        self._table.set_filter(
            parse_filter(self._filter.text(), only_unreviewed=self._unreviewed.isChecked())
        )

    def _remember(self) -> None:
        top = self._view.indexAt(QPoint(2, 2))
        self._place = self._table.ref(top)

    def _restore(self) -> None:
        """After the model was rebuilt: headings across, groups open, selection, place."""
        for row, group in enumerate(self._table.groups):
            self._view.setFirstColumnSpanned(row, QModelIndex(), True)
            self._view.setExpanded(self._table.index(row, 0), group.mask not in self._closed)
        self._columns.fit()
        self._view.header().setSortIndicator(self._table.sort_section, self._table.sort_order)
        place = self._table.index_of(self._place)
        if place.isValid():
            self._view.scrollTo(place, QAbstractItemView.PositionAtTop)
        self._show_selected(self._ws.selection.region)
        self._show_note()

    def _show_selected(self, ref: RegionRef | None) -> None:
        index = self._table.index_of(ref)
        if ref is None:
            self._number = None
        if ref is None or not index.isValid():
            self._view.clearSelection()
            self._view.setCurrentIndex(QModelIndex())
            return
        self._number = list(self._table.refs()).index(ref)
        if self._is_toggling:
            return
        if index.siblingAtColumn(0) != self._view.currentIndex().siblingAtColumn(0):
            self._view.selectionModel().setCurrentIndex(
                index, QItemSelectionModel.ClearAndSelect | QItemSelectionModel.Rows
            )
        self._view.scrollTo(index)

    def _drop_target(self, pos: QPoint) -> DropTarget | None:
        """A mask by its heading; a row stands for all rows of its mask and label."""
        table, index = self._table, self._view.indexAt(pos)
        if not index.isValid():
            return None
        region = table.region(index)
        if region is None:
            mask, label, rows = table.groups[index.row()].mask, None, [index]
        else:
            mask, label, group = region.mask, region.label, index.parent()
            regions = table.groups[group.row()].regions
            rows = [
                table.index(row, 0, group)
                for row, other in enumerate(regions)
                if other.label == label
            ]
        width = self._view.viewport().width()
        rects = [self._view.visualRect(row) for row in rows]
        return DropTarget(mask, label, tuple(QRect(0, r.y(), width, r.height()) for r in rects))

    def _rows_removed(self, parent: QModelIndex, first: int, _last: int) -> None:
        """Mark no other row when the selected one goes; arrow down comes to the next one."""
        if not self._table.index_of(self._ws.selection.region).isValid():
            above = self._table.index(first - 1, 0, parent)
            self._view.clearSelection()
            self._view.selectionModel().setCurrentIndex(
                above if above.isValid() else parent, QItemSelectionModel.NoUpdate
            )
        self._show_note()

    def _show_note(self) -> None:
        total = sum(group.total or 0 for group in self._table.groups)
        reviewed = sum(len(group.reviewed) for group in self._table.groups)
        self.header.set_note(
            f"{reviewed:,} of {total:,} reviewed" if total else "", "N next \u00b7 T reviewed"
        )
        self._stack.setCurrentWidget(self._view if self._table.groups else self._empty)
        is_open = self._ws.session.case is not None
        text = "This case has no mask." if is_open else "Open a case to see its regions."
        self._empty.set_text(text, with_action=is_open)

    def _show_menu(self, point: QPoint) -> None:
        index = self._view.indexAt(point)
        ref = self._table.ref(index)
        if ref is None:
            return
        jump_to_region(self._ws, ref)  # the menu acts on the selected region: show it first
        menu = QMenu(self)
        menu.setObjectName("regionMenu")
        menu.setAttribute(Qt.WA_DeleteOnClose)
        self._fill_menu(menu, MENU_COMMANDS[:-2])
        shape = menu.addMenu(style.icon("mdi6.shape-outline"), "Shape")
        self._fill_menu(shape, SHAPE_COMMANDS)
        self._fill_menu(menu, MENU_COMMANDS[-2:])
        menu.popup(self._view.viewport().mapToGlobal(point))

    def _fill_menu(self, menu: QMenu, commands: Iterable[str | None]) -> None:
        for name in commands:
            if name is None:
                menu.addSeparator()
            else:
                menu.addAction(self._commands.action(name))

    def sizeHint(self) -> QSize:
        return QSize(style.scaled(320), style.scaled(360))
