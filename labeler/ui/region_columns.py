"""The columns of the region list: as wide as their figures, fewer where there is no room."""

from __future__ import annotations

from PyQt5.QtCore import QObject, QPoint, Qt
from PyQt5.QtGui import QFontMetrics
from PyQt5.QtWidgets import QHeaderView, QMenu

from labeler.state.settings import Settings
from labeler.ui import style
from labeler.ui.region_cells import (
    CONFIDENCE,
    DIAMETER,
    HU,
    LABEL,
    PATTERN,
    REVIEWED,
    STAGE,
    VOLUME,
    column_tip,
    column_title,
)
from labeler.ui.region_delegate import figure_font
from labeler.ui.region_rows import RegionRows
from labeler.ui.region_table import RegionTable

#: Columns that go first when the panel is narrow, after what single stages of a model say.
DISPENSABLE = (HU + "DL", HU + "NC", DIAMETER, PATTERN, HU + "PV", HU + "ART", CONFIDENCE)

#: Sample of what a column of words holds; longer words are cut.
WORDS = {PATTERN: "in + out", STAGE: "metasta 88"}

#: Narrowest column of label names, for 13 px text.
MIN_LABEL_PX = 90


class RegionColumns(QObject):
    """Sizes the columns, and lets the user choose them by a right click on the header."""

    def __init__(self, view: RegionRows, table: RegionTable, settings: Settings) -> None:
        super().__init__(view)
        self._view = view
        self._table = table
        self._settings = settings
        header = view.header()
        header.setObjectName("regionHeader")
        header.setFont(style.text_font(style.SMALL_PX))
        header.setSectionsMovable(False)
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(style.scaled(16))
        header.setSectionsClickable(True)
        header.setContextMenuPolicy(Qt.CustomContextMenu)
        header.setSortIndicator(-1, Qt.AscendingOrder)
        header.customContextMenuRequested.connect(self._show_menu)
        view.setSortingEnabled(True)
        view.resized.connect(self.fit)
        settings.changed.connect(self._settings_changed)

    def fit(self) -> None:
        """Size the columns; where names would get too little room, drop figures."""
        header = self._view.header()
        widths = {name: self._width(name) for name in self._table.columns if name != LABEL}
        hidden = set(self._settings.data.columns.hidden_region_columns)
        shown = [name for name in widths if name not in hidden]
        room = self._view.viewport().width() - style.scaled(MIN_LABEL_PX)
        stages = [name for name in reversed(shown) if name.startswith(STAGE)]
        for name in (*stages, *DISPENSABLE):
            if sum(widths[column] for column in shown) > room and name in shown:
                shown.remove(name)
        for section, name in enumerate(self._table.columns):
            header.setSectionHidden(section, name != LABEL and name not in shown)
            if name == LABEL:
                header.setSectionResizeMode(section, QHeaderView.Stretch)
            else:
                header.setSectionResizeMode(section, QHeaderView.Fixed)
                header.resizeSection(section, widths[name])

    def menu(self) -> QMenu:
        """Make the menu of the columns."""
        menu = QMenu(self._view)
        menu.setObjectName("regionColumnMenu")
        menu.setAttribute(Qt.WA_DeleteOnClose)
        hidden = self._settings.data.columns.hidden_region_columns
        for name in self._table.columns:
            if name in (LABEL, REVIEWED):
                continue
            action = menu.addAction(f"{column_title(name)}    {column_tip(name)}")
            action.setObjectName(f"column.{name}")
            action.setCheckable(True)
            action.setChecked(name not in hidden)
            action.toggled.connect(lambda shown, name=name: self._set_shown(name, shown))
        return menu

    def _show_menu(self, point: QPoint) -> None:
        self.menu().popup(self._view.header().mapToGlobal(point))

    def _set_shown(self, name: str, shown: bool) -> None:
        hidden = [n for n in self._settings.data.columns.hidden_region_columns if n != name]
        if not shown:
            hidden.append(name)
        self._settings.update("columns", hidden_region_columns=hidden)

    def _settings_changed(self, section: str) -> None:
        if section == "columns":
            self.fit()

    def _width(self, column: str) -> int:
        if column == REVIEWED:
            return style.scaled(22)
        metrics = QFontMetrics(figure_font())
        if column == PATTERN or column.startswith(STAGE):
            sample = WORDS[PATTERN if column == PATTERN else STAGE]
            return metrics.horizontalAdvance(sample) + style.scaled(14)
        if column == VOLUME:
            return metrics.horizontalAdvance("8,888") + style.scaled(7)
        # a minus sign fits into the gap between columns
        return metrics.horizontalAdvance("888") + style.scaled(8 if column == DIAMETER else 11)
