"""Floor (b) as a process: `python -m benchmarks.floor_process`, its task as JSON on standard input.

Its CPU time is read in C around the loop, so that Python has no part in it.
"""

from __future__ import annotations

import asyncio
import json
import sys

from relay.address import Address, pack_sockaddr
from relay.udp import open_socket

from .fixture import LOCALHOST
from .tools import NANOSECONDS, Tool


async def measure_floor(
    listeners: list[tuple[str, int]], burst: int, interval: int, seconds: float
) -> float:
    """Have a process send to `listeners` in bursts, one each `interval` nanoseconds; the CPU seconds
    that a packet takes."""
    task = {
        "listeners": listeners,
        "burst": burst,
        "interval": interval,
        "ticks": max(1, int(seconds * NANOSECONDS / interval)),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.floor_process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(json.dumps(task).encode())
    if process.returncode:
        raise RuntimeError("the floor's process failed")
    return float(output)


def _main() -> None:
    task = json.load(sys.stdin)
    floor = Tool("floor")
    addresses = [Address(host, port) for host, port in task["listeners"]]
    names = floor.ffi.new("char[]", b"".join(map(pack_sockaddr, addresses)))
    size = task["burst"]
    bursts = floor.ffi.new(
        "struct burst[]", [(first, size) for first in range(0, len(addresses), size)]
    )
    with open_socket(Address(LOCALHOST, 0)) as udp:
        udp.setblocking(True)
        used = floor.lib.floor_bursts(
            names, bursts, len(bursts), udp.fileno(), task["interval"], task["ticks"]
        )
    print(used.nanoseconds / used.packets / NANOSECONDS)


if __name__ == "__main__":
    _main()
