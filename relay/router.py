"""From a datagram to the connection that it is for.

    STUN   by username fragment or transaction id (`ice.py`)
    DTLS   by path, once an authentic ICE check came by it
    RTCP   by path, likewise
    RTP    never comes here: the media plane knows its paths itself (`python_plane.py`)

A path is bound to a transport by an authentic check and by nothing else, so a stranger who guesses
addresses reaches nobody's DTLS.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from .address import Path
from .demux import Protocol as WireProtocol
from .demux import classify
from .dtls import DtlsContext
from .ice import IceMux
from .plane import Control, MediaPlane
from .responder import Responder
from .stats import DropReason, RetransmissionRefusal
from .timers import TimerGrid

logger = logging.getLogger(__name__)


class Endpoint(Protocol):
    """Who takes DTLS and RTCP of the paths that are bound to it. path_taken: one of them is somebody else's
    from now on. reports_wait: whether nothing urgent comes behind a report."""

    def receive_dtls(self, path: Path, datagram: bytes) -> None: ...

    def receive_rtcp(self, path: Path, datagram: bytes, arrival: float) -> None: ...

    def path_taken(self, path: Path) -> None: ...

    @property
    def reports_wait(self) -> bool: ...


class Router:
    """The tables that all connections of a relay share. drops: what reached no connection; used: what did.
    refusals: packets that consumers asked for again in vain. red_first: whether browsers are asked for
    redundant audio."""

    def __init__(
        self,
        dtls: DtlsContext,
        create_plane: Callable[[Control], MediaPlane],
        *,
        red_first: bool = False,
    ) -> None:
        self.dtls = dtls
        self.red_first = red_first
        self.plane = create_plane(self.receive)
        self.timers = TimerGrid(before=self.plane.poll)
        self.ice = IceMux(self.plane.send, self.drop, self.timers, self._settle)
        self.bindings: dict[Path, Endpoint] = {}
        self.drops: Counter[DropReason] = Counter()
        self.used: Counter[WireProtocol] = Counter()
        self._dropped = 0
        self.refusals: Counter[RetransmissionRefusal] = Counter()

    def drop(self, reason: DropReason) -> None:
        """Count a datagram that went no further."""
        self.drops[reason] += 1
        self._dropped += 1

    def bind(self, path: Path, endpoint: Endpoint) -> None:
        """Give what comes by `path` to `endpoint`, whoever had it before: an address translator gives one
        client's port to another, once the first is gone."""
        before = self.bindings.get(path)
        self.bindings[path] = endpoint
        if before is not None and before is not endpoint:
            self.plane.unbind(path)
            before.path_taken(path)

    def unbind(self, path: Path, endpoint: Endpoint) -> None:
        """Undo `bind`, unless another endpoint has the path by now."""
        if self.bindings.get(path) is endpoint:
            del self.bindings[path]
            self.plane.unbind(path)

    def _settle(self, path: Path, responder: Responder | None) -> None:
        if responder is None:
            self.plane.unsettle(path, known=path in self.ice.selected)
        else:
            endpoint = self.bindings.get(path)
            reports_wait = endpoint is not None and endpoint.reports_wait
            self.plane.settle(path, responder, reports_wait=reports_wait)

    def receive(self, path: Path, datagram: bytes, arrival: float) -> None:
        """Take a datagram that is not RTP, and came at `arrival` on the event loop's clock. Nothing that it
        holds may raise past here."""
        kind, dropped = classify(datagram), self._dropped
        try:
            self._route(kind, path, datagram, arrival)
        except Exception:
            logger.exception("a datagram of %d bytes met a fault", len(datagram))
            if self._dropped == dropped:
                self.drop(DropReason.INTERNAL_ERROR)
        if self._dropped == dropped:
            self.used[kind] += 1

    def _route(self, kind: WireProtocol, path: Path, datagram: bytes, arrival: float) -> None:
        if kind is WireProtocol.STUN:
            self.ice.receive(path, datagram, arrival)
            return
        endpoint = self.bindings.get(path)
        if kind is WireProtocol.DTLS and endpoint is not None:
            endpoint.receive_dtls(path, datagram)
        elif kind is WireProtocol.RTCP and endpoint is not None:
            endpoint.receive_rtcp(path, datagram, arrival)
        else:
            self.drop(_WITHOUT_ENDPOINT.get(kind, DropReason.UNKNOWN_PROTOCOL))


_WITHOUT_ENDPOINT = {
    WireProtocol.DTLS: DropReason.DTLS_UNKNOWN_ADDRESS,
    WireProtocol.RTCP: DropReason.RTCP_UNKNOWN_ADDRESS,
}
