"""The running program: relay and server together, from the start to the signal that ends it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import ssl
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from ipaddress import ip_address, ip_network

from relay import IceCandidate, ParameterError, PlaneKind, Relay, RelayConfig, RelayError
from signaling.access import Access, Key, KeyFault
from signaling.capacity import Capacity
from signaling.config import Config
from signaling.descriptors import ExhaustionHandler, raise_limit
from signaling.errors import ConfigError, StartError
from signaling.events import Observers
from signaling.garbage import collect_as_usual, collect_rarely
from signaling.gate import Gate
from signaling.limits import Addresses, AddressLimits
from signaling.monitoring import Monitor, Settings
from signaling.origins import Origins
from signaling.readers import ANNOUNCE_LOCAL
from signaling.refusals import Refusal, Refusals
from signaling.rooms import Rooms
from signaling.server import SignalingServer
from signaling.site import Site

_WILDCARDS = ("0.0.0.0", "::")

_DRAIN_INTERVAL = 0.1
"""Seconds between two looks at whether the rooms are empty."""


async def run(
    config: Config,
    tell: Callable[[str], None],
    version: str,
    log_lines_lost: Callable[[], int] = lambda: 0,
) -> None:
    """Serve until a signal, then close every connection. tell: takes lines for the operator.
    log_lines_lost: how many of the log's lines could not be written.

    SIGTERM lets the rooms end first, for `drain_timeout` seconds at most; SIGINT, or a second SIGTERM, does
    not wait.

    Raises ConfigError for what cannot be served, StartError for what the machine refuses.
    """
    asked, at_once = asyncio.Event(), asyncio.Event()

    def end(number: signal.Signals) -> None:
        if number is signal.SIGINT or asked.is_set():
            at_once.set()
        asked.set()

    loop = asyncio.get_running_loop()
    raise_limit()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
    service = Service(config, version, log_lines_lost)
    loop.set_exception_handler(
        ExhaustionHandler(loop.time, partial(service.refusals.count, Refusal.NO_DESCRIPTOR))
    )
    await service.start()
    try:
        for line in service.description():
            tell(line)
        # What stands now stands for good. A full collection that looks at it each time makes pauses which
        # the listeners' jitter buffers grow by.
        gc.collect()
        gc.freeze()
        collect_rarely()
        await asked.wait()
        if not at_once.is_set() and config.drain_timeout and not service.is_empty:
            tell(
                f"Waiting up to {config.drain_timeout} s for the rooms to end; again SIGTERM, or SIGINT,"
                " to stop at once"
            )
            await service.drain(config.drain_timeout, at_once)
        tell("Closing every connection")
    finally:
        collect_as_usual()
        await service.close()


class Service:
    """A relay and a server that start and end together. version: told in `/healthz` and at the start.
    observers: who is told what happens in the rooms (`events.py`); add to it at any time.

    Raises ConfigError for a configuration that cannot be served, StartError for a certificate.
    """

    def __init__(
        self, config: Config, version: str, log_lines_lost: Callable[[], int] = lambda: 0
    ) -> None:
        self._config = config
        self._version = version
        self._log_lines_lost = log_lines_lost
        self.access = access_of(config)
        tls = _tls(config)
        self._relay = _relay(config)
        self.observers = Observers()
        self.refusals = Refusals()
        self._capacity = Capacity(config.max_connections, config.max_handshakes, self.refusals)
        self._rooms = Rooms(
            self._relay,
            max_rooms=config.max_rooms,
            max_participants=config.max_participants,
            max_server_participants=config.max_server_participants,
            resume_grace=config.resume_grace,
            access=self.access,
            capacity=self._capacity,
            refusals=self.refusals,
            observers=self.observers,
        )
        site = Site(self._health)
        self._monitor = Monitor(
            self._relay, self._rooms, self.observers, self.access, version, _monitoring(config)
        )
        self._server = SignalingServer(
            self._rooms,
            site,
            config.host,
            config.port,
            tls,
            self._monitor.api,
            _gate(config, self.refusals),
            self.refusals,
            config.join_timeout,
        )

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the web client."""
        host = self._config.host
        if host in _WILDCARDS or not host:
            host = "localhost"
        if ":" in host:
            host = f"[{host}]"
        scheme = "http" if self._config.cert is None else "https"
        return f"{scheme}://{host}:{self._server.port}/"

    async def start(self) -> None:
        """Open all ports. Raises ConfigError and StartError, and none is open then."""
        try:
            await self._relay.start()
        except ParameterError as error:
            raise ConfigError(error.name, f"expected {error.expected}") from error
        except RelayError as error:
            raise StartError("cannot receive media", str(error)) from error
        try:
            await self._server.start()
        except StartError:
            await self._relay.close()
            raise
        self._monitor.start()

    @property
    def is_empty(self) -> bool:
        """Whether nobody is in any room."""
        return len(self._rooms) == 0

    async def drain(self, seconds: int, enough: asyncio.Event | None = None) -> None:
        """Take nobody in any more, tell everyone, and wait for the rooms to end: so many seconds at most,
        or until `enough` is set. `close` is to follow."""
        now = asyncio.get_running_loop().time()
        self._rooms.drain(seconds, now)
        enough = enough or asyncio.Event()
        deadline = now + seconds
        while not (self.is_empty or enough.is_set()):
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), min(left, _DRAIN_INTERVAL))

    async def close(self) -> None:
        """Close media first, which every participant is told of, then the sockets."""
        self._server.drain()
        await self._relay.close()
        await self._server.close()
        await self._monitor.close()

    def description(self) -> list[str]:
        """What the operator has to know at the start: where to go, and what clients will be told."""
        config = self._config
        lines = [f"rtp-relay {self._version}", f"Open {self.url}"]
        if config.host in _WILDCARDS:
            lines.append(f"  or any other address of this machine, port {self._server.port}")
        lines.append(f"Media plane: {self._media_plane()}")
        lines.append(f"Access: {_access_line(self.access)}")
        lines.append("Candidates that clients will get:")
        lines += [f"  {self._candidate_line(item)}" for item in self._relay.candidates]
        told = {ip_address(item.address) for item in self._relay.candidates}
        lines += [
            f"Warning: clients are not told {host}: no media address is of its family."
            for host in config.announce
            if host != ANNOUNCE_LOCAL and ip_address(host) not in told
        ]
        if config.cert is None and not _is_loopback(config.host):
            lines.append(
                "Warning: without --cert and --key browsers give a microphone to pages on localhost"
                " only; from other machines people can just listen."
            )
        return lines

    def _media_plane(self) -> str:
        if self._relay.plane is PlaneKind.PYTHON:
            return "python, on the event loop"
        threads = self._config.media_threads
        kind = "native, on a thread of its own" if threads == 1 else f"native, {threads} threads"
        return f"{kind}, at real-time priority" if self._relay.realtime else kind

    def _candidate_line(self, candidate: IceCandidate) -> str:
        announced = candidate.address in self._config.announce
        host = f"[{candidate.address}]" if ":" in candidate.address else candidate.address
        return (
            f"{candidate.protocol} {host}:{candidate.port} ({'announced' if announced else 'host'})"
        )

    def _health(self) -> dict[str, object]:
        media = self._relay.stats()
        return {
            "status": "draining" if self._rooms.draining else "ok",
            "version": self._version,
            "rooms": len(self._rooms),
            "participants": self._rooms.participant_count,
            "media_plane": self._relay.plane,
            "publishers": media.publishers,
            "consumers": media.consumers,
            "packets_forwarded": media.packets_forwarded,
            "packets_retransmitted": media.packets_retransmitted,
            "packets_recovered": media.packets_recovered,
            "retransmissions_refused": media.retransmissions_refused,
            "forward_latency": asdict(media.forward_latency),
            "drops": media.drops,
            "datagrams_missed": media.datagrams_missed,
            "send_errors": media.send_errors,
            "receive_errors": media.receive_errors,
            "refusals": self.refusals.as_dict(),
            "log_lines_lost": self._log_lines_lost(),
        }


def _gate(config: Config, refusals: Refusals) -> Gate:
    limits = AddressLimits(
        config.address_sockets,
        config.address_socket_rate,
        config.address_join_rate,
        config.address_message_rate,
    )
    return Gate(
        Addresses(limits, refusals),
        refusals,
        config.max_sockets,
        Origins(config.allow_origin),
        [ip_network(proxy) for proxy in config.trusted_proxy],
    )


def access_of(config: Config) -> Access:
    """Who may come in, by the key that the configuration names. Raises ConfigError."""
    if config.auth_key_file is not None:
        source = f"--auth-key-file {config.auth_key_file}"
        try:
            text = config.auth_key_file.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(source, f"cannot be read: {error.strerror}") from error
        except ValueError as error:  # not UTF-8, or a name that no file can have
            raise ConfigError(source, "holds no text") from error
    elif config.auth_secret is not None:
        source, text = "--auth-secret", config.auth_secret
    else:
        return Access()
    try:
        return Access(Key.read(text))
    except KeyFault as error:
        raise ConfigError(source, str(error)) from error


def _relay(config: Config) -> Relay:
    try:
        return Relay(
            RelayConfig(
                media_hosts=config.media_host,
                media_port=config.media_port,
                announce=config.announce,
                media_plane=config.media_plane,
                media_threads=config.media_threads,
                loudest=config.loudest,
                red=config.red,
                realtime=config.realtime,
            )
        )
    except ParameterError as error:
        raise ConfigError(error.name, f"expected {error.expected}") from error


def _monitoring(config: Config) -> Settings:
    return Settings(
        history=config.history,
        history_days=config.history_days,
        history_size=config.history_size,
        webhook=config.webhook,
        webhook_secret=config.webhook_secret,
        traces=config.log_format == "json",
    )


def _tls(config: Config) -> ssl.SSLContext | None:
    if config.cert is None or config.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # An empty password: a key that needs one is refused, rather than asked for at the terminal.
        context.load_cert_chain(config.cert, config.key, password="")
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise StartError(
            f"cannot use certificate {config.cert} with key {config.key}", str(error)
        ) from error
    return context


def _access_line(access: Access) -> str:
    if access.is_open:
        return "open, everybody may join any room; --auth-key-file asks for access tokens"
    return "by access token"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
