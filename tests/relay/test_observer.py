"""Who is heard, as events of the Python API."""

from __future__ import annotations

import asyncio
from typing import Any

from relay import AudioLevel, Publisher, Relay, SpeakerObserver
from tests.integration.light_peer import LightPeer

from .waiting import until

LOUD, SILENT = 20, 127


async def connected(relay: Relay) -> tuple[Publisher, LightPeer]:
    publisher = relay.create_publisher("room")
    peer = LightPeer(publisher)
    await peer.connect()
    return publisher, peer


class Listening:
    """An observer and what it said. It decides when it is told to."""

    def __init__(self, relay: Relay) -> None:
        self.observer: SpeakerObserver = relay.create_speaker_observer()
        self.said: list[tuple[str, Any]] = []
        for event in ("audio_levels", "dominant_speaker"):
            self.observer.on(event, lambda told, event=event: self.said.append((event, told)))

    def observe(self, now: float) -> list[tuple[str, Any]]:
        self.said.clear()
        self.observer.observe(now)
        return self.said[:]


async def test_it_tells_who_is_heard(relay: Relay) -> None:
    listening = Listening(relay)
    publisher, peer = await connected(relay)
    other, _ = relay.create_publisher("room"), None
    listening.observer.add(publisher)
    listening.observer.add(publisher)
    listening.observer.add(other)
    assert listening.observe(0.0) == []

    await peer.send(1, 960, 0x1111, level=LOUD)
    await until(lambda: publisher.stats().packets_received == 1)
    assert listening.observe(0.1) == [
        ("audio_levels", (AudioLevel(publisher, -LOUD, speaking=True),)),
        ("dominant_speaker", publisher),
    ]
    assert listening.observer.dominant_speaker is publisher
    assert listening.observe(0.2) == []  # nothing new, and too soon
    ((event, (level,)),) = listening.observe(0.3)
    assert (event, level.speaking) == ("audio_levels", True)
    ((_, (level,)),) = listening.observe(10.0)
    assert (level.level, level.speaking) == (-127, False)
    assert listening.observe(11.0) == []
    listening.observer.close()
    await peer.close()


async def test_the_muted_and_the_removed_are_not_heard(relay: Relay) -> None:
    listening = Listening(relay)
    publisher, peer = await connected(relay)
    listening.observer.add(publisher)
    await peer.send(1, 960, 0x1111, level=LOUD)
    await until(lambda: publisher.stats().packets_received == 1)
    listening.observe(0.0)
    publisher.muted = True
    assert listening.observe(0.1) == [("dominant_speaker", None)]
    publisher.muted = False
    await peer.send(2, 1920, 0x1111, level=LOUD)
    await until(lambda: publisher.stats().packets_received == 2)
    assert [event for event, _ in listening.observe(0.2)] == ["audio_levels", "dominant_speaker"]
    listening.observer.remove(publisher)
    assert listening.observe(0.3) == [("dominant_speaker", None)]
    listening.observer.remove(publisher)
    listening.observer.close()
    await peer.close()


async def test_who_closes_is_forgotten(relay: Relay) -> None:
    listening = Listening(relay)
    publisher, peer = await connected(relay)
    listening.observer.add(publisher)
    await peer.send(1, 960, 0x1111, level=LOUD)
    await until(lambda: publisher.stats().packets_received == 1)
    listening.observe(0.0)
    await peer.close()
    assert listening.observe(0.1) == [("dominant_speaker", None)]
    listening.observer.close()


async def test_it_observes_by_itself(relay: Relay) -> None:
    observer = relay.create_speaker_observer()
    told: asyncio.Future[Publisher] = asyncio.get_running_loop().create_future()
    observer.once("dominant_speaker", told.set_result)
    publisher, peer = await connected(relay)
    observer.add(publisher)
    await peer.send(1, 960, 0x1111, level=LOUD)
    async with asyncio.timeout(20):
        assert await told is publisher
    observer.close()
    await peer.close()


async def test_each_meter_measures_for_itself(relay: Relay) -> None:
    publisher, peer = await connected(relay)
    first, second = publisher.create_level_meter(), publisher.create_level_meter()
    assert first.take() is None
    await peer.send(1, 960, 0x1111, level=LOUD)
    await until(lambda: publisher.stats().packets_received == 1)
    assert first.take() == -LOUD
    await peer.send(2, 1920, 0x1111, level=SILENT)
    await until(lambda: publisher.stats().packets_received == 2)
    assert (first.take(), second.take(), publisher.take_audio_level()) == (-127, -23, -23)
    await peer.close()
