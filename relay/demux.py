"""Which protocol a datagram speaks, told from its first two bytes (RFC 7983 §7, RFC 5761 §4).

first byte    second byte    protocol
0 to 3        any            STUN
20 to 63      any            DTLS
128 to 191    192 to 223     RTCP
128 to 191    any other      RTP
the rest                     unknown: ZRTP, TURN channels, QUIC, noise
"""

from __future__ import annotations

from enum import IntEnum


class Protocol(IntEnum):
    """A protocol that shares the UDP port."""

    UNKNOWN = 0
    STUN = 1
    DTLS = 2
    RTP = 3
    RTCP = 4


def classify(datagram: bytes) -> Protocol:
    """The protocol of a datagram; `UNKNOWN` for one too short to tell."""
    if len(datagram) < 2:
        return Protocol.UNKNOWN
    first = datagram[0]
    if 128 <= first <= 191:
        return Protocol.RTCP if 192 <= datagram[1] <= 223 else Protocol.RTP
    if first <= 3:
        return Protocol.STUN
    if 20 <= first <= 63:
        return Protocol.DTLS
    return Protocol.UNKNOWN
