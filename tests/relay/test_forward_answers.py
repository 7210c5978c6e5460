"""The usual checks of settled peers are answered by the plane itself, all else goes up to the byte.

Requests and answers are written here by `hmac` and `zlib`: nothing of the relay's judges itself.
"""

from __future__ import annotations

import hmac
import struct
import time
import zlib
from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.address import Address
from relay.plane import Control, MediaPlane
from relay.responder import ANSWER_BURST, ANSWER_RATE, Responder
from relay.stats import DropReason

from .media import (
    IPV4,
    IPV6,
    PLANES,
    STUN,
    Peer,
    Studio,
    frame,
    full_send_buffer,
    heard,
    open_studio,
)

COOKIE = 0x2112A442
REQUEST, RESPONSE = 0x0001, 0x0101
PASSWORD, BODY = "local password", b"\0\6\0\4user"
TRANSACTION = bytes(range(12))
MAX_BODY = 576 - 20 - 32

Implementation = Callable[[Control], MediaPlane]


def message(kind: int, transaction: bytes, body: bytes, password: str) -> bytes:
    """With MESSAGE-INTEGRITY and FINGERPRINT."""

    def head(length: int) -> bytes:
        return struct.pack("!HHI12s", kind, length, COOKIE, transaction)

    digest = hmac.digest(password.encode(), head(len(body) + 24) + body, "sha1")
    start = head(len(body) + 32) + body + b"\0\x08\0\x14" + digest
    return start + b"\x80\x28\0\4" + struct.pack("!I", zlib.crc32(start) ^ 0x5354554E)


def request(
    transaction: bytes = TRANSACTION, body: bytes = BODY, password: str = PASSWORD
) -> bytes:
    return message(REQUEST, transaction, body, password)


def response(to: Address, transaction: bytes = TRANSACTION, password: str = PASSWORD) -> bytes:
    """What the asker is told of its address (RFC 8489 §14.2)."""
    host = ip_address(to.host).packed
    mask = struct.pack("!I", COOKIE) + transaction
    hidden = bytes(ours ^ theirs for ours, theirs in zip(host, mask, strict=False))
    family = 1 if len(host) == 4 else 2
    value = struct.pack("!HH", family, to.port ^ COOKIE >> 16) + hidden
    body = struct.pack("!HH", 0x0020, len(value)) + value
    return message(RESPONSE, transaction, body, password)


def settled(studio: Studio, host: str = IPV4, password: str = PASSWORD, body: bytes = BODY) -> Peer:
    peer = studio.peer(host)
    studio.plane.settle(peer.path, Responder(peer.address, password, body))
    return peer


passwords = st.text("abcXYZ019+/", min_size=1, max_size=256)
bodies = st.binary(max_size=130).map(lambda body: body[: len(body) // 4 * 4])
transactions = st.binary(min_size=12, max_size=12)


@pytest.mark.parametrize("host", [IPV4, IPV6])
@pytest.mark.parametrize("implementation", PLANES)
@settings(max_examples=60, deadline=None)
@given(password=passwords, body=bodies, transaction=transactions)
async def test_the_answer(
    implementation: str, host: str, password: str, body: bytes, transaction: bytes
) -> None:
    async with open_studio(PLANES[implementation]) as studio:
        peer = settled(studio, host, password, body)
        asked = request(transaction, body, password)
        studio.plane.inject(peer.path, asked, time.monotonic())
        assert peer.arrived() == [response(peer.address, transaction, password)]
        await studio.passed_up(0)
        assert studio.control == []


@pytest.mark.parametrize("length", [*range(0, 140, 4), MAX_BODY])
async def test_any_length(studio: Studio, length: int) -> None:
    """Wherever the blocks of SHA-1 end."""
    body = bytes(index & 0xFF for index in range(length))
    peer = settled(studio, body=body)
    studio.plane.inject(peer.path, request(body=body), 1.0)
    assert peer.arrived() == [response(peer.address)]


def changes(familiar: bytes) -> st.SearchStrategy[bytes]:
    """What is nearly the familiar request."""
    at = st.integers(0, len(familiar) - 1)
    return st.one_of(
        st.builds(
            lambda at, bits: familiar[:at] + bytes([familiar[at] ^ bits]) + familiar[at + 1 :],
            at,
            st.integers(1, 255),
        ),
        st.builds(lambda at: familiar[:at], st.integers(2, len(familiar) - 1)),
        st.builds(lambda more: familiar + more, st.binary(min_size=1, max_size=40)),
        st.builds(lambda key: request(password=key), passwords.filter(lambda key: key != PASSWORD)),
        st.builds(lambda body: request(body=body), bodies.filter(lambda body: body != BODY)),
        st.builds(
            lambda kind: message(kind, TRANSACTION, BODY, PASSWORD),
            st.sampled_from([0x0011, 0x0101, 0x0111, 0x0002]),
        ),
        st.builds(lambda noise: b"\0\1" + noise, st.binary(max_size=600)),
    )


@pytest.mark.parametrize("implementation", PLANES)
@settings(max_examples=60, deadline=None)
@given(others=st.lists(changes(request()), max_size=8))
async def test_whatever_else_goes_up(implementation: str, others: list[bytes]) -> None:
    async with open_studio(PLANES[implementation]) as studio:
        peer = settled(studio)
        not_rtp = [
            other
            for other in others
            if other[0] & 0xC0 != 0x80 or other[1] & 0xE0 == 0xC0  # RFC 7983, RFC 5761
        ]
        for other in others:
            studio.plane.inject(peer.path, other, 1.0)
        await studio.passed_up(len(not_rtp))
        assert studio.control == [(peer.path, other) for other in not_rtp]
        assert peer.arrived() == []
        assert studio.plane.counters().checks_answered == 0


async def test_only_by_the_settled_path(studio: Studio) -> None:
    peer, stranger, elsewhere = settled(studio), studio.peer(), studio.peer(IPV6)
    for other in (stranger, elsewhere):
        other.send(request())
    await studio.settle()
    assert {path for path, _ in studio.control} == {stranger.path, elsewhere.path}
    assert stranger.arrived() == elsewhere.arrived() == peer.arrived() == []


async def test_no_more_when_unsettled(studio: Studio) -> None:
    peer = settled(studio)
    studio.plane.unsettle(peer.path)
    studio.plane.unsettle(peer.path)
    peer.send(request())
    await studio.settle()
    assert studio.control == [(peer.path, request())]
    assert peer.arrived() == []


async def test_another_takes_the_place(studio: Studio) -> None:
    peer = settled(studio)
    studio.plane.settle(peer.path, Responder(peer.address, "another", BODY))
    peer.send(request())
    peer.send(request(password="another"))
    await studio.passed_up(1)
    await studio.settle_answers(1)
    assert studio.control == [(peer.path, request())]
    assert peer.arrived() == [response(peer.address, password="another")]


async def test_as_often_as_the_budget_allows(studio: Studio) -> None:
    """What is beyond it goes up, where it is counted."""
    peer, start, more = settled(studio), 1000.0, 3
    for _ in range(int(ANSWER_BURST) + more):
        studio.plane.inject(peer.path, request(), start)
    await studio.passed_up(more)
    for _ in range(2):
        studio.plane.inject(peer.path, request(), start + 1 / ANSWER_RATE)
    await studio.passed_up(more + 1)
    assert studio.plane.counters().checks_answered == ANSWER_BURST + 1
    assert len(studio.control) == more + 1
    assert peer.arrived() == [response(peer.address)] * (int(ANSWER_BURST) + 1)


async def test_who_changes_checks_gets_no_other_budget(studio: Studio) -> None:
    """Else a few changes a second would have any number of them answered."""
    peer, other = settled(studio), BODY + b"more"
    for _ in range(int(ANSWER_BURST)):
        studio.plane.inject(peer.path, request(), 1.0)
    studio.plane.settle(peer.path, Responder(peer.address, PASSWORD, other))
    studio.plane.inject(peer.path, request(body=other), 1.0)
    await studio.passed_up(1)
    assert studio.plane.counters().checks_answered == ANSWER_BURST


async def test_forgeries_cost_no_budget(studio: Studio) -> None:
    peer, forged = settled(studio), request(password="forged")
    for _ in range(2 * int(ANSWER_BURST)):
        studio.plane.inject(peer.path, forged, 1.0)
    studio.plane.inject(peer.path, request(), 1.0)
    assert peer.arrived() == [response(peer.address)]


async def test_a_speaker_may_be_settled(studio: Studio) -> None:
    """One address, whose voice and whose checks come and go apart from each other."""
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    studio.plane.settle(speaker.path, Responder(speaker.address, PASSWORD, BODY))
    speaker.say(frame(0))
    speaker.send(request())
    await studio.settle_answers(1)
    assert speaker.arrived() == [response(speaker.address)]

    studio.plane.unsettle(speaker.path)
    speaker.say(frame(1))
    speaker.send(request())
    await studio.passed_up(1)
    studio.plane.settle(speaker.path, Responder(speaker.address, PASSWORD, BODY))
    studio.plane.unbind(speaker.path)
    speaker.say(frame(2))
    speaker.send(request())
    await studio.settle_answers(2)

    assert [index for _, _, index in heard(listener)] == [0, 1]
    assert studio.control == [(speaker.path, request())]
    assert studio.drops == {DropReason.RTP_UNKNOWN_ADDRESS: 1}
    assert speaker.arrived() == [response(speaker.address)]


async def test_many_peers(studio: Studio) -> None:
    """So many that tables grow, of whom every other one leaves."""
    peers = [settled(studio, password=f"password {index}") for index in range(150)]
    for peer in peers[::2]:
        studio.plane.unsettle(peer.path)
    for index, peer in enumerate(peers):
        studio.plane.inject(peer.path, request(password=f"password {index}"), 1.0)
    await studio.passed_up(75)
    assert [path for path, _ in studio.control] == [peer.path for peer in peers[::2]]
    for index, peer in enumerate(peers):
        answers = [response(peer.address, password=f"password {index}")] if index % 2 else []
        assert peer.arrived() == answers


async def test_what_came_is_counted(studio: Studio) -> None:
    peer = settled(studio)
    peer.send(request())
    peer.send(STUN)
    await studio.settle_answers(1)
    await studio.passed_up(1)
    counters = studio.plane.counters()
    assert counters.datagrams_received == 2
    assert counters.checks_answered == 1
    assert counters.control_unsent == {}
    assert studio.drops == {}


async def test_an_answer_that_finds_no_room(studio: Studio) -> None:
    peer = settled(studio)
    with full_send_buffer(peer.path.local):
        studio.plane.inject(peer.path, request(), 1.0)
        counters = studio.plane.counters()
    assert counters.checks_answered == 1
    assert counters.control_unsent == {DropReason.SEND_BUFFER_FULL: 1}
    assert counters.send_errors == {"EAGAIN": 1}


async def test_an_answer_that_the_system_refuses(studio: Studio) -> None:
    nowhere = studio.peer().path._replace(remote=Address("127.0.0.1", 0))
    studio.plane.settle(nowhere, Responder(nowhere.remote, PASSWORD, BODY))
    studio.plane.inject(nowhere, request(), 1.0)
    counters = studio.plane.counters()
    assert counters.checks_answered == 1
    assert counters.control_unsent == {DropReason.SEND_FAILED: 1}
    assert counters.send_errors == {"EINVAL": 1}


async def test_closed(implementation: Implementation) -> None:
    """Who leaves after the plane did nothing wrong."""
    async with open_studio(implementation) as studio:
        peer = settled(studio)
        studio.plane.close()
        studio.plane.unsettle(peer.path)
        studio.plane.settle(peer.path, Responder(peer.address, PASSWORD, BODY))
