"""What the code imports, what the package declares and what the lock pins are the same."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from tests.architecture.rules import ROOT, sources

OWN = {"labeler", "inference", "benchmarks", "tests"}
#: Found by pydicom itself, imported by nobody.
PLUGINS = {"pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg"}

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def normalized(requirement: str) -> str:
    """Return the name in a requirement, spelled as the package index compares names."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def imported(*folders: str) -> set[str]:
    """Return the distributions that the modules in ``folders`` import, anywhere in their text."""
    names = set()
    for _, source in sources(*folders):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module)
    known = OWN | set(sys.stdlib_module_names) | {"_typeshed"}  # the last: for checkers only
    roots = {name.split(".")[0] for name in names} - known
    distributions = packages_distributions()
    return {normalized(distributions.get(root, [root])[0]) for root in roots}


def declared(*extras: str) -> set[str]:
    """Return the distributions the package asks for, with those of the given extras."""
    requirements = list(PROJECT["dependencies"])
    for extra in extras:
        requirements += PROJECT["optional-dependencies"][extra]
    return {normalized(requirement) for requirement in requirements} - {"ct-labeler"}


def pins(lock: str = "requirements.lock") -> list[str]:
    rows = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    return [row for row in rows if row and not row.lstrip().startswith("#")]


def test_window_imports_what_is_declared():
    assert imported("labeler") - declared() == set()


def test_models_import_what_is_declared():
    assert imported("inference") - declared("service", "models", "interop") == set()


def test_tests_and_benchmarks_import_what_is_declared():
    # what nnU-Net is compared with is imported in an environment of its own
    apart = {normalized(pin) for pin in pins("requirements-nnunet.in")}
    assert imported("tests") - declared("test", "models") - apart == set()
    assert imported("benchmarks") - declared("test", "bench", "models") == set()


def test_everything_declared_is_used():
    assert declared() - PLUGINS - imported("labeler", "inference") == set()


def test_lock_pins_everything_for_run_and_test():
    assert declared("test") - {normalized(pin) for pin in pins()} == set()


def test_lock_is_plain_pins():
    # neither hashes (wheels differ by machine) nor addresses of a package index
    assert [pin for pin in pins() if not re.fullmatch(r"[\w.-]+==[\w.!+-]+", pin)] == []


def test_qt_is_there_once():
    # opencv-python brings a Qt of its own, which aborts PyQt5 under X
    assert not {normalized(pin) for pin in pins()} & {
        "opencv-python",
        "pyside2",
        "pyside6",
        "pyqt6",
    }
