"""What stands in a cell of the region list: columns, texts, tips and what rows are sorted by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from labeler.core.labels import LabelTable
from labeler.core.regions import Region
from labeler.ui import formats
from labeler.ui.badges import phase_title
from labeler.ui.opinion_text import SHORT_PATTERNS, leading, plain_origin_lines
from labeler.workflows.region_origins import RegionOrigin

LABEL, VOLUME, DIAMETER, REVIEWED = "label", "volume_ml", "diameter_mm", "reviewed"
CONFIDENCE, PATTERN = "confidence", "pattern"

#: Columns with the mean of a phase, and with the opinion of a stage of a model.
HU, STAGE = "hu_", "stage:"


def columns_for(phases: Iterable[str], origins: Iterable[RegionOrigin]) -> list[str]:
    """Columns of a list; what models say has some only where one of them has said something."""
    said = [origin for origin in origins if origin.opinion is not None]
    stages = dict.fromkeys(s for o in said if o.opinion is not None for s in o.opinion.opinions)
    return [
        LABEL,
        *([CONFIDENCE] if said else []),
        VOLUME,
        DIAMETER,
        *(HU + phase for phase in phases),
        *([PATTERN] if any(origin.pattern for origin in said) else []),
        *(STAGE + stage for stage in stages),
        REVIEWED,
    ]


def is_text(column: str) -> bool:
    """Whether a column holds words rather than figures."""
    return column in (LABEL, PATTERN) or column.startswith(STAGE)


def column_title(column: str) -> str:
    """Short title of a column."""
    short = {
        LABEL: "Label", VOLUME: "ml", DIAMETER: "mm", REVIEWED: "", CONFIDENCE: "%",
        PATTERN: "Contrast",
    }  # fmt: skip
    return short.get(column, column.removeprefix(HU).removeprefix(STAGE))


def column_tip(column: str) -> str:
    """What a column shows, in words."""
    words = {
        LABEL: "Label",
        VOLUME: "Volume in ml",
        DIAMETER: "Longest axial diameter in mm",
        REVIEWED: "Reviewed",
        CONFIDENCE: "Confidence of the model in the label, for regions taken from a model",
        PATTERN: "Enhancement as the model measured it: in = wash-in, out = wash-out, late = "
        "fills in late, less = less than the liver",
    }
    if column.startswith(STAGE):
        return f"What {column.removeprefix(STAGE)} of the model holds most likely, in per cent"
    phase = column.removeprefix(HU)
    return words.get(column) or f"Mean HU in {phase} ({phase_title(phase).lower()})"


def cell_text(region: Region, column: str, labels: LabelTable, origin: RegionOrigin | None) -> str:
    """Text of a cell."""
    if column == LABEL:
        return labels[region.label].name
    if column == VOLUME:
        return formats.measure(region.volume_ml)
    if column == DIAMETER:
        return formats.whole(region.diameter_mm)
    if column.startswith(HU):
        statistics = region.hu.get(column.removeprefix(HU))
        text = formats.whole(None if statistics is None else statistics.mean)
        # the hyphen is half as wide, and four phases of fat or gas have to fit side by side
        return text.replace(formats.MINUS, "-").replace(",", "")
    if origin is None or origin.opinion is None:
        return ""
    if column == CONFIDENCE:
        # it was about another label
        return "" if origin.is_relabelled else f"{100 * origin.opinion.confidence:.0f}"
    if column == PATTERN:
        return SHORT_PATTERNS.get(origin.pattern, origin.pattern)
    shares = origin.opinion.opinions.get(column.removeprefix(STAGE))
    return "" if shares is None else leading(shares)


def row_tip(region: Region, labels: LabelTable, origin: RegionOrigin | None) -> str:
    """Everything about a region, a line each."""
    lines = [
        f"{labels[region.label].name} in {region.mask}",
        f"{formats.measure(region.volume_ml)} ml, {region.voxels:,} voxels",
        f"longest axial diameter {formats.measure(region.diameter_mm)} mm",
    ]
    for phase, statistics in region.hu.items():
        if statistics is None:
            lines.append(f"{phase}: outside of the phase")
        else:
            mean, sd = (formats.whole(value) for value in statistics)
            lines.append(f"{phase}: {mean} \u00b1 {sd} HU")
    return "\n".join(lines if origin is None else [*lines, *plain_origin_lines(origin)])


def sort_key(
    column: str,
    labels: LabelTable,
    reviewed: frozenset[int],
    origins: Mapping[int, RegionOrigin],
) -> Callable[[Region], Any]:
    """What rows are sorted by with a column; cells without a figure are the smallest."""
    if column == VOLUME:
        return lambda region: region.volume_ml
    if column == DIAMETER:
        return lambda region: region.diameter_mm
    if column == REVIEWED:
        return lambda region: region.id in reviewed
    if column == CONFIDENCE:
        return lambda region: _confidence(origins.get(region.id))
    if is_text(column):
        return lambda region: cell_text(region, column, labels, origins.get(region.id)).casefold()
    phase = column.removeprefix(HU)

    def mean_hu(region: Region) -> float:
        statistics = region.hu.get(phase)
        return float("-inf") if statistics is None else statistics.mean

    return mean_hu


def _confidence(origin: RegionOrigin | None) -> float:
    if origin is None or origin.opinion is None or origin.is_relabelled:
        return -1.0
    return origin.opinion.confidence
