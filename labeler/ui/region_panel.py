"""The selected region: size, and how it takes up and loses contrast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PyQt5.QtCore import QSize, Qt
from PyQt5.QtWidgets import QLabel, QStackedLayout, QVBoxLayout, QWidget

from labeler.core.regions import Region, RegionIndex
from labeler.core.volume import PHASES
from labeler.state.proposals import PROVENANCE
from labeler.state.selection import RegionRef
from labeler.state.session import Change
from labeler.ui import formats, style
from labeler.ui.commands import Commands
from labeler.ui.empty_state import EmptyState
from labeler.ui.enhancement_plot import EnhancementPlot
from labeler.ui.model_choice import wrapped_label
from labeler.ui.opinion_text import origin_summary, plain_origin_lines
from labeler.ui.panel_header import PanelHeader
from labeler.workflows.region_origins import RegionOrigin, origins_of
from labeler.workflows.workspace import Workspace

#: Differences smaller than this are noise at usual slice thickness.
NOTABLE_HU = 10.0

LIVER = "liver"

#: Group of labels (``labels.toml``) whose enhancement is compared with the liver's.
LESION = "lesion"


@dataclass(frozen=True)
class Finding:
    """A sentence about the curve; ``notable`` ones ask for a look."""

    text: str
    notable: bool = False


class RegionPanel(QWidget):
    """Follows the selected region."""

    def __init__(self, ws: Workspace, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("regionPanel")
        self.setAccessibleName("Region")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WA_StyledBackground)
        self._ws = ws
        self.header = PanelHeader("Region", self)
        self._plot = EnhancementPlot(self)
        self._findings = QLabel(self)
        self._origin = wrapped_label(self, "regionOrigin", "What the model said of the region")
        self._empty = EmptyState(commands.action("region.next"), self)
        self._stack = QStackedLayout()
        self._lay_out()
        ws.selection.region_selected.connect(self._show)
        ws.session.regions_changed.connect(self._show)
        ws.session.changed.connect(self._changed)
        ws.session.case_opened.connect(self._show)
        self._show()

    @property
    def findings(self) -> str:
        """The sentences below the curve, as plain text."""
        return self._findings.accessibleDescription()

    def sizeHint(self) -> QSize:
        return QSize(style.scaled(320), style.scaled(190))

    def _lay_out(self) -> None:
        self._findings.setObjectName("regionFindings")
        self._findings.setAccessibleName("Enhancement in words")
        self._findings.setWordWrap(True)
        self._findings.setTextFormat(Qt.RichText)
        self._findings.setTextInteractionFlags(Qt.TextSelectableByMouse)
        page = QWidget(self)
        inner = QVBoxLayout(page)
        inner.setContentsMargins(*(style.scaled(px) for px in (12, 2, 10, 8)))
        inner.setSpacing(style.scaled(4))
        inner.addWidget(self._plot, 1)
        inner.addWidget(self._findings)
        inner.addWidget(self._origin)
        self._stack.addWidget(page)
        self._stack.addWidget(self._empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addLayout(self._stack, 1)

    def _changed(self, change: Change) -> None:
        if any(value.field == PROVENANCE for value in change.values):
            self._show()

    def _show(self) -> None:
        ref = self._ws.selection.region
        region = self._ws.session.region(ref.mask, ref.region_id) if ref is not None else None
        self._stack.setCurrentIndex(1 if region is None else 0)
        if region is None or ref is None:
            self.header.set_title("Region")
            self.header.set_note("")
            self._empty.set_text(
                "No region is selected. Click one in the list.",
                with_action=bool(self._ws.session.regions),
            )
            return
        self._show_region(region, ref)

    def _show_region(self, region: Region, ref: RegionRef) -> None:
        session = self._ws.session
        label = session.labels[region.label]
        volume, diameter = formats.measure(region.volume_ml), formats.whole(region.diameter_mm)
        self.header.set_title(label.name)
        self.header.set_note(f"{volume} ml \u00b7 {diameter} mm", "Volume, longest axial diameter")
        means = {phase: (s.mean, s.sd) for phase, s in region.hu.items() if s is not None}
        known = set(means) | set(session.case.phases if session.case is not None else ())
        phases = tuple(p for p in PHASES if p in known) + tuple(sorted(known.difference(PHASES)))
        liver = self._liver(session.regions[ref.mask], region)
        self._plot.set_curve(phases, means, label.colour)
        colour = style.DIM if liver is None else session.labels[liver.label].colour
        reference = {} if liver is None else _means(liver)
        self._plot.set_reference(reference, colour, "liver")
        # organs and vessels differ from the liver anyway: no reason to look
        compared = reference if label.group in ("", LESION) else {}
        found = findings(_means(region), compared)
        self._findings.setText("<br>".join(_rich(finding) for finding in found))
        self._findings.setAccessibleDescription("\n".join(finding.text for finding in found))
        self._findings.setVisible(bool(found))
        self._show_origin(origins_of(session, ref.mask).get(ref.region_id))

    def _show_origin(self, origin: RegionOrigin | None) -> None:
        """Say what the model said of the region, in few words; the tip has all of them."""
        self._origin.setVisible(origin is not None)
        if origin is not None:
            self._origin.setText(origin_summary(origin))
            self._origin.setToolTip("\n".join(plain_origin_lines(origin)))

    def _liver(self, index: RegionIndex, region: Region) -> Region | None:
        """The largest liver region of the same mask, unless the region is one itself."""
        labels = self._ws.session.labels
        if labels[region.label].name.casefold() == LIVER:
            return None
        livers = [
            other
            for other in index.regions.values()
            if labels[other.label].name.casefold() == LIVER
        ]
        return max(livers, key=lambda other: other.voxels, default=None)


def findings(means: Mapping[str, float], liver: Mapping[str, float]) -> list[Finding]:
    """Put a curve into words.

    Parameters
    ----------
    means
        Mean HU of the region by phase.
    liver
        Mean HU of the liver by phase; empty when there is no liver.
    """
    found = []
    if "NC" in means and "ART" in means:
        found.append(_gain("Wash-in", means["ART"] - means["NC"], "NC", "ART"))
    if "PV" in means and "DL" in means:
        found.append(_gain("Wash-out", means["DL"] - means["PV"], "PV", "DL", sign=-1))
    common = [phase for phase in PHASES if phase in means and phase in liver]
    below = [p for p in common if p != "NC" and means[p] - liver[p] <= -NOTABLE_HU]
    if below:
        amounts = [f"{phase} by {liver[phase] - means[phase]:.0f}" for phase in below]
        found.append(Finding(f"Below the liver in {' and '.join(amounts)} HU", notable=True))
    return found


def _gain(name: str, change_hu: float, before: str, after: str, sign: int = 1) -> Finding:
    """Say how much a region gains (``sign`` 1) or loses (-1) between two phases."""
    figure = f"{_change(change_hu)} HU, {before} to {after}"
    if sign * change_hu >= NOTABLE_HU:
        return Finding(f"{name} {figure}")
    return Finding(f"No {name.lower()}: {figure}")


def _means(region: Region) -> dict[str, float]:
    return {phase: s.mean for phase, s in region.hu.items() if s is not None}


def _change(value_hu: float) -> str:
    text = formats.whole(value_hu)
    return text if text.startswith(formats.MINUS) or text == "0" else f"+{text}"


def _rich(finding: Finding) -> str:
    colour = style.AMBER if finding.notable else style.DIM
    return f'<span style="color:{colour}">{finding.text}</span>'
