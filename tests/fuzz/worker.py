"""One target under atheris: `python -m tests.fuzz.worker TARGET [--seconds N] [--corpus DIR] ...`.

Everything of the project, and the libraries that read for it, is instrumented while it is imported, so
nothing of it may be imported before. Statistics go to the standard error output, in libFuzzer's words.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from pathlib import Path
from typing import Any

INSTRUMENTED = ["relay", "sdp", "signaling", "aioice", "jwt", "websockets"]

PATIENCE = 300
"""Seconds of a clock on the wall until an input counts as hanging. Long, since that clock goes on while the
process is stopped or the machine sleeps; `oracle.py` measures real work."""

MEMORY_LIMIT = 2048
"""MiB of the process."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.fuzz.worker")
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument(
        "--seed", type=int, default=0, help="of the random numbers; 0: another each time"
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--artifacts", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    """Fuzz until the time is over (exit status 0) or an input is wrong."""
    arguments = _arguments()
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        targets = importlib.import_module("tests.fuzz.targets")
        target = targets.load(arguments.target)
    oracle = importlib.import_module("tests.fuzz.oracle")
    course = importlib.import_module("tests.fuzz.course")
    logging.getLogger().setLevel(logging.ERROR)

    arguments.corpus.mkdir(parents=True, exist_ok=True)
    arguments.artifacts.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(target.seeds()):
        (arguments.corpus / f"seed-{index:03}").write_bytes(seed)

    def one(data: bytes) -> None:
        oracle.judge(target, data)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        mutated: bytes = course.mutate(
            data, max_size, seed, lambda part, most: bytes(atheris.Mutate(part, most))
        )
        return mutated

    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={arguments.seconds}",
            f"-max_len={target.max_length}",
            f"-timeout={PATIENCE}",
            f"-report_slow_units={PATIENCE}",
            f"-rss_limit_mb={MEMORY_LIMIT}",
            f"-artifact_prefix={arguments.artifacts}/",
            f"-seed={arguments.seed}",
            "-print_final_stats=1",
            str(arguments.corpus),
        ],
        one,
        **({"custom_mutator": mutate} if target.course else {}),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
