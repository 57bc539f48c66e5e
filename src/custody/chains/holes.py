"""Tables about what is missing: skipped records, damaged files, and gaps against what the contract expects."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from custody.engine.duck import Engine, parquet
from custody.model.contracts import Contract, ExpectedSource
from custody.model.times import duration, text

MINUTE = 60_000_000


Erased = tuple[str, int, int | None, int | None]
"""A source, how many of its records were erased, and the first and last time of their events (µs)."""

Hole = tuple[str, str, str, int | None, int]
"""What it is about, whose it is, the problem, the record or file that shows it (None for an absence), how many."""

Silence = tuple[Hole, int | None, int | None]
"""A hole that nothing being read makes, and from when to when (µs); None where it is of all time."""


def build(
    engine: Engine,
    skips: Sequence[Path],
    damaged: Sequence[tuple[int, str, str, str]],
    contract: Contract,
    as_of: int | None,
    erased: Sequence[Erased] = (),
) -> None:
    """Make ``skipped`` and ``holes``. ``damaged`` are files: leaf, name, hash of the content, problem.

    ``as_of`` is the time of judgement (µs): a source that is silent until then has a gap, None where nothing was read.
    Where records were ``erased`` a silence says nothing of the source, and is no gap.
    """
    nothing = "(SELECT CAST(NULL AS BIGINT) AS leaf, '' AS source, '' AS event, '' AS reason WHERE FALSE)"
    rows_of_skips = parquet(skips) if skips else nothing
    engine.run(f"CREATE OR REPLACE VIEW skipped AS SELECT leaf, source, event, reason FROM {rows_of_skips}")
    rows: list[Hole] = [(f"file:{content}", name, problem, leaf, 1) for leaf, name, content, problem in damaged]
    rows += _unreadable(engine)
    for expected in contract.sources:
        if expected.expect is not None:
            mine = [each for each in erased if each[0] == expected.source]
            rows += [hole for hole, since, until in _gaps(engine, expected, expected.expect, as_of)
                     if not _explained(mine, since, until)]  # fmt: skip
    columns = {"subject": "VARCHAR", "who": "VARCHAR", "problem": "VARCHAR", "leaf": "BIGINT", "total": "BIGINT"}
    columns["grave"] = "BOOLEAN"
    engine.table("holes", columns, [(*row, False) for row in rows])


def _unreadable(engine: Engine) -> list[Hole]:
    """Records whose bytes are damaged: one row a reason, so that a ruined file is one finding and not a thousand."""
    rows = engine.rows(
        "SELECT reason, min(leaf), count(*) FROM skipped WHERE reason IN ('not-json', 'invalid-utf8', 'too-deep') "
        "GROUP BY reason ORDER BY reason"
    )
    found = msgspec.convert(rows, list[tuple[str, int, int]])
    return [
        (f"records:{reason}", "records of what was read", f"{total} cannot be read: {reason}", leaf, total)
        for reason, leaf, total in found
    ]


def _explained(erased: Sequence[Erased], since: int | None, until: int | None) -> bool:
    """Whether records that were erased can have stood in a silence; None for its ends: it is of all time."""
    if since is None or until is None:
        return bool(erased)
    return any(first is None or last is None or (first < until and last >= since) for _, _, first, last in erased)


def _gaps(engine: Engine, expected: ExpectedSource, longest: int, as_of: int | None) -> list[Silence]:
    """Silences per account that are longer (µs) than the contract expects: between events, and from the last to as_of.

    The last minute of an account has no next one: there, the silence lasts until ``as_of``.
    """
    rows = engine.rows(
        "SELECT account, minute, next FROM ("
        "  SELECT account, minute, lead(minute) OVER (PARTITION BY account ORDER BY minute) AS next FROM ("
        f"    SELECT DISTINCT account, CAST(floor(time / {MINUTE}) AS BIGINT) AS minute FROM parts"
        "     WHERE source = ? AND account IS NOT NULL AND time IS NOT NULL) minutes) steps"
        f" WHERE next IS NULL OR (next - minute - 1) * {MINUTE} > {longest} ORDER BY account, minute",
        [expected.source],
    )
    found: list[Silence] = []
    seen: set[str] = set()
    for account, minute, following in msgspec.convert(rows, list[tuple[str, int, int | None]]):
        seen.add(account)
        since = (minute + 1) * MINUTE
        until = as_of if following is None else following * MINUTE
        asked = not expected.accounts or account in expected.accounts
        if asked and until is not None and until - since > longest:
            found.append((_gap(expected, account, longest, since, until), since, until))
    return found + [(hole, None, None) for hole in _unseen(expected, seen)]


def _gap(expected: ExpectedSource, account: str, longest: int, since: int, until: int) -> Hole:
    problem = f"nothing from {text(since)} to {text(until)}; the contract expects something every {duration(longest)}"
    return f"{expected.source}:{account}:{since}", f"{expected.source} of account {account}", problem, None, 0


def _unseen(expected: ExpectedSource, seen: set[str]) -> list[Hole]:
    """Accounts that the contract expects and of which nothing was read; the source itself where it names none."""
    problem = "nothing was read; the contract expects it"
    if not expected.accounts:
        return [] if seen else [(expected.source, expected.source, problem, None, 0)]
    return [
        (f"{expected.source}:{account}", f"{expected.source} of account {account}", problem, None, 0)
        for account in expected.accounts
        if account not in seen
    ]
