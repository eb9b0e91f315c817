"""The shell scripts behind `make`: run with stand-ins for Python, apt-get, dpkg-query and id."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.rules import ROOT

#: A Python that answers version questions, makes "environments" and logs what it was asked.
FAKE_PYTHON = """#!/bin/sh
echo "$*" >>"$LOG"
case "$*" in
    *version_info*) [ -z "${TOO_OLD:-}" ] ;;
    *ensurepip*) [ -z "${NO_VENV:-}" ] ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    *"pip install"*) [ -z "${NO_NETWORK:-}" ] ;;
    *) echo "Python 3.11.7" ;;
esac
"""
FAKE_DPKG_QUERY = """#!/bin/sh
shift 2
for name; do
    case " $INSTALLED " in *" $name "*) echo "ii " ;; esac
done
"""
FAKE_APT_GET = """#!/bin/sh
echo "apt-get $*" >>"$LOG"
"""
#: The program: logs its arguments, makes an "example" folder, lists one case.
FAKE_LABELER = """#!/bin/sh
echo "$*" >>"$LOG"
case "$1" in
    example)
        mkdir -p "$2/images" "$2/masks" "$2/reports"
        touch "$2/reports/pathology.csv" "$2/reports/radiology.csv"
        [ -z "${NO_ROOM:-}" ] ;;
    cases) echo '[{"id": "case 1"}]' ;;
    regions) echo '[{"label": 1}, {"label": 12}]' ;;
esac
"""


@pytest.fixture
def shell(tmp_path: Path):
    """A project of scripts only, and a PATH on which the stand-ins come first."""
    project, tools = tmp_path / "project", tmp_path / "tools"
    shutil.copytree(ROOT / "scripts", project / "scripts")
    for name in ("requirements.lock", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, project)
    tools.mkdir()
    for name, text in (
        ("python3.11", FAKE_PYTHON),
        ("dpkg-query", FAKE_DPKG_QUERY),
        ("apt-get", FAKE_APT_GET),
        ("id", '#!/bin/sh\necho "$USER_ID"\n'),
    ):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    return Shell(project, tools, tmp_path / "log")


class Shell:
    """Runs the project's scripts and tells what they called."""

    def __init__(self, project: Path, tools: Path, log: Path) -> None:
        self.project, self.tools, self.log = project, tools, log

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        environment = {
            "PATH": f"{self.tools}:/usr/bin:/bin",
            "LOG": str(self.log),
            "INSTALLED": "",
            "USER_ID": "1000",
            "PYTHON": "python3.11",
            **variables,
        }
        return subprocess.run(
            command, cwd=self.project, env=environment, capture_output=True, text=True, check=False
        )

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()

    def made_venv(self) -> bool:
        return any(call.startswith("-m venv") for call in self.calls)

    def installed(self) -> bool:
        return any("pip install" in call for call in self.calls)


def test_env_is_made_once(shell):
    result = shell.run("scripts/env")
    assert result.returncode == 0, result.stderr
    assert shell.made_venv()
    assert shell.installed()
    shell.run("scripts/env")
    assert not shell.installed()


def test_env_of_an_interrupted_run_is_made_anew(shell):
    assert shell.run("scripts/env", NO_NETWORK="1").returncode != 0
    (shell.project / ".venv" / "half").touch()
    assert shell.run("scripts/env").returncode == 0
    assert shell.made_venv()
    assert not (shell.project / ".venv" / "half").exists()


def test_env_is_updated_when_the_lock_changes(shell):
    shell.run("scripts/env")
    with (shell.project / "requirements.lock").open("a") as lock:
        lock.write("more==1.0\n")
    shell.run("scripts/env")
    assert shell.installed()
    assert not shell.made_venv()


@pytest.mark.parametrize("accident", ["moved", "no python"])
def test_env_that_no_longer_works_is_made_anew(shell, accident):
    shell.run("scripts/env")
    if accident == "moved":
        shell.project = shell.project.rename(shell.project.with_name("elsewhere"))
    else:
        (shell.project / ".venv" / "bin" / "python").unlink()
    assert shell.run("scripts/env").returncode == 0
    assert shell.made_venv()


def test_env_without_a_new_enough_python_says_so(shell):
    result = shell.run("scripts/env", TOO_OLD="1")
    assert result.returncode == 1
    assert "needs Python 3.11 or newer" in result.stderr
    assert not (shell.project / ".venv").exists()


def test_env_without_the_venv_module_says_what_to_install(shell):
    result = shell.run("scripts/env", NO_VENV="1")
    assert result.returncode == 1
    assert "sudo apt-get install" in result.stderr


def test_system_libs_all_there(shell):
    result = shell.run("scripts/system-libs", "rendering", "other", INSTALLED="libegl1 othert64")
    assert result.returncode == 0
    assert result.stdout == ""
    assert shell.calls == []


def test_system_libs_as_user_prints_the_line_and_fails(shell):
    result = shell.run("scripts/system-libs", "virtual-screen", INSTALLED="xauth")
    assert result.returncode == 1
    assert "sudo apt-get install --no-install-recommends xvfb\n" in result.stdout
    assert shell.calls == []


def test_system_libs_optional_goes_on(shell):
    result = shell.run("scripts/system-libs", "--optional", "rendering")
    assert result.returncode == 0
    assert "sudo apt-get install --no-install-recommends libegl1\n" in result.stdout


def test_system_libs_as_root_installs(shell):
    result = shell.run("scripts/system-libs", "qt", USER_ID="0", INSTALLED="libgl1 libglib2.0-0t64")
    assert result.returncode == 0
    assert shell.calls == [
        "apt-get update -qq",
        "apt-get install -y -qq --no-install-recommends libfontconfig1 libdbus-1-3 libxkbcommon0",
    ]


def test_system_libs_without_apt_does_nothing(shell, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("sh", "env"):
        (bare / name).symlink_to(shutil.which(name))
    result = shell.run("scripts/system-libs", "qt", PATH=str(bare))
    assert result.returncode == 0
    assert result.stdout == ""


@pytest.fixture
def program(shell):
    """The scripts with all libraries there, Python and the program in a .venv."""
    bin_folder = shell.project / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "ct-labeler").write_text(FAKE_LABELER)
    (bin_folder / "ct-labeler").chmod(0o755)
    (bin_folder / "python").symlink_to(sys.executable)
    (shell.tools / "dpkg-query").write_text("#!/bin/sh\necho 'ii '\n")
    return shell


def test_run_opens_the_window_on_example_cases(program):
    result = program.run("scripts/run", DISPLAY=":0")
    assert result.returncode == 0, result.stderr
    assert program.calls == [
        "example out/example.part --cases 3",
        "out/example/images --masks out/example/masks"
        " --reports out/example/reports/pathology.csv"
        " --reports out/example/reports/radiology.csv",
    ]
    program.run("scripts/run", WAYLAND_DISPLAY="wayland-0")
    assert [call.split()[0] for call in program.calls] == ["out/example/images"]


def test_run_makes_the_example_again_after_an_interruption(program):
    assert program.run("scripts/run", DISPLAY=":0", NO_ROOM="1").returncode != 0
    assert not (program.project / "out" / "example").exists()
    assert program.run("scripts/run", DISPLAY=":0").returncode == 0
    assert (program.project / "out" / "example" / "images").is_dir()


def test_run_without_a_display_says_so_and_draws(program):
    result = program.run("scripts/run")
    assert result.returncode == 0, result.stderr
    assert "There is no display" in result.stdout
    pictures = [call for call in program.calls if call.startswith("snapshot")]
    assert len(pictures) == 3
    assert all("--case case 1" in call and "--out out/" in call for call in pictures)
    assert any("--region 2 " in call for call in pictures)  # the first lesion, not the liver
    assert json.loads((program.project / "out" / "regions.json").read_text())[1] == {"label": 12}
