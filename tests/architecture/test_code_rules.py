"""Sizes, empty promises and bad waiting: on examples that break the rule, then on the project."""

import pytest

from tests.architecture import rules

PROJECT = list(rules.sources("labeler", "inference", "benchmarks"))
#: Who may change files: the one writer of the user's work; journals, locks and the cache, which
#: are files of another kind (appended to, created exclusively, made again).
WRITERS = {f"labeler/storage/{name}.py" for name in ("atomic", "journal", "locks", "cache")}
TESTS = [(path, text) for path, text in rules.sources("tests") if "architecture" not in path]


def methods(names: list[str]) -> str:
    return "class Big:\n" + "".join(f"    def {name}(self): ...\n" for name in names)


@pytest.mark.parametrize(
    ("source", "offence"),
    [
        ("x = 1\n" * 401, "module of 401 lines"),
        ("def long():\n" + "    x = 1\n" * 60, "function long of 61 lines"),
        ("class A:\n  def m(self):\n    def n():\n" + "      x = 1\n" * 60, "function m of 62"),
        (methods([f"m{i}" for i in range(21)]), "class Big of 21 public methods"),
    ],
)
def test_too_large_is_found(source, offence):
    assert any(offence in found for found in rules.too_large(source))


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\n" * 400,
        "def long():\n" + "    x = 1\n" * 59,
        methods([f"m{i}" for i in range(20)] + ["_private", "__len__", "paintEvent"]),
    ],
)
def test_large_enough_is_not_too_large(source):
    assert rules.too_large(source) == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "raise NotImplementedError"])
def test_promises_are_found(word):
    assert rules.promises(f"x = 1  # {word}: later") == [f"line 1: x = 1  # {word}: later"]


@pytest.mark.parametrize(
    "source",
    [
        "app.processEvents()",
        "time.sleep(1)",
        "sleep(1)",
        "process.terminate()",
        "class Reader(QThread): ...",
        "class Reader(QtCore.QThread): ...",
        "QTimer.singleShot(100, self.update)",
    ],
)
def test_bad_waiting_is_found(source):
    assert len(rules.bad_waiting(source)) == 1


def test_next_turn_of_the_event_loop_is_no_bad_waiting():
    assert rules.bad_waiting("QTimer.singleShot(0, self.update)\nthread.join()") == []


@pytest.mark.parametrize("rule", [rules.too_large, rules.promises])
def test_project_keeps_the_rule(rule):
    offences = [f"{path}: {offence}" for path, text in PROJECT for offence in rule(text)]
    assert offences == []


def test_program_waits_for_events_not_for_time():
    # benchmarks turn the event loop from outside: there is no handler they could be in
    offences = [
        f"{path}: {offence}"
        for path, text in PROJECT
        if not path.startswith("benchmarks/")
        for offence in rules.bad_waiting(text)
    ]
    assert offences == []


@pytest.mark.parametrize(
    "source",
    [
        "open(path, 'w')",
        "path.open(mode='ab')",
        "os.fdopen(handle, 'r+b')",
        "os.open(path, os.O_CREAT | os.O_EXCL)",
        "path.write_text('x')",
        "os.replace(a, b)",
        "nib.save(image, path)",
    ],
)
def test_writing_is_found(source):
    assert len(rules.writes(source)) == 1


@pytest.mark.parametrize("source", ["open(path)", "open(path, 'rb')", "text.replace('a', 'b')"])
def test_reading_is_no_writing(source):
    assert rules.writes(source) == []


def test_only_the_writers_write():
    offences = [
        f"{path}: {offence}"
        for path, text in PROJECT
        if path.startswith("labeler/") and path not in WRITERS
        for offence in rules.writes(text)
    ]
    assert offences == []
    assert {path for path, text in PROJECT if rules.writes(text)} >= WRITERS


def test_tests_wait_for_events_not_for_time():
    offences = [
        f"{path}: {offence}"
        for path, text in TESTS
        for offence in rules.bad_waiting(text)
        if "sleep()" in offence
    ]
    assert offences == []


def test_the_rules_see_the_project():
    paths = [path for path, _ in PROJECT]
    assert "labeler/core/geometry.py" in paths
    assert "inference/__init__.py" in paths
    assert len(TESTS) > 1
