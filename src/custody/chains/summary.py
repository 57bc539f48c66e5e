"""Counts over the chains: keys, populations, classes, links, scope, and the time of judgement."""

from collections.abc import Mapping

from custody.chains import links
from custody.chains.join import load
from custody.engine.duck import Cell, Engine, literal
from custody.model.report import ClockRef, Keys, Scope, ScopePart
from custody.model.times import text
from custody.model.verdicts import Population

DAY = 86_400_000_000
SECOND = 1_000_000
SERVER_ASSERTED = (
    "source NOT IN ('otel.otlp', 'ocsf') AND (source NOT LIKE 'mapped.%' OR (key IS NOT NULL AND asserter IS NULL))"
)
"""Where workloads or tools speak, their clocks do not move the time of judgement. Of a mapped log those parts do for
which its mapping says that an issuer or verifier vouches."""


def as_of(engine: Engine, received: Mapping[str, int]) -> int | None:
    """The latest event time among the parts that is not over a day after its acquisition (µs).

    ``received`` maps the path of an event file to the time at which its records were acquired (µs).
    """
    if not received:
        return None
    latest: list[int] = []
    for path, moment in sorted(received.items()):
        (value,) = engine.one(
            f"SELECT max(time) FROM read_parquet({literal(path)}) WHERE time <= {moment + DAY} AND {SERVER_ASSERTED}"
        )
        if isinstance(value, int):
            latest.append(value)
    return max(latest, default=None)


def keys(engine: Engine) -> Keys:
    """Issued here, used, both."""
    return Keys(
        issued=engine.number("SELECT count(*) FROM issues"),
        used=engine.number("SELECT count(*) FROM uses"),
        joined=engine.number("SELECT count(*) FROM issues i JOIN uses u ON u.key = i.key"),
    )


def populations(engine: Engine) -> dict[str, int]:
    """Credentials by population; every population is named, also at 0."""
    counts = {each.value: 0 for each in Population}
    counts.update(_counts(engine, "SELECT population, count(*) FROM credentials GROUP BY population"))
    return counts


def unissued(engine: Engine) -> dict[str, int]:
    """Used keys without an issuance, by class."""
    return _counts(engine, "SELECT class, count(*) FROM unissued GROUP BY class ORDER BY class")


def forward_sessions(engine: Engine) -> dict[str, int]:
    """Forward access sessions, and how many have a candidate parent."""
    total = engine.number("SELECT count(*) FROM unissued WHERE class = 'forward access session'")
    joined = engine.number("SELECT count(DISTINCT from_key) FROM join_forward_session")
    return {"total": total, "with candidate parents": joined, "parent unknown": total - joined}


def link_counts(engine: Engine) -> dict[str, int]:
    """Links by grade."""
    return links.count(engine, load())


def clocks(engine: Engine) -> tuple[ClockRef, ...]:
    """How far the clocks of the sources are apart, as far as exact joins show."""
    rows = engine.rows("SELECT source, other, apart, widest, samples, how FROM clocks ORDER BY source, other")
    return tuple(
        ClockRef(
            source=str(source),
            other=str(other),
            apart=int(str(apart)) / SECOND,
            widest=int(str(widest)) / SECOND,
            samples=int(str(samples)),
            how=str(how),
        )
        for source, other, apart, widest, samples, how in rows
    )


def skipped(engine: Engine) -> dict[str, int]:
    """Skipped records by reason."""
    return _counts(engine, "SELECT reason, count(*) FROM skipped GROUP BY reason ORDER BY reason")


def events(engine: Engine) -> int:
    """Events of the records that were understood; the values beyond the first of one identity are not new events."""
    every = engine.number("SELECT count(DISTINCT leaf) FROM every_part")
    return every - engine.number(
        "SELECT coalesce(sum(total - 1), 0) FROM (SELECT count(DISTINCT c.leaf) AS total FROM conflicted c "
        "JOIN every_part p ON p.leaf = c.leaf GROUP BY c.source, c.event) repeated"
    )


def scope(engine: Engine) -> Scope:
    """What was read: per source and account its regions, event classes and period; and what was not."""
    rows = engine.rows(
        "SELECT source, account, min(time), max(time), count(DISTINCT leaf) FROM every_part WHERE time > 0 "
        "GROUP BY source, account ORDER BY source, account"
    )
    regions = _lists(engine, "region")
    categories = _lists(engine, "category")
    read = tuple(_part(row, regions, categories) for row in rows)
    return Scope(read=read, not_read=(*_not_read(read), *_absent(engine)))


def _part(
    row: tuple[Cell, ...], regions: Mapping[object, list[str]], categories: Mapping[object, list[str]]
) -> ScopePart:
    source, account, first, last, events = row
    where = (source, account)
    return ScopePart(
        source=str(source),
        account=None if account is None else str(account),
        regions=tuple(regions.get(where, ())),
        categories=tuple(categories.get(where, ())),
        first=text(int(str(first))) or "",
        last=text(int(str(last))) or "",
        events=int(str(events)),
    )


def _lists(engine: Engine, column: str) -> dict[object, list[str]]:
    found: dict[object, list[str]] = {}
    rows = engine.rows(
        f"SELECT DISTINCT source, account, {column} FROM every_part WHERE {column} IS NOT NULL "
        f"ORDER BY source, account, {column}"
    )
    for source, account, value in rows:
        found.setdefault((source, account), []).append(str(value))
    return found


def _not_read(read: tuple[ScopePart, ...]) -> tuple[str, ...]:
    categories = {category.lower() for part in read for category in part.categories}
    missing: list[str] = []
    if not any(part.source == "aws.cloudtrail" for part in read):
        return ("AWS",) if read else ()
    missing += ["other accounts", "other regions"]
    if "data" not in categories:
        missing.append("data events")
    if "networkactivity" not in categories:
        missing.append("network activity events")
    return tuple(missing)


def _absent(engine: Engine) -> tuple[str, ...]:
    """What no source told: runs, and approvals."""
    wanted = (("orchestrators", "SELECT count(*) FROM runs"), ("approvals", "SELECT count(*) FROM decisions"))
    return tuple(name for name, sql in wanted if not engine.number(sql))


def _counts(engine: Engine, sql: str) -> dict[str, int]:
    return {str(name): int(str(number)) for name, number in engine.rows(sql)}
