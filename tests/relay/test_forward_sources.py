"""Whom a packet belongs to: addresses and SSRCs of speakers."""

from __future__ import annotations

import secrets

from relay.address import Address
from relay.rtp import RtpPacket, build_rtp
from relay.source import MAX_SOURCES
from relay.stats import DropReason

from .media import (
    IPV4,
    IPV6,
    OPUS,
    VOICE,
    Studio,
    contiguous,
    frame,
    heard,
    wire,
)

# Whom a packet belongs to.


async def test_unbound_it_is_nobodys(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    studio.plane.unbind(speaker.path)
    studio.plane.unbind(speaker.path)  # once more changes nothing
    speaker.say(frame(0))
    await studio.settle()
    assert studio.drops == {DropReason.RTP_UNKNOWN_ADDRESS: 1}
    assert listener.heard() == []


async def test_unbinding_by_an_address_that_is_not_ours(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    studio.plane.unbind(speaker.path._replace(local=Address("192.0.2.1", 9)))
    speaker.say(frame(0))
    await studio.settle()
    assert heard(listener) == contiguous(0)


async def test_a_path_that_gets_another_owner(studio: Studio) -> None:
    """An address translator gives one client's port to another."""
    before, after = studio.speaker(), studio.speaker()
    listener = studio.listener(after)
    studio.plane.bind(before.path, after.source)
    before.say(frame(0))
    before.send(after.protected(frame(1)))
    await studio.settle()
    assert studio.drops == {DropReason.SRTP_UNAUTHENTICATED: 1}
    assert heard(listener) == contiguous(1, marked=1)


async def test_a_speaker_moves(studio: Studio) -> None:
    """From one interface to another, under way."""
    speaker, elsewhere = studio.speaker(IPV4), studio.peer(IPV6)
    listener = studio.listener(speaker)
    speaker.say(frame(0))
    studio.plane.bind(elsewhere.path, speaker.source)
    elsewhere.send(speaker.protected(frame(1)))
    await studio.settle()
    speaker.say(frame(2))  # the old one still holds
    await studio.settle()
    assert heard(listener) == contiguous(0, 1, 2)


# SSRCs of one speaker.


async def test_each_of_many_ssrcs_is_heard(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    count = 5 * MAX_SOURCES
    speaker.say(*(frame(index, ssrc=VOICE + index) for index in range(count)))
    await studio.settle()
    assert heard(listener, *range(count)) == [(100 + index, True, index) for index in range(count)]


async def test_the_newest_ssrcs_are_remembered_and_older_ones_are_not(studio: Studio) -> None:
    """What is remembered is the replay list: a second copy tells."""
    speaker = studio.speaker()
    packets = [speaker.protected(frame(0, ssrc=VOICE + n)) for n in range(MAX_SOURCES + 1)]
    for packet in packets:
        speaker.send(packet)
    for packet in packets[1:]:
        speaker.send(packet)
    await studio.settle()
    assert studio.drops == {DropReason.SRTP_REPLAYED: MAX_SOURCES}
    speaker.send(packets[0])
    await studio.settle()
    assert studio.drops == {DropReason.SRTP_REPLAYED: MAX_SOURCES}
    assert speaker.source.counters().ssrc == VOICE


async def test_the_ssrc_that_is_heard_is_not_forgotten_for_others(studio: Studio) -> None:
    """Packets of other payload types come under SSRCs of their own."""
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    first = speaker.protected(frame(0))
    speaker.send(first)
    for n in range(1, 3 * MAX_SOURCES):
        speaker.say(build_rtp(RtpPacket(OPUS + 1, 7, 480, VOICE + n, b"x")))
    speaker.send(first)
    speaker.say(frame(1))
    await studio.settle()
    assert heard(listener) == contiguous(0, 1)
    assert studio.drops == {
        DropReason.RTP_UNKNOWN_PAYLOAD_TYPE: 3 * MAX_SOURCES - 1,
        DropReason.SRTP_REPLAYED: 1,
    }


async def test_a_flood_of_forgeries_changes_nothing(studio: Studio) -> None:
    speaker, stranger = studio.speaker(), studio.peer()
    listener = studio.listener(speaker)
    speaker.say(*map(frame, range(3)))
    await studio.settle()
    before = speaker.source.counters(), listener.sink.counters()
    forgeries = 100
    for n in range(forgeries):
        ssrc = VOICE if n % 2 else secrets.randbits(32)
        forged = wire(1000 + 500 * n, n, ssrc, secrets.token_bytes(100))
        speaker.send(forged)  # with the speaker's address
        stranger.send(forged)
        if n % 50 == 0:
            await studio.settle()
    await studio.settle()
    assert (speaker.source.counters(), listener.sink.counters()) == before
    assert studio.drops == {
        DropReason.SRTP_UNAUTHENTICATED: forgeries,
        DropReason.RTP_UNKNOWN_ADDRESS: forgeries,
    }
    speaker.say(frame(3))
    await studio.settle()
    assert heard(listener) == contiguous(0, 1, 2, 3)
