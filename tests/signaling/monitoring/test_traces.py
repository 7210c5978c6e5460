"""How long each phase of a join took, in the log."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from relay import PublisherStats, SetupTimes
from signaling.monitoring import traces as module
from signaling.monitoring.traces import Traces, durations
from tests.signaling.lab import Lab, answer
from tests.signaling.monitoring.fixtures import until


@pytest.fixture
async def traces(
    lab: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Traces]:
    monkeypatch.setattr(module, "LOOK_INTERVAL", 0.01)
    caplog.set_level(logging.INFO, module.logger.name)
    traces = Traces(lab.rooms)
    lab.observers.add(traces.observe)
    yield traces
    await traces.close()


def _told(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    fields = [getattr(record, "fields", {}) for record in caplog.records]
    return [each for each in fields if each.get("event") == event]


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        (SetupTimes(), {"offer": 0.0}),
        (
            SetupTimes(0.1, 0.15, 0.25, 0.25),
            {"offer": 0.0, "answer": 0.1, "ice": 0.05, "dtls": 0.1, "connected": 0.0},
        ),
        # A browser may find a path before its answer is here.
        (
            SetupTimes(0.2, 0.1, 0.3, 0.3),
            {"offer": 0.0, "answer": 0.2, "ice": 0.0, "dtls": 0.1, "connected": 0.0},
        ),
        (SetupTimes(0.2, None, None, None), {"offer": 0.0, "answer": 0.2}),
    ],
)
def test_durations(setup: SetupTimes, expected: dict[str, float]) -> None:
    assert durations(setup) == expected


async def test_a_join_and_its_connections(
    traces: Traces, lab: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = lab.joined("Ada"), lab.joined("Bob")
    publisher = ada.create_publisher()
    publisher.setup = SetupTimes(0.1, 0.15, 0.25, 0.25)
    nothing = PublisherStats(0, 0, 0, 0, 0.0, None)
    readings = [nothing, nothing, PublisherStats(3, 0, 0, 0, 0.0, None)]
    monkeypatch.setattr(
        publisher, "stats", lambda: readings.pop(0) if len(readings) > 1 else readings[0]
    )
    ada.tell("publish_audio", publisher_id=publisher.id, answer=answer())
    publisher.establish()
    lab.take_all()
    consumer = bob.consume(publisher)
    await until(lambda: len(_told(caplog, "connection")) == 2)

    assert [each["participant_id"] for each in _told(caplog, "join")] == [ada.id, bob.id]
    told = {each["connection_id"]: each for each in _told(caplog, "connection")}
    up, down = told[publisher.id], told[consumer.id]
    assert (up["direction"], up["outcome"], up["room"]) == ("up", "connected", "room")
    assert list(up["phases"]) == ["offer", "answer", "ice", "dtls", "connected", "first_packet"]
    assert up["total"] >= 0.25
    assert (down["direction"], down["participant_id"]) == ("down", bob.id)
    assert "first_packet" in down["phases"]
    assert "Ada" not in caplog.text


async def test_a_failure(traces: Traces, lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    ada = lab.joined("Ada")
    publisher = ada.create_publisher()
    publisher.setup = SetupTimes(0.1)
    publisher.fail()
    (told,) = _told(caplog, "connection")

    assert told["outcome"] == "failed"
    assert told["phases"] == {"offer": 0.0, "answer": 0.1}


async def test_who_says_nothing_is_told_of_all_the_same(
    traces: Traces, lab: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.02)
    ada = lab.joined("Ada")
    publisher = ada.create_publisher()
    monkeypatch.setattr(publisher, "stats", lambda: PublisherStats(0, 0, 0, 0, 0.0, None))
    ada.tell("publish_audio", publisher_id=publisher.id, answer=answer())
    publisher.establish()
    await until(lambda: bool(_told(caplog, "connection")))

    assert "first_packet" not in _told(caplog, "connection")[0]["phases"]


async def test_a_crowd_is_not_waited_for(
    traces: Traces, lab: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 0)
    lab.joined("Ada").publish()

    assert len(_told(caplog, "connection")) == 1
