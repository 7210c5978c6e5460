"""Loudest-N in both media planes: what listeners hear when seats change hands."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relay.loudest import MARGIN, MAX_SEATS
from relay.stats import DropReason

from .media import FRAME, PLANES, VOICE, Listener, Speaker, Studio, open_studio, until, wire
from .speech import SPEECH, bursts
from .test_loudest import noise, play

START = 1000.0
SILENT, LOUD = 127, 20


@pytest.fixture(params=PLANES)
async def studio(request: pytest.FixtureRequest) -> AsyncIterator[Studio]:
    async with open_studio(PLANES[request.param]) as opened:
        yield opened


class Room:
    """Speakers on a stage, each with a listener, and a clock."""

    def __init__(self, studio: Studio, people: int, seats: int) -> None:
        self.studio = studio
        self.stage = studio.plane.stage(seats)
        self.now = START
        self.frames = 0
        self.speakers: list[Speaker] = []
        self.listeners: list[Listener] = []
        self.packets: list[list[bytes]] = [[] for _ in range(people)]
        for index in range(people):
            speaker = studio.speaker()
            speaker.begin(self.now)
            speaker.source.enter(self.stage)
            listener = studio.listener(ssrc=100 + index, sequence=0, timestamp=0)
            studio.attach(listener, speaker, self.now)
            self.speakers.append(speaker)
            self.listeners.append(listener)

    def say(self, *levels: int | None) -> None:
        """The next packet of each, 20 ms after the one before; its payload is its number."""
        for speaker, level in zip(self.speakers, levels, strict=True):
            packet = wire(self.frames, FRAME * self.frames, VOICE, b"%d" % self.frames, level=level)
            self.studio.plane.inject(speaker.path, speaker.protected(packet), self.now)
        self.frames += 1
        self.now += 0.02

    def inject(self, speaker: int, packet: bytes) -> None:
        """Have a packet forwarded, and take what has arrived so far."""
        mouth = self.speakers[speaker]
        self.studio.plane.inject(mouth.path, mouth.protected(packet), self.now)
        self.listen()

    async def say_all(self, tracks: list[list[int]]) -> None:
        for levels in zip(*tracks, strict=True):
            self.say(*levels)
            await self.arrived()  # a socket does not hold that many

    def listen(self) -> None:
        for packets, listener in zip(self.packets, self.listeners, strict=True):
            packets += listener.heard()

    async def arrived(self) -> None:
        """Wait for what was sent so far."""

        def everything() -> bool:
            self.listen()
            return sum(map(len, self.packets)) == self.studio.plane.counters().packets_forwarded

        await until(everything)

    async def heard(self, listener: int) -> list[tuple[int, int, bool, int]]:
        """(sequence number, timestamp, marker, which packet) of what was sent so far."""
        await self.arrived()
        return [
            (
                int.from_bytes(packet[2:4], "big"),
                int.from_bytes(packet[4:8], "big"),
                bool(packet[1] & 0x80),
                int(packet[20:] if packet[0] & 0x10 else packet[12:]),
            )
            for packet in self.packets[listener]
        ]


async def test_a_listener_hears_no_gap_when_a_seat_comes_and_goes(studio: Studio) -> None:
    room = Room(studio, 2, seats=1)
    pattern = [LOUD] * 5 + [SILENT] * 60 + [LOUD - MARGIN] * 5
    other = [SILENT] * 55 + [LOUD] * 5 + [SILENT] * 60
    for one, two in zip(pattern + [SILENT] * 50, other, strict=True):
        room.say(one, two)
    first, second = await room.heard(0), await room.heard(1)
    for packets in (first, second):
        numbers, stamps, markers, frames = zip(*packets, strict=True)
        assert list(numbers) == list(range(1, 1 + len(numbers)))
        assert [(stamp - stamps[0]) // FRAME for stamp in stamps] == [
            frame - frames[0] for frame in frames
        ]
        cuts = [
            frame for frame, before in zip(frames[1:], frames, strict=False) if frame - before > 1
        ]
        assert [frame for frame, marked in zip(frames, markers, strict=True) if marked] == [
            frames[0],
            *cuts,
        ]
    assert [frame for *_, frame in first if frame > 50] == [*range(51, 56), *range(67, 120)]
    assert next(frame for *_, frame in second) == 55
    dropped = 2 * 120 - len(first) - len(second)
    assert studio.drops == {DropReason.RTP_NOT_LOUDEST: dropped}


async def test_what_is_dropped_is_measured(studio: Studio) -> None:
    """Who is not forwarded can still be seen to speak."""
    room = Room(studio, 2, seats=1)
    for _ in range(10):
        room.say(LOUD, LOUD)
    source = room.speakers[1].source
    assert (source.counters().packets, source.levels()[1]) == (10, 10)
    assert await room.heard(1) == []


@pytest.mark.parametrize("how", ["mute", "leave"])
async def test_a_seat_is_free_again(studio: Studio, how: str) -> None:
    room = Room(studio, 2, seats=1)
    room.say(LOUD, SILENT)
    if how == "leave":
        room.speakers[0].source.leave()
    else:
        room.speakers[0].source.muted = True
        room.say(LOUD, SILENT)
    room.inject(1, wire(room.frames, FRAME * room.frames, VOICE, b"7", level=SILENT))
    assert [frame for *_, frame in await room.heard(1)][-1:] == [7]


async def test_entering_again_gives_the_seat_back(studio: Studio) -> None:
    room = Room(studio, 2, seats=1)
    room.say(LOUD, SILENT)
    room.speakers[0].source.enter(room.stage)
    room.inject(1, wire(1, FRAME, VOICE, b"1", level=SILENT))
    assert [frame for *_, frame in await room.heard(1)] == [1]


async def test_who_is_on_no_stage_is_always_heard(studio: Studio) -> None:
    room = Room(studio, 1, seats=1)
    bystander = studio.speaker()
    listener = studio.listener(bystander)
    room.say(LOUD)
    bystander.source.leave()
    bystander.say(wire(1, 960, VOICE, level=SILENT))
    assert len(await listener.hears(1)) == 1


async def test_speech_is_heard_as_the_stage_decides(studio: Studio) -> None:
    """Both planes forward what `loudest.py` admits, packet by packet, of three voices and noise."""
    length = min(map(len, SPEECH.values()))
    tracks = [levels[:length] for levels in SPEECH.values()] + [noise(length, 7)]
    room = Room(studio, len(tracks), seats=2)
    await room.say_all(tracks)
    for index, admitted in enumerate(play(tracks, 2, START)):
        expected = [frame for frame, heard in enumerate(admitted) if heard]
        assert [frame for *_, frame in await room.heard(index)] == expected


async def test_no_word_is_clipped(studio: Studio) -> None:
    said = noise(50, 1) + SPEECH["english"]
    room = Room(studio, 6, seats=2)
    others = [noise(len(said), seed) for seed in range(5)]
    await room.say_all([*others, said])
    frames = {frame for *_, frame in await room.heard(5)}
    for word in bursts(said):
        assert frames >= set(word)


@pytest.mark.skipif("native" not in PLANES, reason="the native plane was not built")
async def test_a_native_stage_has_so_many_seats() -> None:
    async with open_studio(PLANES["native"]) as studio:
        for seats in (0, MAX_SEATS + 1):
            with pytest.raises(ValueError, match=f"1 to {MAX_SEATS} seats"):
                studio.plane.stage(seats)
        studio.plane.stage(MAX_SEATS)
