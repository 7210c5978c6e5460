"""The seam between the media plane and everything else.

A media plane owns the sockets and forwards RTP; it knows addresses, keys and counters, and nothing of
ICE, DTLS or RTCP. Whatever is not RTP it hands to `control`, but for the usual checks of connected peers,
which a `Responder` answers. There are two: `python_plane.py`, which is the reference, and its twin in C.
One test suite holds them equal.

    MediaPlane   sockets, and which address belongs to which source
    Source       what one publisher sends: keys, reception statistics, timeline
    Stage        seats for sources of which only the loudest are forwarded
    Sink         what one consumer gets: keys, address, SSRC, counters of its own
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .address import Address, Path
from .responder import Responder
from .srtp import SrtpKeys
from .stats import DropReason, ForwardLatency

MISSING_WINDOW = 32
"""Packets that are looked back for missing ones: 640 ms of 20 ms frames. Older ones would come too late."""

Control = Callable[[Path, bytes, float], None]
"""Takes a datagram that is not RTP, the path that it came by, and when it came, in seconds on the monotonic
clock."""


@dataclass(frozen=True, slots=True)
class SourceCounters:
    """What came from one publisher.

    packets, payload_bytes, packets_lost, gaps: since the beginning, over all of its SSRCs; a gap is at
    least `GAP_PACKETS` in a row that had not come when a later one did. recovered: lost ones that were
    restored from the redundancy of later ones; they count as lost. The rest is of the current SSRC (None
    before the first packet), for receiver reports: packets received and expected so far, the highest
    extended sequence number, jitter in clock ticks.
    """

    packets: int
    payload_bytes: int
    packets_lost: int
    gaps: int
    ssrc: int | None
    received: int
    expected: int
    highest_sequence: int
    jitter: float
    recovered: int = 0


@dataclass(frozen=True, slots=True)
class SinkCounters:
    """What went to one consumer. timestamp, sent_at: the last packet's RTP timestamp and when it went, in
    seconds on the monotonic clock, for sender reports. retransmitted: what was sent once more, which the
    other counts include."""

    packets: int
    payload_bytes: int
    timestamp: int
    sent_at: float
    retransmitted: int = 0


@dataclass(frozen=True, slots=True)
class PlaneCounters:
    """What the sockets saw since the start.

    rtp_packets_accepted: of the received ones, those that were on time and authentic: each was copied to
    every consumer there was. drops: of datagrams that came, and of copies (`stats.COPY_REASONS`).
    control_unsent: our own STUN, DTLS and RTCP that could not be sent, by why. send_errors: datagrams that
    the system did not take, by its error's name, and receive_errors: calls that should have given us some.
    datagrams_missed: those that the kernel had no room for in a receive buffer; they count nowhere else.
    checks_answered: of the datagrams received, checks that were answered here (`MediaPlane.settle`).
    """

    datagrams_received: int
    rtp_packets_received: int
    rtp_packets_accepted: int
    packets_forwarded: int
    forward_latency: ForwardLatency
    drops: dict[DropReason, int]
    control_unsent: dict[DropReason, int]
    packets_retransmitted: int = 0
    packets_recovered: int = 0
    send_errors: dict[str, int] = field(default_factory=dict)
    receive_errors: dict[str, int] = field(default_factory=dict)
    datagrams_missed: int = 0
    checks_answered: int = 0


class Source(Protocol):
    """What one publisher sends. muted: while true its packets are received, counted and dropped."""

    muted: bool

    def enter(self, stage: Stage) -> None:
        """Be forwarded only while it has a seat on `stage`, which is of its own thread."""
        ...

    def leave(self) -> None:
        """Give the seat back, if there is one; its next packet may take one again."""
        ...

    def counters(self) -> SourceCounters:
        """What came so far."""
        ...

    def levels(self) -> tuple[int, int]:
        """The audio levels' powers of what was not muted, added up (`levels.py`), and of how many packets.
        Without waiting for one that is just forwarded: its power may be counted, and itself not yet."""
        ...

    def missing(self) -> tuple[int | None, list[int]]:
        """The current SSRC, and its sequence numbers (16 bits) of which no packet came, of the latest
        `MISSING_WINDOW` and oldest first. The next gap is told (`on_gap`) after this call."""
        ...


class Stage(Protocol):
    """Seats for sources of which only the loudest are forwarded (`loudest.py`)."""


class Sink(Protocol):
    """What one consumer gets."""

    def detach(self) -> None:
        """Follow no source any more."""
        ...

    def counters(self) -> SinkCounters:
        """What went so far."""
        ...


class MediaPlane(Protocol):
    """Sockets and forwarding, on one or more threads. All calls come from the event loop's thread."""

    def open(self, address: Address, thread: int = 0) -> Address:
        """Open a socket (port 0: any) and serve it on a thread; the address it got. Raises
        AddressError."""
        ...

    def close(self) -> None:
        """Close every socket. Sources and sinks are of no use from then on."""
        ...

    def send(self, path: Path, datagram: bytes) -> None:
        """Send one datagram that is not media, or count why it was not sent."""
        ...

    def source(
        self,
        keys: SrtpKeys,
        path: Path,
        now: float,
        *,
        red: bool = False,
        on_gap: Callable[[], None] | None = None,
    ) -> Source:
        """A new source, whose packets come by `path` or by others of the same socket's thread. now:
        seconds on the monotonic clock, here and below.

        red: it may send redundant audio, beside plain Opus. on_gap: called on the event loop when a
        sequence number was left out, and then not again until `missing` was called.
        """
        ...

    def stage(self, seats: int, thread: int = 0) -> Stage:
        """So many seats, 1 to `loudest.MAX_SEATS`, for sources of one thread."""
        ...

    def bind(self, path: Path, source: Source) -> None:
        """Take RTP that comes by `path` as the source's, and nobody else's."""
        ...

    def unbind(self, path: Path) -> None:
        """Drop RTP that comes by `path` from now on."""
        ...

    def settle(self, path: Path, responder: Responder, *, reports_wait: bool = False) -> None:
        """Answer the checks that come by `path` and that `responder` knows, instead of handing them up, as
        often as its budget allows; who takes another one's place takes its budget over.

        Responses by `path` may be handed up later than they came, by 0.6 s at most, and so may RTCP that
        begins with a report if reports_wait: what is urgent must not come in those.
        """
        ...

    def unsettle(self, path: Path, *, known: bool = False) -> None:
        """Hand up whatever comes by `path` from now on, at once. known: who sends by it is connected still,
        and keeps a place where strangers crowd."""
        ...

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
        """A new sink, which sends by `path` under `ssrc`; its first packet follows `sequence` (16
        bits) and `timestamp` (32 bits).

        red: it gets redundant audio as it is, else the Opus inside of it. nack: packets may be sent to it
        once more; what it follows is kept for that.
        """
        ...

    def direct(self, sink: Sink, path: Path) -> None:
        """Send what the sink gets by `path` from now on, which is of the same socket's thread."""
        ...

    def attach(self, sink: Sink, source: Source, now: float) -> None:
        """Let the sink follow `source` from its next packet on, and nothing else: its sequence
        numbers go on where they were, and its timestamps on their clock."""
        ...

    def retransmit(self, sink: Sink, sequences: Sequence[int]) -> int:
        """Send packets once more to a sink that was made for it, by its own sequence numbers (16 bits); how
        many of them there were."""
        ...

    def inject(self, path: Path, datagram: bytes, arrival: float) -> None:
        """Take a datagram as if it had come by `path` at `arrival`."""
        ...

    def poll(self) -> None:
        """Hand up now what waits to be handed up."""
        ...

    def counters(self) -> PlaneCounters:
        """What happened so far."""
        ...
