"""What the load tool and a server tell each other: one JSON object a line, in place of signaling.

Connections have numbers that the load tool chooses. The server offers, the load tool answers.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import msgspec

from relay import RtpSource, TransportParameters


class CreatePublisher(msgspec.Struct, tag=True):
    """Make a publisher of `room`; `Created` answers."""

    number: int
    room: str


class CreateConsumer(msgspec.Struct, tag=True):
    """Make a consumer of a publisher; `Created` answers."""

    number: int
    publisher: int


class Connect(msgspec.Struct, tag=True):
    """The other end's parameters; `Connected` follows."""

    number: int
    remote: TransportParameters


class Close(msgspec.Struct, tag=True):
    """End a connection."""

    number: int


class GetCounters(msgspec.Struct, tag=True):
    """`Counters` answers."""


class Burn(msgspec.Struct, tag=True):
    """Keep a Python thread of the server's busy from now on."""


class Created(msgspec.Struct, tag=True):
    """What the server offers; source: what a consumer will get."""

    number: int
    local: TransportParameters
    source: RtpSource | None = None


class Connected(msgspec.Struct, tag=True):
    """ICE and DTLS are done."""

    number: int


class Closed(msgspec.Struct, tag=True):
    """A connection ended without being asked to."""

    number: int
    reason: str


class Counters(msgspec.Struct, tag=True):
    """What the server counted since its start. latency_p99: inside the server, in seconds."""

    forwarded: int = 0
    drops: dict[str, int] = {}
    latency_p99: float | None = None


Command = CreatePublisher | CreateConsumer | Connect | Close | GetCounters | Burn
Event = Created | Connected | Closed | Counters

_commands = msgspec.json.Decoder(Command)
_encoder = msgspec.json.Encoder()


async def commands() -> AsyncIterator[Command]:
    """What comes on standard input, until it ends."""
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            yield _commands.decode(line)
    finally:
        transport.close()


def tell(event: Event) -> None:
    """Write to standard output."""
    sys.stdout.buffer.write(_encoder.encode(event) + b"\n")
    sys.stdout.buffer.flush()
