"""Pauses, restarts, switches and moves, of which a listener is to hear no more than silence."""

from __future__ import annotations

import pytest

from relay.sequence import ticks, timestamp_delta
from relay.stats import DropReason

from .media import (
    FRAME,
    IPV4,
    IPV6,
    STUN,
    VOICE,
    Studio,
    contiguous,
    frame,
    heard,
    red_frame,
    wire,
)


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
    """What came between may have been lost, so a pause it is."""
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(frame(0))
    await studio.settle()
    speaker.source.muted = True
    speaker.source.muted = False
    speaker.say(frame(1))
    await studio.settle()
    assert heard(listener) == contiguous(0) + contiguous(1, first=101, marked=1)


async def test_what_was_said_while_muted_is_not_heard_afterwards(studio: Studio) -> None:
    """All of it was lost, and is in the next packet's redundancy; or comes late, or once more."""
    speaker = studio.speaker(red=True, nack=True)
    listeners = [studio.listener(speaker), studio.listener(speaker, red=True)]
    speaker.say(frame(0))
    await studio.settle()
    speaker.source.muted = True
    said = [speaker.protected(frame(index)) for index in (1, 2)]
    speaker.source.muted = False
    speaker.say(red_frame(3, 2))
    for packet in said:
        speaker.send(packet)
    speaker.say(frame(4))
    await studio.settle()
    assert speaker.source.missing() == (VOICE, [])
    assert heard(listeners[0]) == contiguous(0) + contiguous(3, 4, first=101, marked=3)
    payloads = [packet[12:] for packet in listeners[1].heard()]
    assert payloads == [b"0", red_frame(3, 0)[12:], b"4"]
    assert studio.drops == {DropReason.RTP_STALE: 2}


@pytest.mark.parametrize("start", [0, 1000, 0x8000 + 1000, 0xFFFF])
async def test_a_new_ssrc_goes_on_where_the_old_one_stopped(studio: Studio, start: int) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(frame(0), frame(1))
    speaker.say(frame(7, ssrc=VOICE + 1, start=start), frame(8, ssrc=VOICE + 1, start=start))
    await studio.settle()
    assert heard(listener, 7) == contiguous(0, 1) + contiguous(7, 8, first=102, marked=7)
    assert speaker.source.counters().packets_lost == 0


async def test_a_packet_that_a_restart_overtook_is_late(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    overtaken = speaker.protected(frame(2))
    speaker.say(frame(0), frame(1), frame(7, ssrc=VOICE + 1))
    speaker.send(overtaken)
    speaker.say(frame(8, ssrc=VOICE + 1))
    await studio.settle()
    assert heard(listener, 7) == contiguous(0, 1) + contiguous(7, 8, first=102, marked=7)
    assert studio.drops == {DropReason.RTP_STALE: 1}


async def test_so_is_one_that_two_restarts_overtook(studio: Studio) -> None:
    """Were it a return to the first SSRC, the newest one's packets would be late ones for a second."""
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    overtaken = speaker.protected(frame(1))
    speaker.say(frame(0), frame(3, ssrc=VOICE + 1), frame(7, ssrc=VOICE + 2))
    speaker.send(overtaken)
    speaker.say(frame(8, ssrc=VOICE + 2))
    await studio.settle()
    expected = contiguous(0) + contiguous(3, first=101, marked=3)
    assert heard(listener, 3, 7) == expected + contiguous(7, 8, first=102, marked=7)
    assert studio.drops == {DropReason.RTP_STALE: 1}


async def test_a_return_to_the_ssrc_before_is_a_restart(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    for index, (ssrc, seconds) in enumerate([(VOICE, 0), (VOICE + 1, 1), (VOICE, 3)]):
        packet = speaker.protected(frame(index, ssrc=ssrc))
        studio.plane.inject(speaker.path, packet, studio.began + seconds)
    packets = await listener.hears(3)
    assert [packet[2:4] for packet in packets] == [b"\0\x64", b"\0\x65", b"\0\x66"]
    assert not studio.drops


async def test_a_new_ssrc_after_half_a_day(studio: Studio) -> None:
    """A pause of more ticks than a signed number of 32 bits holds."""
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    later = studio.began + 13 * 3600
    for ssrc, arrival in ((VOICE, studio.began), (VOICE + 1, later)):
        studio.plane.inject(speaker.path, speaker.protected(frame(0, ssrc=ssrc)), arrival)
    one, two = [int.from_bytes(packet[4:8], "big") for packet in await listener.hears(2)]
    assert two - one & 0xFFFFFFFF == ticks(later - studio.began)


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


@pytest.mark.parametrize("leap", [2**31 - FRAME, 2**31, 2**31 + FRAME, 2**32 - 1])
async def test_a_switch_to_whose_clock_leaps(studio: Studio, leap: int) -> None:
    """A leap back, as far as 32 bits tell, is no way for a listener's clock."""
    one, two = studio.speaker(), studio.speaker()
    listener = studio.listener()
    now = studio.began
    for index, (speaker, timestamp) in enumerate([(one, 0), (two, 0), (two, leap + FRAME)]):
        if index != 1:
            studio.attach(listener, speaker, now)
        packet = speaker.protected(wire(index, timestamp, VOICE))
        studio.plane.inject(speaker.path, packet, now)
    first, second = await listener.hears(2)
    step = int.from_bytes(second[4:8], "big") - int.from_bytes(first[4:8], "big")
    assert step % 2**32 == max(FRAME, timestamp_delta(leap + FRAME, 0))
