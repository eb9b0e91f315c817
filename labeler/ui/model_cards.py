"""Cards of the report panel about regions that came from a model: what it said of each."""

from __future__ import annotations

import html
from collections.abc import Callable
from urllib.parse import quote, unquote

from PyQt5.QtWidgets import QWidget

from labeler.core.labels import LabelTable
from labeler.core.regions import Region
from labeler.state.selection import RegionRef
from labeler.state.session import Session
from labeler.ui import formats, style
from labeler.ui.cards import Card, moment
from labeler.ui.opinion_text import doubt, origin_summary
from labeler.workflows.region_origins import RegionOrigin, origins_of

#: Regions that a card tells of one by one.
MAX_REGIONS = 40

Text = tuple[str, str]


def model_texts(session: Session) -> list[Text]:
    """Title and rich text of each card: one for each model that regions were taken from."""
    by_model: dict[str, list[tuple[Region, RegionOrigin]]] = {}
    for mask in session.masks:
        index = session.regions.get(mask)
        for region_id, origin in origins_of(session, mask).items():
            if index is not None:
                by_model.setdefault(origin.model, []).append((index.regions[region_id], origin))
    return [
        (_title(model, [origin for _, origin in found]), _body(found, session.labels))
        for model, found in by_model.items()
    ]


def model_card(text: Text, go: Callable[[RegionRef], None], parent: QWidget) -> Card:
    """Make a card; a click on the name of a region goes to it."""
    title, body = text
    card = Card(title, body, parent)
    card.setObjectName("modelCard")
    card.setAccessibleName(title)
    card.setToolTip("What the model said of regions that were accepted; a click goes to one")
    card.body.linkActivated.connect(lambda link: go(_ref(link)))
    return card


def _title(model: str, origins: list[RegionOrigin]) -> str:
    last = max(origins, key=lambda origin: origin.accepted)
    when = f" \u00b7 accepted {moment(last.accepted)}" if last.accepted else ""
    return f"{model}{when}"


def _body(found: list[tuple[Region, RegionOrigin]], labels: LabelTable) -> str:
    warnings = dict.fromkeys(text for _, origin in found for text in origin.warnings)
    spoken = [(region, origin) for region, origin in found if origin.opinion is not None]
    silent = [region for region, origin in found if origin.opinion is None]
    spoken.sort(key=lambda pair: (pair[0].label, -pair[0].voxels))
    lines = [doubt(warning) for warning in warnings]
    for region, origin in spoken[:MAX_REGIONS]:
        summary = origin_summary(origin, with_model=False)
        lines.append(f"{_link(region, labels)}<br>{summary}")
    if len(spoken) > MAX_REGIONS:
        lines.append(f"{len(spoken) - MAX_REGIONS:,} more regions are in the list of regions.")
    if silent:
        names = ", ".join(dict.fromkeys(labels[region.label].name for region in silent))
        lines.append(html.escape(f"Without an opinion on the region: {names}"))
    gap = style.scaled(4)
    return "".join(f'<p style="margin:0 0 {gap}px 0">{line}</p>' for line in lines)


def _link(region: Region, labels: LabelTable) -> str:
    words = html.escape(
        f"{labels[region.label].name} {formats.measure(region.volume_ml)} ml in {region.mask}"
    )
    target = f"{region.id}/{quote(region.mask, safe='')}"
    return f'<a href="{target}" style="color:{style.ACCENT};text-decoration:none">{words}</a>'


def _ref(link: str) -> RegionRef:
    region_id, _, mask = link.partition("/")
    return RegionRef(unquote(mask), int(region_id))
