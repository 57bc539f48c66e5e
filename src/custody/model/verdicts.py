"""Questions, verdicts and findings: what custody says, and on what it rests."""

from enum import StrEnum

import msgspec

MAX_EXEMPLARS = 16
"""A verdict cites at most this many leaves, lowest first; the full list is a query."""


class State(StrEnum):
    """The answer to a question about a chain."""

    PROVED = "proved"
    VIOLATED = "violated"
    UNPROVEN = "unproven"
    OPEN = "open"
    NOT_APPLICABLE = "n/a"


class Basis(StrEnum):
    """What a proof or violation rests on."""

    OBSERVED = "observed"
    CLOSED_WORLD = "closed-world"
    ISSUER_ENFORCED = "issuer-enforced"


class Best(StrEnum):
    """The best there is for an unproven question. Never counted as proved."""

    INDICATED = "indicated"
    CLAIMED = "claimed"
    NOTHING = "nothing"


class Severity(StrEnum):
    """How much a finding asks for; the order is from least to most."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


SEVERITY_ORDER: dict[str, int] = {severity.value: rank for rank, severity in enumerate(Severity)}


class Population(StrEnum):
    """Who a credential works for. Kept apart in every count."""

    MACHINE = "machine"
    PERSON = "person"
    PROVIDER = "provider-internal"
    UNKNOWN = "unknown"


class Question(StrEnum):
    """Every question about a chain, in the one order in which they are shown."""

    BOUND = "bound at issue"
    HOLDER = "used by the holder"
    REQUESTER = "requester known"
    ROOT = "root reached"
    OWNER = "owner"
    PURPOSE = "purpose"
    PRIVILEGE = "privilege known at the time"
    APPROVED = "approved"
    DECIDED = "decided by which policy"
    ISSUANCE = "issuance recorded"
    LIFETIME = "lifetime within the contract"
    WITHIN = "used within lifetime, scope and declared dependencies"
    RENEWED = "renewed with reason"
    END_RECORDED = "end recorded"
    END_EFFECTIVE = "end effective"


class Verdict(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One answer.

    ``text`` is one plain sentence; ``settles`` names the source or field that would settle an unproven
    one; ``until`` is when an open one is due (microseconds); ``leaves`` the exemplars of ``count`` records cited.
    ``severity`` makes an unproven verdict a finding: only where the rule calls the indication worth acting on.
    ``title`` is the finding's where it is not the rule's.
    """

    state: State
    text: str
    basis: Basis | None = None
    best: Best | None = None
    settles: str | None = None
    until: int | None = None
    severity: Severity | None = None
    title: str | None = None
    count: int = 0
    leaves: tuple[int, ...] = ()


def proved(text: str, basis: Basis, *leaves: int, count: int | None = None) -> Verdict:
    """A proved verdict resting on ``basis``."""
    return Verdict(state=State.PROVED, text=text, basis=basis, leaves=_lowest(leaves), count=_count(leaves, count))


def violated(text: str, basis: Basis, *leaves: int, count: int | None = None) -> Verdict:
    """A violated verdict; its severity is the rule's."""
    return Verdict(state=State.VIOLATED, text=text, basis=basis, leaves=_lowest(leaves), count=_count(leaves, count))


def unproven(text: str, best: Best = Best.NOTHING, *leaves: int, settles: str | None = None) -> Verdict:
    """An unproven verdict with the best there is, and what would settle it."""
    return Verdict(
        state=State.UNPROVEN, text=text, best=best, settles=settles, leaves=_lowest(leaves), count=len(leaves)
    )


def indicated(
    text: str, severity: Severity, *leaves: int, settles: str | None = None, title: str | None = None
) -> Verdict:
    """An unproven verdict that the rule explicitly calls worth acting on."""
    return Verdict(
        state=State.UNPROVEN,
        text=text,
        best=Best.INDICATED,
        severity=severity,
        title=title,
        settles=settles,
        leaves=_lowest(leaves),
        count=len(set(leaves)),
    )


def open_until(text: str, until: int | None, *leaves: int) -> Verdict:
    """An open verdict: alive, or inside the delivery delay, until ``until`` (microseconds)."""
    return Verdict(state=State.OPEN, text=text, until=until, leaves=_lowest(leaves), count=len(leaves))


def not_applicable(text: str) -> Verdict:
    """The question does not apply, and why."""
    return Verdict(state=State.NOT_APPLICABLE, text=text)


class Borne(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody bears a finding: ``owner`` answers for it, ``until`` is RFC 3339.

    ``over`` says that this has ended by the time of judgement.
    """

    owner: str
    reason: str
    until: str
    over: bool = False


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that asks for action. ``id`` is made of the rule and the subject's identities alone.

    ``subject`` is the key, record identity or source that it is about, ``credential`` the credential's id where there
    is one; ``who`` names who is affected, ``text`` what was found, ``why`` why it matters, ``action`` what to do.
    ``excepted`` is the exception of its class that lowered its severity by a step, ``suppressed`` the suppression that
    names it: in force where it stands in ``Report.suppressed``, run out where it stands among the findings.
    """

    id: str
    rule: str
    severity: Severity
    title: str
    subject: str
    credential: str | None
    who: str
    text: str
    why: str
    action: str
    question: str | None
    state: State
    basis: Basis | None
    controls: tuple[str, ...]
    count: int
    leaves: tuple[int, ...]
    excepted: Borne | None = None
    suppressed: Borne | None = None


def _lowest(leaves: tuple[int, ...]) -> tuple[int, ...]:
    return leaves if len(leaves) < 2 else tuple(sorted(set(leaves))[:MAX_EXEMPLARS])


def _count(leaves: tuple[int, ...], count: int | None) -> int:
    return len(set(leaves)) if count is None else count
