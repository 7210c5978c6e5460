"""Consent on a selected pair, with a clock that is turned by hand."""

from __future__ import annotations

from relay import binding, consent
from relay.address import Address, Path
from relay.binding import IntegrityKey
from relay.consent import Consent

PATH = Path(Address("192.0.2.1", 40_000), Address("198.51.100.7", 5_000))
LOCAL, REMOTE = IntegrityKey("l" * 24), IntegrityKey("r" * 24)
TEMPLATE = binding.attribute(binding.USERNAME, b"peer:relay")


def begun(now: float = 0.0) -> Consent:
    return Consent(PATH, "l" * 24, "r" * 24, TEMPLATE, now)


def answer(check: bytes) -> bytes:
    return binding.sealed(binding.RESPONSE, check[binding.TRANSACTION], b"", REMOTE)


def request(number: int, body: bytes = b"", key: IntegrityKey = LOCAL) -> bytes:
    return binding.sealed(binding.REQUEST, number.to_bytes(12, "big"), body, key)


def test_delays_are_those_of_rfc_7675() -> None:
    asked = begun()
    delays = [asked.delay(0.0) for _ in range(1000)]
    assert 4.0 <= min(delays) < 4.2
    assert 5.8 < max(delays) <= 6.0


def test_the_expiry_is_not_slept_through() -> None:
    asked = begun(100.0)
    assert asked.delay(129.5) == 0.5
    assert asked.delay(131.0) == 0.0


def test_an_answer_is_worth_thirty_seconds() -> None:
    asked = begun(100.0)
    assert asked.expires == 130.0
    check = asked.check(105.0)
    assert asked.expires == 130.0
    assert asked.expects(answer(check))
    assert asked.is_answer(answer(check))
    asked.renew(answer(check), 105.25)
    assert asked.expires == 135.25
    assert asked.round_trip_time == 0.25


def test_an_answer_counts_once() -> None:
    asked = begun()
    check = asked.check(5.0)
    asked.renew(answer(check), 5.01)
    assert not asked.expects(answer(check))


def test_a_late_answer_counts_but_tells_no_round_trip_time() -> None:
    asked = begun()
    first, _ = asked.check(5.0), asked.check(10.0)
    asked.renew(answer(first), 10.25)
    assert asked.expires == 40.25
    assert asked.round_trip_time is None


def test_an_answer_that_seems_to_come_before_its_check_took_no_time() -> None:
    # Datagrams that are received together count as come when the first of them did.
    asked = begun()
    asked.renew(answer(asked.check(5.0)), 4.99)
    assert asked.round_trip_time == 0.0


def test_a_forged_answer_is_none() -> None:
    asked = begun()
    transaction = asked.check(5.0)[binding.TRANSACTION]
    for kind, key in ((binding.RESPONSE, LOCAL), (b"\x01\x11", REMOTE), (binding.REQUEST, REMOTE)):
        assert not asked.is_answer(binding.sealed(kind, transaction, b"", key))


def test_what_was_not_asked_is_not_expected() -> None:
    asked = begun()
    asked.check(5.0)
    assert not asked.expects(binding.sealed(binding.RESPONSE, bytes(12), b"", REMOTE))
    assert not asked.expects(b"")


def test_unanswered_checks_are_bounded() -> None:
    asked = begun()
    checks = [asked.check(float(number)) for number in range(100)]
    expected = [check for check in checks if asked.expects(answer(check))]
    assert expected == checks[-consent.MAX_OUTSTANDING :]


def test_only_familiar_requests_are_answered() -> None:
    asked = begun()
    usual, other = TEMPLATE, binding.attribute(binding.PRIORITY, bytes(4))
    assert asked.answer(request(1, usual)) is None
    asked.learn(request(1, usual))
    reply = asked.answer(request(2, usual))
    assert reply is not None
    assert binding.is_authentic(reply, LOCAL)
    assert reply[binding.TRANSACTION] == (2).to_bytes(12, "big")
    assert asked.answer(request(3, other)) is None
    assert asked.answer(request(4, usual, REMOTE)) is None
    assert asked.answer(request(5, usual)[:-1]) is None
    assert asked.answer(b"") is None


def test_a_request_of_another_form_is_never_familiar() -> None:
    asked = begun()
    asked.learn(request(1, TEMPLATE)[:-8])
    assert asked.answer(request(2, TEMPLATE)) is None
    asked.learn(b"\x00\x01")
    assert asked.answer(b"\x00\x01") is None
