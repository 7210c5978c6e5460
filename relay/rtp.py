"""RTP packets: header, extensions, padding (RFC 3550 §5.1, RFC 8285 §4).

    0                   1                   2                   3
    |V=2|P|X|  CC   |M|     PT      |       sequence number         |
    |                           timestamp                           |
    |                             SSRC                              |
    |                        CSRC, CC times                         |
    |  defined by profile: 0xBEDE   |      length in 32-bit words   |   when X
    |  ID   |  len  | data ...                                      |

The forwarder (`forward.py`) reads the twelve fixed bytes where the packet lies, and comes here only
for what is not in *plain form*: `plain` brings a packet into the one form that consumers get, without
contributing sources, padding, or any header extension outside the fixed table.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from .parameters import AUDIO_LEVEL_ID

RTP_VERSION = 2
FIXED_HEADER_LENGTH = 12
ONE_BYTE_PROFILE = 0xBEDE
"""Extension elements with one byte of id and length (RFC 8285 §4.2)."""
TWO_BYTE_PROFILE = 0x1000
"""Extension elements with two; the low four bits are free (RFC 8285 §4.3)."""
ONE_BYTE_RESERVED_ID = 15
"""An element that ends the processing of the block (RFC 8285 §4.2)."""

_FIXED = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")


class RtpError(ValueError):
    """Bytes that are no RTP packet. It stays inside the relay."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet, unprotected.

    sequence_number: 16 bits; timestamp and ssrc: 32 bits; extensions: (id, data) in wire order;
    padding: bytes after the payload, 0 to 255, their own count included.
    """

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes = b""
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extensions: tuple[tuple[int, bytes], ...] = ()
    padding: int = 0


def parse_rtp(data: bytes) -> RtpPacket:
    """Read a packet; raises RtpError when `data` is none."""
    if len(data) < FIXED_HEADER_LENGTH:
        raise RtpError("shorter than the fixed header")
    first, second, sequence_number, timestamp, ssrc = _FIXED.unpack_from(data)
    if first >> 6 != RTP_VERSION:
        raise RtpError("version is not 2")
    start = FIXED_HEADER_LENGTH + 4 * (first & 0x0F)
    if start > len(data):
        raise RtpError("contributing sources run past the end")
    csrcs = struct.unpack_from(f"!{first & 0x0F}I", data, FIXED_HEADER_LENGTH)
    extensions: tuple[tuple[int, bytes], ...] = ()
    if first & 0x10:
        extensions, start = _parse_extensions(data, start)
    end = len(data)
    padding = 0
    if first & 0x20:
        padding = data[-1]
        end -= padding
        if padding == 0 or end < start:
            raise RtpError("padding runs over the header")
    return RtpPacket(
        payload_type=second & 0x7F,
        marker=bool(second & 0x80),
        sequence_number=sequence_number,
        timestamp=timestamp,
        ssrc=ssrc,
        csrcs=csrcs,
        extensions=extensions,
        payload=data[start:end],
        padding=padding,
    )


def build_rtp(packet: RtpPacket) -> bytes:
    """Write a packet. Extensions take one-byte elements where they fit, two-byte ones otherwise."""
    extension = _build_extensions(packet.extensions) if packet.extensions else b""
    first = (
        RTP_VERSION << 6
        | (0x20 if packet.padding else 0)
        | (0x10 if extension else 0)
        | len(packet.csrcs)
    )
    second = (0x80 if packet.marker else 0) | packet.payload_type
    padding = bytes(packet.padding - 1) + bytes([packet.padding]) if packet.padding else b""
    return b"".join(
        (
            _FIXED.pack(first, second, packet.sequence_number, packet.timestamp, packet.ssrc),
            struct.pack(f"!{len(packet.csrcs)}I", *packet.csrcs),
            extension,
            packet.payload,
            padding,
        )
    )


def plain(data: bytes) -> bytes:
    """The packet in the form that consumers get: no CSRCs, no padding, and of the header extensions
    only the audio level (RFC 6464), which is one byte; one of another length is none.

    Raises RtpError when `data` is no RTP packet.
    """
    packet = parse_rtp(data)
    levels = [
        element
        for element in packet.extensions
        if element[0] == AUDIO_LEVEL_ID and len(element[1]) == 1
    ]
    return build_rtp(replace(packet, csrcs=(), extensions=tuple(levels[:1]), padding=0))


def _parse_extensions(data: bytes, start: int) -> tuple[tuple[tuple[int, bytes], ...], int]:
    """The elements of the block at `start`, and where the payload begins."""
    if start + 4 > len(data):
        raise RtpError("extension header runs past the end")
    profile, words = _EXTENSION.unpack_from(data, start)
    position, end = start + 4, start + 4 + 4 * words
    if end > len(data):
        raise RtpError("extensions run past the end")
    if profile == ONE_BYTE_PROFILE:
        head = 1
    elif profile & 0xFFF0 == TWO_BYTE_PROFILE:
        head = 2
    else:
        return (), end  # another profile's block: not ours to read (RFC 3550 §5.3.1)
    elements = []
    while position < end:
        identifier = data[position] >> 4 if head == 1 else data[position]
        if identifier == 0:  # padding between elements
            position += 1
            continue
        if head == 1:
            if identifier == ONE_BYTE_RESERVED_ID:
                break
            length = (data[position] & 0x0F) + 1
        elif position + 1 == end:
            raise RtpError("extension element runs past the block")
        else:
            length = data[position + 1]
        position += head
        if position + length > end:
            raise RtpError("extension element runs past the block")
        elements.append((identifier, data[position : position + length]))
        position += length
    return tuple(elements), end


def _build_extensions(elements: tuple[tuple[int, bytes], ...]) -> bytes:
    one_byte = all(0 < identifier < 15 and 0 < len(value) <= 16 for identifier, value in elements)
    profile = ONE_BYTE_PROFILE if one_byte else TWO_BYTE_PROFILE
    body = b"".join(
        (bytes([identifier << 4 | len(value) - 1]) if one_byte else bytes([identifier, len(value)]))
        + value
        for identifier, value in elements
    )
    body += bytes(-len(body) % 4)
    return _EXTENSION.pack(profile, len(body) // 4) + body
