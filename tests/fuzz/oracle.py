"""One input, judged: it may not raise, log an error, warn, leave something unraisable, or take long."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .target import BrokenRule, Target

MAX_CPU_SECONDS = 2.0
"""Of processor time for one input, under instrumentation: what is not in proportion to its input takes
longer. Processor time, since a busy machine says nothing about the code."""


class _Catcher(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(logging.Formatter().format(record))


@contextmanager
def _nothing_logged() -> Iterator[None]:
    catcher = _Catcher()
    logging.getLogger().addHandler(catcher)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(catcher)
    if catcher.texts:
        raise BrokenRule("an error was logged: " + "\n".join(catcher.texts))


@contextmanager
def _nothing_unraisable() -> Iterator[None]:
    """Of destructors and callbacks, whose exceptions the interpreter only prints."""
    found: list[str] = []
    before = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        found.append(f"{unraisable.exc_value!r} in {unraisable.object!r}")

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
    if found:
        raise BrokenRule("unraisable: " + "; ".join(found))


def judge(target: Target, data: bytes) -> None:
    """Feed an input to a target. Raises whatever is wrong."""
    began = time.thread_time()
    with warnings.catch_warnings(), _nothing_logged(), _nothing_unraisable():
        warnings.simplefilter("error")
        target.run(data)
    used = time.thread_time() - began
    if used > MAX_CPU_SECONDS:
        raise BrokenRule(f"{len(data)} bytes took {used:.1f} s of processor time")
