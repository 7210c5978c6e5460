"""When another path is to be nominated: a table of courses, and bounds."""

from __future__ import annotations

import pytest

from relay.address import Address, Path
from relay.roaming import (
    FORGET_AFTER,
    MAX_PATHS,
    PROBES,
    QUIET,
    ROUNDS,
    Roaming,
    Step,
)

LOCAL = Address("192.0.2.1", 40_000)


def path(number: int) -> Path:
    return Path(LOCAL, Address("198.51.100.7", 5_000 + number))


A, B, C = map(path, range(3))


@pytest.fixture
def roaming() -> Roaming:
    """Media takes A; checks came by B, and then by A."""
    roaming = Roaming()
    for each in (B, A):
        roaming.admit(each, 0.0)
    roaming.select(A, 0.0)
    return roaming


def _steps(roaming: Roaming, count: int) -> list[Step]:
    return [roaming.step() for _ in range(count)]


def test_nothing_is_selected_at_first() -> None:
    roaming = Roaming()
    assert not roaming.suspect(A, 10.0)
    assert not roaming.suspect(None, 10.0)
    assert roaming.step() is Step.REST


def test_a_check_by_the_selected_path_is_no_news(roaming: Roaming) -> None:
    assert not roaming.suspect(A, 100.0)


def test_a_check_by_another_path_is_none_while_the_selected_one_answers(roaming: Roaming) -> None:
    assert not roaming.suspect(B, QUIET)
    assert not roaming.is_searching


@pytest.mark.parametrize("why", [B, None])
def test_a_path_that_answers_no_probe_gives_way(roaming: Roaming, why: Path | None) -> None:
    assert roaming.suspect(why, QUIET + 0.1)
    assert roaming.is_searching
    assert not roaming.suspect(why, QUIET + 0.1)  # once is enough
    assert _steps(roaming, PROBES) == [Step.PROBE] * PROBES
    assert roaming.step() is Step.NOMINATE
    assert roaming.rival == B
    roaming.select(B, 2.0)
    assert not roaming.is_searching
    assert roaming.step() is Step.REST
    assert roaming.selected == B


@pytest.mark.parametrize("steps", range(1, PROBES + ROUNDS + 2))
def test_an_answer_ends_the_doubt_whenever_it_comes(roaming: Roaming, steps: int) -> None:
    roaming.suspect(B, 1.0)
    _steps(roaming, steps)
    roaming.answered(1.5)
    assert not roaming.is_searching
    assert roaming.step() is Step.REST
    assert not roaming.suspect(B, 1.5 + QUIET)
    assert roaming.suspect(B, 1.6 + QUIET)


def test_the_path_that_was_heard_last_is_nominated_first(roaming: Roaming) -> None:
    roaming.admit(C, 1.0)
    roaming.admit(B, 2.0)
    roaming.suspect(B, 2.0)
    _steps(roaming, PROBES)
    rivals = []
    while roaming.step() is Step.NOMINATE:
        rivals.append(roaming.rival)
    assert rivals == [B, C] * ROUNDS


def test_who_answers_nowhere_is_given_up_once(roaming: Roaming) -> None:
    roaming.suspect(None, 5.0)
    steps = _steps(roaming, PROBES + ROUNDS + 3)
    assert steps.count(Step.GIVE_UP) == 1
    assert steps[-1] is Step.REST
    assert roaming.is_searching
    assert not roaming.suspect(None, 10.0)


def test_who_was_given_up_and_shows_up_elsewhere_is_followed_at_once(roaming: Roaming) -> None:
    roaming.suspect(None, 5.0)
    _steps(roaming, PROBES + ROUNDS + 1)
    assert roaming.suspect(B, 20.0)
    assert roaming.step() is Step.NOMINATE
    assert roaming.rival == B
    assert roaming.step() is Step.GIVE_UP


@pytest.mark.parametrize("doubtful", [False, True])
def test_a_path_that_is_taken_gives_way_at_once(roaming: Roaming, doubtful: bool) -> None:
    if doubtful:
        roaming.suspect(None, 5.0)
    roaming.lose()
    assert roaming.is_searching
    assert _steps(roaming, ROUNDS + 2) == [Step.NOMINATE] * ROUNDS + [Step.GIVE_UP, Step.REST]
    assert roaming.rival == B


def test_paths_are_bounded() -> None:
    roaming = Roaming()
    for number in range(MAX_PATHS):
        assert roaming.admit(path(number), 0.0) == (True, None)
    assert roaming.admit(path(100), 1.0) == (False, None)
    assert roaming.admit(path(3), 1.0) == (True, None)
    assert len(roaming.paths) == MAX_PATHS


def test_what_was_not_heard_for_long_makes_room() -> None:
    roaming = Roaming()
    for number in range(MAX_PATHS):
        roaming.admit(path(number), 0.0)
    roaming.admit(path(0), 1.0)
    roaming.select(path(1), 1.0)
    assert roaming.admit(path(100), FORGET_AFTER) == (True, path(2))
    assert path(1) in roaming.paths  # media takes it
    assert len(roaming.paths) == MAX_PATHS
    for number in range(200, 200 + MAX_PATHS):  # as many in so many seconds, and no more
        roaming.admit(path(number), FORGET_AFTER)
    assert roaming.admit(path(0), FORGET_AFTER)[0]
    assert len(roaming.paths) == MAX_PATHS
