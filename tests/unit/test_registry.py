"""The list of models: built-in, installed, in folders; what is broken disables nothing else."""

import tomllib
from pathlib import Path

import pytest

from inference import cards, registry
from tests import plugin_models
from tests.architecture.rules import ROOT

MODEL = """
[model]
id = "{id}"
kind = "torchscript"
title = "Liver"
version = "1.0"
licence = "CC BY 4.0"
intended_use = "Research."
phases = ["PV", "NC"]
{more}
[weights]
"model.ts" = "{sha256}"
[labels]
2 = "tumour"
1 = "liver"
[[parameters]]
name = "threshold"
default = 0.5
description = "Probability from which on."
choices = [0.3, 0.5]
"""


def model_folder(folder: Path, id: str = "a-liver", more: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "model.ts").write_bytes(b"weights")
    sha256 = cards.sha256_of(folder / "model.ts")
    (folder / "model.toml").write_text(MODEL.format(id=id, more=more, sha256=sha256), "utf-8")
    return folder


def by_id(entries):
    return {entry.id: entry for entry in entries}


def test_a_folder_or_a_folder_of_folders(tmp_path):
    model_folder(tmp_path / "models" / "one", "one")
    model_folder(tmp_path / "models" / "two", "two")
    single = model_folder(tmp_path / "three", "three")
    found = by_id(registry.list_models([tmp_path / "models", single, tmp_path / "nowhere"]))
    assert {"one", "two", "three"} <= set(found)
    assert all(found[name].available for name in ("one", "two", "three"))
    assert found["one"].source == str(tmp_path / "models" / "one")


def test_the_users_own_folder_is_always_searched(isolated_user):
    model_folder(isolated_user / "local" / "models" / "mine", "mine")
    assert by_id(registry.list_models())["mine"].available


def test_the_card_says_what_the_manifest_says(tmp_path):
    folder = model_folder(tmp_path / "m", more="needs = ['PV']\ndemonstration = true")
    card = registry.find_model("a-liver", [folder]).card()
    assert card.labels == {1: "liver", 2: "tumour"}
    assert (card.phases, card.needs) == (("PV", "NC"), ("PV",))
    assert card.demonstration
    assert card.family == "external"
    assert card.weights == cards.sha256_of(folder / "model.ts")
    assert (card.parameters[0].default, card.parameters[0].choices) == (0.5, (0.3, 0.5))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[model]", "[model", "no card of a model"),
        ('title = "Liver"', "", "title must be a text"),
        ('title = "Liver"', "title = 3", "title must be a text"),
        ('id = "a-liver"', 'id = "../x"', "id must be lower case"),
        ('kind = "torchscript"', 'kind = "pickle"', "kind must be one of"),
        ('kind = "torchscript"', 'colour = "red"', "knows no colour"),
        ('"model.ts" =', '"../model.ts" =', "must lie in the model's folder"),
        ('"model.ts" =', '"/model.ts" =', "must lie in the model's folder"),
        ('"model.ts" =', '"other.ts" =', "lacks the weights other.ts"),
        ('"model.ts" = "', '"model.ts" = "x', "need a SHA-256"),
        ('1 = "liver"', '-1 = "liver"', "a label is a number"),
        ('1 = "liver"', '70000 = "liver"', "a label is a number"),
        ("default = 0.5", "", "needs a default"),
        ("choices = [0.3, 0.5]", 'choices = ["high"]', "the default's kind"),
        ("[[parameters]]", "[parameters]", "must be a list"),
    ],
)
def test_a_bad_card_is_listed_with_its_problem_and_disables_nothing(tmp_path, old, new, words):
    model_folder(tmp_path / "good", "good")
    bad = model_folder(tmp_path / "bad") / "model.toml"
    text = bad.read_text("utf-8")
    assert old in text
    bad.write_text(text.replace(old, new), "utf-8")
    found = registry.list_models([tmp_path])
    problems = [entry.problem for entry in found if entry.source == str(tmp_path / "bad")]
    assert len(problems) == 1
    assert words in problems[0]
    assert "\n" not in problems[0]
    assert by_id(found)["good"].available
    with pytest.raises(registry.UnknownModelError):
        registry.find_model("a-liver", [tmp_path])


def test_a_hostile_card_is_bounded(tmp_path):
    folder = model_folder(tmp_path / "huge")
    with (folder / "model.toml").open("ab") as file:
        file.truncate(1 << 32)
    assert "larger than a card" in registry.list_models([folder])[-1].problem


def test_the_second_of_two_models_of_one_name_is_a_problem(tmp_path):
    for name in ("a", "b"):
        model_folder(tmp_path / name, "same")
    first, second = (e for e in registry.list_models([tmp_path]) if e.id == "same")
    assert first.available
    assert str(tmp_path / "a") in second.problem
    assert registry.find_model("same", [tmp_path]).folder == tmp_path / "a"


def test_installed_plugins_are_listed_the_broken_ones_too(tmp_path, monkeypatch):
    plugin_models.install(tmp_path, monkeypatch)
    found = by_id(registry.list_models())
    assert found["threshold"].available
    assert found["threshold"].source == "misbehaving 1.0"
    assert found["broken"].problem == "broken on purpose"
    assert "absent" in found["absent"].problem
    assert registry.find_model("threshold").card().labels == {1: "inside"}


def test_weights_in_several_files_have_one_hash():
    files = {"fold_0/w.pth": "a" * 64, "fold_1/w.pth": "b" * 64}
    swapped = {"fold_0/w.pth": "b" * 64, "fold_1/w.pth": "a" * 64}
    assert cards.hash_of(files) == cards.hash_of(dict(reversed(files.items())))
    assert len({cards.hash_of(files), cards.hash_of(swapped), "a" * 64}) == 3


def test_built_in_models_are_the_entry_points_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"][registry.GROUP] == registry.BUILT_IN
