"""The settings in plain words; what is changed here takes effect at once."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from PyQt5.QtWidgets import QCheckBox, QFormLayout, QLabel, QTabWidget, QVBoxLayout, QWidget

from labeler.core.volume import PHASES
from labeler.state.view_state import MaskStyle
from labeler.ui import style
from labeler.ui.commands import Commands
from labeler.ui.dialog import Dialog
from labeler.ui.keys_editor import KeysEditor
from labeler.ui.region_cells import CONFIDENCE, DIAMETER, HU, PATTERN, VOLUME, column_tip
from labeler.ui.settings_fields import MASKS, MEMORY, MODELS, VIEWS, Bound, Field, bind
from labeler.workflows.workspace import Workspace


class SettingsDialog(Dialog):
    """Changes settings, keys and what of them is in use."""

    def __init__(self, ws: Workspace, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__("settingsDialog", "Settings", "Keep", parent)
        self._ws = ws
        self._commands = commands
        self._bound: list[Bound] = []
        self._columns: dict[str, QCheckBox] = {}
        self._keys = KeysEditor(ws.settings.data.keys, self)
        tabs = QTabWidget(self)
        tabs.setObjectName("settingsTabs")
        tabs.addTab(self._page(VIEWS), "Views and mouse")
        tabs.addTab(self._page(MASKS), "Masks and editing")
        tabs.addTab(self._columns_page(), "Region list")
        tabs.addTab(self._page(MEMORY), "Memory")
        tabs.addTab(self._page(MODELS), "Models")
        tabs.addTab(self._keys, "Keys")
        self.content.addWidget(tabs)
        self.accepted.connect(self._keep)
        self.resize(style.scaled(720), style.scaled(560))

    @property
    def keys_editor(self) -> KeysEditor:
        return self._keys

    def _page(self, fields: tuple[Field, ...]) -> QWidget:
        page = QWidget(self)
        form = QFormLayout(page)
        form.setContentsMargins(*(style.scaled(px) for px in (4, 14, 4, 4)))
        form.setHorizontalSpacing(style.scaled(16))
        form.setVerticalSpacing(style.scaled(10))
        for field in fields:
            section = getattr(self._ws.settings.data, field.section)
            bound = bind(field, getattr(section, field.name), page)
            self._bound.append(bound)
            words = None if isinstance(bound.widget, QCheckBox) else field.words
            form.addRow(words, _with_explanation(bound.widget, field.tip, page))
        return page

    def _columns_page(self) -> QWidget:
        page = QWidget(self)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(*(style.scaled(px) for px in (4, 14, 4, 4)))
        hidden = self._ws.settings.data.columns.hidden_region_columns
        for name in (CONFIDENCE, VOLUME, DIAMETER, *(HU + phase for phase in PHASES), PATTERN):
            check = QCheckBox(column_tip(name), page)
            check.setObjectName(f"setting.column.{name}")
            check.setToolTip(f"Show the column: {column_tip(name)}")
            check.setChecked(name not in hidden)
            self._columns[name] = check
            layout.addWidget(check)
        layout.addWidget(
            _explanation(
                "Where the list is too narrow for all, the last phases are left out.", page
            )
        )
        layout.addStretch(1)
        return page

    def _keep(self) -> None:
        """Write what was changed into the settings and put it to use."""
        changed: dict[str, dict[str, Any]] = defaultdict(dict)
        data = self._ws.settings.data
        for bound in self._bound:
            field, value = bound.field, bound.value()
            if value != getattr(getattr(data, field.section), field.name):
                changed[field.section][field.name] = value
        hidden = [name for name, check in self._columns.items() if not check.isChecked()]
        others = [n for n in data.columns.hidden_region_columns if n not in self._columns]
        if hidden + others != data.columns.hidden_region_columns:
            changed["columns"]["hidden_region_columns"] = hidden + others
        for section, values in changed.items():
            self._ws.settings.update(section, **values)
        if self._keys.keys() != data.keys:
            self._ws.settings.update("keys", **self._keys.keys())
            self._commands.set_keys(self._keys.keys())
        self._use(changed)

    def _use(self, changed: dict[str, dict[str, Any]]) -> None:
        ws, data = self._ws, self._ws.settings.data
        if changed.get("views"):
            ws.views.set_options(
                windows_linked=data.views.windows_linked,
                crosshair_visible=data.views.crosshair,
                smooth=data.views.smooth,
            )
        if changed.get("masks"):
            ws.views.default_style = MaskStyle(
                contour_width_px=data.masks.contour_width_px,
                contour_opacity=data.masks.contour_opacity,
                fill_opacity=data.masks.fill_opacity,
            )
            for name in ws.session.masks:
                ws.views.style_changed.emit(name)
        if "undo_mb" in changed.get("editing", {}):
            ws.session.history.max_bytes = data.editing.undo_mb * 2**20
            ws.session.history_changed.emit()  # the oldest steps may be gone
        if "brush_mm" in changed.get("editing", {}):
            ws.selection.set_brush_mm(data.editing.brush_mm)


def _with_explanation(widget: QWidget, text: str, parent: QWidget) -> QWidget:
    """Put a sentence below a widget."""
    holder = QWidget(parent)
    layout = QVBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(style.scaled(3))
    if not isinstance(widget, QCheckBox):
        widget.setFixedWidth(style.scaled(250))
    layout.addWidget(widget)
    layout.addWidget(_explanation(text, holder))
    return holder


def _explanation(text: str, parent: QWidget) -> QLabel:
    label = QLabel(text, parent)
    label.setProperty("faint", True)
    label.setFont(style.text_font(style.SMALL_PX))
    return label
