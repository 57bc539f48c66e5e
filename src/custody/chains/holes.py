"""Tables about what is missing: skipped records, damaged files, and gaps against what the contract expects."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from custody.engine.duck import Engine, parquet
from custody.model.contracts import Contract, ExpectedSource
from custody.model.times import duration, text

MINUTE = 60_000_000


def build(
    engine: Engine, skips: Sequence[Path], damaged: Sequence[tuple[int, str, str, str]], contract: Contract
) -> None:
    """Make ``skipped`` and ``holes``. ``damaged`` are files: leaf, name, hash of the content, problem."""
    nothing = "(SELECT CAST(NULL AS BIGINT) AS leaf, '' AS source, '' AS event, '' AS reason WHERE FALSE)"
    rows_of_skips = parquet(skips) if skips else nothing
    engine.run(f"CREATE OR REPLACE VIEW skipped AS SELECT leaf, source, event, reason FROM {rows_of_skips}")
    rows: list[tuple[str, str, str, int | None, int]] = [
        (f"file:{content}", name, problem, leaf, 1) for leaf, name, content, problem in damaged
    ]
    rows += _unreadable(engine)
    for expected in contract.sources:
        if expected.expect is not None:
            rows += _gaps(engine, expected, expected.expect)
    columns = {"subject": "VARCHAR", "who": "VARCHAR", "problem": "VARCHAR", "leaf": "BIGINT", "total": "BIGINT"}
    engine.table("holes", columns, rows)


def _unreadable(engine: Engine) -> list[tuple[str, str, str, int | None, int]]:
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


def _gaps(engine: Engine, expected: ExpectedSource, longest: int) -> list[tuple[str, str, str, int | None, int]]:
    """Gaps between neighbouring minutes with events, per account, longer than the contract expects."""
    rows = engine.rows(
        "SELECT account, before, minute FROM ("
        "  SELECT account, minute, lag(minute) OVER (PARTITION BY account ORDER BY minute) AS before FROM ("
        f"    SELECT DISTINCT account, CAST(floor(time / {MINUTE}) AS BIGINT) AS minute FROM parts"
        "     WHERE source = ? AND account IS NOT NULL AND time IS NOT NULL) minutes) steps"
        f" WHERE (minute - before - 1) * {MINUTE} > {longest} ORDER BY account, before",
        [expected.source],
    )
    found: list[tuple[str, str, str, int | None, int]] = []
    for cell, before, minute in rows:
        account = str(cell)
        if expected.accounts and account not in expected.accounts:
            continue
        since, until = int(str(before)) * MINUTE + MINUTE, int(str(minute)) * MINUTE
        found.append(
            (
                f"{expected.source}:{account}:{since}",
                f"{expected.source} of account {account}",
                f"nothing from {text(since)} to {text(until)}; the contract expects one every {duration(longest)}",
                None,
                1,
            )
        )
    found += _silent(engine, expected)
    return found


def _silent(engine: Engine, expected: ExpectedSource) -> list[tuple[str, str, str, int | None, int]]:
    """Accounts that the contract expects and of which nothing was read."""
    seen = {
        str(account)
        for (account,) in engine.rows("SELECT DISTINCT account FROM parts WHERE source = ?", [expected.source])
    }
    return [
        (
            f"{expected.source}:{account}",
            f"{expected.source} of account {account}",
            "expected, and nothing was read",
            None,
            1,
        )
        for account in expected.accounts
        if account not in seen
    ]
