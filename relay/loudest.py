"""Loudest-N: of many sources only so many are forwarded at a time, those that speak. Pure.

A `Stage` has seats; a packet is forwarded while its source, as a `Contender`, has one. It is decided packet
by packet, by the audio level that the packet carries (RFC 6464), so that a word opens its own gate:

    a seat is free                                          whoever comes takes it
    the quietest holder does not speak                      whoever is louder takes its seat, with the
                                                            first packet that is
    all holders speak                                       whoever is louder than the quietest of them for
                                                            `PERSISTENCE` packets in a row takes its seat

A word loses nothing while fewer than N others have spoken in the last half second (or three quarters);
`PERSISTENCE - 1` packets (40 ms) where it drowns out one of N who speak; and waits for a pause otherwise,
which is what N means. What is quieter than `WHISPER` displaces nobody, lest the noises of silent rooms take
turns. A source that says nothing of its levels counts as `UNKNOWN`: it takes a seat in silence, and gives
way to whoever speaks.

How loud a source is: the loudest packet of its last half second, so that the gap between two words costs
nobody a seat. Time is cut into slots of 2**`SLOT_SHIFT` ms; the loudest of the last `SLOTS` of them, the
current one included, counts. Loudness counts up from 0 (-127 dBov, silence) to 127 (0 dBov) here. Whole
numbers throughout: the native twin (`native/loudest.c`) decides the same.

A packet of a source with a seat costs a few comparisons; one without looks through the seats, if it is loud
enough to get one.
"""

from __future__ import annotations

from .levels import SILENCE

MAX_SEATS = 64
"""As many as the native twin has room for."""

SLOT_SHIFT = 8
"""A slot is 256 ms: a packet counts for 512 to 768 ms, longer than the gap between two words."""

SLOTS = 3

MARGIN = 6
"""dB that a source must be louder than the holder whose seat it takes: twice the amplitude."""

PERSISTENCE = 3
"""Packets in a row by which a source takes the seat of somebody who speaks. A slamming door is shorter."""

QUIET = -50 - SILENCE
"""Loudness of a holder that need not be waited for: it does not speak."""

WHISPER = -60 - SILENCE
"""Loudness of the quietest packet that takes a seat from somebody. A quiet room is below it."""

UNKNOWN = QUIET
"""Loudness of a packet that says nothing of it."""


class Stage:
    """Seats, 1 to `MAX_SEATS`. seated: who has one, the oldest first."""

    __slots__ = ("_seats", "seated")

    def __init__(self, seats: int) -> None:
        self._seats = seats
        self.seated: list[Contender] = []

    @property
    def is_full(self) -> bool:
        """Whether every seat is taken."""
        return len(self.seated) >= self._seats


class Contender:
    """One source, as its stage sees it. peaks: of the slot that its latest packet was in, of the one before
    and of the one before that."""

    __slots__ = ("_louder", "_peaks", "_seated", "_slot", "_stage")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._seated = False
        self._slot = 0
        self._peaks = [0] * SLOTS
        self._louder = 0

    def admits(self, level: int | None, arrival: float) -> bool:
        """Whether a packet is forwarded. level: 0 loud to 127 silent, in -dBov, None if it tells none.
        arrival: seconds on any steady clock."""
        slot = int(arrival * 1000) >> SLOT_SHIFT
        loudness = UNKNOWN if level is None else 127 - level
        if slot > self._slot:
            passed = min(slot - self._slot, SLOTS)
            self._peaks = [0] * passed + self._peaks[: SLOTS - passed]
            self._slot = slot
        if loudness > self._peaks[0]:
            self._peaks[0] = loudness
        return self._seated or self._takes_seat(loudness, slot)

    def leave(self) -> None:
        """Give the seat back, if there is one."""
        if self._seated:
            self._stage.seated.remove(self)
        self._seated = False
        self._louder = 0

    def loudness(self, slot: int) -> int:
        """How loud it is in a slot of time, that of its latest packet or a later one."""
        passed = max(0, slot - self._slot)
        return max(self._peaks[: SLOTS - passed]) if passed < SLOTS else 0

    def _takes_seat(self, loudness: int, slot: int) -> bool:
        stage = self._stage
        if stage.is_full:
            if loudness < WHISPER:
                self._louder = 0
                return False
            quietest = min(stage.seated, key=lambda holder: holder.loudness(slot))
            if loudness < quietest.loudness(slot) + MARGIN:
                self._louder = 0
                return False
            self._louder += 1
            if self._louder < PERSISTENCE and quietest.loudness(slot) > QUIET:
                return False
            quietest.leave()
        stage.seated.append(self)
        self._seated = True
        self._louder = 0
        return True
