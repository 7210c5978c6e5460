"""What every attack gets: where the server is, what it may know, and how long it goes on."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from relay.address import Address

from .bystanders import Facts

_TICK = 0.005  # s between two bursts of a flood


@dataclass
class Field:
    """url: of the web page. seconds: an attack's. rate: datagrams a second of a flood. many: of what an
    attack opens. sent: what attackers did so far, by name. faults: what they saw that must not be."""

    url: str
    facts: Facts
    seconds: float
    rate: int
    many: int
    dice: random.Random
    sent: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def relay(self) -> Address:
        """Where the UDP port is."""
        return Address(*self.facts.relay)

    @property
    def host(self) -> str:
        """Of the web page."""
        return self.url.split("/")[2].rpartition(":")[0]

    @property
    def port(self) -> int:
        """Of the web page."""
        return int(self.url.split("/")[2].rpartition(":")[2])

    def count(self, what: str, more: int = 1) -> None:
        """Something was done."""
        self.sent[what] = self.sent.get(what, 0) + more

    async def flood(self, what: str, send: Callable[[], None]) -> None:
        """Call `send` at the rate, until the time is over."""
        began = time.monotonic()
        done = 0
        while (passed := time.monotonic() - began) < self.seconds:
            due = int(passed * self.rate) - done
            # A burst is bounded: what could not be done in time is not done later.
            for _ in range(min(due, self.rate // 20)):
                send()
            done += due
            self.count(what, min(due, self.rate // 20))
            await asyncio.sleep(_TICK)


def attackers() -> Iterator[str]:
    """Addresses for attackers, each another: on loopback anybody may have any of 127.0.0.0/8."""
    for second, third, fourth in itertools.product(range(1, 200), range(256), range(1, 255)):
        yield f"127.{second}.{third}.{fourth}"


def udp(host: str = "0.0.0.0") -> socket.socket:
    """A socket of an attacker's that waits for nothing."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind((host, 0))
    return made


def somebody(field: Field) -> Address:
    """The address of one of the people who talk."""
    return Address(*field.dice.choice(field.facts.addresses))


class Spoofer:
    """Sends UDP from addresses that are other people's. It needs the right to raw sockets; `available`
    tells whether there is."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        try:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        except PermissionError:
            return
        self._socket.setblocking(False)

    @property
    def available(self) -> bool:
        """Whether it can."""
        return self._socket is not None

    def send(self, datagram: bytes, sender: Address, receiver: Address) -> None:
        """One datagram that seems to be `sender`'s; without a UDP checksum, which IPv4 allows."""
        assert self._socket is not None
        length = 8 + len(datagram)
        header = struct.pack("!HHHH", sender.port, receiver.port, length, 0)
        ip = struct.pack(
            "!BBHHHBBH4s4s",
            0x45,
            0,
            20 + length,
            0,
            0,
            64,
            socket.IPPROTO_UDP,
            0,
            socket.inet_aton(sender.host),
            socket.inet_aton(receiver.host),
        )
        try:
            self._socket.sendto(ip + header + datagram, (receiver.host, 0))
        except OSError:
            return

    def close(self) -> None:
        """Close the raw socket."""
        if self._socket is not None:
            self._socket.close()
