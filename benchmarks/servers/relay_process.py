"""The relay as a process: `python -m benchmarks.servers.relay_process native|python THREADS`."""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import threading
from functools import partial

from benchmarks.fixture import LOCALHOST
from relay import Consumer, PlaneKind, Publisher, Relay, RelayConfig

from . import protocol
from .protocol import Closed, Connected, Counters, Created, tell


class Server:
    """A relay, and its connections by their numbers."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._connections: dict[int, Publisher | Consumer] = {}

    def obey(self, command: protocol.Command) -> None:
        """Do what the load tool wants."""
        match command:
            case protocol.CreatePublisher(number, room):
                publisher = self._relay.create_publisher(room)
                self._keep(number, publisher)
                tell(Created(number, publisher.local))
            case protocol.CreateConsumer(number, publisher_number):
                publisher_of = self._connections[publisher_number]
                assert isinstance(publisher_of, Publisher)
                consumer = self._relay.create_consumer(publisher_of)
                self._keep(number, consumer)
                tell(Created(number, consumer.local, consumer.source))
            case protocol.Connect(number, remote):
                self._connections[number].connect(remote)
            case protocol.Close(number):
                connection = self._connections.pop(number, None)
                if connection is not None:
                    connection.close()
            case protocol.GetCounters():
                stats = self._relay.stats()
                drops = {reason.value: count for reason, count in stats.drops.items()}
                tell(Counters(stats.packets_forwarded, drops, stats.forward_latency.p99))
            case protocol.Burn():
                threading.Thread(target=_burn, daemon=True).start()

    def _keep(self, number: int, connection: Publisher | Consumer) -> None:
        self._connections[number] = connection
        connection.once("connected", partial(tell, Connected(number)))
        connection.once("closed", partial(self._closed, number))

    def _closed(self, number: int, reason: str) -> None:
        if self._connections.pop(number, None) is not None:
            tell(Closed(number, reason))


def _burn() -> None:
    """What an application does that computes in Python, as the README tells it to."""
    sys.setswitchinterval(0.0005)
    for _ in itertools.count():
        sum(range(1000))


async def _main(plane: str, threads: str) -> None:
    relay = Relay(
        RelayConfig(
            media_hosts=(LOCALHOST,),
            media_port=0,
            media_plane=PlaneKind(plane),
            media_threads=int(threads),
        )
    )
    await relay.start()
    gc.collect()
    gc.freeze()  # as `rtp-relay serve` does
    server = Server(relay)
    async for command in protocol.commands():
        server.obey(command)
    await relay.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
