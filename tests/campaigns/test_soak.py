"""The soak, in short: long enough for every deed, too short for what leaks slowly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from relay.native import AVAILABLE
from tests.campaigns.inspected_server import Inspection
from tests.campaigns.soak import complaints, soak

SECONDS = 6.0
PEOPLE = 12


@pytest.mark.parametrize("plane", ["native", "python"] if AVAILABLE else ["python"])
async def test_nothing_stays(plane: str, tmp_path: Path) -> None:
    said: list[str] = []
    log = tmp_path / "server.log"
    options = (f"--media-plane={plane}", "--resume-grace=1")
    found = await soak(SECONDS, PEOPLE, log, *options, say=said.append)
    # What allocators take in the first seconds is theirs to keep.
    found = [one for one in found if not one.startswith("memory")]
    assert found == [], "\n".join([*said, log.read_text()])
    assert any("'joined'" in line for line in said)


EMPTY = Inspection(
    tasks=4,
    descriptors=16,
    objects=60_000,
    resident=130 << 20,
    allocated=17 << 20,
    blocks=220_000,
    tables={"rooms": 0},
    datagrams_received=30,
    rtp_packets_received=10,
    packets_forwarded=20,
    used={"rtp": 9, "stun": 20},
    dropped={"rtp_muted": 1},
    copies_dropped={},
)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"tables": {"rooms": 1}}, "rooms: 1 left"),
        ({"tasks": 5}, "tasks: 4 before, 5 after"),
        ({"descriptors": 17}, "descriptors: 16 before, 17 after"),
        ({"resident": 140 << 20}, "memory: grew by 10240 KiB"),
        ({"allocated": 19 << 20}, "allocated: grew by 2048 KiB"),
        ({"blocks": 240_000}, "blocks: 220000 before, 240000 after"),
        ({"rtp_packets_received": 8}, "packets: 10 sent, 8 received, 0 dropped by the kernel"),
        ({"datagrams_received": 31}, "datagrams: 31 received, 30 accounted for"),
    ],
)
def test_what_does_not_agree_is_named(change: dict[str, Any], complaint: str) -> None:
    crowd: Any = SimpleNamespace(tally=SimpleNamespace(sent=10))
    assert complaints(EMPTY, EMPTY, crowd, 0) == []
    assert complaints(EMPTY, replace(EMPTY, **change), crowd, 0) == [complaint]
