"""The HTTP API (docs/api.md): from a request to a page. Reads only, and only for whom access lets.

/api/v1/live        from the rooms themselves (`live.py`)
/api/v1/history/    from the history's file, off the event loop
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus

from signaling.access import Access
from signaling.errors import ErrorCode, SignalingError
from signaling.monitoring.archive import Archive, Handler
from signaling.monitoring.live import Consumers, Live
from signaling.monitoring.metrics import CONTENT_TYPE, Metrics
from signaling.monitoring.pages import error_page, page
from signaling.monitoring.parameters import ApiError, Parameters
from signaling.site import METHODS, Page

logger = logging.getLogger(__name__)

PREFIX = "/api/"
METRICS = "/metrics"

_STATUS = {
    ErrorCode.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    ErrorCode.FORBIDDEN: HTTPStatus.FORBIDDEN,
}


class Api:
    """Answers. clock: Unix seconds, for tokens."""

    def __init__(
        self,
        access: Access,
        live: Live,
        archive: Archive,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._access = access
        self._live = live
        self._archive = archive
        self._metrics = metrics
        self._clock = clock

    def handles(self, path: str) -> bool:
        """Whether a path is the API's. path: without its query."""
        return path.startswith(PREFIX) or path == METRICS

    async def respond(self, method: str, target: str, authorization: str | None) -> Page:
        """The response to a request. target: the path with its query; authorization: that header."""
        try:
            if method not in METHODS:
                raise ApiError(
                    HTTPStatus.METHOD_NOT_ALLOWED,
                    "method_not_allowed",
                    f"Only {', '.join(METHODS)} can be asked for here.",
                )
            self._admit(authorization)
            parameters = Parameters(target)
            return await self._route(parameters.path)(parameters)
        except ApiError as error:
            return error_page(error)
        except Exception:
            logger.exception("a request to the API could not be answered")
            sentence = "The server failed to answer and has logged why."
            return error_page(ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", sentence))

    def _admit(self, authorization: str | None) -> None:
        try:
            self._access.admit_operator(authorization, self._clock())
        except SignalingError as error:
            status = _STATUS.get(error.code, HTTPStatus.FORBIDDEN)
            raise ApiError(status, error.code, error.message) from error

    def _route(self, path: tuple[str, ...]) -> Handler:
        match path:
            case ("metrics",):
                return self._answer_metrics
            case ("api", "v1", "live"):
                return self._answer_live
            case ("api", "v1", "history", *rest):
                handler = self._archive.route(tuple(rest))
                if handler is not None:
                    return handler
        raise ApiError(
            HTTPStatus.NOT_FOUND, "not_found", "There is no such path; docs/api.md lists them."
        )

    async def _answer_metrics(self, parameters: Parameters) -> Page:
        return page(self._metrics.text(), CONTENT_TYPE)

    async def _answer_live(self, parameters: Parameters) -> Page:
        return page(
            await self._live.json(
                room=parameters.text("room"),
                consumers=Consumers(
                    parameters.choice("consumers", tuple(each.value for each in Consumers))
                ),
            )
        )
