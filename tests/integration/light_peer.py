"""A peer made of aioice, OpenSSL and pylibsrtp, a hundredth of aiortc's weight.

Its packets are written by hand, so that a test decides about every sequence number, timestamp and marker.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct

import aioice
import pylibsrtp

from relay import (
    Consumer,
    DtlsRole,
    IceCandidate,
    IceParameters,
    Publisher,
    TransportParameters,
)
from relay.certificate import Certificate
from tests.relay.openssl import OpenSslPeer

from .waiting import PATIENCE, eventually

_CERTIFICATE = Certificate.generate()
_HEADER = struct.Struct("!BBHII")
_KEY, _SALT = 16, 12


class LightPeer:
    """The other end of one connection of the relay's; `async with` connects and closes it.

    received: RTP packets that came, unprotected. closed: whether DTLS said goodbye.
    """

    def __init__(self, connection: Publisher | Consumer) -> None:
        self.connection = connection
        self.received: list[bytes] = []
        self.sent = 0
        self._packet_came = asyncio.Event()
        self._ice = aioice.Connection(ice_controlling=False)
        self._dtls = OpenSslPeer(_CERTIFICATE, client=True, profiles=b"SRTP_AEAD_AES_128_GCM")
        self._sending: pylibsrtp.Session | None = None
        self._receiving: pylibsrtp.Session | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> LightPeer:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def closed(self) -> bool:
        """Whether the relay said goodbye."""
        return self._dtls.closed

    async def connect(self) -> None:
        """Negotiate, and wait until both ends are connected."""
        connected = asyncio.Event()
        self.connection.once("connected", connected.set)
        local = self.connection.local
        await self._ice.gather_candidates()
        for candidate in local.candidates:
            await self._ice.add_remote_candidate(_to_aioice(candidate))
        await self._ice.add_remote_candidate(None)
        self._ice.remote_username = local.ice.username_fragment
        self._ice.remote_password = local.ice.password
        self.connection.connect(self._parameters())
        await asyncio.wait_for(self._ice.connect(), PATIENCE)
        self._task = asyncio.create_task(self._run())
        await asyncio.wait_for(connected.wait(), PATIENCE)

    def _parameters(self) -> TransportParameters:
        return TransportParameters(
            ice=IceParameters(self._ice.local_username, self._ice.local_password),
            fingerprints=(_CERTIFICATE.fingerprint,),
            role=DtlsRole.CLIENT,
            candidates=tuple(map(_from_aioice, self._ice.local_candidates)),
        )

    async def _run(self) -> None:
        with contextlib.suppress(ConnectionError):  # closed
            await self._send_dtls()
            while True:
                datagram = await self._ice.recv()
                if 20 <= datagram[0] <= 63:
                    self._dtls.receive(datagram)
                    await self._send_dtls()
                    if self._dtls.done and self._sending is None:
                        self._derive_keys()
                elif self._receiving is not None and not 192 <= datagram[1] <= 223:
                    self.received.append(self._receiving.unprotect(datagram))
                    self._packet_came.set()

    async def _send_dtls(self) -> None:
        for datagram in self._dtls.datagrams():
            await self._ice.send(datagram)

    def _derive_keys(self) -> None:
        material = self._dtls.exported(2 * (_KEY + _SALT))
        client = material[:_KEY] + material[2 * _KEY : 2 * _KEY + _SALT]
        server = material[_KEY : 2 * _KEY] + material[2 * _KEY + _SALT :]
        profile = pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM
        self._sending = pylibsrtp.Session(
            pylibsrtp.Policy(client, pylibsrtp.Policy.SSRC_ANY_OUTBOUND, 0, profile)
        )
        self._receiving = pylibsrtp.Session(
            pylibsrtp.Policy(server, pylibsrtp.Policy.SSRC_ANY_INBOUND, 0, profile)
        )

    async def send(
        self,
        sequence: int,
        timestamp: int,
        ssrc: int,
        *,
        marker: bool = False,
        level: int | None = None,
    ) -> None:
        """Send one packet of Opus, with a payload that tells its sequence number. level: RFC 6464's. Waits
        until the keys are there: the relay may be connected a moment before this end is."""
        await eventually(lambda: self._sending is not None)
        packet = self._packet(sequence, timestamp, ssrc, marker, level)
        self.sent += 1
        await self._ice.send(packet)

    def send_raw(self, through: socket.socket, sequence: int, timestamp: int, ssrc: int) -> None:
        """The same without an event loop, once there are keys. through: `raw_socket`."""
        pair = self._ice._nominated[1]
        packet = self._packet(sequence, timestamp, ssrc, False, None)
        self.sent += 1
        through.sendto(packet, pair.remote_addr)

    def raw_socket(self) -> socket.socket:
        """The socket of the connected peer, to be read and written while no event loop does."""
        transport = self._ice._nominated[1].protocol.transport
        return socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))

    def _packet(
        self, sequence: int, timestamp: int, ssrc: int, marker: bool, level: int | None
    ) -> bytes:
        assert self._sending is not None
        header = _HEADER.pack(
            0x80 if level is None else 0x90,
            111 | (0x80 if marker else 0),
            sequence & 0xFFFF,
            timestamp & 0xFFFFFFFF,
            ssrc,
        )
        if level is not None:
            header += bytes((0xBE, 0xDE, 0, 1, 0x10, level, 0, 0))
        packet: bytes = self._sending.protect(header + b"opus %05d" % (sequence & 0xFFFF))
        return packet

    async def ask_for_consent(self) -> None:
        """Check the pair once more, as every few seconds, and wait for the answer (RFC 7675)."""
        pair = self._ice._nominated[1]
        request = self._ice.build_request(pair, nominate=False)
        assert self._ice.remote_password is not None
        key = self._ice.remote_password.encode()
        await pair.protocol.request(request, pair.remote_addr, integrity_key=key)

    async def wait_received(self, count: int) -> None:
        """Wait until `count` packets came, since the beginning."""
        async with asyncio.timeout(PATIENCE):
            while len(self.received) < count:
                self._packet_came.clear()
                await self._packet_came.wait()

    async def close(self) -> None:
        """Close both ends."""
        self.connection.close()
        await self.leave()

    async def leave(self) -> None:
        """Close this end only."""
        await self._ice.close()
        if self._task is not None:
            await self._task


def _to_aioice(candidate: IceCandidate) -> aioice.Candidate:
    return aioice.Candidate(
        foundation=candidate.foundation,
        component=candidate.component,
        transport=candidate.protocol,
        priority=candidate.priority,
        host=candidate.address,
        port=candidate.port,
        type=candidate.type,
    )


def _from_aioice(candidate: aioice.Candidate) -> IceCandidate:
    return IceCandidate(
        foundation=candidate.foundation,
        component=candidate.component,
        protocol=candidate.transport,
        priority=candidate.priority,
        address=candidate.host,
        port=candidate.port,
        type=candidate.type,
    )
