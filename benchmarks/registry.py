"""What a row of the table is, and the list of all rows."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field

import benchmarks


@dataclass(frozen=True)
class Pair:
    """Two functions to time; what they return is thrown away.

    Attributes
    ----------
    ours
        Called many times.
    baseline
        Called in turns with ours; ``None`` for a row with an absolute limit only.
    cleanup
        Called at the end.
    note
        What else there is to say.
    """

    ours: Callable[[], object]
    baseline: Callable[[], object] | None = None
    cleanup: Callable[[], object] = field(default=lambda: None)
    note: str = ""


@dataclass(frozen=True)
class Measured:
    """A figure that the row has measured itself, from so many runs."""

    ours: float
    baseline: float | None
    unit: str
    note: str = ""
    ours_p95: float | None = None
    runs: int = 1


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    name
        For ``--only``.
    what
        What is measured, in a few words.
    baseline
        Name of what it is compared with.
    prepare
        Makes the data and returns what to time.
    reach_ratio
        Largest ratio of ours to the baseline that is good enough.
    reach
        Largest median that is good enough, in ms or the row's own unit.
    reach_p95
        The same for the 95th percentile.
    budget_s
        About how long the row may run.
    """

    name: str
    what: str
    baseline: str
    prepare: Callable[[], Pair | Measured]
    reach_ratio: float | None = None
    reach: float | None = None
    reach_p95: float | None = None
    budget_s: float = 8.0


_rows: dict[str, Row] = {}


def row(
    name: str,
    *,
    what: str = "",
    baseline: str = "",
    reach_ratio: float | None = None,
    reach: float | None = None,
    reach_p95: float | None = None,
    budget_s: float = 8.0,
) -> Callable[[Callable[[], Pair | Measured]], Callable[[], Pair | Measured]]:
    """Add a row; ``what`` or the first line of the function's docstring says what is measured."""

    def register(prepare: Callable[[], Pair | Measured]) -> Callable[[], Pair | Measured]:
        if name in _rows:
            raise ValueError(f"there are two rows called {name!r}")
        said = what or (prepare.__doc__ or name).strip().splitlines()[0].rstrip(".")
        _rows[name] = Row(name, said, baseline, prepare, reach_ratio, reach, reach_p95, budget_s)
        return prepare

    return register


def all_rows() -> list[Row]:
    """Rows of all modules of the package, in the order of the modules' names."""
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"benchmarks.{module.name}")
    return list(_rows.values())
