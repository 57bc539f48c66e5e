"""The uses of the credentials in scope, alike ones of one stretch of time folded into one line by the engine.

A key can have millions of uses: what comes out of the engine is bounded. The stretch is a minute, and grows to an hour,
a day and all of the time until the lines are few enough; what is left out even then is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from custody.engine.duck import Engine
from custody.incidents.seen import Moment, Reached, Touched
from custody.incidents.timeline import known
from custody.model.events import Asserter
from custody.model.leaf import LeafRef
from custody.reports.kinds import system

MOST = 20_000
"""Lines of uses at most."""
MANY = 2_000_000
"""Past so many uses the first stretch tried is an hour: counting a minute's groups would take too much memory."""
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
ALL = 1 << 62
KEYS, SECRETS = "incident_keys", "secret_leaves"
LOG = "operations"

FOLDED = """
    SELECT p.key, s.who, s.grade, p.source, p.service, p.action, p.outcome, p.origin, p.invoked_by, k.at,
           p.leaf IN (SELECT x.leaf FROM {secrets} x) AS secret, min(p.time) AS first, max(p.time) AS last,
           min(p.leaf) AS leaf, count(*) AS n, min(p.resource) AS resource,
           CASE WHEN min(p.resource) = max(p.resource) AND count(p.resource) = count(*) THEN 1
                ELSE CASE WHEN count(p.resource) > 0 THEN 2 ELSE 0 END END AS resources
    FROM parts p
    JOIN {keys} s ON s.key = p.key
    LEFT JOIN {commits} k ON p.leaf >= k.first AND p.leaf < k.past
    WHERE p.stage = 'use' AND NOT p.extra
      AND NOT EXISTS (SELECT 1 FROM made m WHERE m.leaf = p.leaf AND m.by_key = p.key)
    GROUP BY p.key, s.who, s.grade, p.source, p.service, p.action, p.outcome, p.origin, p.invoked_by, k.at,
             p.leaf IN (SELECT x.leaf FROM {secrets} x), p.time - p.time % {stretch}
    ORDER BY first, last, p.key, p.source, p.service, p.action, p.outcome, p.origin, p.invoked_by, k.at, leaf
    LIMIT {most}
"""
"""What made something is left out: that is a line of its own. ``resources``: none, one, several."""

TOTAL = f"SELECT count(*) FROM parts p JOIN {KEYS} s ON s.key = p.key WHERE p.stage = 'use' AND NOT p.extra"


GRADES = ("exact", "bounded", "inferred")


def rank(grade: str | None) -> int:
    """0 for exact, 1 for bounded, 2 for anything weaker: the weakest link is the grade of a chain of them."""
    return GRADES.index(grade) if grade in GRADES else len(GRADES) - 1


class Folded(msgspec.Struct, frozen=True, array_like=True):
    """Alike uses of one stretch."""

    key: str
    who: str
    grade: int
    source: str
    service: str
    action: str
    outcome: str
    origin: str | None
    invoked_by: str | None
    known: int | None
    secret: bool
    first: int
    last: int
    leaf: int
    count: int
    resource: str | None
    resources: int

    @property
    def alike(self) -> tuple[object, ...]:
        """What uses have in common that are one line."""
        return (
            self.key, self.grade, self.source, self.service, self.action, self.outcome, self.origin, self.invoked_by,
            self.known, self.secret,
        )  # fmt: skip


def define(engine: Engine, reached: Iterable[Reached]) -> None:
    """Make the table of the keys in scope, with the grade of the link that reached each.

    Siblings, which are listed apart, are not among them. Which records read a secret is in ``secret_leaves``, where the
    scope was made in the same engine.
    """
    best: dict[str, tuple[int, str]] = {}
    for each in reached:
        if each.apart:
            continue
        one = (rank(each.join), each.who)
        best[each.key] = min(best.get(each.key, one), one)
    columns = {"key": "VARCHAR", "who": "VARCHAR", "grade": "BIGINT"}
    engine.table(KEYS, columns, [(key, who, grade) for key, (grade, who) in sorted(best.items())])
    engine.run(f"CREATE TABLE IF NOT EXISTS {SECRETS} (leaf BIGINT)")


def uses(engine: Engine, touched: Sequence[Touched] = (), most: int = MOST) -> tuple[list[Moment], int]:
    """The lines in order of time, and how many uses are left out. ``touched`` names the secrets that were read."""
    secrets: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in touched:
        if each.what == "secret":
            secrets[each.by, each.event].add(each.name)
    total = engine.number(TOTAL)
    rows: list[Folded] = []
    for stretch in (HOUR, DAY, ALL) if total > MANY else (MINUTE, HOUR, DAY, ALL):
        rows = list(_rows(engine, stretch, most + 1))
        if len(rows) <= most:
            break
    rows = list(_joined(rows[:most]))
    made = engine.number(f"{TOTAL} AND EXISTS (SELECT 1 FROM made m WHERE m.leaf = p.leaf AND m.by_key = p.key)")
    return [_moment(row, secrets) for row in rows], total - made - sum(row.count for row in rows)


def _rows(engine: Engine, stretch: int, most: int) -> Iterator[Folded]:
    sql = FOLDED.format(keys=KEYS, commits=known.TABLE, secrets=SECRETS, stretch=stretch, most=most)
    return (msgspec.convert(row, Folded) for row in engine.stream(sql))


def _joined(rows: Sequence[Folded]) -> Iterator[Folded]:
    """Alike lines with nothing else of the same log between them are one."""
    last: dict[str, Folded] = {}
    order: dict[str, list[Folded]] = {}
    for row in rows:
        before = last.get(row.source)
        if before is not None and before.alike == row.alike:
            row = _both(before, row)  # noqa: PLW2901  # the line grows
            order[row.source][-1] = row
        else:
            order.setdefault(row.source, []).append(row)
        last[row.source] = row
    for source in sorted(order):
        yield from order[source]


def _both(one: Folded, other: Folded) -> Folded:
    same = one.resource == other.resource and one.resources == other.resources
    return msgspec.structs.replace(
        one,
        last=max(one.last, other.last),
        leaf=min(one.leaf, other.leaf),
        count=one.count + other.count,
        resources=one.resources if same else 2,
    )


def _on(row: Folded, secrets: Mapping[tuple[str, str], set[str]]) -> str:
    """What it was done to. Where the log names no resource, the scope may know which secret was asked for."""
    names = secrets.get((row.key, f"{row.service}:{row.action}"), set()) if row.secret and not row.resources else set()
    if names:
        return f" on {next(iter(names))}" if len(names) == 1 else " on several secrets"
    return ("", f" on {row.resource}", " on several resources")[row.resources]


def _moment(row: Folded, secrets: Mapping[tuple[str, str], set[str]]) -> Moment:
    on = _on(row, secrets)
    origin = f" from {row.origin}" if row.origin else ""
    through = f" through {row.invoked_by}" if row.invoked_by else ""
    return Moment(
        at=row.first,
        last=row.last,
        known=row.known,
        lane=system(row.source),
        kind="secret" if row.secret else "use",
        text=f"{row.service.split('.')[0]}:{row.action}{on}{origin}{through}",
        leaf=LeafRef(LOG, row.leaf),
        grade=GRADES[row.grade],
        who=row.who,
        count=row.count,
        outcome=row.outcome,
        asserter=Asserter.VERIFIER.value,
        key=row.key,
        source=row.source,
    )
