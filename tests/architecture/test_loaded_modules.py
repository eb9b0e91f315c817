"""What a process has loaded after importing a layer: seen in a process of its own."""

import subprocess
import sys

import pytest

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module({package!r})
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
print(*sys.modules)
"""


def loaded(program: str) -> set[str]:
    """Run a program that prints its modules last; return them."""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("package", ["labeler.core", "labeler.storage", "inference"])
def test_no_qt_below_state(package):
    modules = loaded(IMPORT_ALL.format(package=package))
    assert package in modules
    assert not modules & {"PyQt5", "qtpy", "pyqtgraph", "qtawesome"}


@pytest.mark.parametrize("package", ["labeler.state", "labeler.workflows"])
def test_no_widgets_below_ui(package):
    modules = loaded(IMPORT_ALL.format(package=package))
    assert "PyQt5.QtCore" in modules
    assert "PyQt5.QtWidgets" not in modules
