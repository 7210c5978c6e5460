"""The STUN messages that a connected pair exchanges for hours: Binding requests and responses (RFC 8489).

They are written from what stays the same, and recognised without being parsed; setting a connection up
is another matter, which `ice_checks.py` leaves to aioice. Every message ends with MESSAGE-INTEGRITY and
FINGERPRINT (RFC 8445 §7.1, RFC 8489 §14.5, §14.7); `is_authentic` takes no others.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib

REQUEST, RESPONSE = b"\x00\x01", b"\x01\x01"
"""The first two bytes of a Binding request and of its success response."""

TRANSACTION = slice(8, 20)
"""Where a message's transaction id stands, of 96 random bits."""

USERNAME, XOR_MAPPED_ADDRESS, PRIORITY = 0x0006, 0x0020, 0x0024
ICE_CONTROLLED, ICE_CONTROLLING = 0x8029, 0x802A

_COOKIE = b"\x21\x12\xa4\x42"
_HEADER_LENGTH = 20
_INTEGRITY, _FINGERPRINT = b"\x00\x08\x00\x14", b"\x80\x28\x00\x04"  # types and lengths
_INTEGRITY_LENGTH, _FINGERPRINT_LENGTH = 24, 8
_TRAILER_LENGTH = _INTEGRITY_LENGTH + _FINGERPRINT_LENGTH
_FINGERPRINT_XOR = 0x5354554E
_SHA1_BLOCK = 64


class IntegrityKey:
    """HMAC-SHA1 under one short-term password (RFC 8489 §9.1, RFC 2104).

    The two blocks that depend on the password alone are hashed once; that is half of the work.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, password: str) -> None:
        key = password.encode()
        if len(key) > _SHA1_BLOCK:
            key = hashlib.sha1(key, usedforsecurity=False).digest()
        key = key.ljust(_SHA1_BLOCK, b"\0")
        self._inner = hashlib.sha1(bytes(byte ^ 0x36 for byte in key), usedforsecurity=False)
        self._outer = hashlib.sha1(bytes(byte ^ 0x5C for byte in key), usedforsecurity=False)

    def digest(self, data: bytes) -> bytes:
        """The 20 bytes that go with `data`."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.digest()


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute with its padding (RFC 8489 §14)."""
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def mapped_address(host: bytes, port: int, transaction: bytes) -> bytes:
    """XOR-MAPPED-ADDRESS (RFC 8489 §14.2): where a request came from. host: packed, 4 or 16 bytes."""
    mask = (_COOKIE + transaction)[: len(host)]
    hidden = int.from_bytes(host, "big") ^ int.from_bytes(mask, "big")
    family = 1 if len(host) == 4 else 2
    value = struct.pack("!HH", family, port ^ 0x2112) + hidden.to_bytes(len(host), "big")
    return attribute(XOR_MAPPED_ADDRESS, value)


def sealed(kind: bytes, transaction: bytes, body: bytes, key: IntegrityKey) -> bytes:
    """A message of these attributes, with integrity and fingerprint."""
    identified = _COOKIE + transaction + body
    length = len(body) + _INTEGRITY_LENGTH
    digest = key.digest(kind + length.to_bytes(2, "big") + identified)
    length += _FINGERPRINT_LENGTH
    message = kind + length.to_bytes(2, "big") + identified + _INTEGRITY + digest
    return message + _FINGERPRINT + _checksum(message)


def body_of(datagram: bytes) -> bytes:
    """The attributes before MESSAGE-INTEGRITY, of a message that ends as it should."""
    return datagram[_HEADER_LENGTH:-_TRAILER_LENGTH]


def is_sealed(datagram: bytes) -> bool:
    """Whether a message has the form that `sealed` gives, whatever its integrity."""
    length = len(datagram) - _HEADER_LENGTH
    return (
        length >= _TRAILER_LENGTH
        and datagram[2:8] == length.to_bytes(2, "big") + _COOKIE
        and datagram[-32:-28] == _INTEGRITY
        and datagram[-8:-4] == _FINGERPRINT
    )


def is_authentic(datagram: bytes, key: IntegrityKey) -> bool:
    """Whether a message has that form, was signed under this key, and came unharmed."""
    if not is_sealed(datagram):
        return False
    signed_length = len(datagram) - _HEADER_LENGTH - _FINGERPRINT_LENGTH
    signed = datagram[:2] + signed_length.to_bytes(2, "big") + datagram[4:-_TRAILER_LENGTH]
    return hmac.compare_digest(key.digest(signed), datagram[-28:-8]) and (
        datagram[-4:] == _checksum(datagram[:-8])
    )


def _checksum(message: bytes) -> bytes:
    return (zlib.crc32(message) ^ _FINGERPRINT_XOR).to_bytes(4, "big")
