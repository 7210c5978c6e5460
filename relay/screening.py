"""What is looked at before a STUN message is parsed: is it one of ours, and may it cost more time?

Reading all attributes of a message takes up to 400 µs, so whoever can send a few thousand datagrams a
second could keep the event loop busy with them. `screen` takes a microsecond or two: it reads the header,
and of a request the USERNAME. `Budget` bounds how often the rest is done for one connection, since somebody
with valid credentials can flood, too.
"""

from __future__ import annotations

import struct

MAX_LENGTH = 576
"""Bytes of a STUN message (RFC 8489 §6.1 has it for paths of unknown MTU). A browser's check has about a
hundred; ICE's longest username alone has 513."""

MAX_ATTRIBUTES = 24
"""Of a message. A browser's check has eight."""

_HEADER = struct.Struct("!HH")
_HEADER_LENGTH = 20
_COOKIE = b"\x21\x12\xa4\x42"
_CLASS, _BINDING = 0x0110, 0x0001
_USERNAME, _MESSAGE_INTEGRITY = 0x0006, 0x0008


def screen(datagram: bytes) -> tuple[bool, bytes] | None:
    """Whether a message is a request, and whose: of a request the name before the colon in USERNAME (of the
    last one before MESSAGE-INTEGRITY; empty without one), of anything else the transaction id.

    None for what is no Binding message, or has another length, cookie or framing than it says, or is out of
    bounds.
    """
    length = len(datagram)
    if not _HEADER_LENGTH <= length <= MAX_LENGTH or datagram[4:8] != _COOKIE:
        return None
    kind, body = _HEADER.unpack_from(datagram)
    if kind & ~_CLASS != _BINDING or body != length - _HEADER_LENGTH:
        return None
    name, signed = b"", False
    position = _HEADER_LENGTH
    for _ in range(MAX_ATTRIBUTES):
        if position + 4 > length:
            break
        attribute, size = _HEADER.unpack_from(datagram, position)
        position += 4
        if attribute == _MESSAGE_INTEGRITY:
            signed = True
        elif attribute == _USERNAME and not signed:
            name = datagram[position : position + size]
        position += size + (-size & 3)
    if position != length:
        return None
    if kind & _CLASS:
        return False, datagram[8:20]
    return True, name.partition(b":")[0]


class Budget:
    """How often something may be done: `burst` times at once, and `rate` times a second for ever.

    Starts full. What comes beyond it is lost, and costs nothing later.
    """

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether it may be done once more at the time `now`, in seconds of any steady clock."""
        left = min(self._burst, self._left + max(0.0, now - self._at) * self._rate)
        self._at = now
        if left < 1.0:
            self._left = left
            return False
        self._left = left - 1.0
        return True
