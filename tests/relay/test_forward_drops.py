"""What goes no further, and why: every reason that the media plane has."""

from __future__ import annotations

import pytest

from relay.address import Address
from relay.python_plane import PythonPlane
from relay.rtp import RtpPacket, build_rtp
from relay.stats import DropReason
from relay.udp import MAX_DATAGRAM

from .media import (
    IPV4,
    IPV6,
    STUN,
    VOICE,
    Studio,
    contiguous,
    frame,
    full_send_buffer,
    heard,
    open_studio,
)

# What goes no further, and why.


async def test_a_packet_from_nobody(studio: Studio) -> None:
    stranger = studio.peer()
    stranger.send(frame(0))
    await studio.settle()
    assert studio.drops == {DropReason.RTP_UNKNOWN_ADDRESS: 1}


async def test_a_path_has_two_ends(studio: Studio) -> None:
    """The same remote port by another family is somebody else's."""
    speaker, other = studio.speaker(IPV4), studio.speaker(IPV6)
    studio.plane.unbind(other.path)
    other.say(frame(0))
    speaker.say(frame(0))
    await studio.settle()
    assert studio.drops == {DropReason.RTP_UNKNOWN_ADDRESS: 1}


@pytest.mark.parametrize("length", [2, 11])
async def test_a_packet_shorter_than_its_header(studio: Studio, length: int) -> None:
    speaker = studio.speaker()
    speaker.send(frame(0)[:length])
    await studio.settle()
    assert studio.drops == {DropReason.RTP_MALFORMED: 1}


@pytest.mark.parametrize(
    "header",
    [
        "a0 6f 0007 000001e0 00005eed 00",  # padding of no length
        "a0 6f 0007 000001e0 00005eed ff",  # padding longer than the packet
        "90 6f 0007 000001e0 00005eed bede0001 1fff0000",  # element longer than the block
        "90 6f 0007 000001e0 00005eed 10000001 00000001",
    ],
)
async def test_an_authentic_packet_that_is_none(studio: Studio, header: str) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(bytes.fromhex(header))
    await studio.settle()
    assert studio.drops == {DropReason.RTP_MALFORMED: 1}
    assert listener.heard() == []
    assert speaker.source.counters().packets == 0


@pytest.mark.parametrize("payload_type", [0, 63, 110, 112, 127])
async def test_another_payload_type(studio: Studio, payload_type: int) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(build_rtp(RtpPacket(payload_type, 7, 480, VOICE, b"x")), frame(0))
    await studio.settle()
    assert studio.drops == {DropReason.RTP_UNKNOWN_PAYLOAD_TYPE: 1}
    assert heard(listener) == contiguous(0)


async def test_what_was_said_before_a_pause_is_stale_after_it(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    packets = [speaker.protected(frame(index)) for index in range(5)]
    speaker.send(packets[0])
    await studio.settle()
    speaker.source.muted = True
    speaker.send(packets[2])
    await studio.settle()
    speaker.source.muted = False
    for index in (3, 1, 4):
        speaker.send(packets[index])
    await studio.settle()
    assert heard(listener) == contiguous(0) + contiguous(3, 4, first=101, marked=3)
    assert studio.drops == {DropReason.RTP_MUTED: 1, DropReason.RTP_STALE: 1}


async def test_what_is_older_than_the_first_packet_is_stale(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    packets = [speaker.protected(frame(index)) for index in range(3)]
    for index in (1, 0, 2):
        speaker.send(packets[index])
    await studio.settle()
    assert heard(listener) == contiguous(1, 2, marked=1)
    assert studio.drops == {DropReason.RTP_STALE: 1}


async def test_a_wrong_key(studio: Studio) -> None:
    speaker, other = studio.speaker(), studio.speaker()
    listener = studio.listener(speaker)
    speaker.send(other.protected(frame(0)))
    speaker.send(frame(0) + bytes(16))  # no protection at all
    await studio.settle()
    assert studio.drops == {DropReason.SRTP_UNAUTHENTICATED: 2}
    assert listener.heard() == []


async def test_a_replay(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    packets = [speaker.protected(frame(index)) for index in range(200)]
    for index in (0, 0, 199, 1):  # twice the same, and one from before the replay list
        speaker.send(packets[index])
    await studio.settle()
    assert [index for *_, index in heard(listener)] == [0, 199]
    assert studio.drops == {DropReason.SRTP_REPLAYED: 2}


async def test_a_header_that_libsrtp_cannot_read(studio: Studio) -> None:
    speaker = studio.speaker()
    speaker.send(b"\x8f" + frame(0)[1:] + bytes(16))  # 15 contributing sources that are not there
    await studio.settle()
    assert studio.drops == {DropReason.SRTP_FAILED: 1}


async def test_a_datagram_that_is_too_long(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.send(frame(0) + bytes(MAX_DATAGRAM))
    speaker.say(frame(1))
    await studio.settle()
    assert studio.drops == {DropReason.OVERSIZED: 1}
    assert heard(listener) == contiguous(1, marked=1)
    assert studio.control == []


@pytest.mark.parametrize("datagram", [b"", b"\x80", b"\x00", b"\x16"])
async def test_a_datagram_that_is_too_short_to_tell(studio: Studio, datagram: bytes) -> None:
    studio.speaker().send(datagram)
    await studio.settle()
    assert studio.drops == {DropReason.UNKNOWN_PROTOCOL: 1}
    assert studio.control == []


async def test_a_listener_that_the_system_refuses_to_send_to(studio: Studio) -> None:
    speaker = studio.speaker()
    nowhere, listener = studio.listener(speaker), studio.listener(speaker)
    studio.plane.direct(nowhere.sink, nowhere.path._replace(remote=Address(IPV4, 0)))
    speaker.say(frame(0), frame(1))
    await studio.settle()
    assert studio.drops == {DropReason.SEND_FAILED: 2}
    assert heard(listener) == contiguous(0, 1)
    assert studio.plane.counters().packets_forwarded == 2


async def test_a_full_send_buffer(studio: Studio) -> None:
    speaker = studio.speaker(IPV4)
    stuck = [studio.listener(speaker, IPV6) for _ in range(3)]
    listener = studio.listener(speaker, IPV4)
    with full_send_buffer(studio.addresses[IPV6]):
        speaker.say(frame(0))
        await studio.settle()
        assert studio.drops == {DropReason.SEND_BUFFER_FULL: 3}
        studio.plane.send(stuck[0].path, STUN)
        assert studio.drops == {DropReason.SEND_BUFFER_FULL: 3}
        counters = studio.plane.counters()
        assert counters.control_unsent == {DropReason.SEND_BUFFER_FULL: 1}
    assert heard(listener) == contiguous(0)
    assert studio.plane.counters().packets_forwarded == 1


# Of the plane in Python only.


async def test_a_packet_that_libsrtp_does_not_protect(monkeypatch: pytest.MonkeyPatch) -> None:
    """No input that is known makes it fail; it is counted all the same."""
    async with open_studio(PythonPlane) as studio:
        speaker = studio.speaker()
        listener = studio.listener(speaker)
        monkeypatch.setattr("relay.fan.protect", lambda *_: 1)
        speaker.say(frame(0))
        await studio.settle()
        assert studio.drops == {DropReason.PROTECT_FAILED: 1}
        assert listener.heard() == []
        assert listener.sink.counters().packets == 0
