"""Does the chain of parents end at a person or an attested workload?"""

import msgspec

from custody.model.contracts import Contract
from custody.model.events import Asserter
from custody.model.verdicts import Basis, Best, Question, Severity, Verdict, proved, unproven
from custody.rules.rule import MACHINES_AND_UNKNOWN, Rule
from custody.rules.settling import Settles, issuer_log

FACTS = """
    SELECT c.key AS key, n.population AS root_population, coalesce(r.granularity, b.granularity) AS root_granularity,
           coalesce(r.workload, b.workload) AS root_workload, r.subject AS root_subject,
           coalesce(r.issue_leaf, b.leaf) AS root_leaf,
           CASE WHEN r.workload IS NULL AND b.workload IS NOT NULL THEN 'issuer' ELSE r.bound_by END AS root_bound_by,
           r.method AS root_method, r.first_use_leaf AS root_use_leaf
    FROM credentials c
    LEFT JOIN credentials r ON r.key = c.root
    LEFT JOIN own_population n ON n.key = r.key
    LEFT JOIN (
        SELECT o.parent, min(o.workload) AS workload, min(o.granularity) AS granularity, min(o.leaf) AS leaf
        FROM brokered o
        JOIN issues i ON i.key = o.key AND NOT i.disputed
        WHERE o.parent IS NOT NULL
        GROUP BY o.parent
        HAVING count(DISTINCT o.workload) = 1
    ) b ON b.parent = c.root AND r.issue_leaf IS NULL AND c.root <> c.key
"""
"""The population of the root is what its records say: that the contract declares one proves nothing. A root may be a
token whose issue no log shows, and which a broker verified: its log tells whose it is."""

ATTESTED = ("instance", "node", "pod", "process", "run")

IDENTITIES = {
    "oidc_subject": "web identity",
    "k8s_service_account": "service account",
    "spiffe": "SPIFFE identity",
}
"""Stable identities that an issuer verified by a token or document of theirs, though not to one run."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    issue_leaf: int | None
    depth: int | None
    issue_disputed: bool
    chain_disputed: bool
    root_population: str | None
    root_granularity: str | None
    root_workload: str | None
    root_subject: str | None
    root_leaf: int | None
    root_bound_by: str | None
    root_method: str | None
    root_use_leaf: int | None
    key: str


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Proved at an attested workload or a web identity that the issuer verified, or at a person's own key."""
    if row.issue_leaf is None or row.depth is None:
        return unproven("no issuance is recorded: the chain starts nowhere", settles=issuer_log(row.key))
    if row.issue_disputed or row.chain_disputed:
        return unproven("a record of the chain is in conflict", Best.NOTHING, row.issue_leaf)
    top = row.root_use_leaf if row.root_leaf is None else row.root_leaf
    cited = (row.issue_leaf,) if top is None else (row.issue_leaf, top)
    attested = row.root_bound_by == Asserter.ISSUER and row.root_workload is not None
    if attested and row.root_granularity in ATTESTED and row.root_workload:
        return proved(f"{row.root_granularity} {row.root_workload.split(':', 2)[-1]}", Basis.OBSERVED, *cited)
    kind = IDENTITIES.get((row.root_workload or "").partition(":")[0])
    if attested and kind is not None and row.root_workload:
        return proved(f"{kind} {row.root_workload.split(':', 2)[-1]}", Basis.OBSERVED, *cited)
    if row.root_population == "person" and row.root_subject:
        return proved(f"the person {row.root_subject.split('/')[-1]}, by a key of theirs", Basis.OBSERVED, *cited)
    return unproven(
        f"ends at {(row.root_subject or 'an unknown key').split(':', 2)[-1]}, which nothing attests",
        Best.CLAIMED,
        *cited,
        settles=Settles.ORCHESTRATOR,
    )


RULE = Rule(
    id="root-reached",
    title="root reached",
    question=Question.ROOT,
    severity=Severity.MEDIUM,
    why="A chain that ends at a bare key ends nowhere: nobody answers for what was done.",
    action="Give the workload an attested identity, or collect the log that issued the first key.",
    fix="the log of the orchestrator or issuer above the root",
    controls=("ASI03", "AU-10(3)", "PR.AA-02"),
    row=Row,
    judge=judge,
    facts=FACTS,
    populations=MACHINES_AND_UNKNOWN,
)
