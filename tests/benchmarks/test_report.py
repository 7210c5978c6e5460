"""Medians, tables and the plot, from figures made up."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks import plot, table
from benchmarks.case import PLANES, Case, Figures, Group, Unit
from benchmarks.groups import GROUPS
from benchmarks.growth import CONSUMERS, ROOM_SIZE, ROOMS
from benchmarks.process import PROCESS, Shape, rooms
from benchmarks.runner import Figure, Row
from benchmarks.targets import TARGETS, Target
from relay import PlaneKind

MACHINE = {"date": "2026-01-01 00:00 UTC", "cpu": "An <abacus>", "kernel": "Linux"}


def nothing(_: object) -> Figures:
    return {}


GROUP = Group(
    key="beads",
    title="Beads",
    note="Moved by hand.",
    columns={"cpu": Unit.MICROSECONDS, "loss": Unit.PACKETS, "never": Unit.RATIO},
    cases=lambda quick: [],
    seconds=1,
)


def row(*runs: dict[str, float], name: str = "1 x 10", group: Group = GROUP) -> Row:
    return Row(group, Case(name, nothing, PlaneKind.PYTHON), 0, list(runs))


def test_a_figure_is_the_median_of_its_runs_and_how_far_the_farthest_lies() -> None:
    figure = Figure((3.0, 1.0, 10.0))
    assert figure.median == 3.0
    assert figure.spread == 7.0


def test_a_table_has_the_machine_the_units_and_every_figure() -> None:
    text = table.render(MACHINE, [row({"cpu": 3.0, "loss": 0}, {"cpu": 5.0, "loss": 0})], 2)
    assert "An <abacus>" in text
    assert "cpu [µs]" in text
    assert "4.00 ±1.00" in text
    assert "0 ±0" in text


def test_a_column_that_no_case_has_is_left_out() -> None:
    assert "never" not in table.render(MACHINE, [row({"cpu": 3.0})], 1)


def test_a_case_without_a_figure_says_so() -> None:
    rows = [row({"cpu": 3.0, "loss": 1}), row({"cpu": 3.0}, name="1 x 20")]
    assert table.render(MACHINE, rows, 1).splitlines()[-1].split()[-1] == "-"


def test_a_problem_is_told_in_one_line() -> None:
    failed = row()
    failed.problems.append("Traceback\n  somewhere\nOSError: no")
    text = table.render(MACHINE, [failed], 1)
    assert "OSError: no" in text
    assert "Traceback" not in text


def test_json_has_every_run() -> None:
    document = table.as_json(MACHINE, [row({"cpu": 3.0}, {"cpu": 5.0})], 2)
    assert document["machine"] == MACHINE
    assert document["cases"] == [
        {
            "group": "beads",
            "case": "1 x 10",
            "plane": "python",
            "problems": [],
            "figures": {"cpu": {"unit": "µs", "median": 4.0, "spread": 1.0, "runs": (3.0, 5.0)}},
        }
    ]


def test_the_plot_has_a_point_for_every_figure() -> None:
    shapes = [Shape(1, count) for count in CONSUMERS]
    shapes += [rooms(count, ROOM_SIZE) for count in ROOMS]
    measured = [row({"cpu": 12.5, "floor": 5.0}, name=one.name, group=PROCESS) for one in shapes]
    drawn = ElementTree.fromstring(plot.draw(MACHINE, measured))
    circles = list(drawn.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(circles) >= len(shapes)
    assert "An <abacus>" in "".join(drawn.itertext())


def judged(**figures: float) -> str:
    """What a table says of `process: 1 x 100` on the native plane, in its lines about targets."""
    case = Case("1 x 100", nothing, PlaneKind.NATIVE)
    text = table.render(MACHINE, [Row(PROCESS, case, 0, [figures])], 1)
    return text.partition("Targets")[2]


def test_targets_are_told_beside_what_came() -> None:
    text = judged(cpu=8.5, ratio=1.45, loss=0.0)
    assert [line.endswith("MISSED") for line in text.strip().splitlines()] == [True, False, False]
    assert "at most 1.4 x" in text
    assert "1.45" in text
    assert "at most 9 µs" in text


def test_any_loss_is_told() -> None:
    assert judged(loss=1.0).count("MISSED") == 1


def test_what_has_no_target_is_not_judged() -> None:
    assert judged(floor=3.0) == ""


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.group} {target.case}")
def test_every_target_is_about_a_case_that_there_is(target: Target) -> None:
    group = next(group for group in GROUPS if group.key == target.group)
    assert target.column in group.columns
    planes = {case.plane for case in group.cases(False) if case.name == target.case}
    assert target.plane in planes or target.plane not in PLANES


@pytest.mark.parametrize("measured", [[], [row({"cpu": 1.0})]])
def test_the_plot_of_nothing_is_still_one(measured: list[Row]) -> None:
    assert ElementTree.fromstring(plot.draw(MACHINE, measured)).tag.endswith("svg")
