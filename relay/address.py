"""Transport addresses, and how the kernel writes them.

An `Address` is an IP literal and a port. A `Path` is what a datagram travels: one of our own addresses
and one of somebody else's. Sockets deal in packed `sockaddr` structures, which double as dictionary
keys on the hot path: equal bytes, equal address.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import NamedTuple

_NATIVE_FAMILY = struct.Struct("=H")
_PORT = struct.Struct("!H")


class Address(NamedTuple):
    """host: an IPv4 or IPv6 literal, never a name; port: 0 to 65535."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Path(NamedTuple):
    """The way between one of our sockets (`local`) and another host (`remote`)."""

    local: Address
    remote: Address

    def __str__(self) -> str:
        return f"{self.local} <-> {self.remote}"


def family_of(host: str) -> int:
    """`socket.AF_INET` or `socket.AF_INET6`; raises ValueError when `host` is no IP literal."""
    return socket.AF_INET if ipaddress.ip_address(host).version == 4 else socket.AF_INET6


def pack_sockaddr(address: Address) -> bytes:
    """The `sockaddr_in` (16 bytes) or `sockaddr_in6` (28 bytes) of an address, as Linux lays it out."""
    family = family_of(address.host)
    head = _NATIVE_FAMILY.pack(family) + _PORT.pack(address.port)
    if family == socket.AF_INET:
        return head + socket.inet_pton(family, address.host) + bytes(8)
    return head + bytes(4) + socket.inet_pton(family, address.host) + bytes(4)


def unpack_sockaddr(packed: bytes) -> Address:
    """The address in a `sockaddr_in` or `sockaddr_in6` that the kernel wrote."""
    (family,) = _NATIVE_FAMILY.unpack_from(packed)
    (port,) = _PORT.unpack_from(packed, 2)
    start, length = (4, 4) if family == socket.AF_INET else (8, 16)
    return Address(socket.inet_ntop(family, packed[start : start + length]), port)
