"""The C parts: compiled when the benchmark begins, called through cffi.

libsrtp's functions are handed to them as addresses, so that everybody calls the same libsrtp.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cffi

from relay.srtp import function_address

DIRECTORY_VARIABLE = "RTP_RELAY_BENCHMARK_TOOLS"
"""Environment variable that tells processes of a benchmark where the compiled parts are."""

PROTECT = function_address("srtp_protect")
UNPROTECT = function_address("srtp_unprotect")
REMOVE_STREAM = function_address("srtp_remove_stream")

NANOSECONDS = 1_000_000_000

_HERE = Path(__file__).parent / "native"
_RELAY = Path(__file__).parents[1] / "relay" / "native"
_SOURCES = {
    "floor": [_HERE / "floor.c"],
    "load": [_HERE / "load.c"],
    "stages": [
        _HERE / "stages.c",
        *sorted(set(_RELAY.glob("*.c")) - set(_RELAY.glob("module*.c"))),
    ],
}
_FLAGS = ["-std=gnu11", "-O3", "-shared", "-fPIC", "-pthread", "-Wno-missing-field-initializers"]


class Tool:
    """A compiled part. lib: its functions; ffi: makes what they take."""

    def __init__(self, name: str) -> None:
        self.ffi: Any = cffi.FFI()
        header = (_HERE / f"{name}.h").read_text()
        self.ffi.cdef("\n".join(line for line in header.splitlines() if line[:1] != "#"))
        self.lib: Any = self.ffi.dlopen(str(Path(os.environ[DIRECTORY_VARIABLE], f"{name}.so")))

    def pointer(self, address: int) -> Any:
        """A `void *` to somewhere that another part of the program gave as a number."""
        return self.ffi.cast("void *", address)


def build(directory: Path) -> None:
    """Compile every part into `directory`, for this process and those that it starts."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if shutil.which(compiler[0]) is None:
        sys.exit("The benchmark's floors are in C: it needs a compiler (cc, or what CC names).")
    for name, sources in _SOURCES.items():
        output = directory / f"{name}.so"
        subprocess.run([*compiler, *_FLAGS, *sources, "-lm", "-o", output], check=True)
    os.environ[DIRECTORY_VARIABLE] = str(directory)
