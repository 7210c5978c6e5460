"""A server process under load: started, fed with connections, measured, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from benchmarks import cpu
from benchmarks.fixture import raise_descriptor_limit
from benchmarks.servers import protocol
from benchmarks.servers.protocol import Closed, Connected, Counters, Created
from relay import CloseReason

from .generator import Generator
from .peer import Identity, Peer

PATIENCE = 30.0
"""Seconds for one answer of a server, on a busy machine."""

HOUSEKEEPING_INTERVAL = 0.05

_LINE_LIMIT = 1 << 20


@dataclass(slots=True)
class Connection:
    """A peer and its number. set_up: seconds from asking for it to connected at both ends."""

    number: int
    index: int
    peer: Peer
    asked_at: float = 0.0
    set_up: float = 0.0
    voice: int = -1
    listeners: list[int] = field(default_factory=list)


class Session:
    """Everything between the load tool and one server process."""

    def __init__(self, process: asyncio.subprocess.Process, generator: Generator) -> None:
        self.generator = generator
        self.process = process.pid
        self._process = process
        self._identity = Identity()
        self._number = 0
        self._waiting: dict[tuple[type, int], asyncio.Future[protocol.Event]] = {}
        self._housekeeping = asyncio.create_task(self._keep_house())
        self._reading = asyncio.create_task(self._read())
        self.lost: list[str] = []

    async def publish(self, room: str) -> Connection:
        """A connected publisher, whose voice can speak."""
        connection = await self._connect(lambda number: protocol.CreatePublisher(number, room))
        connection.voice = self.generator.add_voice(connection.peer)
        return connection

    async def consume(self, publisher: Connection, *, open_samples: bool = True) -> Connection:
        """A connected listener of a publisher."""
        connection = await self._connect(
            lambda number: protocol.CreateConsumer(number, publisher.number), publisher.voice
        )
        if open_samples:
            self.generator.open_samples(connection.index)
        return connection

    def leave(self, connection: Connection) -> None:
        """Close a connection at both ends."""
        self._send(protocol.Close(connection.number))
        self.generator.remove(connection.index)

    def burn(self) -> None:
        """Keep a Python thread of the server's busy."""
        self._send(protocol.Burn())

    async def counters(self) -> Counters:
        """What the server counted."""
        answer = self._expect(Counters, 0)
        self._send(protocol.GetCounters())
        counters = await asyncio.wait_for(answer, PATIENCE)
        assert isinstance(counters, Counters)
        return counters

    def used(self) -> cpu.CpuTime:
        """The server's CPU time so far."""
        return cpu.of_process(self.process)

    def resident(self) -> int:
        """The server's memory, in bytes."""
        return cpu.resident_bytes(self.process)

    async def close(self) -> None:
        """Stop the server, and everything here."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), PATIENCE)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        for task in (self._housekeeping, self._reading):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.generator.close()

    async def _connect(
        self, command: Callable[[int], protocol.Command], voice: int = -1
    ) -> Connection:
        self._number += 1
        number, begin, asked_at = self._number, time.perf_counter(), time.time()
        answer = self._expect(Created, number)
        self._send(command(number))
        created = await asyncio.wait_for(answer, PATIENCE)
        assert isinstance(created, Created)
        peer = Peer(self._identity, created.source)
        index = self.generator.add(peer)
        self.generator.listen_to(index, voice)
        ready = self._expect(Connected, number)
        self._send(protocol.Connect(number, peer.local))
        peer.start(created.local)
        await asyncio.wait_for(ready, PATIENCE)
        await asyncio.wait_for(peer.connected.wait(), PATIENCE)
        return Connection(number, index, peer, asked_at, time.perf_counter() - begin)

    def _send(self, command: protocol.Command) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(command) + b"\n")

    def _expect(self, kind: type, number: int) -> asyncio.Future[protocol.Event]:
        future: asyncio.Future[protocol.Event] = asyncio.get_running_loop().create_future()
        self._waiting[kind, number] = future
        return future

    async def _read(self) -> None:
        assert self._process.stdout is not None
        events = msgspec.json.Decoder(protocol.Event)
        while line := await self._process.stdout.readline():
            event = events.decode(line)
            if isinstance(event, Closed):
                if event.reason != CloseReason.SHUTDOWN:
                    self.lost.append(event.reason)
                continue
            number = 0 if isinstance(event, Counters) else event.number
            waiting = self._waiting.pop((type(event), number), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(event)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(RuntimeError("the server's process ended"))

    async def _keep_house(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(HOUSEKEEPING_INTERVAL)
            for peer in tuple(self.generator.peers.values()):
                peer.tick(loop.time())


@contextlib.asynccontextmanager
async def open_session(
    server: str, *arguments: str, peers: int, voices: int
) -> AsyncIterator[Session]:
    """A server process (a module of `benchmarks.servers`) and a generator with so much room."""
    raise_descriptor_limit()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"benchmarks.servers.{server}",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_LIMIT,
    )
    session = Session(process, Generator(peers, voices))
    try:
        yield session
    finally:
        await session.close()


async def in_turn(
    jobs: list[Callable[[], Awaitable[Connection]]], at_once: int
) -> list[Connection]:
    """Run jobs, so many at a time; their results in order."""
    gate = asyncio.Semaphore(at_once)

    async def run(job: Callable[[], Awaitable[Connection]]) -> Connection:
        async with gate:
            return await job()

    return await asyncio.gather(*map(run, jobs))
