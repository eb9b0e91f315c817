"""Linter, type checker and import rules pass, and the import rules can fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.rules import ROOT

BIN = Path(sys.executable).parent


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a tool of the environment with the settings in ``cwd``."""
    return subprocess.run(
        [BIN / command[0], *command[1:]], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "--no-cache", "."),
        ("ruff", "format", "--no-cache", "--check", "."),
        ("mypy",),
        ("lint-imports", "--no-cache"),
    ],
    ids=["ruff", "format", "mypy", "imports"],
)
def test_tool_finds_nothing(command):
    result = run(*command)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and the tools' settings, to break rules in."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "setup.cfg", copy)
    for package in ("labeler", "inference"):
        shutil.copytree(
            ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return copy


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("labeler/core/labels.py", "import labeler.storage.locations", "app > ui > workflows"),
        ("labeler/storage/locations.py", "import labeler.state.session", "app > ui > workflows"),
        ("labeler/state/session.py", "import labeler.workflows", "app > ui > workflows"),
        ("labeler/core/labels.py", "import PyQt5.QtCore", "core: no Qt, no files"),
        ("labeler/core/labels.py", "import threading", "core: no Qt, no files"),
        ("labeler/core/labels.py", "import pathlib", "core: no Qt, no files"),
        ("labeler/storage/locations.py", "from PyQt5 import QtCore", "storage and inference"),
        ("inference/__init__.py", "import pyqtgraph", "storage and inference"),
        ("inference/__init__.py", "import labeler.core", "inference knows nothing"),
        ("labeler/state/session.py", "import inference", "only workflows, app and cli"),
        ("labeler/workflows/__init__.py", "import inference.phantom", "only workflows, app"),
        ("labeler/ui/__init__.py", "def f():\n    import torch", "the window works without torch"),
    ],
)
def test_import_rule_can_fail(copy, module, line, contract):
    source = (copy / module).read_text(encoding="utf-8")
    (copy / module).write_text(f"{source}\n{line}\n", encoding="utf-8")
    result = run("lint-imports", "--no-cache", cwd=copy)
    (copy / module).write_text(source, encoding="utf-8")
    broken = [row for row in result.stdout.splitlines() if " BROKEN" in row]
    assert any(row.startswith(contract) for row in broken), result.stdout


@pytest.mark.parametrize(
    ("module", "line", "error"),
    [
        ("labeler/core/labels.py", "def f(x: list) -> None: ...", "type-arg"),
        ("labeler/storage/locations.py", "def f(x): ...", "no-untyped-def"),
    ],
)
def test_type_rule_can_fail(copy, module, line, error):
    source = (copy / module).read_text(encoding="utf-8")
    (copy / module).write_text(f"{source}\n{line}\n", encoding="utf-8")
    result = run("mypy", module, cwd=copy)
    (copy / module).write_text(source, encoding="utf-8")
    assert f"[{error}]" in result.stdout, result.stdout
