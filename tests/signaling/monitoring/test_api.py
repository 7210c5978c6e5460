"""What a request to the API is answered by."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

import pytest

from signaling.access import Access, Grants, Key
from signaling.monitoring.api import Api
from signaling.monitoring.archive import Archive
from signaling.monitoring.live import Live
from signaling.monitoring.meters import Quality
from signaling.monitoring.metrics import Metrics
from signaling.monitoring.sampler import Sampler
from tests.signaling.lab import Lab
from tests.signaling.monitoring.fixtures import ask, header, now, relay_stats

SECRET = "a secret of more than thirty-two bytes"


@pytest.fixture
async def live(lab: Lab) -> AsyncIterator[Live]:
    sampler = Sampler(lab.rooms, relay_stats, lambda samples, load: None)
    live = Live(
        lab.rooms,
        sampler,
        version="1.2.3",
        media_plane="python",
        clock=lambda: lab.now,
        session=lambda room: None,
        history=lambda: "off",
    )
    lab.observers.add(live.observe)
    yield live
    await sampler.close()


@pytest.fixture
def api(live: Live) -> Api:
    return Api(Access(), live, Archive(None, time.time), Metrics(now), time.time)


async def test_it_handles_its_own_paths_and_no_others(api: Api) -> None:
    assert api.handles("/api/v1/live")
    assert api.handles("/api/")
    assert not api.handles("/")
    assert not api.handles("/apiary")
    assert not api.handles("/dashboard/")


async def test_answers_are_json_that_nobody_keeps(api: Api) -> None:
    page = await api.respond("GET", "/api/v1/live", None)

    assert page.status == 200
    assert header(page, "Content-Type") == "application/json"
    assert header(page, "Cache-Control") == "no-store"
    assert header(page, "X-Content-Type-Options") == "nosniff"
    assert page.body.endswith(b"}\n")


@pytest.mark.parametrize("path", ["/api/", "/api/v1", "/api/v2/live", "/api/v1/live/more"])
async def test_other_paths_are_not_found(api: Api, path: str) -> None:
    status, told = await ask(api, path)

    assert status == 404
    assert told["error"]["code"] == "not_found"


async def test_nothing_can_be_changed(api: Api) -> None:
    page = await api.respond("POST", "/api/v1/live", None)

    assert page.status == 405
    assert header(page, "Allow") == "GET, HEAD"
    assert json.loads(page.body)["error"]["code"] == "method_not_allowed"


async def test_a_wrong_parameter_is_said(api: Api) -> None:
    status, told = await ask(api, "/api/v1/live?consumers=perhaps")

    assert status == 400
    assert told["error"] == {
        "code": "bad_request",
        "message": "consumers: expected one of true, false, worst.",
    }


async def test_a_fault_of_our_own_is_logged_and_answered(
    api: Api, live: Live, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(**parameters: object) -> bytes:
        raise ValueError("of our own")

    monkeypatch.setattr(live, "json", broken)
    status, told = await ask(api, "/api/v1/live")

    assert status == 500
    assert told["error"]["code"] == "internal"
    assert "of our own" in caplog.text
    assert "of our own" not in told["error"]["message"]


@pytest.mark.parametrize(
    ("grants", "status", "code"),
    [
        (None, 401, "unauthorized"),
        (Grants("ada", "*", publish=True, expires=2e9), 403, "forbidden"),
        (Grants("ada", "room", admin=True, expires=2e9), 403, "forbidden"),
        (Grants("ada", "*", admin=True, expires=1e9), 401, "unauthorized"),
        (Grants("ada", "*", admin=True, expires=2e9), 200, None),
    ],
)
async def test_with_access_control_operators_only(
    live: Live, grants: Grants | None, status: int, code: str | None
) -> None:
    access = Access(Key.read(SECRET))
    api = Api(access, live, Archive(None, time.time), Metrics(now), lambda: 1.8e9)
    authorization = None if grants is None else f"Bearer {access.issue(grants)}"
    got, told = await ask(api, "/api/v1/live", authorization)

    assert got == status
    assert code is None or told["error"]["code"] == code
    page = await api.respond("GET", "/api/v1/live", authorization)
    assert header(page, "WWW-Authenticate") == ("Bearer" if status == 401 else None)


async def test_the_live_state(api: Api, lab: Lab) -> None:
    lab.now = 5.0
    ada, bob = lab.joined("Ada", "a"), lab.joined("Bob", "a")
    lab.joined("Cyd", "b")
    publisher = ada.publish()
    consumer = bob.consume(publisher)
    publisher.level = -20
    lab.rooms.tell_levels(1.0)
    lab.now = 9.0
    _, told = await ask(api, "/api/v1/live")

    assert told["at"] == 9.0
    assert told["truncated"] is False
    server = told["server"]
    assert (server["version"], server["rooms"], server["participants"]) == ("1.2.3", 2, 3)
    assert server["history"] == "off"
    first, second = told["rooms"]
    assert (first["room"], first["started_at"], first["session_id"]) == ("a", 5.0, None)
    assert [person["name"] for person in second["participants"]] == ["Cyd"]
    speaker, listener = first["participants"]
    assert (speaker["level"], speaker["speaking"], speaker["joined_at"]) == (-20, True, 5.0)
    assert speaker["publisher"]["publisher_id"] == publisher.id
    assert speaker["publisher"]["state"] == "connected"
    assert speaker["publisher"]["score"] is None  # nothing was read twice yet
    assert speaker["consumers"] == []
    assert listener["publisher"] is None
    (heard,) = listener["consumers"]
    assert heard["consumer_id"] == consumer.id
    assert heard["publisher_id"] == publisher.id
    assert heard["speaker_id"] == ada.id


async def test_one_room_without_consumers(api: Api, lab: Lab) -> None:
    lab.joined("Ada", "a").publish()
    lab.joined("Bob", "b")
    _, told = await ask(api, "/api/v1/live?room=a&consumers=false")

    (room,) = told["rooms"]
    assert room["room"] == "a"
    assert "consumers" not in room["participants"][0]


async def test_of_each_listener_the_consumer_that_sounds_worst(
    api: Api, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, cyd, dan = (lab.joined(name) for name in ("Ada", "Bob", "Cyd", "Dan"))
    consumers = [dan.consume(each.publish()).id for each in (ada, bob, cyd)]
    scores = dict(zip(consumers, (4.3, 2.1, None), strict=True))

    def latest(_: Sampler, connection_id: str) -> Quality | None:
        score = scores.get(connection_id)
        return None if score is None else Quality(0, 2, 0.1, 0, 0, 0, 100, None, score)

    monkeypatch.setattr(Sampler, "latest", latest)
    _, told = await ask(api, "/api/v1/live?consumers=worst")

    heard = {each["name"]: each["consumers"] for each in told["rooms"][0]["participants"]}
    assert [each["consumer_id"] for each in heard["Dan"]] == [consumers[1]]
    assert heard["Ada"] == []


async def test_who_is_away_is_told(api: Api, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = lab.joined("Ada")
    lab.joined("Bob")
    monkeypatch.setattr(lab.rooms, "is_away", lambda participant: participant.id == ada.id)
    _, told = await ask(api, "/api/v1/live")

    assert {each["name"]: each["away"] for each in told["rooms"][0]["participants"]} == {
        "Ada": True,
        "Bob": False,
    }


async def test_a_large_server_is_cut_and_says_so(
    api: Api, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signaling.monitoring.live.MAX_CONNECTIONS", 3)
    for name in ("Ada", "Bob", "Cyd", "Dan"):
        lab.joined(name)
    _, told = await ask(api, "/api/v1/live")

    assert told["truncated"] is True
    assert len(told["rooms"][0]["participants"]) == 3


@pytest.mark.parametrize(
    "path",
    [
        "rooms",
        "rooms?format=csv",
        "rooms/x",
        "rooms/x?format=csv",
        "rooms/x/diagnosis",
        "participations/x",
        "participations/x?format=csv",
        "participations/x/diagnosis",
        "timeline",
        "timeline?format=csv",
    ],
)
async def test_without_a_history_there_is_none(api: Api, path: str) -> None:
    status, told = await ask(api, f"/api/v1/history/{path}")

    assert status == 503
    assert told["error"]["code"] == "history_off"
