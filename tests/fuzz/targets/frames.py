"""Signaling messages: courses of frames to sessions in rooms, over a real relay that has no sockets.

In a frame `$PA` stands for the id of client A's latest publisher, `$CA` for that of its latest consumer,
and `$ANSWER` and `$CANDIDATE` for whole valid ones: what only the server or a browser could know.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

from relay import ConnectionState, Relay, RelayConfig
from relay.address import Address, Path
from relay.plane import Control, MediaPlane
from relay.srtp import PROFILES, SrtpKeys
from signaling.messages import Reason
from tests.fuzz.clock import FlyingLoop
from tests.fuzz.course import Step, join, split
from tests.fuzz.target import Target, require
from tests.relay.fake_plane import FakePlane
from tests.signaling.lab import Client, Lab, answer, candidate
from tests.signaling.scene import VALID

_LOOP = FlyingLoop()
_NAMES = "ABCD"
_KEYS = SrtpKeys(PROFILES[0], bytes(28), bytes(28))
_LOCAL = Address("192.0.2.1", 40_000)
_MAX_WAIT = 120  # seconds: consent expires after 30, reports go every 5

FRAME, CONNECT, FAIL, WAIT, END, LEVELS = range(6)
"""Operations; times 4, plus the client's number. FRAME's argument: the frame; WAIT's: as many seconds
as it has bytes."""


class _Relay(Relay):
    """Its plane sends nothing anywhere: candidates of an input point where they like."""

    def _create_plane(self, control: Control) -> MediaPlane:
        return FakePlane(control)


_RELAY = _Relay(RelayConfig(media_hosts=(_LOCAL.host,), media_port=_LOCAL.port))
_LOOP.run_until_complete(_RELAY.start())


class _World:
    def __init__(self) -> None:
        self.lab = Lab(max_rooms=3, max_participants=3, relay=_RELAY)
        self.clients = [self.lab.client() for _ in _NAMES]

    async def take(self, step: Step) -> None:
        operation, argument = step
        self.lab.now = asyncio.get_running_loop().time()
        number = operation % 4
        client = self.clients[number]
        match operation // 4 % 6:
            case 0:
                self._feed(client, argument)
            case 1:
                _let_connect()
            case 2:
                for connection in tuple(_RELAY._connections):
                    connection._transport_failed("the input says so")
            case 3:
                await asyncio.sleep(min(len(argument), _MAX_WAIT))
            case 4:
                client.session.end(Reason.DISCONNECTED)
                self.clients[number] = self.lab.client()
            case 5:
                self.lab.rooms.tell_levels(self.lab.now)
        await asyncio.sleep(0)
        require(len(self.lab.rooms) <= 3, "rooms are bounded")
        require(self.lab.rooms.participant_count <= len(_NAMES), "a socket is one participant")
        require(len(_RELAY._connections) <= 4 * 3, "connections are bounded by participants")

    def _feed(self, client: Client, argument: bytes) -> None:
        text = argument.decode("utf-8", "replace")
        for name, value in self._known():
            text = text.replace(name, value)
        before = len(client.told)
        client.feed(text)
        found = client.told[before:]
        require(
            all(message.get("code") != "internal" for message in found),
            "no message meets a fault of the server's own",
        )

    def _known(self) -> Iterator[tuple[str, str]]:
        yield "$ANSWER", json.dumps(answer())
        yield "$CANDIDATE", json.dumps(candidate())
        for name, client in zip(_NAMES, self.clients, strict=True):
            for message in client.told:
                if message["type"] == "publisher_created":
                    yield f"$P{name}", message["publisher_id"]
                elif message["type"] == "consumer_created":
                    yield f"$C{name}", message["consumer_id"]

    async def close(self) -> None:
        """Every socket goes; nothing is left then."""
        for client in self.lab.clients:
            client.session.end(Reason.DISCONNECTED)
        await _RELAY._router.ice.close()
        require(len(self.lab.rooms) == 0, "no room outlives its participants")
        require(not _RELAY._connections, "no connection outlives its participant")
        require(not _RELAY._router.bindings, "no path outlives its connection")


def _let_connect() -> None:
    """ICE and DTLS of whoever has answered are done."""
    for connection in tuple(_RELAY._connections):
        transport = connection._transport
        if transport.state is ConnectionState.CONNECTING:
            transport._keys = _KEYS
            transport._path_selected(1, Path(_LOCAL, Address("198.51.100.7", 5000)))


def run(data: bytes) -> None:
    """A course in empty rooms."""

    async def course() -> None:
        world = _World()
        try:
            for step in split(data):
                await world.take(step)
        finally:
            await world.close()

    _LOOP.play(course)


def _frame(client: int, type: str, **fields: object) -> Step:
    message = {"type": type, "id": "q"} | VALID[type] | fields
    text = json.dumps(message)
    for name in ("$ANSWER", "$CANDIDATE"):
        text = text.replace(f'"{name}"', name)
    return 4 * FRAME + client, text.encode()


def _seeds() -> Iterator[list[Step]]:
    a_publishes: list[Step] = [
        _frame(0, "join_room"),
        _frame(1, "join_room", name="Bob"),
        _frame(0, "create_publisher"),
        _frame(0, "publisher_ice_candidate", publisher_id="$PA", candidate="$CANDIDATE"),
        _frame(0, "publish_audio", publisher_id="$PA", answer="$ANSWER"),
        (4 * CONNECT, b""),
    ]
    b_listens: list[Step] = [
        _frame(1, "create_consumer", publisher_id="$PA"),
        _frame(1, "consumer_answer", consumer_id="$CB", answer="$ANSWER"),
        _frame(1, "consumer_ice_candidate", consumer_id="$CB", candidate="$CANDIDATE"),
        (4 * CONNECT, b""),
    ]
    for last in (
        _frame(0, "close_publisher", publisher_id="$PA"),
        _frame(1, "close_consumer", consumer_id="$CB"),
        _frame(0, "leave_room"),
        _frame(1, "leave_room"),
        _frame(0, "set_muted"),
        _frame(1, "get_stats"),
        (4 * END, b""),
        (4 * FAIL, b""),
        (4 * WAIT, bytes(60)),
        (4 * LEVELS, b""),
    ):
        yield [*a_publishes, *b_listens, last, _frame(0, "join_room"), _frame(1, "get_stats")]
    yield [_frame(0, type) for type in VALID]
    yield [_frame(0, "join_room"), *(_frame(0, type) for type in VALID)]
    yield [(0, text) for text in (b"", b"[]", b"{", b'{"type":1}', b'{"type":"x","id":"y"}')]


def seeds() -> list[bytes]:
    """A conversation, and every end that it can take; each message alone."""
    return [join(steps) for steps in _seeds()]


TARGET = Target(run, seeds, max_length=12_000, course=True)
