"""Who speaks: a decision that does not flap, from audio levels several times a second. Pure: time is an
argument.

Two bounds and a pause, as voice activity detectors have: speech begins above the first bound, and ends when
it has been below the second for longer than the gap between words. The level that is shown moves as the
needle of a peak programme meter does: up at once, down slowly. What was heard lately is kept in slots of
`SLOT` seconds, for the decision on who dominates (`dominance.py`).
"""

from __future__ import annotations

from .levels import SILENCE

BEGINS_ABOVE = -45
"""In dBov. Speech into a headset is -35 to -20, a quiet room below -60."""

ENDS_BELOW = -52
"""In dBov, low enough under `BEGINS_ABOVE` for the end of a word to pass."""

PAUSE = 0.6
"""Seconds below `ENDS_BELOW` that still belong to speech."""

FALL = 40.0
"""dB a second by which the shown level falls at most."""

SLOT = 0.1
"""Seconds; levels are best told once in each."""

SLOTS = 30
"""Slots that are remembered: three seconds."""

UNITS = 10
"""The most of a slot's activity: so many times `UNIT` above the noise."""

UNIT = 4
"""dB."""

_FLOOR_AT_MOST, _FLOOR_AT_LEAST = -50.0, -75.0
"""Bounds of what is taken for somebody's noise, in dBov."""

_FLOOR_RISE = 2.0
"""dB a second by which that rises, until a pause tells better."""


class Speech:
    """Whether one voice is speech. level: smoothed, in dBov; None while it is not heard. activity: of the
    last `SLOTS` slots, 0 to `UNITS` each, the latest last."""

    __slots__ = ("_at", "_floor", "_heard_at", "_slot", "activity", "level", "speaking")

    def __init__(self) -> None:
        self.level: int | None = None
        self.speaking = False
        self.activity = [0] * SLOTS
        self._at = self._heard_at = 0.0
        self._slot = 0
        self._floor = _FLOOR_AT_LEAST

    def update(self, level: int | None, now: float) -> bool:
        """Take the level since the last call, in dBov, None when there was nothing to hear. now: seconds on
        any steady clock. Whether it is speech."""
        level = SILENCE if level is None else level
        elapsed, self._at = max(0.0, now - self._at), now
        before = SILENCE if self.level is None else self.level
        self.level = max(level, before - round(FALL * elapsed), SILENCE)
        if level > (ENDS_BELOW if self.speaking else BEGINS_ABOVE):
            self.speaking = True
            self._heard_at = now
        elif now - self._heard_at > PAUSE:
            self.speaking = False
        self._remember(level, elapsed, int(now / SLOT + 0.5))
        return self.speaking

    def reset(self) -> None:
        """It is not heard, whatever it says."""
        self.level = None
        self.speaking = False
        self.activity[:] = [0] * SLOTS
        self._floor = _FLOOR_AT_LEAST

    def _remember(self, level: int, elapsed: float, slot: int) -> None:
        self._floor = max(
            _FLOOR_AT_LEAST, min(self._floor + _FLOOR_RISE * elapsed, _FLOOR_AT_MOST, level)
        )
        active = max(0, min(UNITS, int((level - self._floor) / UNIT)))
        passed = min(max(slot - self._slot, 0), SLOTS)
        if passed:
            self._slot = slot
            self.activity[:] = self.activity[passed:] + [active] * passed
        else:
            self.activity[-1] = max(self.activity[-1], active)
