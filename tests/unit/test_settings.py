"""Settings: one bad value never costs another one, nor the start."""

from __future__ import annotations

import pytest
import tomlkit
from pydantic import ValidationError

from labeler.state.settings import Settings, read_settings
from labeler.storage.locations import bundled_folder

DEFAULTS = bundled_folder("config") / "settings.toml"


@pytest.fixture
def settings(qapp, tmp_path):
    made = Settings(tmp_path / "config" / "settings.toml", DEFAULTS)
    yield made
    made.save()


def test_defaults_are_read_without_a_complaint():
    _, problems = read_settings([DEFAULTS])
    assert problems == []


def test_what_was_set_is_there_after_a_restart(settings, qapp):
    settings.update("editing", brush_mm=7.5)
    settings.update("keys", **{"case.next": "Ctrl+J"})
    settings.save()
    again = Settings(settings.path, DEFAULTS)
    assert again.data.editing.brush_mm == 7.5
    assert again.data.keys == {"case.next": "Ctrl+J"}
    assert again.problems == []


def test_only_what_differs_from_the_defaults_is_written(settings):
    settings.update("mouse", profile="ITK-SNAP")
    settings.update("editing", brush_mm=settings.data.editing.brush_mm)
    settings.save()
    assert tomlkit.parse(settings.path.read_text()).unwrap() == {"mouse": {"profile": "ITK-SNAP"}}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[editing]\nbrush_mm = -3\n", "editing.brush_mm"),
        ("[editing]\nbrush_mm = 'wide'\n", "editing.brush_mm"),
        ("[editing]\nbrushes = 3\n", "editing.brushes is unknown"),
        ("[colours]\nred = 1\n", "[colours] is unknown"),
        ("editing = 3\n", "editing must be a table"),
        ("[views]\nplanes = ['axial']\n", "views.planes"),
        ("[keys]\n'case.next' = 3\n", "keys.case.next"),
        ("[views\n", "cannot be read"),
        ("\x00\x01", "cannot be read"),
    ],
)
def test_a_bad_value_is_named_and_the_rest_counts(tmp_path, text, word):
    path = tmp_path / "settings.toml"
    path.write_text(text if "cannot" in word else text + "[mouse]\nprofile = 'ITK-SNAP'\n")
    data, problems = read_settings([DEFAULTS, path])
    assert len(problems) == 1
    assert word in problems[0]
    assert data.editing.brush_mm == 20.0
    if "cannot" not in word:
        assert data.mouse.profile == "ITK-SNAP"


def test_settings_that_are_not_utf8_do_not_stop_the_start(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_bytes(b"[mouse]\nprofile = '\xff\xfe'\n")
    data, problems = read_settings([DEFAULTS, path])
    assert len(problems) == 1
    assert data.mouse.profile == "PACS"


def test_a_wrong_value_from_the_program_is_an_error(settings):
    with pytest.raises(ValidationError):
        settings.update("editing", brush_mm=-1)
    assert settings.data.editing.brush_mm > 0


def test_a_file_that_cannot_be_written_is_said(settings, qtbot):
    settings.path.parent.parent.joinpath("config").write_text("a file where a folder should be")
    with qtbot.waitSignal(settings.save_failed) as caught:
        settings.save()
    assert "not saved" in caught.args[0]
    settings.path.parent.unlink()


def test_a_preset_of_the_user_counts_and_the_others_stay(tmp_path, qapp):
    path = tmp_path / "settings.toml"
    path.write_text("[windows.presets]\nliver = [170, 75]\nbone = [1]\n")
    settings = Settings(path, DEFAULTS)
    assert len(settings.problems) == 1
    assert "windows.presets" in settings.problems[0]
    path.write_text("[windows.presets]\nliver = [170, 75]\n")
    settings = Settings(path, DEFAULTS)
    assert settings.data.windows.presets["liver"] == [170, 75]
    assert settings.problems == []
