"""Where peers of the tests are: aioice would gather every address of the machine."""

from __future__ import annotations

import pytest


def gather_only(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    """Let peers that use aioice, also inside of aiortc, have these addresses and no others."""
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: list(hosts))
