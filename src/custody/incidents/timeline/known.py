"""When each record became known here: the time at which the last file of its commit had been received.

So a line of the timeline and ``--known-at`` say the same: what is known at a time is what the commits hold whose files
had all been received by then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

import msgspec

from custody.engine.duck import Engine

TABLE = "incident_commits"


class Commit(msgspec.Struct, frozen=True):
    """The record leaves [first, past) of one commit, and when they were known (µs)."""

    first: int
    past: int
    at: int


def _nowhere(_: int) -> str | None:
    return None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says of its records: the commits in order of leaf, and of which source the record at a leaf is."""

    commits: tuple[Commit, ...] = ()
    source_of: Callable[[int], str | None] = _nowhere

    def at(self, leaf: int) -> int | None:
        """When the record at ``leaf`` was known (µs); None where no commit holds it."""
        place = bisect_right(self.commits, leaf, key=lambda commit: commit.first) - 1
        if place < 0 or leaf >= self.commits[place].past:
            return None
        return self.commits[place].at

    def table(self, engine: Engine) -> None:
        """Make ``incident_commits``: what is folded is never folded over two times at which it was known."""
        columns = {"first": "BIGINT", "past": "BIGINT", "at": "BIGINT"}
        merged: list[Commit] = []
        for commit in self.commits:
            if merged and merged[-1].at == commit.at:
                merged[-1] = Commit(merged[-1].first, commit.past, commit.at)
            else:
                merged.append(commit)
        engine.table(TABLE, columns, [(each.first, each.past, each.at) for each in merged])
