"""RTCP: properties, tables, and aiortc as another reader and writer."""

from __future__ import annotations

import aiortc.rtp as theirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rtcp import (
    MAX_NACK_SEQUENCES,
    Goodbye,
    Nack,
    ReceiverReport,
    ReportBlock,
    RtcpError,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    build_rtcp,
    middle_32,
    ntp_time,
    parse_rtcp,
    round_trip_time,
)

words = st.integers(0, 2**32 - 1)
blocks = st.builds(
    ReportBlock,
    ssrc=words,
    fraction_lost=st.integers(0, 255),
    packets_lost=st.integers(-(2**23), 2**23 - 1),
    highest_sequence=words,
    jitter=words,
    last_sender_report=words,
    delay_since_last_sender_report=words,
)
block_lists = st.lists(blocks, max_size=31).map(tuple)
cnames = st.text(max_size=63).filter(lambda name: len(name.encode()) <= 255)
sender_reports = st.builds(
    SenderReport,
    ssrc=words,
    ntp_timestamp=st.integers(0, 2**64 - 1),
    rtp_timestamp=words,
    packet_count=words,
    octet_count=words,
    reports=block_lists,
)
receiver_reports = st.builds(ReceiverReport, ssrc=words, reports=block_lists)
descriptions = st.builds(SourceDescription, ssrc=words, cname=cnames)
goodbyes = st.builds(Goodbye, ssrcs=st.lists(words, max_size=31).map(tuple))
nacks = st.builds(
    Nack,
    ssrc=words,
    media_ssrc=words,
    # As whoever asks writes them: each once, in order. Numbers that wrap are in the table below, for
    # aiortc counts them on past 65,535.
    sequences=st.builds(
        lambda first, steps: tuple(first + step for step in sorted(steps)),
        st.integers(0, 0xFFFF - 300),
        st.sets(st.integers(0, 300), min_size=1, max_size=40),
    ),
)
compounds = st.lists(
    st.one_of(sender_reports, receiver_reports, descriptions, goodbyes, nacks), max_size=5
)

BLOCK = ReportBlock(0xDEADBEEF, 12, 345, 0x1ABCD, 67, 0x12345678, 0x10000)
BLOCK_HEX = "deadbeef 0c000159 0001abcd 00000043 12345678 00010000"


@given(compounds)
def test_parse_undoes_build(packets: list[RtcpPacket]) -> None:
    data = build_rtcp(packets)
    assert len(data) % 4 == 0
    assert parse_rtcp(data) == packets


def parses_or_raises(data: bytes) -> None:
    try:
        packets = parse_rtcp(data)
    except RtcpError:
        return
    for packet in packets:
        assert isinstance(packet, RtcpPacket)


@given(st.binary(max_size=100))
def test_any_bytes_parse_or_raise_rtcp_error(data: bytes) -> None:
    parses_or_raises(data)


@given(st.integers(0x80, 0xBF), st.integers(192, 223), st.binary(max_size=80))
def test_any_body_parses_or_raises_rtcp_error(first: int, kind: int, body: bytes) -> None:
    body += bytes(-len(body) % 4)
    parses_or_raises(bytes([first, kind, 0, len(body) // 4]) + body)


@given(compounds, st.data())
def test_a_spoilt_compound_parses_or_raises_rtcp_error(
    packets: list[RtcpPacket], data: st.DataObject
) -> None:
    whole = bytearray(build_rtcp(packets))
    for index in data.draw(st.sets(st.integers(0, max(0, len(whole) - 1)), max_size=3)):
        if index < len(whole):
            whole[index] = data.draw(st.integers(0, 255))
    parses_or_raises(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


@pytest.mark.parametrize(
    ("packet", "data"),
    [
        (
            SenderReport(1, 0x1122334455667788, 960, 2, 3, (BLOCK,)),
            "81c8000c 00000001 11223344 55667788 000003c0 00000002 00000003" + BLOCK_HEX,
        ),
        (ReceiverReport(1), "80c90001 00000001"),
        (ReceiverReport(1, (BLOCK, BLOCK)), "82c9000d 00000001" + BLOCK_HEX * 2),
        (SourceDescription(1, "ab"), "81ca0003 00000001 0102 6162 00000000"),
        (SourceDescription(1, "abc"), "81ca0003 00000001 0103 616263 000000"),
        (SourceDescription(1, "a"), "81ca0002 00000001 0101 61 00"),
        (SourceDescription(1, ""), "81ca0002 00000001 0100 0000"),
        (Goodbye(()), "80cb0000"),
        (Goodbye((1, 2)), "82cb0002 00000001 00000002"),
    ],
)
def test_on_the_wire(packet: RtcpPacket, data: str) -> None:
    """RFC 3550 §6.4 to §6.6."""
    assert build_rtcp([packet]) == bytes.fromhex(data)
    assert parse_rtcp(bytes.fromhex(data)) == [packet]


@pytest.mark.parametrize(
    ("lost", "word"),
    [
        (-1, "ffffff"),
        (-(2**23), "800000"),
        (2**23 - 1, "7fffff"),
        (2**23, "7fffff"),
        (2**40, "7fffff"),
        (-(2**23) - 1, "800000"),
    ],
)
def test_packets_lost_stays_on_its_scale(lost: int, word: str) -> None:
    """RFC 3550 A.3: clamped, never wrapped."""
    data = build_rtcp([ReceiverReport(1, (ReportBlock(2, 0, lost, 0, 0, 0, 0),))])
    assert data[13:16] == bytes.fromhex(word)
    (report,) = parse_rtcp(data)
    assert isinstance(report, ReceiverReport)
    assert report.reports[0].packets_lost == max(-(2**23), min(2**23 - 1, lost))


def test_sender_counts_wrap() -> None:
    (report,) = parse_rtcp(build_rtcp([SenderReport(1, 2, 3, 2**32 + 4, 2**33 + 5)]))
    assert report == SenderReport(1, 2, 3, 4, 5)


def test_a_cname_of_more_than_255_bytes_is_cut() -> None:
    (description,) = parse_rtcp(build_rtcp([SourceDescription(1, "x" * 300)]))
    assert description == SourceDescription(1, "x" * 255)


@pytest.mark.parametrize(
    "data",
    [
        "80",
        "80c900",
        "00c90001 00000001",  # version
        "40c90001 00000001",
        "c0c90001 00000001",
        "80c90002 00000001",  # runs past the end
        "80c80001 00000001",  # SR without sender information
        "80c90000",  # RR without an SSRC
        "81c90001 00000001",  # RR without the block it counts
        "82c90007 00000001" + BLOCK_HEX,
        "81c80006 00000001 1122334455667788 000003c0 00000002 00000003",
        "81ca0000",  # SDES without a chunk
        "82ca0002 00000001 0100 0000",
        "81ca0002 00000001 0105 6162",  # item longer than the packet
        "81ca0002 00000001 0101 6101",  # item without a length
        "81cb0000",  # BYE without the SSRC it counts
        "a0c90001 00000001",  # padding without a count
        "a0c90002 00000001 00000000",
        "a0c90002 00000001 00000003",  # not a multiple of four
        "a0c90002 00000001 0000000c",  # more than the packet
        "a0c90000",
        "81cd0001 00000001",  # feedback on nothing
        "81cd0003 00000001 00000002 0007",  # runs past the end
        "80c90001 00000001 80c9",  # a good packet, then half a header
        "80c90001 00000001 00c90001 00000001",  # a good packet, then another protocol
    ],
)
def test_what_is_no_rtcp(data: str) -> None:
    """Broken anywhere, nothing of it counts (RFC 3550 A.2)."""
    with pytest.raises(RtcpError):
        parse_rtcp(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("data", "packets"),
    [
        ("", []),
        # Padding, 4 and 8 bytes.
        ("a0c90002 00000001 00000004", [ReceiverReport(1)]),
        ("a0c90003 00000001 00000000 00000008", [ReceiverReport(1)]),
        # Reduced size (RFC 5506): no report first.
        ("81cb0001 00000001", [Goodbye((1,))]),
        # BYE with a reason, "gone" and its length.
        ("81cb0003 00000001 04676f6e 65000000", [Goodbye((1,))]),
        # Profile-specific bytes behind the blocks (RFC 3550 §6.4.3).
        ("80c90002 00000001 ffffffff", [ReceiverReport(1)]),
        # SDES: other items, before and behind the CNAME.
        (
            "81ca0004 00000001 0201 78 0101 61 0601 78 00 0000",
            [SourceDescription(1, "a")],
        ),
        ("81ca0002 00000001 0201 78 00", []),
        ("80ca0000", []),
        # Two chunks, each ends on a word.
        (
            "82ca0005 00000001 0102 6162 00000000 00000002 0100 0000",
            [SourceDescription(1, "ab"), SourceDescription(2, "")],
        ),
        # A chunk that fills its last word needs no terminator to be understood.
        ("81ca0002 00000001 0102 6162", [SourceDescription(1, "ab")]),
        # A name that is not UTF-8 is a name all the same.
        ("81ca0002 00000001 0102 ff61", [SourceDescription(1, "\ufffda")]),
        # Kinds that the relay reads over: transport-wide feedback, REMB, APP, XR, one unknown.
        ("8fcd0002 00000001 00000002 80c90001 00000001", [ReceiverReport(1)]),
        ("8fce0002 00000001 00000002", []),
        ("80cc0002 00000001 41424344", []),
        ("80cf0001 00000001", []),
        ("80df0000", []),
    ],
)
def test_what_peers_may_send(data: str, packets: list[RtcpPacket]) -> None:
    assert parse_rtcp(bytes.fromhex(data)) == packets


# aiortc reads what we write, and writes what browsers do: SR or RR, SDES, feedback, BYE.


def their_block(block: ReportBlock) -> theirs.RtcpReceiverInfo:
    return theirs.RtcpReceiverInfo(
        ssrc=block.ssrc,
        fraction_lost=block.fraction_lost,
        packets_lost=block.packets_lost,
        highest_sequence=block.highest_sequence,
        jitter=block.jitter,
        lsr=block.last_sender_report,
        dlsr=block.delay_since_last_sender_report,
    )


def their_packet(packet: RtcpPacket) -> theirs.AnyRtcpPacket:
    match packet:
        case SenderReport(ssrc, ntp, rtp, packet_count, octet_count, reports):
            information = theirs.RtcpSenderInfo(ntp, rtp, packet_count, octet_count)
            return theirs.RtcpSrPacket(ssrc, information, list(map(their_block, reports)))
        case ReceiverReport(ssrc, reports):
            return theirs.RtcpRrPacket(ssrc, list(map(their_block, reports)))
        case SourceDescription(ssrc, cname):
            source = theirs.RtcpSourceInfo(ssrc, [(1, cname.encode())])
            return theirs.RtcpSdesPacket([source])
        case Goodbye(ssrcs):
            return theirs.RtcpByePacket(list(ssrcs))
        case Nack(ssrc, media_ssrc, sequences):
            return theirs.RtcpRtpfbPacket(1, ssrc, media_ssrc, list(sequences))


@given(compounds)
def test_aiortc_reads_what_we_write(packets: list[RtcpPacket]) -> None:
    assert theirs.RtcpPacket.parse(build_rtcp(packets)) == list(map(their_packet, packets))


@given(compounds)
def test_we_read_what_aiortc_writes(packets: list[RtcpPacket]) -> None:
    assert parse_rtcp(b"".join(bytes(their_packet(packet)) for packet in packets)) == packets


REMB = theirs.RtcpPsfbPacket(15, 1, 0, theirs.pack_remb_fci(64000, [2]))
NACK = theirs.RtcpRtpfbPacket(1, 1, 2, [7, 9])


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        # Chrome, sending: SR and SDES. Receiving: RR, SDES, REMB. Firefox: RR, SDES, NACK.
        (
            [SenderReport(1, 2, 3, 4, 5), SourceDescription(1, "c")],
            [SenderReport(1, 2, 3, 4, 5), SourceDescription(1, "c")],
        ),
        ([ReceiverReport(1, (BLOCK,)), REMB], [ReceiverReport(1, (BLOCK,))]),
        (
            [ReceiverReport(1, (BLOCK,)), SourceDescription(1, "{0a-b}"), NACK],
            [ReceiverReport(1, (BLOCK,)), SourceDescription(1, "{0a-b}"), Nack(1, 2, (7, 9))],
        ),
        ([REMB], []),
        ([ReceiverReport(1), Goodbye((1,))], [ReceiverReport(1), Goodbye((1,))]),
    ],
)
def test_compound_packets_of_browsers(
    sent: list[RtcpPacket | theirs.AnyRtcpPacket], read: list[RtcpPacket]
) -> None:
    data = b"".join(
        bytes(packet)
        if isinstance(packet, theirs.RtcpPsfbPacket | theirs.RtcpRtpfbPacket)
        else bytes(their_packet(packet))  # type: ignore[arg-type]
        for packet in sent
    )
    assert parse_rtcp(data) == read


@pytest.mark.parametrize(
    ("sequences", "entries"),
    [
        ((7,), "0007 0000"),
        ((7, 8), "0007 0001"),
        ((7, 23), "0007 8000"),
        ((7, 24), "0007 0000 0018 0000"),
        ((0xFFFF, 0, 2), "ffff 0005"),
        ((7, 7), "0007 0000"),
        ((9, 7), "0009 0000 0007 0000"),
    ],
)
def test_lost_packets_on_the_wire(sequences: tuple[int, ...], entries: str) -> None:
    """RFC 4585 §6.2.1: a packet's number, and a bit for each of the 16 that follow."""
    data = build_rtcp([Nack(1, 2, sequences)])
    assert data[12:] == bytes.fromhex(entries)
    assert parse_rtcp(data) == [Nack(1, 2, tuple(dict.fromkeys(sequences)))]


def test_a_nack_asks_for_so_many_packets_at_most() -> None:
    feedback = bytes.fromhex("81cd0042 00000001 00000002") + bytes.fromhex("0000ffff") * 64
    (nack,) = parse_rtcp(feedback)
    assert isinstance(nack, Nack)
    assert len(nack.sequences) == MAX_NACK_SEQUENCES


def test_other_feedback_is_read_over() -> None:
    assert parse_rtcp(bytes.fromhex("8fcd0003 00000001 00000002 01020304")) == []


# Time.

SECOND = 1 << 16  # in the units of LSR and DLSR


@pytest.mark.parametrize(
    ("wall", "ntp"),
    [
        (0.0, 2_208_988_800 << 32),
        (0.5, (2_208_988_800 << 32) + (1 << 31)),
        (2_085_978_496.0, 0),  # 2036-02-07 06:28:16 UTC: NTP era 1 begins
        (2_085_978_497.25, (1 << 32) + (1 << 30)),
    ],
)
def test_ntp_time(wall: float, ntp: int) -> None:
    assert ntp_time(wall) == ntp


def test_the_middle_of_an_ntp_timestamp() -> None:
    assert middle_32(0x1122334455667788) == 0x33445566


@pytest.mark.parametrize(
    ("sent", "delay", "now", "seconds"),
    [
        # RFC 3550 figure 2: LSR 0xb705:2000, DLSR 5.25 s, A 0xb710:8000 gives 6.125 s.
        (0xB7052000, 0x00054000, 0xB7108000, 6.125),
        (SECOND, 0, SECOND, 0.0),
        (SECOND, 0, SECOND + 1, 1 / 65536),
        (SECOND, SECOND, 3 * SECOND, 1.0),
        # The 32 bits wrap every 18 hours.
        (2**32 - SECOND, 0, SECOND, 2.0),
        (2**32 - SECOND, SECOND // 2, 0, 0.5),
        # Clocks that run a little differently: below zero is zero.
        (10 * SECOND, SECOND + 1, 11 * SECOND, 0.0),
        (10 * SECOND, 2 * SECOND, 11 * SECOND, 0.0),
        # Impossible: far below zero, or longer than any path.
        (10 * SECOND, 3 * SECOND, 11 * SECOND, None),
        (10 * SECOND, 0, 70 * SECOND, None),
        (10 * SECOND, 0, 70 * SECOND - 1, 60 - 1 / 65536),
        # No sender report has come to the reporter.
        (0, 0, SECOND, None),
        (0, SECOND, SECOND, None),
    ],
)
def test_round_trip_time(sent: int, delay: int, now: int, seconds: float | None) -> None:
    report = ReportBlock(1, 0, 0, 0, 0, sent, delay)
    assert round_trip_time(report, now << 16) == seconds


@given(st.floats(0, 59), st.floats(0, 1000), st.floats(1.6e9, 3e9))
def test_round_trip_time_is_what_the_clock_says(trip: float, delay: float, wall: float) -> None:
    sent = middle_32(ntp_time(wall))
    report = ReportBlock(1, 0, 0, 0, 0, sent, int(delay * 65536))
    measured = round_trip_time(report, ntp_time(wall + delay + trip))
    if sent == 0:
        assert measured is None
    else:
        assert measured == pytest.approx(trip, abs=1e-4)
