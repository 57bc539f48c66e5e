"""What a case can state of the derived tables: all of their rows, each by the columns that it names.

A table that a case states is stated whole, so that what must not be there is said by leaving it out. Text fits by its
last letters (keys are long), null is null, numbers and flags are equal, times are RFC 3339.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from custody.model.report import Certificate
from custody.model.times import text
from tests.chains.running import Derived

Value = str | int | bool | None
Row = Mapping[str, Value]


class Tables(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The tables that ``expected.json`` may state under ``tables``; one that is left out is not checked.

    ``links`` are the rows of every join that keeps its rows (``from`` and ``to`` are keys), ``candidate_parents`` the
    parents that are not exact, ``certificates`` what each source should hold (``problems`` are words joined by ``; ``).
    """

    links: list[dict[str, Value]] | None = None
    candidate_parents: list[dict[str, Value]] | None = None
    runs: list[dict[str, Value]] | None = None
    key_runs: list[dict[str, Value]] | None = None
    approvals: list[dict[str, Value]] | None = None
    sessions: list[dict[str, Value]] | None = None
    aliases: list[dict[str, Value]] | None = None
    clocks: list[dict[str, Value]] | None = None
    ends: list[dict[str, Value]] | None = None
    told: list[dict[str, Value]] | None = None
    certificates: list[dict[str, Value]] | None = None


RENAMED = {"from": "from_key", "to": "to_key"}
TIMES = frozenset(("started", "ended", "opened", "closed", "time", "until"))


def check(case: Derived, expected: Tables) -> None:
    """Every stated table holds the stated rows and no other."""
    for name in Tables.__struct_fields__:
        wanted: list[dict[str, Value]] | None = getattr(expected, name)
        if wanted is not None:
            _same(name, list(_found(case, name)), wanted)


def _found(case: Derived, name: str) -> Iterator[Row]:
    if name == "certificates":
        yield from (_certificate(each) for each in case.report.certificates)
        return
    for row in case.rows(f"SELECT * FROM {name}"):
        yield {column: _plain(column, value) for column, value in row.items()}


def _certificate(found: Certificate) -> Row:
    return {
        "source": found.source,
        "how": found.how,
        "expected": found.expected,
        "received": found.received,
        "since": found.since,
        "until": found.until,
        "problems": "; ".join(found.problems),
    }


def _plain(column: str, value: object) -> Value:
    if column in TIMES and isinstance(value, int):
        return text(value)
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def _same(name: str, found: Sequence[Row], wanted: Sequence[Row]) -> None:
    """Each stated row is one of those found, each of those found is stated once."""
    left = list(found)
    missing = []
    for row in wanted:
        place = next((place for place, each in enumerate(left) if _fits(each, row)), None)
        if place is None:
            missing.append(row)
        else:
            left.pop(place)
    columns = sorted({RENAMED.get(column, column) for row in wanted for column in row})
    shown = [{column: each[column] for column in columns if column in each} or each for each in left]
    assert (missing, shown) == ([], []), f"{name}: not there {missing}, not stated {shown}"


def _fits(found: Row, wanted: Row) -> bool:
    return all(_equal(found[RENAMED.get(column, column)], value) for column, value in wanted.items())


def _equal(found: Value, wanted: Value) -> bool:
    if isinstance(found, str) and isinstance(wanted, str):
        return found.endswith(wanted) if wanted else not found
    return found == wanted
