"""Counts of the long series, printed at the end: trials, and what they did to the user's work."""

from __future__ import annotations

import pytest

TALLY = "tally"


class Tally:
    """Trials of one test; whatever is lost or damaged also fails it.

    Attributes
    ----------
    counts
        ``trials``, and in ``hit`` those in which a fault, or a kill, met what it was meant for.
    """

    def __init__(self) -> None:
        self.counts = {"trials": 0, "hit": 0}

    def trial(self) -> int:
        """Count a trial; returns its number, from 1."""
        self.counts["trials"] += 1
        return self.counts["trials"]

    def hit(self, is_hit: bool = True) -> None:
        """Note that the trial met what it was meant for."""
        self.counts["hit"] += is_hit

    @property
    def hits(self) -> int:
        return self.counts["hit"]


@pytest.fixture
def tally(request):
    """Counts trials; they stand in the table at the end."""
    found = Tally()
    # Before the test runs: the report is made before fixtures are torn down.
    request.node.user_properties.append((TALLY, found.counts))
    return found


def pytest_terminal_summary(terminalreporter) -> None:
    reports = [
        (report, dict(report.user_properties)[TALLY])
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call" and TALLY in dict(report.user_properties)
    ]
    if not reports:
        return
    terminalreporter.section("trials")
    terminalreporter.write_line(f"{'':64} trials    hit  lost or damaged")
    for report, counts in reports:
        name = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
        damage = "0" if report.passed else "SEE ABOVE"
        terminalreporter.write_line(
            f"{name[:64]:64} {counts['trials']:6} {counts['hit']:6}  {damage}"
        )
