"""What publishers and consumers have in common: parameters, events, closing."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest

from relay import (
    CloseReason,
    ConnectionState,
    DtlsRole,
    IceParameters,
    InvalidStateError,
    ParameterError,
    Relay,
    TransportParameters,
)
from tests.integration.light_peer import LightPeer

from .ice_peer import candidate
from .waiting import until

UNUSABLE = TransportParameters(IceParameters("user", "p" * 22), (), DtlsRole.CLIENT)


async def test_local_parameters_are_complete_at_once(relay: Relay) -> None:
    local = relay.create_publisher().local
    assert local.candidates == relay.candidates
    assert local.end_of_candidates
    assert local.role is DtlsRole.AUTO
    assert [fingerprint.algorithm for fingerprint in local.fingerprints] == ["sha-256"]


async def test_ids_are_unguessable_and_safe_in_urls(relay: Relay) -> None:
    publishers = [relay.create_publisher() for _ in range(50)]
    assert len({publisher.id for publisher in publishers}) == 50
    assert len({publisher.track_id for publisher in publishers}) == 50
    assert len({publisher.local.ice for publisher in publishers}) == 50
    assert all(re.fullmatch("[A-Za-z0-9_-]{16,}", publisher.id) for publisher in publishers)
    assert all(0 < publisher.ssrc < 2**32 for publisher in publishers)


async def test_life(relay: Relay) -> None:
    publisher = relay.create_publisher()
    events: list[object] = []
    publisher.on("connected", lambda: events.append(publisher.state))
    publisher.on("closed", events.append)
    assert str(publisher.state) == "new"
    async with LightPeer(publisher) as peer:
        assert events == [ConnectionState.CONNECTED]
        publisher.close()
        publisher.close(CloseReason.FAILED)
        assert str(publisher.state) == "closed"
        assert events == [ConnectionState.CONNECTED, CloseReason.CLOSED]
        await until(lambda: peer.closed)


async def test_a_refused_answer_leaves_it_as_it_was(relay: Relay) -> None:
    publisher = relay.create_publisher()
    closed: list[CloseReason] = []
    publisher.on("closed", closed.append)
    with pytest.raises(ParameterError, match="fingerprint"):
        publisher.connect(UNUSABLE)
    assert publisher.state is ConnectionState.NEW
    async with LightPeer(publisher):
        with pytest.raises(InvalidStateError, match="connected"):
            publisher.connect(UNUSABLE)
        assert closed == []


async def test_closes_itself_without_a_media_path(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("relay.transport.CONNECT_TIMEOUT", 0.02)
    publisher = relay.create_publisher()
    closed: asyncio.Future[CloseReason] = asyncio.get_running_loop().create_future()
    publisher.on("closed", closed.set_result)
    fingerprints = publisher.local.fingerprints
    with caplog.at_level(logging.INFO):
        publisher.connect(
            TransportParameters(IceParameters("user", "p" * 22), fingerprints, DtlsRole.CLIENT)
        )
        assert await asyncio.wait_for(closed, 20) is CloseReason.FAILED
    assert publisher.id in caplog.text
    assert relay.stats().publishers == 0


async def test_closes_itself_when_consent_is_lost(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.consent.INTERVAL", 0.05)
    monkeypatch.setattr("relay.consent.EXPIRY", 0.5)
    relay._router.timers.step = 0.01
    publisher = relay.create_publisher()
    closed: asyncio.Future[CloseReason] = asyncio.get_running_loop().create_future()
    publisher.on("closed", closed.set_result)
    peer = LightPeer(publisher)
    await peer.connect()
    await peer.leave()  # without a word
    assert await asyncio.wait_for(closed, 20) is CloseReason.FAILED


async def test_a_raising_handler_harms_nobody(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = relay.create_publisher()
    called: list[str] = []

    def faulty(*_: object) -> None:
        raise RuntimeError("first fault")

    async def faulty_later(*_: object) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("second fault")

    for event in ("connected", "closed"):
        publisher.on(event, faulty)
        publisher.on(event, faulty_later)
        publisher.on(event, lambda *_, event=event: called.append(event))
    with caplog.at_level(logging.ERROR):
        peer = LightPeer(publisher)
        await peer.connect()
        await publisher.wait_for_complete()
        assert called == ["connected"]
        publisher.close()
        await publisher.wait_for_complete()
    assert called == ["connected", "closed"]
    assert caplog.text.count("RuntimeError: first fault") == 2
    assert caplog.text.count("RuntimeError: second fault") == 2
    assert relay.stats().publishers == 0
    await peer.close()


async def test_candidates_at_any_time(relay: Relay) -> None:
    publisher = relay.create_publisher()
    useless = candidate(address="somebody.local")
    publisher.add_remote_candidate(useless)
    publisher.add_remote_candidate(None)
    async with LightPeer(publisher):
        publisher.add_remote_candidate(useless)
        publisher.close()
        publisher.add_remote_candidate(candidate())
        publisher.add_remote_candidate(None)
