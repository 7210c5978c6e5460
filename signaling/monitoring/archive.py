"""The part of the API that asks the history: what was, as JSON and CSV, and why it was bad."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

from signaling.monitoring.history import Busy, History, Question, Unavailable, exports, queries
from signaling.monitoring.history import investigation as investigations
from signaling.monitoring.pages import csv_page, json_bytes, page
from signaling.monitoring.parameters import MAX_TIME, ApiError, Parameters, bad_request
from signaling.site import Page

T = TypeVar("T")

DAY = 86_400.0

BUCKETS = 288
"""Points of a time line that nobody chose the buckets of: a day in five minutes."""

FORMATS = ("json", "csv")

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

Handler = Callable[[Parameters], Awaitable[Page]]


class Archive:
    """Answers. history: None where none is kept. clock: Unix seconds."""

    def __init__(self, history: History | None, clock: Callable[[], float]) -> None:
        self._history = history
        self._clock = clock

    def route(self, path: tuple[str, ...]) -> Handler | None:
        """Who answers for a path below /api/v1/history; None: nobody."""
        match path:
            case ("rooms",):
                return self._rooms
            case ("rooms", _):
                return self._room
            case ("rooms", _, "diagnosis"):
                return self._room_diagnosis
            case ("participations",):
                return self._participations
            case ("participations", _):
                return self._participation
            case ("participations", _, "diagnosis"):
                return self._diagnosis
            case ("timeline",):
                return self._timeline
        return None

    async def _rooms(self, parameters: Parameters) -> Page:
        begin, end = parameters.period(0, MAX_TIME)
        room, cursor = parameters.text("room"), parameters.text("cursor")
        limit = parameters.integer("limit", 100, 1, 1000)
        as_csv = parameters.choice("format", FORMATS) == "csv"

        def question(ask: Question) -> bytes:
            found = queries.rooms(ask, begin, end, room, limit, cursor)
            return exports.rooms(found["rooms"]) if as_csv else json_bytes(found)

        try:
            body = await self._ask(question)
        except ValueError:
            raise bad_request("cursor: expected the `next` of the answer before.") from None
        return csv_page(body, "rooms.csv") if as_csv else page(body)

    async def _room(self, parameters: Parameters) -> Page:
        session = _id(parameters, 4)
        if parameters.choice("format", FORMATS) == "csv":
            body, truncated = _found(await self._ask(lambda ask: exports.room(ask, session)))
            return csv_page(body, f"room-{session}.csv", truncated=truncated)
        return page(_found(await self._ask(_dumped(queries.room, session))))

    async def _participations(self, parameters: Parameters) -> Page:
        begin, end = parameters.period(0, MAX_TIME)
        name = parameters.text("name")
        limit = parameters.integer("limit", 100, 1, 1000)
        if name is None:
            raise bad_request("name: expected some letters of a name.")

        def question(ask: Question) -> bytes:
            return json_bytes(queries.named_participations(ask, name, begin, end, limit))

        return page(await self._ask(question))

    async def _participation(self, parameters: Parameters) -> Page:
        key = _id(parameters, 4)
        if parameters.choice("format", FORMATS) == "csv":
            found = await self._ask(lambda ask: exports.participation(ask, key))
            body, truncated = _found(found)
            return csv_page(body, f"participation-{key}.csv", truncated=truncated)
        return page(_found(await self._ask(_dumped(queries.participation, key))))

    async def _diagnosis(self, parameters: Parameters) -> Page:
        key = _id(parameters, 4)
        return page(_found(await self._ask(_dumped(investigations.participation, key))))

    async def _room_diagnosis(self, parameters: Parameters) -> Page:
        session = _id(parameters, 4)
        return page(_found(await self._ask(_dumped(investigations.room, session))))

    async def _timeline(self, parameters: Parameters) -> Page:
        now = self._clock()
        begin, end = parameters.period(now - DAY, now)
        default = max(10.0, round((end - begin) / BUCKETS / 10) * 10.0)
        bucket = parameters.number("bucket", default, 10, DAY)
        if (end - begin) / bucket > queries.MAX_POINTS:
            raise bad_request(
                f"bucket: expected one that makes {queries.MAX_POINTS} points at most."
            )
        as_csv = parameters.choice("format", FORMATS) == "csv"

        def question(ask: Question) -> bytes:
            found = queries.timeline(ask, begin, end, bucket)
            return exports.timeline(found["points"]) if as_csv else json_bytes(found)

        body = await self._ask(question)
        return csv_page(body, "timeline.csv") if as_csv else page(body)

    async def _ask(self, question: Callable[[Question], T]) -> T:
        if self._history is None:
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "history_off",
                "This server keeps no history (--history-days 0).",
            )
        try:
            return await self._history.ask(question)
        except Busy:
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "busy",
                "That takes too long, or too much is asked at once; ask for less, or later.",
            ) from None
        except Unavailable:
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "history_unavailable",
                "The history cannot be read now; the server's log says why.",
            ) from None


def _dumped(
    query: Callable[[Question, str], object], key: str
) -> Callable[[Question], bytes | None]:
    """A question whose answer is written as JSON on the reader's thread, too."""

    def question(ask: Question) -> bytes | None:
        found = query(ask, key)
        return None if found is None else json_bytes(found)

    return question


def _found(value: T | None) -> T:
    if value is None:
        raise ApiError(
            HTTPStatus.NOT_FOUND, "not_found", "Nothing of this id is in the history (any more)."
        )
    return value


def _id(parameters: Parameters, place: int) -> str:
    id = parameters.path[place]
    if not _ID.fullmatch(id):
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", "That is no id.")
    return id
