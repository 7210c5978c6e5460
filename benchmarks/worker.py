"""One run of one case, in a process of its own: `python -m benchmarks.worker GROUP INDEX full|quick`.

Its figures go to standard output as JSON.
"""

from __future__ import annotations

import json
import sys

from .case import FULL, QUICK
from .groups import GROUPS


def _main(key: str, index: str, effort: str) -> None:
    group = next(group for group in GROUPS if group.key == key)
    quick = effort == "quick"
    case = group.cases(quick)[int(index)]
    print(json.dumps(dict(case.run(QUICK if quick else FULL))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
