"""What publishers and consumers have in common: an API around a transport, and events.

Events (through pyee, emitted on the event loop): see `events.py`.
"""

from __future__ import annotations

import logging
import random
import secrets

from .address import Address, Path
from .emitter import Emitter
from .events import CloseReason, ConnectionState, NetworkChange
from .parameters import DtlsFingerprint, IceCandidate, RtpParameters, TransportParameters
from .router import Router
from .rtcp import RtcpPacket
from .srtp import SrtpKeys
from .stats import SetupTimes
from .timers import Timer
from .transport import Transport, TransportObserver

logger = logging.getLogger(__name__)

REPORT_INTERVAL = 5.0
"""Seconds between our RTCP reports on the average, each varied by a half so that a thousand
connections do not report at once (RFC 3550 §6.2)."""

FIRST_REPORT_DELAY = 0.5
"""Likewise, for the first: round-trip time is known the sooner (RFC 3550 §6.2 allows half)."""


class Connection(Emitter):
    """One transport to one browser, with media one way.

    id: random and unguessable, safe in URLs. local: what to offer the other end. thread: the media
    plane's that carries it.
    """

    def __init__(
        self,
        router: Router,
        addresses: tuple[Address, ...],
        candidates: tuple[IceCandidate, ...],
        fingerprint: DtlsFingerprint,
        thread: int,
    ) -> None:
        super().__init__()
        self.thread = thread
        self.id = secrets.token_urlsafe(12)
        self.ssrc = secrets.randbelow(0xFFFFFFFF) + 1
        self.cname = secrets.token_urlsafe(12)
        self._router = router
        self._candidates = candidates
        self._fingerprint = fingerprint
        self._closed = False
        self._report_timer: Timer | None = None
        self._transport = Transport(
            router,
            addresses,
            self.ssrc,
            TransportObserver(
                self._transport_connected,
                self._path_validated,
                self._transport_moved,
                self._path_lost,
                self._transport_doubtful,
                self._restart_failed,
                self._receive_rtcp,
                self._transport_failed,
            ),
        )

    @property
    def local(self) -> TransportParameters:
        """What to tell the other end of this one."""
        return TransportParameters(
            ice=self._transport.ice_parameters,
            fingerprints=(self._fingerprint,),
            candidates=self._candidates,
            end_of_candidates=True,
            rtp=RtpParameters(nack=True, red=True, red_first=self._router.red_first),
        )

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        return self._transport.state

    @property
    def setup(self) -> SetupTimes:
        """When its set-up came how far."""
        return self._transport.setup

    def connect(self, remote: TransportParameters) -> None:
        """Take the other end's parameters and start. Returns at once; `connected` or `closed` follows.

        Raises InvalidStateError unless the connection is new, and ParameterError for parameters that
        cannot work; it stays as it was then.
        """
        self._transport.connect(remote)

    @property
    def is_doubtful(self) -> bool:
        """Whether the other end has stopped answering, for now."""
        return self._transport.is_doubtful

    def restart_ice(self) -> TransportParameters:
        """Begin an ICE restart (RFC 8445 §9): what to offer the other end, whose answer is for `reconnect`.
        Media goes on as it does; `network_changed` or `restart_failed` follows. One that waits for
        its answer is offered again, as it is; one that has it is given up.

        Raises InvalidStateError unless connected.
        """
        self._transport.restart_ice()
        return self.local

    def reconnect(self, remote: TransportParameters) -> None:
        """Take the other end's answer to a restart. Keys, SSRCs and sequence numbers go on, so it must name
        the certificate that it had before.

        Raises InvalidStateError when no restart waits for an answer, and ParameterError for parameters
        that cannot work; a right answer may follow then.
        """
        self._transport.reconnect(remote)

    def add_remote_candidate(self, candidate: IceCandidate | None) -> None:
        """Try one more address of the other end (trickle ICE, RFC 8838), at any time; None: that was
        the last. What cannot be used is passed over."""
        if candidate is not None:
            self._transport.add_remote_candidate(candidate)

    def add_local_candidate(self, address: Address, candidates: tuple[IceCandidate, ...]) -> None:
        """Use one more address of ours, and tell the other end by `local_candidate` events."""
        if self._closed:
            return
        self._transport.add_local_address(address)
        self._candidates += candidates
        for candidate in candidates:
            self.emit("local_candidate", candidate)

    def close(self, reason: CloseReason = CloseReason.CLOSED) -> None:
        """End the connection, and emit `closed`; nothing happens when it has ended already."""
        if self._closed:
            return
        self._closed = True
        if self._report_timer is not None:
            self._report_timer.cancel()
        self._release(reason)
        self._transport.close()
        self.emit("closed", reason)
        self.silence()

    def _transport_connected(self, keys: SrtpKeys, path: Path) -> None:
        self._start(keys, path)
        self._schedule_report(FIRST_REPORT_DELAY)
        self.emit("connected")

    def _transport_moved(self, path: Path, how: NetworkChange | None) -> None:
        self._path_selected(path)
        if how is not None:
            logger.info("%s %s moved: %s", type(self).__name__.lower(), self.id, how)
            self.emit("network_changed", how)

    def _transport_doubtful(self) -> None:
        self.emit("doubtful")

    def _restart_failed(self) -> None:
        self.emit("restart_failed")

    def _transport_failed(self, why: str) -> None:
        logger.info("%s %s failed: %s", type(self).__name__.lower(), self.id, why)
        self.close(CloseReason.FAILED)

    def _schedule_report(self, interval: float) -> None:
        delay = interval * random.uniform(0.5, 1.5)
        self._report_timer = self._router.timers.call_later(delay, self._send_report)

    def _send_report(self) -> None:
        packets = self._report()
        if packets:
            self._transport.send_rtcp(packets)
        self._schedule_report(REPORT_INTERVAL)

    # What a publisher and a consumer do differently.

    def _start(self, keys: SrtpKeys, path: Path) -> None:
        """Media can flow: set up its part of the media plane."""
        raise NotImplementedError

    def _release(self, reason: CloseReason) -> None:
        """Take down what `_start` set up, and whatever depends on it."""
        raise NotImplementedError

    def _path_validated(self, path: Path) -> None:
        """The other end may send by this path."""
        raise NotImplementedError

    def _path_selected(self, path: Path) -> None:
        """Media to the other end takes this path from now on."""
        raise NotImplementedError

    def _path_lost(self) -> None:
        """Media to the other end takes no path for now."""
        raise NotImplementedError

    def _receive_rtcp(self, packets: list[RtcpPacket], arrival: float) -> None:
        """The other end reported, at `arrival` on the monotonic clock."""
        raise NotImplementedError

    def _report(self) -> list[RtcpPacket]:
        """What we report; empty when there is nothing to say yet."""
        raise NotImplementedError
