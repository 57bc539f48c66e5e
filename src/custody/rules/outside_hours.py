"""Was an identity at work outside of the hours that its class allows?

The verifier's own time of each success counts, and only beyond what the clocks may be off. Uses are gathered by the
quarter of an hour with the first and the last of each: zones are at least that coarse, and a year of them is small.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from custody.chains.clocks import UNMEASURED
from custody.model.contracts import Contract, Hours
from custody.model.times import EPOCH, text
from custody.model.verdicts import MAX_EXEMPLARS, Basis, Severity, Verdict, violated
from custody.rules.asked import of_class
from custody.rules.packed import PRINCIPAL, named, packed, unpacked
from custody.rules.rule import Rule

QUARTER = 900_000_000

FACTS = f"""
    WITH chosen AS (
        SELECT c.key, {PRINCIPAL} AS principal, c.contract_version, c.identity_class FROM credentials c
        WHERE {of_class("hours")} AND c.population IN ('machine', 'unknown')
    ), off AS (
        SELECT source, max(widest) AS widest FROM (
            SELECT source, widest FROM clocks UNION ALL SELECT other, widest FROM clocks
        ) measured GROUP BY source
    ), quarters AS (
        SELECT h.principal, h.contract_version, h.identity_class, CAST(floor(p.time / {QUARTER}) AS BIGINT) AS quarter,
               min(p.time) AS first, max(p.time) AS last, count(*) AS calls, min(p.leaf) AS leaf,
               max(coalesce(f.widest, {UNMEASURED})) AS skew
        FROM parts p
        JOIN chosen h ON h.key = p.key
        LEFT JOIN off f ON f.source = p.source
        WHERE p.stage = 'use' AND p.outcome = 'success' AND p.invoked_by IS NULL AND NOT p.in_conflict AND NOT p.extra
          AND coalesce(p.effect, '') <> 'stream.open'
        GROUP BY h.principal, h.contract_version, h.identity_class, CAST(floor(p.time / {QUARTER}) AS BIGINT)
    )
    SELECT q.principal AS subject, {named("q.principal")} AS who, CAST(NULL AS VARCHAR) AS key, q.contract_version,
           array_sort(array_agg({packed("q.first", "q.last", "q.calls", "q.leaf", "q.skew", "q.identity_class")}))
               AS quarters
    FROM quarters q
    GROUP BY q.principal, q.contract_version
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: when one principal's credentials worked."""

    subject: str
    who: str
    key: str | None
    contract_version: int
    quarters: list[str]


class Stretch(msgspec.Struct, frozen=True):
    """The calls of one quarter of an hour: first and last (µs), how many, the first record."""

    first: int
    last: int
    calls: int
    leaf: int
    skew: int


def judge(row: Row, contract: Contract) -> Verdict | None:
    """Violated by a success outside of the hours by more than the clocks may be off."""
    allowed = {each.name: each.hours for each in contract.classes if each.hours is not None}
    found: list[tuple[int, Stretch]] = []
    for stretch, name in map(_read, row.quarters):
        hours = allowed.get(name)
        if hours is not None and (calls := _outside(hours, stretch)):
            found.append((calls, stretch))
    if not found:
        return None
    calls, first = sum(calls for calls, _ in found), min(each.first for _, each in found)
    leaves = sorted(each.leaf for _, each in found)[:MAX_EXEMPLARS]
    spans = "" if len(found) == 1 else f", in {len(found)} quarters of an hour"
    told = f"{'1 call' if calls == 1 else f'{calls} calls'} outside of the hours of its class{spans}, first at "
    return violated(f"{told}{text(first)}", Basis.OBSERVED, *leaves, count=calls)


def _read(packed_text: str) -> tuple[Stretch, str]:
    *numbers, name = unpacked(packed_text, 6)
    return Stretch(*map(int, numbers)), name


def _outside(hours: Hours, stretch: Stretch) -> int:
    """How many calls were outside: all where both ends are, else at least the one at the end that is."""
    ends = [_is_outside(hours, moment, stretch.skew) for moment in {stretch.first, stretch.last}]
    return stretch.calls if all(ends) else sum(ends)


def _is_outside(hours: Hours, moment: int, skew: int) -> bool:
    return not any(within(hours, each) for each in (moment - skew, moment, moment + skew))


def within(hours: Hours, moment: int) -> bool:
    """Whether ``moment`` (µs) lies in ``hours``: from ``start`` up to ``end``, which may lie past midnight."""
    local = (EPOCH + timedelta(microseconds=moment)).astimezone(_zone(hours.zone))
    minute = local.hour * 60 + local.minute
    return any(day in hours.days for day in _days(hours, local, minute))


def _days(hours: Hours, local: datetime, minute: int) -> Iterator[int]:
    """The days of the week on which the stretch began that holds the minute: today, yesterday, or none."""
    over = hours.end <= hours.start
    if minute >= hours.start and (over or minute < hours.end):
        yield local.weekday()
    if over and minute < hours.end:
        yield (local.weekday() - 1) % 7


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


RULE = Rule(
    id="outside-hours",
    title="at work outside of its hours",
    question=None,
    severity=Severity.MEDIUM,
    why="An identity that works when its owners do not is either described wrongly or in other hands.",
    action="Ask the owner what ran then; correct the hours, or revoke the credential and look at what it did.",
    fix="",
    controls=("ASI10", "DE.CM-03", "AC-2(12)", "CC7.2", "ISO27001 A.8.16"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
