"""The options of `rtp-relay serve`: one row each, and four places where a value may come from.

A flag (`--media-port`) goes before an environment variable (`RTP_RELAY_MEDIA_PORT`), that before the TOML
file (`media_port`), that before the default. Whatever is wrong is said with the place that it came from.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from relay import MAX_LOUDEST, MAX_MEDIA_THREADS, PlaneKind, RelayConfig
from signaling import readers
from signaling.errors import ConfigError
from signaling.limits import AddressLimits
from signaling.logs import FORMATS as LOG_FORMATS

ENVIRONMENT_PREFIX = "RTP_RELAY_"
CONFIG_VARIABLE = "RTP_RELAY_CONFIG"
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Config:
    """How to serve.

    host, port: of HTTP and WebSocket; port 0 picks a free one. media_host, media_port, announce,
    media_plane, media_threads, realtime, loudest, red: see `RelayConfig`. cert, key: PEM files, both or
    none. max_participants: in a room. resume_grace: seconds. auth_secret, auth_key_file: what tokens are
    checked by (`access.py`), one or none; it is open to everybody without. allow_origin: origins, or `*`;
    none for the server's own. trusted_proxy: addresses and networks. address_...: see `AddressLimits`.
    join_timeout: seconds that a socket may be in no room; 0: for ever. drain_timeout: seconds. history: a
    file, None for the usual place; history_days: 0 for no history; history_size: MiB. webhook: a URL;
    webhook_secret: signs.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    media_host: tuple[str, ...] = ()
    media_port: int = RelayConfig().media_port
    announce: tuple[str, ...] = ()
    media_plane: PlaneKind = RelayConfig().media_plane
    media_threads: int = RelayConfig().media_threads
    realtime: bool = RelayConfig().realtime
    loudest: int = RelayConfig().loudest
    red: bool = RelayConfig().red
    cert: Path | None = None
    key: Path | None = None
    auth_secret: str | None = field(default=None, repr=False)
    auth_key_file: Path | None = None
    allow_origin: tuple[str, ...] = ()
    trusted_proxy: tuple[str, ...] = ()
    max_participants: int = 100
    max_rooms: int = 1000
    max_server_participants: int = 10_000
    max_connections: int = 50_000
    max_handshakes: int = 5000
    max_sockets: int = 10_000
    address_sockets: int = AddressLimits().sockets
    address_socket_rate: int = AddressLimits().socket_rate
    address_join_rate: int = AddressLimits().join_rate
    address_message_rate: int = AddressLimits().message_rate
    join_timeout: int = 30
    drain_timeout: int = 30
    resume_grace: int = 10
    history: Path | None = None
    history_days: int = 30
    history_size: int = 512
    webhook: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)
    log_format: str = "text"
    log_level: str = "info"

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            given, missing = ("cert", "key") if self.key is None else ("key", "cert")
            raise ConfigError(f"--{given}", f"needs --{missing} as well; HTTPS takes both")
        if self.auth_secret is not None and self.auth_key_file is not None:
            raise ConfigError("--auth-secret", "one key is enough, and there is --auth-key-file")


@dataclass(frozen=True, slots=True)
class Option:
    """One option. name: as in `Config`. read: makes a value of a flag's or variable's text, or of what
    TOML holds. many: whether it may be given more than once. secret: whether its value is not to be
    shown. guards: whether everybody may come in without it."""

    name: str
    read: Callable[[object], Any]
    metavar: str
    help: str
    many: bool = False
    secret: bool = False
    guards: bool = False

    @property
    def flag(self) -> str:
        """On the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """In the environment."""
        return ENVIRONMENT_PREFIX + self.name.upper()


def _plane(value: object) -> PlaneKind:
    return PlaneKind(readers.one_of(tuple(PlaneKind))(value))


_MANY = readers.integer(1, 1_000_000)
_MANY_OR_NONE = readers.integer(0, 1_000_000)

OPTIONS = (
    Option("host", readers.text, "ADDRESS", "Listen here for HTTP and WebSocket."),
    Option(
        "port", readers.integer(0, 65535), "PORT", "TCP port of HTTP and WebSocket; 0 picks one."
    ),
    Option(
        "media_host",
        readers.address,
        "ADDRESS",
        "Receive media here; without it, on every address of the machine.",
        many=True,
    ),
    Option(
        "media_port", readers.integer(0, 65535), "PORT", "The one UDP port of media; 0 picks one."
    ),
    Option(
        "announce",
        readers.announced,
        "ADDRESS",
        "Public address to tell clients in place of the local ones; 'local' keeps those, too.",
        many=True,
    ),
    Option(
        "media_plane",
        _plane,
        "KIND",
        "What forwards packets: native (threads of their own), python, or auto, which takes the native"
        " one where it was built.",
    ),
    Option(
        "media_threads",
        readers.integer(1, MAX_MEDIA_THREADS),
        "NUMBER",
        "Native threads; each takes a UDP port, counted up from --media-port.",
    ),
    Option(
        "realtime",
        readers.yes_or_no,
        "YES|NO",
        "Let native threads run before everything else on the machine, where the system allows it.",
    ),
    Option(
        "loudest",
        readers.integer(0, MAX_LOUDEST),
        "NUMBER",
        "Forward only so many publishers of a room at a time, those that speak; 0: all of them.",
    ),
    Option(
        "red",
        readers.yes_or_no,
        "YES|NO",
        "Ask browsers for redundant audio: twice the bitrate, and single packets may be lost unheard.",
    ),
    Option("cert", readers.path, "FILE", "Certificate chain (PEM), for HTTPS; needs --key."),
    Option("key", readers.path, "FILE", "The certificate's private key (PEM); needs --cert."),
    Option(
        "auth_secret",
        readers.text,
        "SECRET",
        "Ask for access tokens, and check them by this secret (HS256). Better in the environment or in a"
        " file: others on the machine can read the command line.",
        secret=True,
        guards=True,
    ),
    Option(
        "auth_key_file",
        readers.path,
        "FILE",
        "The same by what is in this file: a secret, or an Ed25519 key in PEM (EdDSA).",
        guards=True,
    ),
    Option(
        "allow_origin",
        readers.origin,
        "ORIGIN",
        "Pages of this origin may open a WebSocket, such as https://voice.example.org; '*': all. Without"
        " it, those that this server itself serves.",
        many=True,
    ),
    Option(
        "trusted_proxy",
        readers.network,
        "ADDRESS",
        "Believe X-Forwarded-For when it comes from this address, or from this network.",
        many=True,
    ),
    Option(
        "max_participants", readers.integer(1, 10_000), "NUMBER", "Participants in a room at most."
    ),
    Option("max_rooms", readers.integer(1, 1_000_000), "NUMBER", "Rooms at the same time at most."),
    Option("max_server_participants", _MANY, "NUMBER", "Participants in all rooms at most."),
    Option("max_connections", _MANY, "NUMBER", "Publishers and consumers in all rooms at most."),
    Option(
        "max_handshakes",
        _MANY,
        "NUMBER",
        "Of those, the ones that are being set up at the same time; half of them for one address.",
    ),
    Option("max_sockets", _MANY, "NUMBER", "TCP connections at the same time at most."),
    Option("address_sockets", _MANY_OR_NONE, "NUMBER", "Of those, for one address; 0: no limit."),
    Option(
        "address_socket_rate",
        _MANY_OR_NONE,
        "NUMBER",
        "New TCP connections a second for one address, a minute's worth at once; 0: no limit.",
    ),
    Option("address_join_rate", _MANY_OR_NONE, "NUMBER", "Likewise, attempts to join a second."),
    Option("address_message_rate", _MANY_OR_NONE, "NUMBER", "Likewise, messages a second."),
    Option(
        "join_timeout",
        readers.integer(0, 86_400),
        "SECONDS",
        "Close a WebSocket that has been in no room for so long; 0: never.",
    ),
    Option(
        "drain_timeout",
        readers.integer(0, 86_400),
        "SECONDS",
        "At SIGTERM wait so long for the rooms to end, and take nobody in; 0: close at once.",
    ),
    Option(
        "resume_grace",
        readers.integer(0, 3600),
        "SECONDS",
        "Wait so long for somebody whose WebSocket is lost, and let their media go on; 0: not at all.",
    ),
    Option(
        "history",
        readers.path,
        "FILE",
        "Keep the history here; without it, in the state directory of systemd or of the user.",
    ),
    Option(
        "history_days", readers.integer(0, 3650), "DAYS", "Keep it so long; 0: keep no history."
    ),
    Option(
        "history_size", readers.integer(16, 1_000_000), "MIB", "Size of the history's file at most."
    ),
    Option(
        "webhook",
        readers.http_url,
        "URL",
        "Tell this program what happens in the rooms, by HTTP POST.",
        secret=True,  # a refused one may have a password in it
    ),
    Option(
        "webhook_secret",
        readers.text,
        "TEXT",
        "Sign what it is told by this (HMAC-SHA256).",
        secret=True,
    ),
    Option(
        "log_format",
        readers.one_of(LOG_FORMATS),
        "FORMAT",
        "How to log: text, or json with traces of joins.",
    ),
    Option(
        "log_level",
        readers.one_of(LOG_LEVELS),
        "LEVEL",
        f"How much to log: {', '.join(LOG_LEVELS)}.",
    ),
)
_BY_NAME = {option.name: option for option in OPTIONS}


def load(
    flags: Mapping[str, str | tuple[str, ...] | None],
    environment: Mapping[str, str],
    path: Path | None = None,
) -> Config:
    """The configuration from all places. flags: by name, None or empty where not given; path: of the TOML
    file. Raises ConfigError."""
    if path is None and CONFIG_VARIABLE in environment:
        # The file may hold the key: without it the server is open to everybody.
        raise ConfigError(CONFIG_VARIABLE, "set, but empty; leave it out if there is no file")
    values = {} if path is None else _from_file(path)
    values |= _from_environment(environment)
    values |= _from_flags(flags)
    return Config(**values)


def default(option: Option) -> str:
    """An option's default in words, for the help text."""
    value = next(item.default for item in fields(Config) if item.name == option.name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value in (None, ()) else str(value)


def _from_flags(flags: Mapping[str, str | tuple[str, ...] | None]) -> dict[str, Any]:
    return {
        option.name: _read(option, given, option.flag)
        for option in OPTIONS
        if (given := flags.get(option.name)) not in (None, ())
    }


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for option in OPTIONS:
        # An empty variable is one that is not set: service files write `RTP_RELAY_CERT=`.
        text = environment.get(option.variable, "").strip()
        if text:
            given = re.split(r"[\s,]+", text.strip(" ,")) if option.many else text
            values[option.name] = _read(option, given, option.variable)
        elif option.guards and option.variable in environment:
            # Rather `=$SECRET` with a slip in it than a wish, which can be told by leaving it out.
            raise ConfigError(
                option.variable,
                "set, but empty; leave it out if everybody may come in without a token",
            )
    return values


def _from_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("--config", f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError("--config", f"{path} is not TOML: {error}") from error
    values: dict[str, Any] = {}
    for key, given in table.items():
        source = f"{key} in {path}"
        option = _BY_NAME.get(key.replace("-", "_"))
        if option is None:
            raise ConfigError(source, f"no such option; there are {', '.join(_BY_NAME)}")
        if option.name in values:
            raise ConfigError(source, "given twice")
        values[option.name] = _read(option, given, source)
    return values


def _read(option: Option, given: object, source: str) -> Any:
    """One value, or a tuple of them for an option that may be given more than once."""
    if not option.many:
        return _read_one(option, given, source)
    items = given if isinstance(given, list | tuple) else (given,)
    return tuple(dict.fromkeys(_read_one(option, item, source) for item in items))


def _read_one(option: Option, given: object, source: str) -> Any:
    try:
        return option.read(given)
    except readers.Unusable as error:
        raise ConfigError(source, str(error), None if option.secret else given) from None
