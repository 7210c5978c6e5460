"""Everybody who talks: their sockets, their voices, and what they hear of each other.

Each packet of theirs carries the attack that went on when it was sent, a number, and the time, so that
loss and latency are known for each attack.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pylibsrtp
from pylibsrtp import Policy
from websockets import ConnectionClosed
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.load.peer import Identity, Peer
from relay.srtp import SrtpKeys
from tests.campaigns.people import read_offer, write_answer

FRAME = 0.02
"""Seconds between packets of who speaks."""

PATIENCE = 20.0
"""Seconds in which somebody new must have come into a room, and in which the last packets must come."""

_MAGIC = b"bystander"
_HEADER = struct.Struct("!BBHII")
_WORDS = struct.Struct("!9sBIQ")
_SO_TIMESTAMPNS = 35
_STAMP = struct.Struct("qq")
_KEPT = 200  # datagrams that attackers may replay
_UNCOUNTED = 255

Message = dict[str, Any]


@dataclass
class Report:
    """One attack, as people heard it. Latencies in seconds: from our send call to the kernel's receive
    stamp. strange: packets that nobody sent like that. newcomers: seconds until somebody new spoke and
    heard, of each who came; `PATIENCE` when that failed."""

    attack: str
    sent: int = 0
    expected: int = 0
    received: int = 0
    strange: int = 0
    median: float = 0.0
    p99: float = 0.0
    maximum: float = 0.0
    newcomers: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Someone:
    """A person with a socket, a publisher and consumers."""

    def __init__(self, crowd: Crowd, websocket: ClientConnection, *, constant: bool) -> None:
        self.crowd = crowd
        self._constant = constant
        self.websocket = websocket
        self.own: Recorded | None = None
        self.resume_token: str | None = None
        self.peers: list[Peer] = []
        self._waiting: dict[str, asyncio.Future[Message]] = {}
        self._task = asyncio.create_task(self._read())

    async def ask(self, type: str, **fields: Any) -> Message:
        """Send a message, and wait for its answer."""
        id = f"q{time.monotonic_ns()}"
        answer = self._waiting[id] = asyncio.get_running_loop().create_future()
        await self.websocket.send(json.dumps({"type": type, "id": id} | fields))
        message: Message = await asyncio.wait_for(answer, PATIENCE)
        if message["type"] == "error":
            raise RuntimeError(message["message"])
        return message

    async def tell(self, type: str, **fields: Any) -> None:
        """Send a message that is answered later, or never."""
        await self.websocket.send(json.dumps({"type": type} | fields))

    async def publish(self) -> str:
        """Have a connected publisher; its id."""
        created = await self.ask("create_publisher")
        self.own = await self._answer(created, "publish_audio", "publisher_id")
        publisher_id: str = created["publisher_id"]
        return publisher_id

    async def consume(self, publisher_id: str) -> Peer:
        """Listen to somebody."""
        created = await self.ask("create_consumer", publisher_id=publisher_id)
        return await self._answer(created, "consumer_answer", "consumer_id")

    async def _answer(self, created: Message, type: str, name: str) -> Recorded:
        remote, source = read_offer(created["offer"]["sdp"])
        peer = self.crowd.open_peer(source)
        self.peers.append(peer)
        self.crowd.names.append(remote.ice.username_fragment)
        peer.start(remote)
        answer = {"type": "answer", "sdp": write_answer(peer.local)}
        await self.ask(type, **{name: created[name]}, answer=answer)
        await asyncio.wait_for(peer.connected.wait(), PATIENCE)
        return peer

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for frame in self.websocket:
                message = json.loads(frame)
                waiting = self._waiting.pop(message.get("id", ""), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
                elif self._constant and message["type"] in ("publisher_closed", "consumer_closed"):
                    self.crowd.faults.append(f"{message['type']}: {message['reason']}")

    async def close(self) -> None:
        """Be gone."""
        for peer in self.peers:
            self.crowd.close_peer(peer)
        await self.websocket.close()
        await self._task


class Crowd:
    """Everybody, and what they heard."""

    def __init__(self, url: str) -> None:
        self.url = url.replace("http", "ws", 1).rstrip("/") + "/ws"
        self.identity = Identity()
        self.names: list[str] = []
        self.peers: dict[Peer, Ear] = {}
        self.voices: list[Voice] = []
        self.faults: list[str] = []
        self.reports = [Report("before")]
        self.latencies: dict[int, list[float]] = defaultdict(list)
        self.listeners = 0

    async def arrive(
        self, room: str, name: str, token: str | None = None, *, constant: bool = False
    ) -> Someone:
        """Connect and join, with an access token where there is one. constant: nothing may close that they
        hear of."""
        websocket = await connect(self.url, open_timeout=PATIENCE)
        someone = Someone(self, websocket, constant=constant)
        with_token = {} if token is None else {"token": token}
        joined = await someone.ask("join_room", room=room, name=name, **with_token)
        someone.resume_token = joined.get("resume_token")
        return someone

    def open_peer(self, source: Any) -> Recorded:
        """One more connection."""
        peer = Recorded(self.identity, source)
        self.peers[peer] = Ear(self, peer)
        asyncio.get_running_loop().add_reader(peer.socket, self.peers[peer].readable)
        return peer

    def close_peer(self, peer: Peer) -> None:
        """One less."""
        if self.peers.pop(peer, None) is not None:
            asyncio.get_running_loop().remove_reader(peer.socket)
            peer.close()

    async def keep_speaking(self) -> None:
        """Everybody speaks, and keeps connections alive, for ever."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for voice in self.voices:
                voice.speak()
            for peer in tuple(self.peers):
                peer.tick(loop.time())
            due += FRAME
            await asyncio.sleep(max(0.0, due - loop.time()))

    def spoke(self) -> int:
        """One packet was sent; the number of the attack that goes on."""
        report = self.reports[-1]
        report.sent += 1
        report.expected += self.listeners
        return len(self.reports) - 1

    def heard(self, attack: int, latency: float) -> None:
        """One packet of an attack's time came."""
        self.reports[attack].received += 1
        self.latencies[attack].append(latency)

    async def finish(self) -> None:
        """Wait until everything has come that was sent, and add up."""
        self.voices.clear()
        deadline = time.monotonic() + PATIENCE
        while any(report.received < report.expected for report in self.reports):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.05)
        for number, report in enumerate(self.reports):
            values = sorted(self.latencies[number]) or [0.0]
            report.median = values[len(values) // 2]
            report.p99 = values[int(0.99 * (len(values) - 1))]
            report.maximum = values[-1]
        self.reports[-1].faults += self.faults


class Recorded(Peer):
    """One connection. reports: the first of its SRTCP."""

    def __init__(self, identity: Identity, source: Any) -> None:
        super().__init__(identity, source)
        self.reports: list[bytes] = []

    def report_now(self) -> None:
        """Do not wait for the next report's time."""
        self._report_at = 0.0

    def _send(self, datagram: bytes) -> None:
        if datagram[0] & 0xC0 == 0x80 and len(self.reports) < _KEPT:
            self.reports.append(datagram)
        super()._send(datagram)


class Voice:
    """A publisher's other end, which speaks. counted: whether everybody has to hear it."""

    def __init__(self, crowd: Crowd, peer: Recorded, *, counted: bool = True) -> None:
        assert peer.keys is not None
        self.counted = counted
        self.crowd = crowd
        self.peer = peer
        self.sent: list[str] = []
        self._session = _session(peer.keys, peer.keys.local, Policy.SSRC_ANY_OUTBOUND)
        self._count = 0

    def speak(self) -> None:
        """20 ms of sound."""
        attack = self.crowd.spoke() if self.counted else _UNCOUNTED
        self._count += 1
        header = _HEADER.pack(
            0x80, 111, self._count & 0xFFFF, 960 * self._count & 0xFFFFFFFF, self.peer.ssrc
        )
        payload = _WORDS.pack(_MAGIC, attack, self._count, time.time_ns()) + bytes(60)
        datagram = self._session.protect(header + payload)
        if len(self.sent) < _KEPT:
            self.sent.append(datagram.hex())
        self.peer.socket.sendto(datagram, self.peer.address)


class Ear:
    """What comes to one of our sockets."""

    def __init__(self, crowd: Crowd, peer: Peer) -> None:
        self._crowd = crowd
        self._peer = peer
        self.heard_somebody = asyncio.Event()
        self._session: pylibsrtp.Session | None = None
        self._numbers: set[int] = set()

    def readable(self) -> None:
        """Take what there is."""
        for _ in range(64):
            try:
                datagram, control, _, _ = self._peer.socket.recvmsg(2048, 64)
            except (BlockingIOError, ConnectionError):
                return
            stamps = [
                _STAMP.unpack(data[:16]) for _, kind, data in control if kind == _SO_TIMESTAMPNS
            ]
            at = stamps[0][0] * 1_000_000_000 + stamps[0][1] if stamps else time.time_ns()
            if len(datagram) < 2 or datagram[0] & 0xC0 != 0x80:
                self._peer.receive(datagram)
            elif datagram[1] & 0xE0 != 0xC0:
                self._hear(datagram, at)

    def _hear(self, datagram: bytes, at: int) -> None:
        keys = self._peer.keys
        assert keys is not None
        if self._session is None:
            self._session = _session(keys, keys.remote, Policy.SSRC_ANY_INBOUND)
        try:
            packet = self._session.unprotect(datagram)
            magic, attack, number, sent_at = _WORDS.unpack_from(packet, 12)
        except (pylibsrtp.Error, struct.error):
            magic = b""
        if magic != _MAGIC or number in self._numbers:
            self._crowd.reports[-1].strange += 1
            return
        self._numbers.add(number)
        self.heard_somebody.set()
        if attack != _UNCOUNTED:
            self._crowd.heard(attack, (at - sent_at) * 1e-9)


def _session(keys: SrtpKeys, key: bytes, kind: int) -> pylibsrtp.Session:
    return pylibsrtp.Session(Policy(key, kind, 0, keys.profile.identifier))
