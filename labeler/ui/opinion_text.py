"""What a model says of a region or a case, as text."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from labeler.state.proposals import Opinion
from labeler.ui import formats, style
from labeler.workflows.region_origins import RegionOrigin

#: Opinions of a stage that are written out: the largest.
MAX_OPINIONS = 3

#: Smaller shares are not worth a word.
MIN_SHARE = 0.01

#: Parts of the names of measures that the window has measured itself; these are in the tool tip.
MEASURED_HERE = ("(ml)", "HU ")

RELABELLED = "has another label now"

#: Measures that the pattern of enhancement says in words.
PARTS_OF_PATTERN = frozenset({"pattern", "wash-in", "wash-out"})

#: Patterns of enhancement in few letters, for a column.
SHORT_PATTERNS = {
    "wash-in and wash-out": "in + out",
    "wash-in without wash-out": "in",
    "no enhancement": "none",
    "fills in late": "late",
    "enhances less than the liver": "less",
    "unknown: one phase only": formats.UNKNOWN,
}


def percent(share: float) -> str:
    """``82 %``."""
    return f"{100 * share:.0f} %"


def leading(shares: Mapping[str, float]) -> str:
    """The type that a stage holds most likely: ``HCC 82``, in per cent."""
    if not shares:
        return formats.UNKNOWN
    name = max(shares, key=lambda name: shares[name])
    return f"{name} {100 * shares[name]:.0f}"


def stage_line(stage: str, shares: Mapping[str, float]) -> str:
    """``stage 1: HCC 82 %, cyst 10 %``."""
    largest = sorted(shares.items(), key=lambda share: -share[1])[:MAX_OPINIONS]
    told = [(name, share) for name, share in largest if share >= MIN_SHARE] or largest[:1]
    return f"{stage}: {', '.join(f'{name} {percent(share)}' for name, share in told)}"


def opinion_lines(opinion: Opinion) -> list[str]:
    """What each stage says, what was measured, and the doubts; rich text."""
    lines = [html.escape(stage_line(*stage)) for stage in opinion.opinions.items()]
    measures = measures_line(opinion.measures)
    lines += [html.escape(measures)] if measures else []
    return lines + [doubt(flag) for flag in opinion.flags]


def plain_origin_lines(origin: RegionOrigin) -> list[str]:
    """All that a model said of a region that was taken from it; plain text."""
    opinion = origin.opinion
    sure = "" if opinion is None else f", {percent(opinion.confidence)}"
    lines = [f"From {origin.model}: {origin.said}{sure}"]
    if origin.is_relabelled:
        lines.append(RELABELLED)
    if opinion is None:
        return lines
    lines += [stage_line(*stage) for stage in opinion.opinions.items()]
    measures = measures_line(opinion.measures)
    return [*lines, *([measures] if measures else []), *opinion.flags]


def origin_summary(origin: RegionOrigin, *, with_model: bool = True) -> str:
    """The same in a few words; rich text."""
    opinion, model = origin.opinion, f"{origin.model}: " if with_model else ""
    if opinion is None:
        return html.escape(f"{model}{origin.said}")
    first = f"{model}{origin.said} {percent(opinion.confidence)}"
    stages = [f"{stage} {leading(shares)}" for stage, shares in opinion.opinions.items()]
    facts = " \u00b7 ".join(filter(None, (*stages, origin.pattern)))
    lines = [html.escape(line) for line in (first, facts) if line]
    doubts = [*([RELABELLED] if origin.is_relabelled else []), *opinion.flags]
    return "<br>".join(lines + [doubt("; ".join(doubts))] * bool(doubts))


def doubt(text: str) -> str:
    """A doubt in amber; rich text."""
    return f'<span style="color:{style.AMBER}">{html.escape(text)}</span>'


def measures_line(measures: Mapping[str, Any]) -> str:
    """What the model adds to the figures of the window, in one line."""
    pattern = measures.get("pattern")
    left_out = PARTS_OF_PATTERN if pattern else frozenset()
    told = [str(pattern)] if pattern else []
    told += [
        f"{name} {_value(value)}"
        for name, value in measures.items()
        if value is not None
        and name not in left_out
        and not any(part in name for part in MEASURED_HERE)
    ]
    return " \u00b7 ".join(told)


def all_measures(measures: Mapping[str, Any]) -> str:
    """Every measure, one a line."""
    return "\n".join(f"{name}: {_value(value)}" for name, value in measures.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return formats.measure(value)
    return formats.UNKNOWN if value is None else str(value)
