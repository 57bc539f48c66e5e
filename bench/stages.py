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
    known, limits = sources(), Limits()
    wrappings = intake.wrappings_of(known)
    files = sorted(logs.rglob("*.gz"))[:FILES]
    for warm in (True, False):
        costs: dict[str, float] = {}
        acquired = _timed(costs, "hash", lambda: [(path, survey(path, limits)) for path in files])
        contents = _timed(
            costs, "open", lambda: [c for path, found in acquired for _, c in open_contents(path, found, limits)]
        )
        framed = _timed(costs, "frame, duplicate keys", lambda: [list(frame(c, wrappings, limits)) for c in contents])
        records = sum(map(len, framed))
        raws = [[each.raw or b"" for each in some] for some in framed]
        found = _timed(costs, "identify, secrets", lambda: [known[0].identities(some) for some in raws])
        meanings = _timed(costs, "read", lambda: [[known[0].read(raw, "delivered") for raw in some] for some in raws])
        rows = [
            [
                (n, "aws.cloudtrail", identity.id, "delivered", meaning)
                for n, (identity, meaning) in enumerate(zip(a, b, strict=True))
            ]
            for a, b in zip(found, meanings, strict=True)
        ]
        _timed(costs, "columns", lambda: [to_parts(some) for some in rows])
        whole = _timed(
            costs,
            "batch, all of the above but hash and open",
            lambda: [intake.batch(some, 1, 0, known, last=True) for some in framed],
        )
        assert sum(map(len, whole)) == records
        if not warm:
            print(f"\nCPU on the way in, one process, {records:,} records")
            for name, seconds in costs.items():
                print(f"  {name:<42}{seconds / records * 1e6:>6.1f} µs a record")


def _timed(costs: dict[str, float], name: str, work: Callable[[], T]) -> T:
    started = time.process_time()
    result = work()
    costs[name] = time.process_time() - started
    return result
