"""aiortc at the other end of a connection: a WebRTC stack that shares nothing with the relay's.

(It uses aioice too, but with sockets of its own, and the controlled side of it.)
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket

from relay import Consumer, Publisher
from signaling.messages import Answer
from signaling.negotiation import offer_to_receive, offer_to_send, read_answer

from .waiting import PATIENCE


class AiortcPeer:
    """An RTCPeerConnection that answers one connection of the relay's.

    packets: what came, unprotected, in the order of arrival, before any jitter buffer.
    """

    def __init__(self, connection: Publisher | Consumer) -> None:
        self.connection = connection
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.packets: list[RtpPacket] = []
        self.track: MediaStreamTrack | None = None
        self._packet_came = asyncio.Event()
        self._closed = asyncio.Event()
        self.pc.on("connectionstatechange", self._state_changed)

    @property
    def publisher(self) -> Publisher:
        """The connection, for a peer that publishes."""
        assert isinstance(self.connection, Publisher)
        return self.connection

    @property
    def consumer(self) -> Consumer:
        """The connection, for a peer that consumes."""
        assert isinstance(self.connection, Consumer)
        return self.connection

    async def connect(self, track: MediaStreamTrack | None = None) -> None:
        """Negotiate, and wait until both ends are connected."""
        connected = asyncio.Event()
        self.connection.once("connected", connected.set)
        await self.answer(track)
        await asyncio.wait_for(connected.wait(), PATIENCE)

    async def answer(self, track: MediaStreamTrack | None = None) -> None:
        """Negotiate: the relay offers, this end answers."""
        if isinstance(self.connection, Consumer):
            offer = offer_to_send(self.connection.local, self.connection.source, "stream", "track")
        else:
            offer = offer_to_receive(self.connection.local)
        await self.pc.setRemoteDescription(RTCSessionDescription(offer.sdp, offer.type))
        receiver = self.pc.getReceivers()[0]
        if track is not None:
            self.pc.addTrack(track)
        else:
            self.track = receiver.track
            self._tap(receiver)
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        answer = Answer("answer", self.pc.localDescription.sdp)
        self.connection.connect(read_answer(answer))

    def _tap(self, receiver: Any) -> None:
        handle = receiver._handle_rtp_packet

        async def tapped(packet: RtpPacket, arrival_time_ms: int) -> None:
            self.packets.append(packet)
            self._packet_came.set()
            await handle(packet, arrival_time_ms=arrival_time_ms)

        receiver._handle_rtp_packet = tapped

    async def received(self, count: int) -> None:
        """Wait until `count` packets came, since the beginning."""
        async with asyncio.timeout(PATIENCE):
            while len(self.packets) < count:
                self._packet_came.clear()
                await self._packet_came.wait()

    async def closed_by_relay(self) -> None:
        """Wait until this end knows that the other has closed."""
        await asyncio.wait_for(self._closed.wait(), PATIENCE)

    async def reported(self, kind: str) -> None:
        """Wait until aiortc has statistics of this kind, such as `remote-inbound-rtp`."""
        async with asyncio.timeout(PATIENCE):
            while kind not in {s.type for s in (await self.pc.getStats()).values()}:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def _state_changed(self) -> None:
        if self.pc.connectionState == "closed":
            self._closed.set()

    async def close(self) -> None:
        """Close both ends."""
        self.connection.close()
        await self.pc.close()
