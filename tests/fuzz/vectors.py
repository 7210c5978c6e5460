"""Inputs that were wrong once, and stay right: tests/vectors/fuzz/TARGET/*."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "vectors" / "fuzz"


def of(target: str) -> dict[str, bytes]:
    """The inputs of a target, by name."""
    return {path.name: path.read_bytes() for path in sorted((FOLDER / target).glob("*"))}
