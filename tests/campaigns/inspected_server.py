"""The real service as a process that can be looked into: `python -m tests.campaigns.inspected_server`.

Options are those of `rtp-relay serve`, as `--name=value`. A line on its input is answered by one on its
output: an `Inspection` as JSON. It ends when its input does.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import sys
from dataclasses import asdict, dataclass
from typing import Any

from relay import COPY_REASONS
from relay.native import NativePlane
from signaling.config import load
from signaling.service import Service


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a process holds. resident: bytes; allocated: those that malloc has given out; blocks: what
    Python's own allocator, which has all that is small, has given out; tables: entries by the table's name;
    used: datagrams that were taken, by protocol; dropped: datagrams, by reason; copies_dropped: those for
    listeners, likewise; the rest: see `relay.RelayStats`."""

    tasks: int
    descriptors: int
    objects: int
    resident: int
    allocated: int
    blocks: int
    tables: dict[str, int]
    datagrams_received: int
    rtp_packets_received: int
    packets_forwarded: int
    used: dict[str, int]
    dropped: dict[str, int]
    copies_dropped: dict[str, int]


class _MallocInfo(ctypes.Structure):
    """glibc's `struct mallinfo2`. hblkhd, uordblks: bytes given out, from mmap and from elsewhere."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def _allocated() -> int:
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = _MallocInfo
    info = ask()
    return int(info.hblkhd + info.uordblks)


def inspect(service: Service) -> Inspection:
    """Look into a service of this process."""
    relay, rooms = service._relay, service._rooms
    router, stats = relay._router, relay.stats()
    if isinstance(router.plane, NativePlane):
        for paths in router.plane._paths:
            paths.clear()  # a cache: how full it is when we look says nothing
    gc.collect()
    with open("/proc/self/statm") as statm:
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return Inspection(
        tasks=len(asyncio.all_tasks()),
        descriptors=len(os.listdir("/proc/self/fd")),
        objects=len(gc.get_objects()),
        resident=resident,
        allocated=_allocated(),
        blocks=sys.getallocatedblocks(),
        tables={
            "rooms": len(rooms),
            "participants": rooms.participant_count,
            "publishers": stats.publishers,
            "consumers": stats.consumers,
            "bound addresses": stats.bound_addresses,
            "ICE agents": len(router.ice._agents),
            "ICE transactions": len(router.ice.transactions),
            "connections": len(relay._connections),
            "outboxes": len(service._server._sessions),
        },
        datagrams_received=stats.datagrams_received,
        rtp_packets_received=stats.rtp_packets_received,
        packets_forwarded=stats.packets_forwarded,
        used={"rtp": stats.rtp_packets_accepted, **stats.control_used},
        dropped={
            reason.value: count
            for reason, count in stats.drops.items()
            if reason not in COPY_REASONS
        },
        copies_dropped={
            reason.value: count for reason, count in stats.drops.items() if reason in COPY_REASONS
        },
    )


async def main(arguments: list[str]) -> None:
    """Serve until the input ends."""
    flags: dict[str, Any] = {}
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        flags[name] = (*flags.get(name, ()), value) if name == "media_host" else value
    service = Service(load(flags, {}), "soak")
    await service.start()
    print(json.dumps({"url": service.url}), flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(asdict(inspect(service))), flush=True)
    await service.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
