"""Lost packets through a media plane: sent again to who asks, and told of when a speaker left them out.

A packet that goes out twice must be the same datagram to the last bit: two texts under one sequence number
give AES-GCM's key of authentication away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from relay.history import HISTORY_PACKETS, MAX_KEPT_LENGTH
from relay.native import AVAILABLE
from relay.plane import MISSING_WINDOW, Control, MediaPlane
from relay.srtp import PROFILES, SrtpProfile

from .media import (
    AUDIO_LEVEL,
    FRAME,
    IPV6,
    PLANES,
    VOICE,
    Listener,
    Studio,
    frame,
    full_send_buffer,
    open_studio,
    red_frame,
    until,
    wire,
)
from .test_native_threads import TwoThreads

ALL_PLANES: dict[str, Callable[[Control], MediaPlane]] = dict(PLANES)
if AVAILABLE:
    ALL_PLANES["native, two threads"] = TwoThreads


@pytest.fixture(params=ALL_PLANES)
async def studio(request: pytest.FixtureRequest) -> AsyncIterator[Studio]:
    """With two threads a listener at IPV6 is on another one than a speaker."""
    async with open_studio(ALL_PLANES[request.param]) as opened:
        yield opened


async def arrived(listener: Listener, count: int) -> list[bytes]:
    """Datagrams as they came, still protected."""
    found: list[bytes] = []

    def enough() -> bool:
        found.extend(listener.arrived())
        return len(found) >= count

    await until(enough)
    return found


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: str(profile.name))
async def test_a_packet_comes_again_just_as_it_was(studio: Studio, profile: SrtpProfile) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker, IPV6, profile, nack=True)
    speaker.say(*(frame(n) for n in range(5)))
    first = await arrived(listener, 5)
    assert studio.plane.retransmit(listener.sink, [102, 100, 104, 102]) == 4
    assert await arrived(listener, 4) == [first[2], first[0], first[4], first[2]]
    counters = listener.sink.counters()
    assert (counters.packets, counters.payload_bytes, counters.retransmitted) == (9, 9, 4)
    await studio.settle()
    totals = studio.plane.counters()
    assert (totals.packets_forwarded, totals.packets_retransmitted) == (9, 4)


@pytest.mark.parametrize("red", [False, True])
async def test_so_do_redundant_audio_and_what_was_restored_from_it(
    studio: Studio, red: bool
) -> None:
    speaker = studio.speaker(red=True)
    listener = studio.listener(speaker, IPV6, red=red, nack=True)
    numbers = [100, 101, 103] if red else [100, 101, 102, 103]
    speaker.say(red_frame(0), frame(1), red_frame(3))
    first = await arrived(listener, len(numbers))
    assert studio.plane.retransmit(listener.sink, numbers) == len(numbers)
    assert await arrived(listener, len(numbers)) == first


async def test_so_does_the_first_after_a_change_of_speakers(studio: Studio) -> None:
    """Its marker and its timestamp are not those that the speaker wrote."""
    speakers = [studio.speaker(), studio.speaker()]
    listener = studio.listener(speakers[0], IPV6, nack=True)
    speakers[0].say(frame(0))
    first = await arrived(listener, 1)
    studio.attach(listener, speakers[1])
    speakers[1].say(*(frame(n) for n in range(3)))
    first += await arrived(listener, 3)
    assert studio.plane.retransmit(listener.sink, [103, 102, 101]) == 3
    assert await arrived(listener, 3) == first[:0:-1]
    # What came from the other speaker is out of reach, and its number is nobody else's.
    assert studio.plane.retransmit(listener.sink, [100]) == 0


async def test_so_does_a_packet_with_a_level_and_over_a_wrap(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker, IPV6, sequence=0xFFFE, nack=True)
    level = AUDIO_LEVEL[1][0]
    speaker.say(*(wire(n, FRAME * n, VOICE, b"opus", level=level) for n in range(4)))
    first = await arrived(listener, 4)
    assert studio.plane.retransmit(listener.sink, [0xFFFF, 0, 1, 2]) == 4
    assert await arrived(listener, 4) == first


async def test_what_is_not_there_is_not_sent(studio: Studio) -> None:
    speaker = studio.speaker()
    early, late = (studio.listener(speaker, IPV6, nack=True) for _ in range(2))
    assert studio.plane.retransmit(early.sink, [99, 100]) == 0  # nothing was sent yet
    count = HISTORY_PACKETS + 10
    for n in range(count):
        speaker.say(frame(n))
        if n % 32 == 0:
            await studio.settle()
    await arrived(early, count)
    await arrived(late, count)
    other = studio.listener(speaker, IPV6, nack=True)
    assert studio.plane.retransmit(other.sink, [98, 99, 100]) == 0
    last = 100 + count - 1
    assert studio.plane.retransmit(early.sink, [last - HISTORY_PACKETS, last + 1, 99, 0]) == 0
    assert studio.plane.retransmit(early.sink, [last - HISTORY_PACKETS + 1]) == 1
    await arrived(early, 1)
    early.sink.detach()
    assert studio.plane.retransmit(early.sink, [last]) == 0


async def test_who_did_not_negotiate_it_gets_nothing_again(studio: Studio) -> None:
    speaker = studio.speaker(nack=True)
    listener = studio.listener(speaker, IPV6)
    speaker.say(frame(0))
    await arrived(listener, 1)
    assert studio.plane.retransmit(listener.sink, [100]) == 0


async def test_a_long_packet_is_not_kept(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker, IPV6, nack=True)
    for number, length in enumerate((MAX_KEPT_LENGTH, MAX_KEPT_LENGTH + 1)):
        speaker.say(wire(number, FRAME * number, VOICE, bytes(length - 12)))
    await arrived(listener, 2)
    assert studio.plane.retransmit(listener.sink, [100]) == 1
    assert studio.plane.retransmit(listener.sink, [101]) == 0


async def test_it_goes_where_the_listener_is_by_now(studio: Studio) -> None:
    speaker = studio.speaker()
    listener, elsewhere = studio.listener(speaker, IPV6, nack=True), studio.peer(IPV6)
    speaker.say(frame(0))
    first = await arrived(listener, 1)
    studio.plane.direct(listener.sink, elsewhere.path)
    assert studio.plane.retransmit(listener.sink, [100]) == 1
    await until(lambda: elsewhere.arrived() == first)


async def test_a_full_send_buffer_is_counted(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker, IPV6, nack=True)
    speaker.say(frame(0))
    await arrived(listener, 1)
    await studio.settle()
    with full_send_buffer(studio.addresses[IPV6]):
        studio.plane.retransmit(listener.sink, [100])
        assert sum(studio.drops.values()) == 1


async def test_a_gap_is_told_once_until_somebody_looks(studio: Studio) -> None:
    speaker = studio.speaker(nack=True)
    assert speaker.source.missing() == (None, [])
    speaker.say(frame(0), frame(1))
    await studio.settle()
    assert speaker.gaps == 0
    speaker.say(frame(3), frame(6))
    await until(lambda: speaker.gaps == 1)
    await studio.settle()
    assert speaker.gaps == 1
    assert speaker.source.missing() == (VOICE, [1002, 1004, 1005])
    speaker.say(frame(8))
    await until(lambda: speaker.gaps == 2)
    assert speaker.source.missing() == (VOICE, [1002, 1004, 1005, 1007])


async def test_what_came_late_is_heard_and_not_missing_any_more(studio: Studio) -> None:
    speaker = studio.speaker(nack=True)
    listener = studio.listener(speaker, IPV6)
    packets = [speaker.protected(frame(n)) for n in range(4)]
    for index in (0, 3, 1):
        speaker.send(packets[index])
    numbers = [int.from_bytes(packet[2:4], "big") for packet in await listener.hears(3)]
    assert numbers == [100, 103, 101]
    await until(lambda: speaker.gaps == 1)
    assert speaker.source.missing() == (VOICE, [1002])


async def test_only_the_latest_are_missing(studio: Studio) -> None:
    speaker = studio.speaker(nack=True)
    speaker.say(frame(0), frame(1000))
    await until(lambda: speaker.gaps == 1)
    _, missing = speaker.source.missing()
    assert missing == [2000 - back for back in range(MISSING_WINDOW, 0, -1)]


async def test_nothing_is_missing_over_a_pause_or_a_restart(studio: Studio) -> None:
    speaker = studio.speaker(nack=True)
    speaker.say(frame(0))
    await studio.settle()
    speaker.source.muted = True
    speaker.say(frame(1), frame(2))
    await studio.settle()
    assert speaker.source.missing() == (VOICE, [])
    speaker.source.muted = False
    speaker.say(frame(9))
    speaker.say(frame(0, ssrc=VOICE + 1), frame(1, ssrc=VOICE + 1))
    await studio.settle()
    assert speaker.source.missing() == (VOICE + 1, [])
    assert speaker.gaps == 0


async def test_what_was_restored_is_not_missing(studio: Studio) -> None:
    speaker = studio.speaker(red=True, nack=True)
    speaker.say(red_frame(0), red_frame(2), red_frame(5))
    await until(lambda: speaker.gaps == 1)
    assert speaker.source.missing() == (VOICE, [1003])
