"""aiortc as a relay, as its documentation has it: `MediaRelay` between peer connections.

It decodes each publisher once and encodes for each consumer.
"""

from __future__ import annotations

import asyncio

import aioice.ice
from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.contrib.media import MediaRelay

import sdp
from benchmarks.fixture import LOCALHOST
from relay import (
    OPUS_PAYLOAD_TYPE,
    DtlsFingerprint,
    IceCandidate,
    IceParameters,
    RtpSource,
    TransportParameters,
)

from . import protocol
from .protocol import Connected, Counters, Created, tell


class Server:
    """Peer connections by their numbers."""

    def __init__(self) -> None:
        self._relay = MediaRelay()
        self._connections: dict[int, RTCPeerConnection] = {}
        self._publishers: set[int] = set()

    async def obey(self, command: protocol.Command) -> None:
        """Do what the load tool wants."""
        match command:
            case protocol.CreatePublisher(number, _):
                connection = self._create(number)
                connection.addTransceiver("audio", "recvonly")
                self._publishers.add(number)
                await self._offer(number)
            case protocol.CreateConsumer(number, publisher):
                track = self._connections[publisher].getReceivers()[0].track
                connection = self._create(number)
                connection.addTransceiver(self._relay.subscribe(track), "sendonly")
                await self._offer(number)
            case protocol.Connect(number, remote):
                description = RTCSessionDescription(
                    _answer(remote, number in self._publishers), "answer"
                )
                await self._connections[number].setRemoteDescription(description)
            case protocol.Close(number):
                await self._connections.pop(number).close()
            case protocol.GetCounters():
                tell(Counters())
            case protocol.Burn():
                raise NotImplementedError("only the relay has threads of its own to disturb")

    async def close(self) -> None:
        """Close every connection."""
        for connection in self._connections.values():
            await connection.close()

    def _create(self, number: int) -> RTCPeerConnection:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connections[number] = connection

        def changed() -> None:
            if connection.connectionState == "connected":
                tell(Connected(number))

        connection.on("connectionstatechange", changed)
        return connection

    async def _offer(self, number: int) -> None:
        connection = self._connections[number]
        await connection.setLocalDescription(await connection.createOffer())
        description = sdp.parse(connection.localDescription.sdp)
        tell(Created(number, _parameters(description), _source(description)))


def _parameters(description: sdp.SessionDescription) -> TransportParameters:
    media = description.media[0]
    return TransportParameters(
        ice=IceParameters(
            media.all(sdp.IceUfrag)[0].value,
            media.all(sdp.IcePwd)[0].value,
        ),
        fingerprints=tuple(
            DtlsFingerprint(one.algorithm, one.value) for one in media.all(sdp.Fingerprint)
        ),
        candidates=tuple(
            IceCandidate("1", 1, "udp", 1, one.address, one.port, "host")
            for one in media.all(sdp.Candidate)
        ),
    )


def _source(description: sdp.SessionDescription) -> RtpSource | None:
    announced = description.media[0].all(sdp.Ssrc)
    return RtpSource(announced[0].id, "aiortc") if announced else None


def _answer(remote: TransportParameters, sends: bool) -> str:
    candidate, fingerprint = remote.candidates[0], remote.fingerprints[0]
    return "\r\n".join(
        (
            "v=0",
            f"o=- 1 1 IN IP4 {LOCALHOST}",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            f"m=audio 9 UDP/TLS/RTP/SAVPF {OPUS_PAYLOAD_TYPE}",
            "c=IN IP4 0.0.0.0",
            "a=mid:0",
            f"a={'sendonly' if sends else 'recvonly'}",
            "a=rtcp-mux",
            f"a=rtpmap:{OPUS_PAYLOAD_TYPE} opus/48000/2",
            f"a=ice-ufrag:{remote.ice.username_fragment}",
            f"a=ice-pwd:{remote.ice.password}",
            f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}",
            "a=setup:active",
            f"a=candidate:1 1 udp 1 {candidate.address} {candidate.port} typ host",
            "a=end-of-candidates",
            "",
        )
    )


async def _main() -> None:
    # It has no setting for this; elsewhere it would offer every address of the machine.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [LOCALHOST]
    server = Server()
    async for command in protocol.commands():
        await server.obey(command)
    await server.close()


if __name__ == "__main__":
    asyncio.run(_main())
