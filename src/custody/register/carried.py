"""Was it carried out? What the records show of identities that a review narrowed or removed.

``done`` means that nothing speaks against it: no credential alive, nothing issued or used since, no grant that should
be gone. It proves nothing where a source was not read. ``open`` says what is still there; ``not shown`` that the
records cannot tell: they end before the decision, or no grants were read.
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from custody.chains.join import listed
from custody.engine.duck import Engine
from custody.model.reviews import Choice
from custody.model.times import text
from custody.register.gaps import GIVING


class Carried(StrEnum):
    """What became of a decision."""

    DONE = "done"
    OPEN = "open"
    NOT_SHOWN = "not shown"


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision asks to be done, and what became of it."""

    identity: str
    choice: Choice
    state: Carried
    text: str


GRANT = (
    "concat(g.kind, CASE WHEN coalesce(g.what, '') = '' THEN '' ELSE concat(' ', g.what) END, "
    "CASE WHEN coalesce(g.through, '') = '' THEN '' ELSE concat(' through ', g.through) END)"
)
"""A grant in the words of ``reviews.granted``."""

ACTIONS = f"""
    WITH there AS (
        SELECT DISTINCT n.review, n.identity, {GRANT} AS what
        FROM review_names n
        JOIN grants g ON g.principal = n.name
        WHERE g.kind IN {listed(GIVING)} AND (g.since IS NULL OR g.since <= {{moment}})
          AND (g.until IS NULL OR g.until > {{moment}})
    ), held AS (
        SELECT t.review, t.identity, count(*) AS grants FROM there t GROUP BY t.review, t.identity
    ), shown AS (
        SELECT s.review, s.identity, count(*) AS shown, count(CASE WHEN s.stays THEN 1 END) AS stays,
               count(CASE WHEN NOT s.stays AND t.what IS NOT NULL THEN 1 END) AS still
        FROM review_grants s
        LEFT JOIN there t ON t.review = s.review AND t.identity = s.identity AND t.what = s.what
        GROUP BY s.review, s.identity
    ), lives AS (
        SELECT k.review, k.identity,
               count(CASE WHEN (c.end_time IS NULL OR c.end_until IS NOT NULL OR c.end_time > {{moment}})
                           AND (c.not_after IS NULL OR c.not_after > {{moment}}) THEN 1 END) AS alive,
               count(CASE WHEN c.issued_at > d.decided_at THEN 1 END) AS issued,
               count(CASE WHEN c.last_success > d.decided_at THEN 1 END) AS used, max(c.last_success) AS last
        FROM review_keys k
        JOIN review_decisions d ON d.review = k.review AND d.identity = k.identity
        JOIN credentials c ON c.key = k.key
        GROUP BY k.review, k.identity
    )
    SELECT d.identity, d.choice, d.decided_at, coalesce(l.alive, 0), coalesce(l.issued, 0), coalesce(l.used, 0), l.last,
           coalesce(h.grants, 0), coalesce(s.shown, 0), coalesce(s.stays, 0), coalesce(s.still, 0)
    FROM review_decisions d
    LEFT JOIN lives l ON l.review = d.review AND l.identity = d.identity
    LEFT JOIN held h ON h.review = d.review AND h.identity = d.identity
    LEFT JOIN shown s ON s.review = d.review AND s.identity = d.identity
    WHERE d.review = ? AND d.choice <> 'keep'
    ORDER BY d.identity
"""


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """A row of ``ACTIONS``."""

    identity: str
    choice: Choice
    decided_at: int
    alive: int
    issued: int
    used: int
    last: int | None
    grants: int
    shown: int
    stays: int
    still: int


def actions(engine: Engine, review: str, moment: int | None) -> Iterator[Action]:
    """What the decisions of a review ask for, as of ``moment`` (µs): the last event that was read, None without any."""
    for found in engine.rows(ACTIONS.format(moment=moment or 0), [review]):
        row = msgspec.convert(found, _Row)
        state, told = _narrowed(row, moment) if row.choice is Choice.NARROW else _removed(row, moment)
        yield Action(identity=row.identity, choice=row.choice, state=state, text=told)


def _before(row: _Row, moment: int | None) -> str | None:
    """That the records end before the decision, where they do."""
    if moment is None:
        return "no record was read"
    return f"the records end at {text(moment)}, before the decision" if moment <= row.decided_at else None


def _removed(row: _Row, moment: int | None) -> tuple[Carried, str]:
    told = [
        _counted(row.alive, "credential", "alive"),
        _counted(row.issued, "credential", "issued since"),
        _counted(row.used, "credential", f"used since, the last at {text(row.last)}"),
        _counted(row.grants, "grant", "still there"),
    ]
    there = ", ".join(filter(None, told))
    if there:
        return Carried.OPEN, there
    ended = _before(row, moment)
    if ended is not None:
        return Carried.NOT_SHOWN, ended
    return Carried.DONE, "no credential alive, none issued or used since, no grant seen"


def _narrowed(row: _Row, moment: int | None) -> tuple[Carried, str]:
    if not row.shown:
        return Carried.NOT_SHOWN, "the records showed no grant of it when it was reviewed"
    going = row.shown - row.stays
    if row.stays and row.still:
        return Carried.OPEN, f"{row.still} of {going} grants that should go still there"
    if not row.stays and row.still == row.shown:
        return Carried.OPEN, f"all {row.shown} grants still there"
    ended = _before(row, moment)
    if ended is not None:
        return Carried.NOT_SHOWN, ended
    if row.stays:
        return Carried.DONE, f"none of {going} grants that should go is there"
    return (
        Carried.DONE,
        f"{row.shown - row.still} of {row.shown} grants gone; whether that is what was meant is not judged",
    )


def _counted(count: int, what: str, how: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'} {how}" if count else ""
