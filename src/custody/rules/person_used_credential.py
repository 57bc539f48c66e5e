"""Did a person act as a machine?

Seen where a person signs in to a console as a machine's identity, where a session of it is the console's, and where a
person's own credential asked for one of it, by an exact link. What makes an identity a machine's is the contract
(``population: machine``). The register holds no others, but is a claim of how things are: that a person used what it
names is worth a look, and less so where only a short name says so, which a role of another account may have too. An
identity that neither speaks of, and that both machines and people get credentials of, is worth a look too. What a
client says of itself (its agent) is not looked at.
"""

import msgspec

from custody.chains.populations import fields_of
from custody.model.contracts import Contract
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules.packed import named, packed, unpacked
from custody.rules.rule import Rule

LOGIN, CONSOLE, ASKED = "login", "console", "asked"

FACTS = f"""
    WITH acted AS (
        SELECT p.key AS principal, '{LOGIN}' AS how, p.key AS person, p.leaf FROM parts p
        WHERE p.effect = 'console.login' AND p.outcome = 'success' AND p.key IS NOT NULL AND NOT p.in_conflict
        UNION ALL
        SELECT u.principal, '{CONSOLE}', u.session, u.first_leaf FROM uses u
        WHERE u.console AND u.successes > 0 AND u.principal IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM disputed_uses d WHERE d.key = u.key)
        UNION ALL
        SELECT i.subject, '{ASKED}', coalesce(c.subject, c.key), i.leaf
        FROM issues i
        JOIN parents r ON r.key = i.key AND NOT r.disputed
        JOIN own_population o ON o.key = r.parent AND o.population = 'person'
        JOIN credentials c ON c.key = r.parent AND NOT c.chain_disputed
        WHERE i.subject IS NOT NULL AND NOT i.disputed AND i.subject <> coalesce(c.subject, c.key)
          AND c.subject NOT LIKE 'aws!_arn:%:root' ESCAPE '!'
    ), spelt AS (
        SELECT DISTINCT principal, principal AS name FROM acted
        UNION
        SELECT DISTINCT principal, {named("principal")} FROM acted
        UNION
        SELECT DISTINCT principal, concat('aws:', regexp_extract(principal, ':((role|user)/.*)$', 1)) FROM acted
        UNION
        SELECT DISTINCT principal, concat('aws:', regexp_extract(principal, '^aws_arn:([0-9]+):', 1), ':',
                                          regexp_extract(principal, ':((role|user)/.*)$', 1)) FROM acted
    ), declared AS (
        SELECT s.principal, min(n.identity) AS identity, bool_or(s.name = s.principal) AS whole
        FROM spelt s JOIN identity_names n ON n.name = s.name AND n.how = 'declared'
        GROUP BY s.principal
    ), machines AS (
        SELECT c.subject AS principal, count(*) AS credentials, min(c.issue_leaf) AS leaf
        FROM credentials c
        WHERE c.population = 'machine' AND c.bound_by = 'issuer' AND c.workload IS NOT NULL
          AND c.workload <> c.subject AND NOT c.issue_disputed AND c.subject IN (SELECT principal FROM acted)
        GROUP BY c.subject
    )
    SELECT a.principal AS subject, {named("a.principal")} AS who, CAST(NULL AS VARCHAR) AS key,
           array_sort(array_agg({packed("a.leaf", "a.how", named("a.person"))})) AS acts,
           min(d.identity) AS identity, bool_or(d.whole) AS whole, min(m.credentials) AS machines,
           min(m.leaf) AS machine_leaf
    FROM acted a
    LEFT JOIN declared d ON d.principal = a.principal
    LEFT JOIN machines m ON m.principal = a.principal
    GROUP BY a.principal
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: how people acted as one principal."""

    subject: str
    who: str
    key: str | None
    acts: list[str]
    identity: str | None
    whole: bool | None
    machines: int | None
    machine_leaf: int | None


def judge(row: Row, contract: Contract) -> Verdict | None:
    """Violated where the contract calls it a machine's; indicated where the register does, or machines share it."""
    acts = [_read(text) for text in row.acts]
    leaves = [leaf for leaf, _, _ in acts]
    one = contract.class_of(fields_of(row.subject, ""))
    if one is not None and one.population is not None and one.population != "machine":
        return None
    if one is not None and one.population == "machine":
        return violated(f"{_told(acts)}; its class is of machines", Basis.OBSERVED, *leaves)
    if row.identity is not None:
        severity = Severity.MEDIUM if row.whole else Severity.LOW
        return indicated(f"{_told(acts)}; the register has it as {row.identity}", severity, *leaves)
    asked = [each for each in acts if each[1] == ASKED]
    if not asked or row.machines is None or row.machine_leaf is None:
        return None
    number = "1 credential" if row.machines == 1 else f"{row.machines} credentials"
    told = f"{_told(asked)}, and machines hold {number} of it; nothing says whose it is"
    return indicated(told, Severity.LOW, row.machine_leaf, *(leaf for leaf, _, _ in asked))


def _read(text: str) -> tuple[int, str, str]:
    leaf, how, person = unpacked(text, 3)
    return int(leaf), how, person


def _told(acts: list[tuple[int, str, str]]) -> str:
    """The strongest of what was seen, with how often."""
    logins = [each for each in acts if each[1] == LOGIN]
    if logins:
        return f"a person signed in to the console with it, {_times(len(logins))}"
    asked = [each for each in acts if each[1] == ASKED]
    if asked:
        people = sorted({person for _, _, person in asked})
        more = f" and {len(people) - 2} more" if len(people) > 2 else ""
        return f"sessions of it were given to {', '.join(people[:2])}{more}, {_times(len(asked))}"
    return f"sessions of a console work with it, {_times(len(acts))}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


RULE = Rule(
    id="person-used-credential",
    title="a person acted as a machine",
    question=None,
    severity=Severity.MEDIUM,
    why="What a person does under a machine's name is nobody's in the log, and no check for people applies to it.",
    action="Ask who it was and why; give people a way of their own, and trust machines only to the identity.",
    fix="",
    controls=("NHI10:2025", "ASI03", "PR.AA-05", "AC-6(9)", "CC6.1", "PCI 8.6.1"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
