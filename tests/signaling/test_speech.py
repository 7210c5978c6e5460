"""Speaking begins at once, ends after a pause, and does not flap in between."""

from __future__ import annotations

from relay import SILENCE
from signaling.speech import BEGINS_ABOVE, ENDS_BELOW, PAUSE, Speech


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
