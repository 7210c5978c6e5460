"""Who may ask for anything at all: by itself, and on a real server."""

from __future__ import annotations

import asyncio
import contextlib
from ipaddress import ip_network

import pytest
from websockets import InvalidStatus
from websockets.asyncio.client import connect
from websockets.typing import Origin

from signaling.gate import Arrival, Gate
from signaling.limits import Addresses, AddressLimits
from signaling.origins import Origins
from signaling.refusals import Refusal, Refusals
from tests.signaling.sockets import Service, client, running, until

LOCAL = ip_network("127.0.0.0/8")


def _gate(
    limits: AddressLimits | None = None, max_sockets: int = 100, *, behind_proxy: bool = False
) -> tuple[Gate, Refusals]:
    refusals = Refusals()
    addresses = Addresses(limits or AddressLimits(), refusals)
    return Gate(
        addresses, refusals, max_sockets, Origins(), [LOCAL] if behind_proxy else []
    ), refusals


def _arrive(gate: Gate, peer: str = "192.0.2.1") -> Arrival:
    found = gate.arrive(peer, 0.0)
    assert isinstance(found, Arrival)
    return found


def test_places() -> None:
    gate, refusals = _gate(max_sockets=2)
    first, second = _arrive(gate), _arrive(gate)

    assert gate.arrive("192.0.2.1", 0.0) is Refusal.SERVER_SOCKETS
    gate.leave(first)
    _arrive(gate)
    gate.leave(second)
    assert gate.sockets == 1
    assert refusals.as_dict() == {"server_sockets": 1}


def test_an_address_is_counted_as_it_arrives() -> None:
    gate, _ = _gate(AddressLimits(sockets=1))
    arrival = _arrive(gate)

    assert gate.arrive("192.0.2.1", 0.0) is Refusal.ADDRESS_SOCKETS
    assert gate.identify(arrival, ["203.0.113.1"], 0.0) is None
    assert gate.visitor(arrival).group == "192.0.2.1"
    gate.leave(arrival)
    _arrive(gate)
    assert gate.sockets == 1


def test_behind_a_proxy_the_client_is_counted() -> None:
    gate, _ = _gate(AddressLimits(sockets=1), behind_proxy=True)
    arrivals = [_arrive(gate, "127.0.0.1") for _ in range(3)]

    assert gate.identify(arrivals[0], ["203.0.113.1"], 0.0) is None
    assert gate.identify(arrivals[1], ["203.0.113.1"], 0.0) is Refusal.ADDRESS_SOCKETS
    assert gate.identify(arrivals[2], ["203.0.113.2"], 0.0) is None
    for arrival in arrivals:
        gate.leave(arrival)
    assert gate.identify(_arrive(gate, "127.0.0.1"), ["203.0.113.1"], 0.0) is None


# A real server.


@contextlib.asynccontextmanager
async def _connected(service: Service):  # type: ignore[no-untyped-def]
    reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_one_too_many_is_told_before_it_asks() -> None:
    gate, refusals = _gate(AddressLimits(sockets=2))
    async with running(gate=gate) as service, client(service) as ada, client(service):
        async with _connected(service) as (reader, _):
            answer = (await reader.read()).decode()
        assert answer.startswith("HTTP/1.1 429 Too Many Requests\r\n")
        assert "\r\nRetry-After: 10\r\n" in answer
        assert "\r\nContent-Security-Policy: " in answer
        await ada.socket.close()
        await until(lambda: gate.sockets == 1)
        async with client(service) as bob:
            await bob.join()
    assert refusals[Refusal.ADDRESS_SOCKETS] == 1


async def test_a_full_server_is_503() -> None:
    gate, _ = _gate(max_sockets=1)
    async with running(gate=gate) as service, client(service):
        with pytest.raises(InvalidStatus) as caught:
            await connect(service.url)
        assert caught.value.response.status_code == 503


async def test_every_socket_is_given_back() -> None:
    gate, _ = _gate()
    async with running(gate=gate) as service:
        async with client(service) as ada, _connected(service) as (_, writer):
            await ada.join()
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            async with _connected(service):
                await until(lambda: gate.sockets > 1)
        await until(lambda: gate.sockets == 0)


async def test_behind_a_proxy_clients_have_limits_of_their_own() -> None:
    gate, _ = _gate(AddressLimits(sockets=1), behind_proxy=True)
    async with running(gate=gate) as service:
        ada = {"X-Forwarded-For": "203.0.113.1"}
        bob = {"X-Forwarded-For": "203.0.113.1, 203.0.113.2"}
        async with client(service, additional_headers=ada):
            with pytest.raises(InvalidStatus) as caught:
                await connect(service.url, additional_headers=ada)
            assert caught.value.response.status_code == 429
            assert caught.value.response.headers["Retry-After"] == "10"
            async with client(service, additional_headers=bob) as other:
                await other.join()


async def test_nobody_but_a_proxy_is_believed() -> None:
    gate, _ = _gate(AddressLimits(sockets=1))
    async with running(gate=gate) as service, client(service):
        with pytest.raises(InvalidStatus):
            await connect(service.url, additional_headers={"X-Forwarded-For": "203.0.113.9"})


async def test_pages_of_other_origins_are_refused() -> None:
    gate, refusals = _gate()
    async with running(gate=gate) as service:
        own = f"http://127.0.0.1:{service.server.port}"
        async with client(service, origin=Origin(own)) as ada:
            await ada.join()
        with pytest.raises(InvalidStatus) as caught:
            await connect(service.url, origin=Origin("https://evil.example"))
        assert caught.value.response.status_code == 403
    assert refusals.as_dict() == {"origin": 1}


async def test_joins_of_one_address_are_limited_over_all_its_sockets() -> None:
    gate, refusals = _gate(AddressLimits(join_rate=1))
    async with running(gate=gate) as service, client(service) as ada, client(service) as bob:
        for client_ in (ada, bob):
            for _ in range(29):
                await client_.ask("join_room", room="no such/room", name="Ada")
                await client_.ask("resume_room", resume_token="guess")
        replies = [await bob.ask("resume_room", resume_token="guess") for _ in range(40)]
        assert {reply["code"] for reply in replies} == {"not_found", "rate_limited"}
        assert refusals[Refusal.ADDRESS_JOINS] > 0


async def test_who_joins_no_room_is_closed_and_who_did_is_not() -> None:
    async with running(join_timeout=0.5) as service, client(service) as ada, client(service) as bob:
        await ada.join()
        assert await bob.closed() == (1008, "no room was joined")
        assert (await ada.ask("get_stats"))["type"] == "stats"
        await ada.ask("leave_room")
        assert await ada.closed() == (1008, "no room was joined")
