"""From what a person types to the credentials that it means: a ranked list of hits."""

import ipaddress
import re

import msgspec

from custody.chains.spellings import canonical
from custody.engine.duck import Cell, Engine
from custody.model.brokered import CHAIN as CHAIN_ID
from custody.model.keys import KEY_TYPES

ACCESS_KEY = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,28}")
CREDENTIAL = re.compile(r"c-[0-9a-f]{16}")
EVENT = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
TAIL = re.compile(r"…?([A-Z0-9]{6,16})")
CHAIN = re.compile(rf"({CHAIN_ID})(?:@([0-9]{{1,17}}))?")
"""A chain id, or the receipt that a credential carries: the chain, and the line of the broker that decided it."""
REQUEST = re.compile(r"rq-[0-9a-hjkmnp-tv-z]{26}")
LIMIT = 201
"""Hits that a search gives at most: one more than `contain` takes at once."""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One credential that matched, how, and how often. Ranked by ``weight``, most first."""

    key: str
    how: str
    weight: int


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """The hits, and what was searched: so that an empty answer says what would have shown it."""

    hits: tuple[Hit, ...]
    searched: tuple[str, ...]


def needs_parts(text: str) -> bool:
    """Whether nothing but the event files can answer: event ids, resources and user agents."""
    whole = (ACCESS_KEY, CREDENTIAL, CHAIN, REQUEST)
    return not (any(each.fullmatch(text) for each in whole) or _address(text) or _typed(text))


def may_name(text: str) -> bool:
    """Whether a register could know somebody by this text: a name or typed key, and nothing that a server counts."""
    return not (any(each.fullmatch(text) for each in (ACCESS_KEY, CREDENTIAL, CHAIN, REQUEST)) or _address(text))


def by_table(engine: Engine, text: str) -> Searched:
    """Search the small tables: keys, sessions, principals, workloads, addresses."""
    if _address(text):
        return _found(engine, "address", "SELECT key, uses FROM origins WHERE origin = ?", canonical(text))
    if CREDENTIAL.fullmatch(text):
        return _found(engine, "credential id", "SELECT key, uses FROM credentials WHERE credential = ?", text)
    if _typed(text):
        return _by_key(engine, text)
    if CHAIN.fullmatch(text) or REQUEST.fullmatch(text):
        return _by_receipt(engine, text)
    if ACCESS_KEY.fullmatch(text):
        key = f"aws_akid:aws:{text}"
        found = _found(engine, "access key", "SELECT key, uses FROM credentials WHERE key = ?", key)
        return found if found.hits else _forward(engine, key)
    named = _by_name(engine, text)
    tail = None if named.hits else TAIL.fullmatch(text)
    if tail is None:
        return named
    sql = "SELECT key, uses FROM credentials WHERE right(key, length(?)) = ? ORDER BY uses DESC, key LIMIT 201"
    found = _ranked(engine.rows(sql, [tail[1], tail[1]]), "end of an access key", named.searched)
    return Searched(hits=found.hits, searched=(*named.searched, "access key", "end of an access key"))


def by_parts(engine: Engine, text: str, leaves: tuple[int, ...]) -> Searched:
    """Search the events: ``leaves`` are those of an event id; else resource, user agent and service name."""
    if leaves:
        marks = ", ".join("?" for _ in leaves)
        rows = engine.rows(
            f"SELECT key, count(*) FROM parts WHERE leaf IN ({marks}) AND stage IN ('issue', 'use') "
            "AND key IS NOT NULL GROUP BY key",
            list(leaves),
        )
        return _ranked(rows, "event id", ("event id",))
    for column, name in (("resource", "resource"), ("agent", "user agent"), ("service", "service")):
        rows = engine.rows(
            f"SELECT key, count(*) AS n FROM parts WHERE {column} = ? AND stage = 'use' AND key IS NOT NULL "
            f"GROUP BY key ORDER BY n DESC, key LIMIT {LIMIT}",
            [text],
        )
        if rows:
            return _ranked(rows, name, (name,))
    return Searched(hits=(), searched=("event id", "resource", "user agent", "service"))


def _by_key(engine: Engine, text: str) -> Searched:
    """A typed key: that of a credential, another name of one, or the run, principal or workload of some."""
    sql = (
        "SELECT key, uses FROM credentials WHERE key = ? OR subject = ? OR workload = ? OR run = ? "
        "OR key IN (SELECT a.target FROM aliases a WHERE a.key = ?) "
        "OR key IN (SELECT s.key FROM sessions s WHERE s.session = ?)"
    )
    rows = engine.rows(f"{sql} ORDER BY uses DESC, key LIMIT {LIMIT}", [text] * 6)
    return _ranked(rows, "key", ("key, other name, principal, workload, run, session",))


def _by_receipt(engine: Engine, text: str) -> Searched:
    """What a broker issued for a chain or request; for a chain alone also any other credential that carries its id."""
    receipt = CHAIN.fullmatch(text)
    if receipt is None:
        sql = "SELECT c.key, c.uses FROM brokered b JOIN credentials c ON c.key = b.key WHERE b.request = ?"
        return _found(engine, "request", sql, text)
    chain, decided = receipt[1], receipt[2]
    issued = "SELECT b.key FROM brokered b WHERE b.chain = ?"
    if decided is not None:
        sql = f"SELECT key, uses FROM credentials WHERE key IN ({issued} AND b.decided = ?)"
        return _ranked(engine.rows(f"{sql} ORDER BY key LIMIT {LIMIT}", [chain, int(decided)]), "receipt", ("receipt",))
    sql = (
        f"SELECT key, uses FROM credentials WHERE key IN ({issued}) OR key IN (SELECT r.key FROM receipts r "
        "WHERE r.chain = ?)"
    )
    rows = engine.rows(f"{sql} ORDER BY uses DESC, key LIMIT {LIMIT}", [chain, chain])
    return _ranked(rows, "chain id", ("chain id",))


def _forward(engine: Engine, key: str) -> Searched:
    rows = engine.rows("SELECT f.key, f.uses FROM forward_sessions f WHERE f.key = ?", [key])
    return _ranked(rows, "forward access session", ("access key", "forward access session"))


def _by_name(engine: Engine, text: str) -> Searched:
    """Sessions, principals and workloads, by full name or by the last part of it: every credential that fits one."""
    ends = "({0} = ? OR right({0}, length(?) + 1) IN (concat(':', ?), concat('/', ?)))"
    clauses = {
        "session": "session = ?",
        "role or user": ends.format("subject"),
        "workload": ends.format("workload"),
        "run": ends.format("run"),
        "key": "right(key, length(?) + 1) = concat(':', ?)",
        "other name": "key IN (SELECT a.target FROM aliases a WHERE right(a.key, length(?) + 1) = concat(':', ?))",
        "session name": "session_name = ?",
    }
    found: dict[str, tuple[str, int]] = {}
    for name, clause in clauses.items():
        rows = engine.rows(
            f"SELECT key, uses FROM credentials WHERE {clause} ORDER BY uses DESC, key LIMIT {LIMIT}",
            [text] * clause.count("?"),
        )
        for key, uses in rows:
            found.setdefault(str(key), (name, int(str(uses))))
    hits = sorted((Hit(key=key, how=how, weight=uses) for key, (how, uses) in found.items()), key=_rank)
    return Searched(hits=tuple(hits[:LIMIT]), searched=tuple(clauses))


def _rank(hit: Hit) -> tuple[int, str]:
    return -hit.weight, hit.key


def _found(engine: Engine, how: str, sql: str, text: str) -> Searched:
    rows = engine.rows(f"{sql} ORDER BY uses DESC, key LIMIT {LIMIT}", [text])
    return _ranked(rows, how, (how,))


def _ranked(rows: list[tuple[Cell, ...]], how: str, searched: tuple[str, ...]) -> Searched:
    hits = [Hit(key=str(key), how=how, weight=int(str(weight))) for key, weight in rows]
    hits.sort(key=_rank)
    return Searched(hits=tuple(hits), searched=searched)


def _address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _typed(text: str) -> bool:
    return text.partition(":")[0] in KEY_TYPES
