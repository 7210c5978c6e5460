"""Real sockets that are lost, and those that come after them. What is said is in `test_resumption.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.signaling.sockets import Client, Service, client, running, until

LONG = 60.0
"""Seconds of grace that no test waits for."""


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with running(resume_grace=LONG) as service:
        yield service


async def _resume(client: Client, token: object) -> object:
    reply = await client.ask("resume_room", resume_token=token)
    assert reply["type"] == "room_resumed", reply
    return reply["resume_token"]


async def _expect_no_news(ada: Client, bob: Client) -> None:
    """Bob gets Ada's next message, and nothing before it."""
    await ada.ask("set_muted", muted=True)
    await bob.wait_for(type="participant_muted", participant_id=ada.id)
    assert bob.inbox == []


async def test_a_socket_that_dies_is_followed_by_another(service: Service) -> None:
    async with client(service) as bob:
        await bob.join(name="Bob")
        async with client(service) as ada:
            token = (await ada.join(name="Ada"))["resume_token"]
            await bob.wait_for(type="participant_joined")
            created = await ada.ask("create_publisher")
            ada.socket.transport.abort()
        async with client(service) as again:
            token = await _resume(again, token)
            again.id = ada.id
            await _expect_no_news(again, bob)
            stats = await again.ask("get_stats")
            assert stats["publisher"]["publisher_id"] == created["publisher_id"]
            await again.socket.close(3000)
        async with client(service) as third:
            await _resume(third, token)


@pytest.mark.parametrize("code", [1000, 1001])
async def test_who_says_goodbye_is_not_waited_for(service: Service, code: int) -> None:
    async with client(service) as ada, client(service) as bob:
        token = (await ada.join())["resume_token"]
        await bob.join()
        await ada.socket.close(code)
        await bob.wait_for(type="participant_left", participant_id=ada.id)
        reply = await bob.ask("leave_room")
        assert reply == {"type": "room_left"}
        async with client(service) as again:
            assert (await again.ask("resume_room", resume_token=token))["code"] == "not_found"


async def test_a_half_open_socket_is_closed_by_the_one_that_takes_over(service: Service) -> None:
    async with client(service) as ada, client(service) as bob, client(service) as again:
        token = (await ada.join(name="Ada"))["resume_token"]
        await bob.join(name="Bob")
        again.id = ada.id
        await _resume(again, token)

        assert await ada.closed() == (4001, "resumed by another socket")
        await _expect_no_news(again, bob)


async def test_a_binary_frame_is_no_lost_socket(service: Service) -> None:
    async with client(service) as ada, client(service) as bob:
        await ada.join()
        await bob.join()
        await ada.socket.send(b"{}")
        await bob.wait_for(type="participant_left", participant_id=ada.id)


async def test_who_does_not_come_back_is_out_after_the_grace() -> None:
    async with running(resume_grace=0.5) as service:
        async with client(service) as bob:
            await bob.join()
            async with client(service) as ada:
                await ada.join()
                ada.socket.transport.abort()
            await bob.wait_for(type="participant_left", participant_id=ada.id)
        await until(service.is_empty)


async def test_a_server_that_stops_waits_for_nobody(service: Service) -> None:
    async with client(service) as ada:
        await ada.join()
        await ada.ask("create_publisher")
        ada.socket.transport.abort()
    await until(lambda: service.rooms.waiting_count == 1)
    # `running` sees that nothing is left
