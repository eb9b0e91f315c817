"""One typed settings file, with defaults in ``config/settings.toml`` and ``windows.toml``.

Every value is checked by itself: an unknown name or a bad value is reported and ignored, and the
program starts with the default in its place.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any, Literal

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from PyQt5.QtCore import QObject, QTimer, pyqtSignal

from labeler.storage.atomic import write_bytes_durably
from labeler.storage.errors import SaveError

log = logging.getLogger(__name__)

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
WidthLevel = Annotated[list[float], Field(min_length=2, max_length=2)]
PlaneName = Literal["axial", "coronal", "sagittal"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class Folders(_Section):
    """Folders of the last time and recent ones (newest first)."""

    images: str = ""
    masks: str = ""
    reports: list[str] = []
    layout: str = ""
    case: str = ""
    recent: list[dict[str, Any]] = []


class WindowLayout(_Section):
    """Main window: Qt geometry and dock states, base64, and the perspective that was shown."""

    geometry: str = ""
    docks: str = ""
    spine_docks: str = ""
    perspective: Literal["liver", "spine"] = "liver"


class Views(_Section):
    """The four views."""

    phases: Annotated[list[str], Field(min_length=4, max_length=4)] = ["NC", "ART", "PV", "DL"]
    planes: Annotated[list[PlaneName], Field(min_length=4, max_length=4)] = ["axial"] * 4
    windows_linked: bool = True
    crosshair: bool = True
    smooth: bool = True
    region_jump: Literal["first", "largest", "middle"] = "first"
    auto_contrast: bool = False
    split: Annotated[list[Fraction], Field(min_length=2, max_length=2)] = [0.5, 0.5]


class Windows(_Section):
    """Grey scales ``[width, level]`` in HU: per phase as last set, and the presets by name."""

    phases: dict[str, WidthLevel] = {}
    presets: dict[str, WidthLevel] = {}


class MaskDefaults(_Section):
    """How masks are drawn; ``styles`` holds what was set for single masks by name."""

    contour_width_px: Annotated[float, Field(ge=0.0, le=8.0)] = 2.0
    contour_opacity: Fraction = 1.0
    fill_opacity: Fraction = 0.15
    styles: dict[str, dict[str, Any]] = {}
    show: list[str] = []


class Columns(_Section):
    """Columns shown in the report panel (empty: all) and in the region list."""

    report: list[str] = []
    hidden_region_columns: list[str] = []


class Editing(_Section):
    """Tools."""

    brush_mm: Annotated[float, Field(ge=0.5, le=200.0)] = 20.0
    undo_mb: Annotated[int, Field(ge=8, le=65536)] = 512
    history_disk_mb: Annotated[int, Field(ge=0, le=65536)] = 512
    backups: Annotated[int, Field(ge=0, le=100)] = 5


class Mouse(_Section):
    """``PACS``: right drag changes the grey scale; ``ITK-SNAP``: right drag zooms."""

    profile: Literal["PACS", "ITK-SNAP"] = "PACS"


class Memory(_Section):
    """Budgets."""

    prefetch_mb: Annotated[int, Field(ge=0, le=1_000_000)] = 2048
    cache_gb: Annotated[float, Field(ge=0.0, le=10_000.0)] = 20.0
    proposals_mb: Annotated[int, Field(ge=1, le=100_000)] = 256


class Models(_Section):
    """Models: where others are found, what runs them, and what is run before it is asked for.

    ``labels`` holds what a model's own label names mean here: by model, value by name.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    ahead: bool = False
    ahead_cases: Annotated[int, Field(ge=1, le=20)] = 2
    model: str = ""
    folders: list[str] = []
    labels: dict[str, dict[str, int]] = {}


class Person(_Section):
    """Name put beside comments."""

    name: str = ""


class SettingsData(_Section):
    """All settings, by section."""

    folders: Folders = Folders()
    window: WindowLayout = WindowLayout()
    views: Views = Views()
    windows: Windows = Windows()
    masks: MaskDefaults = MaskDefaults()
    columns: Columns = Columns()
    editing: Editing = Editing()
    mouse: Mouse = Mouse()
    memory: Memory = Memory()
    models: Models = Models()
    person: Person = Person()
    keys: dict[str, str] = {}


def read_settings(paths: list[Path]) -> tuple[SettingsData, list[str]]:
    """Read settings files, later ones over earlier ones.

    Returns
    -------
    SettingsData
        Always usable.
    list of str
        One sentence per value or file that was ignored.
    """
    data = SettingsData()
    problems: list[str] = []
    for path in paths:
        if not path.exists():
            continue
        try:
            document = tomlkit.parse(path.read_bytes().decode("utf-8-sig")).unwrap()
        except (OSError, ValueError) as error:
            problems.append(f"{path.name}: the file cannot be read and is ignored ({error})")
            continue
        problems += [f"{path.name}: {text}" for text in _merge(data, document)]
    return data, problems


def _merge(data: SettingsData, document: dict[str, Any]) -> list[str]:
    problems = []
    for section_name, content in document.items():
        field = SettingsData.model_fields.get(section_name)
        if field is None:
            problems.append(f"[{section_name}] is unknown and ignored")
        elif not isinstance(content, dict):
            problems.append(f"{section_name} must be a table and is ignored")
        elif section_name == "keys":
            problems += _merge_keys(data, content)
        else:
            problems += _merge_section(getattr(data, section_name), section_name, content)
    return problems


def _merge_keys(data: SettingsData, content: dict[str, Any]) -> list[str]:
    bad = [name for name, key in content.items() if not isinstance(key, str)]
    data.keys.update({name: key for name, key in content.items() if isinstance(key, str)})
    return [f"keys.{name} must be text and is ignored" for name in bad]


def _merge_section(section: _Section, section_name: str, content: dict[str, Any]) -> list[str]:
    problems = []
    for name, value in content.items():
        field = type(section).model_fields.get(name)
        if field is None:
            problems.append(f"{section_name}.{name} is unknown and ignored")
            continue
        annotation: Any = field.annotation
        if field.metadata:
            annotation = Annotated[annotation, *field.metadata]
        try:
            setattr(section, name, TypeAdapter(annotation).validate_python(value))
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            problems.append(f"{section_name}.{name} = {value!r} is ignored: {reason}")
    return problems


class Settings(QObject):
    """Settings of this user; saved by itself soon after a change.

    ``data`` is read freely and changed through :meth:`update`.
    """

    changed = pyqtSignal(str)
    save_failed = pyqtSignal(str)

    SAVE_DELAY_MS = 800

    def __init__(self, path: Path, defaults: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path
        shipped = [defaults, defaults.with_name("windows.toml")]
        self.data, self.problems = read_settings([*shipped, path])
        self._defaults, _ = read_settings(shipped)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(self.SAVE_DELAY_MS)
        self._timer.timeout.connect(self.save)

    def update(self, section: str, **values: Any) -> None:
        """Change values of a section and save them soon.

        Raises
        ------
        pydantic.ValidationError
            When a value does not fit its type.
        """
        target = getattr(self.data, section)
        if isinstance(target, dict):
            target.clear()
            target.update(values)
        else:
            for name, value in values.items():
                setattr(target, name, value)
        self._timer.start()
        self.changed.emit(section)

    def save(self) -> None:
        """Write what differs from the defaults now."""
        self._timer.stop()
        content = _difference(self.data.model_dump(), self._defaults.model_dump())
        try:
            write_bytes_durably(self.path, tomlkit.dumps(content).encode())
        except SaveError as error:
            log.warning("settings not saved: %s", error)
            self.save_failed.emit(f"The settings are not saved: {error}")


def _difference(data: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for section, content in data.items():
        base = defaults.get(section, {})
        kept = {name: value for name, value in content.items() if base.get(name) != value}
        if kept:
            result[section] = kept
    return result
