"""The edge between Python and the native plane: what it refuses, what it keeps alive, what it lets go."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import math
import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from relay.address import Address, Path, pack_sockaddr
from relay.errors import AddressError
from relay.latency import BUCKETS_PER_OCTAVE, SMALLEST
from relay.native import AVAILABLE, NativePlane
from relay.responder import Responder
from relay.srtp import function_address
from relay.stats import DropReason

from .media import IPV4, IPV6, STUN, Studio, frame, open_studio
from .test_native_threads import TwoThreads
from .waiting import until

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="the native plane was not built")

_native: Any = importlib.import_module("relay._native") if AVAILABLE else None

PORTS_OF_A_THREAD = 64
NAME = pack_sockaddr(Address(IPV4, 9))
LONG_NAME = pack_sockaddr(Address(IPV6, 9))


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with open_studio(TwoThreads) as opened:
        yield opened


@pytest.mark.parametrize(("seconds", "taken"), [(60.0, [200]), (0.0, [64, 128, 192, 200])])
async def test_a_flood_of_control_leaves_the_event_loop_its_turn(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, seconds: float, taken: list[int]
) -> None:
    monkeypatch.setattr("relay.native.MAX_CONTROL_SECONDS", seconds)
    monkeypatch.setattr("relay.native.MAX_CONTROL_SHARE", 0.0)
    peer = studio.peer()
    for index in range(200):
        studio.plane.inject(peer.path, STUN + bytes([index]), 1.0)
    turns = [0]
    while turns[-1] < 200:
        await asyncio.sleep(0)
        if len(studio.control) > turns[-1]:
            turns.append(len(studio.control))
    assert turns[1:] == taken
    assert [datagram[-1] for _, datagram in studio.control] == list(range(200))


@pytest.mark.parametrize(("busy", "taken"), [(0.0, 64), (0.02, 256), (10.0, 512)])
async def test_control_gets_as_much_of_a_busy_event_loop_as_everything_else(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, busy: float, taken: int
) -> None:
    clock, began = [1000.0], asyncio.Event()

    def work(path: Path, datagram: bytes) -> None:
        clock[0] += 0.0001
        began.set()

    monkeypatch.setattr("relay.native.time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(studio.plane, "_control_ended", clock[0] - busy)
    studio.on_control = work
    peer = studio.peer()
    for _ in range(1000):
        studio.plane.inject(peer.path, STUN, 1.0)
    await began.wait()
    assert len(studio.control) == taken


async def test_strangers_leave_room_in_the_queue_for_who_is_connected(studio: Studio) -> None:
    stranger, speaker = studio.peer(), studio.speaker()
    for _ in range(2000):
        studio.plane.inject(stranger.path, STUN, 1.0)
    for _ in range(32):
        studio.plane.inject(speaker.path, STUN, 1.0)
    await until(lambda: studio.plane.counters().datagrams_received == len(studio.control) + 1232)
    came = Counter(path for path, _ in studio.control)
    assert came == {stranger.path: 768, speaker.path: 32}
    assert studio.plane.counters().drops == {DropReason.CONTROL_QUEUE_FULL: 1232}


async def test_who_is_connected_leaves_room_for_the_others_who_are(studio: Studio) -> None:
    """A participant who floods keeps nobody's answers from us, nor for long its own."""
    floods, speaker = studio.speaker(), studio.speaker()
    for _ in range(2000):
        studio.plane.inject(floods.path, STUN, 1.0)
    for _ in range(10):
        studio.plane.inject(floods.path, STUN, 1.05)
        studio.plane.inject(speaker.path, STUN, 1.05)
    await until(lambda: studio.plane.counters().datagrams_received == len(studio.control) + 1205)
    came = Counter(path for path, _ in studio.control)
    assert came == {floods.path: 768 + 32 + 5, speaker.path: 10}


@pytest.mark.parametrize("doubtful", [False, True])
async def test_they_leave_it_to_listeners_whose_checks_are_known_too(
    studio: Studio, doubtful: bool
) -> None:
    """Also to those whose consent is in doubt, who need it most."""
    stranger, listener, gone = studio.peer(), studio.peer(), studio.peer()
    for peer in (listener, gone):
        studio.plane.settle(peer.path, Responder(peer.address, "password", b""))
    if doubtful:
        studio.plane.unsettle(listener.path, known=True)
        studio.plane.unsettle(gone.path, known=True)
    studio.plane.unsettle(gone.path)
    for peer in (stranger, gone, listener):
        for _ in range(2000):
            studio.plane.inject(peer.path, STUN, 1.0)
    await until(lambda: studio.plane.counters().datagrams_received == len(studio.control) + 5200)
    came = Counter(path for path, _ in studio.control)
    assert came == {stranger.path: 768, listener.path: 32}


def new_plane(threads: int = 1) -> Any:
    names = ("srtp_protect", "srtp_unprotect", "srtp_remove_stream")
    return _native.Plane(*map(function_address, names), threads)


@pytest.fixture
def plane() -> Iterator[Any]:
    """A plane of one thread and one port, 0, which nobody started."""
    made = new_plane()
    read, write = os.pipe()
    assert made.open(0, read, len(NAME)) == 0
    yield made
    made.stop()
    os.close(read)
    os.close(write)


async def test_latency_is_the_worst_of_all_threads(studio: Studio) -> None:
    for host in (IPV4, IPV6):
        speaker = studio.speaker(host)
        studio.listener(speaker, host)
        for index in range(20):
            speaker.say(frame(index))
            await studio.settle()
    counters = studio.plane._plane.counters()  # type: ignore[attr-defined]
    buckets, _, (maximum,) = (memoryview(part).cast("Q") for part in counters[4:7])
    last = max(bucket for bucket, count in enumerate(buckets) if count)
    ratio = maximum * 1e-9 / SMALLEST
    assert last == (int(math.log2(ratio) * BUCKETS_PER_OCTAVE) if ratio > 1 else 0)


async def test_latency_is_seen_on_the_listeners_thread(studio: Studio) -> None:
    speaker = studio.speaker(IPV4)
    listener = studio.listener(speaker, IPV6)
    speaker.say(frame(0))
    await listener.hears(1)
    await studio.settle()
    latency = studio.plane.counters().forward_latency
    assert latency.count == 1
    assert latency.maximum > 0.0


async def test_a_thread_has_room_for_so_many_sockets() -> None:
    plane = NativePlane(lambda path, datagram, arrival: None)
    try:
        for _ in range(PORTS_OF_A_THREAD):
            plane.open(Address(IPV4, 0))
        with pytest.raises(AddressError, match="Too many open files"):
            plane.open(Address(IPV4, 0))
    finally:
        plane.close()


async def test_a_source_stays_on_its_thread(studio: Studio) -> None:
    speaker = studio.speaker(IPV4)
    with pytest.raises(ValueError, match="stays on its thread"):
        studio.plane.bind(studio.peer(IPV6).path, speaker.source)


async def test_planes_do_not_share_sources(studio: Studio) -> None:
    async with open_studio(TwoThreads) as other:
        speaker, listener = other.speaker(), studio.listener()
        with pytest.raises(ValueError, match="stays on its thread"):
            studio.plane.bind(studio.peer().path, speaker.source)
        with pytest.raises(ValueError, match="another plane"):
            studio.attach(listener, speaker)


@pytest.mark.parametrize("threads", [0, 17])
def test_a_plane_has_1_to_16_threads(threads: int) -> None:
    with pytest.raises(ValueError, match="1 to 16"):
        new_plane(threads)


def test_a_descriptor_that_cannot_be_waited_for(plane: Any) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        plane.open(0, -1, len(NAME))


def test_what_does_not_exist(plane: Any) -> None:
    source = _native.Source(plane, 0, 0, None, 0.0)
    sink = _native.Sink(plane, 0, NAME, 0, None, 1, 0, 0)
    for call, *arguments in (
        (plane.upcall, 1),
        (plane.control, 1, 1),
        (plane.open, 1, 0, len(NAME)),
        (plane.open, 0, 0, 3),
        (plane.bind, 1, NAME, source),
        (plane.bind, 0, LONG_NAME, source),
        (plane.unbind, 0, LONG_NAME),
        (plane.inject, 1, NAME, b"", 0.0),
        (sink.direct, 1, NAME),
        (_native.Source, plane, 1, 0, None, 0.0),
        (_native.Sink, plane, 1, NAME, 0, None, 1, 0, 0),
    ):
        with pytest.raises(ValueError, match=r"no such|a name is"):
            call(*arguments)
    with pytest.raises(TypeError):
        plane.bind(0, NAME, sink)
    with pytest.raises(TypeError):
        sink.attach(plane, 0.0)


def test_a_check_that_is_too_long_to_be_one(plane: Any) -> None:
    longest = 576 - 20 - 24 - 8  # without the header, MESSAGE-INTEGRITY and FINGERPRINT
    plane.settle(0, NAME, b"password", bytes(longest), True)
    with pytest.raises(ValueError, match="at most 524 bytes"):
        plane.settle(0, NAME, b"password", bytes(longest + 1), True)


def test_muting_by_what_is_neither_true_nor_false(plane: Any) -> None:
    class Undecided:
        def __bool__(self) -> bool:
            raise LookupError

    with pytest.raises(LookupError):
        _native.Source(plane, 0, 0, None, 0.0).mute(Undecided())


def references(*things: object) -> list[int]:
    return [sys.getrefcount(thing) for thing in things]


def test_what_is_in_use_stays_and_then_goes(plane: Any) -> None:
    """Every reference that was taken is given back."""
    keys, other_keys = object(), object()
    all_before = references(plane, keys, other_keys)
    (before,) = references(keys)
    source = _native.Source(plane, 0, 0, keys, 0.0)
    sink = _native.Sink(plane, 0, NAME, 0, other_keys, 1, 0, 0)
    plane.bind(0, NAME, source)
    for _ in range(3):
        sink.attach(source, 0.0)
    for counted in (plane, source, sink):
        counted.counters()
    del source, counted  # the sink still follows it
    assert references(keys) == [before + 1]
    sink.detach()
    assert references(keys) == [before]
    del sink
    assert references(plane, keys, other_keys) == all_before


def test_a_refusal_keeps_nothing(plane: Any) -> None:
    keys = object()
    before = references(plane, keys)
    with pytest.raises(ValueError, match="no such"):
        _native.Source(plane, 1, 0, keys, 0.0)
    with pytest.raises(ValueError, match="no such"):
        _native.Sink(plane, 0, LONG_NAME, 0, keys, 1, 0, 0)
    assert references(plane, keys) == before


def test_without_standard_input_it_closes_all_that_it_opened() -> None:
    """Descriptor 0 is one like any other."""
    code = """if True:
        import os
        from tests.relay.test_native import new_plane
        os.close(0)
        plane = new_plane()
        assert os.readlink("/proc/self/fd/0").startswith("anon_inode")
        del plane
        assert os.open(os.devnull, os.O_RDONLY) == 0
    """
    subprocess.run([sys.executable, "-c", code], stdin=subprocess.PIPE, check=True, timeout=60)


def test_a_plane_for_which_there_are_too_few_descriptors_leaves_none_open() -> None:
    """Whichever it is that cannot be had."""
    descriptors = set(os.listdir("/proc/self/fd"))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    first_free = os.open(os.devnull, os.O_RDONLY)
    os.close(first_free)
    for limit in range(first_free, first_free + 6):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limits[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                new_plane(2)  # takes six
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert set(os.listdir("/proc/self/fd")) == descriptors


def test_a_fork_ends_without_the_threads_that_it_does_not_have() -> None:
    """A program's other processes hold objects of the plane, too, once it forks. Not while threads begin:
    AddressSanitizer does not bear that."""
    code = """if True:
        import os, socket, sys
        from tests.relay.test_native import NAME, new_plane
        plane = new_plane(16)
        plane.start()
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(16)]
        for thread, udp in enumerate(sockets):
            udp.bind(("127.0.0.1", 0))
            plane.open(thread, udp.fileno(), len(NAME))
            udp.sendto(b"x", udp.getsockname())
        while plane.counters()[0][0] < len(sockets):
            pass
        child = os.fork()
        if not child:
            del plane
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        plane.stop()
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_fork_waits_for_no_thread_that_it_does_not_have() -> None:
    """Forked while a media thread is at work, and holds its lock."""
    code = """if True:
        import os, signal, socket, threading
        from relay import _native
        from tests.relay.test_native import NAME, new_plane
        plane = new_plane(1)
        plane.start()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        port = plane.open(0, udp.fileno(), len(NAME))
        source = _native.Source(plane, 0, 0, None, 0.0)
        plane.bind(port, NAME, source)
        done = False
        def flood():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                while not done:
                    sender.sendto(b"x", udp.getsockname())
        flooding = threading.Thread(target=flood, daemon=True)
        flooding.start()
        for _ in range(100):
            child = os.fork()
            if not child:
                signal.alarm(5)
                plane.unbind(port, NAME)
                del source
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        done = True
        flooding.join()
        plane.stop()
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_threads_for_which_there_is_no_memory() -> None:
    """None is left behind, and those who try again get all of them."""
    code = """if True:
        import asyncio, os, resource
        from relay.address import Address
        from relay.errors import AddressError
        from relay.native import NativePlane

        def threads():
            return len(os.listdir("/proc/self/task"))

        async def main():
            plane = NativePlane(lambda path, datagram, arrival: None, 16)
            before = resource.getrlimit(resource.RLIMIT_AS)
            size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (size + (64 << 20), before[1]))
            try:
                plane.open(Address("127.0.0.1", 0))
            except AddressError as error:
                assert error.reason == "Resource temporarily unavailable", error
            assert threads() == 1, threads()
            resource.setrlimit(resource.RLIMIT_AS, before)
            plane.open(Address("127.0.0.1", 0))
            assert threads() == 17, threads()
            plane.close()

        asyncio.run(main())
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_python_objects_for_which_there_is_no_memory(plane: Any) -> None:
    """Whichever it is that cannot be made, MemoryError is what is raised."""
    testing = pytest.importorskip("_testcapi")
    number = 1 << 40
    source = _native.Source(plane, 0, 0, None, 0.0, True, number)
    sink = _native.Sink(plane, 0, NAME, 0, None, 1, 0, 0, False, True)
    for _ in range(1000):  # numbers that CPython does not have ready
        plane.inject(0, NAME, STUN, 1.0)
    calls: list[Callable[[], object]] = [
        lambda: new_plane(1),
        lambda: _native.Source(plane, 0, 0, None, 0.0, True, number),
        lambda: _native.Sink(plane, 0, NAME, 0, None, 1, 0, 0),
        lambda: _native.Stage(plane, 0, 1),
        lambda: plane.settle(0, NAME, b"password", b"body", True),
        lambda: plane.control(0, 8),
        lambda: plane.gaps(0),
        plane.counters,
        source.counters,
        source.levels,
        source.missing,
        sink.counters,
        lambda: sink.retransmit([1, 1000]),
    ]
    for call in calls:
        failed = 0
        for nth in itertools.count():
            testing.set_nomemory(nth, nth + 1)
            try:
                call()
            except MemoryError:
                failed += 1
            finally:
                testing.remove_mem_hooks()
            if nth > 2 * failed + 20:
                break


def policies() -> dict[int, int]:
    """How this process's threads are scheduled."""
    return {
        int(thread): os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")
    }


@pytest.mark.parametrize("realtime", [True, False])
async def test_threads_have_the_priority_that_they_say(realtime: bool) -> None:
    before = policies()
    plane = NativePlane(lambda path, datagram, arrival: None, 2, realtime=realtime)
    plane.open(Address("127.0.0.1", 0), 0)
    try:
        started = [policy for thread, policy in policies().items() if thread not in before]
        assert len(started) == 2
        assert set(started) == {os.SCHED_RR if plane.realtime else os.SCHED_OTHER}
        assert realtime or not plane.realtime
    finally:
        plane.close()


@pytest.mark.parametrize(("cores", "asks"), [(1, False), (2, True)])
async def test_threads_ask_for_priority_only_where_a_core_is_left(
    monkeypatch: pytest.MonkeyPatch, cores: int, asks: bool
) -> None:
    """Else the event loop would find none beside threads that are kept busy."""
    asked = []

    class Eager:
        def __init__(self, plane: Any) -> None:
            self._plane = plane

        def __getattr__(self, name: str) -> Any:
            return getattr(self._plane, name)

        def hurry(self) -> bool:
            asked.append(True)
            return True

    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    plane = NativePlane(lambda path, datagram, arrival: None, 1, realtime=True)
    plane._plane = Eager(plane._plane)
    plane.open(Address("127.0.0.1", 0))
    try:
        assert plane.realtime is asks
        assert bool(asked) is asks
    finally:
        plane.close()
