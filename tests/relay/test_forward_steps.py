"""Steps in a listener's sequence numbers that are longer than SRTP can tell.

It reckons with 16 bits and a count of turns on either side (RFC 3711 §3.3.1): a step of more than 32,767
leads back to an index that was used, and two packets under one give the key away. A publisher's steps are
never longer; those of a listener who could not be sent to for a while may be.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Callable

import pytest

from relay.native import AVAILABLE
from relay.plane import Control, MediaPlane
from relay.srtp import function_address, protect
from relay.stats import DropReason

from .media import IPV4, IPV6, PLANES, Listener, Studio, frame, open_studio, until
from .test_forward_nack import arrived
from .test_native_threads import TwoThreads

ALL_PLANES: dict[str, Callable[[Control], MediaPlane]] = dict(PLANES)
if AVAILABLE:
    ALL_PLANES["native, two threads"] = TwoThreads

Transform = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


class Protector:
    """Stands in the place of `srtp_protect`. fails: whether it refuses; open: it waits for this, with
    packets of the SSRC `waits`, or with all if that is None. held: set once it waits. alternation: waits,
    too, with packets of its SSRCs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fails = False
        self.waits: int | None = None
        self.open = threading.Event()
        self.open.set()
        self.held = threading.Event()
        self.alternation: Alternation | None = None
        self._real = Transform(function_address("srtp_protect"))
        self._callback = Transform(self._protect)
        address = ctypes.cast(self._callback, ctypes.c_void_p).value

        def addressed(name: str) -> int:
            return address or 0 if name == "srtp_protect" else function_address(name)

        monkeypatch.setattr("relay.native.function_address", addressed)
        monkeypatch.setattr(
            "relay.fan.protect", lambda *given: 1 if self.fails else protect(*given)
        )

    def _protect(self, context: int, packet: int, length: int) -> int:
        ssrc = int.from_bytes(ctypes.string_at(packet + 8, 4), "big")
        if self.waits in (None, ssrc) and not self.open.is_set():
            self.held.set()
            self.open.wait(60)
        if self.alternation is not None and ssrc in self.alternation.rounds:
            self.alternation.wait(ssrc)
        return 1 if self.fails else int(self._real(context, packet, length))


@pytest.fixture
def protector(monkeypatch: pytest.MonkeyPatch) -> Protector:
    return Protector(monkeypatch)


async def numbers(listener: Listener, count: int) -> list[int]:
    return [int.from_bytes(packet[2:4], "big") for packet in await listener.hears(count)]


@pytest.mark.parametrize("plane", ALL_PLANES)
@pytest.mark.parametrize(
    ("jumps", "expected"), [((16_000, 16_000), 32_100), ((20_000, 20_000), 101)]
)
async def test_after_packets_that_could_not_be_protected(
    protector: Protector, plane: str, jumps: tuple[int, int], expected: int
) -> None:
    """A step that can be told is a loss, as it should be; one that cannot is none."""
    async with open_studio(ALL_PLANES[plane]) as studio:
        speaker = studio.speaker(IPV4)
        listener = studio.listener(speaker, IPV6, nack=True)
        speaker.say(frame(0))
        assert await numbers(listener, 1) == [100]
        protector.fails = True
        speaker.say(frame(jumps[0]))
        await until(lambda: studio.drops == {DropReason.PROTECT_FAILED: 1})
        protector.fails = False
        speaker.say(frame(sum(jumps)), frame(sum(jumps) + 1))
        assert await numbers(listener, 2) == [expected, expected + 1]
        assert studio.plane.retransmit(listener.sink, [expected + 1]) == 1
        assert len(await arrived(listener, 1)) == 1
        assert studio.drops == {DropReason.PROTECT_FAILED: 1}


@pytest.mark.parametrize("plane", PLANES)
async def test_after_a_move_what_was_heard_before_counts(protector: Protector, plane: str) -> None:
    """It goes by another socket, and the first packet there cannot be protected."""
    async with open_studio(PLANES[plane]) as studio:
        speaker, elsewhere = studio.speaker(IPV4), studio.peer(IPV6)
        listener = studio.listener(speaker, IPV4)
        speaker.say(frame(0), frame(20_000), frame(40_000))
        assert await numbers(listener, 3) == [100, 20_100, 40_100]
        studio.plane.direct(listener.sink, elsewhere.path)
        protector.fails = True
        speaker.say(frame(40_001))
        await until(lambda: studio.drops == {DropReason.PROTECT_FAILED: 1})
        protector.fails = False
        speaker.say(frame(40_002))
        found: list[bytes] = []

        def came() -> bool:
            found.extend(elsewhere.arrived())
            return bool(found)

        await until(came)
        assert listener.unprotected(found[0])[2:4] == (40_102).to_bytes(2, "big")


@pytest.mark.parametrize("plane", PLANES)
async def test_a_switch_after_packets_that_could_not_be_protected(
    protector: Protector, plane: str
) -> None:
    async with open_studio(PLANES[plane]) as studio:
        speaker, other = studio.speaker(), studio.speaker()
        listener = studio.listener(speaker, nack=True)
        speaker.say(frame(0))
        assert await numbers(listener, 1) == [100]
        protector.fails = True
        speaker.say(frame(20_000), frame(40_000))
        await until(lambda: studio.drops == {DropReason.PROTECT_FAILED: 2})
        protector.fails = False
        assert studio.plane.retransmit(listener.sink, [101]) == 0
        studio.attach(listener, other)
        other.say(frame(0))
        assert await numbers(listener, 1) == [101]


@pytest.mark.skipif(not AVAILABLE, reason="the native plane was not built")
async def test_after_the_inbox_of_a_native_thread_was_full(protector: Protector) -> None:
    """The listener's thread stands still while its publisher jumps twice."""
    async with open_studio(TwoThreads) as studio:
        speaker = studio.speaker(IPV4)
        listener = studio.listener(speaker, IPV6)
        speaker.say(frame(0))
        assert await numbers(listener, 1) == [100]
        protector.open.clear()
        try:
            index = 0
            while not studio.drops:
                index += 1
                speaker.say(frame(index))
                if index % 64 == 0:
                    await studio_took(studio, index + 1)
            assert set(studio.drops) == {DropReason.INBOX_FULL}
            last = index + 20_000
            speaker.say(frame(last))
            await studio_took(studio, index + 2)
        finally:
            protector.open.set()
        kept = (
            index + 1 - studio.drops[DropReason.INBOX_FULL]
        )  # of those before the jumps, and the jump
        await until(lambda: listener.sink.counters().packets == 1 + kept)
        listener.arrived()  # its own buffer is smaller than that
        speaker.say(frame(last + 20_000))
        (packet,) = await arrived(listener, 1)
        assert int.from_bytes(packet[2:4], "big") == 100 + kept + 1


async def studio_took(studio: Studio, count: int) -> None:
    await until(lambda: studio.plane.counters().rtp_packets_accepted >= count)


@pytest.mark.skipif(not AVAILABLE, reason="the native plane was not built")
async def test_a_thread_that_is_busy_holds_up_no_other(protector: Protector) -> None:
    """Who attaches a listener of the one to a publisher of the other has to wait; media has not."""
    async with open_studio(TwoThreads) as studio:
        speaker = studio.speaker(IPV4)
        near, _ = studio.listener(speaker, IPV4, ssrc=1), studio.listener(speaker, IPV6, ssrc=2)
        late = studio.listener(None, IPV6, ssrc=3)
        begun = threading.Event()

        def attach() -> None:
            begun.set()
            studio.attach(late, speaker)

        protector.waits = 2
        protector.open.clear()
        try:
            speaker.say(frame(0))
            assert await numbers(near, 1) == [100]
            await until(protector.held.is_set)
            attaching = asyncio.create_task(asyncio.to_thread(attach))
            await until(begun.is_set)
            for index in range(1, 100):
                speaker.say(frame(index))
                assert await numbers(near, 1) == [100 + index]
            assert not attaching.done()
        finally:
            protector.open.set()
        await attaching
        speaker.say(frame(100))
        assert await numbers(late, 1) == [100]


class Alternation:
    """Makes two threads protect by turns: neither ends a packet before the other is at its next one, so one
    of the two is always busy. rounds: how many packets each has begun, by the SSRC."""

    def __init__(self, first: int, second: int) -> None:
        self.rounds = {first: 0, second: 0}
        self._first, self._second = first, second
        self._turn = threading.Condition()
        self._is_over = False

    def wait(self, ssrc: int) -> None:
        """Until it is this one's turn to go on; once that took too long, no one waits any more."""
        other, ahead = (self._second, 0) if ssrc == self._first else (self._first, 1)
        with self._turn:
            self.rounds[ssrc] += 1
            self._turn.notify_all()
            goal = self.rounds[ssrc] + ahead
            if not self._turn.wait_for(lambda: self._is_over or self.rounds[other] >= goal, 2):
                self._is_over = True

    def end(self) -> None:
        """No one waits any more."""
        with self._turn:
            self._is_over = True
            self._turn.notify_all()


@pytest.mark.skipif(not AVAILABLE, reason="the native plane was not built")
async def test_two_busy_threads_keep_nobody_out(protector: Protector) -> None:
    """Whoever wants both finds one of them busy each time that the other lets it in."""
    async with open_studio(TwoThreads) as studio:
        one, two = studio.speaker(IPV4), studio.speaker(IPV6)
        studio.listener(one, IPV4, ssrc=1)
        studio.listener(two, IPV6, ssrc=2)
        late = studio.listener(None, IPV6, ssrc=3)
        protector.alternation = alternation = Alternation(1, 2)
        attaching: asyncio.Task[None] | None = None
        try:
            index = 0
            while attaching is None or not attaching.done():
                assert index < 1_000
                if index - min(alternation.rounds.values()) < 40:
                    one.say(frame(index))
                    two.say(frame(index))
                    index += 1
                if attaching is None and index == 20:
                    attaching = asyncio.create_task(asyncio.to_thread(studio.attach, late, one))
                await asyncio.sleep(0)
        finally:
            alternation.end()
        await attaching
