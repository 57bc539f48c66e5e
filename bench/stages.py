"""CPU a record of each step on the way in, one process, on a few of the files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from custody.pipeline import intake
from custody.readers.content import open_contents
from custody.readers.framing import frame
from custody.readers.limits import Limits
from custody.readers.survey import survey
from custody.sources.columns import to_parts
from custody.sources.registry import sources

T = TypeVar("T")
FILES = 12


def show(logs: Path) -> None:
    """Print the table. Each step runs on its own, over all the files, after one round to warm up."""
    files = sorted(logs.rglob("*.gz"))[:FILES]
    _measure(files)
    records, costs = _measure(files)
    print(f"\nCPU on the way in, one process, {records:,} records")
    for name, seconds in costs.items():
        print(f"  {name:<42}{seconds / records * 1e6:>6.1f} µs a record")


def _measure(files: list[Path]) -> tuple[int, dict[str, float]]:
    known, limits, costs = sources(), Limits(), dict[str, float]()
    source = next(each for each in known if each.name == "aws.cloudtrail")
    wrappings = intake.wrappings_of(known)
    acquired = _timed(costs, "hash", lambda: [(path, survey(path, limits)) for path in files])
    opened = [lambda path=path, found=found: list(open_contents(path, found, limits)) for path, found in acquired]
    contents = _timed(costs, "open", lambda: [content for each in opened for _, content in each()])
    framed = _timed(costs, "frame, duplicate keys", lambda: [list(frame(c, wrappings, limits)) for c in contents])
    raws = [[each.raw or b"" for each in some] for some in framed]
    found = _timed(costs, "identify, secrets", lambda: [source.identities(some) for some in raws])
    meanings = _timed(costs, "read", lambda: [[source.read(raw, "delivered") for raw in some] for some in raws])
    rows = [
        [(n, source.name, one.id, "delivered", means) for n, (one, means) in enumerate(zip(a, b, strict=True))]
        for a, b in zip(found, meanings, strict=True)
    ]
    _timed(costs, "columns", lambda: [to_parts(some) for some in rows])
    whole = "whole batch: all but hash, open and frame"
    _timed(costs, whole, lambda: [intake.batch(some, 1, 0, known, last=True) for some in framed])
    return sum(map(len, framed)), costs


def _timed(costs: dict[str, float], name: str, work: Callable[[], T]) -> T:
    started = time.process_time()
    result = work()
    costs[name] = time.process_time() - started
    return result
