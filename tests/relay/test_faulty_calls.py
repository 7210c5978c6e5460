"""The suite of `faulty_suite.py`, in a process whose system calls can be told to fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.native import preload

from .media import PLANES

ROOT = Path(__file__).parents[2]
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
SUITE = "tests/relay/faulty_suite.py"


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment with `tests/native/faulty_calls.c`."""
    return preload.build("faulty_calls", tmp_path_factory.mktemp("faulty"))


@pytest.mark.parametrize("plane", PLANES)
def test_calls_that_fail(faulty: dict[str, str], plane: str) -> None:
    done = subprocess.run(
        [sys.executable, *PYTEST, "-k", plane, SUITE],
        cwd=ROOT,
        env=os.environ | faulty,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
