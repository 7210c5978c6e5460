"""The load tool's few STUN messages, read by aioice."""

from __future__ import annotations

from aioice import stun as reference

from benchmarks.load import stun
from relay.address import Address


def test_a_check_is_a_binding_request_of_the_controlled_end() -> None:
    message = reference.parse_message(stun.check("theirs:ours", "password", 77))
    assert message.message_class == reference.Class.REQUEST
    assert message.message_method == reference.Method.BINDING
    assert message.attributes["USERNAME"] == "theirs:ours"
    assert message.attributes["PRIORITY"] == 77
    assert "ICE-CONTROLLED" in message.attributes
    assert message.check_message_integrity(b"password")


def test_an_answer_has_the_requests_transaction_and_the_senders_address() -> None:
    request = stun.check("theirs:ours", "password", 1)
    message = reference.parse_message(stun.answer(request, Address("192.0.2.9", 4096), "secret"))
    assert message.message_class == reference.Class.RESPONSE
    assert message.transaction_id == stun.transaction(request)
    assert message.attributes["XOR-MAPPED-ADDRESS"] == ("192.0.2.9", 4096)
    assert message.check_message_integrity(b"secret")


def test_messages_are_told_apart() -> None:
    request = stun.check("theirs:ours", "password", 1)
    assert stun.message_type(request) == stun.REQUEST
    assert stun.message_type(stun.answer(request, Address("127.0.0.1", 1), "x")) == stun.RESPONSE
    assert stun.message_type(b"\x00\x01") == 0
