"""The native twin of the media plane: what `python_plane.py` does, on threads without the GIL.

The C code (`native/`) serves the sockets once they are open. It forwards RTP from tables that are edited
here, and hands everything else up through a ring and an eventfd that the event loop reads. Nothing
here is on the way of a packet.

The extension is optional; `AVAILABLE` tells whether it was built.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakValueDictionary

from .address import Address, Path, pack_sockaddr, unpack_sockaddr
from .errors import AddressError
from .faults import error_name
from .latency import LatencyHistogram
from .plane import Control, PlaneCounters, SinkCounters, SourceCounters
from .plane import Sink as AnySink
from .plane import Source as AnySource
from .plane import Stage as AnyStage
from .responder import Responder
from .srtp import SrtpContext, SrtpKeys, function_address
from .stats import DropReason
from .udp import MissedDatagrams, open_socket, unsent_reason

try:
    _native: Any = importlib.import_module("relay._native")
except ImportError:  # it was installed without a compiler
    _native = None

INTERFACE = 12
"""Which of the extension's interfaces this module speaks; one that an older version left is of no use."""

AVAILABLE: bool = getattr(_native, "INTERFACE", None) == INTERFACE

MAX_THREADS = 16
"""As many as the C code has room for."""

MAX_CONTROL_BATCH = 64
"""Datagrams that are taken at once."""

MAX_CONTROL_SECONDS = 0.004
"""How long one wake-up of the event loop goes on taking them, so that a flood leaves it its turn. It is no
number of them: a loop with much to do takes its time for a turn, and the ring fills meanwhile."""

MAX_CONTROL_SHARE = 0.05
"""Seconds for which it may go on when everything else took as long since the last time: while thousands of
clients keep the loop busy with their messages, those who are there have handshakes to finish."""

MAX_PATHS = 8192
"""Paths of one socket that are kept ready. More came only if strangers sent from as many addresses; then
all are forgotten, and made again."""


class NativeSource:
    """What one publisher sends (`plane.Source`)."""

    def __init__(
        self,
        plane: Any,
        thread: int,
        keys: SrtpKeys,
        now: float,
        *,
        red: bool = False,
        number: int = 0,
    ) -> None:
        context = SrtpContext.inbound(keys)
        self.native = _native.Source(plane, thread, context.address, context, now, red, number)
        self.on_gap: Callable[[], None] | None = None
        self._muted = False

    @property
    def muted(self) -> bool:
        """While true its packets are received, counted and dropped."""
        return self._muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._muted = muted
        self.native.mute(muted)

    def enter(self, stage: AnyStage) -> None:
        """Be forwarded only while it has a seat there."""
        assert isinstance(stage, NativeStage)
        self.native.enter(stage.native)

    def leave(self) -> None:
        """Give the seat back, if there is one."""
        self.native.leave()

    def levels(self) -> tuple[int, int]:
        """Energy, and of how many packets."""
        levels: tuple[int, int] = self.native.levels()
        return levels

    def counters(self) -> SourceCounters:
        """What came so far."""
        return SourceCounters(*self.native.counters())

    def missing(self) -> tuple[int | None, list[int]]:
        """The current SSRC, and its latest sequence numbers of which no packet came."""
        ssrc, sequences = self.native.missing()
        return ssrc, memoryview(sequences).cast("H").tolist()


class NativeStage:
    """Seats for those sources that are forwarded (`plane.Stage`)."""

    def __init__(self, native: Any) -> None:
        self.native = native


class NativeSink:
    """What one consumer gets (`plane.Sink`)."""

    def __init__(self, native: Any) -> None:
        self.native = native

    def detach(self) -> None:
        """Follow no source any more."""
        self.native.detach()

    def counters(self) -> SinkCounters:
        """What went so far."""
        return SinkCounters(*self.native.counters())


class NativePlane:
    """The media plane on native threads (`plane.MediaPlane`). threads: how many. realtime: whether to ask
    for real-time priority; once started, whether they have it."""

    def __init__(self, control: Control, threads: int = 1, *, realtime: bool = False) -> None:
        self.realtime = realtime
        self._control = control
        self._threads = threads
        self._plane = self._new_plane()
        self._ports: dict[Address, tuple[int, int, socket.socket]] = {}
        self._locals: list[Address] = []
        self._paths: list[dict[bytes, Path]] = []  # by port: from the sender's packed address
        self._control_unsent: Counter[DropReason] = Counter()
        self._send_errors: Counter[str] = Counter()  # of what is not media
        self._missed = MissedDatagrams()
        self._control_ended = 0.0
        self._running = False
        self._gap_numbers = itertools.count(1)
        self._with_gaps: WeakValueDictionary[int, NativeSource] = WeakValueDictionary()

    def open(self, address: Address, thread: int = 0) -> Address:
        """Open a socket (port 0: any) for one of the threads; the address it got. Raises AddressError."""
        if not self._running:
            try:
                self._start()
            except OSError as error:
                raise AddressError(*address, os.strerror(error.errno or 0)) from error
        udp = open_socket(address)
        local = Address(*udp.getsockname()[:2])
        try:
            port = self._plane.open(thread, udp.fileno(), len(pack_sockaddr(local)))
        except OSError as error:
            udp.close()
            raise AddressError(*local, os.strerror(error.errno or 0)) from error
        self._ports[local] = (port, thread, udp)
        self._missed.add(udp)
        self._locals.append(local)
        self._paths.append({})
        return local

    def _new_plane(self) -> Any:
        functions = ("srtp_protect", "srtp_unprotect", "srtp_remove_stream")
        return _native.Plane(*map(function_address, functions), self._threads)

    def _start(self) -> None:
        if self._plane.upcall(0) < 0:  # it was stopped, and is for good
            self._plane = self._new_plane()
            self._locals.clear()
            self._paths.clear()
        self._plane.start()
        # Not where the event loop would find no core beside threads that are kept busy.
        spare = len(os.sched_getaffinity(0)) > self._threads
        self.realtime = self.realtime and spare and self._plane.hurry()
        self._running = True
        loop = asyncio.get_running_loop()
        for thread in range(self._threads):
            loop.add_reader(self._plane.upcall(thread), self._readable, thread)

    def close(self) -> None:
        """Stop the threads and close every socket."""
        if not self._running:
            return
        self._running = False
        for thread in range(self._threads):
            asyncio.get_running_loop().remove_reader(self._plane.upcall(thread))
        self._plane.stop()
        self._missed.close()
        for _, _, udp in self._ports.values():
            udp.close()
        self._ports.clear()

    def send(self, path: Path, datagram: bytes) -> None:
        """Send one datagram that is not media."""
        port = self._ports.get(path.local)
        if port is None:
            return
        try:
            port[2].sendto(datagram, path.remote)
        except OSError as error:
            self._control_unsent[unsent_reason(error)] += 1
            self._send_errors[error_name(error.errno or 0)] += 1

    def source(
        self,
        keys: SrtpKeys,
        path: Path,
        now: float,
        *,
        red: bool = False,
        on_gap: Callable[[], None] | None = None,
    ) -> NativeSource:
        """A new source, on the thread of the path's socket."""
        number = next(self._gap_numbers) if on_gap is not None else 0
        thread = self._ports[path.local][1]
        source = NativeSource(self._plane, thread, keys, now, red=red, number=number)
        source.on_gap = on_gap
        self._with_gaps[number] = source
        return source

    def stage(self, seats: int, thread: int = 0) -> NativeStage:
        """Seats for sources of a thread."""
        return NativeStage(_native.Stage(self._plane, thread, seats))

    def bind(self, path: Path, source: AnySource) -> None:
        """Take RTP that comes by `path` as the source's."""
        assert isinstance(source, NativeSource)
        self._plane.bind(self._ports[path.local][0], pack_sockaddr(path.remote), source.native)

    def unbind(self, path: Path) -> None:
        """Undo `bind`, if it was done."""
        if path.local in self._ports:
            self._plane.unbind(self._ports[path.local][0], pack_sockaddr(path.remote))

    def settle(self, path: Path, responder: Responder, *, reports_wait: bool = False) -> None:
        """Let the path's thread answer the checks that `responder` knows."""
        port = self._ports.get(path.local)
        if port is not None:
            name = pack_sockaddr(path.remote)
            self._plane.settle(port[0], name, responder.password, responder.body, reports_wait)

    def unsettle(self, path: Path, *, known: bool = False) -> None:
        """Undo `settle`, if it was done."""
        port = self._ports.get(path.local)
        if port is not None:
            self._plane.unsettle(port[0], pack_sockaddr(path.remote), known)

    def sink(
        self,
        keys: SrtpKeys,
        ssrc: int,
        path: Path,
        sequence: int,
        timestamp: int,
        *,
        red: bool = False,
        nack: bool = False,
    ) -> NativeSink:
        """A new sink, which sends by `path`; its first packet follows `sequence` and `timestamp`."""
        context = SrtpContext.outbound(keys, ssrc, repeats=nack, call=_native.call_apart)
        port, name = self._ports[path.local][0], pack_sockaddr(path.remote)
        numbers = ssrc, sequence, timestamp
        return NativeSink(
            _native.Sink(self._plane, port, name, context.address, context, *numbers, red, nack)
        )

    def direct(self, sink: AnySink, path: Path) -> None:
        """Send what the sink gets by `path` from now on."""
        assert isinstance(sink, NativeSink)
        sink.native.direct(self._ports[path.local][0], pack_sockaddr(path.remote))

    def attach(self, sink: AnySink, source: AnySource, now: float) -> None:
        """Let the sink follow `source` from its next packet on."""
        assert isinstance(sink, NativeSink)
        assert isinstance(source, NativeSource)
        sink.native.attach(source.native, now)

    def retransmit(self, sink: AnySink, sequences: Sequence[int]) -> int:
        """Send packets once more; how many of them there were."""
        assert isinstance(sink, NativeSink)
        return int(sink.native.retransmit(sequences))

    def inject(self, path: Path, datagram: bytes, arrival: float) -> None:
        """Take a datagram as if it had come by `path` at `arrival`."""
        port, name = self._ports[path.local][0], pack_sockaddr(path.remote)
        self._plane.inject(port, name, datagram, arrival)

    def counters(self) -> PlaneCounters:
        """What happened so far, on all threads."""
        counters = (memoryview(part).cast("Q") for part in self._plane.counters())
        (datagrams,), (rtp,), (forwarded,), drops, latency, *more = counters
        (total,), (maximum,), (retransmitted,), (recovered,), (accepted,), *more = more
        send_errors, receive_errors, (answered,), (blocked,), (refused,) = more
        unsent = Counter({DropReason.SEND_BUFFER_FULL: blocked, DropReason.SEND_FAILED: refused})
        named = {
            DropReason[name]: count
            for name, count in zip(_native.DROP_REASONS.split(), drops, strict=True)
            if count
        }
        return PlaneCounters(
            datagrams_received=datagrams,
            rtp_packets_received=rtp,
            rtp_packets_accepted=accepted,
            packets_forwarded=forwarded,
            forward_latency=LatencyHistogram.of(latency, total * 1e-9, maximum * 1e-9).summary(),
            drops=named,
            control_unsent=dict(self._control_unsent + unsent),
            packets_retransmitted=retransmitted,
            packets_recovered=recovered,
            send_errors=dict(_by_name(send_errors) + self._send_errors),
            receive_errors=dict(_by_name(receive_errors)),
            datagrams_missed=self._missed.count(),
            checks_answered=answered,
        )

    def poll(self) -> None:
        """Hand up what waits, on all threads."""
        if self._running:
            end = time.monotonic() + MAX_CONTROL_SECONDS
            for thread in range(self._threads):
                self._take_control(thread, end)

    def _readable(self, thread: int) -> None:
        os.eventfd_read(self._plane.upcall(thread))
        for number in memoryview(self._plane.gaps(thread)).cast("Q"):
            source = self._with_gaps.get(number)
            if source is not None and source.on_gap is not None:
                source.on_gap()
        now = time.monotonic()
        share = min(now - self._control_ended, MAX_CONTROL_SHARE)
        self._take_control(thread, now + max(share, MAX_CONTROL_SECONDS))
        self._control_ended = time.monotonic()

    def _take_control(self, thread: int, end: float) -> None:
        """Take what is not RTP, until nothing is left or the time is over."""
        while batch := self._plane.control(thread, MAX_CONTROL_BATCH):
            for port, name, datagram, arrival in batch:
                path = self._paths[port].get(name) or self._path(port, name)
                self._control(path, datagram, arrival)
            if len(batch) < MAX_CONTROL_BATCH:
                return
            if time.monotonic() > end:
                os.eventfd_write(self._plane.upcall(thread), 1)  # there may be more
                return

    def _path(self, port: int, name: bytes) -> Path:
        """What a datagram travelled, told by the kernel's name of its sender."""
        paths = self._paths[port]
        if len(paths) >= MAX_PATHS:
            paths.clear()
        path = paths[name] = Path(self._locals[port], unpack_sockaddr(name))
        return path


def _by_name(errors: Sequence[int]) -> Counter[str]:
    """Of counts by error number, those that are not zero."""
    return Counter({error_name(number): count for number, count in enumerate(errors) if count})
