"""The server under test: a real `rtp-relay serve` in a process of its own."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.browser.waiting import eventually

HOST = "127.0.0.1"
STOP_TIMEOUT = 10.0

_LOOPBACK = {HOST: HOST, "0.0.0.0": HOST, "::": "[::1]"}
"""Where a server that listens there is found from this machine."""


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class RelayServer:
    """Keeps its ports when it is stopped and started again."""

    def __init__(self, log: Path, *options: str, host: str = HOST, port: int = 0) -> None:
        """log: the file that takes what the server prints. options: of `rtp-relay serve`, beside the
        addresses and ports. host: 0.0.0.0 or :: to be reached from elsewhere; media, too, is on every
        address then. port: of HTTP; 0: any that is free."""
        media = (f"--media-host={HOST}",) if host == HOST else ()
        self._options = (f"--host={host}", *media, *options)
        self.port = port or free_port(socket.SOCK_STREAM)
        self.media_port = free_port(socket.SOCK_DGRAM)
        self.url = f"http://{_LOOPBACK[host]}:{self.port}"
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Returns once the server answers."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "signaling",
                "serve",
                f"--port={self.port}",
                f"--media-port={self.media_port}",
                "--drain-timeout=0",
                *self._options,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
            )
        await eventually(self._answers, what="the server's first answer")

    async def stop(self) -> None:
        """Asks it to end, as systemd and Docker do, and holds it to exit status 0. Idempotent."""
        if self._process is None:
            return
        process, self._process = self._process, None
        if process.returncode is None:
            process.terminate()
        try:
            status = await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            process.kill()
            status = await process.wait()
        assert status == 0, f"the server ended with status {status}: {self._log.read_text()}"

    async def kill(self) -> None:
        """Ends it with SIGKILL: nothing is said to anybody."""
        assert self._process is not None
        process, self._process = self._process, None
        process.kill()
        await process.wait()

    async def health(self) -> dict[str, Any]:
        """What /healthz tells. Raises URLError while the server does not answer."""
        return await asyncio.to_thread(self._fetch_health)

    async def _answers(self) -> bool:
        assert self._process is not None
        if self._process.returncode is not None:
            raise AssertionError(f"the server ended at its start: {self._log.read_text()}")
        try:
            await self.health()
        except urllib.error.URLError:
            return False
        return True

    def _fetch_health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as response:
            health: dict[str, Any] = json.load(response)
            return health
