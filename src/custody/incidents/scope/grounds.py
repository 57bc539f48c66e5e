"""What the questions about an incident are asked of: the derived tables, and what a credential looks like in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from custody.chains.join import PARENT
from custody.engine.duck import Cell, Engine
from custody.model.contracts import Contract, Versions
from custody.model.leaf import LeafRef
from custody.model.report import Report
from custody.model.times import microseconds

LOG = "operations"
MOST = 10_000
"""Credentials that are looked at for one incident or action, at most."""
SKEW = 60 * 1_000_000
"""Microseconds by which the clock of a source and that of this machine are taken to differ at most."""


class Grounds(msgspec.Struct, frozen=True, kw_only=True):
    """The derived tables with what belongs to them.

    ``find`` gives the keys of the credentials that a query means (as ``custody trace`` takes it), ``attach`` makes the
    view ``parts`` over the records of some keys (None: of all), ``kept`` gives the kept bytes of a record, None where
    they are withheld or gone. ``now`` is the time of asking (µs).
    """

    engine: Engine
    report: Report
    versions: Versions
    find: Callable[[str], tuple[str, ...]]
    attach: Callable[[Sequence[str] | None], None]
    kept: Callable[[int], bytes | None]
    now: int

    @property
    def as_of(self) -> int | None:
        """How far the records tell (µs), None where nothing was read."""
        return microseconds(self.report.as_of)

    @property
    def contract(self) -> Contract:
        """The version of the contract that held then."""
        return self.versions.at(self.as_of)


def apart(grounds: Grounds, sources: Iterable[str]) -> int:
    """By how much (µs) the clocks of ``sources`` and that of this machine may differ: ``SKEW``, and what was measured.

    Where no source is named, it is the widest that was measured of any.
    """
    named = set(sources)
    widest = (each.widest for each in grounds.report.clocks if not named or named & {each.source, each.other})
    return SKEW + round(max((abs(each) for each in widest), default=0.0) * 1_000_000)


class Credential(msgspec.Struct, frozen=True, array_like=True):
    """The columns of ``judged`` that the evidence rests on."""

    key: str
    credential: str
    who: str
    population: str
    identity_class: str | None
    subject: str | None
    session: str | None
    workload: str | None
    granularity: str | None
    lineage: str | None
    run: str | None
    parent: str | None
    account: str | None
    source: str | None
    use_source: str | None
    issued_at: int | None
    issue_leaf: int | None
    issue_disputed: bool
    not_after: int | None
    first_use: int | None
    first_use_leaf: int | None
    last_success: int | None
    end_time: int | None
    end_effect: str | None
    end_leaf: int | None
    end_until: int | None
    end_disputed: bool
    use_disputed: bool
    as_of: int

    @property
    def ended(self) -> int | None:
        """When a record ended it for good (µs)."""
        return self.end_time if self.end_until is None else None

    @property
    def expired(self) -> bool:
        """Whether its own expiry has passed, as the rule on ends counts it: in that very moment it has not."""
        return self.not_after is not None and self.not_after < self.as_of

    @property
    def alive(self) -> bool:
        """Whether nothing is known to have ended it."""
        return self.ended is None and not self.expired

    @property
    def over(self) -> int | None:
        """When it could not be used any more (µs): its end, or its expiry where that has come."""
        known = [each for each in (self.ended, self.not_after if self.expired else None) if each is not None]
        return min(known, default=None)

    @property
    def since(self) -> int | None:
        """From when on it is known (µs)."""
        return self.issued_at if self.issued_at is not None else self.first_use

    @property
    def seen(self) -> LeafRef | None:
        """The record that tells of it first: its issue, else a use."""
        leaf = self.issue_leaf if self.issue_leaf is not None else self.first_use_leaf
        return None if leaf is None else LeafRef(LOG, leaf)


_CREDENTIALS = """
    SELECT c.key, c.credential, c.who, c.population, c.identity_class, c.subject, c.session, c.workload, c.granularity,
           c.lineage, c.run, c.parent, c.account, c.source, c.use_source, c.issued_at, c.issue_leaf, c.issue_disputed,
           c.not_after, c.first_use, c.first_use_leaf, c.last_success, c.end_time, c.end_effect, c.end_leaf,
           c.end_until, c.end_disputed, c.use_disputed, c.as_of
    FROM judged c WHERE c.key IN (SELECT unnest(?)) ORDER BY c.key
"""
_IDENTITIES = """
    SELECT DISTINCT k.key, k.identity FROM key_identities k WHERE k.key IN (SELECT unnest(?)) ORDER BY k.key
"""
_CHILDREN = f"""
    SELECT l.to_key, l.from_key, min(l.leaf) FROM links_by_parent l
    WHERE l.to_key IN (SELECT unnest(?)) AND l.relation = '{PARENT}'
    GROUP BY l.to_key, l.from_key ORDER BY l.from_key, l.to_key
"""
_OPEN_SESSIONS = """
    SELECT s.key, s.session, s.opened, s.closed, s.open_leaf, s.close_leaf FROM sessions s
    WHERE s.key IN (SELECT unnest(?)) ORDER BY s.session, s.key
"""


class Session(msgspec.Struct, frozen=True, array_like=True):
    """A session that a credential opened; ``closed`` is None where that was not seen. Times are in µs."""

    key: str
    session: str
    opened: int
    closed: int | None
    open_leaf: int
    close_leaf: int | None


def credentials(engine: Engine, keys: Iterable[str]) -> dict[str, Credential]:
    """The credentials of ``keys`` by key; keys without one are absent."""
    rows = chosen(engine, _CREDENTIALS, keys)
    return {each.key: each for each in msgspec.convert(rows, list[Credential])}


def sessions(engine: Engine, keys: Iterable[str]) -> tuple[Session, ...]:
    """Every session that one of ``keys`` opened, by name."""
    return tuple(msgspec.convert(chosen(engine, _OPEN_SESSIONS, keys), list[Session]))


def identities(engine: Engine, keys: Iterable[str]) -> dict[str, str]:
    """The identity of the register that each key belongs to; people's keys have none."""
    return {str(key): str(name) for key, name in chosen(engine, _IDENTITIES, keys)}


def children(engine: Engine, keys: Iterable[str]) -> list[tuple[str, str, int]]:
    """The exact children of ``keys``: parent, child, and the leaf of the record that says so."""
    return msgspec.convert(chosen(engine, _CHILDREN, keys), list[tuple[str, str, int]])


def descendants(engine: Engine, keys: Iterable[str]) -> dict[str, int]:
    """``keys`` and all that exactly descends from them, each with how far below it stands; at most MOST."""
    depths = dict.fromkeys(sorted(set(keys))[:MOST], 0)
    level, depth = list(depths), 0
    while level and len(depths) < MOST:
        depth += 1
        found = sorted({child for _, child, _ in children(engine, level)} - depths.keys())
        level = found[: MOST - len(depths)]
        depths.update(dict.fromkeys(level, depth))
    return depths


def chosen(engine: Engine, sql: str, keys: Iterable[str]) -> list[tuple[Cell, ...]]:
    """The rows of a query with one parameter, the list of keys; none where there is no key."""
    given = sorted(set(keys))
    return engine.rows(sql, [given]) if given else []


def refs(*leaves: int | None) -> tuple[LeafRef, ...]:
    """The leaves of the operations log that are there, lowest first."""
    return tuple(LeafRef(LOG, leaf) for leaf in sorted({each for each in leaves if each is not None}))
