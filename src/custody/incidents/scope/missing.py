"""Which evidence about some credentials is not there, and which source would have it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from custody.incidents.scope.grounds import Credential, Grounds
from custody.incidents.seen import Missing
from custody.model.report import Certificate
from custody.model.times import microseconds, text
from custody.rules.settling import FIXES, Settles, issuer_log

LISTED = 200
NOT_READ: dict[str, tuple[str, str]] = {
    "AWS": ("aws.cloudtrail", "what was done in AWS"),
    "other accounts": ("aws.cloudtrail", "what was done in accounts whose trail was not read"),
    "other regions": ("aws.cloudtrail", "what was done in regions whose trail was not read"),
    "data events": ("aws.cloudtrail", "which objects were read or written: only data events name them"),
    "network activity events": ("aws.cloudtrail", "calls through VPC endpoints that were refused"),
    "orchestrators": ("kubernetes.audit", "which runs there were, and when they ended"),
    "approvals": ("custody", "who approved the use of these credentials"),
}
"""What a report names as not read: the source that would have it, and what that would tell."""


SHOULD_HOLD = {"aws.cloudtrail": "its digests, and of the files that they name"}
"""What a source is held against, where its certificate says that in numbers."""


def missing(grounds: Grounds, members: Sequence[Credential]) -> tuple[Missing, ...]:
    """What was not collected that belongs to ``members``, at most LISTED, each once."""
    every = [*_not_read(grounds), *_certificates(grounds, members), *_issuers(members), *_behind(grounds, members)]
    return tuple(dict.fromkeys(every))[:LISTED]


def _not_read(grounds: Grounds) -> Iterator[Missing]:
    for name in grounds.report.scope.not_read:
        source, settles = NOT_READ.get(name, ("", name))
        yield Missing(what=f"not read: {name}", source=source, settles=settles)


def _certificates(grounds: Grounds, members: Sequence[Credential]) -> Iterator[Missing]:
    """What the sources of these credentials should hold and do not, while the credentials were there."""
    sources = {name for each in members for name in (each.source, each.use_source) if name is not None}
    since = min((each.since for each in members if each.since is not None), default=None)
    told: set[str] = set()
    for each in grounds.report.certificates:
        if each.source in sources and each.problems_total and not _before(each, since):
            told |= {f"{each.source} {problem}" for problem in each.problems}
            where = " ".join(part for part in (each.account, each.region) if part)
            what = f"{each.source} {where}".strip() + f": {each.problems[0] if each.problems else each.how}"
            settles = SHOULD_HOLD.get(each.source, each.how)
            yield Missing(what=what, source=each.source, settles=f"what is not there of {settles}")
    for found in (*grounds.report.findings, *grounds.report.suppressed):
        source = found.who.partition(" account ")[0]
        if found.rule == "source-with-holes" and f"{source} {found.text}" not in told:
            yield Missing(what=f"{found.who}: {found.text}", source=source, settles="the same, undamaged")


def _before(each: Certificate, since: int | None) -> bool:
    try:
        until = microseconds(each.until or None)
    except ValueError:
        return False
    return since is not None and until is not None and until < since


def _issuers(members: Iterable[Credential]) -> Iterator[Missing]:
    """Credentials whose issue no record tells: where they came from is not known."""
    kinds: dict[Settles, list[Credential]] = {}
    for each in members:
        if each.issue_leaf is None:
            kinds.setdefault(issuer_log(each.key), []).append(each)
    for settles, some in sorted(kinds.items()):
        sources = FIXES[settles].sources
        what = "who issued " + (some[0].key if len(some) == 1 else f"{len(some)} credentials, {some[0].key} first")
        yield Missing(what=what, source=sources[0] if sources else "", settles=str(settles))


def _behind(grounds: Grounds, members: Iterable[Credential]) -> Iterator[Missing]:
    """Sources of these credentials whose records end before the others do."""
    as_of = grounds.as_of
    last: dict[str, int] = {}
    for part in grounds.report.scope.read:
        last[part.source] = max(last.get(part.source, 0), microseconds(part.last) or 0)
    used = {each.use_source for each in members if each.use_source is not None}
    for source in sorted(used & last.keys()):
        if as_of is not None and as_of - last[source] > 3_600_000_000:
            yield Missing(
                what=f"{source} was read until {text(last[source])} only",
                source=source,
                settles="what these credentials did since",
            )
