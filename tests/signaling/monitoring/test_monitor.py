"""All of it together, in a running service, asked over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from signaling import events
from signaling.config import Config
from signaling.service import Service
from tests.signaling.monitoring.fixtures import until
from tests.signaling.monitoring.test_metrics import parse, value
from tests.signaling.monitoring.test_webhooks import Receiver, receiver

assert receiver  # a fixture


@pytest.fixture
async def service(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Service]:
    config = Config(
        port=0,
        media_host=("127.0.0.1",),
        media_port=0,
        history=tmp_path / "history.db",
        webhook=receiver.url,
        log_format="json",
    )
    service = Service(config, "1.2.3")
    await service.start()
    yield service
    await service.close()


async def _get(service: Service, path: str) -> bytes:
    def get() -> bytes:
        try:
            with urllib.request.urlopen(service.url + path, timeout=30) as response:
                body: bytes = response.read()
        except urllib.error.HTTPError as error:
            error.close()
            raise
        return body

    return await asyncio.to_thread(get)


async def _json(service: Service, path: str) -> Any:
    return json.loads(await _get(service, path))


async def test_a_fact_reaches_everybody(service: Service, receiver: Receiver) -> None:
    observers = service.observers
    observers.tell(events.RoomStarted("a", at=1000.0))
    observers.tell(events.ParticipantJoined("a", "ada", "Ada", at=1000.0))
    observers.tell(events.ParticipantLeft("a", "ada", "left", at=1001.0))
    observers.tell(events.RoomEnded("a", at=1001.0))
    await until(lambda: len(receiver.came) == 4)

    told = [json.loads(body) for _, body in receiver.came]
    assert [each["type"] for each in told] == [
        "room_started",
        "participant_joined",
        "participant_left",
        "room_ended",
    ]
    session = told[0]["session_id"]
    assert {each["session_id"] for each in told} == {session}

    rooms = []
    for _ in range(400):
        # On a busy machine the file may not be there yet.
        with contextlib.suppress(urllib.error.HTTPError):
            rooms = (await _json(service, "api/v1/history/rooms"))["rooms"]
        if rooms and rooms[0]["ended_at"]:
            break
        await asyncio.sleep(0.05)
    assert [(room["session_id"], room["room"]) for room in rooms] == [(session, "a")]

    samples = parse(await _get(service, "metrics"))
    assert value(samples, "rooms_started_total") == 1
    assert value(samples, "webhooks_sent_total") == 4
    assert value(samples, "history_working") == 1
    live = await _json(service, "api/v1/live")
    assert live["server"]["history"] == "on"


async def test_metrics_are_text(service: Service) -> None:
    page = await _get(service, "metrics")

    assert page.startswith(b"# HELP rtp_relay_build_info")
