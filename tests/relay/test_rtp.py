"""RTP packets: properties, tables, and aiortc as another reader and writer."""

from __future__ import annotations

import aiortc.rtp
import pytest
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from hypothesis import given
from hypothesis import strategies as st

from relay.parameters import AUDIO_LEVEL_ID, AUDIO_LEVEL_URI
from relay.rtp import FIXED_HEADER_LENGTH, RtpError, RtpPacket, build_rtp, parse_rtp, plain

MID_ID = 4
FIXED = bytes.fromhex("806f 1234 00010203 deadbeef")
"""Header of payload type 111, sequence number 0x1234, timestamp 0x10203, SSRC 0xDEADBEEF."""

one_byte_elements = st.tuples(st.integers(1, 14), st.binary(min_size=1, max_size=16))
two_byte_elements = st.tuples(st.integers(1, 255), st.binary(max_size=255))
extension_lists = st.one_of(
    st.lists(one_byte_elements, max_size=6), st.lists(two_byte_elements, max_size=4)
).map(tuple)
words = st.integers(0, 2**32 - 1)
packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence_number=st.integers(0, 0xFFFF),
    timestamp=words,
    ssrc=words,
    payload=st.binary(max_size=200),
    marker=st.booleans(),
    csrcs=st.lists(words, max_size=15).map(tuple),
    extensions=extension_lists,
    padding=st.integers(0, 255),
)


def with_header(first: int, tail: bytes) -> bytes:
    """A packet that begins with `first` and has `tail` behind its fixed header."""
    return bytes([first]) + FIXED[1:] + tail


@given(packets)
def test_parse_undoes_build(packet: RtpPacket) -> None:
    assert parse_rtp(build_rtp(packet)) == packet


def parses_or_raises(data: bytes) -> None:
    try:
        packet = parse_rtp(data)
    except RtpError:
        with pytest.raises(RtpError):
            plain(data)
        return
    assert packet.payload in data
    assert parse_rtp(build_rtp(packet)) == packet
    assert len(plain(data)) <= len(data)


@given(st.binary(max_size=100))
def test_any_bytes_parse_or_raise_rtp_error(data: bytes) -> None:
    parses_or_raises(data)


@given(st.integers(0x80, 0xBF), st.binary(max_size=100))
def test_any_bytes_behind_a_header_parse_or_raise_rtp_error(first: int, tail: bytes) -> None:
    parses_or_raises(with_header(first, tail))


@given(st.sampled_from(["bede", "1000", "100f"]), st.binary(max_size=40))
def test_any_extension_block_parses_or_raises_rtp_error(profile: str, block: bytes) -> None:
    block += bytes(-len(block) % 4)
    length = (len(block) // 4).to_bytes(2, "big")
    parses_or_raises(with_header(0x90, bytes.fromhex(profile) + length + block + b"opus"))


@given(packets, st.data())
def test_a_packet_cut_short_parses_or_raises_rtp_error(
    packet: RtpPacket, data: st.DataObject
) -> None:
    whole = build_rtp(packet)
    parses_or_raises(whole[: data.draw(st.integers(0, len(whole)))])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "shorter"),
        (FIXED[:-1], "shorter"),
        (b"\x00" + FIXED[1:], "version"),
        (b"\x40" + FIXED[1:], "version"),
        (b"\xc0" + FIXED[1:], "version"),
        (with_header(0x81, bytes(3)), "contributing sources"),
        (with_header(0x8F, bytes(59)), "contributing sources"),
        (with_header(0x90, b""), "extension header"),
        (with_header(0x90, bytes.fromhex("bede00")), "extension header"),
        (with_header(0x90, bytes.fromhex("bede0001 10ff00")), "extensions run"),
        (with_header(0x90, bytes.fromhex("bede0001 1300ff00")), "element"),
        (with_header(0x90, bytes.fromhex("bede0001 00000010")), "element"),
        (with_header(0x90, bytes.fromhex("10000001 00000001")), "element"),
        (with_header(0x90, bytes.fromhex("10000001 0103ffff")), "element"),
        (with_header(0xA0, b""), "padding"),
        (with_header(0xA0, b"\x00"), "padding"),
        (with_header(0xA0, b"\x02"), "padding"),
        (with_header(0xB0, bytes.fromhex("bede0001 10ff0001")), "padding"),
        (with_header(0xA1, bytes.fromhex("00000005")), "padding"),
    ],
)
def test_what_is_no_rtp_packet(data: bytes, why: str) -> None:
    with pytest.raises(RtpError, match=why):
        parse_rtp(data)


def test_the_fixed_header() -> None:
    """RFC 3550 §5.1."""
    assert parse_rtp(FIXED) == RtpPacket(111, 0x1234, 0x10203, 0xDEADBEEF)
    assert parse_rtp(b"\x80\xef" + FIXED[2:] + b"opus") == RtpPacket(
        111, 0x1234, 0x10203, 0xDEADBEEF, payload=b"opus", marker=True
    )


@pytest.mark.parametrize(
    ("block", "elements"),
    [
        # RFC 8285 §4.2: lengths 1, 2 with two bytes of padding, 4.
        ("bede0003 10aa 21bbcc 0000 33dddddddd", [(1, "aa"), (2, "bbcc"), (3, "dddddddd")]),
        # RFC 8285 §4.3: lengths 0, 1 with padding, 4.
        ("10000003 0100 0201bb 00 0304dddddddd", [(1, ""), (2, "bb"), (3, "dddddddd")]),
        ("100f0001 01 01 aa 00", [(1, "aa")]),  # the low four bits mean nothing here
        ("bede0000", []),
        ("bede0001 00000000", []),
        ("bede0002 10aa f0bb 20cc 0000", [(1, "aa")]),  # id 15 ends it (RFC 8285 §4.2)
        ("bede0002 10aa 10bb 0000 0000", [(1, "aa"), (1, "bb")]),
        ("abcd0001 10aa0000", []),  # another profile's block is skipped (RFC 3550 §5.3.1)
        ("10100001 0101aa00", []),
    ],
)
def test_header_extensions(block: str, elements: list[tuple[int, str]]) -> None:
    packet = parse_rtp(with_header(0x90, bytes.fromhex(block) + b"opus"))
    assert packet.extensions == tuple((i, bytes.fromhex(value)) for i, value in elements)
    assert packet.payload == b"opus"


@pytest.mark.parametrize(
    ("elements", "block"),
    [
        ([(1, "aa")], "bede0001 10aa0000"),
        ([(1, "aa"), (2, "bb" * 16)], "bede0005 10aa 2f" + "bb" * 16 + "00"),
        ([(1, "")], "10000001 01000000"),
        ([(15, "aa")], "10000001 0f01aa00"),
        ([(1, "aa" * 17), (2, "bb")], "10000006 0111" + "aa" * 17 + "0201bb0000"),
    ],
)
def test_building_header_extensions(elements: list[tuple[int, str]], block: str) -> None:
    extensions = tuple((i, bytes.fromhex(value)) for i, value in elements)
    data = build_rtp(RtpPacket(111, 0x1234, 0x10203, 0xDEADBEEF, extensions=extensions))
    assert data == with_header(0x90, bytes.fromhex(block))


# The plain form: what consumers get.

LEVEL = (AUDIO_LEVEL_ID, b"\x9e")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({}, ()),
        ({"extensions": (LEVEL,)}, (LEVEL,)),
        ({"extensions": ((MID_ID, b"0"),)}, ()),
        ({"extensions": ((MID_ID, b"0"), LEVEL)}, (LEVEL,)),
        ({"extensions": (LEVEL, (MID_ID, b"0"))}, (LEVEL,)),
        ({"extensions": (LEVEL, (200, b"far" * 20))}, (LEVEL,)),
        ({"extensions": (LEVEL, (AUDIO_LEVEL_ID, b"\x01"))}, (LEVEL,)),
        ({"extensions": ((AUDIO_LEVEL_ID, b""), LEVEL)}, (LEVEL,)),  # a level is one byte
        ({"extensions": ((AUDIO_LEVEL_ID, b"\x9e\x9e"),)}, ()),
        ({"padding": 1}, ()),
        ({"padding": 255, "extensions": (LEVEL,)}, (LEVEL,)),
        ({"csrcs": (1, 2, 3)}, ()),
        ({"csrcs": (1,), "padding": 4, "extensions": ((MID_ID, b"0"), LEVEL)}, (LEVEL,)),
        ({"marker": True}, ()),
    ],
)
def test_plain(sent: dict[str, object], kept: tuple[tuple[int, bytes], ...]) -> None:
    packet = RtpPacket(111, 7, 960, 99, payload=b"opus", **sent)  # type: ignore[arg-type]
    block = b"\xbe\xde\x00\x01\x10\x9e\x00\x00" if kept else b""
    head = (0x90 if kept else 0x80, 0xEF if packet.marker else 0x6F)
    expected = bytes(head) + build_rtp(packet)[2:FIXED_HEADER_LENGTH] + block + b"opus"
    assert plain(build_rtp(packet)) == expected


def test_plain_drops_a_foreign_extension_block() -> None:
    data = with_header(0x90, bytes.fromhex("abcd0001 10aa0000") + b"opus")
    assert plain(data) == FIXED + b"opus"


@given(packets)
def test_plain_keeps_payload_and_numbers_and_nothing_foreign(packet: RtpPacket) -> None:
    kept = parse_rtp(plain(build_rtp(packet)))
    for name in ("payload_type", "sequence_number", "timestamp", "ssrc", "payload", "marker"):
        assert getattr(kept, name) == getattr(packet, name)
    levels = [e for e in packet.extensions if e[0] == AUDIO_LEVEL_ID and len(e[1]) == 1]
    assert kept.extensions == tuple(levels[:1])
    assert (kept.csrcs, kept.padding) == ((), 0)


@given(packets)
def test_plain_is_plain(packet: RtpPacket) -> None:
    once = plain(build_rtp(packet))
    assert plain(once) == once


# aiortc reads what we write and writes what we read.


def aiortc_extensions() -> aiortc.rtp.HeaderExtensionsMap:
    table = aiortc.rtp.HeaderExtensionsMap()
    uris = {AUDIO_LEVEL_ID: AUDIO_LEVEL_URI, MID_ID: "urn:ietf:params:rtp-hdrext:sdes:mid"}
    table.configure(
        RTCRtpParameters(
            headerExtensions=[
                RTCRtpHeaderExtensionParameters(id=identifier, uri=uri)
                for identifier, uri in uris.items()
            ]
        )
    )
    return table


levels = st.tuples(st.booleans(), st.integers(0, 127))
mids = st.text("abc0123456789", min_size=1, max_size=16)


@given(packets, levels, mids)
def test_aiortc_reads_what_we_write(packet: RtpPacket, level: tuple[bool, int], mid: str) -> None:
    ours = RtpPacket(
        packet.payload_type,
        packet.sequence_number,
        packet.timestamp,
        packet.ssrc,
        packet.payload,
        packet.marker,
        packet.csrcs,
        ((AUDIO_LEVEL_ID, bytes([level[0] << 7 | level[1]])), (MID_ID, mid.encode())),
        packet.padding,
    )
    theirs = aiortc.rtp.RtpPacket.parse(build_rtp(ours), aiortc_extensions())
    assert theirs.payload_type == ours.payload_type
    assert theirs.sequence_number == ours.sequence_number
    assert theirs.timestamp == ours.timestamp
    assert theirs.ssrc == ours.ssrc
    assert theirs.payload == ours.payload
    assert bool(theirs.marker) == ours.marker
    assert tuple(theirs.csrc) == ours.csrcs
    assert theirs.padding_size == ours.padding
    assert (theirs.extensions.audio_level, theirs.extensions.mid) == (level, mid)


@given(packets, levels, mids)
def test_we_read_what_aiortc_writes(packet: RtpPacket, level: tuple[bool, int], mid: str) -> None:
    theirs = aiortc.rtp.RtpPacket(
        payload_type=packet.payload_type,
        marker=int(packet.marker),
        sequence_number=packet.sequence_number,
        timestamp=packet.timestamp,
        ssrc=packet.ssrc,
        payload=packet.payload,
    )
    theirs.csrc = list(packet.csrcs)
    theirs.padding_size = packet.padding
    theirs.extensions.audio_level = level
    theirs.extensions.mid = mid
    ours = parse_rtp(theirs.serialize(aiortc_extensions()))
    elements = {(AUDIO_LEVEL_ID, bytes([level[0] << 7 | level[1]])), (MID_ID, mid.encode())}
    assert set(ours.extensions) == elements
    assert ours.payload == packet.payload
    assert (ours.sequence_number, ours.timestamp, ours.ssrc) == (
        packet.sequence_number,
        packet.timestamp,
        packet.ssrc,
    )
    assert (ours.marker, ours.csrcs, ours.padding) == (packet.marker, packet.csrcs, packet.padding)
