"""What commands print around their results."""

from __future__ import annotations

import io
import json

import pytest

from labeler import terminal


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def watched_stderr(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in the place of standard error; pytest sets its own after each fixture."""
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    return stream


def test_work_that_takes_long_shows_a_bar_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stderr = watched_stderr(monkeypatch)
    monkeypatch.setattr(terminal, "_PATIENCE_S", 0.0)
    with terminal.progress("Reading", 4) as advance:
        advance(1)
    assert "Reading" in stderr.getvalue()
    assert "25%" in stderr.getvalue()
    with terminal.progress("Reading", 4) as advance:
        advance(2, "LV-0002")
    assert "LV-0002" in stderr.getvalue()
    assert "50%" in stderr.getvalue()
    assert capsys.readouterr().out == ""


def test_quick_work_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = watched_stderr(monkeypatch)
    monkeypatch.setattr(terminal, "_PATIENCE_S", 3600.0)
    with terminal.progress("Reading", 4) as advance:
        advance(4)
    assert "Reading" not in stderr.getvalue()


def test_a_log_gets_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(terminal, "_PATIENCE_S", 0.0)
    with terminal.progress("Reading", 4) as advance:
        advance(4)
    assert stream.getvalue() == ""


def test_a_table_fits_what_the_terminal_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    terminal.print_table(("Case", "HU"), [("肝\x1b[31m", "5 ± 1")], numbers_from=1)
    stream.flush()
    text = raw.getvalue().decode("ascii")
    assert "??[31m" in text
    assert "5 ? 1" in text


def test_json_takes_names_that_are_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_json({"id": "P\udcff肝"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == {"id": "P\udcff肝"}
