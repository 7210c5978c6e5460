"""A NAT at the end of a long wire: UDP between browsers and the relay, each datagram delayed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

Address = tuple[str, int]

_MAX_DATAGRAM = 2048


class SlowLink:
    """Forwards what comes to `front` to the relay, and back, `delay` seconds later each way.

    The relay sees an address of the link's own for each address of a browser.
    """

    def __init__(self, front: Address, relay: Address, delay: float) -> None:
        self._relay = relay
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._by_browser: dict[Address, socket.socket] = {}
        self._front = self._open(self._from_browser)
        self._front.bind(front)

    def close(self) -> None:
        """Closes every socket; what is still on its way is lost."""
        for each in (self._front, *self._by_browser.values()):
            self._loop.remove_reader(each)
            each.close()

    def _open(self, receive: Callable[[bytes, Address], None]) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setblocking(False)
        self._loop.add_reader(opened, lambda: receive(*opened.recvfrom(_MAX_DATAGRAM)))
        return opened

    def _from_browser(self, datagram: bytes, browser: Address) -> None:
        if browser not in self._by_browser:
            self._by_browser[browser] = self._open(
                lambda answer, _: self._send(self._front, answer, browser)
            )
        self._send(self._by_browser[browser], datagram, self._relay)

    def _send(self, sender: socket.socket, datagram: bytes, receiver: Address) -> None:
        def send() -> None:
            if sender.fileno() != -1:
                sender.sendto(datagram, receiver)

        self._loop.call_later(self._delay, send)
