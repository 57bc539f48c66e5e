"""Values into rows, many at a time: new ones are added, known ones replaced."""

from __future__ import annotations

from hashlib import sha256

import msgspec
from sqlalchemy import JSON, BigInteger, Connection, Select, Table, Text, and_, bindparam, cast, func, select
from sqlalchemy import column as made_column
from sqlalchemy.dialects import postgresql, sqlite

from custody.broker.desk import Containment, Lease, RequestState, Standing
from custody.broker.state.rows import CONTAINMENTS, LEASES, LINKS, ONCE, REQUESTS
from custody.broker.state.tables import OVER, Changes, Kept, Once
from custody.model.broker_terms import Ending

Row = dict[str, object]

_ENCODER = msgspec.json.Encoder()
_WORDS: dict[str, str] = {each: each.value for words in (Standing, Ending, RequestState) for each in words}
"""The plain text of a word: asked of the word itself it takes longer than the rest of the row."""

IDENTITY, PARENT = "identity", "parent"
"""The links of a lease (``rows.LINKS``)."""
LONGEST = 500
"""Characters of a text that is searched by; of a longer one the beginning and a digest stand in the column."""


def column(text: str) -> str:
    """A text from outside as every database takes it in a column with an index: without NUL, and not too long."""
    plain = text.replace("\0", "\ufffd")
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}…{sha256(plain.encode()).hexdigest()}"


def write(connection: Connection, changes: Changes) -> None:
    """Everything that changed, in the transaction of the connection."""
    _put(connection, LEASES, {each.chain: _lease(each) for each in changes.leases})
    _link(connection, changes)
    _put(connection, REQUESTS, {each.pending.request: _request(each) for each in changes.requests})
    if changes.enabled:
        connection.execute(CONTAINMENTS.delete().where(CONTAINMENTS.c.identity.in_(map(column, changes.enabled))))
    _put(connection, CONTAINMENTS, {column(each.identity): _containment(each) for each in changes.containments})
    _put(connection, ONCE, {each.key: _once(each) for each in changes.once})


def _put(connection: Connection, table: Table, rows: dict[str, Row]) -> None:
    """Upserts, one row a key: PostgreSQL refuses to change one twice in a statement."""
    if not rows:
        return
    names = [each.name for each in table.columns]
    key = [each.name for each in table.primary_key.columns]
    if connection.dialect.name == "postgresql":
        made = postgresql.insert(table).from_select(names, _recorded(table))
        others = {name: made.excluded[name] for name in names if name not in key}
        text = _ENCODER.encode(list(rows.values())).decode()
        unless = (
            made.on_conflict_do_update(index_elements=key, set_=others) if others else made.on_conflict_do_nothing()
        )
        connection.execute(unless, {"rows": text})
    else:
        single = sqlite.insert(table)
        others = {name: single.excluded[name] for name in names if name not in key}
        put = (
            single.on_conflict_do_update(index_elements=key, set_=others) if others else single.on_conflict_do_nothing()
        )
        connection.execute(put, list(rows.values()))


def _recorded(table: Table) -> Select[*tuple[object, ...]]:
    """The rows out of one JSON text: a statement for each row would take a server many times as long."""
    columns = [made_column(each.name, Text if isinstance(each.type, Text) else BigInteger) for each in table.columns]
    rows = func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON(none_as_null=True)))
    return select(rows.table_valued(*columns).render_derived(with_types=True))


def _link(connection: Connection, changes: Changes) -> None:
    """What else the leases are found by while they are open."""
    open_: dict[str, Row] = {}
    over: dict[str, Row] = {}
    for lease in changes.leases:
        for row in _links(lease):
            (over if lease.standing in OVER else open_)["\0".join(map(str, row.values()))] = row
    _put(connection, LINKS, open_)
    if over:
        this = and_(*(each == bindparam(f"the_{each.name}") for each in LINKS.columns))
        gone = [{f"the_{name}": value for name, value in row.items()} for row in over.values()]
        connection.execute(LINKS.delete().where(this), gone)


def _links(lease: Lease) -> list[Row]:
    others = [(IDENTITY, each) for each in lease.identities if each != lease.identity]
    others += [(PARENT, each) for each in lease.parents if each != lease.parent]
    return [{"link": link, "name": column(name), "chain": lease.chain} for link, name in others]


def _lease(lease: Lease) -> Row:
    return {
        "chain": lease.chain,
        "identity": column(lease.identity),
        "standing": _WORDS[lease.standing],
        "ends": _WORDS[lease.ends],
        "not_after": lease.not_after,
        "parent": lease.parent,
        "value": _text(lease),
    }


def _request(kept: Kept) -> Row:
    pending = kept.pending
    return {"request": pending.request, "state": _WORDS[pending.state], "until": pending.until, "value": _text(kept)}


def _containment(containment: Containment) -> Row:
    return {"identity": column(containment.identity), "value": _text(containment)}


def _once(once: Once) -> Row:
    return {"key": once.key, "until": once.until, "value": _text(once)}


def _text(value: msgspec.Struct) -> str:
    return _ENCODER.encode(value).decode()
