"""What a conversation must show, whichever browsers hold it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.browser.participant import Participant
from tests.browser.server import HOST, RelayServer
from tests.browser.waiting import eventually

_PACKETS = 100
"""Two seconds of Opus frames of 20 ms: enough to see a loss that is not of the start alone."""


async def expect_all_hear_each_other(participants: Sequence[Participant]) -> None:
    """Waits until everybody sees all the others, and hears each on their own audio element only."""
    names = {each.name for each in participants}
    await asyncio.gather(*(each.expect_company(*names - {each.name}) for each in participants))
    await asyncio.gather(*(each.expect_to_hear(*names - {each.name}) for each in participants))


async def expect_only_the_relay(participants: Sequence[Participant], server: RelayServer) -> None:
    """No candidate pair of any browser leads anywhere but to the relay's one port."""
    for each in participants:
        connections = await each.connections()
        # One to publish, and one for each of the others.
        assert len(connections) == len(participants)
        for connection in connections:
            assert connection.remote_addresses == {(HOST, server.media_port)}


async def expect_no_loss(participants: Sequence[Participant]) -> None:
    """Waits for some packets of everybody at everybody; not one may be lost on either way."""
    for each in participants:
        await _expect_packets(each, streams=len(participants) - 1)
        losses = [connection.packets_lost for connection in await each.connections()]
        assert losses == [0] * len(participants)


async def _expect_packets(participant: Participant, streams: int) -> None:
    async def received() -> list[int]:
        inbound = [connection.inbound for connection in await participant.connections()]
        return [stream["packetsReceived"] for stream in inbound if stream]

    await eventually(
        received,
        lambda counts: len(counts) == streams and min(counts) >= _PACKETS,
        what=f"{_PACKETS} packets of everybody at {participant.name}",
    )
