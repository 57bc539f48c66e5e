"""What is not known of the sources that see some credentials, from a time on: why a silence of them proves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from custody.incidents.scope.grounds import Credential, Grounds, chosen
from custody.incidents.scope.missing import NOT_READ
from custody.model.report import Certificate
from custody.model.times import microseconds, text

CHECKED_BY = {
    "aws_akid": "aws.cloudtrail",
    "vault_accessor": "vault.audit",
    "vault_token": "vault.audit",
    "vault_lease": "vault.audit",
    "k8s_cred": "kubernetes.audit",
    "db_role": "postgresql",
    "db_role_hmac": "postgresql",
    "github_token_sha256": "github.audit",
    "github_token_id": "github.audit",
}
"""The source that sees the uses of a kind of key. Of other kinds it is not known who checks them."""
LATE = 2 * 3_600 * 1_000_000
"""How far behind the rest a source may be that watches (µs): digests come an hour late."""
_SEEN_BY = """
    SELECT p.key, list(DISTINCT p.source) FROM parts p
    WHERE p.key IN (SELECT unnest(?)) AND p.source IS NOT NULL GROUP BY p.key ORDER BY p.key
"""


_Rows = list[tuple[str, list[str]]]


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """The sources that see some credentials; ``gaps`` says what of them is not known since, each in words.

    ``whole`` says that a certificate proves a part of each of them whole since then; ``until`` is the earliest end (µs)
    of these.
    """

    sources: tuple[str, ...]
    gaps: tuple[str, ...]
    whole: bool
    until: int | None


def watched(grounds: Grounds, members: Sequence[Credential], since: int) -> Watched:
    """What is known from ``since`` (µs) on of the sources of ``members``."""
    grounds.attach([each.key for each in members])
    rows = msgspec.convert(
        chosen(grounds.engine, _SEEN_BY, (each.key for each in members)), list[tuple[str, list[str]]]
    )
    told = {name for _, names in rows for name in names}
    told |= {name for each in members for name in (each.source, each.use_source) if name is not None}
    checkers = {CHECKED_BY.get(each.key.partition(":")[0]) for each in members}
    sources = sorted(told | {each for each in checkers if each is not None})
    gaps = list(_kinds(members))
    ends: list[int | None] = []
    for source in sources:
        accounts = _accounts(grounds, source, members)
        mine = [each for each in grounds.report.certificates if each.source == source]
        own = [each for each in mine if each.account is None or each.account in accounts]
        ends.append(max((end for each in own if (end := _whole(each, since)) is not None), default=None))
        gaps += [*_of_source(grounds, source, mine, since), *_uncovered(grounds, source, mine, members)]
    gaps += _damage(grounds, sources)
    known = [end for end in ends if end is not None]
    whole = bool(ends) and len(known) == len(ends)
    return Watched(
        sources=tuple(sources),
        gaps=tuple(dict.fromkeys(gaps)),
        whole=whole,
        until=min(known, default=None),
    )


def _kinds(members: Iterable[Credential]) -> Iterator[str]:
    for kind in sorted({each.key.partition(":")[0] for each in members} - CHECKED_BY.keys()):
        yield f"which source sees the uses of {kind} is not known"


def _accounts(grounds: Grounds, source: str, members: Iterable[Credential]) -> set[str]:
    """The accounts of a source that its credentials belong to, and those that the contract expects of it."""
    wanted = {each.account for each in _checked(source, members) if each.account is not None}
    return wanted | {name for each in grounds.contract.sources if each.source == source for name in each.accounts}


def _checked(source: str, members: Iterable[Credential]) -> list[Credential]:
    return [each for each in members if CHECKED_BY.get(each.key.partition(":")[0]) == source]


def _of_source(grounds: Grounds, source: str, mine: Sequence[Certificate], since: int) -> Iterator[str]:
    """What of one source is unread, unproved, or not known to be all that there is."""
    if not mine:
        yield f"nothing proves {source} whole"
    for each in mine:
        where = _where(each)
        if each.problems_total:
            yield f"{where}: {each.problems[0] if each.problems else 'records are missing'}"
        end = _whole(each, since)
        if end is None:
            yield f"{where} is not proved whole from before {text(since)}"
        elif end + LATE < (grounds.as_of or 0):
            yield f"{where} is proved whole until {text(end)} only"
    for name in grounds.report.scope.not_read:
        if NOT_READ.get(name, ("", name))[0] == source:
            yield f"{source}: {name} not read"


def _uncovered(
    grounds: Grounds, source: str, mine: Sequence[Certificate], members: Sequence[Credential]
) -> Iterator[str]:
    """Accounts that the contract expects or the credentials belong to, and regions read, without a certificate."""
    if not any(each.account is not None for each in mine):
        return
    nowhere = next((each.key for each in _checked(source, members) if each.account is None), None)
    if nowhere is not None:
        yield f"{source}: the account of {nowhere} is not known"
    wanted = _accounts(grounds, source, members)
    for account in sorted(wanted - {each.account for each in mine}):
        yield f"nothing proves {source} of account {account} whole"
    covered = {(each.account, each.region) for each in mine}
    for part in grounds.report.scope.read:
        if part.source == source and part.account in wanted:
            for region in part.regions:
                if (part.account, region) not in covered:
                    yield f"nothing proves {source} of account {part.account} {region} whole"


def _damage(grounds: Grounds, sources: Sequence[str]) -> Iterator[str]:
    """Records and files that could not be read: nobody knows of which source they are."""
    report = grounds.report
    if report.skips:
        yield f"{report.skips} {'record was' if report.skips == 1 else 'records were'} not understood"
    for found in (*report.findings, *report.suppressed):
        of = found.subject.partition(":")[0]
        if found.rule == "source-with-holes" and (of in sources or of in ("file", "records")):
            yield f"{found.who}: {found.text}"


def _where(each: Certificate) -> str:
    return " ".join(part for part in (each.source, each.account, each.region) if part)


def _whole(each: Certificate, since: int) -> int | None:
    """Until when (µs) it proves its part whole from ``since`` on."""
    good = ((microseconds(start) or 0, microseconds(end) or 0) for start, end in each.whole)
    return next((end for start, end in good if start <= since < end), None)
