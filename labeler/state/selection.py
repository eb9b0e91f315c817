"""What edits act on: the active mask and label, the selected region, locked labels, the tool."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt5.QtCore import QObject, pyqtSignal


@dataclass(frozen=True)
class RegionRef:
    """Names one region."""

    mask: str
    region_id: int


@dataclass(frozen=True)
class EditLimits:
    """Where drawing may change a mask.

    Attributes
    ----------
    inside
        Only voxels of this label are overwritten, and what is erased becomes it again; ``None``
        for no such limit.
    hu
        Only where a phase is within a range: its name, lowest and highest HU (both belong to it).
    """

    inside: int | None = None
    hu: tuple[str, float, float] | None = None


class Selection(QObject):
    """Lives beside :class:`~labeler.state.session.Session`; reset when a case is opened.

    Signals
    -------
    changed
        Active mask, active label, locks, limits or an option of a tool changed.
    region_selected
        A :class:`RegionRef`, or ``None``.
    tool_changed
        Command id of the active tool (``tool.navigate``, ``tool.brush``, ...).
    """

    changed = pyqtSignal()
    region_selected = pyqtSignal(object)
    tool_changed = pyqtSignal(str)

    def __init__(self, brush_mm: float, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.mask: str | None = None
        self.label = 1
        self.region: RegionRef | None = None
        self.locked: dict[str, frozenset[int]] = {}
        self.tool = "tool.navigate"
        self.brush_mm = brush_mm
        self.brush_is_ball = False
        self.brush_is_smart = False
        self.contour_replaces = False
        self.limits = EditLimits()

    def reset(self) -> None:
        """Forget masks, region and locks of the closed case; the rest stays."""
        self.mask = None
        self.locked = {}
        self.changed.emit()
        self.select_region(None)

    def set_mask(self, name: str | None) -> None:
        """Choose the mask that edits go to."""
        if name != self.mask:
            self.mask = name
            self.changed.emit()

    def set_label(self, value: int) -> None:
        """Choose the label that edits write."""
        if value != self.label:
            self.label = value
            self.changed.emit()

    def set_brush_mm(self, diameter_mm: float) -> None:
        diameter_mm = min(200.0, max(0.5, diameter_mm))
        if diameter_mm != self.brush_mm:
            self.brush_mm = diameter_mm
            self.changed.emit()

    def set_brush_form(self, *, ball: bool | None = None, smart: bool | None = None) -> None:
        """Choose a ball or a disc, and whether it keeps to values like where a stroke begins."""
        before = self.brush_is_ball, self.brush_is_smart
        self.brush_is_ball = self.brush_is_ball if ball is None else ball
        self.brush_is_smart = self.brush_is_smart if smart is None else smart
        if before != (self.brush_is_ball, self.brush_is_smart):
            self.changed.emit()

    def set_contour_replaces(self, replaces: bool) -> None:
        """Choose whether a contour is added, or takes the place of the parts it touches."""
        if replaces != self.contour_replaces:
            self.contour_replaces = replaces
            self.changed.emit()

    def set_limits(self, limits: EditLimits) -> None:
        """Choose where drawing may change a mask; stays for the next case."""
        if limits != self.limits:
            self.limits = limits
            self.changed.emit()

    def set_tool(self, tool: str) -> None:
        if tool != self.tool:
            self.tool = tool
            self.tool_changed.emit(tool)

    def select_region(self, region: RegionRef | None) -> None:
        """Select a region (its mask becomes the active one)."""
        if region is not None:
            self.set_mask(region.mask)
        if region != self.region:
            self.region = region
            self.region_selected.emit(region)

    def set_locked(self, mask: str, label: int, locked: bool) -> None:
        """Protect a label of a mask from every change, or free it."""
        now = self.locked.get(mask, frozenset())
        self.locked[mask] = now | {label} if locked else now - {label}
        self.changed.emit()

    def is_locked(self, mask: str, label: int) -> bool:
        return label in self.locked.get(mask, frozenset())
