"""Tables about the contract itself: its versions with what each asks less than those it replaces, and its exceptions.

``contract_versions``: version, subject (``contract:`` and the digest), digest, leaf of its statement, sealed_at, since
(µs, NULL: for everything), weaker (a sentence a line, of what it asks less for a time before it was sealed), excused
(BOOLEAN: all of these sentences are of suppressions).
``contract_exceptions``: class, until (µs), owner, reason; of the version that holds at the time of judgement.
"""

from collections.abc import Iterator

from custody.engine.duck import Cell, Engine
from custody.model.contracts import Versions
from custody.settings.contract_weakening import suppressed, weakenings

VERSIONS = {
    "version": "BIGINT", "subject": "VARCHAR", "digest": "VARCHAR", "leaf": "BIGINT", "sealed_at": "BIGINT",
    "since": "BIGINT", "weaker": "VARCHAR", "excused": "BOOLEAN",
}  # fmt: skip
EXCEPTIONS = {"class": "VARCHAR", "until": "BIGINT", "owner": "VARCHAR", "reason": "VARCHAR"}


def build(engine: Engine, versions: Versions, as_of: int | None) -> None:
    """Make ``contract_versions`` and ``contract_exceptions``."""
    engine.table("contract_versions", VERSIONS, list(_versions(versions)))
    classes = versions.at(as_of).classes
    rows = [(each.name, each.exception.until, each.exception.owner, each.exception.reason)
            for each in classes if each.exception is not None]  # fmt: skip
    engine.table("contract_exceptions", EXCEPTIONS, rows)


def _versions(versions: Versions) -> Iterator[tuple[Cell, ...]]:
    """One row a version. One that was sealed twice is two: each replaced something."""
    seen: dict[str, int] = {}
    for index, each in enumerate(versions.sealed):
        digest = each.contract.digest or ""
        seen[digest] = seen.get(digest, 0) + 1
        subject = f"contract:{digest}" + (f":{seen[digest]}" if seen[digest] > 1 else "")
        weaker, excused = weaker_than_before(versions, index)
        yield (
            index, subject, digest, each.leaf, each.at, each.contract.since,
            "\n".join(" ".join(one.splitlines()) for one in weaker), excused,
        )  # fmt: skip


def weaker_than_before(versions: Versions, index: int) -> tuple[list[str], bool]:
    """What the version asks less of a time before it was sealed, and whether that is nothing but suppressions.

    It is compared with every version that it takes the place of for some of that time. What it asks less from its
    sealing on is nobody's business: the past keeps what it was judged by.
    """
    one = versions.sealed[index]
    since = one.contract.since
    if since is not None and since >= one.at:
        return [], False
    periods = versions.periods_before(index)
    ends = [*(start for start, _ in periods[1:]), None][: len(periods)]
    found: list[str] = []
    borne: list[str] = []
    for (start, number), end in zip(periods, ends, strict=True):
        if (start is None or start < one.at) and (since is None or end is None or end > since):
            before = versions.contract(number)
            found += weakenings(before, one.contract)
            borne += suppressed(before, one.contract)
    return list(dict.fromkeys(found)), set(found) <= set(borne)
