"""Every way in from the network, by name; each module has a `TARGET`."""

from __future__ import annotations

import importlib

from tests.fuzz.target import Target

NAMES = (
    "description",
    "candidate",
    "rtp",
    "extensions",
    "red",
    "rtcp",
    "stun",
    "dtls",
    "demultiplexer",
    "frames",
    "tokens",
    "requests",
)


def load(name: str) -> Target:
    """The target of a name."""
    target = importlib.import_module(f"{__name__}.{name}").TARGET
    assert isinstance(target, Target)
    return target
