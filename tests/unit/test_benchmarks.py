"""The table of figures: what counts as reached, and how it is measured."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks import timing
from benchmarks.registry import Measured, Pair, Row
from benchmarks.timing import Result, measure


def row(prepare=None, **limits):
    return Row("sum", "Adding numbers", "another way", prepare, **limits)


@pytest.mark.parametrize(
    ("limits", "reached"),
    [
        ({}, True),
        ({"reach_ratio": 0.5}, True),
        ({"reach_ratio": 0.49}, False),
        ({"reach": 5.0, "reach_p95": 7.0}, True),
        ({"reach": 4.9}, False),
        ({"reach_p95": 6.9}, False),
    ],
)
def test_every_limit_must_hold(limits, reached):
    result = Result(row(**limits), "ms", 5.0, 7.0, 10.0, 30)
    assert result.ratio == 0.5
    assert result.is_reached is reached


def test_a_ratio_without_a_baseline_is_not_reached():
    assert not Result(row(reach_ratio=0.5), "ms", 5.0, 7.0, None, 30).is_reached


def test_runs_take_turns_and_the_median_counts(monkeypatch):
    clock = iter(range(10**6))
    now = [0.0]
    calls = []

    def ours():
        calls.append("ours")
        now[0] += 0.004 if next(clock) % 5 else 1.0

    def baseline():
        calls.append("baseline")
        now[0] += 0.010

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    cleaned = []
    result = measure(row(lambda: Pair(ours, baseline, lambda: cleaned.append(True)), budget_s=3.0))
    assert result.ours == pytest.approx(4.0)
    assert result.ours_p95 > 4.0
    assert result.ratio == pytest.approx(0.4)
    assert calls == ["ours", "baseline"] * (result.runs + 1)
    assert cleaned == [True]


def test_a_long_first_run_of_the_baseline_is_not_wasted(monkeypatch):
    now = [0.0]
    calls = []

    def baseline():
        calls.append("baseline")
        now[0] += 60.0

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    result = measure(row(lambda: Pair(lambda: None, baseline)))
    assert len(calls) == result.runs == timing.MIN_RUNS


def test_the_command_prints_and_writes_what_was_measured(monkeypatch, tmp_path):
    rows = [
        row(lambda: Measured(3.0, 4.0, "MB"), reach_ratio=0.8),
        Row("other", "Nothing", "", lambda: Measured(9.0, None, "ms"), reach=1.0),
    ]
    monkeypatch.setattr(command, "all_rows", lambda: rows)
    path = tmp_path / "out" / "bench.json"
    done = CliRunner().invoke(command.main, ["--only", "sum", "--json", str(path)])
    assert done.exit_code == 0
    assert "Adding numbers" in done.output
    assert "0.750" in done.output
    (written,) = json.loads(path.read_text())["rows"]
    assert (written["name"], written["ratio"], written["reached"]) == ("sum", 0.75, True)
    assert "there is no row" in CliRunner().invoke(command.main, ["--only", "sums"]).output


def test_there_are_rows_and_each_says_what_it_measures():
    done = CliRunner().invoke(command.main, ["--list"])
    assert done.exit_code == 0
    names = [line.split()[0] for line in done.output.splitlines() if not line.startswith(" ")]
    assert {"regions", "contours", "scroll-kernel", "undo-stroke"} <= set(names)
