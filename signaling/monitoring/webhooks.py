"""Facts for a program of the operator's, by HTTP POST (docs/webhooks.md). A thread of its own sends
them, one after the other, so that they arrive in order; the event loop only puts them into a bounded
queue.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from http import HTTPStatus
from http.client import HTTPException
from typing import IO
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from signaling import events
from signaling.events import Event

logger = logging.getLogger(__name__)

MAX_WAITING = 1000
"""Facts that wait to be sent; one more is dropped."""

TIME_LIMIT = 10.0
"""Seconds for each step of an attempt."""

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
"""Seconds until the next attempt: they double from the first."""

MAX_ATTEMPTS = 12
"""Of one fact, over some eight minutes."""

TYPES: dict[type[Event], str] = {
    events.RoomStarted: "room_started",
    events.RoomEnded: "room_ended",
    events.ParticipantJoined: "participant_joined",
    events.ParticipantLeft: "participant_left",
    events.PublisherStarted: "publisher_started",
    events.PublisherStopped: "publisher_stopped",
    events.QualityFell: "quality_fell",
}
"""What is sent, and the `type` that it has."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    id: str
    body: bytes


class _NoRedirects(HTTPRedirectHandler):
    """A redirect is an answer that is not taken: facts about people go where the operator said."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> None:
        return None


class Webhooks:
    """Sends. url: where to; secret: signs, None for no signature. session: the id of an open room's
    history. clock: Unix seconds.

    sent: taken by the other end; failed: attempts that were not; dropped: facts that were given up.
    """

    def __init__(
        self,
        url: str,
        secret: str | None,
        version: str,
        session: Callable[[str], str | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.sent = 0
        self.failed = 0
        self.dropped = 0
        self._url = url
        self._secret = None if secret is None else secret.encode()
        self._agent = f"rtp-relay/{version}"
        self._session = session
        self._clock = clock
        self._opener = build_opener(_NoRedirects)
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    @property
    def waiting(self) -> int:
        """Facts that wait to be sent."""
        return len(self._queue)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, patience: float) -> None:
        """Try once more what waits, for some seconds at most, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(patience)

    def observe(self, event: Event) -> None:
        """Queue a fact, if it is one that is sent."""
        kind = TYPES.get(type(event))
        if kind is None:
            return
        if len(self._queue) >= MAX_WAITING:
            self.dropped += 1
            return
        id = secrets.token_urlsafe(12)
        body = {"id": id, "type": kind, "session_id": self._session(event.room)} | {
            field.name: getattr(event, field.name) for field in fields(event)
        }
        with self._changed:
            self._queue.append(_Waiting(id, json.dumps(body).encode()))
            self._changed.notify()

    # From here on, on the thread.

    def _run(self) -> None:
        attempts = 0
        while (waiting := self._next()) is not None:
            attempts += 1
            if self._deliver(waiting):
                self.sent += 1
            elif attempts < MAX_ATTEMPTS and not self._closing:
                self.failed += 1
                self._pause(min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempts - 1)))
                continue
            else:
                self.failed += 1
                self.dropped += 1
            attempts = 0
            self._queue.popleft()

    def _next(self) -> _Waiting | None:
        """The oldest fact, once there is one; None at the end."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            return self._queue[0] if self._queue else None

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._closing and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)

    def _deliver(self, waiting: _Waiting) -> bool:
        """Whether the other end took it. Never raises."""
        try:
            with self._opener.open(self._request(waiting), timeout=TIME_LIMIT) as response:
                status = int(response.status)
        except HTTPError as error:
            status = error.code
            error.close()
        except (OSError, HTTPException, ValueError) as error:
            logger.warning("a webhook could not be sent: %s", error)
            return False
        taken = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
        if not taken:
            logger.warning("a webhook was answered by status %d", status)
        return taken

    def _request(self, waiting: _Waiting) -> Request:
        timestamp = str(int(self._clock()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": self._agent,
            "X-RTP-Relay-Id": waiting.id,
            "X-RTP-Relay-Timestamp": timestamp,
        }
        if self._secret is not None:
            signed = signature(self._secret, timestamp, waiting.body)
            headers["X-RTP-Relay-Signature"] = f"sha256={signed}"
        return Request(self._url, waiting.body, headers, method="POST")


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a dot and the body, in hexadecimal."""
    return hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
