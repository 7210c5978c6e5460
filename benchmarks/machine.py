"""The machine that a benchmark ran on: a figure without one says nothing."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path
from typing import Any

import cffi
import pylibsrtp
from OpenSSL import SSL
from pylibsrtp import _binding


def describe() -> dict[str, str]:
    """What belongs into the header, by its name."""
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _cpu_model(),
        "cores": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode(),
        "libsrtp": f"{_libsrtp_version()} (pylibsrtp {pylibsrtp.__version__})",
        "load average": load,
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _libsrtp_version() -> str:
    ffi: Any = cffi.FFI()
    ffi.cdef("const char *srtp_get_version_string(void);")
    library = ffi.dlopen(_binding.__file__)
    version: str = ffi.string(library.srtp_get_version_string()).decode()
    return version.removeprefix("libsrtp2 ")
