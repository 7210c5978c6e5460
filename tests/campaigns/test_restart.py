"""One kill of the relay under load. How long it takes is the campaign's to say."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.campaigns.restart import campaign


async def test_everybody_is_back_after_a_kill(tmp_path: Path) -> None:
    if shutil.which(chromium.EXECUTABLE) is None:
        message = "needs Chromium"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    (kill,) = await campaign(1, 6, tmp_path / "server.log")
    assert 0 < kill.answers <= kill.pages <= kill.people
    assert "Traceback" not in (tmp_path / "server.log").read_text()
