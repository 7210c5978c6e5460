"""Who dominates: whoever takes the floor, and nobody else."""

from __future__ import annotations

import itertools

import pytest

from relay.dominance import DominantSpeaker, scores
from relay.levels import POWER, mean_level
from relay.speech import SLOT, SLOTS, UNITS, Speech

from .speech import SPEECH
from .test_loudest import noise

QUIET, LOUD = -65, -25


class Talk:
    """A group, slot by slot of 0.1 s. dominant: who, after each slot."""

    def __init__(self, *names: str) -> None:
        self.speeches = {name: Speech() for name in names}
        self.decision: DominantSpeaker[str] = DominantSpeaker()
        self.dominant: list[str | None] = []
        self.now = 50.0

    def slot(self, **levels: int) -> None:
        for name, speech in self.speeches.items():
            speech.update(levels.get(name, QUIET), self.now)
        before = self.decision.current
        assert self.decision.update(self.speeches) is (self.decision.current != before)
        self.dominant.append(self.decision.current)
        self.now += SLOT

    def go_on(self, seconds: float, **levels: int) -> None:
        for _ in range(round(seconds / SLOT)):
            self.slot(**levels)

    def delay(self, name: str, **levels: int) -> float:
        """Seconds until `name` dominates."""
        for slots in range(100):
            self.slot(**levels)
            if self.decision.current == name:
                return (slots + 1) * SLOT
        raise AssertionError("never")


def test_nobody_dominates_a_silence() -> None:
    talk = Talk("ann", "bob")
    talk.go_on(5)
    assert set(talk.dominant) == {None}


def test_who_speaks_first_dominates_at_once_and_through_silence() -> None:
    talk = Talk("ann", "bob")
    talk.go_on(2)
    talk.slot(bob=LOUD)
    talk.go_on(10)
    assert set(talk.dominant[20:]) == {"bob"}


def test_who_answers_takes_over() -> None:
    """Within half a second after a long pause, and in two where no pause was."""
    talk = Talk("ann", "bob")
    talk.go_on(10, ann=LOUD)
    talk.go_on(4)
    assert talk.delay("bob", bob=LOUD) <= 0.5
    talk.go_on(5, bob=LOUD)
    assert 0.5 <= talk.delay("ann", ann=LOUD) <= 2.0


def test_a_cough_and_an_mhm_do_not() -> None:
    talk = Talk("ann", "bob", "cyd")
    talk.go_on(5, ann=LOUD)
    talk.go_on(0.2, bob=-5)  # while ann draws breath
    talk.go_on(3, ann=LOUD)
    talk.go_on(0.4, ann=LOUD, cyd=-20)
    talk.go_on(5)
    talk.go_on(0.2, cyd=-5)
    talk.go_on(5)
    assert set(talk.dominant) == {"ann"}


def test_two_at_once_do_not_take_turns() -> None:
    talk = Talk("ann", "bob")
    talk.go_on(1, ann=LOUD)
    for _ in range(40):
        talk.go_on(0.3, ann=LOUD, bob=LOUD + 4)
        talk.go_on(0.2, ann=LOUD - 10, bob=LOUD)
        talk.go_on(0.2, ann=LOUD, bob=LOUD - 10)
    assert set(talk.dominant) == {"ann"}


def test_who_goes_is_followed_by_who_speaks_or_by_nobody() -> None:
    talk = Talk("ann", "bob", "cyd")
    talk.go_on(3, ann=LOUD, bob=LOUD)
    assert talk.decision.current == "ann"
    del talk.speeches["ann"]
    talk.slot(bob=LOUD)
    assert talk.decision.current == "bob"
    del talk.speeches["bob"]
    talk.slot()
    assert talk.decision.current is None


def levels_of(track: list[int]) -> list[int]:
    """The mean of each slot of five packets."""
    return [
        mean_level(sum(POWER[level] for level in track[at : at + 5]), 5)
        for at in range(0, len(track) - 4, 5)
    ]


@pytest.mark.parametrize("pair", list(itertools.permutations(SPEECH, 2)))
def test_a_conversation_has_as_many_turns_as_it_has(pair: tuple[str, str]) -> None:
    """Real sentences: one speaks, then the other, three times each, with 0.6 s between."""
    talk, turns = Talk("ann", "bob"), []
    for turn in range(6):
        name, other = ("ann", "bob") if turn % 2 else ("bob", "ann")
        said = SPEECH[pair[turn % 2]]
        ours, theirs = levels_of(said), levels_of(noise(len(said), turn))
        began = len(talk.dominant)
        for level, quiet in zip(ours, theirs, strict=True):
            talk.slot(**{name: level, other: quiet})
        turns.append((name, talk.dominant[began:]))
        talk.go_on(0.6)
    for name, dominant in turns:
        assert name in dominant[: round(2.5 / SLOT)]
        assert set(dominant[dominant.index(name) :]) == {name}
    changes = [key for key, _ in itertools.groupby(talk.dominant)]
    assert len(changes) <= 7  # nobody at first, perhaps, and six turns


def test_more_activity_never_scores_less() -> None:
    speech = Speech()
    before = scores(speech)
    for slot in range(SLOTS):
        speech.activity[SLOTS - 1 - slot] = UNITS
        now = scores(speech)
        assert all(new >= old for new, old in zip(now, before, strict=True))
        before = now
