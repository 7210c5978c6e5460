"""The long form: `python -m tests.campaigns.hostile [--seconds S] [--plane native|python] [ATTACK ...]`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from benchmarks.fixture import raise_descriptor_limit
from benchmarks.machine import describe

from .campaign import ATTACKS, Campaign, table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make hostile")
    parser.add_argument("attack", nargs="*", help="; ".join(ATTACKS))
    parser.add_argument("--seconds", type=float, default=20, help="for each attack")
    parser.add_argument("--rate", type=int, default=50_000, help="datagrams a second of a flood")
    parser.add_argument(
        "--many", type=int, default=10_000, help="handshakes that are left half-open"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=1,
        choices=range(1, 10),
        metavar="N",
        help="of all attacks, at the same server: after the second, memory may not have grown any more",
    )
    parser.add_argument("--plane", action="append", choices=("native", "python"))
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        help="of the server, as --option=--max-handshakes=0",
    )
    parser.add_argument("--folder", type=Path, default=Path("test-artifacts"))
    arguments = parser.parse_args()
    for attack in arguments.attack:
        if attack not in ATTACKS:
            parser.error(f"no attack {attack!r}")
    return arguments


def main() -> int:
    """Attack; the exit status tells whether everything held."""
    arguments = _arguments()
    raise_descriptor_limit()
    print(*(f"{name}: {value}" for name, value in describe().items()), sep="\n")
    status = 0
    for plane in arguments.plane or ("native", "python"):
        campaign = Campaign(
            arguments.folder,
            plane,
            *arguments.option,
            seconds=arguments.seconds,
            rate=arguments.rate,
            many=arguments.many,
        )
        attacks = arguments.attack or list(ATTACKS)
        asyncio.run(
            campaign.run(attacks, lambda name: print(f"{name} ...", flush=True), arguments.rounds)
        )
        print(f"\nPlane: {plane}\n\n{table(campaign.results)}\n")
        lost = sum(one.report.expected - one.report.received for one in campaign.results)
        faults = campaign.faults
        print(f"lost: {lost}; faults: {len(faults) or 'none'}", *faults, sep="\n")
        status |= bool(faults)
    return status


if __name__ == "__main__":
    sys.exit(main())
