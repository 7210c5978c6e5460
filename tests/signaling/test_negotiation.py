"""Offers as browsers need them, answers as browsers write them, candidates both ways."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import sdp
from relay import (
    HEADER_EXTENSIONS,
    DtlsFingerprint,
    DtlsRole,
    IceCandidate,
    IceParameters,
    RtpParameters,
    RtpSource,
    TransportParameters,
)
from signaling.errors import ErrorCode, SignalingError
from signaling.messages import Answer, IceCandidateInit
from signaling.negotiation import (
    offer_to_receive,
    offer_to_send,
    read_answer,
    read_candidate,
    write_candidate,
)
from tests.signaling.lab import ANSWER_LINES, CANDIDATE, answer, answer_with

VECTORS = Path(__file__).parents[1] / "vectors" / "sdp"
FINGERPRINT = ":".join(["AB"] * 32)
HOST = IceCandidate("1", 1, "udp", 2130706431, "192.0.2.1", 40000, "host")
HOST_6 = IceCandidate("2", 1, "udp", 2130706175, "2001:db8::1", 40000, "host")
LOCAL = TransportParameters(
    ice=IceParameters("ufrag", "p" * 22),
    fingerprints=(DtlsFingerprint("sha-256", FINGERPRINT),),
    candidates=(HOST, HOST_6),
    end_of_candidates=True,
)
SOURCE = RtpSource(4_000_000_000, "cname")

COMMON_LINES = [
    "a=mid:0",
    "a=rtcp-mux",
    "a=rtcp-rsize",
    "a=ice-ufrag:ufrag",
    "a=ice-pwd:" + "p" * 22,
    f"a=fingerprint:sha-256 {FINGERPRINT}",
    "a=setup:actpass",
    "a=candidate:1 1 udp 2130706431 192.0.2.1 40000 typ host",
    "a=candidate:2 1 udp 2130706175 2001:db8::1 40000 typ host",
    "a=end-of-candidates",
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    *(f"a=extmap:{id} {uri}" for id, uri in HEADER_EXTENSIONS.items()),
]


def _sections(offer: str) -> tuple[list[str], list[str]]:
    lines = offer.split("\r\n")
    assert lines.pop() == ""
    at = next(i for i, line in enumerate(lines) if line.startswith("m="))
    return lines[:at], lines[at:]


def _read(init: dict[str, str]) -> TransportParameters:
    return read_answer(Answer(type="answer", sdp=init["sdp"]))


def test_the_offer_to_receive() -> None:
    session, media = _sections(offer_to_receive(LOCAL).sdp)

    assert session[0] == "v=0"
    assert session[2:] == [
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=msid-semantic:WMS *",
        "a=ice-options:trickle",
    ]
    assert media[:2] == ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0"]
    assert sorted(media[2:]) == sorted([*COMMON_LINES, "a=recvonly"])


def test_the_offer_to_send_announces_its_source() -> None:
    _, media = _sections(offer_to_send(LOCAL, SOURCE, "stream", "track").sdp)

    announced = [
        "a=sendonly",
        "a=msid:stream track",
        "a=ssrc:4000000000 cname:cname",
        "a=ssrc:4000000000 msid:stream track",
    ]
    assert sorted(media[2:]) == sorted([*COMMON_LINES, *announced])


def test_candidates_may_still_come_when_the_relay_says_so() -> None:
    local = TransportParameters(LOCAL.ice, LOCAL.fingerprints)
    lines = offer_to_receive(local).sdp.split("\r\n")

    assert not [line for line in lines if "candidate" in line]
    assert "a=ice-options:trickle" in lines


@pytest.mark.parametrize(
    ("role", "setup"), [(DtlsRole.CLIENT, "active"), (DtlsRole.SERVER, "passive")]
)
def test_a_role_of_ones_own_is_offered_as_it_is(role: DtlsRole, setup: str) -> None:
    local = TransportParameters(LOCAL.ice, LOCAL.fingerprints, role)
    assert f"a=setup:{setup}\r\n" in offer_to_receive(local).sdp


AGAINST_LOSS = ["a=rtcp-fb:111 nack", "a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111"]


@pytest.mark.parametrize(
    ("rtp", "formats", "lines"),
    [
        (RtpParameters(), "111", []),
        (RtpParameters(nack=True), "111", AGAINST_LOSS[:1]),
        (RtpParameters(red=True), "111 63", AGAINST_LOSS[1:]),
        (RtpParameters(nack=True, red=True, red_first=True), "63 111", AGAINST_LOSS),
    ],
)
def test_what_helps_against_loss_is_offered(
    rtp: RtpParameters, formats: str, lines: list[str]
) -> None:
    _, media = _sections(offer_to_receive(replace(LOCAL, rtp=rtp)).sdp)

    assert media[0] == f"m=audio 9 UDP/TLS/RTP/SAVPF {formats}"
    assert sorted(media[2:]) == sorted([*COMMON_LINES, *lines, "a=recvonly"])


@pytest.mark.parametrize(
    ("formats", "lines", "taken"),
    [
        ("111 63", AGAINST_LOSS, RtpParameters(nack=True, red=True)),
        ("63 111", AGAINST_LOSS[1:], RtpParameters(red=True)),
        ("111", ["a=rtcp-fb:* nack"], RtpParameters(nack=True)),
        ("111", ["a=rtcp-rsize"], RtpParameters(reduced_size=True)),
        ("111", ["a=rtcp-fb:111 nack pli"], RtpParameters()),
        ("111", ["a=rtcp-fb:63 nack"], RtpParameters()),
        ("111", ["a=rtcp-fb:111 transport-cc"], RtpParameters()),
        ("111", AGAINST_LOSS[1:], RtpParameters()),  # not in the m-line
        ("111 63", ["a=rtpmap:63 telephone-event/48000"], RtpParameters()),
    ],
)
def test_what_of_it_an_answer_takes(formats: str, lines: list[str], taken: RtpParameters) -> None:
    given = answer_with("m=", f"m=audio 9 UDP/TLS/RTP/SAVPF {formats}")["sdp"]
    assert _read({"sdp": given + "".join(f"{line}\r\n" for line in lines)}).rtp == taken


def test_every_offer_is_a_session_of_its_own() -> None:
    origins = {sdp.parse(offer_to_receive(LOCAL).sdp).origin for _ in range(10)}
    assert len(origins) == 10


def test_a_minimal_answer() -> None:
    assert _read(answer()) == TransportParameters(
        ice=IceParameters("abcd", "0123456789abcdef01234567"),
        fingerprints=(DtlsFingerprint("sha-256", ":".join(["CD"] * 32)),),
        role=DtlsRole.CLIENT,
    )


def test_bare_line_feeds_are_line_ends_too() -> None:
    assert _read({"sdp": "\n".join(ANSWER_LINES) + "\n"}) == _read(answer())


def test_what_stands_in_the_session_part_counts() -> None:
    moved = [line for line in ANSWER_LINES if line.startswith(("a=ice", "a=finger", "a=setup"))]
    kept = [line for line in ANSWER_LINES if line not in moved]
    assert _read(answer((*kept[:4], *moved, *kept[4:]))) == _read(answer())


def test_an_answer_with_candidates_and_their_end() -> None:
    remote = _read(answer((*ANSWER_LINES, f"a={CANDIDATE}", "a=end-of-candidates")))
    expected = IceCandidate("1", 1, "udp", 2122260223, "198.51.100.7", 50000, "host")

    assert remote.candidates == (expected,)
    assert remote.end_of_candidates


def test_a_passive_answer_makes_the_browser_the_server() -> None:
    assert _read(answer_with("a=setup", "a=setup:passive")).role is DtlsRole.SERVER


def test_a_lower_case_fingerprint_is_the_same_one() -> None:
    lower = "a=fingerprint:sha-256 " + ":".join(["cd"] * 32)
    assert _read(answer_with("a=fingerprint", lower)) == _read(answer())


def test_several_fingerprints_are_all_kept() -> None:
    sha_384 = "a=fingerprint:sha-384 " + ":".join(["EF"] * 48)
    remote = _read(answer((*ANSWER_LINES, sha_384)))
    assert [item.algorithm for item in remote.fingerprints] == ["sha-256", "sha-384"]


@pytest.mark.parametrize(
    "name",
    [
        "chromium-answer-to-lite-recvonly",
        "chromium-answer-to-lite-sendonly",
        "firefox-answer-to-lite-recvonly",
        "firefox-answer-to-lite-sendonly",
    ],
)
def test_answers_of_real_browsers(name: str) -> None:
    text = (VECTORS / f"{name}.txt").read_text()
    remote = _read({"sdp": text})

    assert remote.role is DtlsRole.CLIENT
    assert f"a=ice-ufrag:{remote.ice.username_fragment}\n" in text
    assert [item.algorithm for item in remote.fingerprints] == ["sha-256"]
    assert {item.protocol for item in remote.candidates} == {"udp", "tcp"}
    assert {item.tcp_type for item in remote.candidates} == {None, "active"}
    assert remote.end_of_candidates is ("end-of-candidates" in text)


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(SignalingError) as caught:
        _read({"sdp": "v=0\r\nhello\r\n"})

    assert caught.value.code is ErrorCode.BAD_SDP
    assert "line 2" in caught.value.message
    assert "'hello'" in caught.value.message


def test_a_long_media_type_is_cut_short_in_the_refusal() -> None:
    with pytest.raises(SignalingError) as caught:
        _read(answer_with("m=", f"m={'x' * 5000} 9 UDP/TLS/RTP/SAVPF 111"))
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("text", ["", None])
def test_the_end_of_candidates(text: str | None) -> None:
    assert read_candidate(None) is None
    assert read_candidate(IceCandidateInit(text, sdpMid="0")) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "candidate:1 1 UDP 2122252543 ::1 43788 typ host",
            IceCandidate("1", 1, "udp", 2122252543, "::1", 43788, "host"),
        ),
        (
            "candidate:2 1 tcp 1518280447 127.0.0.1 9 typ host tcptype active generation 0",
            IceCandidate("2", 1, "tcp", 1518280447, "127.0.0.1", 9, "host", tcp_type="active"),
        ),
        (
            "candidate:3 1 udp 1 203.0.113.5 6000 typ srflx raddr 10.0.0.1 rport 5000 ufrag abcd",
            IceCandidate("3", 1, "udp", 1, "203.0.113.5", 6000, "srflx", "10.0.0.1", 5000),
        ),
        (
            "candidate:4 1 udp 1 0f9a3d6e-6a0b-4e9c-8a70-000000000000.local 6000 typ host",
            IceCandidate(
                "4", 1, "udp", 1, "0f9a3d6e-6a0b-4e9c-8a70-000000000000.local", 6000, "host"
            ),
        ),
    ],
)
def test_candidates_as_browsers_write_them(text: str, expected: IceCandidate) -> None:
    assert read_candidate(IceCandidateInit(text, "0", 0, "abcd")) == expected
    assert read_candidate(IceCandidateInit(text)) == expected


@pytest.mark.parametrize("candidate", [HOST, HOST_6, None])
def test_what_is_written_is_read_back(candidate: IceCandidate | None) -> None:
    init = write_candidate(candidate, LOCAL)

    assert (init.sdpMid, init.sdpMLineIndex, init.usernameFragment) == ("0", 0, "ufrag")
    assert read_candidate(init) == candidate


def test_related_address_and_tcp_type_are_written() -> None:
    relayed = IceCandidate("5", 1, "tcp", 7, "203.0.113.5", 6000, "srflx", "10.0.0.1", 9, "so")
    init = write_candidate(relayed, LOCAL)

    assert init.candidate == (
        "candidate:5 1 tcp 7 203.0.113.5 6000 typ srflx raddr 10.0.0.1 rport 9 tcptype so"
    )
    assert read_candidate(init) == relayed
