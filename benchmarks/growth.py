"""How cost grows: with one publisher's consumers, and with rooms. The plot shows these cases and those of
`process` that lie between."""

from __future__ import annotations

from .case import Group
from .process import COLUMNS, Shape, load_cases, rooms

ROOM_SIZE = 5

CONSUMERS = (10, 30, 100, 300, 1000)
ROOMS = (1, 3, 10, 30)

_OTHERS = (Shape(1, 30), Shape(1, 1000), *(rooms(count, ROOM_SIZE) for count in (1, 3, 10)))
_QUICK_OTHERS = (Shape(1, 2), rooms(1, 3))

GROWTH = Group(
    key="growth",
    title="How cost grows: more of the same",
    note="The plot has these and the ones above.",
    columns=COLUMNS,
    cases=lambda quick: load_cases(_QUICK_OTHERS if quick else _OTHERS),
    seconds=35,
)
