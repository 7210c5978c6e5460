"""The media plane in plain Python, on the event loop.

    recvmmsg -> two bytes tell the protocol (demux.py has the table) -> RTP of a known address: forward.py
                                                                       the rest: answered, or handed up

Everything that is not RTP (STUN, DTLS, RTCP, noise) goes up to `control`, but for the usual checks of
connected peers. Nothing that a network can send raises here.

`plane.py` is what the rest of the relay sees of it; `native.py` is its twin.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic

from .address import Address, Path, pack_sockaddr, unpack_sockaddr
from .faults import error_name
from .forward import Forwarder
from .latency import LatencyHistogram
from .loudest import Stage
from .plane import Control, PlaneCounters
from .plane import Sink as AnySink
from .plane import Source as AnySource
from .responder import Responder
from .sink import Sink
from .source import Source
from .srtp import SrtpKeys
from .stats import DropReason
from .udp import (
    FAILURES_BEFORE_PAUSE,
    MAX_DATAGRAM,
    RECEIVE_BATCH,
    SLOT_SIZE,
    MissedDatagrams,
    ReceiveBatch,
    native_sockaddr,
    open_socket,
    pause_after,
    unsent_reason,
)

MAX_ROUNDS = 4
"""Batches that one wake-up may take, so that a flood leaves the event loop its turn."""

MAX_SHARE = 0.05
"""Seconds for which it may take more when everything else took as long since the last time: a loop that
thousands of clients keep busy with their messages would let the socket's buffer overflow."""


class Port:
    """One socket, the sources and the settled peers behind it, and the memory of what it receives."""

    def __init__(self, udp: socket.socket) -> None:
        self.socket = udp
        self.descriptor = udp.fileno()
        self.local = Address(*udp.getsockname()[:2])
        self.sources: dict[bytes, Source] = {}
        self.responders: dict[bytes, Responder] = {}
        self.incoming = ReceiveBatch(udp.family)
        self.failures = 0  # to receive, one after the other


class PythonPlane:
    """The media plane in plain Python, on the event loop (`plane.MediaPlane`)."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._forwarder = Forwarder()
        self._ports: dict[Address, Port] = {}
        self._drops: Counter[DropReason] = Counter()
        self._served_at = 0.0
        self._control_unsent: Counter[DropReason] = Counter()
        self._latency = LatencyHistogram()
        self._datagrams_received = 0
        self._rtp_packets_received = 0
        self._rtp_packets_accepted = 0
        self._send_errors: Counter[str] = Counter()
        self._receive_errors: Counter[str] = Counter()
        self._missed = MissedDatagrams()
        self._checks_answered = 0

    def open(self, address: Address, thread: int = 0) -> Address:
        """Open a socket (port 0: any); the address it got. Raises AddressError. There is one thread."""
        port = Port(open_socket(address))
        self._ports[port.local] = port
        self._missed.add(port.socket)
        asyncio.get_running_loop().add_reader(port.descriptor, self._readable, port)
        return port.local

    def close(self) -> None:
        """Close every socket."""
        self._missed.close()
        for port in self._ports.values():
            asyncio.get_running_loop().remove_reader(port.descriptor)
            port.socket.close()
        self._ports.clear()

    def send(self, path: Path, datagram: bytes) -> None:
        """Send one datagram that is not media."""
        port = self._ports.get(path.local)
        if port is None:
            return
        try:
            port.socket.sendto(datagram, tuple(path.remote))
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
    ) -> Source:
        """A new source; it gets packets once a path is bound to it."""
        return Source(keys, now, red=red, on_gap=on_gap)

    def stage(self, seats: int, thread: int = 0) -> Stage:
        """Seats for sources. There is one thread."""
        return Stage(seats)

    def bind(self, path: Path, source: AnySource) -> None:
        """Take RTP that comes by `path` as the source's."""
        assert isinstance(source, Source)
        self._ports[path.local].sources[pack_sockaddr(path.remote)] = source

    def unbind(self, path: Path) -> None:
        """Undo `bind`, if it was done."""
        port = self._ports.get(path.local)
        if port is not None:
            port.sources.pop(pack_sockaddr(path.remote), None)

    def settle(self, path: Path, responder: Responder, *, reports_wait: bool = False) -> None:
        """Answer the checks that come by `path` and that `responder` knows. Here nothing ever waits."""
        port = self._ports.get(path.local)
        if port is not None:
            name = pack_sockaddr(path.remote)
            if name in port.responders:
                responder.budget = port.responders[name].budget
            port.responders[name] = responder

    def unsettle(self, path: Path, *, known: bool = False) -> None:
        """Undo `settle`, if it was done. Here is no queue that places are kept in."""
        port = self._ports.get(path.local)
        if port is not None:
            port.responders.pop(pack_sockaddr(path.remote), None)

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
    ) -> Sink:
        """A new sink, which sends by `path`; its first packet follows `sequence` and `timestamp`."""
        udp, name = self._ports[path.local].socket, native_sockaddr(path.remote)
        return Sink(keys, ssrc, udp, name, sequence, timestamp, red=red, nack=nack)

    def direct(self, sink: AnySink, path: Path) -> None:
        """Send what the sink gets by `path` from now on."""
        assert isinstance(sink, Sink)
        sink.direct(self._ports[path.local].socket, native_sockaddr(path.remote))

    def attach(self, sink: AnySink, source: AnySource, now: float) -> None:
        """Let the sink follow `source` from its next packet on."""
        assert isinstance(sink, Sink)
        assert isinstance(source, Source)
        sink.attach(source, now)

    def retransmit(self, sink: AnySink, sequences: Sequence[int]) -> int:
        """Send packets once more; how many of them there were."""
        assert isinstance(sink, Sink)
        return self._forwarder.retransmit(sink, sequences)

    def inject(self, path: Path, datagram: bytes, arrival: float) -> None:
        """Take a datagram as if it had come by `path` at `arrival`."""
        port = self._ports[path.local]
        batch, length = port.incoming, min(len(datagram), MAX_DATAGRAM)
        batch.bytes[:length] = datagram[:length]
        self._datagrams_received += 1
        size = -1 if len(datagram) > MAX_DATAGRAM else length
        self._take(port, 0, size, pack_sockaddr(path.remote), arrival)

    def poll(self) -> None:
        """Nothing waits: the event loop is awake when something comes."""

    def counters(self) -> PlaneCounters:
        """What happened so far."""
        return PlaneCounters(
            datagrams_received=self._datagrams_received,
            rtp_packets_received=self._rtp_packets_received,
            rtp_packets_accepted=self._rtp_packets_accepted,
            packets_forwarded=self._forwarder.forwarded,
            forward_latency=self._latency.summary(),
            drops=dict(self._drops + self._forwarder.drops),
            control_unsent=dict(self._control_unsent),
            packets_retransmitted=self._forwarder.retransmitted,
            packets_recovered=self._forwarder.recovered,
            send_errors=dict(self._send_errors + self._forwarder.send_errors),
            receive_errors=dict(self._receive_errors),
            datagrams_missed=self._missed.count(),
            checks_answered=self._checks_answered,
        )

    def _readable(self, port: Port) -> None:
        began, rounds = monotonic(), 0
        end = began + min(began - self._served_at, MAX_SHARE)
        while self._take_batch(port):
            rounds += 1
            if rounds >= MAX_ROUNDS and monotonic() >= end:
                break
        self._served_at = monotonic()

    def _take_batch(self, port: Port) -> bool:
        """Take what the socket has, as far as it fits; whether there may be more."""
        batch = port.incoming
        count = batch.receive(port.descriptor)
        if count < 0:
            self._receive_failed(port, -count)
            return False
        port.failures = 0
        if not count:
            return False
        arrival = monotonic() - batch.age()
        forwarded = self._forwarder.forwarded
        for index in range(count):
            self._take(port, index, batch.length(index), batch.sender(index), arrival)
        self._datagrams_received += count
        if self._forwarder.forwarded != forwarded:
            self._latency.add(monotonic() - arrival)
        return count == RECEIVE_BATCH

    def _receive_failed(self, port: Port, number: int) -> None:
        """Count it; after a few in a row the port is left alone for a while, lest we do nothing else."""
        self._receive_errors[error_name(number)] += 1
        port.failures += 1
        if port.failures >= FAILURES_BEFORE_PAUSE:
            loop = asyncio.get_running_loop()
            loop.remove_reader(port.descriptor)
            loop.call_later(pause_after(port.failures), self._take_up, port)

    def _take_up(self, port: Port) -> None:
        if self._ports.get(port.local) is not port:
            return  # it was closed
        try:
            asyncio.get_running_loop().add_reader(port.descriptor, self._readable, port)
        except OSError as error:
            self._receive_failed(port, error.errno or 0)

    def _take(self, port: Port, index: int, length: int, sender: bytes, arrival: float) -> None:
        """Send a datagram the way its first two bytes tell (`demux.py` has the table).

        It lies in the port's incoming batch at `index`. length: -1 for one that was too long.
        """
        batch = port.incoming
        start = index * SLOT_SIZE
        if length < 2:
            oversized = DropReason.OVERSIZED if length < 0 else DropReason.UNKNOWN_PROTOCOL
            self._drops[oversized] += 1
            return
        data = batch.bytes
        if data[start] & 0xC0 != 0x80 or data[start + 1] & 0xE0 == 0xC0:
            self._take_control(port, bytes(data[start : start + length]), sender, arrival)
            return
        self._rtp_packets_received += 1
        source = port.sources.get(sender)
        if source is None:
            self._drops[DropReason.RTP_UNKNOWN_ADDRESS] += 1
            return
        dropped = self._forwarder.forward(source, batch, index, length, arrival)
        if dropped is None:
            self._rtp_packets_accepted += 1
        else:
            self._drops[dropped] += 1

    def _take_control(self, port: Port, datagram: bytes, sender: bytes, arrival: float) -> None:
        """Answer what is not RTP, or hand it up."""
        path, responder = Path(port.local, unpack_sockaddr(sender)), port.responders.get(sender)
        answer = responder.answer(datagram) if responder is not None else None
        if responder is None or answer is None or not responder.budget.take(arrival):
            self._control(path, datagram, arrival)
            return
        self._checks_answered += 1
        self.send(path, answer)
