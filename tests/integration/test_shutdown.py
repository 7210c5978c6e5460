"""Closing, as the other end sees it."""

from __future__ import annotations

import asyncio

from relay import CloseReason, ConnectionState

from .conftest import Room
from .media import Tone


async def test_relay_close_is_seen_by_every_peer(room: Room) -> None:
    speaker = await room.publish(Tone(440.0))
    listeners = [await room.consume(speaker) for _ in range(2)]
    reasons: list[tuple[str, CloseReason]] = []
    for peer in (*listeners, speaker):
        name = type(peer.connection).__name__
        peer.connection.on("closed", lambda reason, name=name: reasons.append((name, reason)))
    await room.relay.close()
    assert sorted(reasons) == [
        ("Consumer", CloseReason.SHUTDOWN),
        ("Consumer", CloseReason.SHUTDOWN),
        ("Publisher", CloseReason.SHUTDOWN),
    ]
    # Far sooner than the 30 s of RFC 7675: DTLS says goodbye.
    await asyncio.gather(*(peer.closed_by_relay() for peer in (*listeners, speaker)))


async def test_a_publisher_takes_its_consumers_along(room: Room) -> None:
    speaker, other = await room.publish(Tone(440.0)), await room.publish(Tone(700.0))
    listener, unconcerned = await room.consume(speaker), await room.consume(other)
    speaker.connection.close()
    assert listener.connection.state is ConnectionState.CLOSED
    await asyncio.gather(speaker.closed_by_relay(), listener.closed_by_relay())
    assert unconcerned.connection.state is ConnectionState.CONNECTED
    await unconcerned.received(len(unconcerned.packets) + 5)
