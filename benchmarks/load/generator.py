"""The steady state: voices that speak and listeners that count, in C, without the GIL.

What is neither RTP nor RTCP comes back to Python, to the peer that it is for.
"""

from __future__ import annotations

import asyncio
import math
import socket
from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.tools import NANOSECONDS, PROTECT, UNPROTECT, Tool
from relay.address import pack_sockaddr
from relay.srtp import SrtpContext

from .peer import Peer

PACKET_INTERVAL = 0.02
"""Seconds between the packets of a voice."""

MAX_LATENCIES = 1 << 21
"""Samples that are kept; the rest of a longer window is not sampled."""

_MAX_DATAGRAM = 2048
_CONTROL_BUFFER = 4 << 20
_DATAGRAMS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Heard:
    """What listeners got in a window.

    sent: packets that voices sent; received: that listeners got, all together; samples opened, and
    refused because they were not what had been sent; latencies: seconds, sorted, of each packet.
    """

    sent: int
    received: int
    opened: int
    refused: int
    latencies: list[float]

    def latency(self, fraction: float) -> float:
        """The quantile of the latencies, in seconds; not a number when there are none."""
        if not self.latencies:
            return math.nan
        return self.latencies[min(int(fraction * len(self.latencies)), len(self.latencies) - 1)]


class Generator:
    """Peers and voices by index. Peers are added at any time; voices before they speak."""

    def __init__(self, peers: int, voices: int) -> None:
        self._tool = Tool("load")
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._theirs = theirs
        for end in (self._ours, theirs):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CONTROL_BUFFER)
        self._native = self._tool.lib.load_new(
            peers, voices, MAX_LATENCIES, theirs.fileno(), PROTECT, UNPROTECT
        )
        self._native.voice_count = 0
        self.peers: dict[int, Peer] = {}
        self._free = list(reversed(range(peers)))
        self._contexts: list[SrtpContext] = []
        self._executor = ThreadPoolExecutor(2, "load")
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._ours, self._readable)
        self._listening = self._loop.run_in_executor(
            self._executor, self._tool.lib.load_listen, self._native
        )

    async def close(self) -> None:
        """Stop the threads and close every peer."""
        self._tool.lib.load_stop(self._native)
        await self._listening
        self._executor.shutdown()
        self._loop.remove_reader(self._ours)
        for index in tuple(self.peers):
            self.remove(index)
        self._ours.close()
        self._theirs.close()
        self._tool.lib.load_free(self._native)

    def add(self, peer: Peer) -> int:
        """Watch a peer's socket; its index."""
        index = self._free.pop()
        listener = self._native.listeners[index]
        listener.context = self._tool.ffi.NULL
        listener.ssrc = peer.source.ssrc if peer.source else 0
        listener.received = listener.opened = listener.refused = listener.first = 0
        self.peers[index] = peer
        error = self._tool.lib.load_watch(self._native, index, peer.socket.fileno())
        if error:
            raise OSError(error, "epoll_ctl")
        return index

    def remove(self, index: int) -> None:
        """Forget a peer and close its socket."""
        self._tool.lib.load_unwatch(self._native, index)
        self.peers.pop(index).close()
        self._free.append(index)

    def listen_to(self, index: int, voice: int) -> None:
        """Tell whose voice a peer hears."""
        self._native.listeners[index].voice = voice

    def open_samples(self, index: int) -> None:
        """Decrypt some of what a connected peer gets."""
        keys = self.peers[index].keys
        assert keys is not None
        context = SrtpContext.inbound(keys)
        self._contexts.append(context)
        self._native.listeners[index].context = self._tool.pointer(context.address)

    def add_voice(self, peer: Peer) -> int:
        """Let a connected publisher speak; the voice's index."""
        assert peer.keys is not None
        context = SrtpContext.outbound(peer.keys, peer.ssrc)
        self._contexts.append(context)
        index = int(self._native.voice_count)
        voice = self._native.voices[index]
        voice.descriptor = peer.socket.fileno()
        voice.name = pack_sockaddr(peer.address)
        voice.context = self._tool.pointer(context.address)
        voice.ssrc = peer.ssrc
        voice.sequence = 1
        self._native.voice_count = index + 1
        return index

    def first_heard(self, index: int) -> float:
        """When a peer's first packet came, in seconds of real time; 0 before."""
        return float(self._native.listeners[index].first) / NANOSECONDS

    async def speak(self, seconds: float) -> int:
        """Let every voice speak for so long; how many packets that were."""
        voices = int(self._native.voice_count)
        ticks = round(seconds / PACKET_INTERVAL) * voices
        spoken: int = await self._loop.run_in_executor(
            self._executor, self._tool.lib.load_speak, self._native, self.interval, ticks
        )
        return spoken

    @property
    def interval(self) -> int:
        """Nanoseconds from one voice's packet to the next voice's."""
        return int(PACKET_INTERVAL * NANOSECONDS / self._native.voice_count)

    def reset(self) -> None:
        """Begin a window: forget latencies. Nobody may speak meanwhile."""
        self._native.latency_count = 0

    def heard(self, listeners: list[int]) -> Heard:
        """What was heard by these peers since the beginning, and the latencies since `reset`."""
        count = int(self._native.latency_count)
        samples = array("I")
        samples.frombytes(self._tool.ffi.buffer(self._native.latencies, 4 * count)[:])
        rows = [self._native.listeners[index] for index in listeners]
        return Heard(
            sent=sum(self._native.voices[one].sent for one in range(self._native.voice_count)),
            received=sum(row.received for row in rows),
            opened=sum(row.opened for row in rows),
            refused=sum(row.refused for row in rows),
            latencies=[sample / NANOSECONDS for sample in sorted(samples)],
        )

    def _readable(self) -> None:
        for _ in range(_DATAGRAMS_AT_ONCE):
            try:
                data = self._ours.recv(_MAX_DATAGRAM)
            except BlockingIOError:
                return
            peer = self.peers.get(int.from_bytes(data[:4], "little"))
            if peer is not None and len(data) > 4:
                peer.receive(data[4:])
