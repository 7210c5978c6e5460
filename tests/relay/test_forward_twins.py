"""The same random play on every media plane, under the same keys: what leaves is equal to the last bit, and
so is what is counted.

Beside what `test_forward_properties.py` plays against a model there are redundant audio (also broken),
packets that are sent again and asked for, jumps of any size, and returns to an SSRC.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.native import AVAILABLE
from relay.rtp import RtpPacket, build_rtp
from relay.sequence import extend_sequence
from relay.srtp import PROFILES, SrtpKeys

from .media import (
    FRAME,
    IPV4,
    IPV6,
    OPUS,
    PLANES,
    RED,
    Listener,
    Speaker,
    Studio,
    open_studio,
    random_keys,
    red_payload,
    until,
)
from .test_native_threads import TwoThreads

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="the native plane was not built")

HOSTS = (IPV4, IPV6)
LEVELS = (None, b"\x9e", b"\x0a", b"\xff", b"\x46")


class Frame(NamedTuple):
    """fate: sent, lost, twice, late (after the others of its step) or later (after those of the next).
    older: bytes of the redundant blocks, oldest first; None: plain Opus. raw: a payload as it is, in their
    place."""

    fate: str = "sent"
    payload: bytes = b"new"
    older: tuple[bytes, ...] | None = None
    raw: bytes | None = None
    payload_type: int | None = None
    level: int = 0


class Say(NamedTuple):
    speaker: int
    frames: list[Frame]


class Jump(NamedTuple):
    """The speaker leaves out so many sequence numbers; it may go back."""

    speaker: int
    packets: int


class Restart(NamedTuple):
    """The speaker goes on under another SSRC of a few."""

    speaker: int
    ssrc: int
    sequence: int
    timestamp: int


class Mute(NamedTuple):
    speaker: int
    muted: bool


class Stage(NamedTuple):
    """Enter the stage of one seat, or give the seat back."""

    speaker: int
    enters: bool


class Wait(NamedTuple):
    milliseconds: int


class Missing(NamedTuple):
    speaker: int


class Join(NamedTuple):
    speaker: int
    host: int
    profile: int
    sequence: int
    timestamp: int
    red: bool
    nack: bool


class Switch(NamedTuple):
    """speaker: None: it follows nobody any more."""

    listener: int
    speaker: int | None


class Again(NamedTuple):
    """Ask for packets once more. back: from the latest that the listener got."""

    listener: int
    back: list[int]


speakers, listeners = st.integers(0, 1), st.integers(0, 3)
frames = st.builds(
    Frame,
    st.sampled_from(["sent", "sent", "sent", "sent", "lost", "twice", "late", "later"]),
    st.one_of(st.binary(max_size=6), st.just(bytes(520))),
    st.one_of(
        st.none(),
        st.lists(st.binary(max_size=4), max_size=5).map(tuple),
        st.just((b"old",)),
    ),
    st.one_of(st.none(), st.none(), st.none(), st.binary(max_size=12)),
    st.one_of(st.none(), st.none(), st.none(), st.sampled_from([OPUS, RED, OPUS + 1])),
    st.integers(0, len(LEVELS) - 1),
)
sequences = st.one_of(st.integers(0, 0xFFFF), st.integers(0xFFF0, 0xFFFF), st.integers(0, 3))
timestamps = st.one_of(st.integers(0, 2**32 - 1), st.integers(2**32 - 5 * FRAME, 2**32 - 1))
says = st.builds(Say, speakers, st.lists(frames, min_size=1, max_size=12))
joins = st.builds(
    Join,
    speakers,
    st.integers(0, 1),
    st.integers(0, len(PROFILES) - 1),
    sequences,
    timestamps,
    st.booleans(),
    st.booleans(),
)
again = st.builds(Again, listeners, st.lists(st.integers(-3, 140), max_size=20))
steps = st.one_of(
    says,
    says,
    says,
    again,
    again,
    joins,
    st.builds(
        Jump,
        speakers,
        st.one_of(
            st.integers(-200, 200),
            st.integers(0x7FF0, 0x8010),
            st.integers(-0x8000, 0xFFFF),
        ),
    ),
    st.builds(Restart, speakers, st.integers(0, 5), sequences, timestamps),
    st.builds(Mute, speakers, st.booleans()),
    st.builds(Stage, speakers, st.booleans()),
    st.builds(Wait, st.integers(0, 3000)),
    st.builds(Missing, speakers),
    st.builds(Switch, listeners, st.one_of(st.none(), speakers)),
)


class Performance:
    """A play on one plane. The speakers' datagrams are made once for all."""

    def __init__(self, studio: Studio, keys: list[SrtpKeys], now: float) -> None:
        self.studio = studio
        self.speakers: list[Speaker] = []
        for index, own in enumerate(keys):  # both on one thread, as the stage is
            self.speakers.append(studio.speaker(keys=own, red=True, nack=index == 0))
            self.speakers[index].begin(now)
        self.stage = studio.plane.stage(1)
        self.listeners: list[Listener] = []
        self.got: list[list[bytes]] = []

    def listen(self) -> None:
        for listener, got in zip(self.listeners, self.got, strict=True):
            got += listener.arrived()

    def counted(self) -> list[object]:
        """Everything but times of the real clock."""
        plane = dataclasses.asdict(self.studio.plane.counters())
        del plane["forward_latency"]
        return [
            plane,
            [speaker.source.counters() for speaker in self.speakers],
            [speaker.source.levels() for speaker in self.speakers],
            [listener.sink.counters() for listener in self.listeners],
        ]


class Play:
    def __init__(self, studios: list[Studio]) -> None:
        self.now = float(int(time.monotonic()))
        keys = [random_keys(profile) for profile in (PROFILES[0], PROFILES[-1])]
        self.performances = [Performance(studio, keys, self.now) for studio in studios]
        self.mouths = self.performances[0].speakers
        self.counters = [(100, 7), (200, 2**32 - 3 * FRAME)]
        self.ssrcs = [1000, 2000]
        self.later: list[list[bytes]] = [[], []]

    async def step(self, step: NamedTuple) -> None:
        match step:
            case Say(speaker, said):
                self.say(speaker, said)
            case Jump(speaker, packets):
                sequence, timestamp = self.counters[speaker]
                self.counters[speaker] = sequence + packets, timestamp + FRAME * packets
            case Restart(speaker, ssrc, sequence, timestamp):
                self.counters[speaker] = sequence, timestamp
                self.ssrcs[speaker] = 1000 * (speaker + 1) + ssrc
            case Wait(milliseconds):
                self.now += milliseconds / 1000
            case _:
                told = [self.edit(performance, step) for performance in self.performances]
                assert told.count(told[0]) == len(told)
        await self.compare()

    def edit(self, performance: Performance, step: NamedTuple) -> object:
        """Play a step on one plane; what it tells of it."""
        studio, speakers = performance.studio, performance.speakers
        match step:
            case Mute(speaker, muted):
                speakers[speaker].source.muted = muted
            case Stage(speaker, enters):
                if enters:
                    speakers[speaker].source.enter(performance.stage)
                else:
                    speakers[speaker].source.leave()
            case Missing(speaker):
                return speakers[speaker].source.missing()
            case Join():
                self.join(performance, step)
            case Switch(listener, speaker) if listener < len(performance.listeners):
                ear = performance.listeners[listener]
                if speaker is None:
                    ear.sink.detach()
                else:
                    studio.attach(ear, speakers[speaker], self.now)
            case Again(listener, back) if listener < len(performance.listeners):
                latest = int.from_bytes((performance.got[listener] or [bytes(4)])[-1][2:4], "big")
                numbers = [(latest - distance) & 0xFFFF for distance in back]
                return studio.plane.retransmit(performance.listeners[listener].sink, numbers)
        return None

    def join(self, performance: Performance, step: Join) -> None:
        others = self.performances[0].listeners
        index = len(performance.listeners)
        keys = (
            random_keys(PROFILES[step.profile])
            if performance is self.performances[0]
            else others[index].keys
        )
        listener = performance.studio.listener(
            host=HOSTS[step.host],
            keys=keys,
            sequence=step.sequence,
            timestamp=step.timestamp,
            red=step.red,
            nack=step.nack,
        )
        performance.studio.attach(listener, performance.speakers[step.speaker], self.now)
        performance.listeners.append(listener)
        performance.got.append([])

    def say(self, speaker: int, said: list[Frame]) -> None:
        late: list[bytes] = []
        before, self.later[speaker] = self.later[speaker], []
        for frame in said:
            datagram = self.protected(speaker, frame)
            if datagram is not None and frame.fate in ("sent", "twice"):
                for _ in range(1 + (frame.fate == "twice")):
                    self.arrive(speaker, datagram)
            elif datagram is not None and frame.fate != "lost":
                (late if frame.fate == "late" else self.later[speaker]).append(datagram)
            self.now += 1 / 64
        for datagram in late + before:
            self.arrive(speaker, datagram)

    def protected(self, speaker: int, frame: Frame) -> bytes | None:
        sequence, timestamp = self.counters[speaker]
        self.counters[speaker] = sequence + 1, timestamp + FRAME
        payload, payload_type = frame.payload, OPUS
        if frame.raw is not None:
            payload, payload_type = frame.raw, RED
        elif frame.older is not None:
            offsets = range(len(frame.older), 0, -1)
            blocks = zip((FRAME * distance for distance in offsets), frame.older, strict=True)
            payload, payload_type = red_payload(frame.payload, *blocks), RED
        level = LEVELS[frame.level]
        packet = RtpPacket(
            payload_type if frame.payload_type is None else frame.payload_type,
            sequence & 0xFFFF,
            timestamp & 0xFFFFFFFF,
            self.ssrcs[speaker],
            payload,
            extensions=() if level is None else ((1, level),),
        )
        return self.mouths[speaker].protect_if_it_can_be(build_rtp(packet))

    def arrive(self, speaker: int, datagram: bytes) -> None:
        for performance in self.performances:
            path = performance.speakers[speaker].path
            performance.studio.plane.inject(path, datagram, self.now)

    async def compare(self) -> None:
        """Several threads need a moment to have the same."""
        reference, *others = self.performances
        reference.listen()
        for other in others:
            await until(lambda other=other: self.sent(other) >= self.sent(reference))  # type: ignore[misc]
            other.listen()
            assert other.got == reference.got
            assert other.counted() == reference.counted()

    @staticmethod
    def sent(performance: Performance) -> int:
        """What went, or was lost there."""
        counters = performance.studio.plane.counters()
        return counters.packets_forwarded + sum(counters.drops.values())

    async def gaps_are_told(self) -> None:
        """To every plane's event loop as often."""

        def told() -> list[list[int]]:
            return [[it.gaps for it in each.speakers] for each in self.performances]

        await until(lambda: told().count(told()[0]) == len(self.performances))

    def no_number_is_used_twice(self) -> None:
        """Two texts under one SRTP index would give its key away."""
        for got in self.performances[0].got:
            used: dict[int, bytes] = {}
            highest = None
            for datagram in got:
                number = int.from_bytes(datagram[2:4], "big")
                index = number if highest is None else extend_sequence(highest, number)
                highest = index if highest is None else max(index, highest)
                assert used.setdefault(index, datagram) == datagram


@contextlib.asynccontextmanager
async def open_studios() -> AsyncIterator[list[Studio]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(open_studio(implementation))
            for implementation in (*PLANES.values(), TwoThreads)
        ]


def plain(*payloads: bytes) -> list[Frame]:
    return [Frame(payload=payload) for payload in payloads]


EVERY_KIND = [Join(0, host, 0, 0xFFFE, 5, red, nack) for host, red, nack in (
    (0, False, False), (0, True, False), (1, False, True), (1, True, True))]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(play=st.lists(steps, max_size=25))
@example(
    play=[
        *EVERY_KIND,
        Say(0, [*plain(b"a"), Frame("lost"), Frame(older=(b"b", b"c")), Frame("later")]),
        Say(0, [Frame(older=(b"d",)), Frame("lost"), Frame("lost"), *plain(b"e")]),
        Missing(0),
        Again(2, [0, 1, 2, 3, 4, 5, 6]),
        Again(3, [0, 1, 2, 3, 4, 5, 6]),
    ]
)
@example(
    play=[
        *EVERY_KIND,
        Say(0, plain(b"a", b"b")),
        Jump(0, 0x7FFF),
        Say(0, [Frame(older=(b"c",))]),
        Jump(0, 0x7FFE),
        Say(0, [Frame(older=(b"d",) * 4)]),
        Again(3, [0, 1, 2, 0x7FFF]),
        Jump(0, -0x7FFF),
        Say(0, [Frame(older=(b"f",)), *plain(b"e")]),
    ]
)
@example(
    play=[
        *EVERY_KIND,
        Say(1, plain(b"other")),
        Say(0, [*plain(b"a"), Frame("lost"), Frame(older=()), Frame("lost"), *plain(b"b")]),
        Switch(2, 1),
        Switch(3, 1),
        Say(1, [*plain(b"c"), Frame(older=(b"d",))]),
        Again(2, [0, 1, 2]),
        Again(3, [0, 1, 2]),
        Restart(0, 1, 0xFFFF, 2**32 - FRAME),
        Say(0, [*plain(b"e"), Frame("lost"), Frame(older=(b"f",)), Frame(raw=b"\xef")]),
        Missing(0),
        Restart(0, 0, 103, 5),
        Say(0, [*plain(b"g"), Frame(older=(b"h",))]),
    ]
)
async def test_the_native_plane_does_the_same(play: list[NamedTuple]) -> None:
    async with open_studios() as studios:
        played = Play(studios)
        for step in play:
            await played.step(step)
        await played.gaps_are_told()
        played.no_number_is_used_twice()
