"""What the figures are to come to, and whether they do.

A target is about one case of one table; those whose case was not measured are left out. They are the
project's own and the same for every machine, so that a slow or a busy one misses some.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from relay import PlaneKind

from .runner import Figure, Row

NATIVE, PYTHON = PlaneKind.NATIVE, PlaneKind.PYTHON


@dataclass(frozen=True, slots=True)
class Target:
    """One line. limit: in the unit of the column; at_most: else it is at least."""

    what: str
    group: str
    case: str
    plane: PlaneKind | None
    column: str
    limit: float
    at_most: bool = True

    def is_met(self, figure: Figure) -> bool:
        """Whether the median is on the right side."""
        return figure.median <= self.limit if self.at_most else figure.median >= self.limit


TARGETS = (
    Target("plane alone, 1 to 100, to floor", "fanout", "1 to 100", NATIVE, "ratio", 1.15),
    Target("plane alone, 1 to 100, to floor", "fanout", "1 to 100", PYTHON, "ratio", 1.6),
    Target("process, to floor", "process", "1 x 100", NATIVE, "ratio", 1.4),
    Target("process, to floor", "process", "1 x 300", NATIVE, "ratio", 1.4),
    Target("process", "process", "1 x 100", NATIVE, "cpu", 9.0),
    Target("process", "process", "1 x 300", NATIVE, "cpu", 8.0),
    Target("process", "process", "1 x 10", NATIVE, "cpu", 26.0),
    Target("process", "process", "10 x 10", NATIVE, "cpu", 14.0),
    Target("10,000 packets/s", "latency", "2 x 100", NATIVE, "inside p99", 1.0),
    Target(
        "the same, joins and a busy thread", "latency", "2 x 100, busy", NATIVE, "inside p99", 2.0
    ),
    Target("watching, to forwarding", "monitoring", "30 x room of 5", NATIVE, "share", 0.03),
    Target("two media threads to one", "threads", "1 to 500", NATIVE, "ratio", 1.7, at_most=False),
    Target("memory of a consumer, at 1,000", "growth", "1 x 1000", NATIVE, "memory", 64.0),
    Target("set-up of a consumer", "process", "1 x 100", NATIVE, "set-up cpu", 2.5),
)


def summary(rows: list[Row]) -> Iterator[tuple[Target, Figure]]:
    """The targets that something was measured for, in order. Loss has one for every case of the native
    plane: there is none below saturation."""
    measured = {(row.group.key, row.case.name, row.case.plane): row.figures for row in rows}
    for target in TARGETS:
        figures = measured.get((target.group, target.case, target.plane), {})
        if target.column in figures:
            yield target, figures[target.column]
    for (group, case, plane), figures in measured.items():
        if plane is NATIVE and "loss" in figures:
            yield Target("loss", group, case, plane, "loss", 0.0), figures["loss"]
