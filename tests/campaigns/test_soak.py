"""The soak, in short: long enough for every deed, too short for what leaks slowly."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.native import AVAILABLE
from tests.campaigns.soak import soak

SECONDS = 6.0
PEOPLE = 12


@pytest.mark.parametrize("plane", ["native", "python"] if AVAILABLE else ["python"])
async def test_nothing_stays(plane: str, tmp_path: Path) -> None:
    said: list[str] = []
    log = tmp_path / "server.log"
    options = (f"--media-plane={plane}", "--resume-grace=1")
    found = await soak(SECONDS, PEOPLE, log, *options, say=said.append)
    # What allocators take in the first seconds is theirs to keep.
    found = [one for one in found if not one.startswith("memory")]
    assert found == [], "\n".join([*said, log.read_text()])
    assert any("'joined'" in line for line in said)
