"""People who join rooms, speak, listen and go, in whichever way people go: cheap ones, many of them.

Everybody has a real WebSocket, and real ICE and DTLS-SRTP for each connection (`benchmarks/load/peer.py`).
Sound is packets of random bytes; what comes is counted, and not decrypted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import struct
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pylibsrtp
from websockets import ConnectionClosed
from websockets.asyncio.client import ClientConnection, connect

import sdp
from benchmarks.load.peer import Identity, Peer
from relay import DtlsFingerprint, IceCandidate, IceParameters, RtpSource, TransportParameters

FRAME = 0.02
"""Seconds between packets of who speaks."""

PATIENCE = 30.0
"""Seconds for an answer; a relay under attack may take its time, but answers."""

_HEADER = struct.Struct("!BBHIIHHBBxx")
_GONE = ("not_found", "negotiation_failed", "wrong_state")
"""What an answer may say that comes when the publisher has gone by then, or we have."""

_HOUSEKEEPING = 0.05
_DATAGRAMS_AT_ONCE = 32

Message = dict[str, Any]


class Refused(Exception):
    """The server said `error`. code: the protocol's word for why."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.get("message"))
        self.code: str = message["code"]


@dataclass(slots=True)
class Tally:
    """What everybody did and got so far. sent, received: RTP packets; did: deeds, by their name."""

    sent: int
    received: int
    did: Counter[str]


class Crowd:
    """What all people share: a clock that lets them speak and keep their connections alive.

    faults: what went wrong and should not have.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.identity = Identity()
        self.tally = Tally(0, 0, Counter())
        self.faults: list[BaseException] = []
        self.voices: set[Voice] = set()
        self.peers: set[Peer] = set()
        self._loop = asyncio.get_running_loop()
        self._ticking = [
            asyncio.create_task(self._keep_speaking()),
            asyncio.create_task(self._keep_house()),
        ]

    async def close(self) -> None:
        """Stop the clock; everybody is gone by now."""
        for task in self._ticking:
            task.cancel()
        await asyncio.gather(*self._ticking, return_exceptions=True)

    def open_peer(self, source: RtpSource | None) -> Peer:
        """One more connection's other end."""
        peer = Peer(self.identity, source)
        self.peers.add(peer)
        self._loop.add_reader(peer.socket, self._readable, peer)
        return peer

    def close_peer(self, peer: Peer) -> None:
        """Let go of one; idempotent."""
        if peer in self.peers:
            self.peers.discard(peer)
            self._loop.remove_reader(peer.socket)
            peer.close()

    def _readable(self, peer: Peer) -> None:
        for _ in range(_DATAGRAMS_AT_ONCE):
            try:
                datagram = peer.socket.recv(2048)
            except (BlockingIOError, ConnectionError):  # a relay that was killed
                return
            if datagram[0] & 0xC0 != 0x80:
                peer.receive(datagram)
            elif datagram[1] & 0xE0 != 0xC0:
                self.tally.received += 1

    async def _keep_speaking(self) -> None:
        due = self._loop.time()
        while True:
            for voice in tuple(self.voices):
                self.tally.sent += voice.speak()
            due = max(due + FRAME, self._loop.time() - 1.0)
            await asyncio.sleep(due - self._loop.time())

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING)
            for peer in tuple(self.peers):
                with contextlib.suppress(OSError):
                    peer.tick(self._loop.time())


class Voice:
    """A connected publisher's other end, which sends a packet whenever it is asked to."""

    def __init__(self, peer: Peer) -> None:
        assert peer.keys is not None
        profile = peer.keys.profile.identifier
        self._peer = peer
        self._session = pylibsrtp.Session(
            pylibsrtp.Policy(peer.keys.local, pylibsrtp.Policy.SSRC_SPECIFIC, peer.ssrc, profile)
        )
        self._sequence = random.randrange(1 << 15)
        self._timestamp = random.randrange(1 << 32)

    def speak(self) -> int:
        """Send 20 ms of sound; how many packets went."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + 960) & 0xFFFFFFFF
        header = _HEADER.pack(
            0x90, 111, self._sequence, self._timestamp, self._peer.ssrc, 0xBEDE, 1, 0x10, 40
        )
        packet = self._session.protect(header + os.urandom(60))
        try:
            self._peer.socket.sendto(packet, self._peer.address)
        except OSError:
            return 0
        return 1


class Person:
    """One socket's end of the protocol. Hears everybody in the room, as pages do."""

    def __init__(self, crowd: Crowd, url: str, socket: ClientConnection, name: str) -> None:
        self.crowd = crowd
        self._url = url
        self.name = name
        self.joined: Message = {}
        self.publisher_id: str | None = None
        self._socket = socket
        self._waiting: dict[str, asyncio.Future[Message]] = {}
        self._count = 0
        self._own: Peer | None = None
        self._voice: Voice | None = None
        self._heard: dict[str, tuple[str, Peer]] = {}  # by publisher: consumer id, and our end
        self._jobs: set[asyncio.Task[None]] = set()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def arrive(cls, crowd: Crowd, room: str, name: str, token: str | None = None) -> Person:
        """Connect, and join a room. Raises Refused, OSError, and what websockets raises."""
        url = crowd.origin.replace("http", "ws", 1) + "/ws"
        person = cls(crowd, url, await connect(url, open_timeout=PATIENCE), name)
        given = {} if token is None else {"token": token}
        try:
            person.joined = await person.ask("join_room", room=room, name=name, **given)
        except BaseException:
            await person.vanish()
            raise
        person._listen_to_all()
        return person

    async def gone(self) -> None:
        """Wait until the socket is closed."""
        await asyncio.wait([self._reading])

    async def ask(self, type: str, **fields: Any) -> Message:
        """Send a message, and wait for its answer. Raises Refused, ConnectionClosed, TimeoutError."""
        self._count += 1
        id = f"q{self._count}"
        answer = self._waiting[id] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(json.dumps({"type": type, "id": id} | fields))
            message: Message = await asyncio.wait_for(answer, PATIENCE)
        finally:
            del self._waiting[id]
        if message["type"] == "error":
            raise Refused(message)
        return message

    async def publish(self) -> None:
        """Have a connected publisher."""
        created = await self.ask("create_publisher")
        self.publisher_id = created["publisher_id"]
        self._own = await self._answer(
            created["offer"], "publish_audio", publisher_id=self.publisher_id
        )
        if self._own is not None:
            self._voice = Voice(self._own)

    def speak(self, on: bool = True) -> None:
        """Begin to send sound, or cease to; nothing without a publisher."""
        if self._voice is not None:
            (self.crowd.voices.add if on else self.crowd.voices.discard)(self._voice)

    async def unpublish(self) -> None:
        """Close the publisher."""
        id, self.publisher_id = self.publisher_id, None
        self._hang_up()
        await self.ask("close_publisher", publisher_id=id)

    async def resume(self) -> None:
        """Lose the socket, and come back on another one while media goes on. Raises as `arrive` does."""
        self._socket.transport.abort()
        await asyncio.gather(self._reading, *self._jobs, return_exceptions=True)
        self._socket = await connect(self._url, open_timeout=PATIENCE)
        self._reading = asyncio.create_task(self._read())
        token = self.joined["resume_token"]
        self.joined = await self.ask("resume_room", resume_token=token)
        heard = {one["publisher_id"]: one["consumer_id"] for one in self.joined["consumers"]}
        for publisher_id in self._heard.keys() - heard.keys():
            self._forget(publisher_id)
        for publisher_id in heard.keys() - self._heard.keys():  # begun, and cut off by the loss
            await self.ask("close_consumer", consumer_id=heard[publisher_id])
        self._listen_to_all()

    async def leave(self) -> None:
        """Say goodbye, and close everything."""
        await self.ask("leave_room")
        await self.vanish()

    async def close(self) -> None:
        """Close the socket as a page does that is closed, and everything."""
        await self._socket.close()
        await self.vanish()

    async def vanish(self) -> None:
        """Be gone without a word."""
        self._hang_up()
        self._socket.transport.abort()
        for job in tuple(self._jobs):
            job.cancel()
        await asyncio.gather(self._reading, *self._jobs, return_exceptions=True)
        for _, peer in self._heard.values():
            self.crowd.close_peer(peer)
        self._heard.clear()

    def _listen_to_all(self) -> None:
        for other in self.joined["participants"]:
            if other["publisher_id"] not in (None, *self._heard):
                self._begin(self._consume(other["publisher_id"]))

    def _hang_up(self) -> None:
        self.speak(False)
        self._voice = None
        if self._own is not None:
            self.crowd.close_peer(self._own)

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for frame in self._socket:
                message = json.loads(frame)
                waiting = self._waiting.get(message.get("id", ""))
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
                elif message["type"] == "new_publisher":
                    self._begin(self._consume(message["publisher_id"]))
                elif message["type"] == "publisher_closed":
                    self._forget(message["publisher_id"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the socket is closed"))
                waiting.exception()  # whoever waited may be cancelled by now

    def _begin(self, job: Any) -> None:
        task = asyncio.create_task(job)
        self._jobs.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, job: asyncio.Task[None]) -> None:
        self._jobs.discard(job)
        fault = None if job.cancelled() else job.exception()
        if fault is not None:
            self.crowd.faults.append(fault)

    async def _consume(self, publisher_id: str) -> None:
        """Listen to somebody, who may be gone at any time."""
        try:
            created = await self.ask("create_consumer", publisher_id=publisher_id)
            peer = await self._answer(
                created["offer"], "consumer_answer", consumer_id=created["consumer_id"]
            )
        except Refused as refused:
            if refused.code not in _GONE:
                raise
            return
        except (ConnectionError, ConnectionClosed):
            return
        if peer is not None:
            self._heard[publisher_id] = created["consumer_id"], peer

    async def _answer(self, offer: Message, type: str, **which: Any) -> Peer | None:
        """Answer an offer; our end, once both ends are connected, unless it is gone by then."""
        remote, source = read_offer(offer["sdp"])
        peer = self.crowd.open_peer(source)
        try:
            peer.start(remote)
            await self.ask(
                type, **which, answer={"type": "answer", "sdp": write_answer(peer.local)}
            )
            await asyncio.wait_for(peer.connected.wait(), PATIENCE)
        except BaseException:
            self.crowd.close_peer(peer)
            raise
        return peer

    def _forget(self, publisher_id: str) -> None:
        heard = self._heard.pop(publisher_id, None)
        if heard is not None:
            self.crowd.close_peer(heard[1])


def read_offer(text: str) -> tuple[TransportParameters, RtpSource | None]:
    """What an offer of the relay's says of its end: the transport, and what a consumer is to get."""
    description = sdp.parse(text)
    (media,) = description.media
    ufrag, password = description.ice_ufrag(media), description.ice_pwd(media)
    assert ufrag is not None
    assert password is not None
    candidates = tuple(
        IceCandidate(
            one.foundation,
            one.component,
            one.transport,
            one.priority,
            one.address,
            one.port,
            one.type,
        )
        for one in media.all(sdp.Candidate)
    )
    named = next((one for one in media.all(sdp.Ssrc) if one.attribute == "cname"), None)
    return (
        TransportParameters(
            ice=IceParameters(ufrag, password),
            fingerprints=tuple(
                DtlsFingerprint(one.algorithm, one.value) for one in description.fingerprints(media)
            ),
            candidates=candidates,
        ),
        None if named is None else RtpSource(named.id, named.value or ""),
    )


def write_answer(local: TransportParameters) -> str:
    """The answer of a browser that has nothing to add."""
    (fingerprint,) = local.fingerprints
    (candidate,) = local.candidates
    lines = (
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=sendrecv",
        "a=rtcp-mux",
        f"a=ice-ufrag:{local.ice.username_fragment}",
        f"a=ice-pwd:{local.ice.password}",
        f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}",
        "a=setup:active",
        "a=rtpmap:111 opus/48000/2",
        f"a=candidate:1 1 udp {candidate.priority} {candidate.address} {candidate.port} typ host",
        "",
    )
    return "\r\n".join(lines)
