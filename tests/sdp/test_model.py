from __future__ import annotations

import dataclasses

import pytest

from sdp import (
    Attribute,
    Candidate,
    Direction,
    Fingerprint,
    FormatParameters,
    Group,
    IcePwd,
    IceUfrag,
    MediaDescription,
    Mid,
    Msid,
    RtpMap,
    SessionDescription,
    Setup,
    model,
)

OPUS = RtpMap(111, "opus", 48000, 2)
UPPER = Fingerprint("sha-1", ":".join(["AB"] * 20))


def media(*attributes: model.AnyAttribute, port: int = 9) -> MediaDescription:
    return MediaDescription("audio", port, "UDP/TLS/RTP/SAVPF", ("111", "9"), attributes)


def test_everything_is_frozen_and_slotted() -> None:
    classes = [
        item
        for item in vars(model).values()
        if isinstance(item, type) and dataclasses.is_dataclass(item)
    ]
    assert SessionDescription in classes
    for item in classes:
        assert item.__dataclass_params__.frozen, item  # type: ignore[attr-defined]
        assert not hasattr(item, "__dict__") or "__dict__" not in dir(item), item


def test_an_ice_password_does_not_show_in_its_repr() -> None:
    assert "secret" not in repr(SessionDescription(attributes=(IcePwd("secret" * 4),)))


def test_lookup_by_class_keeps_the_order() -> None:
    section = media(Mid("0"), OPUS, Setup.ACTIVE, RtpMap(9, "G722", 8000))
    assert section.first(RtpMap) == OPUS
    assert section.all(RtpMap) == (OPUS, RtpMap(9, "G722", 8000))
    assert section.first(Setup) is Setup.ACTIVE
    assert section.first(Msid) is None
    assert section.all(Msid) == ()


def test_lookup_by_name_sees_plain_attributes_only() -> None:
    section = media(Attribute("rtcp-mux"), Attribute("x", "y"), Mid("0"))
    assert section.has("rtcp-mux")
    assert section.has("x")
    assert not section.has("mid")
    assert not section.has("y")


def test_mid() -> None:
    assert media(Mid("a")).mid == "a"
    assert media().mid is None


@pytest.mark.parametrize(
    ("section", "rejected"),
    [
        (media(), False),
        (media(port=0), True),
        (media(Attribute("bundle-only"), port=0), False),
    ],
)
def test_a_section_is_rejected_by_port_0(section: MediaDescription, rejected: bool) -> None:
    assert section.is_rejected is rejected


def test_rtpmap_by_payload_type() -> None:
    assert media(OPUS).rtpmap(111) == OPUS
    assert media(OPUS).rtpmap(9) is None


def test_a_codec_is_found_whatever_its_case() -> None:
    assert media(OPUS).codec("OPUS") == OPUS
    assert media(RtpMap(111, "OPUS", 48000, 2)).codec("opus") is not None
    assert media(OPUS).codec("PCMU") is None


def test_a_codec_must_be_in_the_media_line_which_tells_the_preference() -> None:
    first, second, absent = (RtpMap(number, "opus", 48000, 2) for number in (111, 9, 96))
    assert media(absent, second, first).codec("opus") == first
    assert media(absent).codec("opus") is None


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("minptime=10;useinbandfec=1", {"minptime": "10", "useinbandfec": "1"}),
        (" MinPTime = 10 ; stereo=1;", {"minptime": "10", "stereo": "1"}),
        ("a=1;a=2;A=3", {"a": "1"}),
        ("a=b=c", {"a": "b=c"}),
        ("0-15", {"0-15": ""}),
        ("", {}),
        (";;=x", {}),
    ],
)
def test_format_parameters(text: str, parameters: dict[str, str]) -> None:
    assert FormatParameters("111", text).parameters == parameters


def test_format_parameters_by_payload_type() -> None:
    section = media(FormatParameters("9", "a=1"), FormatParameters("111", "b=2"))
    assert section.format_parameters(111) == {"b": "2"}
    assert section.format_parameters(8) == {}


def test_a_digest_is_the_same_in_either_case() -> None:
    assert UPPER.digest == Fingerprint("sha-1", UPPER.value.lower()).digest == b"\xab" * 20


def test_candidate_extensions() -> None:
    extensions = (("tcptype", "active"), ("generation", "0"), ("generation", "1"))
    candidate = Candidate("1", 1, "tcp", 1, "::1", 9, "host", extensions=extensions)
    assert candidate.tcp_type == "active"
    assert candidate.extension("generation") == "0"
    assert candidate.extension("ufrag") is None


@pytest.mark.parametrize(
    ("attributes", "mids"),
    [
        ((), ()),
        ((Group("LS", ("0",)),), ()),
        ((Group("LS", ("0",)), Group("BUNDLE", ("0", "1")), Group("BUNDLE", ("2",))), ("0", "1")),
        ((Group("BUNDLE"),), ()),
    ],
)
def test_bundle(attributes: tuple[model.AnyAttribute, ...], mids: tuple[str, ...]) -> None:
    assert SessionDescription(attributes=attributes).bundle == mids


def test_find_a_section_by_mid() -> None:
    first, second = media(Mid("0")), media(Mid("1"))
    description = SessionDescription(media=(media(), first, second))
    assert description.find("1") is second
    assert description.find("2") is None


def test_a_section_without_its_own_takes_the_sessions() -> None:
    section = media()
    description = SessionDescription(
        attributes=(
            IceUfrag("abcd"),
            IcePwd("p" * 22),
            UPPER,
            Setup.PASSIVE,
            Direction.SENDONLY,
            Attribute("end-of-candidates"),
        ),
        media=(section,),
    )
    assert description.ice_ufrag(section) == "abcd"
    assert description.ice_pwd(section) == "p" * 22
    assert description.fingerprints(section) == (UPPER,)
    assert description.setup(section) is Setup.PASSIVE
    assert description.direction(section) is Direction.SENDONLY
    assert description.end_of_candidates(section)


def test_a_sections_own_wins_over_the_sessions() -> None:
    own = Fingerprint("sha-1", ":".join(["01"] * 20))
    section = media(IceUfrag("own0"), IcePwd("o" * 22), own, Setup.ACTIVE, Direction.RECVONLY)
    description = SessionDescription(
        attributes=(IceUfrag("abcd"), IcePwd("p" * 22), UPPER, Setup.PASSIVE, Direction.SENDONLY),
        media=(section,),
    )
    assert description.ice_ufrag(section) == "own0"
    assert description.ice_pwd(section) == "o" * 22
    assert description.fingerprints(section) == (own,)
    assert description.setup(section) is Setup.ACTIVE
    assert description.direction(section) is Direction.RECVONLY


def test_what_holds_when_nothing_is_written() -> None:
    section = media()
    description = SessionDescription(media=(section,))
    assert description.ice_ufrag(section) is None
    assert description.ice_pwd(section) is None
    assert description.fingerprints(section) == ()
    assert description.setup(section) is None
    assert description.direction(section) is Direction.SENDRECV
    assert not description.end_of_candidates(section)
    assert SessionDescription().end_of_candidates(media(Attribute("end-of-candidates")))
