from __future__ import annotations

import pytest

from sdp import Bandwidth, Connection, MediaDescription, Origin, SdpError, Timing, lines

FIREFOX_ORIGIN = "mozilla...THIS_IS_SDPARTA-99.0 2467353474363902341 0 IN IP4 0.0.0.0"


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("- 1 2 IN IP4 127.0.0.1", Origin("-", 1, 2, "127.0.0.1")),
        ("- 0 0 IN IP6 ::1", Origin(address="::1", address_type="IP6")),
        (FIREFOX_ORIGIN, Origin("mozilla...THIS_IS_SDPARTA-99.0", 2467353474363902341)),
        (f"- {2**64 - 1} 0 X Y z", Origin("-", 2**64 - 1, 0, "z", "Y", "X")),
    ],
)
def test_origin(text: str, origin: Origin) -> None:
    assert lines.parse_origin(text) == origin
    assert lines.build_origin(origin) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "<username> <id>"),
        ("- 1 2 IN IP4", "<username> <id>"),
        ("- 1 2 IN IP4 a b", "<username> <id>"),
        (" 1 2 IN IP4 a", "a user name"),
        ("- x 2 IN IP4 a", "a session id"),
        (f"- {2**64} 2 IN IP4 a", "a session id"),
        ("- 1 -2 IN IP4 a", "a session version"),
        ("- 1 2 I/N IP4 a", "a network type"),
        ("- 1 2 IN  a", "an address type"),
        ("- 1 2 IN IP4 ", "an address"),
    ],
)
def test_what_is_no_origin(text: str, expected: str) -> None:
    with pytest.raises(SdpError, match=f"expected {expected}"):
        lines.parse_origin(text)


@pytest.mark.parametrize(
    ("text", "connection"),
    [
        ("IN IP4 0.0.0.0", Connection()),
        ("IN IP6 ::", Connection("::", "IP6")),
        ("IN IP4 224.2.36.42/127", Connection("224.2.36.42/127")),
    ],
)
def test_connection(text: str, connection: Connection) -> None:
    assert lines.parse_connection(text) == connection
    assert lines.build_connection(connection) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IN IP4", "<net type>"),
        ("I,N IP4 a", "a network type"),
        ("IN I,P a", "an address type"),
        ("IN IP4 ", "an address"),
    ],
)
def test_what_is_no_connection(text: str, expected: str) -> None:
    with pytest.raises(SdpError, match=f"expected {expected}"):
        lines.parse_connection(text)


@pytest.mark.parametrize(
    ("text", "bandwidth"),
    [("AS:30", Bandwidth("AS", 30)), (f"TIAS:{2**64 - 1}", Bandwidth("TIAS", 2**64 - 1))],
)
def test_bandwidth(text: str, bandwidth: Bandwidth) -> None:
    assert lines.parse_bandwidth(text) == bandwidth
    assert lines.build_bandwidth(bandwidth) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a bandwidth type"),
        (":1", "a bandwidth type"),
        ("AS", "a bandwidth"),
        ("AS:-1", "a bandwidth"),
        ("AS:1:2", "a bandwidth"),
    ],
)
def test_what_is_no_bandwidth(text: str, expected: str) -> None:
    with pytest.raises(SdpError, match=f"expected {expected}"):
        lines.parse_bandwidth(text)


@pytest.mark.parametrize(
    ("text", "timing"),
    [("0 0", Timing()), ("3724394400 3724398000", Timing(3724394400, 3724398000))],
)
def test_timing(text: str, timing: Timing) -> None:
    assert lines.parse_timing(text) == timing
    assert lines.build_timing(timing) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", "<start time>"), ("0 0 0", "<start"), ("x 0", "a start time"), ("0 x", "a stop time")],
)
def test_what_is_no_timing(text: str, expected: str) -> None:
    with pytest.raises(SdpError, match=f"expected {expected}"):
        lines.parse_timing(text)


@pytest.mark.parametrize(
    ("text", "media"),
    [
        (
            "audio 9 UDP/TLS/RTP/SAVPF 111 63",
            MediaDescription("audio", 9, "UDP/TLS/RTP/SAVPF", ("111", "63")),
        ),
        (
            "application 0 UDP/DTLS/SCTP webrtc-datachannel",
            MediaDescription("application", 0, "UDP/DTLS/SCTP", ("webrtc-datachannel",)),
        ),
        (
            "video 49170/2 RTP/AVP 31",
            MediaDescription("video", 49170, "RTP/AVP", ("31",), port_count=2),
        ),
    ],
)
def test_media(text: str, media: MediaDescription) -> None:
    assert lines.parse_media(text) == media
    assert lines.build_media(media) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "<media> <port>"),
        ("audio 9 RTP/AVP", "<media> <port>"),
        ("au/dio 9 RTP/AVP 0", "a media type"),
        ("audio 65536 RTP/AVP 0", "a port"),
        ("audio -1 RTP/AVP 0", "a port"),
        ("audio 9/0 RTP/AVP 0", "a number of ports"),
        ("audio 9/ RTP/AVP 0", "a number of ports"),
        ("audio 9  0", "a transport protocol"),
        ("audio 9 RTP/AVP 0 ", "a format"),
        ("audio 9 RTP/AVP 0  8", "a format"),
    ],
)
def test_what_is_no_media_line(text: str, expected: str) -> None:
    with pytest.raises(SdpError, match=f"expected {expected}"):
        lines.parse_media(text)
