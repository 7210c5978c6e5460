"""What a listener's RTP looks like when its publisher mutes, pauses, or comes back as another."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise

import pytest
from aiortc.rtp import RtpPacket

from relay import OPUS_CLOCK_RATE, DropReason, Publisher, Relay
from relay.sequence import FRAME_TICKS

from .aiortc_peer import AiortcPeer
from .conftest import Room
from .light_peer import LightPeer
from .media import Tone
from .waiting import eventually

TICKS = 960
"""RTP ticks between the packets that these publishers send: 20 ms (RFC 7587 §4.1)."""


@dataclass
class Voice:
    """A publisher that sends by hand. sequence, timestamp: the next packet's."""

    peer: LightPeer
    ssrc: int
    sequence: int
    timestamp: int

    @property
    def publisher(self) -> Publisher:
        """The relay's end."""
        assert isinstance(self.peer.connection, Publisher)
        return self.peer.connection

    async def speak(self, count: int, *, marker: bool = False) -> None:
        """Send packets that follow each other; marker: of the first."""
        for index in range(count):
            await self.peer.send(
                self.sequence, self.timestamp, self.ssrc, marker=marker and index == 0
            )
            self.sequence += 1
            self.timestamp += TICKS

    async def arrived(self) -> None:
        """Wait until the relay has taken everything that was sent."""
        await eventually(lambda: self.publisher.stats().packets_received >= self.peer.sent)


class Stage:
    """Voices, and one aiortc listener."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self._peers: list[LightPeer | AiortcPeer] = []

    async def voice(self, ssrc: int, sequence: int, timestamp: int) -> Voice:
        """A connected publisher."""
        peer = LightPeer(self.relay.create_publisher())
        self._peers.append(peer)
        await peer.connect()
        return Voice(peer, ssrc, sequence, timestamp)

    async def listener(self, voice: Voice) -> AiortcPeer:
        """A connected consumer."""
        peer = AiortcPeer(self.relay.create_consumer(voice.publisher))
        self._peers.append(peer)
        await peer.connect()
        return peer

    async def close(self) -> None:
        for peer in self._peers:
            await peer.close()


@pytest.fixture
async def stage(relay: Relay) -> AsyncIterator[Stage]:
    stage = Stage(relay)
    yield stage
    await stage.close()


def steps(packets: list[RtpPacket]) -> list[Step]:
    """Per packet: its step in sequence number and timestamp from the one before, and its marker."""
    return [
        (
            (later.sequence_number - earlier.sequence_number) & 0xFFFF,
            (later.timestamp - earlier.timestamp) & 0xFFFFFFFF,
            later.marker,
        )
        for earlier, later in pairwise(packets)
    ]


PLAIN = (1, TICKS, 0)
"""The step from a packet to the next one of the same talk."""

Step = tuple[int, int, int]


def assert_seam(step: Step, shortest: float, longest: float) -> None:
    """Where one source's packets end and another's begin: no gap in the sequence, a marker (RFC 3551 §4.1),
    and a timestamp that is as much later as the packet is, by one frame at least.

    shortest, longest: seconds between the two packets, as far as this end can tell.
    """
    sequence, timestamp, marker = step
    assert (sequence, marker) == (1, 1)
    assert timestamp >= max(FRAME_TICKS, int(shortest * OPUS_CLOCK_RATE) - 1)
    assert timestamp <= FRAME_TICKS + int(longest * OPUS_CLOCK_RATE) + 1


def payloads(packets: list[RtpPacket]) -> list[str]:
    return [packet.payload.decode() for packet in packets]


async def test_the_first_packet_has_a_marker(stage: Stage) -> None:
    voice = await stage.voice(0x1111, 65_500, 2**32 - 5 * TICKS)
    listener = await stage.listener(voice)
    await voice.speak(60)  # over the wrap of both counters
    await listener.received(60)
    assert listener.packets[0].marker == 1
    assert listener.packets[0].sequence_number < 0x8001
    assert steps(listener.packets) == [PLAIN] * 59
    assert payloads(listener.packets) == [f"opus {(65_500 + i) % 65_536:05}" for i in range(60)]
    assert {packet.ssrc for packet in listener.packets} == {listener.consumer.source.ssrc}


async def test_a_later_listener_begins_with_a_marker_too(stage: Stage) -> None:
    voice = await stage.voice(0x1111, 100, 0)
    await voice.speak(5)
    await voice.arrived()
    listener = await stage.listener(voice)
    await voice.speak(3)
    await listener.received(3)
    assert listener.packets[0].marker == 1
    assert steps(listener.packets) == [PLAIN] * 2
    assert payloads(listener.packets) == ["opus 00105", "opus 00106", "opus 00107"]


async def test_mute(stage: Stage) -> None:
    voice = await stage.voice(0x1111, 1000, 77)
    listener = await stage.listener(voice)
    for _ in range(3):
        before = len(listener.packets)
        await voice.speak(10)
        await listener.received(before + 10)
        voice.publisher.muted = True
        await voice.speak(7)
        await voice.arrived()
        voice.publisher.muted = False
        await voice.speak(5)
        await listener.received(before + 15)
    # What was muted has no numbers, but the time went by all the same.
    unmuted = (1, 8 * TICKS, 1)
    assert steps(listener.packets) == (
        [PLAIN] * 9 + [unmuted] + [PLAIN] * 4 + ([PLAIN] * 10 + [unmuted] + [PLAIN] * 4) * 2
    )
    assert stage.relay.stats().drops[DropReason.RTP_MUTED] == 21
    assert listener.consumer.stats().packets_sent == len(listener.packets) == 45


async def test_pause_of_the_publisher(stage: Stage) -> None:
    # As browsers do in silence (DTX): numbers go on, timestamps jump by the pause, and the first packet
    # of a talk has the marker. That is the publisher's own time, and stays.
    voice = await stage.voice(0x1111, 1000, 77)
    listener = await stage.listener(voice)
    await voice.speak(5)
    voice.timestamp += 3 * 48_000
    await voice.speak(5, marker=True)
    await listener.received(10)
    pause = (1, 3 * 48_000 + TICKS, 1)
    assert steps(listener.packets) == [PLAIN] * 4 + [pause] + [PLAIN] * 4


async def test_a_publisher_that_starts_anew_on_its_connection(stage: Stage) -> None:
    voice = await stage.voice(0x1111, 1000, 77)
    listener = await stage.listener(voice)
    began = time.monotonic()
    await voice.speak(5)
    await listener.received(5)
    ended = time.monotonic()
    voice.ssrc, voice.sequence, voice.timestamp = 0x2222, 40_000, 3_000_000_000
    again = time.monotonic()
    await voice.speak(5)
    await listener.received(10)
    *before, seam, c, d, e, f = steps(listener.packets)
    assert before == [PLAIN] * 4
    assert_seam(seam, again - ended, time.monotonic() - began)
    assert [c, d, e, f] == [PLAIN] * 4


@pytest.mark.parametrize("spoke_before", [False, True])
async def test_a_publisher_that_reconnects(stage: Stage, spoke_before: bool) -> None:
    voice = await stage.voice(0x1111, 1000, 77)
    listener = await stage.listener(voice)
    began = time.monotonic()
    await voice.speak(5)
    await listener.received(5)
    ended = time.monotonic()
    second = await stage.voice(0x3333, 64_000, 4_000_000_000)
    again = time.monotonic()
    if spoke_before:
        await second.speak(4)  # heard by nobody yet
        await second.arrived()
    listener.consumer.switch(second.publisher)
    voice.publisher.close()
    await second.speak(5)
    await listener.received(10)
    await second.speak(3)
    await listener.received(13)
    taken = steps(listener.packets)
    assert_seam(taken.pop(4), again - ended, time.monotonic() - began)
    assert taken == [PLAIN] * 11
    assert listener.consumer.publisher is second.publisher


async def test_back_and_forth(stage: Stage) -> None:
    voices = [await stage.voice(0x1111, 500, 1), await stage.voice(0x2222, 65_000, 2**31)]
    listener = await stage.listener(voices[0])
    began = time.monotonic()
    for turn in range(6):
        voice = voices[turn % 2]
        listener.consumer.switch(voice.publisher)
        await voice.speak(4)
        await listener.received(4 * turn + 4)
    taken = steps(listener.packets)
    for seam in taken[3::4]:
        assert_seam(seam, 0.0, time.monotonic() - began)
    del taken[3::4]
    assert taken == [PLAIN] * 18


async def test_loss_on_the_way_to_the_relay_stays_visible(stage: Stage) -> None:
    voice = await stage.voice(0x1111, 1000, 77)
    listener = await stage.listener(voice)
    await voice.speak(3)
    voice.sequence += 2
    voice.timestamp += 2 * TICKS
    await voice.speak(3)
    await listener.received(6)
    assert steps(listener.packets) == [PLAIN] * 2 + [(3, 3 * TICKS, 0)] + [PLAIN] * 2
    assert voice.publisher.stats().packets_lost == 2


async def test_mute_with_aiortc_at_both_ends(room: Room) -> None:
    speaker = await room.publish(Tone(440.0))
    listener = await room.consume(speaker)
    await listener.received(10)
    speaker.publisher.muted = True
    counted = speaker.publisher.stats().packets_received
    await eventually(lambda: speaker.publisher.stats().packets_received >= counted + 10)
    speaker.publisher.muted = False
    await listener.received(len(listener.packets) + 10)
    muted = room.relay.stats().drops[DropReason.RTP_MUTED]
    taken = steps(listener.packets)
    assert [(sequence, timestamp) for sequence, timestamp, _ in taken if timestamp != TICKS] == [
        (1, (muted + 1) * TICKS)
    ]
    assert {sequence for sequence, _, _ in taken} == {1}
