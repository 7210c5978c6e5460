"""What an operator chooses of monitoring."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FILE_NAME = "history.db"


@dataclass(frozen=True, slots=True)
class Settings:
    """history: the file, None for the default place; history_days: for which something is kept, 0 for
    no history; history_size: MiB at most. webhook: a URL; webhook_secret: signs what it gets. traces:
    whether joins are traced in the log."""

    history: Path | None = None
    history_days: int = 0
    history_size: int = 512
    webhook: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)
    traces: bool = False


def history_path(environment: Mapping[str, str]) -> Path:
    """Where the history is without `--history`: in systemd's StateDirectory=, else in the XDG state
    directory of who runs this."""
    state = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    if state:
        return Path(state) / FILE_NAME
    home = environment.get("XDG_STATE_HOME", "")
    # The specification has relative ones ignored.
    base = Path(home) if os.path.isabs(home) else Path("~/.local/state").expanduser()
    return base / "rtp-relay" / FILE_NAME
