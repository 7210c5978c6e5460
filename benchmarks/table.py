"""What is printed, and the same as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import Any

from .case import Unit
from .runner import Figure, Row
from .targets import Target, summary


def render(machine: dict[str, str], rows: list[Row], runs: int) -> str:
    """All tables, under the machine that they were measured on."""
    width = max(map(len, machine))
    lines = [f"{name:<{width}}  {value}" for name, value in machine.items()]
    lines.append(f"{'runs':<{width}}  {runs}: medians, and how far the farthest run lies from them")
    for _, members in groupby(rows, key=lambda row: row.group.key):
        lines += ["", *_table(list(members))]
    judged = list(summary(rows))
    if judged:
        lines += ["", "Targets", *(" ".join(cells).rstrip() for cells in _judgements(rows, judged))]
    return "\n".join(lines)


def as_json(machine: dict[str, str], rows: list[Row], runs: int) -> dict[str, Any]:
    """The same with every run's figure. Units are those of `case.Unit`."""
    return {
        "machine": machine,
        "runs": runs,
        "cases": [_as_json(row) for row in rows],
        "targets": [
            {**asdict(target), "median": figure.median, "met": target.is_met(figure)}
            for target, figure in summary(rows)
        ],
    }


def _as_json(row: Row) -> dict[str, Any]:
    return {
        "group": row.group.key,
        "case": row.case.name,
        "plane": row.case.plane,
        "problems": row.problems,
        "figures": {
            column: {
                "unit": row.group.columns[column],
                "median": figure.median,
                "spread": figure.spread,
                "runs": figure.runs,
            }
            for column, figure in row.figures.items()
        },
    }


def _judgements(rows: list[Row], judged: list[tuple[Target, Figure]]) -> Iterator[list[str]]:
    """Aligned cells: what, the case, the limit, the figure, whether it is met."""
    columns = {row.group.key: row.group.columns for row in rows}
    body = []
    for target, figure in judged:
        unit = columns[target.group][target.column]
        limit = f"{'at most' if target.at_most else 'at least'} {target.limit:g} {unit}"
        name = f"{target.group}: {target.case}" + (f", {target.plane}" if target.plane else "")
        met = "" if target.is_met(figure) else "MISSED"
        body.append([target.what, name, limit, _text(figure, unit), met])
    widths = [max(map(len, cells)) for cells in zip(*body, strict=True)]
    for cells in body:
        yield [f"{cell:<{width}} " for cell, width in zip(cells, widths, strict=True)]


def _table(rows: list[Row]) -> Iterator[str]:
    group = rows[0].group
    columns = [column for column in group.columns if any(column in row.figures for row in rows)]
    head = ["", "", *(f"{column} [{group.columns[column]}]" for column in columns)]
    body = [
        [row.case.name, row.case.plane or "", *(_cell(row, column) for column in columns)]
        for row in rows
    ]
    widths = [max(map(len, cells)) for cells in zip(head, *body, strict=True)]
    yield group.title
    yield group.note
    for cells in (head, *body):
        left = [f"{cell:<{width}}" for cell, width in zip(cells[:2], widths[:2], strict=True)]
        right = [f"{cell:>{width}}" for cell, width in zip(cells[2:], widths[2:], strict=True)]
        yield "  ".join((*left, *right)).rstrip()
    for row in rows:
        for problem in row.problems:
            yield f"{row.case.name} {row.case.plane or ''}: {problem.splitlines()[-1]}"


def _cell(row: Row, column: str) -> str:
    figure = row.figures.get(column)
    return _text(figure, row.group.columns[column]) if figure else "-"


def _text(figure: Figure, unit: Unit) -> str:
    digits = _digits(figure.median, unit)
    spread = f" ±{figure.spread:.{digits}f}" if len(figure.runs) > 1 else ""
    return f"{figure.median:.{digits}f}{spread}"


def _digits(value: float, unit: Unit) -> int:
    if unit in (Unit.PACKETS, Unit.PEERS, Unit.PACKETS_PER_SECOND) or value >= 100:
        return 0
    return 1 if value >= 20 else 2
