"""What the system refuses while the program runs: a full disk under the log, no file descriptors left.

Both are counted, said once, and over when they are over. Neither may stop or slow down anything else:

    the log            is written by a thread of its own, from a bounded queue: a terminal that stands
                       still, a closed pipe and a full disk cost lines, which are counted, and nothing else
    descriptors        asyncio accepts nothing for a second then, and reports it up to a hundred times
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import queue
import resource
import threading
from collections.abc import Callable
from typing import Any

from signaling.refusals import Refusal, Refusals

logger = logging.getLogger(__name__)

MAX_LINES = 10_000
"""Of the log that wait to be written."""

CLOSE_PATIENCE = 2.0
"""Seconds that the last lines of the log have at the end."""

RECOVERY = 5.0
"""Seconds without a refused accept, after which there are file descriptors again. Asyncio tries each
second."""

SPARE_DESCRIPTORS = 1024
"""Beside those of the TCP connections: UDP sockets, files, libraries."""

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class LogWriter(logging.Handler):
    """Writes the log to a file descriptor, and never waits. complain: takes one line, once, when that does
    not work; from another thread. lost: lines that were never written."""

    def __init__(self, descriptor: int, complain: Callable[[str], None]) -> None:
        super().__init__()
        self.lost = 0
        self._descriptor = descriptor
        self._complain = complain
        self._complained = False
        self._untold = 0
        self._counting = threading.Lock()
        self._lines: queue.Queue[str | None] = queue.Queue(MAX_LINES)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line; it is lost when the queue is full."""
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._lose()
        except Exception:  # no line can be made of it, which is its caller's fault
            self._lose()

    def close(self) -> None:
        """Write what is queued, if that is quick."""
        try:
            self._lines.put(None, timeout=CLOSE_PATIENCE)
        except queue.Full:
            pass  # nobody reads: the thread ends with the program
        else:
            self._thread.join(CLOSE_PATIENCE)
        super().close()

    def _lose(self) -> None:
        with self._counting:
            self.lost += 1
            self._untold += 1

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                if told := self._untold:
                    sentence = f"{told} lines of the log were lost before this one"
                    record = logging.LogRecord(__name__, logging.WARNING, "", 0, sentence, (), None)
                    self._write(self.format(record))
                    with self._counting:
                        self._untold -= told
                self._write(line)
            except OSError as error:
                self._lose()
                if not self._complained:
                    self._complained = True
                    self._complain(
                        f"Warning: the log cannot be written: {error.strerror}; /healthz counts its lines"
                    )

    def _write(self, line: str) -> None:
        data = memoryview(f"{line}\n".encode(errors="backslashreplace"))
        while data:
            data = data[os.write(self._descriptor, data) :]


class AcceptFaults:
    """Takes asyncio's reports that there are no file descriptors left; all others go where they went."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals
        self._recovery: asyncio.TimerHandle | None = None
        self._counted_at = float("-inf")

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin, until `stop`."""
        self._loop = loop
        self._before = loop.get_exception_handler()
        loop.set_exception_handler(self._handle)

    def stop(self) -> None:
        """Leave the loop as it was."""
        if self._recovery is not None:
            self._recovery.cancel()
        self._loop.set_exception_handler(self._before)

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        fault = context.get("exception")
        accepting = "accept" in str(context.get("message"))
        if accepting and isinstance(fault, OSError) and fault.errno in _EXHAUSTED:
            self._refused(loop, fault)
        elif self._before is not None:
            self._before(loop, context)
        else:
            loop.default_exception_handler(context)

    def _refused(self, loop: asyncio.AbstractEventLoop, fault: OSError) -> None:
        now = loop.time()
        if now - self._counted_at > 0.5:  # once for each time that asyncio tries
            self._counted_at = now
            self._refusals.count(Refusal.NO_DESCRIPTOR)
        if self._recovery is None:
            logger.error(
                "no new connections for now: %s; raise the limit (LimitNOFILE) or lower --max-sockets",
                os.strerror(fault.errno or 0),
            )
        else:
            self._recovery.cancel()
        self._recovery = loop.call_later(RECOVERY, self._recovered)

    def _recovered(self) -> None:
        self._recovery = None
        logger.info("new connections are taken again")


def raise_descriptor_limit(sockets: int) -> None:
    """Let the process have as many file descriptors as this number of sockets needs, if it may. Shells and
    service managers give programs 1,024 to begin with, and let them have more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sockets + SPARE_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
