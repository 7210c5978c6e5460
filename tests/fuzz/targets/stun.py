"""STUN as the relay uses it: courses of datagrams to a mux with a live agent behind it.

Authentic ones, too: their attributes are the input's, MESSAGE-INTEGRITY and FINGERPRINT are put in.
"""

from __future__ import annotations

import asyncio
import hmac
import struct
import zlib
from collections import Counter

from relay.address import Address, Path
from relay.ice import IceMux
from relay.ice_agent import IceAgent, IceObserver
from relay.ice_checks import MAX_REMOTE_ADDRESSES
from relay.parameters import IceCandidate, IceParameters
from relay.roaming import MAX_PATHS
from relay.stats import DropReason
from relay.timers import TimerGrid
from tests.fuzz.clock import FlyingLoop
from tests.fuzz.course import Reader, Step, join, split
from tests.fuzz.target import Target, require

_LOOP = FlyingLoop()
_LOCAL = (Address("192.0.2.1", 40_000), Address("2001:db8::1", 40_000))
_PEER = IceParameters("peer", "p" * 22)
_HEADER = struct.Struct("!HHI12s")
_COOKIE = 0x2112A442
_REQUEST, _RESPONSE, _ERROR = 0x0001, 0x0101, 0x0111
_KINDS = (_REQUEST, _RESPONSE, _ERROR, 0x0011)
_USERNAME, _PRIORITY, _CONTROLLED, _USE_CANDIDATE = 0x0006, 0x0024, 0x8029, 0x0025

RAW, REQUEST, RESPONSE, FORGED, WAIT, CANDIDATE, START, ANSWER_ALL, RENEW = range(9)
"""Operations."""


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute with its padding."""
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def sealed(kind: int, transaction: bytes, attributes: bytes, key: bytes) -> bytes:
    """A message with MESSAGE-INTEGRITY under `key`, and FINGERPRINT."""
    head = _HEADER.pack(kind, len(attributes) + 24, _COOKIE, transaction)
    digest = hmac.digest(key, head + attributes, "sha1")
    body = attributes + attribute(0x0008, digest)
    head = _HEADER.pack(kind, len(body) + 8, _COOKIE, transaction)
    checksum = zlib.crc32(head + body) ^ 0x5354554E
    return head + body + attribute(0x8028, checksum.to_bytes(4, "big"))


class _World:
    """A mux, an agent, and whatever it sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[Path, bytes]] = []
        self.requests: list[tuple[Path, bytes]] = []
        self.drops: Counter[DropReason] = Counter()
        self.validated: set[Path] = set()
        self.mux = IceMux(self._send, self._drop, TimerGrid())
        self.started = False
        self.agent = self._create()

    def _create(self) -> IceAgent:
        self.validated.clear()

        def validate(path: Path) -> bool:
            self.validated.add(path)
            return True

        observer = IceObserver(
            validate,
            lambda path: None,
            lambda why: None,
            self.validated.discard,
            lambda: None,
        )
        return self.mux.create_agent(_LOCAL, observer)

    def _drop(self, reason: DropReason) -> None:
        self.drops[reason] += 1

    def _send(self, path: Path, datagram: bytes) -> None:
        self.sent.append((path, datagram))
        if datagram[:2] == b"\x00\x01":
            self.requests.append((path, datagram))

    async def take(self, step: Step) -> None:
        """Do one step, and look at the rules."""
        operation, argument = step
        reader = Reader(argument)
        match operation % 9:
            case 0:
                self._receive_raw(reader)
            case 1:
                path, key = _path(reader.byte()), self.agent.parameters.password.encode()
                name = b""
                if reader.byte() & 1:
                    ours = f"{self.agent.parameters.username_fragment}:{_PEER.username_fragment}"
                    name = attribute(_USERNAME, ours.encode())
                self._receive(path, sealed(_REQUEST, bytes(12), name + reader.rest(), key))
            case 2:
                self._respond(reader, _PEER.password.encode())
            case 3:
                before = len(self.sent)
                self._respond(reader, b"another key")
                require(len(self.sent) == before, "what is forged is not answered")
            case 4:
                await asyncio.sleep(reader.byte() / 8)
            case 5:
                self._add_candidate(reader)
            case 6:
                if not self.started:
                    self.started = True
                    self.agent.start(_PEER)
            case 7:
                self._answer_all()
            case 8:
                self.agent.close()
                self.started = False
                self.agent = self._create()
        await asyncio.sleep(0)
        self._check()

    def _check(self) -> None:
        pairs = len(_LOCAL) * 2 * MAX_REMOTE_ADDRESSES
        require(len(self.validated) <= MAX_PATHS, "remote addresses are bounded")
        require(len(self.mux.transactions) <= 2 * pairs, "transactions are bounded")

    def _give(self, path: Path, datagram: bytes) -> None:
        self.mux.receive(path, datagram, asyncio.get_running_loop().time())

    def _receive(self, path: Path, datagram: bytes) -> None:
        before = len(self.sent)
        self._give(path, datagram)
        # The answer, a check back by the same path, and another that it unfroze (RFC 8445 §7.2.5.3.3).
        require(len(self.sent) <= before + 3, "one datagram makes three at most")

    def _receive_raw(self, reader: Reader) -> None:
        path, datagram = _path(reader.byte()), reader.rest()
        before = len(self.sent)
        self._give(path, datagram)
        require(len(self.sent) == before, "what is not authentic is not answered")

    def _respond(self, reader: Reader, key: bytes) -> None:
        if not self.requests:
            return
        path, request = self.requests[reader.byte() % len(self.requests)]
        if reader.byte() & 1:
            path = _path(reader.byte())
        kind = _KINDS[reader.byte() % len(_KINDS)]
        self._give(path, sealed(kind, request[8:20], reader.rest(), key))

    def _add_candidate(self, reader: Reader) -> None:
        host = _path(reader.byte()).remote.host
        kind = ("host", "srflx", "relay", "prflx")[reader.byte() % 4]
        candidate = IceCandidate(
            "1", 1, "udp", reader.number(4), host, reader.number(2), kind, related_address=host
        )
        self.agent.add_remote_candidate(candidate)

    def _answer_all(self) -> None:
        requests, self.requests = self.requests, []
        for path, request in requests:
            family = 1 if "." in path.local.host else 2
            mapped = bytes((0, family)) + bytes(6 if family == 1 else 18)
            key = _PEER.password.encode()
            answer = sealed(_RESPONSE, request[8:20], attribute(0x0020, mapped), key)
            self._give(path, answer)

    async def close(self) -> None:
        """End everything; nothing is left then."""
        self.agent.close()
        await self.mux.close()
        require(not self.mux.transactions, "no transaction outlives its agent")


def _path(number: int) -> Path:
    """One of 128 addresses of two families."""
    if number & 1:
        return Path(_LOCAL[1], Address(f"2001:db8:7::{number:x}", 5000 + number))
    return Path(_LOCAL[0], Address(f"198.51.100.{number}", 5000 + number))


def run(data: bytes) -> None:
    """A course against a fresh mux."""

    async def course() -> None:
        world = _World()
        try:
            for step in split(data):
                await world.take(step)
        finally:
            await world.close()

    _LOOP.play(course)


def seeds() -> list[bytes]:
    """Connecting, consent, role conflicts, changes of address, and plain noise."""
    priority = attribute(_PRIORITY, (1_853_824_767).to_bytes(4, "big"))
    ordinary = priority + attribute(_CONTROLLED, bytes(8))
    check = (REQUEST, b"\0\1" + ordinary)
    nominating = (REQUEST, b"\0\1" + ordinary + attribute(_USE_CANDIDATE, b""))
    candidate = (CANDIDATE, b"\2\0\x7f\xff\xff\xff\x13\x88")
    conflict = attribute(0x0009, bytes((0, 0, 4, 87)) + b"Role Conflict")
    refused = (RESPONSE, b"\0\0\2" + conflict)
    wait, answer = (WAIT, b"\x08"), (ANSWER_ALL, b"")
    connect: list[Step] = [candidate, (START, b""), check, wait, answer, wait, answer]
    controlling = (REQUEST, b"\0\1" + priority + attribute(0x802A, b"\xff" * 8))
    raw = sealed(_REQUEST, bytes(12), attribute(_USERNAME, b"abcd:peer") + ordinary, b"key")
    courses: list[list[Step]] = [
        connect,
        [*connect, (WAIT, b"\xff"), answer, (WAIT, b"\xff"), (WAIT, b"\xff")],
        [*connect, (REQUEST, b"\4" + nominating[1][1:]), wait, answer, wait],
        [check, nominating, (START, b""), wait, answer, wait],
        [candidate, (START, b""), wait, refused, wait, refused, wait, refused],
        [candidate, (START, b""), controlling, wait, answer],
        [*connect, (RENEW, b""), *connect],
        [(FORGED, b"\0\0\1" + attribute(0x0020, bytes(8))), (RAW, b"\0" + raw)],
        [(RAW, b"\0" + raw[:k]) for k in (1, 8, 19, 20, 30)],
    ]
    return [join(steps) for steps in courses]


TARGET = Target(run, seeds, max_length=4000, course=True)
