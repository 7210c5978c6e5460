"""Hostile clients, in short: every attack on the native plane, those on the media on both."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fixture import raise_descriptor_limit
from relay.native import AVAILABLE
from tests.campaigns.hostile.campaign import ATTACKS, Campaign, table

SECONDS = 1.0
RATE = 5_000
"""Datagrams a second: so few that a socket's buffer outlives a second of a machine that is busy."""

MANY = 100
MEDIA = ("noise of every kind", "forged and replayed media", "authentic, odd media")


@pytest.mark.parametrize("plane", ["native", "python"])
async def test_bystanders_notice_nothing(plane: str, tmp_path: Path) -> None:
    if plane == "native" and not AVAILABLE:
        pytest.skip("the native media plane was not built")
    raise_descriptor_limit()
    campaign = Campaign(tmp_path, plane, "--resume-grace=1", seconds=SECONDS, rate=RATE, many=MANY)

    await campaign.run(list(ATTACKS if plane == "native" else MEDIA), lambda name: None)

    print("\n" + table(campaign.results))
    assert campaign.faults == []


async def test_what_is_sent_is_dropped_by_its_reason(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, "python", seconds=SECONDS, rate=RATE, many=MANY)

    await campaign.run(["noise of every kind"], lambda name: None)

    noise = campaign.results[1]
    assert sum(noise.drops.values()) >= noise.did["datagrams"]
