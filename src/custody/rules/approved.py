"""Was the credential approved, where the contract or a policy asks for it: in time, by another, by enough people?

What a broker issued had to be approved before its issue, for exactly the request that was decided. Approvals that its
own policies asked for are asked for without a contract too: none sealed before the issue is a violation.

An approval proves only what reaches the credential by exact links that issuers assert. One that reaches it through a
session name or a ticket's key is a claim, though what such a claim shows to be wrong is worth acting on.
"""

from collections.abc import Iterable

import msgspec

from custody.chains.brokered import SOURCE as BROKER
from custody.model.contracts import Approval, Contract
from custody.model.times import duration, text
from custody.model.verdicts import (
    Basis,
    Best,
    Question,
    Severity,
    State,
    Verdict,
    indicated,
    not_applicable,
    proved,
    unproven,
    violated,
)
from custody.rules.approved_demand import DEMANDS, Demand, unasked, unsealed
from custody.rules.approving import DENY, GRANT, WITHDRAW, Given, People, given_of, members_of
from custody.rules.packed import framed, named
from custody.rules.rule import Rule
from custody.rules.settling import Settles

APPROVED_FOR = "nullif(regexp_extract(a.related, '^github_environment:.*/([^/]+)$', 1), '')"
USED_FOR = "nullif(regexp_extract(i.workload, ':environment:([^:]+)', 1), '')"
"""What an approval was given for: an environment, or (a broker's) the one request that has this digest."""

FACTS = f"""
    WITH facts AS (
        SELECT a.key, a.approver, a.requester, a.executor, a.effect, a.time, a.until, a.leaf, a.via, a.target,
               a.grade = 'exact' AND a.asserter = 'issuer'
                   AND (b.key IS NULL OR b.digest IS NOT NULL OR a.source <> '{BROKER}') AS strong,
               coalesce(s.skew, 0) AS skew,
               CASE WHEN b.key IS NULL THEN coalesce(u.first_use, i.issued_at) ELSE i.issued_at END AS needed,
               CASE WHEN b.digest IS NULL THEN {APPROVED_FOR} WHEN a.source = '{BROKER}' THEN coalesce(a.object, '-')
                    WHEN {APPROVED_FOR} = {USED_FOR} THEN b.digest ELSE {APPROVED_FOR} END AS approved_for,
               coalesce(b.digest, {USED_FOR}) AS used_for
        FROM approvals a
        LEFT JOIN brokered b ON b.key = a.key
        LEFT JOIN uses u ON u.key = a.key
        LEFT JOIN issues i ON i.key = a.key
        LEFT JOIN skews s ON s.source = a.source AND s.other = coalesce(u.source, i.source)
    ), people AS (
        SELECT key, approver AS name FROM facts WHERE approver IS NOT NULL
        UNION
        SELECT key, requester FROM facts WHERE requester IS NOT NULL
        UNION
        SELECT key, executor FROM facts WHERE executor IS NOT NULL
    ), {DEMANDS}, known AS (
        SELECT p.key, p.name, TRUE AS exact, m.ended, m.leaf, m.party, m.signer
        FROM people p JOIN parties m ON m.member = p.name
        UNION
        SELECT p.key, p.name, FALSE, m.ended, m.leaf, m.party, m.signer
        FROM people p JOIN parties m ON m.member = {named("p.name")}
    ), told_of AS (
        SELECT key, array_sort(array_agg(DISTINCT {
    framed("leaf", "exact", "ended", "name", "party", "signer")
})) AS members
        FROM known
        GROUP BY key
    ), decided_on AS (
    SELECT f.key, min(f.needed) AS needed, max(f.skew) AS skew, min(f.used_for) AS used_for, min(f.via) AS via,
           array_sort(array_agg(DISTINCT {
    framed(
        "f.leaf",
        "f.strong",
        "f.effect",
        "f.time",
        "f.target",
        "f.until",
        "f.approver",
        "f.requester",
        "f.executor",
        "f.approved_for",
    )
})) AS given,
           min(t.members) AS members, array_sort(array_agg(DISTINCT f.leaf)) AS leaves
    FROM facts f
    LEFT JOIN told_of t ON t.key = f.key
    GROUP BY f.key
    ), every_key AS (
        SELECT key FROM decided_on
        UNION
        SELECT key FROM demanded
    )
    SELECT e.key, f.needed, f.skew, f.used_for, f.via, f.given, f.members, f.leaves, d.demand, d.demand_key,
           d.demand_leaf, d.decided_leaf, d.key IS NOT NULL AS brokered, d.named, d.broken, d.same, d.whole
    FROM every_key e
    LEFT JOIN decided_on f ON f.key = e.key
    LEFT JOIN demanded d ON d.key = e.key
"""


DIGEST = 64
WORST = (State.VIOLATED, State.UNPROVEN, State.PROVED)
"""Of two demands the one that is met least."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: the decisions that reach a credential and the people in them (framed)."""

    identity_class: str | None
    issue_leaf: int | None
    run: str | None
    issue_disputed: bool
    needed: int | None
    skew: int | None
    used_for: str | None
    via: str | None
    given: list[str] | None
    members: list[str] | None
    leaves: list[int] | None
    demand: str | None
    demand_key: str | None
    demand_leaf: int | None
    decided_leaf: int | None
    brokered: bool | None
    named: bool | None
    broken: bool | None
    same: bool | None
    whole: bool | None

    def demanded(self) -> Demand:
        """What the policies of the broker asked for."""
        return Demand(
            demand=self.demand,
            key=self.demand_key,
            leaf=self.demand_leaf,
            decided_leaf=self.decided_leaf,
            issue_leaf=self.issue_leaf,
            named=bool(self.named),
            broken=bool(self.broken),
            same=bool(self.same),
            whole=bool(self.whole),
        )


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions of a credential, sorted by what is wrong with them; ``good`` are the grants that count."""

    given: tuple[Given, ...]
    good: tuple[Given, ...]
    own: tuple[Given, ...]
    renamed: tuple[Given, ...]
    late: tuple[Given, ...]
    old: tuple[Given, ...]
    elsewhere: tuple[Given, ...]


def judge(row: Row, contract: Contract) -> Verdict:
    """Not applicable where neither contract nor policy asks; else what the approvals that reach it show: the worst."""
    asked = next((each.approval for each in contract.classes if each.name == row.identity_class), None)
    known = row.demanded() if row.brokered else None
    wanted = None if known is None else known.approval
    if asked is None and wanted is None:
        return not_applicable("no contract asks for approval") if known is None else unasked(known)
    if row.issue_disputed:
        return unproven("the issuing record is in conflict", Best.NOTHING)
    given = () if row.given is None else given_of(row.given)
    verdicts = [] if asked is None else [_judged(row, asked, given) if given else _nothing(asked, row)]
    if known is not None and wanted is not None:
        own = tuple(each for each in given if each.target == known.key and each.environment is not None)
        verdicts.append(_judged(row, wanted, own, *known.leaves()) if own else unsealed(known))
    return min(verdicts, key=lambda each: WORST.index(each.state))


def _judged(row: Row, asked: Approval, given: tuple[Given, ...], *more: int) -> Verdict:
    """What the decisions that were read show of one demand."""
    people = People(members_of(row.members))
    found = _sorted(given, row, asked, people)
    leaves = (*(row.leaves or ()), *more, *(() if row.issue_leaf is None else (row.issue_leaf,)))
    before = "before issue" if _brokered(row) else "before use"
    if len(_approvers(found.good)) < asked.count:
        return _wrong(row, asked, found, leaves)
    strong = tuple(each for each in found.good if each.strong)
    apart = tuple(each for each in strong if _is_apart(each, asked))
    who = _short(min(_approvers(found.good)))
    if people.least(_approvers(strong)) < asked.count:
        return _doubtful(row, asked, found, people, leaves)
    if asked.not_ and people.least(_approvers(apart)) < asked.count:
        return unproven(f"approved {before} by {who}, {_unknown(strong, asked)}", Best.INDICATED, *leaves)
    counted = apart if asked.not_ else strong
    shown = {each: people.entitlement(each, asked.by, row.needed) for each in counted}
    entitled = [each for each, shows in shown.items() if shows is not None]
    if people.least(_approvers(entitled)) < asked.count:
        told = f"approved {before} by {who}; whether that is {asked.by} is not known"
        return unproven(told, Best.INDICATED, *leaves)
    if people.surely(_approvers(entitled)) < asked.count:
        told = f"approved {before} by {who} and others, whose names are of several systems: they may be fewer people"
        return unproven(told, Best.INDICATED, *leaves)
    number = len(_approvers(counted))
    by = _short(min(_approvers(entitled)))
    groups = (leaf for shows in shown.values() for leaf in shows or ())
    return proved(f"{number} approval(s) {before}, by {by}", Basis.OBSERVED, *leaves, *groups)


def _sorted(given: tuple[Given, ...], row: Row, asked: Approval, people: People) -> Found:
    """Which grants count. One by a person who asked counts for nothing, whatever the contract excludes."""
    grants = tuple(each for each in given if each.effect == GRANT)
    own = tuple(each for each in grants if each.approver is not None and each.approver in _barred(each, asked))
    renamed = tuple(
        each for each in grants if each not in own
        and any(people.perhaps_one(each.approver, name) for name in _barred(each, asked))
    )  # fmt: skip
    late = tuple(each for each in grants if row.needed is not None and each.time > row.needed)
    old = tuple(each for each in grants if each not in late and _is_old(each, row, asked))
    elsewhere = tuple(
        each for each in grants if each.environment and row.used_for and each.environment != row.used_for
    )  # fmt: skip
    bad = (*own, *renamed, *late, *old, *elsewhere)
    good = tuple(each for each in grants if each.approver and each not in bad and _holds(each, given, row.needed))
    return Found(given=given, good=good, own=own, renamed=renamed, late=late, old=old, elsewhere=elsewhere)


def _barred(each: Given, asked: Approval) -> tuple[str | None, ...]:
    return (each.requester, *((each.executor,) if "executor" in asked.not_ else ()))


def _is_old(each: Given, row: Row, asked: Approval) -> bool:
    return asked.within is not None and row.needed is not None and row.needed - each.time > asked.within


def _holds(each: Given, given: tuple[Given, ...], needed: int | None) -> bool:
    """Whether a grant was in force when it was needed: not over, and not taken back before."""
    if each.until is not None and needed is not None and each.until < needed:
        return False
    return not any(
        other.effect == WITHDRAW and other.target == each.target and other.time >= each.time
        and (needed is None or other.time <= needed)
        for other in given
    )  # fmt: skip


def _approvers(given: Iterable[Given]) -> set[str]:
    return {each.approver for each in given if each.approver is not None}


def _is_apart(each: Given, asked: Approval) -> bool:
    """Whether all from whom the approver must differ are known: that they differ is then known too."""
    known = {"requester": each.requester, "executor": each.executor}
    return all(known.get(role) is not None for role in asked.not_)


def _unknown(strong: tuple[Given, ...], asked: Approval) -> str:
    for role, names in (
        ("requester", [each.requester for each in strong]),
        ("executor", [each.executor for each in strong]),
    ):
        if role in asked.not_ and None in names:
            return f"the {role} is not known"
    return f"apart from {' and '.join(asked.not_)} only in part"


def _doubtful(row: Row, asked: Approval, found: Found, people: People, leaves: tuple[int, ...]) -> Verdict:
    """Enough names, but some stand for one person, or the client names what they approved."""
    who = _short(min(_approvers(found.good)))
    if people.least(_approvers(found.good)) < asked.count:
        told = (
            f"{len(_approvers(found.good))} names approved, and by the register or their spelling they are fewer people"
        )
        return indicated(told, Severity.MEDIUM, *leaves, settles=Settles.APPROVALS, title="too few approvals")
    before = "before issue" if _brokered(row) else "before use"
    return unproven(f"approved {before} by {who}, through {row.via}, which the client names", Best.INDICATED, *leaves)


def _wrong(row: Row, asked: Approval, found: Found, leaves: tuple[int, ...]) -> Verdict:
    """Approvals that do not suffice: a violation where issuers assert every link, else worth acting on."""
    what, title = _fault(row, asked, found)
    barely = (each for each in found.late if each.time <= (row.needed or 0) + (row.skew or 0))
    doubtful = (*found.renamed, *barely)
    sure = not doubtful or len(_approvers((*found.good, *doubtful))) < asked.count
    if sure and all(each.strong for each in found.given):
        return violated(what, Basis.OBSERVED, *leaves)
    via = "" if all(each.strong for each in found.given) else f" (through {row.via})"
    return indicated(f"{what}{via}", Severity.MEDIUM, *leaves, settles=Settles.RUN_BINDING, title=title)


def _fault(row: Row, asked: Approval, found: Found) -> tuple[str, str]:
    """What is wrong, and the title of that."""
    if found.own:
        own = min(found.own, key=lambda each: (each.time, each.approver or ""))
        role = "requester" if own.approver == own.requester else "executor"
        return f"approved by the {role}, {_short(own.approver)}", f"approved by the {role}"
    if found.renamed:
        name = _short(min(_approvers(found.renamed)))
        return f"approved by {name}, who is also the one that asked or used it", "approved by the same person"
    if found.late:
        at, what = min(each.time for each in found.late), "issue" if _brokered(row) else "use"
        first = "" if _brokered(row) else "first "
        return f"approved at {text(at)}, after the {first}{what} at {text(row.needed)}", f"approved after {what}"
    if found.old and row.needed is not None and asked.within is not None:
        age = duration(row.needed - max(each.time for each in found.old))
        return f"approved {age} before the first use; the contract allows {duration(asked.within)}", "approval too old"
    if found.elsewhere and _brokered(row):
        return "approved was another request than the one that was decided", "approved for another request"
    if found.elsewhere:
        places = ", ".join(sorted({each.environment or "" for each in found.elsewhere}))
        return f"approved for {places}, used for {row.used_for}", "approved for another environment"
    if any(each.effect == DENY for each in found.given):
        return "the approval was refused, and it was used", "used though refused"
    return f"{len(_approvers(found.good))} of {asked.count} approvals", "too few approvals"


def _brokered(row: Row) -> bool:
    """Whether it was issued by a broker: an approval is then for one request, by digest, and needed for the issue."""
    return len(row.used_for or "") == DIGEST


def _nothing(asked: Approval, row: Row) -> Verdict:
    text_ = f"the contract asks for {asked.count} approval(s) by {asked.by}; none was read that reaches this credential"
    if row.run is None:
        return unproven(text_, settles=Settles.BOUND_APPROVALS)
    return indicated(
        f"{text_} or its run {_short(row.run)}",
        Severity.MEDIUM,
        *(() if row.issue_leaf is None else (row.issue_leaf,)),
        settles=Settles.APPROVALS,
        title="no approval",
    )


def _short(key: str | None) -> str:
    return (key or "nobody known").split(":", 2)[-1]


RULE = Rule(
    id="approved",
    title="approved",
    question=Question.APPROVED,
    severity=Severity.HIGH,
    why="A credential that needed approval and had none was nobody's decision.",
    action="Ask who let it happen; make the approval a condition of the issue, by someone else than the requester.",
    fix="a source of approvals",
    controls=("NHI10:2025", "AC-2", "CC6.2", "ISO27001 A.5.18"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
