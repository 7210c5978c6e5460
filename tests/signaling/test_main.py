"""The command line: options, errors without tracebacks, and a server that starts and ends by a signal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from websockets.asyncio.client import connect

from signaling.__main__ import main
from signaling.access import Access, Grants, Key
from signaling.config import OPTIONS
from signaling.messages import schema_text
from tests.signaling.certificates import write_certificate
from tests.signaling.sockets import Client

PATIENCE = 20.0
LOCAL = ("--port", "0", "--media-port", "0", "--media-host", "127.0.0.1", "--history-days", "0")


@dataclass(frozen=True, slots=True)
class Program:
    """A running `rtp-relay serve`, and the lines that it has printed at the start."""

    process: asyncio.subprocess.Process
    lines: list[str]

    @property
    def url(self) -> str:
        (line,) = [item for item in self.lines if item.startswith("Open ")]
        return line.removeprefix("Open ")

    async def ended(self) -> tuple[int, str]:
        """Its exit status, and what it wrote to standard error."""
        async with asyncio.timeout(PATIENCE):
            _, errors = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()


@contextlib.asynccontextmanager
async def _serving(
    *options: str, stderr: int | IO[bytes] = subprocess.PIPE
) -> AsyncIterator[Program]:
    environment = {name: text for name, text in os.environ.items() if "RTP_RELAY" not in name}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "signaling",
        "serve",
        *LOCAL,
        *options,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    lines: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE):
            # The candidates are the last thing that is always there.
            while not (lines and lines[-1].startswith("  udp ")):
                line = (await process.stdout.readline()).decode()
                if not line:
                    break
                lines.append(line.rstrip())
        yield Program(process, lines)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def test_version() -> None:
    try:
        known = version("rtp-relay")
    except PackageNotFoundError:
        known = "(not installed)"
    assert CliRunner().invoke(main, ["--version"]).output == f"rtp-relay, version {known}\n"


def test_schema() -> None:
    assert CliRunner().invoke(main, ["schema"]).output == schema_text()


def test_help_tells_every_option() -> None:
    result = CliRunner().invoke(main, ["serve", "--help"])
    assert result.exit_code == 0
    for flag in ("--config", *(option.flag for option in OPTIONS)):
        assert f"  {flag} " in result.output


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--port", "x"], "--port: expected a whole number from 0 to 65535, got 'x'"),
        (["--cert", "x.pem"], "--cert: needs --key as well; HTTPS takes both"),
        (["--config", "/missing"], "--config: cannot read /missing: No such file or directory"),
    ],
)
def test_an_option_that_cannot_be_used(arguments: list[str], error: str) -> None:
    result = CliRunner().invoke(main, ["serve", *arguments])
    assert (result.exit_code, result.stderr) == (2, f"rtp-relay: {error}\n")


def test_a_variable_that_cannot_be_used() -> None:
    environment = {"RTP_RELAY_MAX_ROOMS": "many"}
    result = CliRunner().invoke(main, ["serve"], env=environment)
    assert result.exit_code == 2
    assert result.stderr.startswith("rtp-relay: RTP_RELAY_MAX_ROOMS: expected a whole number")


def test_a_blank_key_is_told_and_opens_no_server() -> None:
    result = CliRunner().invoke(main, ["serve"], env={"RTP_RELAY_AUTH_SECRET": "  "})
    wrong = "set, but empty; leave it out if everybody may come in without a token"
    assert (result.exit_code, result.stderr) == (2, f"rtp-relay: RTP_RELAY_AUTH_SECRET: {wrong}\n")


def test_a_blank_name_of_the_file_is_told_and_opens_no_server() -> None:
    """The key may stand in it."""
    result = CliRunner().invoke(main, ["serve"], env={"RTP_RELAY_CONFIG": ""})
    wrong = "set, but empty; leave it out if there is no file"
    assert (result.exit_code, result.stderr) == (2, f"rtp-relay: RTP_RELAY_CONFIG: {wrong}\n")


def test_a_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    file.write_text("port = 'x'")
    result = CliRunner().invoke(main, ["serve"], env={"RTP_RELAY_CONFIG": str(file)})
    assert result.stderr.startswith(f"rtp-relay: port in {file}: expected a whole number")


SECRET = "correct horse battery staple, twice"


def _token(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(main, ["token", *arguments], env=variables)


def test_a_token(tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    file.write_text(f"auth_secret = '{SECRET}'")
    wish = ("--room", "tea", "--identity", "ada")
    access = Access(Key.read(SECRET))
    now = time.time()

    for arguments, variables in (
        (("--auth-secret", SECRET), {}),
        ((), {"RTP_RELAY_AUTH_SECRET": SECRET}),
        (("--config", str(file)), {}),
    ):
        result = _token(*wish, *arguments, **variables)
        assert result.exit_code == 0, result.output
        assert re.fullmatch(r"[A-Za-z0-9_.-]+\n", result.output)
        granted = access.grants(result.output.strip(), now)
        assert replace(granted, expires=0.0) == Grants(
            "ada", "tea", publish=True, subscribe=True, expires=0.0
        )
        assert 0 <= granted.expires - now - 12 * 3600 < 60


def test_a_token_with_everything(tmp_path: Path) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    file = tmp_path / "private.pem"
    file.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    wish = "--room * --identity ops --name Ops --ttl 15m --no-publish --no-subscribe --admin"
    result = _token(*wish.split(), "--auth-key-file", str(file))
    granted = Access(Key.read(file.read_text())).grants(result.output.strip(), time.time())

    assert replace(granted, expires=0.0) == Grants("ops", "*", "Ops", admin=True, expires=0.0)
    assert granted.expires - time.time() <= 15 * 60 + 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--room tea --identity ada", "token: expected a secret or a private key"),
        ("--room te/a --identity ada --auth-secret", "The claim `room` of the access token"),
        ("--room tea --identity ada --ttl 0 --auth-secret", "--ttl: expected a time such as 90"),
        ("--room tea --identity ada --ttl 1w --auth-secret", "--ttl: expected a time such as 90"),
    ],
)
def test_a_token_that_cannot_be_made(arguments: str, words: str) -> None:
    given = arguments.split()
    result = _token(*given, *([SECRET] if given[-1] == "--auth-secret" else []))

    assert result.exit_code == 2
    assert result.stderr.startswith(f"rtp-relay: {words}")
    assert result.stdout == ""
    assert SECRET not in result.stderr


async def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with _serving("--port", port) as program:
            status, errors = await program.ended()
    assert status == 1
    assert errors == f"rtp-relay: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


async def test_a_media_port_that_is_taken_is_one_line() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        async with _serving("--media-port", port) as program:
            status, errors = await program.ended()
    assert status == 1
    assert errors.startswith("rtp-relay: cannot receive media: ")
    assert f"127.0.0.1:{port}" in errors
    assert errors.count("\n") == 1


async def test_certificates_that_cannot_be_used_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "not.pem").write_text("no certificate")
    for name in ("not.pem", "missing.pem"):
        file = str(tmp_path / name)
        async with _serving("--cert", file, "--key", file) as program:
            status, errors = await program.ended()
        assert status == 1
        assert errors.startswith(f"rtp-relay: cannot use certificate {file} with key {file}: ")
        assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("number", "options"),
    [(signal.SIGINT, ()), (signal.SIGTERM, ("--drain-timeout", "0"))],
    ids=["SIGINT", "SIGTERM"],
)
async def test_a_signal_closes_every_connection_and_the_program_exits_with_0(
    number: signal.Signals, options: tuple[str, ...]
) -> None:
    announce = "--announce", "203.0.113.7", "--announce", "local"
    async with _serving(*announce, *options) as program:
        kinds = [line.rsplit(" ", 1)[1] for line in program.lines if line.startswith("  udp ")]
        assert program.lines[0].startswith("rtp-relay ")
        assert kinds[0] == "(announced)"
        address = program.url.replace("http://", "ws://") + "ws"
        async with connect(address) as ada_socket, connect(address) as bob_socket:
            ada, bob = Client(ada_socket), Client(bob_socket)
            await ada.join()
            await bob.join()
            created = await ada.ask("create_publisher")
            assert "203.0.113.7" in created["offer"]["sdp"]
            program.process.send_signal(number)

            closed = await bob.wait_for(type="publisher_closed")
            assert closed["reason"] == "shutdown"
            assert (await ada.closed())[0] == (await bob.closed())[0] == 1001
        status, errors = await program.ended()
        assert status == 0
        assert "Traceback" not in errors


async def _health(program: Program) -> tuple[int, dict[str, object]]:
    def fetch() -> tuple[int, dict[str, object]]:
        try:
            with urllib.request.urlopen(f"{program.url}healthz", timeout=PATIENCE) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    return await asyncio.to_thread(fetch)


@contextlib.asynccontextmanager
async def _draining(*options: str) -> AsyncIterator[tuple[Program, Client]]:
    """A program that was sent SIGTERM while somebody is in a room."""
    async with (
        _serving(*options) as program,
        connect(program.url.replace("http://", "ws://") + "ws") as socket_,
    ):
        ada = Client(socket_)
        await ada.join()
        program.process.terminate()
        draining = await ada.wait_for(type="server_draining")
        assert draining["seconds"] == (int(options[1]) if options else 30)
        yield program, ada


async def test_sigterm_waits_for_the_rooms_to_end() -> None:
    async with _draining() as (program, ada):
        status, health = await _health(program)
        assert (status, health["status"], health["participants"]) == (503, "draining", 1)

        async with connect(program.url.replace("http://", "ws://") + "ws") as socket_:
            bob = Client(socket_)
            refused = await bob.ask("join_room", room="room", name="Bob")
            assert refused["code"] == "server_full"
            assert 0 <= (await bob.wait_for(type="server_draining"))["seconds"] <= 30
            # Who was in before may come back.
            ada.socket.transport.abort()
            token = ada.resume_token
            assert (await bob.ask("resume_room", resume_token=token))["type"] == "room_resumed"
            assert 0 <= (await bob.wait_for(type="server_draining"))["seconds"] <= 30
            assert program.process.returncode is None

            await bob.ask("leave_room")
            assert (await bob.closed())[0] == 1001
        assert (await program.ended())[0] == 0


async def test_sigterm_waits_no_longer_than_it_is_told() -> None:
    async with _draining("--drain-timeout", "1") as (program, ada):
        assert (await ada.closed())[0] == 1001
        assert (await program.ended())[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_second_signal_ends_it_at_once(number: signal.Signals) -> None:
    async with _draining("--drain-timeout", "3600") as (program, ada):
        program.process.send_signal(number)
        assert (await ada.closed())[0] == 1001
        assert (await program.ended())[0] == 0


async def test_a_log_on_a_full_disk_harms_nobody() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:  # noqa: ASYNC230
        async with (
            _serving(stderr=full) as program,
            connect(program.url.replace("http://", "ws://") + "ws") as socket_,
        ):
            ada = Client(socket_)
            await ada.join()
            await ada.ask("leave_room")
            async with asyncio.timeout(PATIENCE):
                while (await _health(program))[1]["log_lines_lost"] == 0:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            program.process.terminate()
            assert program.process.stdout is not None
            output = (await program.process.stdout.read()).decode()
            assert output.count("the log cannot be written: No space left on device") == 1
            assert await program.process.wait() == 0


async def test_a_reader_of_the_output_that_goes_first_changes_nothing() -> None:
    async with _serving() as program:
        program.process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        program.process.terminate()
        assert await program.ended() == (0, "")


async def test_https(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_certificate(cert, key)
    async with _serving("--cert", str(cert), "--key", str(key)) as program:
        assert program.url.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=cert)
        address = program.url.replace("https://", "wss://") + "ws"
        async with connect(address, ssl=trusting) as secured:
            client = Client(secured)
            await client.join()
            assert (await client.ask("get_stats"))["type"] == "stats"


async def test_health_counts_rooms_and_participants() -> None:
    async with _serving() as program:
        address = program.url.replace("http://", "ws://") + "ws"
        async with connect(address) as ada_socket, connect(address) as bob_socket:
            await Client(ada_socket).join("a")
            await Client(bob_socket).join("b")
            host, port = program.url.removeprefix("http://").rstrip("/").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            response = await reader.read()
            writer.close()
            await writer.wait_closed()
        health = json.loads(response.partition(b"\r\n\r\n")[2])
        assert (health["status"], health["rooms"], health["participants"]) == ("ok", 2, 2)
