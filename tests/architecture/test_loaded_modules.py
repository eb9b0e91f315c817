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

OPEN_WINDOW = """
import sys
from labeler.app import Program, create_application
application = create_application()
program = Program(remember=False)
program.window.show()
program.window.grab()  # paints, without turning the event loop: nothing is loaded behind it yet
assert program.window.isVisible()
print(*sys.modules)
program.close()
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


def test_window_opens_without_what_starts_slowly():
    modules = loaded(OPEN_WINDOW)
    assert {"labeler.ui.main_window", "PyQt5.QtWidgets"} <= modules
    assert not modules & {"torch", "monai", "openvino", "pandas", "vtk", "vtkmodules.all"}
    # readers, plots and terminal: loaded by those who need them, when they do
    assert not modules & {"SimpleITK", "pydicom", "nibabel", "blosc2", "pyqtgraph", "rich"}
    # the compiler and what its kernels or brushes need: loaded when the window is there
    assert not modules & {"numba", "llvmlite", "scipy"}


@pytest.mark.parametrize("first", ["labeler.core.volume", "labeler.storage.images", "labeler.cli"])
def test_volumes_do_not_wait_for_huge_pages(first, monkeypatch):
    monkeypatch.delenv("NUMPY_MADVISE_HUGEPAGE", raising=False)  # the tests import labeler, too
    program = f"import {first}, numpy; print(numpy._core.multiarray._get_madvise_hugepage())"
    assert loaded(program) == {"False"}
