from __future__ import annotations

import pytest

from sdp import (
    AnyAttribute,
    Attribute,
    Bandwidth,
    Candidate,
    Connection,
    Direction,
    ExtMap,
    Fingerprint,
    FormatParameters,
    Group,
    IceOptions,
    IcePwd,
    IceUfrag,
    Line,
    MediaDescription,
    Mid,
    Msid,
    Origin,
    RtcpFeedback,
    RtpMap,
    SdpError,
    SessionDescription,
    Setup,
    Ssrc,
    Timing,
    build,
    build_candidate,
    scan,
)

HOST = Candidate("1", 1, "udp", 2130706431, "127.0.0.1", 40000, "host")
AUDIO = MediaDescription("audio", 9, "UDP/TLS/RTP/SAVPF", ("111",))


def test_the_smallest_description() -> None:
    assert build(SessionDescription()) == "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"


def test_an_offer_as_the_relay_makes_it() -> None:
    offer = SessionDescription(
        origin=Origin(session_id=7, session_version=1, address="127.0.0.1"),
        attributes=(Group("BUNDLE", ("0",)), IceOptions(("trickle",))),
        media=(
            MediaDescription(
                "audio",
                9,
                "UDP/TLS/RTP/SAVPF",
                ("111",),
                connection=Connection(),
                attributes=(
                    Mid("0"),
                    Direction.SENDONLY,
                    Msid("stream", "track"),
                    IceUfrag("abcd"),
                    IcePwd("0123456789abcdef012345"),
                    Fingerprint("sha-1", ":".join(["AB"] * 20)),
                    Setup.ACTPASS,
                    Attribute("rtcp-mux"),
                    RtpMap(111, "opus", 48000, 2),
                    RtcpFeedback(111, "nack"),
                    FormatParameters("111", "minptime=10;useinbandfec=1"),
                    ExtMap(1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level"),
                    Ssrc(1234, "cname", "sfu"),
                    HOST,
                    Attribute("end-of-candidates"),
                ),
            ),
        ),
    )
    assert build(offer).split("\r\n") == [
        "v=0",
        "o=- 7 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=ice-options:trickle",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=sendonly",
        "a=msid:stream track",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789abcdef012345",
        "a=fingerprint:sha-1 " + ":".join(["AB"] * 20),
        "a=setup:actpass",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:111 nack",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=ssrc:1234 cname:sfu",
        "a=candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host",
        "a=end-of-candidates",
        "",
    ]


def test_lines_stand_in_the_order_of_the_rfc() -> None:
    kept = tuple(Line(kind, "x") for kind in "iuepzk")
    description = SessionDescription(
        connection=Connection(),
        bandwidths=(Bandwidth("AS", 1),),
        timings=(Timing(repeats=("1", "2")), Timing()),
        attributes=(Attribute("x"),),
        other_lines=kept,
        media=(
            MediaDescription(
                "audio",
                9,
                "RTP/AVP",
                ("0",),
                port_count=2,
                connection=Connection(),
                bandwidths=(Bandwidth("AS", 1),),
                attributes=(Attribute("x"),),
                other_lines=(Line("i", "x"), Line("k", "x")),
            ),
        ),
    )
    types = "".join(line[0] for line in build(description).splitlines())
    assert types == "vosiuepcbtrrtzkamicbka"


INJECTED = "x\r\na=ice-ufrag:evil"
SECTIONS_WITH_A_LINE_END = [
    SessionDescription(session_name=INJECTED),
    SessionDescription(session_name="x\n"),
    SessionDescription(session_name="x\r"),
    SessionDescription(session_name="x\r\n\r\n"),
    SessionDescription(Origin(username=INJECTED)),
    SessionDescription(timings=(Timing(repeats=(INJECTED,)),)),
    SessionDescription(other_lines=(Line("i", INJECTED),)),
    SessionDescription(connection=Connection(INJECTED)),
    SessionDescription(bandwidths=(Bandwidth(INJECTED, 1),)),
    SessionDescription(media=(MediaDescription(INJECTED, 9, "RTP/AVP", ("0",)),)),
    SessionDescription(media=(MediaDescription("audio", 9, "RTP/AVP", ("0", INJECTED)),)),
]


@pytest.mark.parametrize("description", SECTIONS_WITH_A_LINE_END)
def test_a_line_end_in_a_value_adds_no_line(description: SessionDescription) -> None:
    with pytest.raises(SdpError, match="no control character") as caught:
        build(description)
    assert caught.value.line is not None


@pytest.mark.parametrize(
    "attribute",
    [
        Attribute(INJECTED),
        Attribute("x", INJECTED),
        Attribute("x", "y\0"),
        Mid(INJECTED),
        Group("BUNDLE", (INJECTED,)),
        IceUfrag("abcd\r\n"),
        IcePwd(INJECTED + "x" * 22),
        IceOptions((INJECTED,)),
        Candidate(INJECTED, 1, "udp", 1, "::1", 1, "host"),
        Candidate("1", 1, "udp", 1, "::1", 1, "host", extensions=(("x", INJECTED),)),
        Fingerprint("sha-256", INJECTED),
        RtpMap(0, INJECTED, 8000),
        FormatParameters("0", INJECTED),
        RtcpFeedback(0, "nack", INJECTED),
        ExtMap(1, INJECTED),
        ExtMap(1, "urn:x", attributes=INJECTED),
        Msid("x", INJECTED),
        Ssrc(1, "cname", INJECTED),
    ],
)
def test_a_line_end_in_an_attribute_adds_no_line(attribute: AnyAttribute) -> None:
    with pytest.raises(SdpError, match="no control character"):
        build(SessionDescription(attributes=(attribute,)))
    with pytest.raises(SdpError, match="no control character"):
        build(SessionDescription(media=(AUDIO, _with(attribute))))


def _with(*attributes: AnyAttribute) -> MediaDescription:
    return MediaDescription("audio", 9, "UDP/TLS/RTP/SAVPF", ("111",), attributes)


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        (IceUfrag("abc"), "line 5: 'a=ice-ufrag:abc': expected an ICE username fragment"),
        (RtpMap(128, "opus", 48000), "line 5: 'a=rtpmap:128 opus/48000': expected a payload type"),
        (Ssrc(-1, "cname"), "line 5: 'a=ssrc:-1 cname': expected an SSRC"),
        (Attribute("mid"), "line 5: 'a=mid': expected mid:<value>"),
        (Attribute("a b"), "line 5: 'a=a b': expected an attribute name"),
    ],
)
def test_values_out_of_the_grammar_are_refused(attribute: AnyAttribute, message: str) -> None:
    with pytest.raises(SdpError) as caught:
        build(SessionDescription(attributes=(attribute,)))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "attribute",
    [
        Attribute("mid", "0"),
        Attribute("sendrecv"),
        Attribute("x:y"),
        FormatParameters("111 a", "b"),
        Msid("a b"),
        Ssrc(1, None, "x"),
        Ssrc(1, "cname:x", "y"),
        RtcpFeedback(1, "nack pli"),
        ExtMap(1, "urn:x y"),
        Candidate("1", 1, "udp", 1, "::1", 1, "host", extensions=(("raddr", "::1"),)),
    ],
)
def test_values_that_read_back_as_others_are_refused(attribute: AnyAttribute) -> None:
    # `1:x`, the Ssrc without the name of its attribute, cannot even be read.
    refusal = r"expected (values that read back as they were written|an SSRC)"
    with pytest.raises(SdpError, match=refusal):
        build(SessionDescription(attributes=(attribute,)))
    with pytest.raises(SdpError, match=refusal):
        build(SessionDescription(media=(AUDIO, _with(IceUfrag("abcd"), attribute))))


def test_the_error_shows_the_first_value_that_reads_back_as_another() -> None:
    media = _with(Mid("0"), Msid("a b"), Attribute("sendrecv"))
    with pytest.raises(SdpError) as caught:
        build(SessionDescription(media=(AUDIO, media)))
    assert caught.value.found == repr(Msid("a b"))


@pytest.mark.parametrize(
    "description",
    [
        SessionDescription(other_lines=(Line("x", "y"),)),
        SessionDescription(other_lines=(Line("iu", "y"),)),
        SessionDescription(other_lines=(Line("k", "x"), Line("i", "y"))),
        SessionDescription(media=(MediaDescription("audio", 9, "RTP/AVP", ("0 8",)),)),
    ],
)
def test_lines_that_read_back_as_others_are_refused(description: SessionDescription) -> None:
    with pytest.raises(SdpError, match="values that read back as they were written"):
        build(description)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        (SessionDescription(media=(_with(Mid("0")), _with(Mid("0")))), "a mid that no other"),
        (SessionDescription(attributes=(Setup.ACTIVE, Setup.PASSIVE)), "one Setup attribute"),
        (SessionDescription(attributes=(Attribute("x"),) * scan.MAX_LINES), "at most 1000 lines"),
        (SessionDescription(session_name="x" * scan.MAX_LINE_LENGTH), "at most 8192 characters"),
        (
            SessionDescription(attributes=(Attribute("x" * 8000),) * 9),
            "at most 65536 characters",
        ),
        (SessionDescription(media=(MediaDescription("audio", 9, "X", ()),)), "<media> <port>"),
        (SessionDescription(media=(MediaDescription("audio", -1, "X", ("0",)),)), "a port"),
        (SessionDescription(media=(AUDIO,), session_name="\ud800"), "no control character"),
    ],
)
def test_what_cannot_be_read_cannot_be_written(
    description: SessionDescription, expected: str
) -> None:
    with pytest.raises(SdpError, match=f"expected {expected}"):
        build(description)


def test_a_candidate_alone() -> None:
    assert build_candidate(HOST) == "candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host"


def test_a_candidate_with_everything() -> None:
    extensions = (("tcptype", "active"), ("generation", "0"))
    candidate = Candidate("1", 1, "tcp", 1, "192.0.2.1", 9, "srflx", "::1", 8, extensions)
    assert build_candidate(candidate) == (
        "candidate:1 1 tcp 1 192.0.2.1 9 typ srflx raddr ::1 rport 8 tcptype active generation 0"
    )


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (Candidate("1", 1, "udp", 1, "::1", 65536, "host"), "a port"),
        (Candidate("1", 1, "udp", 1, "::1\r\n", 1, "host"), "no control character"),
        (Candidate("1", 1, "udp", 1, "::1", 1, "host x y"), "values that read back"),
    ],
)
def test_a_candidate_that_cannot_be_written(candidate: Candidate, expected: str) -> None:
    with pytest.raises(SdpError, match=f"expected {expected}"):
        build_candidate(candidate)
