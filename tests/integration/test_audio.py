"""Opus through the relay, sent, received and decoded by aiortc."""

from __future__ import annotations

import asyncio

import pytest

from .aiortc_peer import AiortcPeer
from .conftest import Room
from .media import TOLERANCE, Tone, heard
from .waiting import PATIENCE, eventually


async def assert_hears(listener: AiortcPeer, frequency: float) -> None:
    assert listener.track is not None
    tone = await asyncio.wait_for(heard(listener.track), PATIENCE)
    assert tone == pytest.approx(frequency, abs=TOLERANCE)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"], indirect=True)
async def test_one_speaks_one_listens(room: Room) -> None:
    speaker = await room.publish(Tone(440.0))
    listener = await room.consume(speaker)
    await assert_hears(listener, 440.0)
    assert {packet.ssrc for packet in listener.packets} == {listener.consumer.source.ssrc}
    assert {packet.payload_type for packet in listener.packets} == {111}
    sent, received = listener.consumer.stats(), speaker.publisher.stats()
    assert sent.packets_sent >= len(listener.packets) > 0
    assert received.packets_received >= sent.packets_sent
    assert received.packets_lost == sent.packets_lost == 0
    assert room.relay.stats().drops == {}


async def test_one_speaks_three_listen(room: Room) -> None:
    speaker = await room.publish(Tone(700.0))
    listeners = [await room.consume(speaker) for _ in range(3)]
    await asyncio.gather(*(assert_hears(listener, 700.0) for listener in listeners))
    assert len({listener.consumer.source.ssrc for listener in listeners}) == 3


async def test_everybody_hears_everybody_else(room: Room) -> None:
    tones = (400.0, 650.0, 1000.0)
    speakers = {tone: await room.publish(Tone(tone)) for tone in tones}
    heard_by = [
        (await room.consume(speakers[tone]), tone)
        for listener in tones
        for tone in tones
        if tone != listener
    ]
    assert len(heard_by) == 6
    await asyncio.gather(*(assert_hears(listener, tone) for listener, tone in heard_by))


async def test_reports_go_both_ways(room: Room) -> None:
    speaker = await room.publish(Tone(440.0))
    listener = await room.consume(speaker)

    await speaker.reported("remote-inbound-rtp")
    await listener.reported("remote-outbound-rtp")
    await eventually(lambda: listener.consumer.stats().round_trip_time is not None)
    assert speaker.publisher.stats().round_trip_time is not None
