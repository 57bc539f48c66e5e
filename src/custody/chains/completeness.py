"""What each source should hold against what was read: certificates, the stretches that are whole, and new holes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from custody.chains import digests, expectation, lines
from custody.chains.brokered import SOURCE as BROKER
from custody.chains.digests import Digest, Span, check, public_key, spans
from custody.chains.expectation import Expectation
from custody.engine.duck import Engine
from custody.model.report import Certificate
from custody.model.times import text

DIGEST_SOURCE = "aws.cloudtrail_digest"
SHOWN = 16
DELIVERED = 2 * 3_600_000_000
"""Within what time a digest comes after its hour (µs)."""


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """What a digest's signature covers, as its source keeps it beside the event."""

    content: str
    bucket: str
    name: str
    end: str
    fingerprint: str
    previous: str | None
    previous_name: str | None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate with what the tables need of it: its whole stretches (µs), and every problem with its leaf."""

    shown: Certificate
    whole: tuple[tuple[int, int], ...]
    problems: tuple[tuple[str, int | None], ...]


def build(
    engine: Engine,
    names: Sequence[tuple[str, str]],
    as_of: int | None = None,
    erased: Mapping[str, int] = MappingProxyType({}),
) -> tuple[Found, ...]:
    """Make ``whole_periods``; gives every certificate. ``names`` are the files that were read, with content hashes.

    ``as_of`` is the time of judgement (µs): digests must have come until two hours before it.
    ``erased`` counts the records of each source that were read and erased since: they are not missing.
    """
    found = [*_cloudtrail(engine, names, None if as_of is None else as_of - DELIVERED), *_expected(engine, erased),
             *_brokers(engine, erased)]  # fmt: skip
    rows = [
        (each.shown.source, each.shown.account, each.shown.region, since, until)
        for each in found
        for since, until in each.whole
    ]
    columns = {"source": "VARCHAR", "account": "VARCHAR", "region": "VARCHAR", "since": "BIGINT", "until": "BIGINT"}
    engine.table("whole_periods", columns, rows)
    regions = [(each.shown.account, each.shown.region) for each in found if each.shown.region is not None]
    engine.table("digest_regions", {"account": "VARCHAR", "region": "VARCHAR"}, regions)
    return tuple(found)


def add_holes(engine: Engine, certificates: Sequence[Found]) -> None:
    """Add what the certificates miss to ``holes``: one row a source, account, region and problem that a leaf shows."""
    for each in certificates:
        if each.problems:
            shown = each.shown
            subject = ":".join(part or "-" for part in (shown.source, shown.account, shown.region, "missing"))
            changed = [
                problem for problem in each.problems if digests.is_change(problem[0]) or lines.is_change(problem[0])
            ]
            first, grave = (changed or each.problems)[0], bool(changed)
            more = f", and {len(each.problems) - 1} more" if len(each.problems) > 1 else ""
            engine.run(
                "INSERT INTO holes VALUES (?, ?, ?, ?, ?, ?)",
                [subject, _whose(shown), first[0] + more, first[1], len(each.problems), grave],
            )


def _whose(shown: Certificate) -> str:
    parts = (f"account {shown.account}" if shown.account else "", shown.region or "")
    return f"{shown.source} {' '.join(part for part in parts if part)}".strip()


def _cloudtrail(engine: Engine, names: Sequence[tuple[str, str]], until: int | None) -> list[Found]:
    if not engine.number(f"SELECT count(*) FROM every_part WHERE source = '{DIGEST_SOURCE}'"):
        return []
    contents: dict[str, set[str]] = defaultdict(set)
    for name, content in names:
        contents[name.removesuffix(".gz")].add(content)
        contents[name].add(content)
    frozen = {name: frozenset(hashes) for name, hashes in contents.items()}
    keys = _keys(engine)
    checked = [check(each, keys, frozen) for each in _digests(engine)]
    return [_certified(span) for span in spans(checked, until)]


def _keys(engine: Engine) -> Mapping[str, bytes]:
    rows = engine.rows(
        f"SELECT object, related FROM every_part WHERE source = '{DIGEST_SOURCE}' AND effect = 'digest.public_key'"
    )
    found = {str(fingerprint): public_key(str(value)) for fingerprint, value in rows}
    return {fingerprint: der for fingerprint, der in found.items() if der is not None}


def _digests(engine: Engine) -> list[Digest]:
    files: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for leaf, name, value in engine.rows(
        f"SELECT leaf, object, related FROM every_part WHERE source = '{DIGEST_SOURCE}' AND effect = 'digest.file' "
        "ORDER BY leaf, object"
    ):
        files[int(str(leaf))].append((str(name), str(value)))
    rows = engine.rows(
        "SELECT leaf, account, region, created, time, tags FROM every_part "
        f"WHERE source = '{DIGEST_SOURCE}' AND effect = 'digest.period' AND tags IS NOT NULL AND NOT in_conflict "
        "ORDER BY leaf"
    )
    told = [(row, msgspec.json.decode(str(row[5]), type=Signed)) for row in rows]
    signatures = {signed.previous_name: signed.previous for _, signed in told if signed.previous_name}
    return [
        Digest(
            leaf=int(str(leaf)),
            account=str(account),
            region="-" if region is None else str(region),
            start=int(str(start)),
            end=int(str(end)),
            content=signed.content,
            place=f"{signed.bucket}/{signed.name}",
            end_text=signed.end,
            fingerprint=signed.fingerprint,
            previous=signed.previous,
            previous_place=signed.previous_name,
            signature=signatures.get(signed.name),
            files=tuple(files[int(str(leaf))]),
        )
        for (leaf, account, region, start, end, _), signed in told
    ]


def _certified(span: Span) -> Found:
    hours = f"{span.digests} digests"
    absent = f"; {span.absent} absent" if span.absent else ""
    shown = Certificate(
        source=digests.SOURCE,
        account=span.account,
        region=span.region,
        since=text(span.since) or "",
        until=text(span.until) or "",
        how=f"the files that {hours} name{absent}",
        expected=span.expected,
        received=span.received,
        signatures=dict(span.signatures),
        whole=tuple((text(since) or "", text(until) or "") for since, until in span.whole),
        problems=tuple(problem for problem, _ in span.problems[:SHOWN]),
        problems_total=len(span.problems),
    )
    return Found(shown=shown, whole=span.whole, problems=span.problems)


def _expected(engine: Engine, erased: Mapping[str, int]) -> list[Found]:
    found = []
    for each in expectation.load():
        expected, received, since, until, example = engine.one(each.sql)
        if isinstance(expected, int) and expected and isinstance(received, int):
            missing = max(expected - received - erased.get(each.source, 0), 0)
            found.append(_counted(each, (expected, received, missing), since, until, example if missing else None))
    return found


def _brokers(engine: Engine, erased: Mapping[str, int]) -> list[Found]:
    """A certificate for each broker; its account is the broker itself."""
    if not lines.build(engine):
        return []
    return [_broker(each) for each in lines.read(engine, erased.get(BROKER, 0))]


def _broker(each: lines.Read) -> Found:
    shown = Certificate(
        source=BROKER,
        account=each.broker,
        region=None,
        since=text(each.since) or "",
        until=text(each.until) or "",
        how=lines.HOW,
        expected=each.expected,
        received=each.received,
        signatures={},
        whole=tuple((text(since) or "", text(until) or "") for since, until in each.whole),
        problems=tuple(problem for problem, _ in each.problems[:SHOWN]),
        problems_total=len(each.problems),
    )
    return Found(shown=shown, whole=each.whole, problems=each.problems)


def _counted(each: Expectation, counts: tuple[int, int, int], since: object, until: object, example: object) -> Found:
    expected, received, missing = counts
    problems = () if example is None else (str(example),)
    shown = Certificate(
        source=each.source,
        account=None,
        region=None,
        since=text(since) or "" if isinstance(since, int) else "",
        until=text(until) or "" if isinstance(until, int) else "",
        how=each.how,
        expected=expected,
        received=received,
        signatures={},
        whole=(),
        problems=problems,
        problems_total=missing,
    )
    said = tuple((f"{missing} of {expected} lines are missing: {problem}", None) for problem in problems)
    return Found(shown=shown, whole=(), problems=said)
