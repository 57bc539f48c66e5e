"""Is the credential's lifetime within the contract, or the service's own maximum?"""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import duration
from custody.model.verdicts import (
    Basis,
    Best,
    Question,
    Severity,
    Verdict,
    not_applicable,
    proved,
    unproven,
    violated,
)
from custody.rules.rule import MACHINES_AND_UNKNOWN, Rule
from custody.rules.settling import Settles, issuer_log

HOUR = 3_600_000_000
TOLERANCE = 1_000_000
SERVICE_MAXIMUM = {
    "AssumeRole": 12 * HOUR,
    "AssumeRoleWithSAML": 12 * HOUR,
    "AssumeRoleWithWebIdentity": 12 * HOUR,
    "GetSessionToken": 36 * HOUR,
    "GetFederationToken": 36 * HOUR,
    "AssumeRoot": HOUR // 4,
    "CreateSession": 12 * HOUR,
    "GetRoleCredentials": 12 * HOUR,
}
"""The longest life that AWS gives, by issuing call (µs)."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    issue_leaf: int | None
    issued_at: int | None
    not_after: int | None
    method: str | None
    identity_class: str | None
    end_time: int | None
    end_leaf: int | None
    end_until: int | None
    issue_disputed: bool
    key: str


def judge(row: Row, contract: Contract) -> Verdict:
    """Compare the life that the issuer gave with the contract's ttl, else with the service's maximum."""
    if row.issue_leaf is None or row.issued_at is None:
        return unproven("no issuance is recorded", settles=issuer_log(row.key))
    if row.issue_disputed:
        return unproven("the issuing record is in conflict", Best.NOTHING, row.issue_leaf)
    allowed = next((each.ttl for each in contract.classes if each.name == row.identity_class), None)
    if row.not_after is None:
        return _endless(row, allowed)
    limit = allowed if allowed is not None else SERVICE_MAXIMUM.get(row.method or "")
    whose = "the contract allows" if allowed is not None else "no contract, the service allows"
    if limit is None:
        return unproven(
            f"{duration(row.not_after - row.issued_at)}; nothing sets a limit",
            Best.NOTHING,
            row.issue_leaf,
            settles=Settles.CONTRACT_TTL,
        )
    life = row.not_after - row.issued_at
    text = f"{duration(life)}; {whose} {duration(limit)}"
    if life > limit + TOLERANCE:
        return violated(text, Basis.OBSERVED, row.issue_leaf)
    return proved(text, Basis.OBSERVED, row.issue_leaf)


def _endless(row: Row, allowed: int | None) -> Verdict:
    cited = () if row.issue_leaf is None else (row.issue_leaf,)
    if row.method != "CreateAccessKey":
        return unproven("the issuing record gives no expiry", Best.NOTHING, *cited, settles=Settles.EXPIRY)
    if allowed is not None and row.end_time is not None and row.end_leaf is not None and row.end_until is None:
        return _ended(row.end_time - (row.issued_at or 0), allowed, *cited, row.end_leaf)
    if allowed is not None:
        return violated(f"never expires; the contract allows {duration(allowed)}", Basis.OBSERVED, *cited)
    return not_applicable("long-lived by kind, and no contract sets a limit")


def _ended(life: int, allowed: int, *cited: int) -> Verdict:
    """A key without an expiry lived until it was ended."""
    text = f"ended after {duration(life)}; the contract allows {duration(allowed)}"
    if life > allowed + TOLERANCE:
        return violated(text, Basis.OBSERVED, *cited)
    return proved(text, Basis.ISSUER_ENFORCED, *cited)


RULE = Rule(
    id="lifetime",
    title="lifetime beyond the contract",
    question=Question.LIFETIME,
    severity=Severity.MEDIUM,
    why="A credential that lives longer than agreed is standing access under another name.",
    action="Shorten the session duration where the credential is issued.",
    fix="a contract with a ttl for its class",
    controls=("NHI7:2025", "IA-5", "PR.AA-01", "PCI 8.6.3"),
    row=Row,
    judge=judge,
    excusable=True,
    populations=MACHINES_AND_UNKNOWN,
)
