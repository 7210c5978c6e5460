"""What a room is told of who speaks, and how often."""

from __future__ import annotations

from .lab import Client, Lab


def told(client: Client) -> list[str]:
    return [message["type"] for message in client.take()]


def test_levels_are_told_every_other_time_and_at_once_when_somebody_begins(
    lab: Lab, ada: Client, bob: Client
) -> None:
    first, second = ada.publish(), bob.publish()
    lab.take_all()
    heard = []
    for tick in range(8):
        first.level = -20
        second.level = -20 if tick == 5 else None
        lab.rooms.tell_levels(100 + tick / 10)
        heard.append(told(ada))
    told_at = [tick for tick, types in enumerate(heard) if "audio_levels" in types]
    assert told_at == [0, 2, 4, 5, 7]


def test_the_dominant_speaker_is_told_once(lab: Lab, ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    lab.take_all()
    for tick in range(10):
        publisher.level = -20
        lab.rooms.tell_levels(100 + tick / 10)
    news = [message for message in bob.take() if message["type"] == "dominant_speaker"]
    assert news == [{"type": "dominant_speaker", "participant_id": ada.id}]


def test_who_comes_is_told_who_dominates(lab: Lab, ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    publisher.level = -20
    lab.rooms.tell_levels(100.0)
    newcomer = lab.joined("Cyd")
    lab.take_all()
    lab.rooms.tell_levels(100.1)
    news = {"type": "dominant_speaker", "participant_id": ada.id}
    assert newcomer.take() == [news]
    assert bob.take() == []


def test_nobody_dominates_once_the_speaker_is_muted(lab: Lab, ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    publisher.level = -20
    lab.rooms.tell_levels(100.0)
    ada.ask("set_muted", muted=True)
    lab.take_all()
    lab.rooms.tell_levels(100.1)
    assert bob.take() == [{"type": "dominant_speaker", "participant_id": None}]
