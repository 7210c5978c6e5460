"""Browsers, the server, and participants for the tests in this folder.

The browsers run for the whole session, on one event loop; each test has a server and pages of its own.
What a failed test leaves (screenshots, consoles, the server's log) is kept in test-artifacts/.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser import chromium as chromium_browser
from tests.browser import firefox as firefox_browser
from tests.browser import pulse
from tests.browser.chromium import Chromium
from tests.browser.firefox import Firefox
from tests.browser.guests import Guests
from tests.browser.interface import uncaught
from tests.browser.server import RelayServer
from tests.conftest import leaked_tasks

ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"

_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder share the event loop that the browsers are attached to. A browser that only
    a parameter names is started first, too: before the test's own tasks and sockets are counted."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            _start_first(item)


def _start_first(item: pytest.Item) -> None:
    """The browsers that only a parameter names."""
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        named = {str(value) for value in item.callspec.params.values()}
        item.fixturenames[:0] = sorted(named & {"chromium", "firefox"})


def _require(executable: str) -> None:
    if shutil.which(executable) is None:
        message = f"{executable} is not installed (scripts/install-browsers installs it)"
        # Where nobody reads the summary a skipped test would pass for a run one.
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@pytest.fixture(autouse=True)
def no_uncaught_errors() -> Iterator[None]:
    """Fails a test in which a script of a page has failed, whoever opened the page."""
    uncaught.clear()
    yield
    assert not uncaught, f"errors that a page did not catch: {uncaught}"


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def no_leaked_tasks(no_leaked_descriptors: None) -> AsyncIterator[None]:
    """As for every test, on the browsers' event loop."""
    before = asyncio.all_tasks()
    yield
    if leaked := await leaked_tasks(before):
        pytest.fail(f"left running: {leaked}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Chromium]:
    _require(chromium_browser.EXECUTABLE)
    browser = await Chromium.launch()
    yield browser
    await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox() -> AsyncIterator[Firefox]:
    _require(firefox_browser.EXECUTABLE)
    _require(pulse.EXECUTABLE)
    async with pulse.null_sound_server() as environment:
        browser = await Firefox.launch(environment)
        yield browser
        await browser.close()


@pytest.fixture
def artifacts(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder for what explains a failure; removed when the test passes."""
    folder = ARTIFACTS / re.sub(r"[^\w.-]+", "-", request.node.nodeid)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    if not request.node.stash.get(_failed, False):
        shutil.rmtree(folder)


@pytest_asyncio.fixture(loop_scope="session")
async def server(artifacts: Path, request: pytest.FixtureRequest) -> AsyncIterator[RelayServer]:
    """A parameter is an option of its."""
    options = [request.param] if hasattr(request, "param") else []
    server = RelayServer(artifacts / "server.log", *options)
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def guests(
    server: RelayServer, artifacts: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Guests]:
    guests = Guests(server)
    yield guests
    if request.node.stash.get(_failed, False):
        await guests.save(artifacts)
    await guests.close()
