"""Redundant audio through a media plane: passed on, unwrapped, and put in the place of what was lost."""

from __future__ import annotations

import pytest

from relay.rtp import RtpPacket, build_rtp
from relay.stats import DropReason

from .media import (
    AUDIO_LEVEL,
    FRAME,
    RED,
    VOICE,
    Listener,
    Studio,
    contiguous,
    frame,
    heard,
    red_frame,
    red_payload,
)
from .test_forward_nack import arrived


def is_red(listener: Listener) -> list[bool]:
    return [packet[1] & 0x7F == RED for packet in listener.heard()]


async def test_who_knows_it_gets_it_and_others_get_opus(studio: Studio) -> None:
    speaker = studio.speaker(red=True)
    plain, red = studio.listener(speaker), studio.listener(speaker, red=True)
    speaker.say(red_frame(0, 0), red_frame(1), red_frame(2, 2))
    await studio.settle()
    assert heard(plain) == contiguous(0, 1, 2)
    payloads = [packet[12:] for packet in red.heard()]
    assert payloads == [red_frame(index, older)[12:] for index, older in ((0, 0), (1, 1), (2, 2))]
    counted = plain.sink.counters(), red.sink.counters()
    assert [(c.packets, c.payload_bytes) for c in counted] == [(3, 3), (3, sum(map(len, payloads)))]
    assert speaker.source.counters().payload_bytes == sum(map(len, payloads))


async def test_a_speaker_may_change_between_both(studio: Studio) -> None:
    speaker = studio.speaker(red=True)
    plain, red = studio.listener(speaker), studio.listener(speaker, red=True)
    speaker.say(frame(0), red_frame(1), frame(2))
    await studio.settle()
    assert heard(plain) == contiguous(0, 1, 2)
    assert is_red(red) == [False, True, False]


async def test_the_audio_level_and_the_marker_stay(studio: Studio) -> None:
    speaker = studio.speaker(red=True)
    plain, red = studio.listener(speaker), studio.listener(speaker, red=True)
    speaker.say(frame(0))
    payload = red_payload(b"new", (FRAME, b"old"))
    packet = RtpPacket(RED, 1001, 48_000 + FRAME, VOICE, payload, True, (), (AUDIO_LEVEL,))
    speaker.say(build_rtp(packet))
    await studio.settle()
    block = bytes.fromhex("bede0001 109e0000")
    for listener, payload_type, inside in ((plain, 111, b"new"), (red, RED, payload)):
        _, packet_heard = listener.heard()
        assert packet_heard[:2] == bytes((0x90, 0x80 | payload_type))
        assert packet_heard[12:] == block + inside
    assert speaker.source.levels()[1] == 1


@pytest.mark.parametrize("redundancy", [1, 2])
async def test_what_was_lost_comes_from_what_follows(studio: Studio, redundancy: int) -> None:
    speaker = studio.speaker(red=True)
    plain, red = studio.listener(speaker), studio.listener(speaker, red=True)
    lost = range(3, 3 + redundancy)
    speaker.say(*(red_frame(n, redundancy) for n in range(10) if n not in lost))
    await studio.settle()
    assert heard(plain) == contiguous(*range(10))
    assert len(red.heard()) == 10 - redundancy
    counters = speaker.source.counters()
    assert (counters.recovered, counters.packets_lost) == (redundancy, redundancy)
    assert studio.plane.counters().packets_recovered == redundancy


async def test_a_longer_gap_stays_where_it_cannot_be_filled(studio: Studio) -> None:
    speaker = studio.speaker(red=True)
    plain = studio.listener(speaker)
    speaker.say(red_frame(0), red_frame(4))
    await studio.settle()
    assert heard(plain) == [(100, True, 0), (103, False, 3), (104, False, 4)]


async def test_what_comes_after_it_was_restored_is_dropped(studio: Studio) -> None:
    """Under its number another packet went out: the two must never be encrypted alike."""
    speaker = studio.speaker(red=True)
    listeners = [
        studio.listener(speaker, red=red, nack=nack)
        for red in (False, True)
        for nack in (False, True)
    ]
    packets = [speaker.protected(red_frame(n)) for n in range(4)]
    for index in (0, 2, 1, 3):
        speaker.send(packets[index])
    await studio.settle()
    for listener in listeners[:2]:
        assert heard(listener) == contiguous(0, 1, 2, 3)
    for listener in listeners[2:]:
        assert len(listener.heard()) == 3
    assert studio.drops == {DropReason.RTP_REDUNDANT: 1}


async def test_late_packets_that_nothing_stood_in_for_pass(studio: Studio) -> None:
    speaker = studio.speaker(red=True)
    plain = studio.listener(speaker)
    packets = [speaker.protected(red_frame(n)) for n in range(5)]
    for index in (0, 3, 1, 4):
        speaker.send(packets[index])
    await studio.settle()
    assert [number for number, _, _ in heard(plain)] == [100, 102, 103, 101, 104]


async def test_nothing_is_restored_from_before_a_pause(studio: Studio) -> None:
    speaker = studio.speaker(red=True)
    plain = studio.listener(speaker)
    speaker.say(red_frame(0))
    await studio.settle()
    speaker.source.muted = True
    speaker.say(red_frame(1))
    await studio.settle()
    speaker.source.muted = False
    speaker.say(red_frame(3), red_frame(4))
    await studio.settle()
    assert [(n, i) for n, _, i in heard(plain)] == [(100, 0), (101, 3), (102, 4)]
    assert speaker.source.counters().recovered == 0


async def test_redundancy_does_not_tell_what_was_said_while_muted(studio: Studio) -> None:
    """The packets behind a pause hold the frames before them once more, and those were not to be heard."""
    speaker = studio.speaker(red=True)
    plain, red = studio.listener(speaker), studio.listener(speaker, red=True, nack=True)
    speaker.say(red_frame(0, 0))
    await studio.settle()
    speaker.source.muted = True
    speaker.say(red_frame(1, 2), red_frame(2, 2))
    await studio.settle()
    speaker.source.muted = False
    speaker.say(*(red_frame(index, 2) for index in range(3, 6)))
    await studio.settle()
    assert heard(plain) == contiguous(0) + contiguous(3, 4, 5, first=101, marked=3)
    protected = red.arrived()
    assert studio.plane.retransmit(red.sink, [101, 102]) == 2
    assert await arrived(red, 2) == protected[1:3]
    packets = [red.unprotected(datagram) for datagram in protected]
    assert [packet[1] for packet in packets] == [RED | 0x80, RED | 0x80, RED, RED]
    expected = [red_frame(*numbers)[12:] for numbers in ((0, 0), (3, 0), (4, 1), (5, 2))]
    assert [packet[12:] for packet in packets] == expected
    assert red.sink.counters().payload_bytes == sum(map(len, [*expected, *expected[1:3]]))


@pytest.mark.parametrize("redundancy", [2, 3, 4])
async def test_what_was_lost_right_behind_a_pause_is_in_what_follows(
    studio: Studio, redundancy: int
) -> None:
    """Only those blocks are left out that hold what was said before."""
    speaker = studio.speaker(red=True)
    plain, red = studio.listener(speaker), studio.listener(speaker, red=True, nack=True)
    speaker.say(red_frame(0, 0))
    await studio.settle()
    speaker.source.muted = True
    speaker.say(*(red_frame(index, 1) for index in range(1, 6)))
    await studio.settle()
    speaker.source.muted = False
    speaker.say(*(red_frame(index, redundancy) for index in (6, 8)))
    await studio.settle()
    assert heard(plain) == contiguous(0) + contiguous(6, 7, 8, first=101, marked=6)
    protected = red.arrived()
    payloads = [red.unprotected(datagram)[12:] for datagram in protected]
    assert payloads == [red_frame(*numbers)[12:] for numbers in ((0, 0), (6, 0), (8, 2))]
    assert studio.plane.retransmit(red.sink, [101, 103]) == 2
    assert await arrived(red, 2) == protected[1:]


async def test_who_comes_later_hears_nothing_from_before(studio: Studio) -> None:
    speaker = studio.speaker(red=True)
    speaker.say(red_frame(0))
    await studio.settle()
    late = studio.listener(speaker)
    speaker.say(red_frame(2))
    await studio.settle()
    assert heard(late) == [(100, True, 1), (101, False, 2)]


async def test_red_that_was_not_negotiated(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker, red=True)
    speaker.say(red_frame(0))
    await studio.settle()
    assert listener.heard() == []
    assert studio.drops == {DropReason.RTP_UNKNOWN_PAYLOAD_TYPE: 1}


async def test_malformed_red(studio: Studio) -> None:
    speaker = studio.speaker(red=True)
    listeners = [studio.listener(speaker), studio.listener(speaker, red=True)]
    spoilt = red_frame(0)[:12] + bytes.fromhex("ef 0f03ff 6f 00")
    speaker.say(spoilt, red_frame(1))
    await studio.settle()
    assert studio.drops == {DropReason.RED_MALFORMED: 1}
    assert [len(listener.heard()) for listener in listeners] == [1, 1]


@pytest.mark.parametrize(("jump", "recovered"), [(100, 1), (1000, 0)])
async def test_a_jump_far_ahead_is_no_loss(studio: Studio, jump: int, recovered: int) -> None:
    """What was restored before a jump could make two steps of one that SRTP's 16 bits do not tell."""
    speaker = studio.speaker(red=True)
    plain, red = studio.listener(speaker), studio.listener(speaker, red=True)
    speaker.say(frame(0), red_frame(jump))
    await studio.settle()
    assert speaker.source.counters().recovered == recovered
    assert len(plain.heard()) == 2 + recovered
    assert len(red.heard()) == 2
