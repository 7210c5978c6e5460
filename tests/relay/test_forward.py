"""The hot path, from socket to socket, in every implementation of the media plane."""

from __future__ import annotations

import secrets
import time

import pytest

from relay.levels import POWER
from relay.parameters import AUDIO_LEVEL_ID
from relay.python_plane import MAX_ROUNDS
from relay.rtp import RtpPacket, build_rtp
from relay.sequence import ticks, timestamp_delta
from relay.srtp import PROFILES, SrtpProfile
from relay.udp import RECEIVE_BATCH

from .media import (
    AUDIO_LEVEL,
    FRAME,
    IPV4,
    IPV6,
    MAX_PROTECTED,
    MID,
    OPUS,
    VOICE,
    Studio,
    contiguous,
    frame,
    heard,
    unstamped,
    wire,
)

MANY = 261
"""More listeners than the native plane sends to at once (256)."""


async def test_a_packet_reaches_every_listener_under_its_own_numbers(studio: Studio) -> None:
    speaker = studio.speaker()
    listeners = [studio.listener(speaker, ssrc=10 + n, sequence=1000 * n) for n in range(5)]
    speaker.say(wire(7, 480, VOICE, b"first"), wire(8, 1440, VOICE, b"second"))
    await studio.settle()
    for n, listener in enumerate(listeners):
        packets = listener.heard()
        start = int.from_bytes(packets[0][4:8], "big")
        assert packets == [
            wire(1000 * n + 1, start, 10 + n, b"first", marker=True),
            wire(1000 * n + 2, start + FRAME, 10 + n, b"second"),
        ]


@pytest.mark.parametrize("timestamp", [0, 10_000, 2**32 - 1])
async def test_the_first_timestamp_is_about_the_given_one(studio: Studio, timestamp: int) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker, timestamp=timestamp)
    speaker.say(frame(0))
    await studio.settle()
    (packet,) = listener.heard()
    ahead = timestamp_delta(int.from_bytes(packet[4:8], "big"), timestamp)
    elapsed = ticks(time.monotonic() - studio.began) + 1
    assert -elapsed <= ahead <= FRAME + elapsed


@pytest.mark.parametrize("to", [IPV4, IPV6])
@pytest.mark.parametrize("by", [IPV4, IPV6])
async def test_address_families_meet(studio: Studio, by: str, to: str) -> None:
    speaker = studio.speaker(by)
    listener = studio.listener(speaker, to)
    speaker.say(frame(0))
    await studio.settle()
    assert heard(listener) == contiguous(0)


@pytest.mark.parametrize("to", PROFILES, ids=lambda profile: profile.name)
@pytest.mark.parametrize("by", PROFILES, ids=lambda profile: profile.name)
async def test_profiles_meet(studio: Studio, by: SrtpProfile, to: SrtpProfile) -> None:
    speaker = studio.speaker(profile=by)
    listener = studio.listener(speaker, profile=to)
    speaker.say(*map(frame, range(3)))
    await studio.settle()
    assert heard(listener) == contiguous(0, 1, 2)


async def test_packets_leave_from_the_address_that_the_listener_knows(studio: Studio) -> None:
    speaker = studio.speaker(IPV6)
    listener = studio.listener(speaker)
    speaker.say(frame(0))
    await studio.settle()
    _, sender = listener.udp.recvfrom(2048)
    assert sender == studio.addresses[IPV4]


@pytest.mark.parametrize(
    ("sent", "level"),
    [
        ({}, None),
        ({"extensions": (AUDIO_LEVEL,)}, 0x9E),
        ({"extensions": (MID,)}, None),
        ({"extensions": (MID, AUDIO_LEVEL)}, 0x9E),
        ({"extensions": (AUDIO_LEVEL, MID)}, 0x9E),
        ({"extensions": (AUDIO_LEVEL, (4, b"\x00"))}, 0x9E),  # looks like padding behind it
        ({"extensions": ((3, b"\x01\x02\x03"), AUDIO_LEVEL, MID)}, 0x9E),
        ({"extensions": (AUDIO_LEVEL, (20, b"two-byte elements"))}, 0x9E),
        ({"extensions": ((1, b"\x9e\x9e"),)}, None),
        ({"padding": 4}, None),
        ({"padding": 255, "extensions": (AUDIO_LEVEL,)}, 0x9E),
        ({"csrcs": (1, 2)}, None),
        ({"csrcs": (1,), "padding": 7, "extensions": (MID, AUDIO_LEVEL)}, 0x9E),
        ({"payload": b""}, None),
        ({"payload": b"", "padding": 200}, None),
        ({"payload": bytes(range(256)) * 4}, None),
        ({"payload": b"\xbe\xde\x00\x01\x10\x9e\x00\x00"}, None),  # looks like an extension
    ],
)
async def test_payload_and_audio_level_pass_and_nothing_else(
    studio: Studio, sent: dict[str, object], level: int | None
) -> None:
    packet = RtpPacket(OPUS, 7, 480, VOICE, **{"payload": b"opus", **sent})  # type: ignore[arg-type]
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(build_rtp(packet))
    await studio.settle()
    assert unstamped(listener) == [
        wire(100, 0, listener.ssrc, packet.payload, marker=True, level=level)
    ]
    assert speaker.source.counters().payload_bytes == len(packet.payload)
    assert listener.sink.counters().payload_bytes == len(packet.payload)


async def test_a_packet_as_long_as_can_be_protected(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker, profile=PROFILES[1])
    payload = secrets.token_bytes(MAX_PROTECTED - 12)
    speaker.say(wire(7, 480, VOICE, payload))
    await studio.settle()
    assert unstamped(listener) == [wire(100, 0, listener.ssrc, payload, marker=True)]


@pytest.mark.parametrize(
    "order",
    [
        [0, 1, 2, 3],
        [0, 2, 3, 7],  # loss
        [0, 2, 1, 3],  # reordering
        [0, 3, 2, 1, 9],
        [0, 127, 1],  # as late as SRTP lets it be
    ],
)
@pytest.mark.parametrize("start", [0, 1000, 0x7FFE, 0xFFFE])
async def test_loss_and_reordering_stay_as_they_are(
    studio: Studio, order: list[int], start: int
) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    packets = [speaker.protected(frame(index, start=start)) for index in range(max(order) + 1)]
    for index in order:
        speaker.send(packets[index])
    await studio.settle()
    assert heard(listener) == [(100 + index, index == 0, index) for index in order]


async def test_a_listeners_numbers_wrap(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker, sequence=0xFFFD, timestamp=2**32 - 2 * FRAME)
    speaker.say(*map(frame, range(4)))
    await studio.settle()
    assert [number for number, *_ in heard(listener)] == [0xFFFE, 0xFFFF, 0, 1]


async def test_a_long_voice_wraps_and_goes_on(studio: Studio) -> None:
    """Once around the sequence numbers, in steps that a lossy network could make."""
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    indices = range(0, 70_000, 1000)
    speaker.say(*(frame(index, start=0) for index in indices))
    await studio.settle()
    assert heard(listener) == [((100 + index) & 0xFFFF, index == 0, index) for index in indices]


async def test_a_marker_of_the_speakers_own_passes(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(frame(0), frame(1), frame(2, marker=True), frame(3))
    await studio.settle()
    assert [marker for _, marker, _ in heard(listener)] == [True, False, True, False]


async def test_more_than_a_wake_up_takes(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    count = RECEIVE_BATCH * MAX_ROUNDS + 10
    for start in range(0, count, 100):  # no more than a listener's socket holds
        speaker.say(*map(frame, range(start, min(start + 100, count))))
        await studio.settle()
        assert [index for *_, index in heard(listener)] == list(
            range(start, min(start + 100, count))
        )


@pytest.mark.parametrize("count", [RECEIVE_BATCH, RECEIVE_BATCH * MAX_ROUNDS + 10])
async def test_a_burst_is_taken_whole(studio: Studio, count: int) -> None:
    speaker = studio.speaker()
    studio.listener(speaker)
    speaker.say(*map(frame, range(count)))
    await studio.settle()
    assert studio.plane.counters().packets_forwarded == count


async def test_more_listeners_than_a_native_batch_holds(studio: Studio) -> None:
    speaker = studio.speaker()
    listeners = [studio.listener(speaker, ssrc=1 + n) for n in range(MANY)]
    speaker.say(frame(0), frame(1))
    await studio.settle()
    assert all(heard(listener) == contiguous(0, 1) for listener in listeners)
    assert studio.plane.counters().packets_forwarded == 2 * len(listeners)


async def test_audio_levels_add_up(studio: Studio) -> None:
    """Whatever form they come in; what is muted is not heard."""
    speaker = studio.speaker()
    speaker.say(wire(1, 960, VOICE, level=30), wire(2, 1920, VOICE, level=0x80 | 20))
    speaker.say(wire(3, 2880, VOICE))
    two_byte = ((AUDIO_LEVEL_ID, b"\x0a"), (7, b"x" * 20))
    speaker.say(build_rtp(RtpPacket(OPUS, 4, 3840, VOICE, b"opus", extensions=two_byte)))
    await studio.settle()
    speaker.source.muted = True
    speaker.say(wire(5, 4800, VOICE, level=1))
    await studio.settle()
    assert speaker.source.levels() == (POWER[30] + POWER[20] + POWER[10], 3)


async def test_every_level_has_its_power(studio: Studio) -> None:
    speaker = studio.speaker()
    for level in range(128):
        before, _ = speaker.source.levels()
        speaker.say(wire(level, 960 * level, VOICE, level=level))
        await studio.settle()
        assert speaker.source.levels() == (before + POWER[level], level + 1)


async def test_gaps_are_counted_over_restarts(studio: Studio) -> None:
    speaker = studio.speaker()
    # Four are lost, then five, one of which comes late.
    speaker.say(*(frame(index) for index in (0, 1, 6, 12, 11, 13)))
    speaker.say(*(frame(index, ssrc=VOICE + 1, start=9) for index in (0, 100)))
    await studio.settle()
    assert speaker.source.counters().gaps == 2
