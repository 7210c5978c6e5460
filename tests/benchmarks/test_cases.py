"""Every benchmark runs, and says what it measured. Nothing here is about speed."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.groups import GROUPS

TIME_LIMIT = 240


def run_quick(directory: Path, group: str) -> dict[str, Any]:
    """What `--json` writes for one group."""
    output = directory / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", group, "--json"]
    done = subprocess.run(
        [*command, str(output)], capture_output=True, text=True, timeout=TIME_LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(output.read_text())
    return document


@pytest.mark.timeout(TIME_LIMIT + 10)
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.key)
def test_every_case_gives_its_figures(tmp_path: Path, group: Any) -> None:
    document = run_quick(tmp_path, group.key)
    assert document["machine"]["cpu"]
    assert document["runs"] == 1
    assert [case["case"] for case in document["cases"]] == [
        case.name for case in group.cases(quick=True)
    ]
    for case in document["cases"]:
        assert case["problems"] == []
        assert case["figures"].keys() <= group.columns.keys()
        for column, figure in case["figures"].items():
            assert figure["unit"] == group.columns[column]
            assert [figure["median"]] == figure["runs"]
            assert math.isfinite(figure["median"])


@pytest.mark.timeout(TIME_LIMIT + 10)
def test_cost_stands_beside_its_floor(tmp_path: Path) -> None:
    for case in run_quick(tmp_path, "fanout")["cases"]:
        cost, floor, ratio = (case["figures"][name]["median"] for name in ("cpu", "floor", "ratio"))
        assert cost > 0
        assert floor > 0
        assert ratio == pytest.approx(cost / floor)
