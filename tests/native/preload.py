"""Libraries that come before all others in a process, and do some system calls in their own way."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

COMPILER = shutil.which("gcc") or shutil.which("cc")


def build(name: str, folder: Path) -> dict[str, str]:
    """Compile one of this folder's; the environment of a process that runs with it."""
    if COMPILER is None:
        pytest.skip("there is no C compiler")
    plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    built = folder / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([COMPILER, *flags, "-o", built, source, "-ldl"], check=True, env=plain)
    before = os.environ.get("LD_PRELOAD", "").split()  # a sanitizer comes first
    return {"LD_PRELOAD": " ".join([*before, str(built)])}
