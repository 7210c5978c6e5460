"""Connectivity checks of the controlled end (RFC 8489, RFC 8445 §7): made, answered, told apart."""

from __future__ import annotations

import hmac
import secrets
import socket
import struct
import zlib

from relay.address import Address

REQUEST, RESPONSE = 0x0001, 0x0101

_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_USERNAME, _MESSAGE_INTEGRITY, _XOR_MAPPED_ADDRESS = 0x0006, 0x0008, 0x0020
_PRIORITY, _FINGERPRINT, _ICE_CONTROLLED = 0x0024, 0x8028, 0x8029
_FINGERPRINT_XOR = 0x5354554E
_TIE_BREAKER = secrets.token_bytes(8)
"""The same in every check, as an agent's is (RFC 8445 §5.2)."""


def message_type(datagram: bytes) -> int:
    """`REQUEST`, `RESPONSE` or another; 0 for what is too short."""
    return int.from_bytes(datagram[:2], "big") if len(datagram) >= _HEADER.size else 0


def transaction(datagram: bytes) -> bytes:
    """The 12 bytes that tell a request from another."""
    return datagram[8:20]


def check(username: str, password: str, priority: int) -> bytes:
    """A Binding request, under the other end's password."""
    name = username.encode()
    body = (
        _attribute(_USERNAME, name)
        + _attribute(_PRIORITY, priority.to_bytes(4, "big"))
        + _attribute(_ICE_CONTROLLED, _TIE_BREAKER)
    )
    return _sealed(REQUEST, secrets.token_bytes(12), body, password)


def answer(request: bytes, sender: Address, password: str) -> bytes:
    """The success response to a Binding request, under our own password."""
    host = int.from_bytes(socket.inet_aton(sender.host), "big") ^ _COOKIE
    mapped = struct.pack("!HHI", socket.AF_INET - 1, sender.port ^ _COOKIE >> 16, host)
    body = _attribute(_XOR_MAPPED_ADDRESS, mapped)
    return _sealed(RESPONSE, transaction(request), body, password)


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _sealed(kind: int, identifier: bytes, body: bytes, password: str) -> bytes:
    """The message with MESSAGE-INTEGRITY and FINGERPRINT, whose lengths each count what came so far."""
    head = _HEADER.pack(kind, len(body) + 24, _COOKIE, identifier)
    digest = hmac.digest(password.encode(), head + body, "sha1")
    body += _attribute(_MESSAGE_INTEGRITY, digest)
    head = _HEADER.pack(kind, len(body) + 8, _COOKIE, identifier)
    checksum = zlib.crc32(head + body) ^ _FINGERPRINT_XOR
    return head + body + _attribute(_FINGERPRINT, checksum.to_bytes(4, "big"))
