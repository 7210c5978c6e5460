"""The suite of `faulty_suite.py`, in a process whose system calls can be told to fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .media import PLANES

ROOT = Path(__file__).parents[2]
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
SUITE = "tests/relay/faulty_suite.py"
COMPILER = shutil.which("gcc") or shutil.which("cc")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tests/native/faulty_calls.c`."""
    if COMPILER is None:
        pytest.skip("there is no C compiler")
    plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    built = tmp_path_factory.mktemp("faulty") / "faulty_calls.so"
    source = ROOT / "tests" / "native" / "faulty_calls.c"
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([COMPILER, *flags, "-o", built, source, "-ldl"], check=True, env=plain)
    return built


@pytest.mark.parametrize("plane", PLANES)
def test_calls_that_fail(library: Path, plane: str) -> None:
    preloaded = [*os.environ.get("LD_PRELOAD", "").split(), str(library)]  # a sanitizer comes first
    done = subprocess.run(
        [sys.executable, *PYTEST, "-k", plane, SUITE],
        cwd=ROOT,
        env=os.environ | {"LD_PRELOAD": " ".join(preloaded)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
