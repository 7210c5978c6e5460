"""The web client's modules that touch neither the page nor the network, run by node's own test runner."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "signaling" / "web"
NODE = shutil.which("node")
MODULES = sorted(HERE.glob("*.test.mjs"))


@pytest.mark.skipif(NODE is None and "CI" not in os.environ, reason="node is not installed")
@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_module(module: Path) -> None:
    assert NODE is not None
    done = subprocess.run([NODE, "--test", module], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(NODE is None and "CI" not in os.environ, reason="node is not installed")
@pytest.mark.parametrize(
    "script",
    sorted(WEB.rglob("*.js")),
    ids=lambda script: str(script.relative_to(WEB)),
)
def test_syntax(script: Path) -> None:
    assert NODE is not None
    done = subprocess.run([NODE, "--check", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


IMPORT = re.compile(r'^(?:import|export)\b[^;]*?\bfrom "([^"]+)";', re.MULTILINE)
PRELOAD = re.compile(r'<link rel="modulepreload" href="([^"]+)">')


def _reached(module: Path, known: set[Path]) -> set[Path]:
    """A module and all that it imports, added to what is known."""
    if module not in known:
        known.add(module)
        for name in IMPORT.findall(module.read_text()):
            _reached((module.parent / name).resolve(), known)
    return known


@pytest.mark.parametrize("folder", [WEB, WEB / "dashboard"], ids=lambda folder: folder.name)
def test_pages_name_all_their_modules(folder: Path) -> None:
    """Else a browser finds them one level after the other, a round trip or two each."""
    main = folder / "js" / "main.js"
    named = [folder / name for name in PRELOAD.findall((folder / "index.html").read_text())]
    resolved = [module.resolve() for module in named]
    assert len(resolved) > len(list((folder / "js").glob("*.js"))) / 2, "nothing was found"
    assert sorted(resolved) == sorted(_reached(main, set()) - {main})
