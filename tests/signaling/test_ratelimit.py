"""The token bucket, by a clock that the test turns."""

from __future__ import annotations

from signaling.ratelimit import TokenBucket


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(rate=10, burst=3, now=100.0)

    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(100.1)  # in debt by one, and one more
    assert [bucket.take(100.4) for _ in range(3)] == [True, True, False]


def test_it_never_holds_more_than_a_burst() -> None:
    bucket = TokenBucket(rate=10, burst=2, now=0.0)

    assert [bucket.take(1000.0) for _ in range(3)] == [True, True, False]


def test_debt_grows_with_what_is_refused_and_is_paid_by_time() -> None:
    bucket = TokenBucket(rate=10, burst=1, now=0.0)
    assert bucket.debt == 0
    for _ in range(6):
        bucket.take(0.0)
    assert bucket.debt == 5

    bucket.take(0.3)
    assert bucket.debt == 3
    bucket.give_back(0.5)
    assert bucket.debt == 2.5


def test_what_is_given_back_can_be_taken_again() -> None:
    bucket = TokenBucket(rate=0, burst=1, now=0.0)
    for _ in range(4):
        assert bucket.take(0.0)
        bucket.give_back(1.0)
    bucket.give_back(100.0)

    assert [bucket.take(0.0) for _ in range(2)] == [True, False]
