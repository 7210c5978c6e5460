"""Connections are read on time, a few at a time, and forgotten when they are gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from relay import PublisherStats
from signaling.monitoring import sampler as module
from signaling.monitoring.load import Load
from signaling.monitoring.sampler import ParticipantSample, Readings, Sampler
from tests.signaling.lab import Lab
from tests.signaling.monitoring.fixtures import relay_stats, until


def _speak(publisher: Any, monkeypatch: pytest.MonkeyPatch, *readings: PublisherStats) -> None:
    """Let a publisher's counters be these, one after the other, the last for ever."""
    left = list(readings)
    monkeypatch.setattr(publisher, "stats", lambda: left.pop(0) if len(left) > 1 else left[0])


async def test_the_second_reading_tells_what_was_between(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = lab.joined("Ada"), lab.joined("Bob")
    publisher = ada.publish()
    consumer = bob.consume(publisher)
    before = PublisherStats(0, 0, 0, 0, 0.0, None)
    after = replace(before, packets_received=480, packets_lost=20)
    _speak(publisher, monkeypatch, before, after)
    readings = Readings(lab.rooms, lambda: lab.now, lambda: lab.now)
    first = await readings.read()
    lab.now = 10.0
    second = await readings.read()

    assert [(sample.uplinks, sample.downlinks) for sample in first] == [({}, {}), ({}, {})]
    speaker, listener = second
    assert (speaker.room, speaker.participant_id) == ("room", ada.id)
    assert speaker.uplinks[publisher.id].loss == pytest.approx(0.04)
    assert speaker.downlinks == listener.uplinks == {}
    assert listener.downlinks[consumer.id].interval == 10.0
    assert set(readings.latest) == {publisher.id, consumer.id}


@pytest.mark.parametrize("step", [5 * 3600.0, -5 * 3600.0])
async def test_a_clock_that_is_set_makes_no_interval_longer_or_shorter(
    lab: Lab, step: float
) -> None:
    ada, bob = lab.joined("Ada"), lab.joined("Bob")
    publisher = ada.publish()
    consumer = bob.consume(publisher)
    wall = 1000.0
    readings = Readings(lab.rooms, lambda: wall, lambda: lab.now)
    await readings.read()
    lab.now += 10.0
    wall += 10.0 + step
    await readings.read()

    assert {(each.at, each.interval) for each in readings.latest.values()} == {(wall, 10.0)}
    assert set(readings.latest) == {publisher.id, consumer.id}


async def test_a_connection_without_media_is_not_read_and_one_that_went_is_forgotten(
    lab: Lab,
) -> None:
    ada, bob = lab.joined("Ada"), lab.joined("Bob")
    bob.create_publisher()
    publisher = ada.publish()
    bob.create_consumer(publisher)
    readings = Readings(lab.rooms, lambda: lab.now, lambda: lab.now)
    for _ in range(2):
        await readings.read()
    assert set(readings.latest) == {publisher.id}

    ada.ask("leave_room")
    await readings.read()
    assert readings.latest == {}


async def test_the_event_loop_has_its_turn_and_people_may_leave_in_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 1)
    clients = [lab.joined(f"P{number}") for number in range(4)]
    publishers = [client.publish() for client in clients]
    for client, own in zip(clients, publishers, strict=True):
        for publisher in publishers:
            if publisher is not own:
                client.consume(publisher)
    readings = Readings(lab.rooms, lambda: lab.now, lambda: lab.now)
    await readings.read()
    reading = asyncio.create_task(readings.read())
    for client in clients[2:]:
        await asyncio.sleep(0)
        assert not reading.done()
        client.ask("leave_room")
    samples = await reading

    assert {sample.participant_id for sample in samples} >= {client.id for client in clients[:2]}


async def test_it_records_on_time_and_reads_more_often_while_somebody_looks(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INTERVAL", "LIVE_INTERVAL", "LATENESS_INTERVAL"):
        monkeypatch.setattr(module, name, 0.01)
    publisher = lab.joined("Ada").publish()
    taken: list[tuple[list[ParticipantSample], Load]] = []
    sampler = Sampler(lab.rooms, relay_stats, lambda *arguments: taken.append(arguments))
    sampler.start()
    await until(lambda: len(taken) >= 3)
    assert sampler.latest(publisher.id) is not None
    sampler.look()
    before = sampler.load
    await until(lambda: sampler.load is not before)
    monkeypatch.setattr(module, "WATCHED_FOR", 0.0)
    await until(lambda: sampler._watch is not None and sampler._watch.done())
    await sampler.close()

    assert taken[-1][0][0].uplinks[publisher.id].packets == 0
    assert taken[-1][1].interval > 0
    assert sampler.latest("nobody") is None


async def test_a_fault_is_logged_and_the_next_reading_comes(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.01)
    taken = []

    def take(samples: list[ParticipantSample], load: Load) -> None:
        taken.append(samples)
        raise ValueError("of who takes it")

    sampler = Sampler(lab.rooms, relay_stats, take)
    sampler.start()
    await until(lambda: len(taken) >= 2)
    await sampler.close()

    assert "of who takes it" in caplog.text
