"""Targets in processes of their own, some at a time, and what came of each."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

PLANE = "plane"
"""The native media plane's C code has a fuzzer of its own, `scripts/fuzz`."""

GRACE = 400
"""Seconds beyond its time until a worker is killed: it imports, reads its corpus, and finishes an input or
finds that it hangs (`worker.PATIENCE`)."""

_PROGRESS = re.compile(r"#(\d+)\s.* cov: (\d+)")
_INPUTS = re.compile(r"stat::number_of_executed_units:\s*(\d+)|^(\d+) inputs, ")
_EDGES = re.compile(r"(\d+) edges")
_FOUND = re.compile(r"Test unit written to (\S+)|the input that failed is in (\S+)")


@dataclass(slots=True)
class Outcome:
    """What came of one target. inputs: tried; coverage: edges of the code that they took; seconds: asked
    for; found: files with inputs that were wrong; status: the process's; output: its last lines."""

    target: str
    seconds: int
    inputs: int = 0
    coverage: int = 0
    found: list[Path] = field(default_factory=list)
    status: int | None = None
    output: list[str] = field(default_factory=list)

    @property
    def is_fine(self) -> bool:
        """Whether every input was."""
        return self.status == 0 and not self.found

    def read(self, line: str) -> None:
        """Take a line of what the process prints."""
        self.output = [*self.output[-400:], line]
        progress, edges = _PROGRESS.search(line), _EDGES.search(line)
        if progress is not None:
            self.inputs, self.coverage = int(progress[1]), int(progress[2])
        if edges is not None:
            self.coverage = int(edges[1])
        if (inputs := _INPUTS.search(line)) is not None:
            self.inputs = int(inputs[1] or inputs[2])
        if (found := _FOUND.search(line)) is not None:
            self.found.append(Path(found[1] or found[2]))


def command(target: str, seconds: int, folder: Path) -> list[str]:
    """How a target is run. folder: for corpora and for inputs that were wrong."""
    if target == PLANE:
        return ["scripts/fuzz", str(seconds)]
    corpus, wrong = folder / "corpus" / target, folder / "wrong" / target
    where = ["--corpus", str(corpus), "--artifacts", str(wrong)]
    return [sys.executable, "-m", "tests.fuzz.worker", target, "--seconds", str(seconds), *where]


async def run(target: str, seconds: int, folder: Path) -> Outcome:
    """Run one target to its end."""
    outcome = Outcome(target, seconds)
    process = await asyncio.create_subprocess_exec(
        *command(target, seconds, folder),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 24,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(seconds + GRACE):
            async for line in process.stdout:
                outcome.read(line.decode("utf-8", "replace").rstrip())
            outcome.status = await process.wait()
    except TimeoutError:
        outcome.output.append(f"it did not end within {seconds + GRACE} s")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return outcome


async def run_all(
    targets: list[str], seconds: int, at_once: int, folder: Path, tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run targets, so many at a time. tell: is told of each that has ended."""
    gate = asyncio.Semaphore(at_once)

    async def one(target: str) -> Outcome:
        async with gate:
            outcome = await run(target, seconds, folder)
        tell(outcome)
        return outcome

    return list(await asyncio.gather(*map(one, targets)))


def table(outcomes: list[Outcome]) -> str:
    """A table in Markdown."""
    rows = [
        "| target | inputs tried | a second | edges | wrong |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in outcomes:
        rate = one.inputs / max(1, one.seconds)
        wrong = len(one.found) if one.status is not None else "did not end"
        rows.append(f"| {one.target} | {one.inputs:,} | {rate:,.0f} | {one.coverage:,} | {wrong} |")
    total = sum(one.inputs for one in outcomes)
    rows.append(f"| all | {total:,} | | | {sum(len(one.found) for one in outcomes)} |")
    return "\n".join(rows)
