"""The relay's statistics against the browser's own of the same connections."""

from __future__ import annotations

from typing import Any

from tests.browser.chromium import Chromium
from tests.browser.firefox import Firefox
from tests.browser.guests import Guests
from tests.browser.interface import Browser
from tests.browser.participant import Participant
from tests.browser.waiting import eventually

_PACKETS = 400
"""Eight seconds: 1 % is four packets, and both ends have reported several times."""
_TOLERANCE = 0.01
_LOOPBACK = 0.05
"""Seconds. A round trip on loopback takes less, however it is measured and however busy the machine."""


async def test_counters_agree_with_chromium(chromium: Chromium, guests: Guests) -> None:
    await _expect_agreement(chromium, guests)


async def test_counters_agree_with_firefox(firefox: Firefox, guests: Guests) -> None:
    await _expect_agreement(firefox, guests)


async def _expect_agreement(browser: Browser, guests: Guests) -> None:
    ann, _ = await guests.join(browser, "Ann", "Ben")
    await eventually(
        lambda: _counts(ann), lambda counts: min(counts) >= _PACKETS, what=f"{_PACKETS} packets"
    )

    async def relay_knows_round_trips() -> tuple[float | None, float | None]:
        publisher, consumer = await _relay_statistics(ann)
        return publisher["roundTripTime"], consumer["roundTripTime"]

    round_trips = await eventually(
        relay_knows_round_trips,
        lambda known: None not in known,
        what="the relay's round-trip times",
    )

    # Both ends count on while they are asked: the relay's count lies between two of the browser's.
    sent_before, received_before = await _counts(ann)
    publisher, consumer = await _relay_statistics(ann)
    sent_after, received_after = await _counts(ann)

    _expect_between(sent_before, publisher["packetsReceived"], sent_after)
    _expect_between(received_before, consumer["packetsSent"], received_after)
    assert publisher["packetsLost"] == consumer["packetsLost"] == 0

    for connection in await ann.connections():
        measured = connection.round_trip_time
        assert measured is not None
        assert 0 <= measured < _LOOPBACK
    for round_trip in round_trips:
        assert round_trip is not None
        assert 0 <= round_trip < _LOOPBACK


def _expect_between(before: int, relay: int, after: int) -> None:
    assert before * (1 - _TOLERANCE) <= relay <= after * (1 + _TOLERANCE)


async def _counts(participant: Participant) -> tuple[int, int]:
    """Packets that the participant's browser has sent, and received."""
    connections = await participant.connections()
    sent = [stream["packetsSent"] for each in connections if (stream := each.outbound)]
    received = [stream["packetsReceived"] for each in connections if (stream := each.inbound)]
    return sum(sent), sum(received)


async def _relay_statistics(participant: Participant) -> tuple[dict[str, Any], dict[str, Any]]:
    """`get_stats` of a participant with one other in the room: publisher, and the only consumer."""
    stats = await participant.ask({"type": "get_stats"})
    assert stats["type"] == "stats", stats
    (consumer,) = stats["consumers"].values()
    return stats["publisher"], consumer
