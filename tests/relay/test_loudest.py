"""Seats: who gets one with which packet, who keeps it, and what words lose by it."""

from __future__ import annotations

import itertools
import random

import pytest

from relay.loudest import (
    MARGIN,
    MAX_SEATS,
    PERSISTENCE,
    QUIET,
    SLOT_SHIFT,
    SLOTS,
    UNKNOWN,
    WHISPER,
    Contender,
    Stage,
)

from .speech import ROOM_NOISE, SPEECH, bursts

FRAME = 0.02
SILENT = 127
AT_MOST = SLOTS * (1 << SLOT_SHIFT) / 1000
"""Seconds that a packet counts for."""
AT_LEAST = (SLOTS - 1) * (1 << SLOT_SHIFT) / 1000


class Room:
    """Contenders on one stage, and a clock. seats: of them."""

    def __init__(self, people: int, seats: int, now: float = 100.0) -> None:
        stage = Stage(seats)
        self.stage = stage
        self.people = [Contender(stage) for _ in range(people)]
        self.seats = seats
        self.now = now

    def hear(self, *levels: int | None) -> list[bool]:
        """Everybody's next packet; None of who sends none. Whose is forwarded."""
        admitted = [
            person.admits(level, self.now) if level is not None else False
            for person, level in zip(self.people, levels, strict=True)
        ]
        assert len(set(self.stage.seated)) == len(self.stage.seated) <= self.seats
        self.now += FRAME
        return admitted

    def wait(self, seconds: float) -> None:
        self.now += seconds


def minus(loudness: int) -> int:
    """A loudness as a packet tells it."""
    return 127 - loudness


def test_everybody_is_heard_while_there_are_seats() -> None:
    room = Room(MAX_SEATS, MAX_SEATS)
    for _ in range(10):
        assert all(room.hear(*[SILENT] * MAX_SEATS))


def test_the_first_loud_packet_opens_its_own_gate() -> None:
    room = Room(3, 2)
    assert room.hear(SILENT, SILENT, SILENT) == [True, True, False]
    assert room.hear(SILENT, SILENT, 30) == [True, True, True]  # the first came before the third
    assert room.hear(SILENT, SILENT, 30) == [False, True, True]


def test_the_one_who_has_sat_longest_goes() -> None:
    room = Room(4, 2)
    room.hear(SILENT, SILENT, None, None)
    room.hear(None, None, 30, None)
    assert room.hear(SILENT, SILENT, 30, None) == [False, True, True, False]
    room.wait(2 * AT_MOST)  # now all are as silent
    room.hear(None, None, None, 30)
    assert room.hear(SILENT, SILENT, SILENT, 30) == [False, False, True, True]


def test_who_speaks_keeps_the_seat_in_a_gap() -> None:
    room = Room(2, 1)
    room.hear(30, None)
    room.wait(AT_LEAST - 2 * FRAME)
    assert room.hear(SILENT, 30) == [True, False]


def test_who_has_stopped_gives_way_at_once() -> None:
    room = Room(2, 1)
    room.hear(30, None)
    room.wait(AT_MOST)
    assert room.hear(None, 40) == [False, True]


def test_who_is_louder_for_long_enough_takes_a_speakers_seat() -> None:
    room = Room(2, 1)
    room.hear(40, SILENT)
    for _ in range(PERSISTENCE - 1):
        assert room.hear(40, 40 - MARGIN) == [True, False]
    assert room.hear(40, 40 - MARGIN) == [True, True]  # the last packet of the one
    assert room.hear(40, 40 - MARGIN) == [False, True]


def test_a_slam_takes_nobodys_seat() -> None:
    room = Room(2, 1)
    room.hear(40, SILENT)
    for _ in range(PERSISTENCE - 1):
        assert not room.hear(40, 3)[1]
    assert room.hear(40, SILENT) == [True, False]
    assert room.hear(40, 3) == [True, False]


def test_as_loud_is_not_louder() -> None:
    room = Room(2, 1)
    room.hear(40, SILENT)
    for _ in range(500):
        assert room.hear(40, 40 - MARGIN + 1) == [True, False]


def test_noise_displaces_nobody() -> None:
    room = Room(2, 1)
    room.hear(SILENT, SILENT)
    for _ in range(500):
        assert room.hear(SILENT, minus(WHISPER - 1)) == [True, False]
    assert room.hear(None, minus(WHISPER)) == [False, True]


def test_a_noisy_holder_is_waited_for_and_a_quiet_one_is_not() -> None:
    noisy, quiet = Room(2, 1), Room(2, 1)
    noisy.hear(minus(QUIET + 1), None)
    quiet.hear(minus(QUIET), None)
    assert noisy.hear(None, 20) == [False, False]
    assert quiet.hear(None, 20) == [False, True]


def test_without_levels_one_is_heard_in_silence_and_gives_way_to_speech() -> None:
    stage = Stage(1)
    mute_about_it, other, speaker = Contender(stage), Contender(stage), Contender(stage)
    assert other.admits(SILENT, 0.0)
    assert mute_about_it.admits(None, 0.02)
    assert not other.admits(minus(UNKNOWN), 0.04)
    assert mute_about_it.admits(None, 0.04)
    assert speaker.admits(minus(UNKNOWN + MARGIN), 0.06)
    assert not mute_about_it.admits(None, 0.08)


def test_who_leaves_leaves_a_seat() -> None:
    room = Room(3, 2)
    room.hear(30, 30, None)
    room.people[0].leave()
    room.people[2].leave()  # who has none
    assert room.hear(None, 30, SILENT) == [False, True, True]
    assert room.hear(30, 30, SILENT) == [True, True, False]


def test_a_clock_that_goes_back_does_no_harm() -> None:
    stage = Stage(1)
    early, late = Contender(stage), Contender(stage)
    assert early.admits(20, 1000.0)
    assert not late.admits(20, 900.0)
    assert early.admits(SILENT, 900.0)
    assert not late.admits(20, 1000.1)


# Speech.


def lost(admitted: list[bool], burst: range) -> int:
    """Packets that a burst lost before it was heard."""
    return next((n for n, index in enumerate(burst) if admitted[index]), len(burst))


def play(tracks: list[list[int]], seats: int, now: float = 100.0) -> list[list[bool]]:
    room = Room(len(tracks), seats, now)
    heard = [room.hear(*levels) for levels in zip(*tracks, strict=True)]
    return [list(one) for one in zip(*heard, strict=True)]


def noise(length: int, seed: int) -> list[int]:
    """A room's, which varies by 4 dB."""
    source = random.Random(seed)
    return [ROOM_NOISE + source.randint(-4, 4) for _ in range(length)]


def test_there_is_speech_to_measure_with() -> None:
    found = [burst for levels in SPEECH.values() for burst in bursts(levels)]
    assert len(found) >= 15
    assert any(SPEECH["english"][burst.start] > 45 for burst in bursts(SPEECH["english"]))


@pytest.mark.parametrize("name", SPEECH)
@pytest.mark.parametrize("others", range(6))
def test_no_word_is_clipped_while_others_are_quiet(name: str, others: int) -> None:
    """Not by a packet, wherever in the room's noise the words begin."""
    said = noise(50, 1) + SPEECH[name]
    tracks = [noise(len(said), 10 + other) for other in range(others)] + [said]
    *_, admitted = play(tracks, 2)
    words = bursts(said)
    assert words
    assert [lost(admitted, word) for word in words] == [0] * len(words)
    for word in words:
        assert all(admitted[index] for index in word)


@pytest.mark.parametrize("pair", list(itertools.permutations(SPEECH, 2)))
def test_two_who_speak_at_once_have_two_seats(pair: tuple[str, str]) -> None:
    length = min(len(SPEECH[name]) for name in pair)
    tracks = [noise(length, 3), *(SPEECH[name][:length] for name in pair), noise(length, 4)]
    _, *spoken, _ = play(tracks, 2)
    for levels, admitted in zip(tracks[1:3], spoken, strict=True):
        for word in bursts(levels):
            assert lost(admitted, word) == 0
            assert all(admitted[index] for index in word)


@pytest.mark.parametrize("louder", [12, 20])
def test_who_drowns_out_a_speaker_loses_60_ms_at_most(louder: int) -> None:
    """All seats are taken by people who speak without a pause; somebody far louder interrupts."""
    murmur = [45, 42, 40, 43, 47] * 60
    shout = [SILENT] * 100 + [max(0, 40 - MARGIN - louder)] * 50 + [SILENT] * 150
    *_, admitted = play([murmur, murmur[1:] + murmur[:1], shout], 2)
    (word,) = bursts(shout)
    assert lost(admitted, word) == PERSISTENCE - 1


def test_turns_are_taken_without_flapping() -> None:
    """Three speak at once for two seats: whoever has one keeps it while it speaks."""
    length = min(map(len, SPEECH.values()))
    admitted = play([levels[:length] for levels in SPEECH.values()], 2)
    changes = sum(
        before is not after for one in admitted for before, after in itertools.pairwise(one)
    )
    assert changes <= 2 * 3  # in eight seconds; each change of hands is two


def test_a_conversation_in_turns_loses_nothing() -> None:
    """Twelve people, three seats; one after the other says a sentence, half a second apart."""
    order = [0, 5, 0, 7, 11, 7, 3, 5]
    pause, sentences = 40, list(SPEECH.values())
    tracks: list[list[int]] = [[] for _ in range(12)]
    for turn, person in enumerate(order):
        said = sentences[turn % len(sentences)]
        for index, track in enumerate(tracks):
            track += said if index == person else noise(len(said), 100 * turn + index)
            track += noise(pause, 100 * turn + index + 50)
    admitted = play(tracks, 3)
    for turn, person in enumerate(order):
        words = bursts(tracks[person])
        assert [lost(admitted[person], word) for word in words] == [0] * len(words), turn
