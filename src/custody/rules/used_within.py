"""Was the credential used only while it was good, and only on what is declared of it?

Never proved: that nothing was done which no log records is known of no service (many record some of their calls only).
Where dependencies are declared, a success outside of them violates what the class asks. The finding for that is one for
the whole principal, by the rule ``dependency-not-declared``.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.effects import said
from custody.model.verdicts import Basis, Best, Question, Severity, Verdict, indicated, unproven, violated
from custody.rules import targets
from custody.rules.rule import ISSUED_HERE, Rule
from custody.rules.settling import Settles
from custody.rules.shared_names import SAME_NAME, of_many_servers

UNDECLARED = "used on what is not declared"

FACTS = f"""
    WITH chosen AS ({targets.CHOSEN}), used AS ({targets.USED_ON}), numbered AS (
        SELECT u.key, u.leaf, u.calls, u.service, u.resource, u.led_to,
               row_number() OVER (PARTITION BY u.key ORDER BY u.leaf, u.service, u.resource) AS position
        FROM used u
    ), listed AS (
        SELECT h.key, array_sort(array_agg(DISTINCT d.value)) AS patterns
        FROM chosen h
        JOIN claims d ON d.identity = h.identity AND d.field = 'dependency' AND d.state = 'held'
        GROUP BY h.key
    )
    SELECT u.key, array_sort(array_agg({targets.TARGET}) FILTER (WHERE u.position <= {targets.MOST})) AS used_on,
           count(*) AS used_on_total, min(l.patterns) AS listed_dependencies
    FROM numbered u
    LEFT JOIN listed l ON l.key = u.key
    GROUP BY u.key
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    issue_leaf: int | None
    uses: int
    end_effect: str | None
    end_leaf: int | None
    end_time: int | None
    late_uses: int
    late_first: int | None
    late_leaves: list[int] | None
    late_disputed: int
    end_disputed: bool
    issue_disputed: bool
    use_disputed: bool
    run_ended: int | None
    run_end_leaf: int | None
    run_late_uses: int
    run_late_leaves: list[int] | None
    key: str
    identity_class: str | None
    used_on: list[str] | None
    used_on_total: int | None
    listed_dependencies: list[str] | None


def judge(row: Row, contract: Contract) -> Verdict:
    """Violated by a success after the end, or on what its class does not declare; never proved."""
    if row.late_uses and row.late_first is not None:
        cited = [*(row.late_leaves or []), *(leaf for leaf in (row.end_leaf,) if leaf is not None)]
        ended = row.end_time is not None and row.late_first > row.end_time
        text = f"{_calls(row.late_uses)} after {said(row.end_effect) if ended else 'expiry'}"
        if of_many_servers(row.key, row.end_effect if ended else None):
            return indicated(f"{text}; {SAME_NAME}", Severity.MEDIUM, *cited)
        return violated(text, Basis.OBSERVED, *cited, count=row.late_uses + (row.end_leaf is not None))
    if row.run_late_uses and row.run_end_leaf is not None:
        return indicated(
            f"{_calls(row.run_late_uses)} after the run that it was issued to had ended",
            Severity.MEDIUM,
            row.run_end_leaf,
            *(row.run_late_leaves or []),
            settles=Settles.SCOPE,
            title="used after its run ended",
        )
    if not row.uses:
        return unproven("no use was seen; that none happened is not known", settles=Settles.COMPLETE)
    if (doubt := _doubt(row)) is not None:
        return doubt
    return _on_what(row, contract)


def _on_what(row: Row, contract: Contract) -> Verdict:
    """What can be said of the uses of a credential that was used in time."""
    patterns = targets.declared(contract, row.identity_class)
    used = [targets.read(text) for text in row.used_on or ()]
    broken = targets.outside(used, patterns) if patterns else []
    if broken and not of_many_servers(row.key, None):
        calls = sum(each.calls for each in broken)
        text = f"{_calls(calls)} on what its class does not declare, {min(broken, key=_leaf).shown} first"
        leaves = [each.leaf for each in broken]
        return msgspec.structs.replace(violated(text, Basis.OBSERVED, *leaves, count=calls), title=UNDECLARED)
    strange = broken or (targets.outside(used, row.listed_dependencies) if row.listed_dependencies else [])
    if strange:
        text = f"used on what is not among its declared dependencies, {min(strange, key=_leaf).shown} first"
        return unproven(text, Best.INDICATED, *(each.leaf for each in strange))
    if not patterns and not row.listed_dependencies:
        text = "every use seen was while it was good; no dependencies are declared"
        return unproven(text, Best.INDICATED, settles=Settles.SCOPE)
    if (row.used_on_total or 0) > targets.MOST:
        return unproven(f"used on over {targets.MOST} things: the first are all declared", Best.INDICATED)
    text = "every use seen was while it was good and on what is declared; what no log records is not excluded"
    return unproven(text, Best.INDICATED, settles=Settles.COMPLETE)


def _leaf(target: targets.Target) -> int:
    return target.leaf


def _doubt(row: Row) -> Verdict | None:
    """What keeps a record in conflict from letting it be said that every use was in time."""
    if row.late_disputed:
        text = f"{_calls(row.late_disputed)} after its end or expiry, told by records in conflict alone"
        return unproven(text, Best.INDICATED)
    disputed = {
        "the issuing record": row.issue_disputed,
        "a record that would end it": row.end_disputed,
        "a record of a use": row.use_disputed,
    }
    what = next((name for name, found in disputed.items() if found), None)
    return None if what is None else unproven(f"{what} is in conflict")


def _calls(number: int) -> str:
    return "1 successful call" if number == 1 else f"{number} successful calls"


RULE = Rule(
    id="used-after-end",
    title="used after its end",
    question=Question.WITHIN,
    severity=Severity.HIGH,
    why="A credential that works after its end was never revoked, whatever the ticket says.",
    action="Find out why it still worked; revoke the sessions of the principal and look at what it did.",
    fix="declared scope and dependencies",
    controls=("NHI1:2025", "ASI10", "AC-12", "CC6.3"),
    row=Row,
    judge=judge,
    facts=FACTS,
    populations=ISSUED_HERE,
    told_by={UNDECLARED: "dependency-not-declared"},
)
