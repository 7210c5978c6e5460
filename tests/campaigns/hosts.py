"""Hosts of the test's own: network namespaces, each at the end of a link that can be made bad.

    this process's namespace, where the relay runs          a host: a browser, say
      tun "toNAME"  10.77.N.1  fd77:N::1   <-- Link -->   tun "relay" 10.77.N.2  fd77:N::2

The link is this process: it reads IP packets from one TUN device and writes them to the other, later, or
never. Not the kernel's netem, which many kernels lack, and which draws other losses each time. It needs
root, and /dev/net/tun.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from tests.campaigns.impairment import NONE, Impairment, Wire
from tests.campaigns.nat import PortTranslator

TUN_DEVICE = Path("/dev/net/tun")

_TUNSETIFF = 0x400454CA
_IFF_TUN_WITHOUT_HEADER = 0x1001
_CLONE_NEWNET = 0x40000000
_FAR_DEVICE = "relay"
_MAX_PACKET = 2048
_AT_ONCE = 64

_libc = ctypes.CDLL(None, use_errno=True)


def available() -> bool:
    """Whether hosts can be made here."""
    return os.access(TUN_DEVICE, os.R_OK | os.W_OK) and os.geteuid() == 0


class Host:
    """A network namespace with one link to ours. number: 1 to 255, of its addresses.

    outward, inward: the wires from the host to us, and back. translator: set, packets of UDP pass it.
    """

    def __init__(self, name: str, number: int, seed: int = 1) -> None:
        self.name = name
        self.outward = Wire(NONE, seed)
        self.inward = Wire(NONE, seed + 1)
        self.translator: PortTranslator | None = None
        self._number = number
        self._loop = asyncio.get_running_loop()
        # It ends when its input does, also when we are killed.
        self._holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
        self._namespace = Path(f"/proc/{self._holder.pid}/ns/net")
        _wait_for_other_namespace(self._namespace)
        self._device = f"to{name}"
        self._here = _open_tun(self._device)
        with _inside(self._namespace):
            self._there = _open_tun(_FAR_DEVICE)
        self._configure([], self._device, 1)
        self._configure(self.command(), _FAR_DEVICE, 2)
        subprocess.run([*self.command(), "ip", "link", "set", "dev", "lo", "up"], check=True)
        self._loop.add_reader(self._there, self._pump, self._there, self._here, self.outward)
        self._loop.add_reader(self._here, self._pump, self._here, self._there, self.inward)

    @property
    def relay_address(self) -> str:
        """Ours, as the host sees us."""
        return f"10.77.{self._number}.1"

    @property
    def relay_address_v6(self) -> str:
        """Likewise."""
        return f"fd77:{self._number:x}::1"

    def command(self, *words: str) -> list[str]:
        """A command that runs `words` on this host."""
        return ["nsenter", f"--net={self._namespace}", *words]

    def impair(self, impairment: Impairment) -> None:
        """Make the link like this from now on, both ways."""
        self.outward.impairment = self.inward.impairment = impairment

    def cut(self, *, off: bool) -> None:
        """Take the link down, or up again."""
        self.outward.up = self.inward.up = not off

    def limit(self, mtu: int) -> None:
        """Let no IP packet pass that is longer than this many bytes; both ends know it."""
        for prefix, device in (([], self._device), (self.command(), _FAR_DEVICE)):
            command = [*prefix, "ip", "link", "set", "dev", device, "mtu", str(mtu)]
            subprocess.run(command, check=True)

    def without_ipv4(self) -> None:
        """Leave the host IPv6 alone."""
        for prefix, device in (([], self._device), (self.command(), _FAR_DEVICE)):
            subprocess.run([*prefix, "ip", "-4", "address", "flush", "dev", device], check=True)

    def close(self) -> None:
        """End the namespace and everything that runs in it."""
        for descriptor in (self._here, self._there):
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
        self._here = self._there = -1
        assert self._holder.stdin is not None
        self._holder.stdin.close()
        self._holder.wait()

    def _configure(self, prefix: list[str], device: str, last: int) -> None:
        for address in (f"10.77.{self._number}.{last}/24", f"fd77:{self._number:x}::{last}/64"):
            nodad = ["nodad"] if ":" in address else []
            add = [*prefix, "ip", "address", "add", address, "dev", device, *nodad]
            subprocess.run(add, check=True)
        subprocess.run([*prefix, "ip", "link", "set", "dev", device, "up"], check=True)
        if prefix:  # browsers find their own address by the way to the internet
            for family, gateway in (("-4", self.relay_address), ("-6", self.relay_address_v6)):
                route = [*prefix, "ip", family, "route", "add", "default", "via", gateway]
                subprocess.run(route, check=True)

    def _pump(self, source: int, sink: int, wire: Wire) -> None:
        for _ in range(_AT_ONCE):
            try:
                packet = os.read(source, _MAX_PACKET)
            except BlockingIOError:
                return
            if not _is_unicast(packet):  # router solicitations and the like
                continue
            now = self._loop.time()
            for arrival in wire.carry(now):
                self._loop.call_at(arrival, self._deliver, sink, packet)

    def _deliver(self, sink: int, packet: bytes) -> None:
        if self.translator is not None:
            outward = sink == self._here
            translate = self.translator.outbound if outward else self.translator.inbound
            translated = translate(packet)
            if translated is None:
                return
            packet = translated
        if self._here != -1:
            with contextlib.suppress(BlockingIOError):
                os.write(sink, packet)


def _is_unicast(packet: bytes) -> bool:
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        return not ip_address(packet[16:20]).is_multicast
    return version == 6 and len(packet) >= 40 and not ip_address(packet[24:40]).is_multicast


def _open_tun(name: str) -> int:
    """A TUN device of the calling thread's namespace; its descriptor."""
    descriptor = os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    request = struct.pack("16sH22x", name.encode(), _IFF_TUN_WITHOUT_HEADER)
    fcntl.ioctl(descriptor, _TUNSETIFF, request)
    return descriptor


@contextlib.contextmanager
def _inside(namespace: Path) -> Iterator[None]:
    """Have the calling thread in another network namespace for a while."""
    with open("/proc/thread-self/ns/net", "rb") as home, namespace.open("rb") as away:
        _enter(away.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _wait_for_other_namespace(namespace: Path) -> None:
    """`unshare` has made it when it is not ours any more."""
    ours = os.readlink("/proc/self/ns/net")
    while os.readlink(namespace) == ours:
        os.sched_yield()
