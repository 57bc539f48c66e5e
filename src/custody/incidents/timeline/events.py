"""What the records say of the credentials in scope beside their uses: issue, runs, sessions, approvals, ends, changes.

One query a kind, over all credentials at once; what reaches several of them by one record is one line. Each kind gives
at most ``MOST`` lines, first ones first; more are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from custody.chains.beside import APPROVED, DECIDED
from custody.engine.duck import Engine
from custody.incidents.seen import Moment
from custody.incidents.timeline.known import Known
from custody.incidents.timeline.uses import GRADES, KEYS, LOG, rank
from custody.model.effects import said
from custody.model.leaf import LeafRef
from custody.model.times import text
from custody.reports.kinds import system
from custody.reports.words import short_key

MOST = 5_000
NONE = "CAST(NULL AS VARCHAR)"
ALONE = "s.key, s.who, s.grade, CAST(1 AS BIGINT)"
"""The credential itself."""
TOGETHER = "min(s.key), min(s.who), min(s.grade), CAST(count(DISTINCT s.key) AS BIGINT)"
"""The credentials that one record reaches; the line has the grade of the best reached of them."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """What every query gives: of which credential or how many, when, where, on whose word, and three words.

    ``reached`` and ``join`` are the grades of the links from the seeds to the credential and from there to the record.
    """

    key: str
    who: str
    reached: int
    many: int
    source: str | None
    time: int
    leaf: int
    join: str | None
    asserter: str | None
    one: str | None
    two: str | None
    three: str | None


class Kind(msgspec.Struct, frozen=True):
    """A kind of line: the SQL of its rows (without order), and how it is told."""

    kind: str
    sql: str
    told: Callable[[Row], str]


def _issue(row: Row) -> str:
    until = f", until {text(int(row.three))}" if row.three else ""
    return f"{row.one or 'issued'} by {short_key(row.two or 'unknown')}{until}"


def _approval(row: Row) -> str:
    by = short_key(row.two) if row.two else "someone"
    return f"{APPROVED.get(row.one or '', row.one)} by {by}, through the {row.three}"


def _asked(row: Row) -> str:
    return f"asked for by {short_key(row.one or 'somebody')}: {row.two}"


def _decided(row: Row) -> str:
    return f"decided: {DECIDED.get(row.one or '', row.one or 'unknown')}"


def _made(row: Row) -> str:
    what, whose = short_key(row.two or ""), short_key(row.three or "")
    return f"{said(row.one)}: {what}{f' on {whose}' if whose and whose != what else ''}"


def _told(row: Row) -> str:
    return " ".join(each for each in (row.one, row.two, row.three) if each) or "told"


def _renewed(row: Row) -> str:
    return f"renewed until {text(int(row.one))}" if row.one else "renewed"


def _run(which: str) -> str:
    return (
        f"SELECT {TOGETHER}, {NONE}, c.run_{which}ed, c.run_{which}_leaf, c.run_grade, c.run_asserter, c.run, "
        f"{NONE}, {NONE} "
        f"FROM judged c JOIN {KEYS} s ON s.key = c.key "
        f"WHERE c.run_{which}ed IS NOT NULL AND c.run_{which}_leaf IS NOT NULL "
        f"GROUP BY c.run_{which}ed, c.run_{which}_leaf, c.run, c.run_grade, c.run_asserter"
    )


def _session(when: str, leaf: str) -> str:
    return (
        f"SELECT {ALONE}, {NONE}, x.{when}, x.{leaf}, 'exact', 'verifier', x.session, {NONE}, {NONE} "
        f"FROM sessions x JOIN {KEYS} s ON s.key = x.key WHERE x.{when} IS NOT NULL AND x.{leaf} IS NOT NULL"
    )


def _broker(when: str, words: str) -> str:
    return (
        f"SELECT {ALONE}, 'custody.broker', b.{when}_at, b.{when}_leaf, 'exact', 'issuer', {words} "
        f"FROM brokered b JOIN {KEYS} s ON s.key = b.key WHERE b.{when}_at IS NOT NULL AND b.{when}_leaf IS NOT NULL"
    )


ISSUES = f"""
    SELECT {ALONE}, c.source, c.issued_at, c.issue_leaf, 'exact', 'issuer', c.method,
           coalesce(c.issuing_service, c.requester), CAST(c.not_after AS VARCHAR)
    FROM judged c JOIN {KEYS} s ON s.key = c.key
    WHERE c.issued_at IS NOT NULL AND c.issue_leaf IS NOT NULL
"""
ENDS = f"""
    SELECT {TOGETHER}, e.source, e.time, e.leaf, 'exact', 'issuer', e.effect, {NONE}, {NONE}
    FROM ends e JOIN {KEYS} s ON s.key = e.key
    GROUP BY e.source, e.time, e.leaf, e.effect
"""
ACTIVATIONS = f"""
    SELECT {TOGETHER}, {NONE}, e.time, e.leaf, 'exact', 'issuer', e.effect, {NONE}, {NONE}
    FROM activations e JOIN {KEYS} s ON s.key = e.key
    GROUP BY e.time, e.leaf, e.effect
"""
REFRESHES = f"""
    SELECT {ALONE}, r.source, r.time, r.leaf, 'exact', 'issuer', CAST(r.not_after AS VARCHAR), {NONE}, {NONE}
    FROM refreshes r JOIN {KEYS} s ON s.key = r.key
"""
APPROVALS = f"""
    SELECT {TOGETHER}, a.source, a.time, a.leaf, a.grade, a.asserter, a.effect, a.approver, min(a.via)
    FROM approvals a JOIN {KEYS} s ON s.key = a.key
    GROUP BY a.source, a.time, a.leaf, a.grade, a.asserter, a.effect, a.approver
"""
TOLD = f"""
    SELECT {ALONE}, t.source, t.time, t.leaf, 'exact', t.asserter, t.action, t.effect, t.object
    FROM told t JOIN {KEYS} s ON s.key = t.key
"""
MADE = f"""
    SELECT {ALONE}, {NONE}, m.time, m.leaf, 'exact', 'verifier', m.effect, m.what, m.principal
    FROM made m JOIN {KEYS} s ON s.key = m.by_key
"""
EXPOSED = f"""
    SELECT {ALONE}, p.source, p.time, p.leaf, 'exact', coalesce(p.asserter, 'issuer'), p.effect, p.object, {NONE}
    FROM every_part p JOIN {KEYS} s ON s.key = p.key
    WHERE p.effect = 'secret.exposed'
"""

KINDS = (
    Kind("issue", ISSUES, _issue),
    Kind("start", _run("start"), lambda row: f"run starts: {short_key(row.one or '')}"),
    Kind("run-end", _run("end"), lambda row: f"run ends: {short_key(row.one or '')}"),
    Kind("request", _broker("asked", f"b.workload, b.request, {NONE}"), _asked),
    Kind("decide", _broker("decided", f"b.verdict, {NONE}, {NONE}"), _decided),
    Kind("approve", APPROVALS, _approval),
    Kind("session", _session("opened", "open_leaf"), lambda row: f"session opened: {short_key(row.one or '')}"),
    Kind("session-end", _session("closed", "close_leaf"), lambda row: f"session closed: {short_key(row.one or '')}"),
    Kind("refresh", REFRESHES, _renewed),
    Kind("made", MADE, _made),
    Kind("exposed", EXPOSED, _made),
    Kind("change", ACTIVATIONS, lambda row: said(row.one)),
    Kind("end", ENDS, lambda row: said(row.one)),
    Kind("told", TOLD, _told),
)


def events(engine: Engine, sealed: Known, most: int = MOST) -> tuple[list[Moment], int]:
    """The lines of every kind, and how many records are left out of them. ``incident_keys`` is there already."""
    found: list[Moment] = []
    left = 0
    for kind in KINDS:
        rows = list(_rows(engine, kind.sql, most + 1))
        if len(rows) > most:
            left += engine.number(f"SELECT count(*) FROM ({kind.sql}) every_row") - most
        found += (_moment(kind, row, sealed) for row in rows[:most])
    return found, left


def _rows(engine: Engine, sql: str, most: int) -> Iterator[Row]:
    ordered = f"{sql} ORDER BY 6, 7, 1, 10, 11, 12 LIMIT {most}"
    return (msgspec.convert(row, Row) for row in engine.stream(ordered))


def _moment(kind: Kind, row: Row, sealed: Known) -> Moment:
    source = row.source or sealed.source_of(row.leaf) or ""
    others = f" and {row.many - 1} more of the scope" if row.many > 1 else ""
    return Moment(
        at=row.time,
        known=sealed.at(row.leaf),
        lane=system(source or row.key),
        kind=kind.kind,
        text=kind.told(row),
        leaf=LeafRef(LOG, row.leaf),
        grade=GRADES[max(row.reached, rank(row.join))],
        who=f"{row.who}{others}",
        asserter=row.asserter or "",
        key=row.key,
        source=source,
    )
