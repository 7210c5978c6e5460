"""Whole scenes against a model of what each listener should hear, byte for byte.

Two speakers mute, restart, fall silent and compete for a seat; packets are lost and come late, with header
extensions, padding and contributing sources; listeners join and switch. `inject` sets the time of all.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.rtp import RtpPacket, build_rtp
from relay.srtp import PROFILES
from relay.stats import DropReason

from .media import FRAME, IPV4, IPV6, OPUS, PLANES, Listener, Speaker, Studio, open_studio, wire

TICK_RATE = 48_000
SLICE = 1 / 64
"""Seconds; 750 clock ticks. Times are whole slices, so that no rounding comes in."""
TICKS_PER_SLICE = 750

LEVEL, MID = (1, b"\x9e"), (4, b"0")
STYLES: list[tuple[dict[str, object], int | None]] = [
    ({}, None),
    ({"extensions": (LEVEL,)}, 0x9E),
    ({"extensions": (MID, LEVEL)}, 0x9E),
    ({"extensions": (MID,)}, None),
    ({"extensions": (LEVEL, (20, b"of two-byte elements"))}, 0x9E),
    ({"padding": 9, "extensions": (LEVEL,)}, 0x9E),
    ({"csrcs": (1, 2, 3)}, None),
    ({"marker": True}, None),
    ({"extensions": ((1, b"\x46"),)}, 0x46),
    ({"extensions": ((1, b"\xff"),)}, 0xFF),
    ({"extensions": (MID, (1, b"\x0a"))}, 0x0A),
]
"""What a packet has beside its payload, and the audio level that is to pass."""


class Frame(NamedTuple):
    """fate: sent, lost, late (after the others of its step) or later (after those of the next)."""

    fate: str
    style: int
    payload: bytes
    payload_type: int


class Say(NamedTuple):
    speaker: int
    frames: list[Frame]


class Mute(NamedTuple):
    speaker: int
    muted: bool


class Enter(NamedTuple):
    """The speaker is heard only while it has the stage's one seat."""

    speaker: int


class Leave(NamedTuple):
    """The speaker gives it back."""

    speaker: int


class Restart(NamedTuple):
    """The speaker goes on under another SSRC, with other counters."""

    speaker: int
    sequence: int
    timestamp: int


class Wait(NamedTuple):
    slices: int


class Join(NamedTuple):
    speaker: int
    host: str
    profile: int
    sequence: int
    timestamp: int


class Switch(NamedTuple):
    listener: int
    speaker: int


frames = st.builds(
    Frame,
    st.sampled_from(["sent", "sent", "sent", "lost", "late", "later"]),
    st.integers(0, len(STYLES) - 1),
    st.binary(max_size=6),
    st.sampled_from([OPUS] * 9 + [OPUS + 1]),
)
speakers = st.integers(0, 1)
# Sequence numbers that wrap soon, or not at all; SRTP has no defence against a loss at both.
sequences = st.one_of(st.integers(0, 0x7000), st.integers(0xFFF0, 0xFFFF))
timestamps = st.one_of(st.integers(0, 2**32 - 1), st.integers(2**32 - 5 * FRAME, 2**32 - 1))
steps = st.one_of(
    st.builds(Say, speakers, st.lists(frames, min_size=1, max_size=12)),
    st.builds(Say, speakers, st.lists(frames, min_size=1, max_size=12)),
    st.builds(Mute, speakers, st.booleans()),
    st.builds(Enter, speakers),
    st.builds(Leave, speakers),
    st.builds(Restart, speakers, sequences, timestamps),
    st.builds(Wait, st.integers(0, 640)),
    st.builds(
        Join,
        speakers,
        st.sampled_from([IPV4, IPV6]),
        st.integers(0, len(PROFILES) - 1),
        sequences,
        timestamps,
    ),
    st.builds(Switch, st.integers(0, 3), speakers),
)


# The model: counters that never wrap, time in slices.


@dataclass
class Seat:
    """The one on the stage. said: (slot of 256 ms, loudness) of every packet of the voices that compete."""

    holder: int | None = None
    said: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    louder: Counter[int] = field(default_factory=Counter)

    def enter(self, voice: int) -> None:
        self.leave(voice)
        self.said[voice] = []

    def leave(self, voice: int) -> None:
        self.louder[voice] = 0
        if self.holder == voice:
            self.holder = None

    def admits(self, voice: int, level: int | None, now: float) -> bool:
        if voice not in self.said:
            return True
        slot = int(now * 1000) // 256
        loudness = 77 if level is None else 127 - (level & 127)
        self.said[voice].append((slot, loudness))
        if self.holder not in (None, voice):
            theirs = max((n for at, n in self.said[self.holder] if slot - at < 3), default=0)
            if loudness < 67 or loudness < theirs + 6:
                self.louder[voice] = 0
                return False
            self.louder[voice] += 1
            if self.louder[voice] < 3 and theirs > 77:
                return False
            self.leave(self.holder)
        if self.holder is None:
            self.louder[voice] = 0
        self.holder = voice
        return True


@dataclass
class Voice:
    """newest: number, timestamp and time of the newest packet; shift: from a packet's own counters to
    those of the voice, (numbers, ticks). floor: the number where this piece began."""

    newest: tuple[int, int, int] = (0, 0, 0)
    shift: tuple[int, int] = (0, 0)
    floor: int = 0
    muted: bool = False
    begun: bool = False
    paused: bool = True
    packets: int = 0
    payload_bytes: int = 0

    def place(
        self, sequence: int, timestamp: int, now: int, *, heard: bool
    ) -> tuple[int, int, bool] | DropReason:
        """Number and timestamp of a packet, and whether it is the first of a piece."""
        number, stamp, at = self.newest
        if not self.begun:
            step = max(FRAME, (now - at) * TICKS_PER_SLICE)
            self.shift = 0, stamp + step - timestamp
            self.begun = self.paused = True
        if self.muted:
            return DropReason.RTP_MUTED
        if not heard:
            self.paused = True
            return DropReason.RTP_NOT_LOUDEST
        first, self.paused = self.paused, False
        if first:
            self.floor = number + 1
            self.shift = self.floor - sequence, self.shift[1]
        placed = sequence + self.shift[0], timestamp + self.shift[1]
        if placed[0] < self.floor:
            return DropReason.RTP_STALE
        if placed[0] > number:
            self.newest = *placed, now
        return *placed, first


@dataclass
class Ear:
    """last: number, timestamp and time of what was sent when it ceased to follow; time None: nothing
    yet. shift: from the voice's counters to its own. edge: the voice's newest number when it came."""

    listener: Listener
    voice: Voice
    last: tuple[int, int, int | None]
    shift: tuple[int, int] = (0, 0)
    edge: int = 0
    fresh: bool = True
    expected: list[bytes] = field(default_factory=list)

    def follow(self, voice: Voice, now: int) -> None:
        if not self.fresh:
            number, stamp, at = self.voice.newest
            self.last = number + self.shift[0], stamp + self.shift[1], at
        self.voice, self.fresh = voice, True
        number, stamp, at = voice.newest
        mine, my_stamp, sent = self.last
        my_clock = my_stamp + (0 if sent is None else (now - sent) * TICKS_PER_SLICE)
        self.edge = number
        self.shift = mine - number, my_clock - stamp - (now - at) * TICKS_PER_SLICE

    def hear(
        self, number: int, stamp: int, first: bool, sent: RtpPacket, level: int | None
    ) -> None:
        if number <= self.edge:
            return
        if self.fresh and self.last[2] is not None:
            least = self.last[1] + FRAME  # a listener's clock never goes back
            self.shift = self.shift[0], max(self.shift[1], least - stamp)
        marker = sent.marker or first or self.fresh
        self.fresh = False
        self.expected.append(
            wire(
                number + self.shift[0],
                stamp + self.shift[1],
                self.listener.ssrc,
                sent.payload,
                marker=marker,
                level=level,
            )
        )


Ready = tuple[bytes, RtpPacket, int | None, int, int]
"""A packet as it is sent and as it was meant, its audio level, and its counters, which never wrap."""


class Scene:
    """A studio and its model, side by side."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.began = float(int(time.monotonic()))
        self.now = 0
        self.drops: Counter[DropReason] = Counter()
        self.speakers: list[Speaker] = [studio.speaker(host) for host in (IPV4, IPV6)]
        for speaker in self.speakers:
            speaker.begin(self.seconds)
        self.voices = [Voice(), Voice()]
        self.stage, self.seat = studio.plane.stage(1), Seat()
        self.counters = [(100, 7), (200, 2**32 - 3 * FRAME)]  # sequence number, timestamp
        self.ssrcs = [1000, 2000]
        self.later: list[list[Ready]] = [[], []]
        self.ears: list[Ear] = []
        self.received = 0

    @property
    def seconds(self) -> float:
        return self.began + self.now * SLICE

    def play(self, step: NamedTuple) -> None:
        match step:
            case Say(speaker, said):
                self.say(speaker, said)
            case Mute(speaker, muted):
                self.speakers[speaker].source.muted = self.voices[speaker].muted = muted
                self.voices[speaker].paused |= muted
            case Enter(speaker):
                self.speakers[speaker].source.enter(self.stage)
                self.seat.enter(speaker)
            case Leave(speaker):
                self.speakers[speaker].source.leave()
                self.seat.leave(speaker)
            case Restart(speaker, sequence, timestamp):
                self.counters[speaker] = sequence, timestamp
                self.ssrcs[speaker] += 1
                self.voices[speaker].begun = False
                self.later[speaker].clear()
            case Wait(slices):
                self.now += slices
            case Join(speaker, host, profile, sequence, timestamp):
                self.join(speaker, host, profile, sequence, timestamp)
            case Switch(listener, speaker) if listener < len(self.ears):
                ear = self.ears[listener]
                self.studio.attach(ear.listener, self.speakers[speaker], self.seconds)
                ear.follow(self.voices[speaker], self.now)

    def join(self, speaker: int, host: str, profile: int, sequence: int, timestamp: int) -> None:
        listener = self.studio.listener(
            host=host, profile=PROFILES[profile], sequence=sequence, timestamp=timestamp
        )
        self.studio.attach(listener, self.speakers[speaker], self.seconds)
        ear = Ear(listener, self.voices[speaker], (sequence, timestamp, None))
        ear.follow(self.voices[speaker], self.now)
        self.ears.append(ear)

    def say(self, speaker: int, said: list[Frame]) -> None:
        late: list[Ready] = []
        before, self.later[speaker] = self.later[speaker], []
        for frame in said:
            sequence, timestamp = self.counters[speaker]
            self.counters[speaker] = sequence + 1, timestamp + FRAME
            kept, level = STYLES[frame.style]
            packet = RtpPacket(
                frame.payload_type,
                sequence & 0xFFFF,
                timestamp & 0xFFFFFFFF,
                self.ssrcs[speaker],
                frame.payload,
                **kept,  # type: ignore[arg-type]
            )
            protected = self.speakers[speaker].protected(build_rtp(packet))
            ready = protected, packet, level, sequence, timestamp
            # The very first of an SSRC comes first: SRTP learns the rollover counter from it.
            if frame.fate == "sent" or not self.voices[speaker].begun:
                self.arrive(speaker, *ready)
            elif frame.fate != "lost":
                (late if frame.fate == "late" else self.later[speaker]).append(ready)
            self.now += 1
        for ready in late + before:
            self.arrive(speaker, *ready)

    def arrive(
        self,
        speaker: int,
        protected: bytes,
        packet: RtpPacket,
        level: int | None,
        sequence: int,
        timestamp: int,
    ) -> None:
        voice = self.voices[speaker]
        self.received += 1
        self.studio.plane.inject(self.speakers[speaker].path, protected, self.seconds)
        if packet.payload_type != OPUS:
            self.drops[DropReason.RTP_UNKNOWN_PAYLOAD_TYPE] += 1
            return
        voice.packets += 1
        voice.payload_bytes += len(packet.payload)
        if voice.muted:
            self.seat.leave(speaker)
        heard = voice.muted or self.seat.admits(speaker, level, self.seconds)
        placed = voice.place(sequence, timestamp, self.now, heard=heard)
        if isinstance(placed, DropReason):
            self.drops[placed] += 1
            return
        for ear in self.ears:
            if ear.voice is voice:
                ear.hear(*placed, packet, level)


@pytest.mark.parametrize("implementation", PLANES)
@settings(max_examples=150, deadline=None)
@given(scene=st.lists(steps, max_size=25))
@example(
    scene=[
        Join(0, IPV4, 0, 0xFFFE, 2**32 - 1),
        Say(0, [Frame("sent", 1, b"a", OPUS)] * 3),
        Mute(0, True),
        Say(0, [Frame("sent", 1, b"b", OPUS), Frame("later", 2, b"late", OPUS)]),
        Mute(0, False),
        Say(0, [Frame("sent", 0, b"c", OPUS)]),
        Switch(0, 1),
        Wait(64),
        Say(1, [Frame("sent", 5, b"d", OPUS), Frame("late", 0, b"e", OPUS)] * 2),
        Restart(1, 0xFFFF, 5),
        Say(1, [Frame("lost", 0, b"f", OPUS), Frame("sent", 6, b"", OPUS)] * 2),
    ]
)
async def test_scenes(implementation: str, scene: list[NamedTuple]) -> None:
    async with open_studio(PLANES[implementation]) as studio:
        played = Scene(studio)
        for step in scene:
            played.play(step)
        for ear in played.ears:
            assert await ear.listener.hears(len(ear.expected)) == ear.expected
        counters = studio.plane.counters()
        assert counters.rtp_packets_received == played.received
        assert counters.packets_forwarded == sum(len(ear.expected) for ear in played.ears)
        assert studio.drops == played.drops
        for speaker, voice in zip(played.speakers, played.voices, strict=True):
            told = speaker.source.counters()
            assert (told.packets, told.payload_bytes) == (voice.packets, voice.payload_bytes)


noise = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda head, tail: bytes([head]) + tail, st.integers(128, 191), st.binary(max_size=60)
    ),
    st.binary(min_size=1495, max_size=1510),
)


@pytest.mark.parametrize("implementation", PLANES)
@settings(max_examples=100, deadline=None)
@given(datagrams=st.lists(noise, max_size=20), authentic=st.lists(noise, max_size=20))
async def test_noise_is_counted_and_harms_nobody(
    implementation: str, datagrams: list[bytes], authentic: list[bytes]
) -> None:
    """Any bytes, also such as an authentic speaker might send."""
    async with open_studio(PLANES[implementation]) as studio:
        speaker, bystander = studio.speaker(), studio.speaker(IPV6)
        listener = studio.listener(bystander)
        paths = [speaker.path, studio.peer().path]
        sent = datagrams + [
            p for packet in authentic if (p := speaker.protect_if_it_can_be(packet))
        ]
        for datagram in sent:
            for path in paths:
                studio.plane.inject(path, datagram, time.monotonic())
        counters = studio.plane.counters()
        assert counters.datagrams_received == len(sent) * len(paths)
        # Stale ones count as received and as dropped.
        heard = speaker.source.counters().packets - studio.drops.get(DropReason.RTP_STALE, 0)
        rest = counters.datagrams_received - sum(counters.drops.values()) - heard
        assert len(await studio.passed_up(rest)) == rest
        bystander.say(wire(7, 480, 1, b"opus"))
        (packet,) = await listener.hears(1)
        assert packet[12:] == b"opus"
