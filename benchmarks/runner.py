"""Runs every case in a process of its own, several times, interleaved.

The order is A B C, A B C, and not A A, B B, C C: a machine that is busy for a minute spoils one run of
each, and the medians stay.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

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
    groups: list[Group], runs: int, *, quick: bool, progress: Callable[[str], None]
) -> list[Row]:
    """Run every case of these groups so many times. progress: hears what is being run."""
    rows = [
        Row(group, case, index) for group in groups for index, case in enumerate(group.cases(quick))
    ]
    for number in range(runs):
        for row in rows:
            plane = f", {row.case.plane}" if row.case.plane else ""
            progress(f"run {number + 1} of {runs}: {row.group.key}: {row.case.name}{plane}")
            _run(row, quick=quick)
    return rows


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
        row.problems.append(error.stderr.strip())
    else:
        row.runs.append(json.loads(done.stdout))
