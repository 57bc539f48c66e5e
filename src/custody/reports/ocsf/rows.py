"""The rows that OCSF events are made of: parts of sealed records, in order of leaf, a stretch of leaves at a time."""

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

import msgspec

from custody.engine.duck import Engine

STRETCH = 65_536
"""Leaves asked for at a time: a result is sorted in memory, and a store may hold any number of leaves."""


class Row(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One part with what is known of its credential; names as in PARTS_COLUMNS, then columns of ``credentials``."""

    leaf: int
    source: str
    event: str
    time: int
    stage: str | None
    key: str | None
    service: str
    action: str
    outcome: str
    error: str | None
    account: str | None
    region: str | None
    origin: str | None
    endpoint: str | None
    agent: str | None
    principal: str | None
    principal_kind: str | None
    session: str | None
    created: int | None
    invoked_by: str | None
    request_id: str | None
    resource: str | None
    policy: str | None
    trace: str | None
    parent: str | None
    subject: str | None
    session_name: str | None
    workload: str | None
    granularity: str | None
    bound_by: str | None
    method: str | None
    not_after: int | None
    effect: str | None
    object: str | None
    related: str | None
    cutoff: int | None
    population: str | None
    asserter: str | None
    credential: str | None
    lineage: str | None
    root: str | None
    credential_parent: str | None
    credential_population: str | None
    credential_until: int | None
    issued: bool | None
    conflicted: bool | None
    run: str | None
    run_grade: str | None


OF_CREDENTIAL: dict[str, str] = {
    "credential": "c.credential",
    "lineage": "c.lineage",
    "root": "c.root",
    "credential_parent": "c.parent",
    "credential_population": "c.population",
    "credential_until": "c.not_after",
    "issued": "c.issued",
    "conflicted": "c.conflicted",
    "run": "c.run",
    "run_grade": "c.run_grade",
}
COLUMNS = ", ".join(OF_CREDENTIAL.get(name, f'p."{name}"') for name in Row.__struct_fields__)
ROWS = f"""
    SELECT {COLUMNS}
    FROM (SELECT * FROM every_part WHERE leaf >= {{first}} AND leaf < {{end}} AND ({{where}})) p
    LEFT JOIN credentials c ON c.key = p.key
    ORDER BY p.leaf
"""  # noqa: S608  # names of columns, and a condition that the program made
SHARED = attrgetter(
    "time", "service", "action", "outcome", "error", "account", "region", "origin", "endpoint", "agent", "principal",
    "session", "request_id", "resource", "trace",
)  # fmt: skip
"""What the parts of one event have in common."""


def events_of(engine: Engine, where: str) -> Iterator[tuple[int, list[Row]]]:
    """The parts of every event with its place among the events of its record, in order of leaf.

    Most records carry one event. The events of one record, and the parts of one event, stand in an order that follows
    from what they say.
    """
    first, end = engine.one(f"SELECT min(leaf), max(leaf) FROM every_part WHERE {where}")  # noqa: S608
    if not isinstance(first, int) or not isinstance(end, int):
        return
    for start in range(first, end + 1, STRETCH):
        sql = ROWS.format(first=start, end=min(start + STRETCH, end + 1), where=where)
        rows = (msgspec.convert(cells, Row) for cells in engine.stream(sql))
        for _, record in groupby(rows, key=attrgetter("leaf")):
            yield from enumerate(_events(list(record)))


def _events(record: list[Row]) -> list[list[Row]]:
    if len(record) == 1:
        return [record]
    together: dict[tuple[object, ...], list[Row]] = {}
    for row in sorted(record, key=_order):
        together.setdefault(SHARED(row), []).append(row)
    return list(together.values())


def _order(row: Row) -> tuple[tuple[bool, object], ...]:
    """Sorts rows with absent values before those with one."""
    cells = (*SHARED(row), row.stage, row.key, row.asserter, row.effect, row.object, row.related)
    return tuple((cell is not None, cell if cell is not None else 0) for cell in cells)
