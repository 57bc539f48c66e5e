"""Was a secret found lying open, since when, what ended it, and did it work in between?

Where the issuer itself names the key (a notice of AWS Health), the exposure is a fact. A scanner's finding is its own
word, and AWS's quarantine policy names the user and not the key: both only indicate. The policy refuses some actions
and leaves others, so it is told, and is no end of the key.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.effects import said
from custody.model.times import duration, text
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules.rule import Rule
from custody.rules.settling import Settles

FACTS = """
    WITH named AS (
        SELECT p.key, p.time, p.leaf, p.service, p.object, p.asserter IS NULL AS by_issuer, 1 AS candidates,
               FALSE AS quarantine
        FROM every_part p
        WHERE p.effect = 'secret.exposed' AND p.key LIKE 'aws_akid:%' AND NOT p.in_conflict
    ), alive AS (
        SELECT k.key, p.time, p.leaf, p.service, p.object
        FROM parts p
        JOIN key_principals k ON k.principal = p.key AND k.since <= p.time
        WHERE p.effect = 'secret.exposed' AND p.key LIKE 'aws_arn:%' AND NOT p.in_conflict
          AND k.key LIKE 'aws_akid:aws:AKIA%'
          AND NOT EXISTS (SELECT 1 FROM sound_ends e
                          WHERE e.key = k.key AND e.time <= p.time AND (e.until IS NULL OR e.until > p.time))
    ), told AS (
        SELECT * FROM named
        UNION ALL
        SELECT key, time, leaf, service, object, FALSE, count(*) OVER (PARTITION BY leaf), TRUE FROM alive
    ), numbered AS (
        SELECT t.*, row_number() OVER (
                   PARTITION BY key ORDER BY time, coalesce(object, ''), coalesce(service, ''), leaf) AS position
        FROM told t
    ), exposed AS (
        SELECT key, min(time) AS since, count(DISTINCT leaf) AS records, bool_or(by_issuer) AS by_issuer,
               min(CASE WHEN by_issuer THEN time END) AS issuer_since,
               bool_and(quarantine) AS only_user, min(CASE WHEN quarantine THEN time END) AS quarantined,
               min(candidates) AS candidates,
               min(CASE WHEN position = 1 THEN service END) AS service,
               min(CASE WHEN position = 1 THEN object END) AS place,
               array_agg(DISTINCT leaf) FILTER (WHERE position <= 8) AS leaves
        FROM numbered
        GROUP BY key
    ), after AS (
        SELECT key, count(*) AS successes, max(time) AS last, min(leaf) AS first_leaf, max(leaf) AS last_leaf
        FROM (
            SELECT p.key, p.time, p.leaf
            FROM parts p
            JOIN exposed x ON x.key = p.key
            WHERE p.stage = 'use' AND p.outcome = 'success' AND p.time > x.since AND NOT p.extra AND NOT p.in_conflict
              AND coalesce(p.effect, '') <> 'stream.open'
        ) used
        GROUP BY key
    )
    SELECT x.key AS subject, coalesce(c.who, regexp_replace(x.key, '^[^:]*:[^:]*:', '')) AS who, x.key AS key,
           c.key IS NOT NULL AS seen, c.unissued_class, x.since, x.records, x.by_issuer, x.issuer_since, x.only_user,
           x.quarantined, x.candidates, x.service, substr(x.place, 1, 200) AS place, array_sort(x.leaves) AS leaves,
           e.time AS ended, e.effect AS end_effect, e.leaf AS end_leaf,
           c.not_after, c.as_of, coalesce(a.successes, 0) AS successes, a.last, a.first_leaf, a.last_leaf
    FROM exposed x
    LEFT JOIN judged c ON c.key = x.key
    LEFT JOIN first_ends e ON e.key = x.key AND e.until IS NULL
    LEFT JOIN after a ON a.key = x.key
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one key that was found open, by whomever."""

    subject: str
    who: str
    key: str | None
    seen: bool
    unissued_class: str | None
    since: int
    records: int
    by_issuer: bool
    issuer_since: int | None
    only_user: bool
    quarantined: int | None
    candidates: int
    service: str | None
    place: str | None
    leaves: list[int]
    ended: int | None
    end_effect: str | None
    end_leaf: int | None
    not_after: int | None
    as_of: int | None
    successes: int
    last: int | None
    first_leaf: int | None
    last_leaf: int | None


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Violated where the issuer names the key; else indicated. Lower where the key ended and did nothing in between."""
    if row.unissued_class in ("console", "provider-internal"):
        return None
    if row.key is not None and row.key.endswith("EXAMPLE") and not row.seen:
        return None
    told = f"{_found(row)}; {_contained(row)}; {_used(row)}{_quarantined(row)}"
    cited = (row.end_leaf, row.first_leaf, row.last_leaf)
    leaves = (*row.leaves, *(leaf for leaf in cited if leaf is not None))
    harmless = not row.seen or (_ended(row) is not None and not row.successes)
    count = row.records + row.successes + (row.end_leaf is not None)
    if row.by_issuer and row.seen:
        verdict = violated(told, Basis.OBSERVED, *leaves, count=max(count, len(set(leaves))))
        return msgspec.structs.replace(verdict, severity=Severity.MEDIUM if harmless else Severity.HIGH)
    settles = Settles.ISSUER_NOTICE if row.seen else Settles.AWS_ISSUER
    verdict = indicated(told, Severity.LOW if harmless else Severity.MEDIUM, *leaves, settles=settles)
    return msgspec.structs.replace(verdict, count=max(count, verdict.count))


def _found(row: Row) -> str:
    if row.only_user:
        which = "the only key of this user" if row.candidates == 1 else f"one of {row.candidates} keys of this user"
        return f"the user got AWS's quarantine policy at {text(row.since)}: {which} alive then that the logs show"
    where = f" in {row.place}" if row.place and not row.place.startswith("found ") else ""
    if row.by_issuer and row.issuer_since == row.since:
        return f"AWS found the key in public at {text(row.since)}"
    first = f"{row.service or 'a scanner'} found the key open{where}, since {text(row.since)}"
    return f"{first}; AWS found it in public at {text(row.issuer_since)}" if row.by_issuer else first


def _ended(row: Row) -> int | None:
    """When it could not be used any more: an end that nothing undid, or its expiry."""
    expired = row.not_after if row.not_after is not None and row.not_after < (row.as_of or 0) else None
    known = [each for each in (row.ended, expired) if each is not None]
    return min(known) if known else None


def _contained(row: Row) -> str:
    if not row.seen:
        return "no log that was read shows this key"
    ended = _ended(row)
    if ended is None:
        return "not contained: no end of it is known"
    how = said(row.end_effect) if ended == row.ended else "expired"
    if ended <= row.since:
        return f"it had ended before, {how} at {text(ended)}"
    return f"{how} at {text(ended)}, {duration(ended - row.since)} after"


def _used(row: Row) -> str:
    if not row.successes or row.last is None:
        return "no success since then was seen"
    calls = "1 call" if row.successes == 1 else f"{row.successes} calls"
    return f"{calls} succeeded since then, the last at {text(row.last)}, {duration(row.last - row.since)} after"


def _quarantined(row: Row) -> str:
    if row.quarantined is None or row.only_user:
        return ""
    return f"; its user has had AWS's quarantine policy, which refuses some actions, since {text(row.quarantined)}"


RULE = Rule(
    id="exposed-secret",
    title="exposed secret",
    question=None,
    severity=Severity.HIGH,
    why="Whoever can read the place can use the secret, and did so perhaps before its owner knew.",
    action="End the key now, look at every call since it lay open, and replace it by a credential that is issued anew.",
    fix="",
    controls=("NHI2:2025", "ASI03", "IA-5", "PR.AA-01", "CC6.1", "ISO27001 A.5.17"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
