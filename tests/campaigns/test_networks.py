"""The campaign of bad networks, in short: two networks that are bad in every way, a few seconds each."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.campaigns import hosts
from tests.campaigns.networks import SCENARIOS, laboratory

SECONDS = 5.0


def _require() -> None:
    if shutil.which(chromium.EXECUTABLE) and hosts.available():
        return
    message = "needs Chromium, root, and /dev/net/tun"
    pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


async def test_people_hear_each_other_over_bad_networks(tmp_path: Path) -> None:
    _require()
    bad = next(one for one in SCENARIOS if one.name.startswith("all of it"))
    forgetful = next(one for one in SCENARIOS if one.translated)
    log = tmp_path / "server.log"
    async with laboratory(log) as lab:
        for scenario in (bad, forgetful):
            outcome = await lab.run(scenario, SECONDS, settle=0)
            assert outcome.connected is not None, scenario.name
            assert outcome.silence is not None, scenario.name
            assert outcome.aiortc_connected is not None, scenario.name
            assert outcome.aiortc_heard, scenario.name
    assert "Traceback" not in log.read_text()
