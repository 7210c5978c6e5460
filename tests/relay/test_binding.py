"""Binding messages from templates, read by aioice; and aioice's, recognised here."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from relay import binding
from relay.binding import IntegrityKey

TRANSACTION = bytes(range(12))
PASSWORDS = st.text("abcXYZ019+/", min_size=1, max_size=256)
KEY = IntegrityKey("p" * 24)


@given(PASSWORDS, st.binary(max_size=300))
def test_the_digest_is_hmac_sha1(password: str, data: bytes) -> None:
    assert IntegrityKey(password).digest(data) == hmac.digest(password.encode(), data, "sha1")


@given(PASSWORDS, st.binary(min_size=12, max_size=12), st.binary(max_size=40))
def test_a_request_is_read_as_it_was_meant(
    password: str, transaction: bytes, username: bytes
) -> None:
    name = username.hex()
    body = (
        binding.attribute(binding.USERNAME, name.encode())
        + binding.attribute(binding.PRIORITY, (7).to_bytes(4, "big"))
        + binding.attribute(binding.ICE_CONTROLLING, (8).to_bytes(8, "big"))
    )
    datagram = binding.sealed(binding.REQUEST, transaction, body, IntegrityKey(password))
    message = stun.parse_message(datagram)
    assert message.message_class is stun.Class.REQUEST
    assert message.message_method is stun.Method.BINDING
    assert message.transaction_id == transaction == datagram[binding.TRANSACTION]
    assert message.attributes["USERNAME"] == name
    assert message.attributes["PRIORITY"] == 7
    assert message.attributes["ICE-CONTROLLING"] == 8
    assert message.check_message_integrity(password.encode())
    assert binding.is_authentic(datagram, IntegrityKey(password))
    assert binding.body_of(datagram) == body


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7"])
@pytest.mark.parametrize("port", [1, 5_000, 65_535])
def test_a_response_tells_where_the_request_came_from(host: str, port: int) -> None:
    body = binding.mapped_address(ip_address(host).packed, port, TRANSACTION)
    message = stun.parse_message(binding.sealed(binding.RESPONSE, TRANSACTION, body, KEY))
    assert message.message_class is stun.Class.RESPONSE
    assert message.attributes["XOR-MAPPED-ADDRESS"] == (host, port)


def reference() -> bytes:
    message = stun.Message(
        stun.Method.BINDING, stun.Class.REQUEST, attributes={"USERNAME": "a:b", "PRIORITY": 1}
    )
    message.add_message_integrity(b"p" * 24)
    return bytes(message)


def test_another_implementations_message_is_authentic() -> None:
    datagram = reference()
    assert binding.is_sealed(datagram)
    assert binding.is_authentic(datagram, KEY)
    assert not binding.is_authentic(datagram, IntegrityKey("w" * 24))


@pytest.mark.parametrize("position", range(len(reference())))
def test_any_changed_byte_is_noticed(position: int) -> None:
    datagram = bytearray(reference())
    datagram[position] ^= 0x41
    assert not binding.is_authentic(bytes(datagram), KEY)


def test_a_message_without_fingerprint_is_not_of_the_form() -> None:
    message = stun.parse_message(reference())
    del message.attributes["FINGERPRINT"]
    assert not binding.is_sealed(bytes(message))
    assert not binding.is_authentic(bytes(message), KEY)


@given(st.binary(max_size=200))
def test_whatever_arrives_is_told_apart(datagram: bytes) -> None:
    assert not binding.is_authentic(datagram, KEY)
    binding.body_of(datagram)
