"""The sending end of a voice."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from relay import (
    CloseReason,
    ConnectionState,
    ConsumerStats,
    InvalidStateError,
    Publisher,
    Relay,
    RtpParameters,
)
from relay.clock import wall_time
from relay.rtcp import (
    MAX_NACK_SEQUENCES,
    Nack,
    ReceiverReport,
    ReportBlock,
    middle_32,
    ntp_time,
)
from tests.integration.light_peer import LightPeer


@pytest.fixture
async def speaker(relay: Relay) -> AsyncIterator[LightPeer]:
    """A peer that publishes."""
    async with LightPeer(relay.create_publisher()) as peer:
        yield peer


@pytest.fixture
def publisher(speaker: LightPeer) -> Publisher:
    """The relay's end of it."""
    assert isinstance(speaker.connection, Publisher)
    return speaker.connection


async def test_stats_before_anything_went(relay: Relay, publisher: Publisher) -> None:
    consumer = relay.create_consumer(publisher)
    assert consumer.stats() == ConsumerStats(0, 0, 0, 0.0, None)
    assert consumer.source.ssrc == consumer.ssrc
    assert consumer.source.cname


async def test_needs_a_connected_publisher(relay: Relay, publisher: Publisher) -> None:
    with pytest.raises(InvalidStateError, match="new, but must be connected"):
        relay.create_consumer(relay.create_publisher())
    publisher.close()
    with pytest.raises(InvalidStateError, match="closed, but must be connected"):
        relay.create_consumer(publisher)
    assert relay.stats().consumers == 0


async def test_sends_under_its_own_ssrc(
    relay: Relay, speaker: LightPeer, publisher: Publisher
) -> None:
    consumer = relay.create_consumer(publisher)
    async with LightPeer(consumer) as listener:
        for sequence in range(3):
            await speaker.send(sequence, 960 * sequence, 0x1111)
        await listener.wait_received(3)
        assert {packet[8:12] for packet in listener.received} == {consumer.ssrc.to_bytes(4, "big")}
        assert consumer.stats().packets_sent == 3
        assert consumer.stats().bytes_sent == 3 * len(b"opus 00000")


async def test_a_closed_one_gets_nothing_more(
    relay: Relay, speaker: LightPeer, publisher: Publisher
) -> None:
    one, other = (LightPeer(relay.create_consumer(publisher)) for _ in range(2))
    async with one as stays, other as leaves:
        leaves.connection.close()
        assert publisher.consumers == {stays.connection}
        await speaker.send(1, 960, 0x1111)
        await stays.wait_received(1)
        assert leaves.received == []
        assert publisher.state is ConnectionState.CONNECTED


class TestSwitch:
    async def test_moves_between_publishers(self, relay: Relay, publisher: Publisher) -> None:
        async with LightPeer(relay.create_publisher()) as other:
            assert isinstance(other.connection, Publisher)
            consumer = relay.create_consumer(publisher)
            consumer.switch(other.connection)  # before it is connected itself
            assert publisher.consumers == set()
            assert other.connection.consumers == {consumer}
            publisher.close()
            assert consumer.state is ConnectionState.NEW
            async with LightPeer(consumer) as listener:
                await other.send(7, 960, 0x2222)
                await listener.wait_received(1)
                assert listener.received[0][12:] == b"opus 00007"

    async def test_needs_a_connected_publisher(self, relay: Relay, publisher: Publisher) -> None:
        consumer = relay.create_consumer(publisher)
        with pytest.raises(InvalidStateError, match="publisher is new"):
            consumer.switch(relay.create_publisher())
        assert consumer.publisher is publisher
        assert publisher.consumers == {consumer}

    async def test_needs_an_open_consumer(self, relay: Relay, publisher: Publisher) -> None:
        consumer = relay.create_consumer(publisher)
        consumer.close(CloseReason.CLOSED)
        with pytest.raises(InvalidStateError, match="consumer is closed"):
            consumer.switch(publisher)
        assert publisher.consumers == set()


async def test_nothing_is_sent_again_while_there_is_no_path(
    relay: Relay, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = relay.create_consumer(publisher)
    async with LightPeer(consumer):
        asked: list[int] = []

        def retransmit(_: object, sequences: list[int]) -> int:
            asked.extend(sequences)
            return 0

        transport = consumer._transport
        assert transport._remote is not None
        assert transport._selected is not None
        remote = replace(transport._remote, rtp=RtpParameters(nack=True))
        monkeypatch.setattr(transport, "_remote", remote)
        monkeypatch.setattr(relay._router.plane, "retransmit", retransmit)
        consumer._receive_rtcp([Nack(1, consumer.ssrc, (5,))], 1.0)
        consumer._path_lost()
        consumer._receive_rtcp([Nack(1, consumer.ssrc, (6,))], 1.0)
        consumer._path_selected(transport._selected)
        consumer._receive_rtcp([Nack(1, consumer.ssrc, (7,))], 1.0)
        assert asked == [5, 7]


async def test_a_datagram_of_many_reports_costs_as_much_as_one(
    relay: Relay, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = relay.create_consumer(publisher)
    seen: list[object] = []
    monkeypatch.setattr(consumer, "_receive_report", lambda block, _: seen.append(block))
    monkeypatch.setattr(consumer, "_receive_nack", seen.append)
    block = ReportBlock(consumer.ssrc, 0, 0, 0, 0, 0, 0)
    nacks = [Nack(1, consumer.ssrc, tuple(range(n, n + 17))) for n in range(0, 17 * 90, 17)]
    reports = ReceiverReport(1, (block,) * 31), ReceiverReport(1, (block,))
    consumer._receive_rtcp([*reports, *nacks], 1.0)
    assert seen == [block, tuple(range(MAX_NACK_SEQUENCES))]
    assert consumer.stats().nack_count == 90


@pytest.mark.parametrize("step", [5.0, -5.0, 5 * 3600.0])
async def test_a_round_trip_while_the_clock_is_set(
    relay: Relay, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    consumer = relay.create_consumer(publisher)
    now = time.monotonic()
    sent = middle_32(ntp_time(wall_time(now)))
    block = ReportBlock(consumer.ssrc, 0, 0, 0, 0, sent, 0)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + step)
    consumer._receive_rtcp([ReceiverReport(1, (block,))], now + 0.25)
    assert consumer.stats().round_trip_time == pytest.approx(0.25, abs=1e-3)


async def test_a_round_trip_ends_when_the_report_came(relay: Relay, publisher: Publisher) -> None:
    """Not when somebody looks at it."""
    consumer = relay.create_consumer(publisher)
    sent, before = middle_32(ntp_time(wall_time(time.monotonic() - 1.0))), time.monotonic()
    block = ReportBlock(consumer.ssrc, 0, 0, 0, 0, sent, 0)
    consumer._receive_rtcp([ReceiverReport(1, (block,))], before - 0.75)
    round_trip = consumer.stats().round_trip_time
    assert round_trip is not None
    assert 0.249 < round_trip < 0.26 + time.monotonic() - before
