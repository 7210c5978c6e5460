"""What real browsers wrote, read and written back."""

from __future__ import annotations

import pytest

from sdp import Candidate, Direction, Fingerprint, Msid, RtpMap, Setup, Ssrc, build, parse
from tests.sdp.vectors import VECTORS

every_vector = pytest.mark.parametrize("name", sorted(VECTORS))


def test_the_vectors_are_there() -> None:
    assert len(VECTORS) == 23
    assert {name.partition("-")[0] for name in VECTORS} == {"chromium", "firefox"}


@every_vector
def test_every_line_is_kept_in_order(name: str) -> None:
    assert build(parse(VECTORS[name])) == VECTORS[name]


@every_vector
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_line_feeds_alone_read_the_same(name: str, end: str) -> None:
    text = VECTORS[name].replace("\r\n", "\n").rstrip("\n") + end
    assert parse(text) == parse(VECTORS[name])


@every_vector
def test_what_the_relay_needs_is_found(name: str) -> None:
    description = parse(VECTORS[name])
    (media,) = description.media
    opus = media.codec("opus")
    assert opus is not None
    assert (opus.clock_rate, opus.channels) == (48000, 2)
    assert (media.media, media.mid, description.bundle) == ("audio", "0", ("0",))
    assert media.has("rtcp-mux")
    assert description.find("0") is media
    assert len(description.ice_ufrag(media) or "") >= 4
    assert len(description.ice_pwd(media) or "") >= 22
    assert any(
        item.algorithm == "sha-256" and len(item.digest) == 32
        for item in description.fingerprints(media)
    )
    assert all(item.component in (1, 2) for item in media.all(Candidate))
    assert media.all(Candidate)


@pytest.mark.parametrize(
    ("name", "direction", "setup"),
    [
        ("chromium-answer-to-lite-recvonly", Direction.SENDONLY, Setup.ACTIVE),
        ("chromium-answer-to-lite-sendonly", Direction.RECVONLY, Setup.ACTIVE),
        ("chromium-answer-to-lite-setup-active", Direction.RECVONLY, Setup.PASSIVE),
        ("chromium-answer-to-lite-recvonly.offer", Direction.RECVONLY, Setup.ACTPASS),
        ("chromium-offerer-sendrecv", Direction.SENDRECV, Setup.ACTPASS),
        ("firefox-answer-to-lite-recvonly", Direction.SENDONLY, Setup.ACTIVE),
        ("firefox-answer-to-lite-sendonly", Direction.RECVONLY, Setup.ACTIVE),
        ("firefox-answer-to-lite-setup-active", Direction.RECVONLY, Setup.PASSIVE),
        ("firefox-offerer-sendrecv", Direction.SENDRECV, Setup.ACTPASS),
    ],
)
def test_direction_and_setup(name: str, direction: Direction, setup: Setup) -> None:
    description = parse(VECTORS[name])
    (media,) = description.media
    assert description.direction(media) is direction
    assert description.setup(media) is setup


def test_a_chromium_answer_in_detail() -> None:
    description = parse(VECTORS["chromium-answer-to-lite-recvonly"])
    (media,) = description.media
    udp, tcp = media.all(Candidate)
    assert (udp.transport, udp.address, udp.port) == ("udp", "127.0.0.1", 34352)
    assert (tcp.transport, tcp.tcp_type, tcp.port) == ("tcp", "active", 9)
    assert udp.extension("network-cost") == "50"
    assert media.first(Msid) == Msid("-", "3fd32dfb-2d73-490a-87ee-403ac9ed67d2")
    assert media.all(Ssrc) == (Ssrc(3765525672, "cname", "BzQbBPo5M5QP3YlF"),)
    assert media.format_parameters(111) == {"minptime": "10", "useinbandfec": "1"}
    assert not description.end_of_candidates(media)


def test_a_firefox_answer_in_detail() -> None:
    description = parse(VECTORS["firefox-pub-answer"])
    (media,) = description.media
    assert description.first(Direction) is Direction.SENDRECV
    assert description.direction(media) is Direction.SENDONLY
    assert media.first(Fingerprint) is None
    assert len(description.fingerprints(media)) == 1
    assert [item.transport for item in media.all(Candidate)] == ["UDP", "UDP", "TCP", "TCP"]
    assert media.rtpmap(9) == RtpMap(9, "G722", 8000, 1)
    assert media.rtpmap(8) == RtpMap(8, "PCMA", 8000)
    assert description.end_of_candidates(media)
