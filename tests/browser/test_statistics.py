"""The relay's statistics against the browser's own of the same connections."""

from __future__ import annotations

import asyncio

from tests.browser.chromium import Chromium
from tests.browser.firefox import Firefox
from tests.browser.guests import Guests
from tests.browser.interface import Browser
from tests.browser.participant import Participant
from tests.browser.waiting import eventually

_PACKETS = 400
"""Eight seconds: 1 % is four packets, more than are on the way at any time."""
_TOLERANCE = 0.01


async def test_counters_agree(chromium: Chromium, firefox: Firefox, guests: Guests) -> None:
    await asyncio.gather(
        _expect_agreement(chromium, guests, "chromium"),
        _expect_agreement(firefox, guests, "firefox"),
    )


async def _expect_agreement(browser: Browser, guests: Guests, room: str) -> None:
    ann, _ = await guests.join(browser, "Ann", "Ben", room=room)
    await eventually(
        lambda: _counts(ann), lambda counts: min(counts) >= _PACKETS, what=f"{_PACKETS} packets"
    )

    # Both ends count on while they are asked: the relay's count lies between two of the browser's.
    sent_before, received_before = await _counts(ann)
    publisher, consumer = await ann.relay_statistics()
    sent_after, received_after = await _counts(ann)

    _expect_between(sent_before, publisher["packetsReceived"], sent_after)
    _expect_between(received_before, consumer["packetsSent"], received_after)
    assert publisher["packetsLost"] == consumer["packetsLost"] == 0


def _expect_between(before: int, relay: int, after: int) -> None:
    assert before * (1 - _TOLERANCE) <= relay <= after * (1 + _TOLERANCE)


async def _counts(participant: Participant) -> tuple[int, int]:
    """Packets that the participant's browser has sent, and received."""
    connections = await participant.connections()
    sent = [stream["packetsSent"] for each in connections if (stream := each.outbound)]
    received = [stream["packetsReceived"] for each in connections if (stream := each.inbound)]
    return sum(sent), sum(received)
