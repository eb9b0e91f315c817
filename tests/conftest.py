"""What every test gets: a user's folders of its own, no screen, and checks that nothing leaks."""

import os
from pathlib import Path

import hypothesis
import pytest

from tests.leaks import logged_exceptions, no_leaks

__all__ = ["isolated_user", "logged_exceptions", "no_leaks", "real_data"]

# Before anything imports Qt; a real platform can be asked for, as the tests of real windows do.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# A display scale or a theme of the developer's own desktop must not change what is drawn.
for variable in ("QT_SCALE_FACTOR", "QT_AUTO_SCREEN_SCALE_FACTOR", "QT_STYLE_OVERRIDE"):
    os.environ.pop(variable, None)

# The same examples on every run: a red test stays red until somebody mends the code.
hypothesis.settings.register_profile(
    "labeler", derandomize=True, deadline=None, database=None, max_examples=60
)
hypothesis.settings.load_profile("labeler")


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory):
    """Move the home and the system's user folders away from the developer's."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            patch.setenv(variable, str(home / variable.lower()))
        runtime = home / "xdg_runtime_dir"
        runtime.mkdir(mode=0o700)  # Qt warns about any other mode, and about none
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        yield


@pytest.fixture(autouse=True)
def isolated_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch) -> Path:
    """A user who has never started the program; returns the folder that holds their three."""
    user = tmp_path_factory.mktemp("user")
    for variable, name in (
        ("CT_LABELER_CONFIG_DIR", "config"),
        ("CT_LABELER_LOCAL_DIR", "local"),
        ("CT_LABELER_CACHE_DIR", "cache"),
    ):
        monkeypatch.setenv(variable, str(user / name))
    return user


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real scans; the test is skipped where there is none."""
    folder = os.environ.get("CT_LABELER_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("CT_LABELER_DATA names no folder of real scans")
    return Path(folder)


@pytest.fixture
def qtbot(qtbot):
    """The bot of pytest-qt, which also keeps the widgets that are added to it.

    It has weak references only: a widget that a test has lost sight of would be garbage while the
    events after the test still paint it, and be freed in the middle of that.
    """
    kept = []
    add = qtbot.addWidget

    def add_and_keep(widget, **how):
        kept.append(widget)
        add(widget, **how)

    qtbot.addWidget = add_and_keep
    yield qtbot
    kept.clear()
