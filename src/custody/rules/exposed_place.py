"""Secrets that were found lying open and of which nobody says which credential they are: told by place.

One finding for each repository (else account) and each log that tells of it, not one for each secret: a scan of an old
repository finds hundreds. An alert that was resolved, a result that was set aside and one that is gone are left out.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import text
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.rule import Rule
from custody.rules.settling import Settles

CLOSED = (
    "'secret_scanning_alert.resolve', 'secret_alert.resolved', 'secret_alert.closed', 'secret_alert.suppressed', "
    "'secret_alert.absent'"
)
"""What closes an alert or sets a result aside, in the words of the sources."""

FACTS = f"""
    WITH shut AS (
        SELECT p.source, coalesce(p.resource, p.account, p.service) AS place, p.object, max(p.time) AS time
        FROM every_part p
        WHERE p.effect IN ({CLOSED}) AND p.object IS NOT NULL AND NOT p.in_conflict
        GROUP BY p.source, coalesce(p.resource, p.account, p.service), p.object
    ), open AS (
        SELECT p.source, p.service, coalesce(p.resource, p.account, p.service) AS place,
               coalesce(p.object, '') AS object, min(p.time) AS time, min(p.leaf) AS leaf
        FROM every_part p
        WHERE p.effect = 'secret.exposed' AND p.key IS NULL AND NOT p.in_conflict
          AND NOT EXISTS (SELECT 1 FROM shut s
                          WHERE s.source = p.source AND s.place = coalesce(p.resource, p.account, p.service)
                            AND s.object = p.object AND s.time >= p.time)
        GROUP BY p.source, p.service, coalesce(p.resource, p.account, p.service), coalesce(p.object, '')
    ), numbered AS (
        SELECT o.*, row_number() OVER (PARTITION BY source, place ORDER BY time, object, service) AS position
        FROM open o
    )
    SELECT concat(source, ':', place) AS subject, place AS who, CAST(NULL AS VARCHAR) AS key, count(*) AS secrets,
           min(time) AS since, max(CASE WHEN position = 1 THEN substr(object, 1, 200) END) AS first_place,
           max(CASE WHEN position = 1 THEN service END) AS service,
           array_sort(array_agg(DISTINCT leaf) FILTER (WHERE position <= 16)) AS leaves
    FROM numbered
    GROUP BY source, place
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one place, as one log tells of it."""

    subject: str
    who: str
    key: str | None
    secrets: int
    since: int
    first_place: str | None
    service: str | None
    leaves: list[int]


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Indicated: a scanner's word, and no credential to look at."""
    many = "1 secret" if row.secrets == 1 else f"{row.secrets} secrets"
    first = f" ({row.first_place})" if row.first_place else ""
    told = (
        f"{row.service or 'a scanner'} found {many} open and not resolved, the first{first} since {text(row.since)}; "
        f"which credential it is nobody says"
    )
    verdict = indicated(told, Severity.MEDIUM, *row.leaves, settles=Settles.ISSUER_NOTICE)
    return msgspec.structs.replace(verdict, count=max(row.secrets, verdict.count))


RULE = Rule(
    id="exposed-secret-place",
    title="exposed secrets of unknown credentials",
    question=None,
    severity=Severity.MEDIUM,
    why="A secret that lies open works for everybody who finds it, whether or not anybody knows what it opens.",
    action="Find out what each one opens, end it at its issuer, and resolve the alert only then.",
    fix="",
    controls=("NHI2:2025", "IA-5", "PR.AA-01", "CC6.1", "ISO27001 A.5.17"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
