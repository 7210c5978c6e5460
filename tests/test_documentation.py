"""What the documents say holds: options, drop reasons, commands, files, links, snippets, version."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.request import urlopen

import click
import pytest

from relay import DropReason
from signaling import config
from signaling.__main__ import main
from signaling.refusals import Refusal
from signaling.service import Service

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
CHANGELOG = ROOT / "CHANGELOG.md"
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
DEPLOYMENT = ROOT / "docs" / "deployment.md"
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"
DOCUMENTS = (
    README,
    CHANGELOG,
    ARCHITECTURE,
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
)

MAX_SCREENSHOT_SIZE = 150_000
"""Bytes. A clone and a page should not grow by pictures."""

SUFFIXES = "py|md|toml|html|json|c|h|txt"

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def _text(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def _blocks(document: Path, language: str) -> list[str]:
    """The fenced code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", _text(document), re.M | re.S)


def _rows(document: Path, heading: str) -> list[list[str]]:
    """The cells of the table whose header row begins with `heading`."""
    lines = iter(_text(document).splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            break
    next(lines)  # the line under the header
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def _anchor(heading: str) -> str:
    """The fragment by which a heading is linked to, as code forges make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _subcommands() -> set[str]:
    assert isinstance(main, click.Group)
    return set(main.commands)


def _make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", _text(ROOT / "Makefile"), re.M))


def _names() -> set[str]:
    """The names of the project's own files."""
    folders = ("relay", "sdp", "signaling", "tests", "examples", "docs")
    return {path.name for folder in folders for path in (ROOT / folder).rglob("*.*")}


def test_the_table_of_options_is_the_list_of_options() -> None:
    documented = [row[:3] for row in _rows(README, "flag")]

    assert documented == [
        [f"`{option.flag}`", f"`{option.variable}`", f"`{option.name}`"]
        for option in config.OPTIONS
    ]


@pytest.mark.parametrize("option", config.OPTIONS, ids=lambda option: option.name)
def test_an_option_s_default_and_repetition_are_told(option: config.Option) -> None:
    (row,) = (row for row in _rows(README, "flag") if row[0] == f"`{option.flag}`")
    _, _, _, default, meaning = row

    if config.default(option):
        assert default == f"`{config.default(option)}`"
    else:
        assert "`" not in default
    assert ("Repeatable." in meaning) is option.many


@pytest.mark.parametrize("document", [README, DEPLOYMENT], ids=lambda path: path.name)
def test_configuration_files_can_be_loaded(document: Path, tmp_path: Path) -> None:
    blocks = _blocks(document, "toml")

    assert blocks
    for block in blocks:
        file = tmp_path / "rtp-relay.toml"
        file.write_text(block)
        assert config.load({}, {}, file) != config.Config()


async def test_every_field_of_the_health_check_is_explained() -> None:
    service = Service(config.Config(port=0, media_host=("127.0.0.1",), media_port=0), "test")
    await service.start()
    try:
        with await asyncio.to_thread(urlopen, f"{service.url}healthz", timeout=10) as response:
            fields = list(json.load(response))
    finally:
        await service.close()

    assert [row[0] for row in _rows(DEPLOYMENT, "field")] == [f"`{field}`" for field in fields]


def test_every_drop_reason_is_explained() -> None:
    rows = _rows(TROUBLESHOOTING, "reason")

    assert [row[0] for row in rows] == [f"`{reason}`" for reason in DropReason]
    assert all(meaning and grows for _, meaning, grows in rows)


def test_every_refusal_is_explained() -> None:
    rows = _rows(TROUBLESHOOTING, "refusal")

    assert [row[0] for row in rows] == [f"`{refusal}`" for refusal in Refusal]
    assert all(what and remedy for _, what, remedy in rows)


@each_document
def test_commands_exist(document: Path) -> None:
    text = _text(document)
    subcommands = set(re.findall(r"(?:^|[$/`])\s*rtp-relay ([a-z]+)", text, re.M))
    targets = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", text))

    assert subcommands <= _subcommands()
    assert targets <= _make_targets()


@each_document
def test_flags_exist(document: Path) -> None:
    known = {option.flag for option in config.OPTIONS} | {"--config"}
    lines = re.findall(r"rtp-relay serve ([^`\n]*)", _text(document))
    used = {word for line in lines for word in shlex.split(line) if word.startswith("--")}

    assert used <= known


def test_variables_exist() -> None:
    known = {option.variable for option in config.OPTIONS} | {"RTP_RELAY_CONFIG"}

    for document in DOCUMENTS:
        assert set(re.findall(r"RTP_RELAY_[A-Z_]*[A-Z]", _text(document))) <= known


@each_document
def test_files_exist(document: Path) -> None:
    """Paths from the project's root, and in drawings the bare names of modules."""
    mentioned = re.findall(rf"(?<![\w/.@-])((?:[\w-]+/)*[\w-]+\.(?:{SUFFIXES}))\b", _text(document))
    names = _names()
    # A file on the reader's machine, and links that are checked below.
    elsewhere = {"rtp-relay.toml"}

    missing = {
        path
        for path in set(mentioned) - elsewhere
        if not (ROOT / path).exists()
        and not (document.parent / path).exists()
        and ("/" in path or path not in names)
    }
    assert not missing


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    text = _text(document)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)

    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        page = document.parent / path if path else document
        assert page.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.+)$", _text(page), re.M)
            assert fragment in map(_anchor, headings), target


@pytest.mark.parametrize("snippet", _blocks(README, "python"))
def test_snippets_run(snippet: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", snippet],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_screenshots_are_small() -> None:
    screenshots = list((ROOT / "docs" / "screenshots").iterdir())

    assert screenshots
    assert all(file.stat().st_size < MAX_SCREENSHOT_SIZE for file in screenshots)


def test_the_changelog_begins_with_this_version() -> None:
    version = tomllib.loads(_text(ROOT / "pyproject.toml"))["project"]["version"]
    headings = re.findall(r"^## \[(.+?)\] - (.+)$", _text(CHANGELOG), re.M)

    assert headings[0][0] == version
    for _, date in headings:
        assert re.fullmatch(r"unreleased|20\d\d-\d\d-\d\d", date)


@each_document
def test_prose_wraps(document: Path) -> None:
    """At 120 columns; code and rows of tables do not wrap."""
    prose = re.sub(r"^```.*?^```", "", _text(document), flags=re.M | re.S)

    assert not [line for line in prose.splitlines() if len(line) > 120 and line[0] != "|"]
