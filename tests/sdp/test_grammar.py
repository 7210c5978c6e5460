"""Every row of the table: what its text means, that it is written back the same, and what it refuses."""

from __future__ import annotations

import re

import pytest

from sdp import (
    AnyAttribute,
    Attribute,
    Candidate,
    Direction,
    ExtMap,
    Fingerprint,
    FormatParameters,
    Group,
    IceOptions,
    IcePwd,
    IceUfrag,
    Mid,
    Msid,
    RtcpFeedback,
    RtpMap,
    SdpError,
    Setup,
    Ssrc,
)
from sdp.grammar import PROPERTIES, ROWS, build_attribute, parse_attribute

HOST = Candidate("1", 1, "udp", 2130706431, "127.0.0.1", 40000, "host")
SHA_256 = ":".join(["AB"] * 32)
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

READ: list[tuple[str, AnyAttribute]] = [
    ("candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host", HOST),
    (
        "candidate:0 2 UDP 4294967295 ::1 0 typ host",
        Candidate("0", 2, "UDP", 4294967295, "::1", 0, "host"),
    ),
    (
        "candidate:a+/ 256 tcp 0 x.local 65535 typ host tcptype active generation 0",
        Candidate(
            "a+/",
            256,
            "tcp",
            0,
            "x.local",
            65535,
            "host",
            extensions=(("tcptype", "active"), ("generation", "0")),
        ),
    ),
    (
        "candidate:1 1 udp 1 192.0.2.1 1 typ srflx raddr 0.0.0.0 rport 9 ufrag x",
        Candidate("1", 1, "udp", 1, "192.0.2.1", 1, "srflx", "0.0.0.0", 9, (("ufrag", "x"),)),
    ),
    (
        "candidate:1 1 udp 1 192.0.2.1 1 typ relay rport 9",
        Candidate("1", 1, "udp", 1, "192.0.2.1", 1, "relay", related_port=9),
    ),
    (
        "candidate:1 1 udp 1 192.0.2.1 1 typ relay raddr ::1 x ",
        Candidate("1", 1, "udp", 1, "192.0.2.1", 1, "relay", "::1", extensions=(("x", ""),)),
    ),
    (f"extmap:1 {AUDIO_LEVEL}", ExtMap(1, AUDIO_LEVEL)),
    ("extmap:2/recvonly urn:x", ExtMap(2, "urn:x", Direction.RECVONLY)),
    ("extmap:4351 urn:x vad=on more", ExtMap(4351, "urn:x", attributes="vad=on more")),
    (f"fingerprint:sha-256 {SHA_256}", Fingerprint("sha-256", SHA_256)),
    (f"fingerprint:SHA-256 {SHA_256.lower()}", Fingerprint("SHA-256", SHA_256.lower())),
    (f"fingerprint:sha-1 {SHA_256[:59]}", Fingerprint("sha-1", SHA_256[:59])),
    ("fingerprint:sha3-256 00", Fingerprint("sha3-256", "00")),
    ("fmtp:111 minptime=10;useinbandfec=1", FormatParameters("111", "minptime=10;useinbandfec=1")),
    ("fmtp:63 111/111", FormatParameters("63", "111/111")),
    ("fmtp:96 a=1; b=2", FormatParameters("96", "a=1; b=2")),
    ("fmtp:96 ", FormatParameters("96", "")),
    ("group:BUNDLE 0 1", Group("BUNDLE", ("0", "1"))),
    ("group:BUNDLE", Group("BUNDLE")),
    ("ice-options:trickle", IceOptions(("trickle",))),
    ("ice-options:trickle renomination", IceOptions(("trickle", "renomination"))),
    (f"ice-pwd:{'x' * 22}", IcePwd("x" * 22)),
    (f"ice-pwd:{'+' * 256}", IcePwd("+" * 256)),
    ("ice-ufrag:ab/+", IceUfrag("ab/+")),
    (f"ice-ufrag:{'0' * 256}", IceUfrag("0" * 256)),
    ("mid:0", Mid("0")),
    ("mid:audio-1", Mid("audio-1")),
    ("msid:-", Msid("-")),
    ("msid:- 3fd32dfb-2d73", Msid("-", "3fd32dfb-2d73")),
    ("msid:{a} {b}", Msid("{a}", "{b}")),
    ("rtcp-fb:111 transport-cc", RtcpFeedback(111, "transport-cc")),
    ("rtcp-fb:* nack", RtcpFeedback(None, "nack")),
    ("rtcp-fb:96 nack pli", RtcpFeedback(96, "nack", "pli")),
    ("rtcp-fb:96 ccm tmmbr smaxpr=120", RtcpFeedback(96, "ccm", "tmmbr smaxpr=120")),
    ("rtpmap:111 opus/48000/2", RtpMap(111, "opus", 48000, 2)),
    ("rtpmap:9 G722/8000", RtpMap(9, "G722", 8000)),
    ("rtpmap:9 G722/8000/1", RtpMap(9, "G722", 8000, 1)),
    ("rtpmap:127 telephone-event/8000", RtpMap(127, "telephone-event", 8000)),
    *((f"setup:{setup}", setup) for setup in Setup),
    ("ssrc:1234", Ssrc(1234)),
    ("ssrc:1234 cname", Ssrc(1234, "cname")),
    ("ssrc:0 cname:", Ssrc(0, "cname", "")),
    ("ssrc:4294967295 cname:{a b}", Ssrc(4294967295, "cname", "{a b}")),
    ("ssrc:1 msid:stream track", Ssrc(1, "msid", "stream track")),
    *((str(direction), direction) for direction in Direction),
    *((name, Attribute(name)) for name in sorted(PROPERTIES - set(Direction))),
    ("msid-semantic: WMS", Attribute("msid-semantic", " WMS")),
    ("rtcp:9 IN IP4 0.0.0.0", Attribute("rtcp", "9 IN IP4 0.0.0.0")),
    ("sctp-port:5000", Attribute("sctp-port", "5000")),
    ("rid:h send", Attribute("rid", "h send")),
    ("x-unknown", Attribute("x-unknown")),
    ("x-unknown:", Attribute("x-unknown", "")),
    ("x-unknown:a:b c é", Attribute("x-unknown", "a:b c é")),
    ("MID:not known in capitals", Attribute("MID", "not known in capitals")),
]

SHAPE = "<foundation> <component> <transport> <priority> <address> <port> typ <type> ..."

REFUSED = [
    ("", "an attribute name"),
    (":x", "an attribute name"),
    ("a b:x", "an attribute name"),
    *((row.name, f"{row.name}:<value>") for row in ROWS),
    *((f"{name}:", f"{name} without a value") for name in sorted(PROPERTIES)),
    ("rtcp-mux:1", "rtcp-mux without a value"),
    ("candidate:", SHAPE),
    ("candidate:1 1 udp 1 127.0.0.1 1 typ", SHAPE),
    ("candidate:1 1 udp 1 127.0.0.1 1 type host", SHAPE),
    ("candidate:1 1 udp 1 127.0.0.1 1 typ host x", "a value after every name"),
    ("candidate: 1 udp 1 127.0.0.1 1 typ host", "a foundation"),
    ("candidate:a-b 1 udp 1 127.0.0.1 1 typ host", "a foundation"),
    (f"candidate:{'a' * 33} 1 udp 1 127.0.0.1 1 typ host", "a foundation"),
    ("candidate:1 0 udp 1 127.0.0.1 1 typ host", "a component id (1 to 256)"),
    ("candidate:1 257 udp 1 127.0.0.1 1 typ host", "a component id (1 to 256)"),
    ("candidate:1 1 u/p 1 127.0.0.1 1 typ host", "a transport protocol"),
    ("candidate:1 1 udp 4294967296 127.0.0.1 1 typ host", "a priority"),
    ("candidate:1 1 udp -1 127.0.0.1 1 typ host", "a priority"),
    ("candidate:1 1 udp 1 127.0.0.256 1 typ host", "an IP address or host name"),
    ("candidate:1 1 udp 1 127.0.0.1 65536 typ host", "a port"),
    ("candidate:1 1 udp 1 127.0.0.1 1 typ ho/st", "a candidate type"),
    ("candidate:1 1 udp 1 127.0.0.1 1 typ srflx raddr ? rport 1", "an IP address"),
    ("candidate:1 1 udp 1 127.0.0.1 1 typ srflx raddr ::1 rport x", "a port"),
    ("candidate:1 1 udp 1 127.0.0.1 1 typ host  0", "an extension name"),
    ("extmap:1", "<id>[/<direction>] <URI>"),
    ("extmap:0 urn:x", "an extension id (1 to 4351)"),
    ("extmap:4352 urn:x", "an extension id (1 to 4351)"),
    ("extmap:1/both urn:x", "sendrecv or sendonly or recvonly or inactive"),
    ("extmap:1/ urn:x", "sendrecv or sendonly or recvonly or inactive"),
    ("extmap:1 ", "a URI"),
    ("fingerprint:sha-256", "<hash function> <fingerprint>"),
    ("fingerprint:sha/256 AB", "a hash function"),
    ("fingerprint:sha-256 AB", "32 pairs of hexadecimal digits for sha-256"),
    (f"fingerprint:sha-256 {SHA_256}:AB", "32 pairs of hexadecimal digits for sha-256"),
    ("fingerprint:x ", "pairs of hexadecimal digits joined by colons"),
    ("fingerprint:x A", "pairs of hexadecimal digits"),
    ("fingerprint:x ABC", "pairs of hexadecimal digits"),
    ("fingerprint:x AB:", "pairs of hexadecimal digits"),
    ("fingerprint:x AB-CD", "pairs of hexadecimal digits"),
    ("fingerprint:x GG", "pairs of hexadecimal digits"),
    ("fingerprint:x \u0661\u0661", "pairs of hexadecimal digits"),
    ("fmtp:111", "<format> <parameters>"),
    ("fmtp: a=1", "a format"),
    ("group:", "group semantics"),
    ("group:BUNDLE ", "a media identification"),
    ("group:BUNDLE 0  1", "a media identification"),
    ("ice-options:", "an ICE option"),
    ("ice-options:a  b", "an ICE option"),
    (f"ice-pwd:{'x' * 21}", "an ICE password (22 to 256"),
    (f"ice-pwd:{'x' * 257}", "an ICE password (22 to 256"),
    ("ice-ufrag:abc", "an ICE username fragment (4 to 256"),
    ("ice-ufrag:ab cd", "an ICE username fragment (4 to 256"),
    ("mid:", "a media identification"),
    ("mid:a b", "a media identification"),
    ("msid:", "a stream id"),
    ("msid: x", "a stream id"),
    ("msid:a ", "a track id"),
    ("msid:a b c", "a track id"),
    ("rtcp-fb:111", "<payload type or *> <feedback type>"),
    ("rtcp-fb:128 nack", "a payload type (0 to 127)"),
    ("rtcp-fb:** nack", "a payload type (0 to 127)"),
    ("rtcp-fb:111 ", "a feedback type"),
    ("rtpmap:111", "<payload type> <encoding>/<clock rate>[/<channels>]"),
    ("rtpmap:111 opus", "<payload type> <encoding>/<clock rate>[/<channels>]"),
    ("rtpmap:111 opus/48000/2/1", "<payload type> <encoding>/<clock rate>[/<channels>]"),
    ("rtpmap:128 opus/48000/2", "a payload type (0 to 127)"),
    ("rtpmap:1_1 opus/48000/2", "a payload type (0 to 127)"),
    ("rtpmap:111 /48000/2", "an encoding name"),
    ("rtpmap:111 opus/0/2", "a clock rate"),
    ("rtpmap:111 opus/\u0664\u0668/2", "a clock rate"),
    ("rtpmap:111 opus/48000/0", "channels (1 to 255)"),
    ("rtpmap:111 opus/48000/", "channels (1 to 255)"),
    ("setup:", "active or passive or actpass or holdconn"),
    ("setup:Active", "active or passive or actpass or holdconn"),
    ("ssrc:", "an SSRC (0 to 4294967295)"),
    ("ssrc:4294967296 cname:x", "an SSRC (0 to 4294967295)"),
    ("ssrc:1 ", "a source attribute"),
    ("ssrc:1 :x", "a source attribute"),
]


@pytest.mark.parametrize(("text", "attribute"), READ)
def test_an_attribute_is_read_and_written_back(text: str, attribute: AnyAttribute) -> None:
    read = parse_attribute(text)
    assert read == attribute
    assert type(read) is type(attribute)
    assert build_attribute(attribute) == text


@pytest.mark.parametrize(("text", "expected"), REFUSED)
def test_a_malformed_attribute_is_refused(text: str, expected: str) -> None:
    with pytest.raises(SdpError, match=f"^expected {re.escape(expected)}"):
        parse_attribute(text)


def test_every_row_is_tested_both_ways() -> None:
    read = {text.partition(":")[0] for text, _ in READ}
    refused = {text.partition(":")[0] for text, _ in REFUSED}
    names = {row.name for row in ROWS}
    assert names <= read & refused


def test_a_row_has_its_own_name_and_class() -> None:
    assert len({row.name for row in ROWS}) == len({row.kind for row in ROWS}) == len(ROWS)
    assert not PROPERTIES & {row.name for row in ROWS}
