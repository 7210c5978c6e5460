"""The web client's modules that touch neither the page nor the network, run by node's own test runner."""

from __future__ import annotations

import os
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
