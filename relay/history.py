"""The latest packets of a publisher, so that a listener may ask for one again.

They are kept once per publisher, in plain form and under the numbers of its timeline (`sequence.py`); a
listener's NACK names numbers of its own, which are a constant ahead. A packet that goes out once more is
made from the same bytes in the same way as the first time, since SRTP encrypts a sequence number twice
safely only when nothing at all is different (RFC 7714 §8.4: otherwise AES-GCM's key of authentication
leaks). So a number is kept once: what comes under it later is dropped, whatever it holds.

Memory: 68 KiB in the native plane, for publishers that need it: those who are asked for lost packets, send
RED, or have a listener who may ask.
"""

from __future__ import annotations

HISTORY_PACKETS = 128
"""2.5 s of 20 ms frames; as many as libsrtp's replay list looks back (its default window)."""

MAX_KEPT_LENGTH = 512
"""Bytes of a packet that is kept: 20 ms of Opus are 80 to 160, with RED about twice that. Of a longer
one only the number is known."""


class History:
    """The packets whose timeline numbers are the latest `HISTORY_PACKETS`. Numbers begin with 1."""

    __slots__ = ("_packets", "_payloads", "_sequences", "_timestamps")

    def __init__(self) -> None:
        self._sequences = [0] * HISTORY_PACKETS
        self._timestamps = [0] * HISTORY_PACKETS
        self._payloads = [0] * HISTORY_PACKETS
        self._packets = [b""] * HISTORY_PACKETS

    def holds(self, sequence: int) -> bool:
        """Whether a packet was kept under this number."""
        return self._sequences[sequence % HISTORY_PACKETS] == sequence

    def keep(self, packet: bytes | memoryview, payload: int, sequence: int, timestamp: int) -> None:
        """Keep a plain packet; the one that is HISTORY_PACKETS older goes."""
        slot = sequence % HISTORY_PACKETS
        self._sequences[slot] = sequence
        self._timestamps[slot] = timestamp
        self._payloads[slot] = payload
        self._packets[slot] = bytes(packet) if len(packet) <= MAX_KEPT_LENGTH else b""

    def find(self, sequence: int) -> tuple[bytes, int, int] | None:
        """A packet, its payload's length, and its timestamp; None when it is not there, or was too long."""
        slot = sequence % HISTORY_PACKETS
        packet = self._packets[slot]
        if self._sequences[slot] != sequence or not packet:
            return None
        return packet, self._payloads[slot], self._timestamps[slot]
