"""Webhooks against a real server: one that takes them, fails, hangs, redirects, or is not there."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from signaling import events
from signaling.monitoring import webhooks as module
from signaling.monitoring.webhooks import TYPES, Webhooks, signature

SECRET = "of ours"


class Receiver:
    """An HTTP server. statuses: what it answers, one after the other, then 204 for ever."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.hang = threading.Event()
        self.hang.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.came.append((dict(self.headers.items()), body))
                receiver.hang.wait(30)
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self.server: HTTPServer = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def close(self) -> None:
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.came]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(module, "LONGEST_DELAY", 0.05)
    monkeypatch.setenv("NO_PROXY", "*")


def _webhooks(url: str, secret: str | None = SECRET) -> Webhooks:
    webhooks = Webhooks(url, secret, "1.2.3", lambda room: f"session of {room}", lambda: 5000.7)
    webhooks.start()
    return webhooks


def _settle(webhooks: Webhooks) -> None:
    deadline = time.monotonic() + 60
    while webhooks.waiting:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _tell(webhooks: Webhooks, count: int = 3) -> None:
    for number in range(count):
        webhooks.observe(events.RoomStarted(f"room-{number}", at=float(number)))


def test_a_fact_arrives_signed(receiver: Receiver) -> None:
    webhooks = _webhooks(receiver.url)
    webhooks.observe(events.ParticipantJoined("a", "ada", "Ada", "ada@example.org", at=7.5))
    _settle(webhooks)
    webhooks.close(10)
    ((headers, body),) = receiver.came

    told = json.loads(body)
    assert re.fullmatch(r"[A-Za-z0-9_-]{16}", told.pop("id"))
    assert told == {
        "type": "participant_joined",
        "at": 7.5,
        "room": "a",
        "session_id": "session of a",
        "participant_id": "ada",
        "name": "Ada",
        "identity": "ada@example.org",
    }
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == "rtp-relay/1.2.3"
    assert headers["X-Rtp-Relay-Timestamp"] == "5000"
    signed = signature(SECRET.encode(), "5000", body)
    assert headers["X-Rtp-Relay-Signature"] == f"sha256={signed}"
    assert webhooks.sent == 1


def test_without_a_secret_there_is_no_signature(receiver: Receiver) -> None:
    webhooks = _webhooks(receiver.url, None)
    _tell(webhooks, 1)
    _settle(webhooks)
    webhooks.close(10)

    assert "X-Rtp-Relay-Signature" not in receiver.came[0][0]


def test_the_documents_way_to_check_a_signature(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    names: dict[str, Any] = {}
    exec(code, names)
    webhooks = _webhooks(receiver.url)
    _tell(webhooks, 1)
    _settle(webhooks)
    webhooks.close(10)
    ((headers, body),) = receiver.came
    known = {name.replace("Rtp", "RTP"): value for name, value in headers.items()}

    monkeypatch.setattr(names["time"], "time", lambda: 5001.0)
    assert names["is_authentic"](SECRET.encode(), known, body)
    assert not names["is_authentic"](SECRET.encode(), known, body + b" ")
    assert not names["is_authentic"](b"another", known, body)
    monkeypatch.setattr(names["time"], "time", lambda: 6000.0)
    assert not names["is_authentic"](SECRET.encode(), known, body)


def test_every_type_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `([a-z_]+)` \| ", text, re.M)) >= set(TYPES.values())


@pytest.mark.parametrize("statuses", [[500, 503], [404, 302], [429]])
def test_what_is_not_taken_is_tried_again_and_stays_in_order(
    receiver: Receiver, statuses: list[int]
) -> None:
    receiver.statuses = list(statuses)
    webhooks = _webhooks(receiver.url)
    _tell(webhooks)
    _settle(webhooks)
    webhooks.close(10)

    rooms = [json.loads(body)["room"] for _, body in receiver.came]
    assert rooms == ["room-0"] * (1 + len(statuses)) + ["room-1", "room-2"]
    ids = [json.loads(body)["id"] for _, body in receiver.came]
    assert len(set(ids)) == 3
    assert (webhooks.sent, webhooks.failed, webhooks.dropped) == (3, len(statuses), 0)


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.statuses = [302]
    webhooks = _webhooks(receiver.url)
    _tell(webhooks, 1)
    _settle(webhooks)
    webhooks.close(10)

    assert len(receiver.came) == 2
    assert webhooks.failed == 1


def test_what_is_never_taken_is_given_up(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ATTEMPTS", 3)
    receiver.statuses = [500] * 3
    webhooks = _webhooks(receiver.url)
    _tell(webhooks, 2)
    _settle(webhooks)
    webhooks.close(10)

    assert (webhooks.sent, webhooks.failed, webhooks.dropped) == (1, 3, 1)


def test_a_server_that_hangs_costs_its_time_limit(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIME_LIMIT", 0.1)
    receiver.hang.clear()
    webhooks = _webhooks(receiver.url)
    began = time.monotonic()
    _tell(webhooks, 50)
    assert time.monotonic() - began < 5  # whoever tells does not wait
    while not webhooks.failed:
        time.sleep(0.005)
    receiver.hang.set()
    _settle(webhooks)
    webhooks.close(10)

    assert webhooks.sent == 50


def test_a_queue_that_is_full_drops(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 5)
    receiver.hang.clear()
    webhooks = _webhooks(receiver.url)
    _tell(webhooks, 20)
    assert webhooks.waiting <= 5
    assert webhooks.dropped >= 15
    receiver.hang.set()
    _settle(webhooks)
    webhooks.close(10)


def test_nobody_there(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ATTEMPTS", 2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        webhooks = _webhooks(f"http://127.0.0.1:{taken.getsockname()[1]}/")
        _tell(webhooks, 1)
        _settle(webhooks)
        webhooks.close(10)

    assert webhooks.dropped == 1
    assert "could not be sent" in caplog.text


def test_at_the_end_each_gets_one_more_attempt(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.statuses = [500] * 2
    monkeypatch.setattr(module, "FIRST_DELAY", 60.0)
    monkeypatch.setattr(module, "LONGEST_DELAY", 60.0)
    webhooks = _webhooks(receiver.url)
    _tell(webhooks)
    while not webhooks.failed:
        time.sleep(0.005)
    webhooks.close(30)

    assert webhooks.waiting == 0
    assert (webhooks.sent, webhooks.dropped) == (2, 1)


def test_facts_that_are_nobodys_business_are_not_sent(receiver: Receiver) -> None:
    webhooks = _webhooks(receiver.url)
    webhooks.observe(events.MuteChanged("a", "ada", True, at=1.0))
    webhooks.observe(events.ConsumerStarted("a", "ada", "x", "y", at=1.0))
    webhooks.observe(events.RoomEnded("a", at=2.0))
    _settle(webhooks)
    webhooks.close(10)

    assert receiver.types() == ["room_ended"]
