"""Approvals that the policies of a broker asked for themselves: what they asked, and what it means that none is there.

The demand is the sealed decision that people have to approve, the last one before the issue. It binds where those who
allowed the issue are the very policies that asked: under others, or at another time, none may have been needed.
That nobody approved is known only where no line of the broker's log is missing in between.
"""

import msgspec

from custody.chains.brokered import BROKER, SEQ, SOURCE
from custody.model.contracts import Approval
from custody.model.verdicts import Basis, Best, Severity, Verdict, indicated, not_applicable, unproven, violated
from custody.rules.settling import Settles

NAMED_APPROVALS = r"""'"approvals":\[([0-9,]+)\]'"""
"""The approvals that a decision names, in the tags of its line."""

DEMANDS = f"""
    demands AS (
        SELECT b.key, q.object AS demand, q.key AS demand_key, q.leaf AS demand_leaf, q.policy AS asking,
               {SEQ.format("q.event")} AS seq,
               row_number() OVER (PARTITION BY b.key ORDER BY {SEQ.format("q.event")} DESC, q.leaf) AS position
        FROM brokered b
        JOIN parts q
          ON q.source = '{SOURCE}' AND q.effect = 'approval.request' AND q.action = 'request'
         AND q.request_id = b.request AND {BROKER.format("q.event")} = b.broker AND NOT q.in_conflict
        WHERE {SEQ.format("q.event")} < b.seq
    ), demanded AS (
        SELECT b.key, d.demand, d.demand_key, d.demand_leaf, b.decided_leaf,
               max(coalesce(regexp_extract(l.tags, {NAMED_APPROVALS}, 1), '')) <> '' AS named,
               coalesce(bool_or(l.tags LIKE '%"break_glass":true%'), FALSE) AS broken,
               coalesce(bool_and(l.policy = d.asking), FALSE) AS same,
               max(s.broker) IS NOT NULL AS whole
        FROM brokered b
        LEFT JOIN demands d ON d.key = b.key AND d.position = 1
        LEFT JOIN parts l ON l.leaf = b.decided_leaf AND l.effect = 'decision.allow'
        LEFT JOIN broker_stretches s ON s.broker = b.broker AND s.first <= d.seq AND s.last >= b.seq
        GROUP BY b.key, d.demand, d.demand_key, d.demand_leaf, b.decided_leaf
    )
"""
"""``demanded``: key, demand (``2 leads``), demand_key (of the request that people decide on), demand_leaf,
decided_leaf, named (the decision names approvals), broken (asked for under break-glass), same (the policies that asked
are those that allowed it), whole (no line of the broker's log is missing between the demand and the issue)."""


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one brokered credential: see ``DEMANDS``."""

    demand: str | None
    key: str | None
    leaf: int | None
    decided_leaf: int | None
    issue_leaf: int | None
    named: bool
    broken: bool
    same: bool
    whole: bool

    @property
    def approval(self) -> Approval | None:
        """The demand as a contract would state it; None where nothing was asked for, or how much is not known.

        Who belongs to the group the broker checked itself before it counted an approval: anyone whom it counts does.
        """
        count = (self.demand or "").partition(" ")[0]
        return Approval(by="*", count=int(count), not_=("requester",)) if count.isdecimal() and int(count) else None

    @property
    def words(self) -> str:
        """``1 approval(s) by leads``."""
        count, _, group = (self.demand or "").partition(" ")
        return f"{count} approval(s) by {group or 'somebody'}"

    def leaves(self) -> tuple[int, ...]:
        """What was asked for, decided and issued."""
        return tuple(leaf for leaf in (self.leaf, self.decided_leaf, self.issue_leaf) if leaf is not None)


def unasked(known: Demand) -> Verdict:
    """Where no demand was read: none was made, or the lines that would tell of it are missing."""
    if known.leaf is not None:
        told = "a policy of the broker asked for approvals; of whom and how many its line does not say"
        return unproven(told, Best.NOTHING, *known.leaves())
    if known.named:
        told = "the decision names approvals; the line in which a policy asked for them was not read"
        return unproven(told, Best.INDICATED, *known.leaves(), settles=Settles.BROKER)
    if known.decided_leaf is None:
        told = "the line that decided it was not read: whether a policy asked for approval is not known"
        return unproven(told, Best.NOTHING, *known.leaves(), settles=Settles.BROKER)
    if known.broken:
        told = "issued under break-glass, before anybody approved it"
        return unproven(told, Best.INDICATED, *known.leaves())
    return not_applicable("neither a contract nor a policy of the broker asked for approval")


def unsealed(known: Demand) -> Verdict:
    """Where approvals were asked for and none was read that decides on this request."""
    asked = f"a policy of the broker asked for {known.words}"
    if known.named:
        told = f"{asked}; the decision names approvals that the broker's log does not hold"
        return indicated(told, Severity.MEDIUM, *known.leaves(), settles=Settles.BROKER, title="approvals not sealed")
    if not known.same:
        told = f"{asked}; it was allowed without, by other policies or by none that is known"
        return unproven(told, Best.INDICATED, *known.leaves())
    if not known.whole:
        told = f"{asked}; none was read, and lines of the broker's log are missing in between"
        return unproven(told, Best.INDICATED, *known.leaves(), settles=Settles.BROKER)
    return violated(f"{asked}; it was issued, and none was sealed before", Basis.CLOSED_WORLD, *known.leaves())
