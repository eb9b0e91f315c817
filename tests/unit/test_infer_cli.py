"""The command line of the model side: what it writes, says and exits with."""

import json
import subprocess
import sys

import pytest

from inference import cli


def run(*arguments):
    return cli.main([str(a) for a in arguments])


def test_phantom_writes_cases_and_says_so(tmp_path, capsys):
    assert run("phantom", "--out", tmp_path, "--cases", 1, "--seed", 3, "--spacing", 6) == 0
    assert (tmp_path / "images/LV-0001/PV.nii.gz").exists()
    assert (tmp_path / "reports/radiology.csv").exists()
    said = capsys.readouterr()
    assert str(tmp_path) in said.out
    assert "1 case " in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["phantom"], "--out"),
        (["phantom", "--out", "x", "--spacing", "0"], "--spacing"),
        (["phantom", "--out", "x", "--cases", "0"], "--cases"),
        (["phantom", "--out", "x", "--seed", "-1"], "--seed"),
        (["phantom", "--out", "x", "--colour", "red"], "--colour"),
        (["fandom"], "fandom"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(arguments, word, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert word in said.err
    assert len(said.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way_is_bad_input(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run("phantom", "--out", tmp_path / "file") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_cases_that_are_there_are_never_written_over(tmp_path, capsys):
    mask = tmp_path / "masks" / "LV-0001" / "prediction.nii.gz"
    mask.parent.mkdir(parents=True)
    mask.write_bytes(b"a day's work")
    assert run("phantom", "--out", tmp_path, "--cases", 1, "--spacing", 6) == 2
    assert "is there already" in capsys.readouterr().err
    assert mask.read_bytes() == b"a day's work"


def test_a_folder_that_cannot_be_made_is_a_failure(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run("phantom", "--out", tmp_path / "file" / "out", "--cases", 1, "--spacing", 6) == 1
    said = capsys.readouterr().err
    assert "Not a directory" in said
    assert len(said.splitlines()) == 1


def test_interruption_is_a_failure_without_a_trace(tmp_path, capsys, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("inference.phantom.writing.write_examples", stop)
    assert run("phantom", "--out", tmp_path) == 1
    # click itself ends the line that the terminal's ^C stands on
    assert capsys.readouterr().err.strip() == "ct-infer: stopped."


def test_help_is_quick_and_loads_no_numerics():
    code = (
        "import json, sys\n"
        "from inference import cli\n"
        "code = cli.main(['phantom', '--help'])\n"
        "print(json.dumps([code, sorted({m.split('.')[0] for m in sys.modules})]))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    code, loaded = json.loads(found.stdout.splitlines()[-1])
    assert code == 0
    assert "--spacing" in found.stdout
    assert not {"numpy", "numba", "nibabel", "torch", "PyQt5", "labeler"} & set(loaded)
