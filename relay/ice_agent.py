"""One end of one ICE session: what its checks mean for the path that media takes.

An agent has one consent, for that path; what consent does not recognise goes the long way, through aioice
(`ice_checks.py`). `roaming.py` decides when another pair is to be nominated. A restart is another agent,
under other credentials; `transport.py` has both.
"""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import binding
from .address import Address, Path
from .binding import IntegrityKey
from .consent import Consent
from .ice_checks import Message, VirtualConnection, is_success, is_usable
from .parameters import IceCandidate, IceParameters
from .roaming import PROBE_INTERVAL, Roaming, Step
from .screening import Budget
from .stats import DropReason
from .timers import Timer

if TYPE_CHECKING:
    from .ice import IceMux

PASSWORD_LENGTH = 24
"""Characters of 6 bits: 144 bits, where RFC 8445 §5.3 wants 128."""

CHECK_RATE, CHECK_BURST = 100.0, 200.0
"""Requests of one connection that are looked at: so many a second, and so many at once. A browser that
tries all its addresses sends one every 50 ms for each (RFC 8445 §14), a connected one 0.4 a second."""

_ICE_CHARACTERS = string.ascii_letters + string.digits + "+/"


@dataclass(frozen=True, slots=True)
class IceObserver:
    """Who wants to know what an agent finds.

    validated: a check by this path was authentic, so its address is a peer's; tells whether the path is
    ours, and not another connection's. selected: media is to go by this path from now on, which is ours
    then. failed: there is no way any more, and why. forgotten: a validated path was not used for long.
    doubtful: the peer answers by no path; it may yet.
    """

    validated: Callable[[Path], bool]
    selected: Callable[[Path], None]
    failed: Callable[[str], None]
    forgotten: Callable[[Path], None]
    doubtful: Callable[[], None]


class IceAgent:
    """One end of one ICE session. It offers, so it controls (RFC 8445 §6.1.1).

    round_trip_time: seconds, of the latest check that was answered at once; None before. key: that
    signs requests to it; budget: of those that are looked at. newcomers: paths that the peer was first
    heard by between the nomination and the end of the first checks.
    """

    def __init__(
        self, mux: IceMux, name: str, local: Iterable[Address], observer: IceObserver
    ) -> None:
        self.parameters = IceParameters(name, random_name(PASSWORD_LENGTH))
        self.observer = observer
        self.mux = mux
        self.round_trip_time: float | None = None
        self._connection = VirtualConnection(self, local)
        self.key = IntegrityKey(self.parameters.password)
        self.budget = Budget(CHECK_RATE, CHECK_BURST)
        self._roaming = Roaming()
        self.newcomers: list[Path] = []
        self._task: asyncio.Task[None] | None = None
        self._consent: Consent | None = None
        # The latest request that wanted just an answer, and whether it still does.
        self._usual: tuple[Path, bytes] | None = None
        self._is_owed = False
        self._consent_timer: Timer | None = None
        self._step_timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def paths(self) -> frozenset[Path]:
        """Those that authentic checks came by."""
        return self._roaming.paths

    @property
    def is_doubtful(self) -> bool:
        """Whether the path that media takes has not answered lately."""
        return self._roaming.is_searching

    @property
    def _is_connecting(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, remote: IceParameters) -> None:
        """Begin the checks, once the other end's credentials are known."""
        self._connection.remote_username = remote.username_fragment
        self._connection.remote_password = remote.password
        self._task = asyncio.get_running_loop().create_task(self._connection.run())

    def add_remote_candidate(self, candidate: IceCandidate) -> None:
        """Try an address of the other end. What cannot be reached from here is passed over: other
        transports than UDP, mDNS names, other families, addresses that are nobody's."""
        if not self._closed and is_usable(candidate):
            self._connection.add(candidate)

    def add_local_address(self, address: Address) -> None:
        """Use one more address of ours."""
        if not self._closed:
            self._connection.add_local_address(address)

    def receive_request(self, path: Path, message: Message, datagram: bytes) -> DropReason | None:
        """Take an authentic Binding request, or tell why it is of no use. Before `start` it is answered and
        kept for then: a browser checks as soon as it has made its answer, which may take its time to
        come here.

        By a path that another connection has, the answer waits until this one has taken it over: a peer
        that is answered speaks DTLS (RFC 8445 §7.3 leaves us no other way to hold it), and the other
        connection would get it.
        """
        protocol = self._connection.protocol_at(path.local)
        if protocol is None or "PRIORITY" not in message.attributes:
            return DropReason.STUN_MALFORMED
        now = asyncio.get_running_loop().time()
        if self._consent is not None and self._is_connecting and path not in self._roaming.paths:
            self.newcomers.append(path)
        admitted, forgotten = self._roaming.admit(path, now)
        if not admitted:
            return DropReason.STUN_TOO_MANY_ADDRESSES
        if forgotten is not None:
            self._connection.forget(forgotten)
            self.observer.forgotten(forgotten)
        is_ours = self.observer.validated(path)
        remote = (path.remote.host, path.remote.port)
        protocol.acquaintances.heard(remote)
        asks_nothing_else = (
            self._connection.ice_controlling and "ICE-CONTROLLING" not in message.attributes
        )
        if asks_nothing_else and not is_ours:
            self._connection.check_back(message, remote, protocol)
        else:
            self._connection.request_received(message, remote, protocol)
        protocol.repeat(remote, now)
        if asks_nothing_else:
            self._usual, self._is_owed = (path, datagram), not is_ours
            self._learn()
        self._heard(path, now)
        return None

    def _learn(self) -> None:
        """Settle the selected path if the latest request came by it, also when that was before it was
        selected: a peer's checks stay the same."""
        if self._consent is not None and self._usual is not None:
            path, datagram = self._usual
            if path == self._consent.path:
                self._consent.learn(datagram)
                self.settle()

    def expects(self, datagram: bytes) -> bool:
        """Whether it answers a check of consent, if it is authentic."""
        return self._consent is not None and self._consent.expects(datagram)

    def _heard(self, path: Path, now: float) -> None:
        """Look what an authentic check says of where the peer is."""
        if self._consent is None:
            return
        if self._roaming.is_searching and path == self._consent.path:
            # It is back, perhaps.
            if self._has_path:
                self.mux.send(path, self._consent.check(now))
            else:
                self._connection.nominate(path)
        elif self._roaming.suspect(path, now):
            self._step()

    def settle(self) -> None:
        """Let the media plane answer the peer's usual checks, or answer all of them here, as things are."""
        consent = self._consent
        if consent is None or not self._has_path:
            return
        path = consent.path
        unclear = self._roaming.is_searching or self.mux.running[path]
        self.mux.settle(path, None if unclear else consent.responder)

    def _step(self) -> None:
        """Take a step of `roaming.py`, and more as long as the selected path is in doubt."""
        self.settle()
        if self._step_timer is not None:
            self._step_timer.cancel()
            self._step_timer = None
        consent, step = self._consent, self._roaming.step()
        if consent is None or step is Step.REST:
            return
        if step is Step.GIVE_UP:
            self.observer.doubtful()
            return
        if step is Step.PROBE:
            self.mux.send(consent.path, consent.check(asyncio.get_running_loop().time()))
        elif self._roaming.rival is not None:
            self._connection.nominate(self._roaming.rival)
        self._step_timer = asyncio.get_running_loop().call_later(PROBE_INTERVAL, self._step)

    def receive_familiar(self, path: Path, datagram: bytes, arrival: float) -> bool:
        """Take a message of a connected peer: a request like its last one, or an answer to a check of
        ours. False when it is another, or not authentic."""
        consent = self._consent
        if consent is None:
            return False
        if datagram[:2] == binding.REQUEST:
            answer = consent.answer(datagram)
            if answer is None:
                return False
            self.observer.validated(path)
            self.mux.send(path, answer)
            self.settle()
            if self._roaming.is_searching:
                self._heard(path, asyncio.get_running_loop().time())
            return True
        if consent.expects(datagram) and consent.is_answer(datagram):
            self._consented(consent, datagram, arrival)
            return True
        return False

    def receive_consent(self, message: Message, datagram: bytes, arrival: float) -> bool:
        """Take any other answer to a check of ours, if it is one: refusals and forgeries count for
        nothing, signed answers of another form do."""
        consent = self._consent
        if consent is None or not consent.expects(datagram):
            return False
        if is_success(message, consent.remote_password):
            self._consented(consent, datagram, arrival)
        return True

    def select(self, consent: Consent) -> None:
        """Let media go by a consent's path from now on, and no other."""
        if self._closed:  # a check was about to end
            return
        self._end_consent()
        now = asyncio.get_running_loop().time()
        self._consent = consent
        self._roaming.select(consent.path, now)
        self.mux.selected[consent.path] = self
        self.mux.settle(consent.path, None)
        self._schedule_consent(consent, now)
        self.observer.selected(consent.path)
        self._learn()
        self._answer_late(consent)

    def _answer_late(self, consent: Consent) -> None:
        """Answer the check that had to wait until its path was ours."""
        if not self._is_owed or self._usual is None or self._usual[0] != consent.path:
            return
        self._is_owed = False
        answer = consent.answer(self._usual[1])
        if answer is not None:
            self.mux.send(consent.path, answer)

    def lose_path(self) -> None:
        """Another connection has the selected path by now, whose peer answered there: ours is elsewhere. It
        is looked for at once; consent goes on to expire, and is asked for no more."""
        if self._consent is None:
            return
        self._connection.forget_nomination()
        self._roaming.lose()
        if self._step_timer is not None:
            self._step_timer.cancel()
        self._step_timer = asyncio.get_running_loop().call_later(0, self._step)

    @property
    def _has_path(self) -> bool:
        """Whether the path that consent was given for is still ours."""
        consent = self._consent
        return consent is not None and self.mux.selected.get(consent.path) is self

    def _schedule_consent(self, consent: Consent, now: float) -> None:
        self._consent_timer = self.mux.timers.call_later(consent.delay(now), self._consent_due)

    def _consent_due(self) -> None:
        consent, now = self._consent, asyncio.get_running_loop().time()
        if consent is None:
            return
        if now >= consent.expires:
            self._end_consent()
            self.observer.failed("consent expired: the peer answers no ICE checks any more")
            return
        unanswered = consent.is_waiting
        if self._has_path:
            self.mux.send(consent.path, consent.check(now))
        self._schedule_consent(consent, now)
        if unanswered and self._roaming.suspect(None, now):
            self._step()

    def _consented(self, consent: Consent, datagram: bytes, arrival: float) -> None:
        consent.renew(datagram, arrival)
        self._roaming.answered(arrival)
        self.settle()
        if consent.round_trip_time is not None:
            self.round_trip_time = consent.round_trip_time

    def _end_consent(self) -> None:
        for timer in (self._consent_timer, self._step_timer):
            if timer is not None:
                timer.cancel()
        if self._consent is not None and self._has_path:
            self.mux.deselect(self._consent.path)
        self._consent = self._consent_timer = self._step_timer = None

    def close(self) -> None:
        """Stop all checks. The agent is gone from the mux at once; its tasks end soon after."""
        if self._closed:
            return
        self._closed = True
        self._end_consent()
        closing = asyncio.get_running_loop().create_task(self._close())
        self.mux.remove(self, closing)

    async def _close(self) -> None:
        await self._connection.close()
        if self._task is not None:
            await asyncio.wait([self._task])


def random_name(length: int) -> str:
    """A username fragment or a password: letters, digits, `+` and `/` (RFC 8839 §5.4)."""
    return "".join(secrets.choice(_ICE_CHARACTERS) for _ in range(length))
