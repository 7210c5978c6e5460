"""Where the history is when nobody says."""

from __future__ import annotations

from pathlib import Path

import pytest

from signaling.monitoring.settings import history_path


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/rtp-relay"}, "/var/lib/rtp-relay/history.db"),
        ({"STATE_DIRECTORY": "/a:/b", "XDG_STATE_HOME": "/c"}, "/a/history.db"),
        ({"XDG_STATE_HOME": "/c"}, "/c/rtp-relay/history.db"),
        ({"XDG_STATE_HOME": "relative"}, "~/.local/state/rtp-relay/history.db"),
        ({}, "~/.local/state/rtp-relay/history.db"),
    ],
)
def test_the_usual_place(environment: dict[str, str], expected: str) -> None:
    assert history_path(environment) == Path(expected).expanduser()
