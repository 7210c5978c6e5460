"""A real session of a real program, and what must not be in its log: secrets, and people's addresses."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from websockets import InvalidStatus
from websockets.asyncio.client import connect
from websockets.typing import Origin

from signaling.access import Access, Grants, Key
from tests.signaling import test_media as media
from tests.signaling.sockets import Client
from tests.signaling.test_main import _serving

loopback_candidates = media.loopback_candidates

SECRET = "correct horse battery staple, twice"
ADDRESS = "203.0.113.9"


def _secrets_of(sdp: str) -> list[str]:
    return re.findall(r"a=ice-pwd:(\S+)", sdp)


class _Listener(Client):
    """Keeps every description that it was sent."""

    def __init__(self, socket: Any) -> None:
        super().__init__(socket)
        self.secrets: list[str] = []

    async def ask(self, type: str, **fields: Any) -> dict[str, Any]:
        reply = await super().ask(type, **fields)
        for message in (fields.get("answer"), reply.get("offer")):
            self.secrets += _secrets_of(message["sdp"]) if message else []
        return reply


async def test_nothing_secret_is_logged() -> None:
    access = Access(Key.read(SECRET))
    now = time.time()
    token = access.issue(Grants("ada", "tea", publish=True, subscribe=True, expires=now + 600))
    stale = access.issue(Grants("ada", "tea", expires=now - 1))
    options = "--auth-secret", SECRET, "--trusted-proxy", "127.0.0.1", "--resume-grace", "1"
    async with _serving(*options, "--drain-timeout", "0") as program:
        address = program.url.replace("http://", "ws://") + "ws"
        headers = {"X-Forwarded-For": ADDRESS}
        with pytest.raises(InvalidStatus):
            await connect(address, origin=Origin(f"http://{ADDRESS}"), additional_headers=headers)
        async with (
            connect(address, additional_headers=headers) as ada_socket,
            connect(address, additional_headers=headers) as bob_socket,
            connect(address, additional_headers=headers) as eve_socket,
            media._peer() as speaker,
            media._peer() as listener,
        ):
            ada, bob, eve = map(_Listener, (ada_socket, bob_socket, eve_socket))
            for wrong in (stale, "nonsense", token + "x"):
                refused = await eve.ask("join_room", room="tea", name="Eve", token=wrong)
                assert refused["code"] == "unauthorized"
            joined = [
                await each.ask("join_room", room="tea", name="Somebody", token=token)
                for each in (ada, bob)
            ]
            published = await media._publish(ada, speaker)
            await media._consume(bob, listener, published["publisher_id"])
            await eve.tell("join_room", room="tea", name=7, token=token)
            await eve.ask("resume_room", resume_token="guess")
            ada.socket.transport.abort()  # lost, and not resumed
            await bob.wait_for(type="participant_left", participant_id=joined[0]["participant_id"])
        program.process.terminate()
        status, log = await program.ended()

    assert status == 0
    assert "joined" in log
    assert len(ada.secrets) == len(bob.secrets) == 2
    secrets = [SECRET, token, stale, *ada.secrets, *bob.secrets]
    secrets += [part for text in (token, stale) for part in text.split(".")[1:]]
    secrets += [reply["resume_token"] for reply in joined]
    for secret in secrets:
        assert secret not in log
    for place in (ADDRESS, "127.0.0.1"):
        assert place not in log, [line for line in log.splitlines() if place in line]
