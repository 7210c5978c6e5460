"""Datagrams from whoever can reach the UDP port, or even write other people's addresses on them."""

from __future__ import annotations

import contextlib
import secrets
import struct
from collections.abc import Callable

from benchmarks.load import stun
from relay.address import Address
from relay.certificate import Certificate
from tests.relay.openssl import OpenSslPeer

from .field import Field, Spoofer, somebody, udp

_COOKIE = bytes.fromhex("2112a442")
_SOCKETS = 32
_OVERSIZED = (1501, 2000, 9000, 65_507)
_FIRST_BYTES = (0, 1, 2, 3, 19, 20, 22, 25, 63, 64, 79, 127, 128, 129, 144, 191, 192, 255)


class _Sockets:
    """Many sockets that send to the relay, one after the other."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._sockets = [udp(f"127.1.0.{index + 1}") for index in range(_SOCKETS)]

    def send(self, datagram: bytes) -> None:
        """From any of them."""
        with contextlib.suppress(BlockingIOError):
            self._field.dice.choice(self._sockets).sendto(datagram, self._field.relay)

    def __enter__(self) -> _Sockets:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()


async def noise(field: Field) -> None:
    """Bytes of all sizes behind every first byte: empty, truncated, oversized."""
    dice = field.dice

    def send() -> None:
        size = dice.choice(_OVERSIZED) if dice.random() < 0.02 else dice.randrange(1500)
        head = bytes((dice.choice(_FIRST_BYTES), dice.randrange(256)))
        sockets.send((head + dice.randbytes(size))[: size if dice.random() < 0.9 else 2])

    with _Sockets(field) as sockets:
        await field.flood("datagrams", send)


async def stun_from_strangers(field: Field) -> None:
    """Checks for names that nobody has, answers to nothing, messages that are long to read."""
    addresses = struct.pack("!HH", 0x0020, 20) + b"\0\2" + bytes(18)
    long = b"\0\1" + (60 * 24).to_bytes(2, "big") + _COOKIE + bytes(12) + addresses * 60
    short = b"\0\1" + (360 * 4).to_bytes(2, "big") + _COOKIE + bytes(12) + b"\x80\x22\0\0" * 360
    made: tuple[Callable[[], bytes], ...] = (
        lambda: stun.check(f"{secrets.token_hex(4)}:peer", "x" * 24, 1),
        lambda: stun.answer(bytes(8) + secrets.token_bytes(12), Address("127.0.0.1", 9), "x" * 24),
        lambda: b"\0\x11\0\0" + _COOKIE + secrets.token_bytes(12),
        lambda: long,
        lambda: short,
    )
    with _Sockets(field) as sockets:
        await field.flood("datagrams", lambda: sockets.send(field.dice.choice(made)()))


async def forged_stun(field: Field) -> None:
    """Checks that name real connections, under other passwords; from people's own addresses, too."""
    with _Sockets(field) as sockets, contextlib.closing(Spoofer()) as spoofer:

        def send() -> None:
            name = field.dice.choice(field.facts.names)
            check = stun.check(f"{name}:peer", "x" * 24, 1)
            if spoofer.available and field.dice.random() < 0.5:
                spoofer.send(check, somebody(field), field.relay)
            else:
                sockets.send(check)

        await field.flood("datagrams", send)


async def client_hellos(field: Field) -> None:
    """Handshakes from addresses that no ICE check came by, and from people's own."""
    peer = OpenSslPeer(Certificate.generate(), client=True)
    hellos = peer.datagrams()
    with _Sockets(field) as sockets, contextlib.closing(Spoofer()) as spoofer:

        def send() -> None:
            hello = field.dice.choice(hellos)
            if spoofer.available and field.dice.random() < 0.5:
                spoofer.send(hello, somebody(field), field.relay)
            else:
                sockets.send(hello)

        await field.flood("datagrams", send)


async def media(field: Field) -> None:
    """SRTP and SRTCP: replayed, changed, and made up, from strangers' addresses and from people's own."""
    captured = [bytes.fromhex(each) for each in (*field.facts.sent, *field.facts.reports * 20)]
    dice = field.dice

    def made() -> bytes:
        datagram = dice.choice(captured)
        match dice.randrange(4):
            case 0:
                return datagram
            case 1:
                at = dice.randrange(len(datagram))
                return datagram[:at] + bytes((datagram[at] ^ 0x55,)) + datagram[at + 1 :]
            case 2:
                return datagram[: dice.randrange(len(datagram))]
            case _:
                head = bytes((0x80, dice.choice((111, 200, 201)))) + dice.randbytes(6)
                return head + dice.choice(field.facts.ssrcs).to_bytes(4, "big") + dice.randbytes(80)

    with _Sockets(field) as sockets, contextlib.closing(Spoofer()) as spoofer:

        def send() -> None:
            if spoofer.available and dice.random() < 0.5:
                spoofer.send(made(), somebody(field), field.relay)
            else:
                sockets.send(made())

        await field.flood("datagrams", send)


async def cut_and_stretched(field: Field) -> None:
    """What is right, but for its end: cut anywhere, or with more behind it than any datagram has; from
    strangers' addresses and from people's own."""
    dice = field.dice
    right = [
        *OpenSslPeer(Certificate.generate(), client=True).datagrams(),
        *(stun.check(f"{name}:peer", "x" * 24, 1) for name in field.facts.names),
        *(bytes.fromhex(datagram) for datagram in field.facts.sent[:5]),
        *(bytes.fromhex(datagram) for datagram in field.facts.reports[:5]),
    ]

    def made() -> bytes:
        datagram = dice.choice(right)
        if dice.random() < 0.9:
            return datagram[: dice.randrange(len(datagram))]
        return (datagram + dice.randbytes(dice.choice((1, 4, 400, *_OVERSIZED))))[:65_507]

    with _Sockets(field) as sockets, contextlib.closing(Spoofer()) as spoofer:

        def send() -> None:
            datagram = made()
            if spoofer.available and len(datagram) <= 1400 and dice.random() < 0.5:
                spoofer.send(datagram, somebody(field), field.relay)
            else:
                sockets.send(datagram)

        await field.flood("datagrams", send)
