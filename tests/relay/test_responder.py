"""The responder alone; `test_forward_answers.py` has both planes, which answer by it."""

from __future__ import annotations

import pytest

from relay import binding
from relay.address import Address
from relay.binding import IntegrityKey
from relay.responder import Responder

PASSWORD = "p" * 24
KEY = IntegrityKey(PASSWORD)
USUAL = binding.attribute(binding.USERNAME, b"relay:peer")


def request(number: int, body: bytes = USUAL, key: IntegrityKey = KEY) -> bytes:
    return binding.sealed(binding.REQUEST, number.to_bytes(12, "big"), body, key)


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7"])
def test_the_usual_request_is_answered(host: str) -> None:
    answer = Responder(Address(host, 7_000), PASSWORD, USUAL).answer(request(2))
    assert answer is not None
    assert answer[:2] == binding.RESPONSE
    assert answer[binding.TRANSACTION] == (2).to_bytes(12, "big")
    assert binding.is_authentic(answer, KEY)


def test_nothing_else_is() -> None:
    responder = Responder(Address("192.0.2.7", 7_000), PASSWORD, USUAL)
    other = binding.attribute(binding.PRIORITY, bytes(4))
    assert responder.answer(request(1, other)) is None
    assert responder.answer(request(2, key=IntegrityKey("another"))) is None
    assert responder.answer(request(3)[:-1]) is None
    assert responder.answer(binding.sealed(binding.RESPONSE, bytes(12), USUAL, KEY)) is None
    assert responder.answer(b"") is None


def test_the_budget_is_the_callers() -> None:
    responder = Responder(Address("192.0.2.7", 7_000), PASSWORD, USUAL)
    assert all(responder.answer(request(number)) for number in range(1000))
    assert responder.budget.take(0.0)
