"""The files in ``config/`` say exactly what the program knows."""

import tomlkit

from labeler.core.contrast import WINDOW_PRESETS_HU
from labeler.state.settings import SettingsData, read_settings
from labeler.storage.locations import bundled_folder

DEFAULTS = bundled_folder("config") / "settings.toml"
WINDOWS = bundled_folder("config") / "windows.toml"


def document() -> dict:
    return tomlkit.parse(DEFAULTS.read_text(encoding="utf-8")).unwrap()


def test_every_setting_has_a_default_in_the_file_and_no_other():
    known = {
        section: set(field.default.model_dump()) if section != "keys" else set()
        for section, field in SettingsData.model_fields.items()
    }
    known["windows"].remove("presets")  # these have a file of their own
    assert {section: set(content) for section, content in document().items()} == known


def test_the_presets_are_the_usual_ones():
    data, problems = read_settings([DEFAULTS, WINDOWS])
    assert problems == []
    presets = {name: tuple(values) for name, values in data.windows.presets.items()}
    assert presets == WINDOW_PRESETS_HU


def test_the_file_agrees_with_the_defaults_in_the_code():
    data, problems = read_settings([DEFAULTS])
    assert problems == []
    assert data.model_dump() == SettingsData().model_dump()


def test_every_section_begins_with_an_explanation():
    lines = DEFAULTS.read_text(encoding="utf-8").splitlines()
    places = [place for place, line in enumerate(lines) if line.startswith("[")]
    assert all(lines[place + 1].startswith("#") for place in places)
