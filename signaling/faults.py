"""The log where it cannot be written: a full disk, a closed pipe, a terminal that stands still.

A thread of its own writes it, from a bounded queue. What goes wrong there costs lines, which are counted
and told once, and nothing else: no message waits, and no packet. (Descriptors that run out are another
module's, `descriptors.py`.)
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable

MAX_LINES = 10_000
"""Of the log that wait to be written."""

CLOSE_PATIENCE = 2.0
"""Seconds that the last lines of the log have at the end."""


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
