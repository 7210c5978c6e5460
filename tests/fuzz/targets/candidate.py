"""Candidates as pages trickle them, up to an ICE agent that decides whether to send anything there."""

from __future__ import annotations

import json
from ipaddress import ip_address

import msgspec

import sdp
from relay.address import Address
from relay.ice import IceMux
from relay.ice_agent import IceObserver
from relay.ice_checks import MAX_REMOTE_ADDRESSES
from relay.parameters import IceCandidate, TransportParameters
from relay.timers import TimerGrid
from signaling.errors import SignalingError
from signaling.messages.fields import IceCandidateInit
from signaling.negotiation import read_candidate, write_candidate
from tests.fuzz.clock import FlyingLoop
from tests.fuzz.target import Target, require
from tests.sdp.vectors import VECTORS
from tests.signaling.double import Connection

_LOOP = FlyingLoop()
_LOCAL: TransportParameters = Connection().local
_OURS = (Address("192.0.2.1", 40_000), Address("2001:db8::1", 40_000))


def run(data: bytes) -> None:
    """Each line is a candidate; the agent stays within its bounds, and group addresses stay out."""
    found = [candidate for line in data.split(b"\n") if (candidate := _read(line)) is not None]

    async def course() -> None:
        mux = IceMux(lambda path, datagram: None, lambda reason: None, TimerGrid())
        observer = IceObserver(
            lambda path: True,
            lambda path: None,
            lambda why: None,
            lambda path: None,
            lambda: None,
        )
        agent = mux.create_agent(_OURS, observer)
        for candidate in found:
            agent.add_remote_candidate(candidate)
        taken = agent._connection.remote_candidates
        require(len(taken) <= MAX_REMOTE_ADDRESSES, "remote candidates are bounded")
        for one in taken:
            address = ip_address(one.host)
            require(
                not (address.is_multicast or address.is_unspecified) and one.port,
                "checks go to single hosts",
            )
        agent.close()
        await mux.close()

    _LOOP.play(course)


def _read(line: bytes) -> IceCandidate | None:
    """A candidate that can be read; then it can be written, and is the same."""
    try:
        init = msgspec.json.decode(line, type=IceCandidateInit)
    except (msgspec.DecodeError, RecursionError):
        init = IceCandidateInit(candidate=line.decode("utf-8", "replace"))
    try:
        candidate = read_candidate(init)
    except SignalingError:
        return None
    if candidate is None:
        return None
    written = write_candidate(candidate, _LOCAL)
    require(read_candidate(written) == candidate, "a candidate that was read can be written")
    return candidate


def seeds() -> list[bytes]:
    """The candidates of real browsers' descriptions, and addresses of every kind."""
    lines = [
        sdp.build_candidate(candidate)
        for text in VECTORS.values()
        for media in sdp.parse(text).media
        for candidate in media.attributes
        if isinstance(candidate, sdp.Candidate)
    ]
    hosts = ("::1", "fe80::1%eth0", "::ffff:224.0.0.1", "255.255.255.255", "ff02::1", "a.local")
    lines += [f"candidate:1 1 udp 2122260223 {host} 50000 typ host" for host in hosts]
    lines.append("candidate:1 1 UDP 1 192.0.2.1 1 typ srflx raddr 0.0.0.0 rport 0 generation 0")
    lines.append("candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active")
    init = {"candidate": lines[-2], "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "abcd"}
    return [line.encode() for line in dict.fromkeys(lines)] + [json.dumps(init).encode()]


TARGET = Target(run, seeds, max_length=3000)
