"""Where the lines of brokers are sealed, by what each is about: the way from a chain, request or trace to them.

``broker_entries``: broker, seq, kind (of the line: ``request``, ``issued``, …), chain, request, trace (W3C trace id),
leaf, time (µs). A line that came with two values is not in it.
"""

from collections.abc import Sequence

import msgspec

from custody.chains.brokered import BROKER, SEQ, SOURCE
from custody.engine.duck import Engine

COLUMNS = {
    "broker": "VARCHAR", "seq": "BIGINT", "kind": "VARCHAR", "chain": "VARCHAR", "request": "VARCHAR",
    "trace": "VARCHAR", "leaf": "BIGINT", "time": "BIGINT",
}  # fmt: skip

ENTRIES = f"""
    CREATE OR REPLACE TABLE broker_entries AS
    SELECT {BROKER.format("event")} AS broker, {SEQ.format("event")} AS seq, min(action) AS kind,
           min(source_identity) AS chain, min(request_id) AS request, min(trace) AS trace, min(leaf) AS leaf,
           min(time) AS time
    FROM every_part
    WHERE source = '{SOURCE}' AND effect = 'log.line' AND NOT in_conflict
    GROUP BY event
"""
MOST = 400
"""Lines of one chain or request that are read: a chain that is looked at again and again has more."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """One line: of which broker, about what, and where it is sealed."""

    broker: str
    seq: int
    kind: str
    chain: str | None
    request: str | None
    leaf: int


def lines_of(engine: Engine, broker: str, chain: str | None, request: str | None) -> list[Place]:
    """The lines of one broker about a chain and the request that it came of, in their order, the first ``MOST``.

    A request keeps its chain when it is decided again; what people decide about it is told by the request alone.
    """
    rows = engine.rows(
        "SELECT broker, seq, kind, chain, request, leaf FROM broker_entries "
        f"WHERE broker = ? AND (chain = ? OR request = ?) ORDER BY seq LIMIT {MOST}",
        [broker, chain, request],
    )
    return msgspec.convert(rows, list[Place])


def about(engine: Engine, column: str, value: str) -> list[Place]:
    """The lines whose ``column`` (``chain``, ``request``, ``trace``) is ``value``, of every broker that tells of it."""
    rows = engine.rows(
        f"SELECT broker, seq, kind, chain, request, leaf FROM broker_entries WHERE {column} = ? "
        f"ORDER BY broker, seq LIMIT {MOST}",
        [value],
    )
    return msgspec.convert(rows, list[Place])


def issued_as(engine: Engine, keys: Sequence[str]) -> dict[str, tuple[str, str, str]]:
    """Of each key that a broker issued: the broker, its chain and its request."""
    marks = ", ".join("?" for _ in keys)
    rows = engine.rows(f"SELECT key, broker, chain, request FROM brokered WHERE key IN ({marks})", list(keys))
    return {str(key): (str(broker), str(chain), str(request)) for key, broker, chain, request in rows}
