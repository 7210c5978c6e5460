"""Speaking begins at once, ends after a pause, and does not flap in between."""

from __future__ import annotations

from relay.levels import SILENCE
from relay.speech import BEGINS_ABOVE, ENDS_BELOW, FALL, PAUSE, SLOT, SLOTS, UNIT, UNITS, Speech


def test_silence_is_not_speech() -> None:
    speech = Speech()
    assert not any(speech.update(SILENCE, tick / 5) for tick in range(20))


def test_speech_begins_at_once() -> None:
    assert Speech().update(BEGINS_ABOVE + 1, 0.0)


def test_a_level_between_the_bounds_changes_nothing() -> None:
    between = (BEGINS_ABOVE + ENDS_BELOW) // 2
    quiet, loud = Speech(), Speech()
    loud.update(-20, 0.0)
    for tick in range(1, 50):
        assert not quiet.update(between, tick / 5)
        assert loud.update(between, tick / 5)


def test_a_gap_between_words_is_speech_and_a_pause_is_not() -> None:
    speech = Speech()
    speech.update(-20, 10.0)
    assert speech.update(SILENCE, 10.0 + PAUSE)
    assert not speech.update(SILENCE, 10.1 + PAUSE)
    assert not speech.update(ENDS_BELOW + 1, 10.2 + PAUSE)


def test_reset() -> None:
    speech = Speech()
    speech.update(-20, 0.0)
    speech.reset()
    assert not speech.speaking


def test_nothing_to_hear_is_silence() -> None:
    speech = Speech()
    speech.update(-20, 0.0)
    assert not speech.update(None, 1.0)


def test_the_shown_level_rises_at_once_and_falls_slowly() -> None:
    speech = Speech()
    speech.update(-80, 0.0)
    speech.update(-20, 0.1)
    assert speech.level == -20
    for tick in range(2, 6):
        speech.update(SILENCE, tick / 10)
    assert speech.level == -20 - round(0.4 * FALL)
    speech.update(-30, 0.7)
    assert speech.level == -30
    speech.update(SILENCE, 100.0)
    assert speech.level == SILENCE


def test_activity_is_what_is_above_the_noise() -> None:
    speech = Speech()
    for tick in range(50):
        speech.update(-62, tick * SLOT)
    assert speech.activity[-5:] == [0] * 5
    speech.update(-62 + 4 * UNIT, 50 * SLOT)
    assert speech.activity[-2:] == [0, 4]
    speech.update(0, 51 * SLOT)
    assert speech.activity[-1] == UNITS


def test_calls_that_come_late_fill_their_slots() -> None:
    speech = Speech()
    speech.update(-75, 10.0)
    speech.update(-20, 10.3)
    assert speech.activity[-4:] == [0, UNITS, UNITS, UNITS]
    speech.update(SILENCE, 10.31)  # too soon: still of the same slot
    assert speech.activity[-1] == UNITS
    speech.update(SILENCE, 100.0)
    assert speech.activity == [0] * SLOTS
