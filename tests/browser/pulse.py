"""A private PulseAudio with a null sink: Firefox starts no AudioContext without an output device."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.browser.waiting import eventually

EXECUTABLE = "pulseaudio"


@asynccontextmanager
async def null_sound_server() -> AsyncIterator[dict[str, str]]:
    """Yields the environment in which programs find the sound server."""
    directory = Path(tempfile.mkdtemp(prefix="pulse-"))
    socket = directory / "native"
    process = await asyncio.create_subprocess_exec(
        EXECUTABLE,
        "-n",
        "--daemonize=no",
        "--use-pid-file=no",
        "--exit-idle-time=-1",
        "--disable-shm=yes",
        "--log-level=error",
        "--load=module-null-sink sink_name=null rate=48000",
        f"--load=module-native-protocol-unix auth-anonymous=1 socket={socket}",
        env=os.environ | {"HOME": str(directory), "XDG_RUNTIME_DIR": str(directory)},
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def listens() -> bool:
        assert process.returncode is None, f"{EXECUTABLE} ended with status {process.returncode}"
        return socket.exists()

    try:
        await eventually(listens, what="PulseAudio's socket")
        yield {"PULSE_SERVER": f"unix:{socket}"}
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        shutil.rmtree(directory, ignore_errors=True)
