"""Hostile clients, in short: every attack on the native plane, those on the media on both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fixture import raise_descriptor_limit
from relay.native import AVAILABLE
from tests.campaigns.hostile.campaign import ATTACKS, Campaign, Result, table
from tests.campaigns.hostile.crowd import Report

SECONDS = 1.0
RATE = 5_000
"""Datagrams a second: so few that a socket's buffer outlives a second of a machine that is busy."""

MANY = 100
HEARD = Report("", sent=10, expected=10, received=10)
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

    await campaign.run(["noise of every kind"], lambda name: None, rounds=2)

    assert [one.name for one in campaign.results] == [
        "before",
        *["noise of every kind", "after"] * 2,
    ]
    for noise in campaign.results[1::2]:
        assert sum(noise.drops.values()) >= noise.did["datagrams"]
    assert campaign.faults == []


Change = Callable[[Campaign], object]


def _change(index: int, **fields: object) -> Change:
    def change(campaign: Campaign) -> None:
        campaign.results[index] = replace(campaign.results[index], **fields)  # type: ignore[arg-type]

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_change(1, report=Report("", expected=100, received=99)), "1 of 100 packets lost"),
        (_change(1, report=Report("")), "0 of 0 packets lost"),
        (_change(1, report=replace(HEARD, strange=1)), "1 packets that nobody sent like that"),
        (_change(1, report=replace(HEARD, faults=["newcomer: late"])), "newcomer: late"),
        (_change(1, faults=["too many"]), "too many"),
        (_change(1, did={"refused": 5}), "nothing was done"),
        (_change(1, drops={"rtp_muted": 3}), "nothing was dropped as unknown_protocol"),
        (_change(1, drops={"unknown_protocol": 1, "internal_error": 1}), "1 internal errors"),
        (_change(2, tables={"rooms": 2}), "left in tables"),
        (_change(2, descriptors=29), "descriptors: 20, 29"),
        (_change(2, resident=200 << 20), "memory grew by 100 MiB"),
        (_change(4, resident=140 << 20), "after, round 2: memory grew by 40 MiB"),
        (lambda campaign: campaign.log.write_text("ERROR of ours"), "ERROR of ours"),
    ],
)
def test_whatever_should_not_be_is_told(tmp_path: Path, change: Change, fault: str) -> None:
    campaign = Campaign(tmp_path, "python", seconds=1, rate=1, many=MANY)
    campaign.results = [
        Result(name, f"{name}{label}", tables={"rooms": 1}, descriptors=20, resident=100 << 20)
        for name, label in (
            ("before", ""),
            *(("noise of every kind", ""), ("after", "")),
            *(("noise of every kind", ", round 2"), ("after", ", round 2")),
        )
    ]
    for index, one in enumerate(campaign.results):
        one.report = HEARD
        if index % 2:
            one.did, one.drops = {"datagrams": 1}, {"unknown_protocol": 1}
    assert campaign.faults == []

    change(campaign)

    assert len(campaign.faults) == 1
    assert fault in campaign.faults[0]
