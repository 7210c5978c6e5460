"""An error that a page does not catch is noticed, in both browsers."""

from __future__ import annotations

import pytest

from tests.browser.interface import Browser, uncaught
from tests.browser.server import RelayServer
from tests.browser.waiting import eventually

FAIL = """() => {
  setTimeout(() => { throw new Error("thrown by a timer") });
  Promise.reject(new Error("nobody waits for it"));
}"""


@pytest.mark.parametrize("name", ["chromium", "firefox"])
async def test_errors_of_a_page_are_noticed(
    name: str, request: pytest.FixtureRequest, server: RelayServer
) -> None:
    browser: Browser = request.getfixturevalue(name)
    page = await browser.page(server.url)
    await page.evaluate(FAIL)

    async def noticed() -> str:
        return " ".join(uncaught)

    for words in ("thrown by a timer", "nobody waits for it"):
        await eventually(noticed, lambda text, words=words: words in text, what=words)  # type: ignore[misc]
    await page.close()
    uncaught.clear()  # or this test would fail for them, as every other one does
