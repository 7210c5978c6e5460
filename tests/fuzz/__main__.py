"""The fuzzing campaign: `python -m tests.fuzz [--minutes M | --seconds S] [TARGET ...]`."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import sys
from pathlib import Path

from benchmarks.machine import describe

from . import campaign
from .targets import NAMES

EVERY_TARGET = (*NAMES, campaign.PLANE)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description="Fuzz what meets the network.")
    parser.add_argument("target", nargs="*", help=f"of {', '.join(EVERY_TARGET)}; all by default")
    parser.add_argument("--minutes", type=float, default=10, help="for each target (10)")
    parser.add_argument("--seconds", type=int, help="likewise, instead")
    parser.add_argument("--at-once", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--folder", type=Path, default=Path("test-artifacts/fuzz"))
    arguments = parser.parse_args()
    for target in arguments.target:
        if target not in EVERY_TARGET:
            parser.error(f"no target {target!r}; there are {', '.join(EVERY_TARGET)}")
    return arguments


def _tell(outcome: campaign.Outcome) -> None:
    if outcome.is_fine:
        print(
            f"{outcome.target}: {outcome.inputs:,} inputs, {outcome.coverage:,} edges", flush=True
        )
    else:
        print(
            f"{outcome.target}: WRONG", *outcome.output[-60:], *outcome.found, sep="\n", flush=True
        )


def main() -> int:
    """Run the campaign; the exit status."""
    arguments = _arguments()
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: it has no wheel for this Python", file=sys.stderr)
        return 2
    seconds = arguments.seconds or round(60 * arguments.minutes)
    targets = arguments.target or list(EVERY_TARGET)
    print(*(f"{name}: {value}" for name, value in describe().items()), sep="\n")
    print(f"{len(targets)} targets, {seconds} s each, {arguments.at_once} at a time", flush=True)
    outcomes = asyncio.run(
        campaign.run_all(targets, seconds, arguments.at_once, arguments.folder.absolute(), _tell)
    )
    print("\n" + campaign.table(outcomes))
    return 0 if all(outcome.is_fine for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
