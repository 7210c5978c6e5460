"""How cost grows, drawn as SVG by hand: it is read on white and on black, and has no library.

Two panels: CPU time per forwarded packet over consumers of one publisher, and over rooms of five. Both
axes are logarithmic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from relay import PlaneKind

from .case import PLANES
from .growth import CONSUMERS, ROOM_SIZE, ROOMS
from .process import Shape, rooms
from .runner import Row

WIDTH, HEIGHT = 930, 420
_PANEL_WIDTH, _PANEL_HEIGHT = 360, 270
_TOP, _LEFTS = 70, (60, 500)
_COLORS = {"native": "#1f8a70", "python": "#c2571a", "floor": "#7a7f87"}
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#24292f}"
    ".grid{stroke:#8884;stroke-width:1}"
    ".title{font-weight:600;font-size:14px}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}}"
)


@dataclass(frozen=True, slots=True)
class Series:
    """One line. points: (x, microseconds)."""

    name: str
    points: list[tuple[float, float]]


def draw(machine: dict[str, str], rows: list[Row]) -> str:
    """The plot of what was measured; panels without figures stay empty."""
    panels = [
        ("Consumers of one publisher", [(count, Shape(1, count)) for count in CONSUMERS]),
        (f"Rooms of {ROOM_SIZE}", [(count, rooms(count, ROOM_SIZE)) for count in ROOMS]),
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>CPU time per forwarded packet, whole process under real load</title>",
        f"<style>{_STYLE}</style>",
        _text(60, 24, "CPU time per forwarded packet, µs, whole process under real load", "title"),
        _text(60, 42, f"{machine['date']}, {machine['cpu']}, {machine['kernel']}"),
    ]
    for left, (title, shapes) in zip(_LEFTS, panels, strict=True):
        parts += _panel(left, title, [count for count, _ in shapes], _series(shapes, rows))
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _series(shapes: list[tuple[int, Shape]], measured: list[Row]) -> list[Series]:
    by_case = {
        (row.case.name, row.case.plane): row.figures
        for row in measured
        if row.group.key in ("process", "growth") and row.runs
    }
    found = []
    for name, plane, column in (
        ("python", PlaneKind.PYTHON, "cpu"),
        ("native", PlaneKind.NATIVE, "cpu"),
        ("floor", PLANES[0], "floor"),
    ):
        points = [
            (float(count), by_case[shape.name, plane][column].median)
            for count, shape in shapes
            if (shape.name, plane) in by_case
        ]
        found.append(Series(name, points))
    return found


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to pixels, by logarithms. low, high: values at start and end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def _panel(left: float, title: str, counts: list[int], series: list[Series]) -> Iterator[str]:
    bottom = _TOP + _PANEL_HEIGHT
    values = [value for one in series for _, value in one.points] or [1.0, 10.0]
    low, high = min(values) / 1.3, max(values) * 1.3
    x = _Scale(counts[0], counts[-1], left, left + _PANEL_WIDTH)
    y = _Scale(low, high, bottom, _TOP)
    for count in counts:
        yield _line(x(count), _TOP, x(count), bottom)
        yield _text(x(count), bottom + 18, f"{count:,}", anchor="middle")
    for tick in (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        if low <= tick <= high:
            yield _line(left, y(tick), left + _PANEL_WIDTH, y(tick))
            yield _text(left - 8, y(tick) + 4, f"{tick:g}", anchor="end")
    yield _text(left + _PANEL_WIDTH / 2, bottom + 40, title, anchor="middle")
    for one in series:
        if one.points:
            yield from _curve(one, x, y)


def _curve(series: Series, x: _Scale, y: _Scale) -> Iterator[str]:
    color = _COLORS[series.name]
    # Nothing is drawn below the floor.
    value_offset, name_offset = (18, 12) if series.name == "floor" else (-8, 0)
    places = [(x(count), y(value)) for count, value in series.points]
    path = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
    yield f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2.5"/>'
    for (across, down), (_, value) in zip(places, series.points, strict=True):
        yield f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3.5" fill="{color}"/>'
        yield _text(across, down + value_offset, f"{value:.3g}", anchor="middle")
    across, down = places[-1]
    down += name_offset
    yield f'<text x="{across + 8:.1f}" y="{down:.1f}" style="fill:{color}">{series.name}</text>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="grid" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
