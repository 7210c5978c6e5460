"""What a browser is to a test: the same few verbs for Chromium and Firefox."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

_SCRIPTS = Path(__file__).parent / "scripts"

uncaught: list[str] = []
"""The errors that no page of any browser has caught since the test began: conftest.py fails it for them."""


class BrowserError(Exception):
    """The browser, or a script in a page, refused what was asked of it."""


class Page(Protocol):
    """A tab of its own profile: no storage or permission is shared with another page."""

    console: list[str]
    """What the page wrote to its console, and errors that it did not catch, in order."""

    async def evaluate(self, function: str, argument: object = None) -> Any:
        """Calls a JavaScript function with one JSON value; returns its (awaited) JSON result.

        Counts as an action of the user. Raises BrowserError when the function throws.
        """

    async def click(self, selector: str) -> None:
        """Clicks the middle of the element with a real pointer. Raises BrowserError without it."""

    async def screenshot(self) -> bytes:
        """The visible part as PNG."""

    async def close(self) -> None:
        """Closes the tab, as its cross does. Idempotent."""


class Browser(Protocol):
    """A running browser process."""

    async def page(self, url: str, preload: Sequence[str] = ()) -> Page:
        """Opens a page in a profile of its own and loads the URL.

        preload: scripts that run in the page before its own. Raises BrowserError when nothing comes.
        """

    async def kill(self) -> None:
        """Ends the process and its children with SIGKILL: nothing is said to anybody."""

    async def close(self) -> None:
        """Ends the browser orderly. Idempotent, and fine after kill()."""


def script(name: str, argument: object = None) -> str:
    """A file of scripts/, which holds one function, as a script that calls it with the argument."""
    return f"({(_SCRIPTS / name).read_text().strip()})({json.dumps(argument)});"
