"""Every first two bytes there are, against the tables of the RFCs."""

from __future__ import annotations

import pytest

from relay.demux import Protocol, classify

# RFC 7983 §7: first bytes of each protocol, both ends included.
FIRST_BYTE = {
    "STUN": (0, 3),
    "ZRTP": (16, 19),
    "DTLS": (20, 63),
    "TURN channel": (64, 79),
    "RTP or RTCP": (128, 191),
}
# RFC 5761 §4: RTCP packet types that a multiplexed RTP payload type cannot look like.
RTCP_PACKET_TYPES = range(192, 224)


def protocol_by_the_rfcs(first: int, second: int) -> Protocol:
    (name,) = [name for name, (low, high) in FIRST_BYTE.items() if low <= first <= high] or [""]
    if name == "RTP or RTCP":
        return Protocol.RTCP if second in RTCP_PACKET_TYPES else Protocol.RTP
    return {"STUN": Protocol.STUN, "DTLS": Protocol.DTLS}.get(name, Protocol.UNKNOWN)


@pytest.mark.parametrize("tail", [b"", bytes(100)], ids=["two bytes", "longer"])
def test_every_pair_of_first_bytes(tail: bytes) -> None:
    wrong = [
        (first, second)
        for first in range(256)
        for second in range(256)
        if classify(bytes((first, second)) + tail) is not protocol_by_the_rfcs(first, second)
    ]
    assert wrong == []


@pytest.mark.parametrize("datagram", [b"", b"\x00", b"\x16", b"\x80", b"\xff"])
def test_too_short_to_tell(datagram: bytes) -> None:
    assert classify(datagram) is Protocol.UNKNOWN


@pytest.mark.parametrize(
    ("datagram", "protocol"),
    [
        (b"\x00\x01\x00\x00\x21\x12\xa4\x42", Protocol.STUN),  # binding request
        (b"\x01\x01\x00\x0c\x21\x12\xa4\x42", Protocol.STUN),  # binding success response
        (b"\x16\xfe\xfd", Protocol.DTLS),  # handshake record
        (b"\x14\xfe\xfd", Protocol.DTLS),  # change_cipher_spec record, the smallest type
        (b"\x90\x6f", Protocol.RTP),  # Opus with a header extension
        (b"\x90\xef", Protocol.RTP),  # the same with the marker
        (b"\x80\xc8", Protocol.RTCP),  # sender report
        (b"\x81\xcd", Protocol.RTCP),  # transport-wide feedback
        (b"\x40\x00", Protocol.UNKNOWN),  # TURN channel data
    ],
)
def test_what_browsers_send(datagram: bytes, protocol: Protocol) -> None:
    assert classify(datagram) is protocol
