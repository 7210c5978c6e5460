"""A NAT at the end of a long wire: UDP between browsers and the relay, each datagram delayed, some lost."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable

Address = tuple[str, int]

_MAX_DATAGRAM = 2048


class SlowLink:
    """Forwards what comes to `front` to the relay, and back, `delay` seconds later each way.

    The relay sees an address of the link's own for each address of a browser. loss_up, loss_down: the share
    of RTP packets that is lost on the way to the relay, and from it; may be changed at any time. dark:
    while true, nothing goes any further.
    """

    def __init__(self, front: Address, relay: Address, delay: float) -> None:
        self.dark = False
        self.loss_up = self.loss_down = 0.0
        self._chance = random.Random(1)
        self._relay = relay
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._by_browser: dict[Address, socket.socket] = {}
        self._front = self._open(self._from_browser)
        self._front.bind(front)

    def rebind(self) -> None:
        """Do as a NAT does that has forgotten everybody: from now on the relay sees other ports, and what
        it sends to the old ones comes to nobody."""
        for each in self._by_browser.values():
            self._loop.remove_reader(each)
            each.close()
        self._by_browser.clear()

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
                lambda answer, _: self._send(self._front, answer, browser, self.loss_down)
            )
        self._send(self._by_browser[browser], datagram, self._relay, self.loss_up)

    def _send(self, sender: socket.socket, datagram: bytes, receiver: Address, loss: float) -> None:
        if _is_rtp(datagram) and self._chance.random() < loss:
            return

        def send() -> None:
            if sender.fileno() != -1 and not self.dark:
                sender.sendto(datagram, receiver)

        self._loop.call_later(self._delay, send)


def _is_rtp(datagram: bytes) -> bool:
    """By its first two bytes (RFC 7983 and RFC 5761): not STUN, DTLS or RTCP."""
    return len(datagram) > 12 and 128 <= datagram[0] < 192 and not 192 <= datagram[1] < 224
