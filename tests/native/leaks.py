"""A plugin for pytest under AddressSanitizer: when all tests are over, it reports what has leaked so far.

By itself AddressSanitizer looks when the process ends; CPython has leaked then, and its findings would
replace pytest's exit status.
"""

from __future__ import annotations

import ctypes
import gc


def pytest_sessionfinish() -> None:
    """Report every piece of memory that nothing points to, to AddressSanitizer's log."""
    gc.collect()
    ctypes.CDLL(None).__lsan_do_recoverable_leak_check()
