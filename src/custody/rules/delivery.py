"""Credentials that live shorter than the log of their use usually takes to arrive: acted and gone before it is read.

Nothing is wrong with a short life. It means that whoever watches this log learns of a misuse only after it is over, and
that revoking comes too late by design: what stops these credentials is who may get them, not who is caught with them.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import duration
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.rule import Rule

FACTS = """
    WITH short AS (
        SELECT coalesce(c.subject, c.workload) AS holder, u.source, u.delivery_delay,
               c.not_after - c.issued_at AS life, c.issue_leaf, c.key,
               row_number() OVER (PARTITION BY coalesce(c.subject, c.workload), u.source
                                  ORDER BY c.issue_leaf, c.key) AS position
        FROM credentials c
        JOIN source_facts i ON i.source = c.source
        JOIN source_facts u ON u.source = c.use_source AND u.delivery_delay IS NOT NULL
        WHERE c.population = 'machine' AND c.issued AND c.uses > 0 AND NOT c.issue_disputed
          AND coalesce(c.subject, c.workload) IS NOT NULL AND c.not_after > c.issued_at
          AND c.not_after - c.issued_at + coalesce(i.time_resolution, 0) < u.delivery_delay
    )
    SELECT concat(source, ':', holder) AS subject, regexp_replace(holder, '^[^:]*:[^:]*:', '') AS who,
           CAST(NULL AS VARCHAR) AS key, source, min(delivery_delay) AS delivery_delay, min(life) AS shortest,
           max(life) AS longest, count(*) AS credentials,
           array_sort(array_agg(issue_leaf) FILTER (WHERE position <= 8)) AS leaves
    FROM short
    GROUP BY holder, source
"""
"""One row a principal and source. A life within the resolution of the issuer's clock of the delay is not shorter."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one principal's short-lived credentials in one source of uses."""

    subject: str
    who: str
    key: str | None
    source: str
    delivery_delay: int
    shortest: int
    longest: int
    credentials: int
    leaves: list[int]


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Indicated: the delay is the usual one of its product, not one that was measured."""
    one = row.credentials == 1
    life = duration(row.shortest)
    if row.longest != row.shortest:
        life += f" to {duration(row.longest)}"
    told = (
        f"{'1 credential lives' if one else f'{row.credentials} credentials live'} {life}; {row.source}, which records "
        f"{'its' if one else 'their'} use, usually takes {duration(row.delivery_delay)} to arrive: a responder learns "
        f"of {'it' if one else 'one'} only after it is over"
    )
    return msgspec.structs.replace(indicated(told, Severity.LOW, *row.leaves), count=row.credentials)


RULE = Rule(
    id="shorter-than-delivery",
    title="gone before its log arrives",
    question=None,
    severity=Severity.LOW,
    why="What lives shorter than its log takes to arrive can be understood afterwards, but not stopped.",
    action="Watch it where it is issued, or have the log delivered sooner (as events, not as files).",
    fix="",
    controls=("AU-6", "SI-4", "DE.CM-03", "ISO27001 A.8.16"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
