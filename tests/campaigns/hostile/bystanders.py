"""People who talk, in a process of their own: `python -m tests.campaigns.hostile.bystanders URL`.

On the input: a line names what begins now; the last one is empty. On the output: a line with `Facts`, then,
for each line of input, one when it has been taken note of, and at the end one with a `Report` for each
attack.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from dataclasses import asdict, dataclass

from .crowd import FRAME, Crowd, Report, Voice
from .newcomers import Door

PEOPLE = 3


@dataclass
class Facts:
    """What attackers may know who can listen on the way. sent: SRTP of people's, in hex; reports: their
    SRTCP, likewise; names: ICE
    username fragments of the relay's; addresses: of people's sockets; ssrcs: that they send under."""

    relay: tuple[str, int]
    names: list[str]
    addresses: list[tuple[str, int]]
    ssrcs: list[int]
    sent: list[str]
    reports: list[str]


def _say(value: object) -> None:
    print(json.dumps(value), flush=True)


async def _main(url: str) -> None:
    crowd = Crowd(url)
    people = [await crowd.arrive("bystanders", f"Person {n}", constant=True) for n in range(PEOPLE)]
    loop = asyncio.get_running_loop()
    speaking = asyncio.create_task(crowd.keep_speaking())
    publishers = [await someone.publish() for someone in people]
    for someone in people:
        for owner, publisher_id in zip(people, publishers, strict=True):
            if owner is not someone:
                await someone.consume(publisher_id)
    crowd.listeners = PEOPLE - 1
    crowd.voices += [Voice(crowd, someone.own) for someone in people if someone.own is not None]
    voices = tuple(crowd.voices)
    for voice in voices:
        voice.peer.report_now()
    while not all(  # noqa: ASYNC110 - there is no event to wait for
        len(voice.sent) >= 50 and voice.peer.reports for voice in voices
    ):
        await asyncio.sleep(FRAME)
    _say(asdict(_facts(crowd)))
    door = Door(crowd)
    await door.open()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        crowd.reports.append(Report(line))
        door.begin()
        _say(line)
    await door.wait()
    await crowd.finish()
    _say([asdict(report) for report in crowd.reports])
    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)
    await asyncio.gather(door.close(), *(someone.close() for someone in people))


def _facts(crowd: Crowd) -> Facts:
    peers = [voice.peer for voice in crowd.voices]
    return Facts(
        relay=(peers[0].address.host, peers[0].address.port),
        names=crowd.names,
        addresses=[peer.socket.getsockname() for peer in peers],
        ssrcs=[peer.ssrc for peer in peers],
        sent=[datagram for voice in crowd.voices for datagram in voice.sent],
        reports=[report.hex() for peer in peers for report in peer.reports],
    )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(sys.argv[1]))
