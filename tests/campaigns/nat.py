"""An address translator for UDP over IPv4, that can forget: what a home router does when it reboots. Pure.

Only ports change. The checksum of a changed packet is left out, which UDP over IPv4 allows (RFC 768).
"""

from __future__ import annotations

_UDP = 17
_FIRST_PORT = 20_000
_PORTS = 20_000


class PortTranslator:
    """Gives each inner port an outer one, from the first packet on."""

    def __init__(self) -> None:
        self._outer: dict[int, int] = {}
        self._inner: dict[int, int] = {}
        self._next = 0

    def rebind(self) -> None:
        """Forget every mapping: the next packets go out from other ports, and old ones lead nowhere."""
        self._outer.clear()
        self._inner.clear()

    def outbound(self, packet: bytes) -> bytes:
        """An IP packet on its way out."""
        start = _udp_header(packet)
        if start is None:
            return packet
        inner = int.from_bytes(packet[start : start + 2], "big")
        if inner not in self._outer:
            outer = _FIRST_PORT + self._next % _PORTS
            self._next += 1
            self._outer[inner], self._inner[outer] = outer, inner
        return _with_port(packet, start, start, self._outer[inner])

    def inbound(self, packet: bytes) -> bytes | None:
        """An IP packet on its way in; None when nobody behind the translator is meant."""
        start = _udp_header(packet)
        if start is None:
            return packet
        inner = self._inner.get(int.from_bytes(packet[start + 2 : start + 4], "big"))
        return None if inner is None else _with_port(packet, start, start + 2, inner)


def _udp_header(packet: bytes) -> int | None:
    """Where the UDP header of an IPv4 packet starts; None for everything else."""
    if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != _UDP:
        return None
    return 4 * (packet[0] & 15)


def _with_port(packet: bytes, start: int, at: int, port: int) -> bytes:
    changed = bytearray(packet)
    changed[at : at + 2] = port.to_bytes(2, "big")
    changed[start + 6 : start + 8] = b"\0\0"
    return bytes(changed)
