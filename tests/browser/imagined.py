"""Answers of the HTTP API that no small server would give: thirty rooms, two hundred people, a bad day.

For the pages' layout alone. What the server really answers, and that the pages can read it, is seen in
the tests that have a server with a history.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

NAMES = (
    "Ada",
    "Grace",
    "Alan",
    "Hedy",
    "Katherine",
    "Claude",
    "Radia",
    "Vint",
    "Barbara",
    "Edsger",
)
ROOMS = ("standup", "support", "design-review", "all-hands", "coffee", "night-shift", "planning")
LONG_NAME = "Maximiliane-Theodora von und zu Hohenstein-Breitenbach am Wasser"
RIGHT_TO_LEFT = "محمد بن عبد الرحمن بن عبد الله الطويل جدا"
LONG_ROOM = "the-very-long-name-of-a-room-that-somebody-made-with-a-program-1"
STEP = 10.0


class Imagined:
    """A server's answers. now: Unix seconds. rooms: how many are open, with so many people each.

    bad: how many people of the first room hear badly. seed: the same gives the same.
    """

    def __init__(self, now: float, rooms: int, people: int, bad: int = 0, seed: int = 1) -> None:
        self.now = now
        self.rooms = rooms
        self.people = people
        self.bad = bad
        self.withheld = False
        """Whether there is nothing anywhere."""
        self._seed = seed

    def answer(self, path: str) -> Json | None:
        """path: below /api/v1/, without its query. None where there is nothing."""
        routes: dict[str, Callable[[], Json]] = {
            "live": self.live,
            "history/rooms": self.past_rooms,
            "history/participations": self.found,
            "history/timeline": self.timeline,
            "history/rooms/r0": self.room,
            "history/rooms/r0/diagnosis": self.room_diagnosis,
            "history/participations/r0p0": self.call,
            "history/participations/r0p0/diagnosis": self.call_diagnosis,
        }
        made = None if self.withheld else routes.get(path)
        return made() if made else None

    def live(self) -> Json:
        chance = random.Random(self._seed)
        rooms = [self._live_room(number, chance) for number in range(self.rooms)]
        return {
            "at": self.now,
            "server": {
                "version": "0.2.0",
                "started_at": self.now - 93_000,
                "media_plane": "native",
                "cpu": 0.31,
                "busiest_thread": 0.22,
                "loop_delay": 0.0006,
                "packets_received_per_second": 50.0 * self.rooms * self.people,
                "packets_forwarded_per_second": 50.0 * self.rooms * self.people * (self.people - 1),
                "drops": {
                    "rtp_muted": {"total": 81_200, "per_second": 50.0},
                    "stun_unknown_user": {"total": 12, "per_second": 0.0},
                    "dtls_unexpected": {"total": 31, "per_second": 0.0},
                    "send_buffer_full": {"total": 3, "per_second": 0.0},
                },
                "history": "on",
            },
            "rooms": rooms,
            "truncated": False,
        }

    def _live_room(self, number: int, chance: random.Random) -> Json:
        names = [_name(index) for index in range(self.people)]
        if number == 0 and self.people > 1:
            names[1:3] = [LONG_NAME, RIGHT_TO_LEFT][: self.people - 1]
        people = [
            self._live_person(number, index, name, chance) for index, name in enumerate(names)
        ]
        room = LONG_ROOM if number == 1 else _room(number)
        return {
            "room": room,
            "session_id": f"r{number}",
            "started_at": self.now - 600 * (number + 1),
            "participants": people,
        }

    def _live_person(self, room: int, index: int, name: str, chance: random.Random) -> Json:
        person = f"r{room}p{index}"
        speaker = f"r{room}p{(index + 1) % self.people}"
        bad = room == 0 and index < self.bad
        speaking = index == 1
        return {
            "participant_id": person,
            "name": name,
            "identity": f"user-{index}" if index % 3 == 0 else None,
            "muted": index % 5 == 4,
            "joined_at": self.now - 500,
            "level": -24 if speaking else -127,
            "speaking": speaking,
            "publisher": _connection(chance, bad=False) | {"publisher_id": f"u{person}"},
            "consumers": [
                _connection(chance, bad=bad) | {"consumer_id": f"c{person}", "speaker_id": speaker}
            ]
            if self.people > 1
            else [],
        }

    def past_rooms(self) -> Json:
        chance = random.Random(self._seed)
        rooms = []
        for number in range(max(0, self.rooms * 3)):
            start = self.now - chance.uniform(1_800, 86_000)
            rooms.append(
                {
                    "session_id": f"r{number}",
                    "room": LONG_ROOM if number == 1 else _room(number),
                    "started_at": start,
                    "ended_at": start + chance.uniform(300, 5_000),
                    "participations": chance.randint(2, 12),
                    "score": 4.2,
                    "worst_score": 2.4 if number == 0 else chance.choice((4.3, 4.2, 4.35, 3.8)),
                }
            )
        rooms.sort(key=lambda room: -float(str(room["started_at"])))
        return {"rooms": rooms, "next": None}

    def found(self) -> Json:
        people = [
            {**each, "session_id": "r0", "room": LONG_ROOM}
            for each in self.room()["participations"][:5]
        ]
        return {"participations": people, "truncated": False}

    def timeline(self) -> Json:
        chance = random.Random(self._seed)
        points = []
        for bucket in range(288):
            at = self.now - 86_400 + 300 * bucket
            busy = max(0.0, math.sin(math.pi * bucket / 288) ** 2)
            people = round(self.rooms * self.people * busy)
            if 40 < bucket < 52:
                continue  # the server did not run
            low = 2.3 if 200 < bucket < 206 else 4.1 + 0.2 * chance.random()
            points.append(
                {
                    "at": at,
                    "rooms": round(self.rooms * busy),
                    "participants": people,
                    "score": 4.32 if people else None,
                    "worst_score": low if people else None,
                    "cpu": 0.02 + 0.4 * busy,
                    "busiest_thread": 0.02 + 0.3 * busy,
                    "loop_delay": 0.001,
                    "packets_forwarded": people * 300 * 50,
                    "packets_dropped": 3,
                }
            )
        return {"from": self.now - 86_400, "to": self.now, "bucket": 300.0, "points": points}

    def room(self) -> Json:
        start, end = self.now - 3_600, self.now - 600
        participations = []
        for index in range(self.people):
            name = {1: LONG_NAME, 2: RIGHT_TO_LEFT}.get(index, _name(index))
            joined = start + 20 * index
            bad = index < self.bad
            strip = [
                [joined + 30 * step, 2.6 if bad and 30 < step < 44 else 4.3]
                for step in range(int((end - joined) / 30))
            ]
            participations.append(
                _participation(index, name, joined, end, bad=bad) | {"strip": strip}
            )
        curve = [
            {
                "at": start + STEP * step,
                "interval": STEP,
                "participants": min(self.people, 1 + step // 2),
                "score": 4.3,
                "worst_score": 2.6 if self.bad and 90 < step < 132 else 4.2,
                "loss_up": 0.001,
                "loss_down": 0.05 if self.bad and 90 < step < 132 else 0.001,
            }
            for step in range(300)
        ]
        return {
            "session_id": "r0",
            "room": _room(0),
            "started_at": start,
            "ended_at": end,
            "participations": participations,
            "events": self._events(start, end),
            "curve": curve,
            "truncated": False,
        }

    def _events(self, start: float, end: float) -> list[Json]:
        first = {"participation_id": "r0p0", "name": _name(0)}
        return [
            {"at": start, "kind": "joined", **first},
            {"at": start + 2, "kind": "publishing", "connection_id": "ur0p0", **first},
            {"at": start + 20, "kind": "joined", "participation_id": "r0p1", "name": LONG_NAME},
            {"at": start + 930, "kind": "quality_fell", "score": 2.6, **first},
            {"at": start + 1_290, "kind": "resumed", "gap": 6.0, **first},
            {"at": start + 1_300, "kind": "address_changed", "connection_id": "ur0p0", **first},
            {"at": end, "kind": "left", "reason": "left", **first},
        ]

    def room_diagnosis(self) -> Json:
        call = self.call_diagnosis()
        bad = [call] if self.bad else []
        summary = call["summary"] if bad else "Everybody heard everybody well."
        return {
            "session_id": "r0",
            "room": _room(0),
            "cause": call["cause"],
            "summary": summary,
            "participations": bad,
        }

    def call(self) -> Json:
        start, end = self.now - 3_600, self.now - 600
        chance = random.Random(self._seed)
        heard = range(1, min(self.people, 4))
        connections = [
            _past_connection("up", 0, start, end, chance, bad=False),
            *(
                _past_connection("down", each, start, end, chance, bad=self.bad > 0)
                for each in heard
            ),
        ]
        return {
            **_participation(0, _name(0), start, end, bad=self.bad > 0),
            "session_id": "r0",
            "room": _room(0),
            "connections": connections,
            "events": [each for each in self._events(start, end) if each["name"] == _name(0)],
            "truncated": False,
        }

    def call_diagnosis(self) -> Json:
        start = self.now - 3_600
        common = {"participation_id": "r0p0", "name": _name(0), "room": _room(0)}
        if not self.bad:
            words = f"{_name(0)} heard the others well, and was heard well."
            return {
                **common,
                "score": 4.3,
                "cause": "none",
                "summary": words,
                "bad_share": 0.0,
                "evidence": [],
            }
        return {
            **common,
            "score": 2.7,
            "cause": "downlink_loss",
            "summary": f"{_name(0)} heard the others badly: 8.1 % of the packets were lost between the "
            "relay and this browser.",
            "bad_share": 0.14,
            "evidence": [
                {
                    "cause": "downlink_loss",
                    "share": 0.14,
                    "from": start + 900,
                    "to": start + 1_320,
                    "summary": "For 420 s the loss on the way to this listener was 8.1 %, 12.0 % at worst.",
                    "figures": {"loss": 0.081, "worst_loss": 0.12, "listeners": 1},
                },
                {
                    "cause": "network_change",
                    "share": 0.01,
                    "from": start + 1_290,
                    "to": start + 1_300,
                    "summary": "The browser went by another address after 6 s without a connection.",
                    "figures": {},
                },
            ],
        }


def _connection(chance: random.Random, *, bad: bool) -> Json:
    return {
        "state": "connected",
        "loss": 0.08 if bad else chance.choice((0.0, 0.0, 0.002)),
        "jitter": chance.uniform(0.001, 0.006),
        "round_trip_time": chance.uniform(0.012, 0.06),
        "bitrate": 31_800.0,
        "packets": 100,
        "gaps": 0,
        "score": 2.4 if bad else chance.choice((4.38, 4.35, 4.31)),
    }


def _past_connection(
    direction: str, speaker: int, start: float, end: float, chance: random.Random, *, bad: bool
) -> Json:
    curve = []
    for step in range(int((end - start) / STEP)):
        hit = bad and 90 < step < 132
        loss = chance.uniform(0.05, 0.12) if hit else chance.choice((0.0, 0.0, 0.002, 0.004))
        curve.append(
            {
                "at": start + STEP * step,
                "interval": STEP,
                "loss": loss,
                "jitter": chance.uniform(0.002, 0.02 if hit else 0.005),
                "round_trip_time": 0.02 + 0.004 * math.sin(step / 9) + (0.03 if hit else 0),
                "bitrate": 31_800.0,
                "packets": 500,
                "gaps": 0,
                "score": max(1.0, 4.38 - 24 * loss),
            }
        )
    return {
        "connection_id": f"{direction}{speaker}",
        "direction": direction,
        "speaker_id": f"r0p{speaker}",
        "speaker_name": LONG_NAME if speaker == 1 else _name(speaker),
        "started_at": start,
        "ended_at": end,
        "reason": "left",
        "curve": curve,
    }


def _participation(index: int, name: str, joined: float, left: float, *, bad: bool) -> Json:
    return {
        "participation_id": f"r0p{index}",
        "participant_id": f"r0p{index}",
        "name": name,
        "identity": None,
        "joined_at": joined,
        "left_at": left,
        "reason": "left",
        "score": 3.4 if bad else 4.3,
        "worst_score": 2.4 if bad else 4.2,
        "sent_score": 4.35,
        "heard_score": 2.7 if bad else 4.25,
    }


def _name(index: int) -> str:
    turn, number = divmod(index, len(NAMES))
    return NAMES[number] if turn == 0 else f"{NAMES[number]} {turn + 1}"


def _room(number: int) -> str:
    turn, index = divmod(number, len(ROOMS))
    return ROOMS[index] if turn == 0 else f"{ROOMS[index]}-{turn + 1}"
