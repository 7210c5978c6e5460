"""The hot path, from socket to socket: one suite for every implementation of the media plane."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import AsyncIterator, Callable

import pytest

from relay.address import Address
from relay.errors import AddressError
from relay.forward import MAX_ROUNDS, MAX_SOURCES, PythonPlane
from relay.plane import Control, MediaPlane
from relay.rtp import RtpPacket, build_rtp
from relay.sequence import ticks, timestamp_delta
from relay.srtp import PROFILES, SrtpProfile
from relay.stats import DropReason
from relay.udp import MAX_DATAGRAM, RECEIVE_BATCH, SEND_BATCH

from .media import (
    FRAME,
    IPV4,
    IPV6,
    MAX_PROTECTED,
    OPUS,
    PLANES,
    Listener,
    Studio,
    full_send_buffer,
    open_studio,
    wire,
)

VOICE = 0x5EED
"""SSRC of whoever speaks."""

AUDIO_LEVEL, MID = (1, b"\x9e"), (4, b"0")
STUN = bytes.fromhex("00010000 2112a442") + bytes(12)


@pytest.fixture(params=PLANES)
def implementation(request: pytest.FixtureRequest) -> Callable[[Control], MediaPlane]:
    return PLANES[request.param]


@pytest.fixture
async def studio(implementation: Callable[[Control], MediaPlane]) -> AsyncIterator[Studio]:
    async with open_studio(implementation) as opened:
        yield opened


def frame(index: int, *, ssrc: int = VOICE, start: int = 1000, marker: bool = False) -> bytes:
    """Packet `index` of a voice, in plain form; its payload tells which it is."""
    return wire(start + index, 48_000 + FRAME * index, ssrc, b"%d" % index, marker=marker)


def heard(listener: Listener, *seams: int) -> list[tuple[int, bool, int]]:
    """(sequence number, marker, frame index) of what a listener got, once its clock is checked.

    A frame's timestamp goes with its index. seams: frames with which another clock begins: those come
    a frame after the one before, or later by as much time as has passed.
    """
    packets = [
        (int.from_bytes(packet[4:8], "big"), int(packet[12:]), packet)
        for packet in listener.heard()
    ]
    latest = FRAME + ticks(time.monotonic() - listener.studio.began) + 1
    for (before, previous, _), (timestamp, index, _) in itertools.pairwise(packets):
        step = timestamp_delta(timestamp, before)
        if index in seams:
            assert FRAME <= step <= latest
        else:
            assert step == FRAME * (index - previous)
    return [
        (int.from_bytes(packet[2:4], "big"), bool(packet[1] & 0x80), index)
        for _, index, packet in packets
    ]


def unstamped(listener: Listener) -> list[bytes]:
    """What a listener got, with timestamps of zero."""
    return [packet[:4] + bytes(4) + packet[8:] for packet in listener.heard()]


def contiguous(*indices: int, first: int = 100, marked: int = 0) -> list[tuple[int, bool, int]]:
    """What a listener should get of frames: no gap in its numbers, the marker on frame `marked`."""
    return [(first + place, index == marked, index) for place, index in enumerate(indices)]


# Forwarding.


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


async def test_a_burst_is_taken_whole(studio: Studio) -> None:
    speaker = studio.speaker()
    studio.listener(speaker)
    count = RECEIVE_BATCH * MAX_ROUNDS + 10
    speaker.say(*map(frame, range(count)))
    await studio.settle()
    assert studio.plane.counters().packets_forwarded == count


async def test_more_listeners_than_a_batch_holds(studio: Studio) -> None:
    speaker = studio.speaker()
    listeners = [studio.listener(speaker, ssrc=1 + n) for n in range(SEND_BATCH + 5)]
    speaker.say(frame(0), frame(1))
    await studio.settle()
    assert all(heard(listener) == contiguous(0, 1) for listener in listeners)
    assert studio.plane.counters().packets_forwarded == 2 * len(listeners)


# Without a seam.


async def test_mute_is_silence_and_no_loss(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(frame(0), frame(1))
    await studio.settle()
    speaker.source.muted = True
    speaker.say(frame(2), frame(3))
    await studio.settle()
    speaker.source.muted = False
    speaker.say(frame(4), frame(5))
    await studio.settle()
    assert heard(listener) == contiguous(0, 1) + contiguous(4, 5, first=102, marked=4)
    assert studio.drops == {DropReason.RTP_MUTED: 2}
    assert speaker.source.counters().packets == 6
    assert speaker.source.counters().packets_lost == 0


async def test_muted_before_the_first_word(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.source.muted = True
    speaker.say(frame(0))
    await studio.settle()
    assert listener.heard() == []
    speaker.source.muted = False
    speaker.say(frame(1))
    await studio.settle()
    assert heard(listener) == contiguous(1, marked=1)


async def test_muted_and_unmuted_without_a_packet_between(studio: Studio) -> None:
    """Nothing was left out: the sound just goes on."""
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(frame(0))
    await studio.settle()
    speaker.source.muted = True
    speaker.source.muted = False
    speaker.say(frame(1))
    await studio.settle()
    assert heard(listener) == contiguous(0, 1)


@pytest.mark.parametrize("start", [0, 1000, 0x8000 + 1000, 0xFFFF])
async def test_a_new_ssrc_goes_on_where_the_old_one_stopped(studio: Studio, start: int) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(frame(0), frame(1))
    speaker.say(frame(7, ssrc=VOICE + 1, start=start), frame(8, ssrc=VOICE + 1, start=start))
    await studio.settle()
    assert heard(listener, 7) == contiguous(0, 1) + contiguous(7, 8, first=102, marked=7)
    assert speaker.source.counters().packets_lost == 0


async def test_a_switch_goes_on_where_the_other_stopped(studio: Studio) -> None:
    one, two = studio.speaker(), studio.speaker()
    listener, stays = studio.listener(one), studio.listener(two)
    one.say(frame(0), frame(1))
    two.say(frame(20), frame(21))
    await studio.settle()
    studio.attach(listener, two)
    one.say(frame(2))
    two.say(frame(22), frame(23))
    await studio.settle()
    assert heard(listener, 22) == contiguous(0, 1) + contiguous(22, 23, first=102, marked=22)
    assert heard(stays) == contiguous(20, 21, 22, 23, marked=20)


async def test_a_switch_there_and_back(studio: Studio) -> None:
    one, two = studio.speaker(), studio.speaker()
    listener = studio.listener(one)
    expected = []
    for turn in range(4):
        for place, speaker in enumerate((one, two)):
            studio.attach(listener, speaker)
            one.say(frame(2 * turn + place))
            two.say(frame(2 * turn + place))
            await studio.settle()
            index = 2 * turn + place
            expected += contiguous(index, first=100 + index, marked=index)
    assert heard(listener, *range(8)) == expected


async def test_a_switch_to_whom_nobody_heard_yet(studio: Studio) -> None:
    one, two = studio.speaker(), studio.speaker()
    listener = studio.listener(one)
    one.say(frame(0))
    await studio.settle()
    studio.attach(listener, two)
    two.say(frame(50), frame(51))
    await studio.settle()
    assert heard(listener, 50) == contiguous(0) + contiguous(50, 51, first=101, marked=50)


async def test_attached_again_to_the_same(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(frame(0))
    await studio.settle()
    studio.attach(listener, speaker)
    speaker.say(frame(1))
    await studio.settle()
    assert heard(listener) == contiguous(0) + contiguous(1, first=101, marked=1)


async def test_detached_it_hears_nothing_and_goes_on_when_attached(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(frame(0))
    await studio.settle()
    listener.sink.detach()
    listener.sink.detach()  # once more changes nothing
    speaker.say(frame(1), frame(2))
    await studio.settle()
    studio.attach(listener, speaker)
    speaker.say(frame(3))
    await studio.settle()
    assert heard(listener, 3) == contiguous(0) + contiguous(3, first=101, marked=3)


async def test_a_late_joiner_hears_what_comes_from_now_on(studio: Studio) -> None:
    speaker = studio.speaker()
    early = studio.listener(speaker)
    speaker.say(frame(0), frame(1))
    await studio.settle()
    late = studio.listener(speaker)
    speaker.say(frame(2), frame(3))
    await studio.settle()
    assert heard(early) == contiguous(0, 1, 2, 3)
    assert heard(late) == contiguous(2, 3, marked=2)


async def test_a_late_packet_is_none_of_a_late_joiners(studio: Studio) -> None:
    """Its number would be the one before the joiner's first."""
    speaker = studio.speaker()
    early = studio.listener(speaker)
    packets = [speaker.protected(frame(index)) for index in range(4)]
    speaker.send(packets[0])
    speaker.send(packets[2])
    await studio.settle()
    late = studio.listener(speaker)
    speaker.send(packets[1])
    speaker.send(packets[3])
    await studio.settle()
    assert [index for *_, index in heard(early)] == [0, 2, 1, 3]
    assert heard(late) == contiguous(3, marked=3)


async def test_a_late_packet_is_none_of_whom_has_switched(studio: Studio) -> None:
    one, two = studio.speaker(), studio.speaker()
    listener = studio.listener(one)
    packets = [two.protected(frame(index)) for index in range(4)]
    one.say(frame(0))
    two.send(packets[0])
    two.send(packets[2])
    await studio.settle()
    studio.attach(listener, two)
    two.send(packets[1])
    two.send(packets[3])
    await studio.settle()
    assert heard(listener, 3) == contiguous(0) + contiguous(3, first=101, marked=3)


@pytest.mark.parametrize("to", [IPV4, IPV6])
async def test_a_listener_moves(studio: Studio, to: str) -> None:
    speaker = studio.speaker()
    listener, elsewhere = studio.listener(speaker), studio.peer(to)
    speaker.say(frame(0))
    await studio.settle()
    studio.plane.direct(listener.sink, elsewhere.path)
    speaker.say(frame(1))
    await studio.settle()
    assert heard(listener) == contiguous(0)
    assert len(elsewhere.arrived()) == 1


async def test_a_move_is_for_what_comes_after_it(studio: Studio) -> None:
    """Voice, and then the checks that move its listener, in one batch."""
    speaker = studio.speaker()
    listener, elsewhere = studio.listener(speaker), studio.peer()
    studio.on_control = lambda path, _: studio.plane.direct(listener.sink, path)
    speaker.say(frame(0))
    elsewhere.send(STUN)
    elsewhere.send(STUN)
    await studio.settle()
    assert heard(listener) == contiguous(0)
    assert elsewhere.arrived() == []


async def test_a_listener_that_goes_takes_nothing_along(studio: Studio) -> None:
    """Voice, and then the goodbye of one of its listeners, in one batch."""
    speaker = studio.speaker()
    leaves, stays = studio.listener(speaker), studio.listener(speaker)
    studio.on_control = lambda *_: leaves.sink.detach()
    speaker.say(frame(0))
    leaves.send(STUN)
    await studio.settle()
    speaker.say(frame(1))
    await studio.settle()
    assert heard(leaves) == contiguous(0)
    assert heard(stays) == contiguous(0, 1)


# What goes no further, and why.


async def test_a_packet_from_nobody(studio: Studio) -> None:
    stranger = studio.peer()
    stranger.send(frame(0))
    await studio.settle()
    assert studio.drops == {DropReason.RTP_UNKNOWN_ADDRESS: 1}


async def test_a_path_has_two_ends(studio: Studio) -> None:
    """The same remote port by another family is somebody else's."""
    speaker, other = studio.speaker(IPV4), studio.speaker(IPV6)
    studio.plane.unbind(other.path)
    other.say(frame(0))
    speaker.say(frame(0))
    await studio.settle()
    assert studio.drops == {DropReason.RTP_UNKNOWN_ADDRESS: 1}


@pytest.mark.parametrize("length", [2, 11])
async def test_a_packet_shorter_than_its_header(studio: Studio, length: int) -> None:
    speaker = studio.speaker()
    speaker.send(frame(0)[:length])
    await studio.settle()
    assert studio.drops == {DropReason.RTP_MALFORMED: 1}


@pytest.mark.parametrize(
    "header",
    [
        "a0 6f 0007 000001e0 00005eed 00",  # padding of no length
        "a0 6f 0007 000001e0 00005eed ff",  # padding longer than the packet
        "90 6f 0007 000001e0 00005eed bede0001 1fff0000",  # element longer than the block
        "90 6f 0007 000001e0 00005eed 10000001 00000001",
    ],
)
async def test_an_authentic_packet_that_is_none(studio: Studio, header: str) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(bytes.fromhex(header))
    await studio.settle()
    assert studio.drops == {DropReason.RTP_MALFORMED: 1}
    assert listener.heard() == []
    assert speaker.source.counters().packets == 0


@pytest.mark.parametrize("payload_type", [0, 63, 110, 112, 127])
async def test_another_payload_type(studio: Studio, payload_type: int) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(build_rtp(RtpPacket(payload_type, 7, 480, VOICE, b"x")), frame(0))
    await studio.settle()
    assert studio.drops == {DropReason.RTP_UNKNOWN_PAYLOAD_TYPE: 1}
    assert heard(listener) == contiguous(0)


async def test_what_was_said_before_a_pause_is_stale_after_it(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    packets = [speaker.protected(frame(index)) for index in range(5)]
    speaker.send(packets[0])
    await studio.settle()
    speaker.source.muted = True
    speaker.send(packets[2])
    await studio.settle()
    speaker.source.muted = False
    for index in (3, 1, 4):
        speaker.send(packets[index])
    await studio.settle()
    assert heard(listener) == contiguous(0) + contiguous(3, 4, first=101, marked=3)
    assert studio.drops == {DropReason.RTP_MUTED: 1, DropReason.RTP_STALE: 1}


async def test_what_is_older_than_the_first_packet_is_stale(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    packets = [speaker.protected(frame(index)) for index in range(3)]
    for index in (1, 0, 2):
        speaker.send(packets[index])
    await studio.settle()
    assert heard(listener) == contiguous(1, 2, marked=1)
    assert studio.drops == {DropReason.RTP_STALE: 1}


async def test_a_wrong_key(studio: Studio) -> None:
    speaker, other = studio.speaker(), studio.speaker()
    listener = studio.listener(speaker)
    speaker.send(other.protected(frame(0)))
    speaker.send(frame(0) + bytes(16))  # no protection at all
    await studio.settle()
    assert studio.drops == {DropReason.SRTP_UNAUTHENTICATED: 2}
    assert listener.heard() == []


async def test_a_replay(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    packets = [speaker.protected(frame(index)) for index in range(200)]
    for index in (0, 0, 199, 1):  # twice the same, and one from before the replay list
        speaker.send(packets[index])
    await studio.settle()
    assert [index for *_, index in heard(listener)] == [0, 199]
    assert studio.drops == {DropReason.SRTP_REPLAYED: 2}


async def test_a_header_that_libsrtp_cannot_read(studio: Studio) -> None:
    speaker = studio.speaker()
    speaker.send(b"\x8f" + frame(0)[1:] + bytes(16))  # 15 contributing sources that are not there
    await studio.settle()
    assert studio.drops == {DropReason.SRTP_FAILED: 1}


async def test_a_datagram_that_is_too_long(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.send(frame(0) + bytes(MAX_DATAGRAM))
    speaker.say(frame(1))
    await studio.settle()
    assert studio.drops == {DropReason.OVERSIZED: 1}
    assert heard(listener) == contiguous(1, marked=1)
    assert studio.control == []


@pytest.mark.parametrize("datagram", [b"", b"\x80", b"\x00", b"\x16"])
async def test_a_datagram_that_is_too_short_to_tell(studio: Studio, datagram: bytes) -> None:
    studio.speaker().send(datagram)
    await studio.settle()
    assert studio.drops == {DropReason.UNKNOWN_PROTOCOL: 1}
    assert studio.control == []


async def test_a_listener_that_the_system_refuses_to_send_to(studio: Studio) -> None:
    speaker = studio.speaker()
    nowhere, listener = studio.listener(speaker), studio.listener(speaker)
    studio.plane.direct(nowhere.sink, nowhere.path._replace(remote=Address(IPV4, 0)))
    speaker.say(frame(0), frame(1))
    await studio.settle()
    assert studio.drops == {DropReason.SEND_FAILED: 2}
    assert heard(listener) == contiguous(0, 1)
    assert studio.plane.counters().packets_forwarded == 2


async def test_a_full_send_buffer(studio: Studio) -> None:
    speaker = studio.speaker(IPV4)
    stuck = [studio.listener(speaker, IPV6) for _ in range(3)]
    listener = studio.listener(speaker, IPV4)
    with full_send_buffer(studio.addresses[IPV6]):
        speaker.say(frame(0))
        await studio.settle()
        assert studio.drops == {DropReason.SEND_BUFFER_FULL: 3}
        studio.plane.send(stuck[0].path, STUN)
        assert studio.drops == {DropReason.SEND_BUFFER_FULL: 4}
    assert heard(listener) == contiguous(0)
    assert studio.plane.counters().packets_forwarded == 1


# Whom a packet belongs to.


async def test_unbound_it_is_nobodys(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    studio.plane.unbind(speaker.path)
    studio.plane.unbind(speaker.path)  # once more changes nothing
    speaker.say(frame(0))
    await studio.settle()
    assert studio.drops == {DropReason.RTP_UNKNOWN_ADDRESS: 1}
    assert listener.heard() == []


async def test_unbinding_by_an_address_that_is_not_ours(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    studio.plane.unbind(speaker.path._replace(local=Address("192.0.2.1", 9)))
    speaker.say(frame(0))
    await studio.settle()
    assert heard(listener) == contiguous(0)


async def test_a_path_that_gets_another_owner(studio: Studio) -> None:
    """An address translator gives one client's port to another."""
    before, after = studio.speaker(), studio.speaker()
    listener = studio.listener(after)
    studio.plane.bind(before.path, after.source)
    before.say(frame(0))
    before.send(after.protected(frame(1)))
    await studio.settle()
    assert studio.drops == {DropReason.SRTP_UNAUTHENTICATED: 1}
    assert heard(listener) == contiguous(1, marked=1)


async def test_a_speaker_moves(studio: Studio) -> None:
    """From one interface to another, under way."""
    speaker, elsewhere = studio.speaker(IPV4), studio.peer(IPV6)
    listener = studio.listener(speaker)
    speaker.say(frame(0))
    studio.plane.bind(elsewhere.path, speaker.source)
    elsewhere.send(speaker.protected(frame(1)))
    await studio.settle()
    speaker.say(frame(2))  # the old one still holds
    await studio.settle()
    assert heard(listener) == contiguous(0, 1, 2)


# SSRCs of one speaker.


async def test_each_of_many_ssrcs_is_heard(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    count = 5 * MAX_SOURCES
    speaker.say(*(frame(index, ssrc=VOICE + index) for index in range(count)))
    await studio.settle()
    assert heard(listener, *range(count)) == [(100 + index, True, index) for index in range(count)]


async def test_the_newest_ssrcs_are_remembered_and_older_ones_are_not(studio: Studio) -> None:
    """What is remembered is the replay list: a second copy tells."""
    speaker = studio.speaker()
    packets = [speaker.protected(frame(0, ssrc=VOICE + n)) for n in range(MAX_SOURCES + 1)]
    for packet in packets:
        speaker.send(packet)
    for packet in packets[1:]:
        speaker.send(packet)
    await studio.settle()
    assert studio.drops == {DropReason.SRTP_REPLAYED: MAX_SOURCES}
    speaker.send(packets[0])
    await studio.settle()
    assert studio.drops == {DropReason.SRTP_REPLAYED: MAX_SOURCES}
    assert speaker.source.counters().ssrc == VOICE


async def test_the_ssrc_that_is_heard_is_not_forgotten_for_others(studio: Studio) -> None:
    """Packets of other payload types come under SSRCs of their own."""
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    first = speaker.protected(frame(0))
    speaker.send(first)
    for n in range(1, 3 * MAX_SOURCES):
        speaker.say(build_rtp(RtpPacket(OPUS + 1, 7, 480, VOICE + n, b"x")))
    speaker.send(first)
    speaker.say(frame(1))
    await studio.settle()
    assert heard(listener) == contiguous(0, 1)
    assert studio.drops == {
        DropReason.RTP_UNKNOWN_PAYLOAD_TYPE: 3 * MAX_SOURCES - 1,
        DropReason.SRTP_REPLAYED: 1,
    }


async def test_a_flood_of_forgeries_changes_nothing(studio: Studio) -> None:
    speaker, stranger = studio.speaker(), studio.peer()
    listener = studio.listener(speaker)
    speaker.say(*map(frame, range(3)))
    await studio.settle()
    before = speaker.source.counters(), listener.sink.counters()
    forgeries = 100
    for n in range(forgeries):
        ssrc = VOICE if n % 2 else secrets.randbits(32)
        forged = wire(1000 + 500 * n, n, ssrc, secrets.token_bytes(100))
        speaker.send(forged)  # with the speaker's address
        stranger.send(forged)
        if n % 50 == 0:
            await studio.settle()
    await studio.settle()
    assert (speaker.source.counters(), listener.sink.counters()) == before
    assert studio.drops == {
        DropReason.SRTP_UNAUTHENTICATED: forgeries,
        DropReason.RTP_UNKNOWN_ADDRESS: forgeries,
    }
    speaker.say(frame(3))
    await studio.settle()
    assert heard(listener) == contiguous(0, 1, 2, 3)


# Counters.


async def test_what_came_is_forwarded_or_dropped(studio: Studio) -> None:
    speaker, stranger = studio.speaker(), studio.peer()
    listeners = [studio.listener(speaker) for _ in range(3)]
    first = speaker.protected(frame(0))
    for datagram in (first, first, b"\x80", b"\x80\x6f", STUN, bytes(MAX_DATAGRAM + 1)):
        speaker.send(datagram)
    stranger.send(frame(0))
    speaker.say(frame(1), build_rtp(RtpPacket(OPUS + 1, 1002, 480, VOICE, b"x")))
    await studio.settle()
    counters = studio.plane.counters()
    assert counters.datagrams_received == studio.sent == 9
    assert counters.rtp_packets_received == 6
    assert counters.packets_forwarded == 2 * len(listeners)
    assert counters.packets_forwarded == sum(len(listener.heard()) for listener in listeners)
    dropped = sum(counters.drops.values())
    passed_up = len(studio.control)
    assert 2 + dropped + passed_up == 9


async def test_a_source_that_nobody_heard_yet(studio: Studio) -> None:
    counters = studio.speaker().source.counters()
    assert (counters.packets, counters.payload_bytes, counters.packets_lost) == (0, 0, 0)
    assert (counters.ssrc, counters.received, counters.expected) == (None, 0, 0)
    assert counters.jitter == 0.0


async def test_a_sources_counters(studio: Studio) -> None:
    speaker = studio.speaker()
    speaker.say(*(frame(index, start=0xFFFE) for index in (0, 1, 4)))  # 2 and 3 are lost
    await studio.settle()
    counters = speaker.source.counters()
    assert (counters.packets, counters.payload_bytes, counters.packets_lost) == (3, 3, 2)
    assert (counters.ssrc, counters.received, counters.expected) == (VOICE, 3, 5)
    assert counters.highest_sequence == 0x10002
    assert counters.jitter > 0.0  # 100 ms of sound came at once


async def test_a_sources_counters_over_several_ssrcs(studio: Studio) -> None:
    speaker = studio.speaker()
    speaker.say(frame(0), frame(2), *(frame(index, ssrc=VOICE + 1) for index in (5, 6, 8, 9)))
    await studio.settle()
    counters = speaker.source.counters()
    assert (counters.packets, counters.payload_bytes, counters.packets_lost) == (6, 6, 2)
    assert (counters.ssrc, counters.received, counters.expected) == (VOICE + 1, 4, 5)
    assert counters.highest_sequence == 1009


async def test_a_sinks_counters(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    assert (listener.sink.counters().packets, listener.sink.counters().payload_bytes) == (0, 0)
    before = time.monotonic()
    speaker.say(frame(9), frame(10), frame(12))
    await studio.settle()
    counters = listener.sink.counters()
    assert (counters.packets, counters.payload_bytes) == (3, 5)
    assert counters.timestamp == int.from_bytes(listener.heard()[-1][4:8], "big")
    assert before - 0.001 <= counters.sent_at <= time.monotonic()


async def test_forward_latency_counts_what_was_forwarded(studio: Studio) -> None:
    speaker, stranger = studio.speaker(), studio.peer()
    stranger.send(frame(0))
    await studio.settle()
    assert studio.plane.counters().forward_latency.count == 0
    studio.listener(speaker)
    speaker.say(frame(0))
    await studio.settle()
    latency = studio.plane.counters().forward_latency
    assert latency.count == 1
    assert 0.0 < latency.median <= latency.maximum


# What is not RTP.


@pytest.mark.parametrize("host", [IPV4, IPV6])
@pytest.mark.parametrize(
    "datagram",
    [
        STUN,
        b"\x16\xfe\xfd" + bytes(20),
        b"\x80\xc9" + bytes(20),  # RTCP
        b"\x8f\xdf" + bytes(20),
        b"\xff" * 20,
        b"\x40\x00",
        bytes(MAX_DATAGRAM),
    ],
    ids=["STUN", "DTLS", "RTCP", "last RTCP type", "noise", "two bytes", "as long as can be"],
)
async def test_what_is_not_rtp_goes_up(studio: Studio, host: str, datagram: bytes) -> None:
    peer = studio.peer(host)
    peer.send(datagram)
    await studio.settle()
    assert studio.control == [(peer.path, datagram)]
    assert studio.drops == {}
    assert studio.plane.counters().rtp_packets_received == 0


async def test_control_keeps_its_order(studio: Studio) -> None:
    peers = [studio.peer(), studio.peer(IPV4)]
    for n in range(150):
        peers[n % 2].send(STUN + bytes([n]))
    await studio.settle()
    assert studio.control == [(peers[n % 2].path, STUN + bytes([n])) for n in range(150)]


@pytest.mark.parametrize("host", [IPV4, IPV6])
async def test_sending_what_is_not_media(studio: Studio, host: str) -> None:
    peer = studio.peer(host)
    studio.plane.send(peer.path, STUN)
    studio.plane.send(peer.path, b"")
    assert peer.udp.recvfrom(100)[0] == STUN
    data, sender = peer.udp.recvfrom(100)
    assert (data, Address(*sender[:2])) == (b"", studio.addresses[host])


async def test_sending_where_the_system_refuses(studio: Studio) -> None:
    peer = studio.peer()
    studio.plane.send(peer.path._replace(remote=Address(IPV4, 0)), STUN)
    assert studio.drops == {DropReason.SEND_FAILED: 1}


async def test_sending_by_an_address_that_is_not_ours(studio: Studio) -> None:
    peer = studio.peer()
    studio.plane.send(peer.path._replace(local=Address("192.0.2.1", 9)), STUN)
    assert peer.arrived() == []


# Sockets.


async def test_a_busy_port(studio: Studio) -> None:
    with pytest.raises(AddressError):
        studio.plane.open(studio.addresses[IPV4])
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(frame(0))
    await studio.settle()
    assert heard(listener) == contiguous(0)


async def test_closed_it_leaves_its_ports_and_does_nothing(
    implementation: Callable[[Control], MediaPlane],
) -> None:
    async with open_studio(implementation) as studio:
        peer, address = studio.peer(), studio.addresses[IPV4]
        studio.plane.close()
        studio.plane.close()  # once more changes nothing
        studio.plane.send(peer.path, STUN)
        studio.plane.unbind(peer.path)
        assert peer.arrived() == []
        other = implementation(lambda path, datagram: None)
        assert other.open(address) == address
        other.close()


# Of the plane in Python only.


async def test_a_packet_that_libsrtp_does_not_protect(monkeypatch: pytest.MonkeyPatch) -> None:
    """No input that is known makes it fail; it is counted all the same."""
    async with open_studio(PythonPlane) as studio:
        speaker = studio.speaker()
        listener = studio.listener(speaker)
        monkeypatch.setattr("relay.forward.protect", lambda *_: 1)
        speaker.say(frame(0))
        await studio.settle()
        assert studio.drops == {DropReason.SRTP_FAILED: 1}
        assert listener.heard() == []
        assert listener.sink.counters().packets == 0
