"""What is alive of a credential and its descendants now, what would end each, and what else that would end."""

from collections.abc import Sequence

import msgspec

from custody.chains.join import PARENT
from custody.chains.trace import LOG
from custody.chains.ways import Target, Way, ways
from custody.engine.duck import Cell, Engine
from custody.model.effects import said
from custody.model.report import LeafRef, Made
from custody.model.times import text

ALIVE = "(c.not_after IS NULL OR c.not_after >= c.as_of) AND (c.end_time IS NULL OR c.end_until IS NOT NULL)"
MAX_DESCENDANTS = 10_000


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """The credential asked about (depth 0) or a descendant of it."""

    key: str
    credential: str
    who: str
    depth: int
    alive: bool
    until: str | None
    ended: str | None
    last_success: str | None
    ways: tuple[Way, ...]


class Containment(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer, as of a time, within the scope that was read."""

    as_of: str | None
    members: tuple[Member, ...]
    alive: int
    made: tuple[Made, ...]
    cut_off: bool
    commands: tuple[str, ...] = ()


class Live(msgspec.Struct, frozen=True, array_like=True):
    """The columns that decide whether a credential is alive."""

    key: str
    credential: str
    who: str
    subject: str | None
    workload: str | None
    not_after: int | None
    end_time: int | None
    end_effect: str | None
    last_success: int | None
    alive: bool
    issued: bool
    unissued_class: str | None
    as_of: int


def contain(engine: Engine, *keys: str) -> Containment:
    """Walk down from ``keys`` over exact parents, and say of each member what would end it.

    ``commands`` names each way once, however many members it would end.
    """
    depths = _descendants(engine, keys)
    rows = _live(engine, list(depths))
    members = tuple(_member(engine, row, depths[row.key]) for row in sorted(rows, key=lambda r: (depths[r.key], r.key)))
    return Containment(
        as_of=text(rows[0].as_of) if rows else None,
        members=members,
        alive=sum(member.alive for member in members),
        made=_made(engine, list(depths)),
        cut_off=len(depths) >= MAX_DESCENDANTS,
        commands=tuple(dict.fromkeys(way.command for member in members for way in member.ways)),
    )


def _descendants(engine: Engine, keys: Sequence[str]) -> dict[str, int]:
    depths, depth = dict.fromkeys(keys, 0), 0
    level = list(depths)
    while level and len(depths) < MAX_DESCENDANTS:
        marks = ", ".join("?" for _ in level)
        rows = engine.rows(
            "SELECT DISTINCT from_key FROM links_by_parent "
            f"WHERE to_key IN ({marks}) AND relation = '{PARENT}' ORDER BY from_key",
            list(level),
        )
        depth += 1
        level = [str(child) for (child,) in rows if str(child) not in depths][: MAX_DESCENDANTS - len(depths)]
        depths.update(dict.fromkeys(level, depth))
    return depths


def _live(engine: Engine, keys: list[str]) -> list[Live]:
    marks = ", ".join("?" for _ in keys)
    rows = engine.rows(
        "SELECT c.key, c.credential, c.who, c.subject, c.workload, c.not_after, c.end_time, c.end_effect, "
        f"c.last_success, {ALIVE} AS alive, c.issued, c.unissued_class, c.as_of FROM judged c WHERE c.key IN ({marks})",
        list(keys),
    )
    return msgspec.convert(rows, list[Live])


def _member(engine: Engine, row: Live, depth: int) -> Member:
    ended = f"{said(row.end_effect)} at {text(row.end_time)}" if row.end_time is not None and not row.alive else None
    if not row.alive and ended is None:
        ended = f"expired at {text(row.not_after)}"
    return Member(
        key=row.key,
        credential=row.credential,
        who=row.who,
        depth=depth,
        alive=row.alive,
        until=text(row.not_after),
        ended=ended,
        last_success=text(row.last_success),
        ways=_ways(engine, row) if row.alive else (),
    )


def _ways(engine: Engine, row: Live) -> tuple[Way, ...]:
    target = Target(key=row.key, subject=row.subject, workload=row.workload, not_after=row.not_after, alive=ALIVE)
    return ways(engine, target)


def _made(engine: Engine, keys: list[str]) -> tuple[Made, ...]:
    marks = ", ".join("?" for _ in keys)
    rows = engine.rows(
        f"SELECT m.effect, m.what, m.time, m.by_key, m.leaf, m.principal, {ALIVE} AND c.key IS NOT NULL AS alive "
        "FROM made m LEFT JOIN judged c ON c.key = m.what AND m.effect = 'key.create' "
        f"WHERE m.by_key IN ({marks}) ORDER BY m.time, m.leaf, m.effect, m.what LIMIT 1000",
        list(keys),
    )
    return tuple(_one_made(*row) for row in rows)


def _one_made(effect: Cell, what: Cell, time: Cell, by: Cell, leaf: Cell, principal: Cell, alive: Cell) -> Made:
    thing = str(what)
    of = None if principal is None else str(principal).split(":", 2)[-1]
    named = thing if of is None or of == thing.split(":", 2)[-1] or of == thing else f"{thing} on {of}"
    return Made(
        effect=str(effect),
        what=named,
        time=text(int(str(time))) or "",
        by=str(by),
        leaf=LeafRef(LOG, int(str(leaf))),
        alive=bool(alive) if effect == "key.create" else None,
    )
