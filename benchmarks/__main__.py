"""`python -m benchmarks`: what forwarding costs on this machine, beside its floor."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from relay import PlaneKind

from . import machine, plot, table, tools
from .case import PLANES
from .groups import GROUPS
from .runner import run_all

DEFAULT_RUNS = 5


def main() -> int:
    """Run what was asked for; 1 when a case gave no figure."""
    arguments = _arguments()
    groups = [group for group in GROUPS if group.key in (arguments.only or _KEYS)]
    runs = 1 if arguments.quick else arguments.runs
    described = machine.describe()
    with tempfile.TemporaryDirectory() as directory:
        tools.build(Path(directory))
        rows = run_all(
            groups, runs, quick=arguments.quick, progress=_progress, plane=arguments.plane
        )
    print(table.render(described, rows, runs))
    if arguments.json:
        document = table.as_json(described, rows, runs)
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    if arguments.plot:
        arguments.plot.write_text(plot.draw(described, rows))
    return 1 if any(not row.runs for row in rows) else 0


_KEYS = [group.key for group in GROUPS]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there, too")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw how cost grows there, as SVG"
    )
    parser.add_argument("--only", action="append", choices=_KEYS, help="one table; may be repeated")
    parser.add_argument(
        "--plane", type=PlaneKind, choices=PLANES, help="only the cases about this media plane"
    )
    parser.add_argument(
        "--runs", type=int, default=DEFAULT_RUNS, help="of each case (default: %(default)s)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small cases, once: only to see that they work"
    )
    return parser.parse_args()


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
