"""System calls that fail, on both media planes: what that costs, and how it is counted.

`test_faulty_calls.py` runs this, with the library of `tests/native/faulty_calls.c` before all others.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import time
from pathlib import Path

import pytest

from relay.native import NativePlane
from relay.stats import DropReason
from relay.udp import FAILURES_BEFORE_PAUSE

from .media import IPV4, IPV6, Studio, contiguous, descriptor_of, frame, heard, until

RECEIVE, SEND, WAIT = range(3)
OFTEN = 1_000_000_000
_library = ctypes.CDLL(None)


def let_fail(call: int, descriptor: int, error: int, times: int) -> None:
    _library.faulty_set(call, descriptor, error, times)


def failures_left(call: int) -> int:
    return int(_library.faulty_left(call))


def calls(call: int) -> int:
    """Of the descriptor that was told to fail, since then."""
    return int(_library.faulty_calls(call))


def epoll_of_the_media_thread() -> int:
    own = asyncio.get_running_loop()._selector.fileno()  # type: ignore[attr-defined]
    links = ((int(link.name), link) for link in Path("/proc/self/fd").iterdir())
    (found,) = (
        number
        for number, link in links
        if number != own and os.path.lexists(link) and "eventpoll" in str(link.readlink())
    )
    return found


@pytest.fixture
def descriptor(studio: Studio) -> int:
    return descriptor_of(studio.addresses[IPV4])


@pytest.mark.parametrize("error", [errno.EINTR, errno.ENOMEM, errno.ECONNREFUSED])
async def test_a_moment_in_which_nothing_can_be_received(
    studio: Studio, descriptor: int, error: int
) -> None:
    """Nothing is lost: the datagrams stay in the socket."""
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    let_fail(RECEIVE, descriptor, error, FAILURES_BEFORE_PAUSE - 1)
    speaker.say(*map(frame, range(3)))
    await studio.settle()
    assert heard(listener) == contiguous(0, 1, 2)
    counters = studio.plane.counters()
    assert counters.receive_errors == {errno.errorcode[error]: FAILURES_BEFORE_PAUSE - 1}
    assert (counters.drops, counters.datagrams_missed) == ({}, 0)


@pytest.mark.parametrize("error", [errno.EINTR, errno.ENOMEM, errno.EBADF])
async def test_a_socket_that_fails_for_long_is_asked_seldom(
    studio: Studio, descriptor: int, error: int
) -> None:
    """The other one is served as ever meanwhile, and it is itself once it works again."""
    speaker, other = studio.speaker(IPV4), studio.speaker(IPV6)
    listener, bystander = studio.listener(speaker), studio.listener(other, IPV6)
    began = time.monotonic()
    let_fail(RECEIVE, descriptor, error, OFTEN)
    speaker.say(frame(0))
    await until(lambda: calls(RECEIVE) >= FAILURES_BEFORE_PAUSE + 2)
    other.say(frame(0), frame(1))
    await until(lambda: studio.plane.counters().packets_forwarded == 2)
    assert heard(bystander) == contiguous(0, 1)
    await until(lambda: calls(RECEIVE) >= FAILURES_BEFORE_PAUSE + 5)
    # 10, 20, 40 ms and so on lie between them; without a pause there would be thousands.
    passed = time.monotonic() - began
    assert calls(RECEIVE) <= FAILURES_BEFORE_PAUSE + 1 + passed / 0.01
    assert passed > 0.3
    let_fail(RECEIVE, descriptor, error, 0)
    speaker.say(frame(1))
    await studio.settle()
    assert heard(listener) == contiguous(0, 1)


async def test_a_socket_that_is_gone(studio: Studio, descriptor: int) -> None:
    """Its number stands for something else by now. The other socket is served as ever."""
    speaker = studio.speaker(IPV6)
    listeners = [studio.listener(speaker, host) for host in (IPV4, IPV6)]
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, descriptor)
    os.close(null)
    speaker.say(frame(0), frame(1))
    await studio.settle()
    assert [len(listener.heard()) for listener in listeners] == [0, 2]
    assert studio.plane.counters().send_errors == {"ENOTSOCK": 2}
    assert studio.drops == {DropReason.SEND_FAILED: 2}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errno.ENOBUFS, DropReason.SEND_BUFFER_FULL),
        (errno.EPERM, DropReason.SEND_FAILED),
        (errno.ENETUNREACH, DropReason.SEND_FAILED),
        (errno.ECONNREFUSED, DropReason.SEND_FAILED),
        (errno.ENOMEM, DropReason.SEND_FAILED),
    ],
)
async def test_one_packet_is_lost_for_one_error(
    studio: Studio, descriptor: int, error: int, reason: DropReason
) -> None:
    speaker = studio.speaker()
    listeners = [studio.listener(speaker) for _ in range(3)]
    let_fail(SEND, descriptor, error, 1)
    speaker.say(frame(0))
    await studio.settle()
    speaker.say(frame(1))
    await studio.settle()
    assert studio.drops == {reason: 1}
    counters = studio.plane.counters()
    assert counters.send_errors == {errno.errorcode[error]: 1}
    assert counters.packets_forwarded == 5
    assert sorted(len(listener.heard()) for listener in listeners) == [1, 2, 2]


async def test_a_send_call_that_is_interrupted_is_made_again(
    studio: Studio, descriptor: int
) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    let_fail(SEND, descriptor, errno.EINTR, 2)
    speaker.say(frame(0))
    await studio.settle()
    assert heard(listener) == contiguous(0)
    assert studio.drops == studio.plane.counters().send_errors == {}


async def test_one_that_is_always_interrupted_holds_nobody_up(
    studio: Studio, descriptor: int
) -> None:
    speaker = studio.speaker()
    listeners = [studio.listener(speaker) for _ in range(3)]
    let_fail(SEND, descriptor, errno.EINTR, OFTEN)
    speaker.say(frame(0))
    await studio.settle()
    let_fail(SEND, descriptor, errno.EINTR, 0)
    assert [listener.heard() for listener in listeners] == [[], [], []]
    assert studio.drops == {DropReason.SEND_FAILED: 3}
    assert studio.plane.counters().send_errors == {"EINTR": 3}


@pytest.mark.parametrize("error", [errno.EINTR, errno.ENOMEM, errno.EBADF])
async def test_waiting_that_fails(studio: Studio, error: int) -> None:
    """The native threads look at every socket then, and not without a pause."""
    if not isinstance(studio.plane, NativePlane):
        return  # the event loop's waiting is asyncio's
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    epoll = epoll_of_the_media_thread()
    began = time.monotonic()
    let_fail(WAIT, epoll, error, OFTEN)
    for index in range(3):
        speaker.say(frame(index))
        await studio.settle()
    assert heard(listener) == contiguous(0, 1, 2)
    await until(lambda: calls(WAIT) >= FAILURES_BEFORE_PAUSE + 20)
    passed = time.monotonic() - began
    assert calls(WAIT) <= FAILURES_BEFORE_PAUSE + 1 + passed / 0.01
    let_fail(WAIT, epoll, error, 0)
    named = studio.plane.counters().receive_errors
    assert set(named) == (set() if error == errno.EINTR else {errno.errorcode[error]})
    speaker.say(frame(3))
    await studio.settle()
    assert len(listener.heard()) == 1
