"""Runs every case in a process of its own, several times, interleaved.

The order is A B C, A B C, and not A A, B B, C C: a machine that is busy for a minute spoils one run of
each, and the medians stay.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from relay import PlaneKind

from .case import Case, Group

TIME_LIMIT = 300.0
"""Seconds that one run of one case may take."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one column came to over all runs."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of the runs lie below."""
        return statistics.median(self.runs)

    @property
    def spread(self) -> float:
        """From the median to the run that is farthest from it."""
        return max(abs(run - self.median) for run in self.runs)


@dataclass(slots=True)
class Row:
    """A case and what its runs gave; problems: why a run gave nothing."""

    group: Group
    case: Case
    index: int
    runs: list[dict[str, float]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, Figure]:
        """By column, in the group's order."""
        return {
            column: Figure(tuple(run[column] for run in self.runs if column in run))
            for column in self.group.columns
            if any(column in run for run in self.runs)
        }


def run_all(
    groups: list[Group],
    runs: int,
    *,
    quick: bool,
    progress: Callable[[str], None],
    plane: PlaneKind | None = None,
) -> list[Row]:
    """Run every case of these groups so many times. plane: only those about it; None: all. progress:
    hears what is being run, and how long it will take."""
    rows = [
        Row(group, case, index)
        for group in groups
        for index, case in enumerate(group.cases(quick))
        if plane in (None, case.plane)
    ]
    whole = runs * sum(row.group.seconds for row in rows)
    begin, done = time.monotonic(), 0.0
    if not quick:
        progress(f"{runs * len(rows)} runs of {len(rows)} cases: about {_minutes(whole)}")
    for number in range(runs):
        for row in rows:
            about = f", {row.case.plane}" if row.case.plane else ""
            left = (whole - done) * ((time.monotonic() - begin) / done if done else 1.0)
            ahead = "" if quick else f" (about {_minutes(left)} left)"
            name = f"{row.group.key}: {row.case.name}{about}"
            progress(f"run {number + 1} of {runs}: {name}{ahead}")
            _run(row, quick=quick)
            done += row.group.seconds
    progress(f"took {_minutes(time.monotonic() - begin)}")
    return rows


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _run(row: Row, *, quick: bool) -> None:
    arguments = [row.group.key, str(row.index), "quick" if quick else "full"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.worker", *arguments],
            capture_output=True,
            timeout=TIME_LIMIT,
            check=True,
            text=True,
        )
    except subprocess.TimeoutExpired:
        row.problems.append(f"took longer than {TIME_LIMIT:.0f} s")
    except subprocess.CalledProcessError as error:
        row.problems.append(error.stderr.strip() or str(error))
    else:
        row.runs.append(json.loads(done.stdout))
