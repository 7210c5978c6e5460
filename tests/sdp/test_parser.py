from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from sdp import (
    Attribute,
    Bandwidth,
    Candidate,
    Connection,
    Direction,
    Line,
    MediaDescription,
    Mid,
    Origin,
    SdpError,
    SessionDescription,
    Timing,
    parse,
    parse_candidate,
    scan,
)

HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\n"
EMPTY = SessionDescription(Origin("-", 1, 2, "127.0.0.1"), timings=())
AUDIO = MediaDescription("audio", 9, "RTP/AVP", ("0",))
AUDIO_LINE = "m=audio 9 RTP/AVP 0\r\n"


def refused(text: str) -> SdpError:
    with pytest.raises(SdpError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD.replace("\r\n", "\n"),
        HEAD.replace("\r\n", "\n", 1),
        HEAD.removesuffix("\r\n"),
        HEAD.removesuffix("\n"),
        HEAD + "\r\n\r\n",
        HEAD + "\n\r\n\n",
    ],
)
def test_every_kind_of_line_end(text: str) -> None:
    assert parse(text) == EMPTY


def test_every_line_of_a_session() -> None:
    text = (
        f"{HEAD}i=about\nu=http://x\ne=a@x\np=+1 2\nc=IN IP6 ::1\nb=AS:1\nb=TIAS:2\n"
        "t=0 0\nt=1 2\nr=7d 1h\nr=1 2\nt=3 4\nz=0 0\nk=prompt\na=sendrecv\na=x\n"
    )
    assert parse(text) == SessionDescription(
        origin=EMPTY.origin,
        timings=(Timing(), Timing(1, 2, ("7d 1h", "1 2")), Timing(3, 4)),
        attributes=(Direction.SENDRECV, Attribute("x")),
        connection=Connection("::1", "IP6"),
        bandwidths=(Bandwidth("AS", 1), Bandwidth("TIAS", 2)),
        other_lines=(
            Line("i", "about"),
            Line("u", "http://x"),
            Line("e", "a@x"),
            Line("p", "+1 2"),
            Line("z", "0 0"),
            Line("k", "prompt"),
        ),
    )


def test_every_line_of_a_media_section() -> None:
    (media,) = parse(f"{HEAD}{AUDIO_LINE}i=about\nc=IN IP4 1\nb=AS:1\nk=prompt\na=mid:0\n").media
    assert media == MediaDescription(
        "audio",
        9,
        "RTP/AVP",
        ("0",),
        attributes=(Mid("0"),),
        connection=Connection("1"),
        bandwidths=(Bandwidth("AS", 1),),
        other_lines=(Line("i", "about"), Line("k", "prompt")),
    )


def test_lines_belong_to_the_section_they_follow() -> None:
    text = f"{HEAD}a=0\n{AUDIO_LINE}a=1\n{AUDIO_LINE}{AUDIO_LINE}a=3\n"
    description = parse(text)
    assert description.attributes == (Attribute("0"),)
    assert [media.attributes for media in description.media] == [
        (Attribute("1"),),
        (),
        (Attribute("3"),),
    ]


def test_lines_of_a_section_may_follow_its_attributes() -> None:
    (media,) = parse(f"{HEAD}{AUDIO_LINE}a=mid:0\nk=x\nb=AS:500\ni=y\na=sendrecv\n").media
    assert media.attributes == (Mid("0"), Direction.SENDRECV)
    assert media.bandwidths == (Bandwidth("AS", 500),)
    assert media.other_lines == (Line("i", "y"), Line("k", "x"))


@pytest.mark.parametrize("name", ["", " ", "日本 室"])
def test_any_session_name(name: str) -> None:
    assert parse(HEAD.replace("s=-", f"s={name}")).session_name == name


def test_video_and_data_sections() -> None:
    text = (
        f"{HEAD}t=0 0\na=group:BUNDLE 0 1\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97\na=mid:0\na=rtpmap:96 VP8/90000\n"
        "a=rtcp-fb:96 nack pli\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\n"
        "a=rid:h send\na=simulcast:send h\na=ssrc-group:FID 1 2\n"
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:1\na=sctp-port:5000\n"
        "a=max-message-size:262144\n"
    )
    video, data = parse(text).media
    assert (video.media, video.mid, video.format_parameters(97)) == ("video", "0", {"apt": "96"})
    assert (data.media, data.mid, data.formats) == ("application", "1", ("webrtc-datachannel",))
    assert video.has("simulcast")
    assert data.has("sctp-port")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected v=, o= and s= lines at the start"),
        ("\r\n\n", "expected v=, o= and s= lines at the start"),
        ("v=0\n", "expected v=, o= and s= lines at the start"),
        ("v=0\no=- 1 2 IN IP4 x\n", "expected v=, o= and s= lines at the start"),
        ("\nv=0", "line 1: '': expected a letter, = and a value"),
        (" v=0", "line 1: ' v=0': expected a letter, = and a value"),
        ("v", "line 1: 'v': expected a letter, = and a value"),
        ("v:0", "line 1: 'v:0': expected a letter, = and a value"),
        ('{"a":1}', "line 1: '{\"a\":1}': expected a letter, = and a value"),
        ("v=1", "line 1: 'v=1': expected v=0, with which every description starts"),
        ("s=-", "line 1: 's=-': expected v=0, with which every description starts"),
        ("V=0", "line 1: 'V=0': expected v=0, with which every description starts"),
        ("v=0\ns=-", "line 2: 's=-': expected an o= line after v="),
        ("v=0\no=x", "line 2: 'o=x': expected <username> <id> <version> "),
        ("v=0\no=- 1 2 IN IP4 x\nt=0 0", "line 3: 't=0 0': expected an s= line after o="),
        (HEAD + "v=0", "line 4: 'v=0': expected a line of type i, u, e, p, c, b, t, r, z, k, a, m"),
        (HEAD + "o=- 1 2 IN IP4 x", "line 4: 'o=- 1 2 IN IP4 x': expected a line of type i, "),
        (HEAD + "s=-", "line 4: 's=-': expected a line of type i, "),
        (HEAD + "x=y", "line 4: 'x=y': expected a line of type i, "),
        (HEAD + "\na=x", "line 4: '': expected a letter, = and a value"),
        (HEAD + "r=1\nt=0 0", "line 4: 'r=1': expected a t= line before r="),
        (HEAD + "c=IN IP4 x\nc=IN IP4 x", "line 5: 'c=IN IP4 x': expected one c= line"),
        (HEAD + AUDIO_LINE + "t=0 0", "line 5: 't=0 0': expected a line of type i, c, b, k, a, m"),
        (HEAD + "m=audio", "line 4: 'm=audio': expected <media> <port>"),
        (HEAD + "a=mid:\nt=0 0", "line 4: 'a=mid:': expected a media identification"),
        (HEAD + "a=x\0y", r"line 4: 'a=x\x00y': expected no control character"),
        (HEAD + "a=x\ry", r"line 4: 'a=x\ry': expected no control character"),
        (HEAD + "a=x\r\r\n", r"line 4: 'a=x\r': expected no control character"),
        (HEAD + "a=\ud800", r"line 4: 'a=\ud800': expected no control character and valid Unicode"),
    ],
)
def test_an_error_names_the_line_and_what_was_expected(text: str, message: str) -> None:
    assert str(refused(text)).startswith(message)


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        ("a=mid:0", "a=mid:1", "one Mid attribute"),
        ("a=ice-ufrag:abcd", "a=ice-ufrag:abcd", "one IceUfrag attribute"),
        (f"a=ice-pwd:{'x' * 22}", f"a=ice-pwd:{'y' * 22}", "one IcePwd attribute"),
        ("a=setup:active", "a=setup:passive", "one Setup attribute"),
        ("a=sendrecv", "a=recvonly", "one Direction attribute"),
    ],
)
def test_what_would_contradict_itself_may_stand_once(first: str, second: str, what: str) -> None:
    error = refused(f"{HEAD}{AUDIO_LINE}{first}\na=x\n{second}\n")
    assert (error.number, error.line) == (7, second)
    assert error.expected == f"{what} in a section"


def test_what_may_stand_once_may_stand_once_in_every_section() -> None:
    description = parse(f"{HEAD}a=sendrecv\n{AUDIO_LINE}a=sendonly\n{AUDIO_LINE}a=sendonly\n")
    assert [description.direction(media) for media in description.media] == ["sendonly"] * 2


def test_two_sections_with_one_mid() -> None:
    error = refused(f"{HEAD}{AUDIO_LINE}a=mid:0\n{AUDIO_LINE}a=mid:0\n")
    assert str(error) == (
        "line 7: 'a=mid:0': expected a mid that no other media section has, got '0'"
    )


def test_the_bounds_of_a_text() -> None:
    filler = "a=" + "x" * 1022
    lines = [*HEAD.split("\r\n")[:3], *[filler] * 60]
    text = "\n".join(lines)
    text += "\n" * (scan.MAX_TEXT_LENGTH - len(text))
    assert len(parse(text).attributes) == 60
    assert str(refused(text + "\n")) == "expected at most 65536 characters, not 65537"


def test_the_bounds_of_the_lines() -> None:
    text = HEAD + "a=x\n" * (scan.MAX_LINES - 3)
    assert len(parse(text).attributes) == scan.MAX_LINES - 3
    assert str(refused(text + "a=x")) == "expected at most 1000 lines, not 1001"


def test_the_bounds_of_a_line() -> None:
    line = "a=" + "x" * (scan.MAX_LINE_LENGTH - 2)
    assert len(parse(f"{HEAD}{line}\r\n").attributes) == 1
    error = refused(f"{HEAD}{line}x\r\n")
    assert error.number == 4
    assert error.expected == "at most 8192 characters in a line, not 8193"
    assert len(str(error)) < 200


def count_calls(function: Callable[[], object]) -> int:
    """How many Python and C functions run: a measure of work that no machine changes."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    "line",
    ["a=mid:{}", "m=audio 9 RTP/AVP 0", "t=0 0", "r=1", "b=AS:1", "i=x", "a=x:{}", "a=rtcp-mux"],
)
def test_work_grows_with_the_lines_and_not_with_their_square(line: str) -> None:
    def text(lines: int) -> str:
        section = "" if line[0] in "tr" else AUDIO_LINE if line[:5] == "a=mid" else ""
        repeated = (f"{section}{line.format(number)}\n" for number in range(lines))
        return f"{HEAD}t=0 0\n{''.join(repeated)}"

    few, many = (count_calls(lambda n=n: parse(text(n))) for n in (100, 400))  # type: ignore[misc]
    assert many < 4.5 * few


@pytest.mark.parametrize("prefix", ["", "candidate:", "a=candidate:"])
def test_a_candidate_alone(prefix: str) -> None:
    value = "1 1 udp 2130706431 127.0.0.1 40000 typ host generation 0 ufrag abcd network-cost 999"
    candidate = parse_candidate(prefix + value)
    assert candidate == Candidate(
        "1",
        1,
        "udp",
        2130706431,
        "127.0.0.1",
        40000,
        "host",
        extensions=(("generation", "0"), ("ufrag", "abcd"), ("network-cost", "999")),
    )


VALUE = "1 1 udp 1 ::1 1 typ host"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'': expected <foundation> <component>"),
        ("candidate:", "'candidate:': expected <foundation> <component>"),
        ("hello", "'hello': expected <foundation> <component>"),
        (f"candidate:candidate:{VALUE}", f"'candidate:candidate:{VALUE}': expected a foundation"),
        (f"a={VALUE}", f"'a={VALUE}': expected a foundation"),
        (f"{VALUE}\r\n", rf"'{VALUE}\r\n': expected no control character"),
        (f"candidate:{VALUE} x y\0", rf"'candidate:{VALUE} x y\x00': expected no control"),
        (f"{VALUE} {'x' * 9000}", f"'{VALUE} xxx"),
    ],
)
def test_what_is_no_candidate(text: str, message: str) -> None:
    with pytest.raises(SdpError) as caught:
        parse_candidate(text)
    assert str(caught.value).startswith(message)
    assert caught.value.line == text
    assert caught.value.number is None
