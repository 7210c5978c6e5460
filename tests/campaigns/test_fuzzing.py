"""Every fuzz target for 20 seconds, on all cores; `make fuzz` is the long form."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from pathlib import Path

import pytest

from tests.fuzz import campaign
from tests.fuzz.targets import NAMES

SECONDS = 20

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None and "CI" not in os.environ,
    reason="atheris is not installed: it has no wheel for this Python",
)


@pytest.mark.timeout(len(NAMES) * (SECONDS + campaign.GRACE))
def test_every_target(tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    outcomes = asyncio.run(
        campaign.run_all(list(NAMES), SECONDS, cores, tmp_path, lambda outcome: None)
    )
    print("\n" + campaign.table(outcomes))
    for outcome in outcomes:
        assert outcome.is_fine, "\n".join([outcome.target, *outcome.output[-60:]])
        assert outcome.inputs > 0
        assert outcome.coverage > 10, "nothing is instrumented"
