"""The command line: `rtp-relay serve`, `token` and `schema`. The only module that knows click."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from signaling import config
from signaling.access import Grants, KeyFault
from signaling.errors import ConfigError, StartError
from signaling.faults import LogWriter
from signaling.logs import start_logging
from signaling.messages import schema_text
from signaling.service import access_of, run

USAGE_ERROR = 2
START_ERROR = 1

try:
    _VERSION = version("rtp-relay")
except PackageNotFoundError:
    _VERSION = "(not installed)"


@click.group()
@click.version_option(_VERSION, prog_name="rtp-relay")
def main() -> None:
    """A voice relay (SFU) for browsers: rooms in which people talk, on one UDP port."""


def _config_options(command: Callable[..., None]) -> Callable[..., None]:
    """A click option for each row of `config.OPTIONS`. Values are read there, whatever their source."""
    for option in reversed(config.OPTIONS):
        default = config.default(option)
        command = click.option(
            option.flag,
            option.name,
            metavar=option.metavar,
            multiple=option.many,
            help=f"{option.help}{' Default: ' + default + '.' if default else ''}",
        )(command)
    return command


@main.command()
@_config_options
@click.option(
    "--config",
    "path",
    metavar="FILE",
    envvar=config.CONFIG_VARIABLE,
    help="Options in a TOML file.",
)
def serve(path: str | None, **flags: Any) -> None:
    """Serve rooms and the web client until SIGINT or SIGTERM.

    Every option can also be given as an environment variable, such as RTP_RELAY_MEDIA_PORT, and in the
    file that --config names, such as media_port = 40000. A flag goes before a variable, a variable
    before the file. An option that may be repeated takes a comma-separated list in a variable, and a
    list in the file.
    """
    try:
        settings = config.load(flags, os.environ, None if path is None else Path(path))
        log = _start_logging(settings.log_level, settings.log_format)
        asyncio.run(run(settings, _tell, _VERSION, lambda: log.lost))
    except ConfigError as error:
        _exit(error, USAGE_ERROR)
    except StartError as error:
        _exit(error, START_ERROR)


@main.command()
@click.option(
    "--room",
    required=True,
    help="The room that the token opens; 'team-*' is every room whose name begins so, '*' every room.",
)
@click.option("--identity", required=True, help="Who holds the token, for your own eyes.")
@click.option("--name", help="What the others see; without it, people choose.")
@click.option(
    "--ttl",
    default="12h",
    metavar="TIME",
    show_default=True,
    help="For how long it opens the door: seconds, or a number with s, m, h or d.",
)
@click.option("--publish/--no-publish", default=True, help="May talk; without more, yes.")
@click.option("--subscribe/--no-subscribe", default=True, help="May listen; without more, yes.")
@click.option(
    "--admin", is_flag=True, help="May mute and remove others; with the room '*', may see figures."
)
@click.option("--auth-secret", help="As the server's.")
@click.option("--auth-key-file", metavar="FILE", help="As the server's; no public key.")
@click.option(
    "--config", "path", metavar="FILE", envvar=config.CONFIG_VARIABLE, help="As the server's."
)
def token(
    path: str | None, auth_secret: str | None, auth_key_file: str | None, **wish: Any
) -> None:
    """Make an access token, and write it to standard output.

    The key comes from where the server takes it: --auth-secret or --auth-key-file, the variables
    RTP_RELAY_AUTH_SECRET or RTP_RELAY_AUTH_KEY_FILE, or the file that --config names.
    """
    flags = {"auth_secret": auth_secret, "auth_key_file": auth_key_file}
    try:
        given = config.load(flags, os.environ, None if path is None else Path(path))
        expires = time.time() + _seconds(wish.pop("ttl"))
        click.echo(access_of(given).issue(Grants(expires=expires, **wish)))
    except KeyFault as error:
        _exit(ConfigError("token", str(error)), USAGE_ERROR)
    except ValueError as error:
        _exit(error, USAGE_ERROR)
    except ConfigError as error:
        _exit(error, USAGE_ERROR)


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text.strip())
    if found is None or int(found[1]) == 0:
        raise ConfigError("--ttl", "expected a time such as 90, 15m, 12h or 30d", text)
    return int(found[1]) * _UNITS[found[2]]


@main.command()
def schema() -> None:
    """Write the protocol's messages as JSON Schema to standard output."""
    click.echo(schema_text(), nl=False)


def _start_logging(level: str, form: str) -> LogWriter:
    log = LogWriter(sys.stderr.fileno(), _tell)
    start_logging(level, form, log)
    if level != "debug":
        # One tells of every page that is fetched, the other of every address that is tried.
        for library in ("websockets", "aioice"):
            logging.getLogger(library).setLevel(logging.WARNING)
    return log


def _tell(line: str) -> None:
    try:
        click.echo(line)
    except OSError:
        # Whoever read this has gone, as `tee` goes by the same Ctrl-C, or the disk is full: no reason to
        # end otherwise than well. What is still buffered would fail once more at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit(error: Exception, status: int) -> None:
    click.echo(f"rtp-relay: {error}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main(prog_name="rtp-relay")
