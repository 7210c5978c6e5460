"""A participant with keys of its own, who sends what it should not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator

import pylibsrtp
from pylibsrtp import Policy

from benchmarks.load import stun
from benchmarks.load.peer import Peer
from relay.outreach import HOST_BURST, HOST_RATE
from relay.rtcp import Goodbye, ReceiverReport, ReportBlock, SenderReport, build_rtcp
from relay.rtp import RtpPacket, build_rtp
from tests.signaling.lab import answer

from .crowd import Crowd, Someone
from .field import Field, Spoofer, somebody, udp

_SOCKETS = 64  # twice as many addresses as a connection may have
_CANDIDATES = 30
_NAMING = 20  # connections that name a victim at the same time
_VICTIM = "127.2.2.2"


@contextlib.asynccontextmanager
async def _insider(field: Field) -> AsyncIterator[Peer]:
    """Somebody who has joined and publishes."""
    crowd = Crowd(field.url)
    someone: Someone = await crowd.arrive("insiders", "Mallory")
    try:
        await someone.publish()
        assert someone.own is not None
        yield someone.own
    finally:
        await someone.close()


def _session(peer: Peer) -> pylibsrtp.Session:
    assert peer.keys is not None
    profile = peer.keys.profile.identifier
    return pylibsrtp.Session(Policy(peer.keys.local, Policy.SSRC_ANY_OUTBOUND, 0, profile))


async def media(field: Field) -> None:
    """Authentic SRTP: other people's SSRCs, a new one each time, odd headers, replays; also from another
    socket, with other people's addresses on it, and from a socket that takes the publisher's port over."""
    dice = field.dice
    async with _insider(field) as peer:
        session, other, kept = _session(peer), udp(), [bytes(20)]

        def packet() -> bytes:
            ssrc = dice.choice((*field.facts.ssrcs, dice.randrange(1 << 32), peer.ssrc))
            made = RtpPacket(
                dice.choice((111, 111, 111, 0, 63, 127)),
                dice.randrange(1 << 16),
                dice.randrange(1 << 32),
                ssrc,
                dice.randbytes(dice.randrange(200)),
                csrcs=(1,) * dice.randrange(3),
                extensions=((1, b"\x10"), (4, b"0")) if dice.random() < 0.5 else (),
                padding=dice.choice((0, 0, 7)),
            )
            data = bytearray(build_rtp(made))
            if dice.random() < 0.2:
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            return bytes(data)

        def send() -> None:
            datagram = dice.choice(kept)
            if dice.random() < 0.8:
                with contextlib.suppress(pylibsrtp.Error, ValueError):
                    datagram = session.protect(packet())
                kept[dice.randrange(len(kept)) :] = (
                    [datagram] if len(kept) > 50 else [datagram, *kept]
                )
            if spoofer.available and dice.random() < 0.1:
                spoofer.send(datagram, somebody(field), field.relay)
                return
            with contextlib.suppress(BlockingIOError):
                sender = other if dice.random() < 0.1 else peer.socket
                sender.sendto(datagram, field.relay)

        with contextlib.closing(Spoofer()) as spoofer:
            await field.flood("datagrams", send)
        other.close()
    await _stolen_address(field)


async def _stolen_address(field: Field) -> None:
    """The publisher's own address, after it closed its socket: whoever has it next has no keys."""
    async with _insider(field) as peer:
        address = peer.socket.getsockname()
        thief = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        thief.setblocking(False)
        peer.socket.close()
        peer.socket = udp()
        thief.bind(address)
        for datagram in field.facts.sent:
            with contextlib.suppress(BlockingIOError):
                thief.sendto(bytes.fromhex(datagram), field.relay)
        field.count("datagrams from a stolen address", len(field.facts.sent))
        thief.close()


async def reports(field: Field) -> None:
    """Authentic SRTCP: reports about others, goodbyes in their names, broken compounds, many senders."""
    dice = field.dice
    async with _insider(field) as peer:
        session = _session(peer)

        def send() -> None:
            ssrc = dice.choice((*field.facts.ssrcs, dice.randrange(1 << 32)))
            block = ReportBlock(ssrc, 255, -1, 1 << 31, 1 << 31, dice.randrange(1 << 32), 1)
            packet = build_rtcp(
                [
                    dice.choice(
                        (
                            SenderReport(ssrc, dice.randrange(1 << 64), 0, 0, 0, (block,) * 31),
                            ReceiverReport(ssrc, (block,) * dice.randrange(32)),
                        )
                    ),
                    Goodbye((*field.facts.ssrcs, ssrc)),
                ]
            )
            if dice.random() < 0.3:
                packet = packet[:8] + dice.randbytes(4 * dice.randrange(100))
            with contextlib.suppress(pylibsrtp.Error, BlockingIOError):
                peer.socket.sendto(session.protect_rtcp(packet), field.relay)

        await field.flood("datagrams", send)


async def checks(field: Field) -> None:
    """Authentic checks from more addresses than a connection may have, and with other people's on them,
    each nominating another; conflicts of role; and the last flight of a handshake, again and again."""
    dice = field.dice
    async with _insider(field) as peer:
        remote = peer._remote
        assert remote is not None
        sockets = [udp(f"127.1.1.{index + 1}") for index in range(_SOCKETS)]
        flight = bytes.fromhex("14fefd0000000000000009000101")

        def send() -> None:
            name = f"{remote.ice.username_fragment}:{peer.local.ice.username_fragment}"
            check = stun.check(name, remote.ice.password, dice.randrange(1 << 31))
            if spoofer.available and dice.random() < 0.2:
                spoofer.send(check, somebody(field), field.relay)
            with contextlib.suppress(BlockingIOError):
                dice.choice(sockets).sendto(check, field.relay)
                peer.socket.sendto(flight, field.relay)

        with contextlib.closing(Spoofer()) as spoofer:
            await field.flood("datagrams", send)
        answers = sum(_drained(one) for one in sockets)
        field.count("answers", answers)
        for one in sockets:
            one.close()


def _drained(one: socket.socket) -> int:
    count = 0
    with contextlib.suppress(BlockingIOError):
        while one.recv(2048):
            count += 1
    return count


async def candidates(field: Field) -> None:
    """A victim's address as candidates of many connections: how many checks the relay sends there."""
    victims = [udp(_VICTIM) for _ in range(_CANDIDATES)]
    ports = [victim.getsockname()[1] for victim in victims]
    began = time.monotonic()
    until = began + field.seconds
    checks = 0

    async def name(crowd: Crowd, number: int) -> None:
        someone = await crowd.arrive(f"insiders-{number}", "Mallory")
        while time.monotonic() < until:
            created = await someone.ask("create_publisher")
            which = {"publisher_id": created["publisher_id"]}
            for index, port in enumerate(ports):
                text = f"candidate:{index} 1 udp {1000 + index} {_VICTIM} {port} typ host"
                init = {"candidate": text, "sdpMid": "0"}
                await someone.tell("publisher_ice_candidate", candidate=init, **which)
                field.count("candidates")
            await someone.tell("publish_audio", answer=answer(), **which)
            await asyncio.sleep(0.5)
            await someone.ask("close_publisher", **which)
        await someone.close()

    crowd = Crowd(field.url)
    naming = [asyncio.create_task(name(crowd, number)) for number in range(_NAMING)]
    while not all(task.done() for task in naming):
        await asyncio.sleep(0.05)
        checks += sum(map(_drained, victims))
    await asyncio.gather(*naming)
    checks += sum(map(_drained, victims))
    field.count("checks to a victim", checks)
    if checks > HOST_BURST + HOST_RATE * (time.monotonic() - began) + 1:
        field.faults.append(f"{checks} checks to a victim")
    for victim in victims:
        victim.close()
