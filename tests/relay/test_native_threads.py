"""Several native threads: packets cross from a speaker's thread to a listener's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relay.address import Address
from relay.native import AVAILABLE, NativePlane
from relay.plane import Control

from .media import FRAME, IPV4, IPV6, VOICE, Studio, contiguous, frame, heard, open_studio, wire

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="the native plane was not built")


class TwoThreads(NativePlane):
    """IPv4 on one thread, IPv6 on another."""

    def __init__(self, control: Control) -> None:
        super().__init__(control, threads=2)

    def open(self, address: Address, thread: int = 0) -> Address:
        return super().open(address, 1 if ":" in address.host else 0)


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with open_studio(TwoThreads) as opened:
        yield opened


def numbers(packets: list[bytes]) -> list[int]:
    return [int.from_bytes(packet[2:4], "big") for packet in packets]


async def test_listeners_on_both_threads_hear_the_same(studio: Studio) -> None:
    speaker = studio.speaker(IPV4)
    near = studio.listener(speaker, IPV4)
    far = [studio.listener(speaker, IPV6, ssrc=7 + n) for n in range(3)]
    speaker.say(*map(frame, range(50)))
    for listener in (near, *far):
        packets = await listener.hears(50)
        assert numbers(packets) == list(range(100, 150))
        assert [packet[12:] for packet in packets] == [b"%d" % index for index in range(50)]
    assert studio.plane.counters().packets_forwarded == 200
    assert not studio.drops


async def test_a_listener_follows_a_speaker_of_either_thread(studio: Studio) -> None:
    speakers = [studio.speaker(IPV4), studio.speaker(IPV6)]
    listener = studio.listener(host=IPV6)
    expected = []
    for turn in range(6):
        studio.attach(listener, speakers[turn % 2])
        for speaker in speakers:
            speaker.say(frame(2 * turn), frame(2 * turn + 1))
        await studio.settle()  # the other speaker's packets are gone before it is followed
        packets = await listener.hears(2)
        assert [packet[12:] for packet in packets] == [b"%d" % (2 * turn), b"%d" % (2 * turn + 1)]
        expected += numbers(packets)
    assert expected == list(range(100, 112))


async def test_a_switch_under_way_leaves_no_gap(studio: Studio) -> None:
    """What still waits for the listener's thread when it turns to another speaker is not counted."""
    one, two = studio.speaker(IPV4), studio.speaker(IPV4)
    listener = studio.listener(one, IPV6)
    for turn in range(100):
        one.say(frame(turn))
        two.say(frame(turn))
        studio.attach(listener, (one, two)[turn % 2])
    last = studio.listener(two, IPV6, ssrc=9)
    studio.attach(listener, two)
    two.say(frame(100))
    await last.hears(1)
    heard_numbers = numbers(await listener.hears(1))
    assert heard_numbers == list(range(100, 100 + len(heard_numbers)))


async def test_speakers_and_listeners_come_and_go_under_load(studio: Studio) -> None:
    speaker = studio.speaker(IPV4)
    stays = studio.listener(speaker, IPV6)
    for turn in range(100):
        visitor = studio.speaker(IPV4)
        guest = studio.listener(visitor, IPV6, ssrc=11)
        visitor.say(frame(0), frame(1))
        speaker.say(frame(turn))
        del visitor.source, guest.sink
    packets = await stays.hears(100)
    assert numbers(packets) == list(range(100, 200))


async def test_numbers_that_belong_together_are_read_together(studio: Studio) -> None:
    speaker = studio.speaker(IPV4)
    near, far = (studio.listener(speaker, host) for host in (IPV4, IPV6))
    payload = bytes(50)
    for index in range(100):
        speaker.say(wire(index, FRAME * index, VOICE, payload))
        for counters in (
            speaker.source.counters(),
            near.sink.counters(),
            far.sink.counters(),
        ):
            assert counters.payload_bytes == len(payload) * counters.packets
    for listener in (near, far):
        await listener.hears(100)
        assert listener.sink.counters().packets == 100


async def test_the_same_thread_has_no_inbox(studio: Studio) -> None:
    speaker = studio.speaker(IPV6)
    listener = studio.listener(speaker, IPV6)
    speaker.say(*map(frame, range(3)))
    await studio.settle()
    assert heard(listener) == contiguous(0, 1, 2)


async def test_a_sink_stays_on_its_thread(studio: Studio) -> None:
    listener = studio.listener(host=IPV6)
    with pytest.raises(ValueError, match="stays on its thread"):
        studio.plane.direct(listener.sink, studio.peer(IPV4).path)
