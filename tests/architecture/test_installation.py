"""The program finds its two data folders, however it was installed."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.architecture.rules import ROOT

PACKAGED = ("labeler", "inference", "config", "resources")
PROGRAM = """
import labeler, sys
from inference import locations
from labeler.storage.locations import bundled_folder
assert locations.config_folder() == bundled_folder("config")
assert locations.shipped_models_folder() == bundled_folder("resources") / "models"
print(labeler.__file__)
print(bundled_folder("config"))
print(bundled_folder("resources"))
"""


def python(*arguments: str, cwd: Path, path: Path) -> str:
    """Run Python with ``path`` before everything installed; return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(path), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a build needs, with a marker file in each data folder."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("pyproject.toml", "setup.py", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, checkout)
    for name in PACKAGED:
        shutil.copytree(
            ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__", "*.py[cod]")
        )
    (checkout / "config" / "marker.toml").touch()
    (checkout / "resources" / "deep" / "er").mkdir(parents=True)
    (checkout / "resources" / "deep" / "er" / "marker.svg").touch()
    return checkout


def assert_found(printed: str, package: Path, data: Path) -> None:
    """Check that the program ran from ``package`` and found its folders in ``data``."""
    module, config, resources = printed.splitlines()
    assert Path(module) == package / "labeler" / "__init__.py"
    assert Path(config) == data / "config"
    assert Path(resources) == data / "resources"
    assert (data / "config" / "marker.toml").is_file()
    assert (data / "resources" / "deep" / "er" / "marker.svg").is_file()


def test_bare_checkout(checkout, tmp_path):
    printed = python("-c", PROGRAM, cwd=tmp_path, path=checkout)
    assert_found(printed, checkout, checkout)


@pytest.mark.parametrize("how", [[], ["--editable"]], ids=["wheel", "editable"])
def test_installed(how, checkout, tmp_path):
    site = tmp_path / "site"
    pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    python(*pip, "--target", str(site), *how, str(checkout), cwd=tmp_path, path=tmp_path)
    if how:
        assert not (checkout / "labeler" / "_bundled").exists()
        # A .pth file is read in site folders only, and the environment's own must not be read:
        # it holds the editable install of the project itself.
        start = f"import site, sys; site.addsitedir({str(site)!r}); "
        start += f"sys.path.append({sysconfig.get_path('purelib')!r})"
        printed = python("-S", "-c", start + PROGRAM, cwd=tmp_path, path=tmp_path)
        assert_found(printed, checkout, checkout)
    else:
        printed = python("-c", PROGRAM, cwd=tmp_path, path=site)
        assert_found(printed, site, site / "labeler" / "_bundled")


def test_missing_folder_is_one_sentence(tmp_path):
    package = tmp_path / "labeler"
    shutil.copytree(ROOT / "labeler", package, ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.raises(AssertionError, match="'config' that ships with CT Labeler is missing"):
        python("-c", PROGRAM, cwd=tmp_path, path=tmp_path)
