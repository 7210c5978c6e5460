"""WebSockets of which every byte is the attacker's: frames that no client would send, and too many of those
that it would.

Half of the sockets never read, and have next to no room for what comes. Some are in a room of their own, so
that they may stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator

from .field import Field
from .visitors import PATIENCE, swarm

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
"""Opcodes (RFC 6455 §11.8)."""

_HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(opcode: int, data: bytes = b"", *, fin: bool = True, reserved: int = 0) -> bytes:
    """A frame that is masked by zeros. reserved: RSV1 to RSV3, as bits."""
    head = bytes(((fin << 7) | reserved << 4 | opcode,))
    if len(data) < 126:
        length = bytes((0x80 | len(data),))
    elif len(data) < 1 << 16:
        length = b"\xfe" + len(data).to_bytes(2, "big")
    else:
        length = b"\xff" + len(data).to_bytes(8, "big")
    return head + length + bytes(4) + data


# What goes on for ever, a piece at a time. None of it is wrong.

_Course = Callable[[random.Random], Iterator[bytes]]


def _pings(dice: random.Random) -> Iterator[bytes]:
    while True:
        yield frame(dice.choice((PING, PONG)), dice.randbytes(dice.choice((0, 4, 125))))


def _endless_message(dice: random.Random) -> Iterator[bytes]:
    yield frame(TEXT, b"{", fin=False)
    while True:
        yield frame(CONT, b"" if dice.random() < 0.9 else b" ", fin=False)


def _interleaved(dice: random.Random) -> Iterator[bytes]:
    """Messages in parts, with control frames between those (§5.4)."""
    while True:
        parts = [frame(CONT, b" ", fin=False)] * dice.randrange(4)
        for part in (frame(TEXT, b"{", fin=False), *parts, frame(CONT, b"}")):
            yield part + frame(dice.choice((PING, PONG)), b"x" * dice.randrange(126))


def _trickle(dice: random.Random) -> Iterator[bytes]:
    """The largest message, byte by byte, and again."""
    while True:
        for byte in frame(TEXT, b" " * (1 << 16)):
            yield bytes((byte,))


FLOODS: tuple[_Course, ...] = (_pings, _endless_message, _interleaved, _trickle)

# What must end the socket.

WRONG: dict[str, bytes] = {
    "unmasked": b"\x81\x02{}",
    "unmasked ping": b"\x89\x00",
    **{f"reserved bit {bit}": frame(TEXT, b"{}", reserved=1 << bit) for bit in range(3)},
    **{f"opcode {opcode}": frame(opcode) for opcode in (*range(3, 8), *range(11, 16))},
    "of 2^63 bytes": b"\x81\xff" + (1 << 63).to_bytes(8, "big") + bytes(4),
    "of 2^64 - 1 bytes": b"\x82\xff" + b"\xff" * 8 + bytes(4),
    "one byte too long": frame(TEXT, b" " * ((1 << 16) + 1)),
    "too long in parts": frame(TEXT, b" " * 40_000, fin=False) + frame(CONT, b" " * 40_000),
    "ping in parts": frame(PING, fin=False),
    "long ping": frame(PING, b"x" * 126),
    "continuation of nothing": frame(CONT, b"{}"),
    "message in a message": frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"),
    "text that is none": frame(TEXT, b"\xff\xfe"),
    "cut text": frame(TEXT, b"\xe2\x82", fin=False) + frame(CONT),
    "binary": frame(BINARY, b"{}"),
    "close of one byte": frame(CLOSE, b"\x03"),
    "close with a code of nobody's": frame(CLOSE, (999).to_bytes(2, "big")),
    "close with a code that is never sent": frame(CLOSE, (1006).to_bytes(2, "big")),
    "close with a reason that is no text": frame(CLOSE, b"\x03\xe8\xff\xff"),
    "long close": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
    "close": frame(CLOSE, b"\x03\xe8"),
    "empty close": frame(CLOSE),
    "close twice": frame(CLOSE) * 2,
    "close in a message": frame(TEXT, b"{", fin=False) + frame(CLOSE),
}


@contextlib.asynccontextmanager
async def bare_socket(
    host: str, port: int, source: str, *, narrow: bool = False
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A WebSocket of which the caller writes every byte. narrow: of what is not read, the system keeps as
    little as it can."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    if narrow:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    try:
        made.bind((source, 0))
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_connect(made, (host, port))
            # A limit of 1: the stream reads no further while nobody wants it.
            reader, writer = await asyncio.open_connection(
                sock=made, limit=1 if narrow else 1 << 16
            )
    except BaseException:
        made.close()
        raise
    try:
        writer.write(_HANDSHAKE)
        async with asyncio.timeout(PATIENCE):
            if b" 101 " not in await reader.readexactly(16):
                raise ConnectionError("refused")
        yield reader, writer
    finally:
        writer.transport.abort()


async def frames(field: Field) -> None:
    """Pings, pongs and parts without end, frames that are wrong, and more after the end."""

    async def one(source: str) -> None:
        reads = field.dice.random() < 0.5
        async with bare_socket(field.host, field.port, source, narrow=not reads) as (
            reader,
            writer,
        ):
            reading = asyncio.create_task(_read_all(reader)) if reads else None
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(field.dice.uniform(0.1, 2)):
                        await _misbehave(field, source, writer)
            finally:
                if reading is not None:
                    reading.cancel()

    await swarm(field, 16, one)


async def _misbehave(field: Field, source: str, writer: asyncio.StreamWriter) -> None:
    dice = field.dice
    if dice.random() < 0.5:
        room = {"type": "join_room", "room": f"frames{source}", "name": "x"}
        writer.write(frame(TEXT, json.dumps(room).encode()))
    if dice.random() < 0.5:
        writer.write(WRONG[dice.choice(tuple(WRONG))])
        field.count("wrong frames")
    many, pause = dice.choice(
        ((200, 0.001), (1, 0.025))
    )  # at once, or as slowly as is allowed for ever
    for count, piece in enumerate(dice.choice(FLOODS)(dice), start=1):
        if writer.is_closing():
            raise ConnectionError("closed")
        writer.write(piece)
        field.count("pieces of frames" if len(piece) == 1 else "frames")
        if count % many == 0:
            await writer.drain()
            await asyncio.sleep(pause)


async def _read_all(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(1 << 16):
            pass
