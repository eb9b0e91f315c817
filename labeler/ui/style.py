"""The look: one palette, one type size, one style sheet.

Sizes are given for a 13 px text and grow with the screen's logical resolution, so that a widget
which asks :func:`scaled` looks the same at 1366x768 and on a 4K screen without desktop scaling.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import qtawesome
from PyQt5.QtCore import QDir
from PyQt5.QtGui import QColor, QFont, QFontDatabase, QFontMetricsF, QIcon, QPalette
from PyQt5.QtWidgets import QApplication

from labeler.storage.locations import bundled_folder

BACKGROUND: Final = "#15181c"
PANEL: Final = "#1b1f24"
RAISED: Final = "#23282f"
HOVER: Final = "#2a3038"
LINE: Final = "#2c323a"
TEXT: Final = "#d7dce2"
BRIGHT: Final = "#f2f4f7"
DIM: Final = "#8b95a1"
FAINT: Final = "#5e6873"
ACCENT: Final = "#4aa3df"
SELECTED: Final = "#21394c"
GREEN: Final = "#3fb868"
AMBER: Final = "#e0a030"
RED: Final = "#e0524f"

#: What the style sheet may call by name (``@panel``).
COLOURS: Final[dict[str, str]] = {
    "background": BACKGROUND,
    "panel": PANEL,
    "raised": RAISED,
    "hover": HOVER,
    "line": LINE,
    "text": TEXT,
    "bright": BRIGHT,
    "dim": DIM,
    "faint": FAINT,
    "accent": ACCENT,
    "selected": SELECTED,
    "green": GREEN,
    "amber": AMBER,
    "red": RED,
}

TEXT_PX: Final = 13
SMALL_PX: Final = 11

#: Preferred first. Only a family whose digits are equally wide is taken: Qt 5 cannot switch a
#: proportional one to tabular figures, and columns of numbers would not line up.
FAMILIES: Final = (
    "Inter Tight",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "Open Sans",
    "Ubuntu",
    "Cantarell",
    "Liberation Sans",
    "Arial",
    "DejaVu Sans Condensed",
    "DejaVu Sans",
)

_TOKEN = re.compile(r"@(\d+)px|@([a-z]+)")


def apply_style(app: QApplication) -> None:
    """Give the application its font, palette and style sheet; call once, before any widget."""
    QDir.setSearchPaths("icons", [str(bundled_folder("resources") / "icons")])
    forget_screen()
    app.setStyle("Fusion")
    app.setFont(text_font())
    app.setPalette(_palette())
    app.setStyleSheet(style_sheet())


def style_sheet() -> str:
    """Return ``resources/style.qss`` with colours and sizes filled in.

    Raises
    ------
    KeyError
        When the sheet names a colour that does not exist.
    """
    template = (bundled_folder("resources") / "style.qss").read_text(encoding="utf-8")

    def fill(match: re.Match[str]) -> str:
        size, name = match.groups()
        return f"{scaled(int(size))}px" if size else COLOURS[name]

    return _TOKEN.sub(fill, template)


def forget_screen() -> None:
    """Ask the screen again how large things are; widgets that there are keep their sizes."""
    _factor.cache_clear()
    scaled.cache_clear()


@lru_cache(maxsize=256)
def scaled(size_px: float) -> int:
    """Return a size meant for 13 px text in pixels of this screen."""
    return max(1, round(size_px * _factor()))


@lru_cache(maxsize=1)
def _factor() -> float:
    """Growth of sizes in quarters: 1 at 96 dots per inch and a little more, never less."""
    screen = QApplication.primaryScreen()
    logical_dpi = 96.0 if screen is None else screen.logicalDotsPerInch()
    return min(4.0, max(1.0, round(4.0 * logical_dpi / 96.0) / 4.0))


def text_font(size_px: float = TEXT_PX, *, bold: bool = False) -> QFont:
    """Return the font of the program at a size meant for 13 px text."""
    font = QFont(_family())
    font.setPixelSize(scaled(size_px))
    if bold:
        font.setWeight(QFont.DemiBold)
    return font


def heading_font() -> QFont:
    """Return the font of dock titles: small, spaced capitals."""
    font = text_font(SMALL_PX, bold=True)
    font.setCapitalization(QFont.AllUppercase)
    font.setLetterSpacing(QFont.AbsoluteSpacing, 0.6 * _factor())
    return font


@lru_cache(maxsize=1)
def _family() -> str:
    installed = set(QFontDatabase().families())
    for family in FAMILIES:
        if family in installed and _has_tabular_figures(family):
            return family
    return QFontDatabase.systemFont(QFontDatabase.GeneralFont).family()


def _has_tabular_figures(family: str) -> bool:
    metrics = QFontMetricsF(QFont(family, 40))
    return len({round(metrics.horizontalAdvance(digit), 1) for digit in "0123456789"}) == 1


@lru_cache(maxsize=256)
def icon(name: str, colour: str = TEXT) -> QIcon:
    """Return an icon of the icon font in one colour (greyed when disabled)."""
    return qtawesome.icon(name, color=colour, color_disabled=FAINT)


def _palette() -> QPalette:
    """Colours for what the style sheet leaves to the style (arrows, selections, tooltips)."""
    palette = QPalette()
    roles = {
        QPalette.Window: PANEL,
        QPalette.WindowText: TEXT,
        QPalette.Base: BACKGROUND,
        QPalette.AlternateBase: PANEL,
        QPalette.Text: TEXT,
        QPalette.Button: RAISED,
        QPalette.ButtonText: TEXT,
        QPalette.BrightText: BRIGHT,
        QPalette.Highlight: SELECTED,
        QPalette.HighlightedText: BRIGHT,
        QPalette.ToolTipBase: RAISED,
        QPalette.ToolTipText: TEXT,
        QPalette.PlaceholderText: FAINT,
        QPalette.Link: ACCENT,
        QPalette.LinkVisited: ACCENT,
        QPalette.Light: HOVER,
        QPalette.Mid: LINE,
        QPalette.Dark: BACKGROUND,
        QPalette.Shadow: "#000000",
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.WindowText, QPalette.Text, QPalette.ButtonText):
        palette.setColor(QPalette.Disabled, role, QColor(FAINT))
    return palette
