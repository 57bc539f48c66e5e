"""Do more workloads share one identity than its class allows?

A workload is what stays when its runs come and go: a repository, a service account, what an orchestrator runs. The
instances of a group, or the pods of one service account, are one workload. Only what the issuer bound a credential to
counts. Names that the register gives to one identity are one workload.

Where the class says nothing of ``workloads``, one that names workloads by a pattern has said whom it is for; a role
that a class describes, bound to several, is worth a look; without any class only workloads of different owners
(GitHub organisations, namespaces) are.
"""

import msgspec

from custody.model import github_subjects
from custody.model.contracts import Contract, IdentityClass
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules.packed import PRINCIPAL, named, packed, unpacked
from custody.rules.rule import Rule

FACTS = f"""
    WITH bound AS (
        SELECT {PRINCIPAL} AS principal, c.contract_version, coalesce(c.identity_class, '') AS class, c.issue_leaf,
               CASE WHEN c.workload LIKE 'oidc_subject:%' OR c.workload LIKE 'k8s!_service!_account:%' ESCAPE '!'
                         OR c.workload LIKE 'spiffe:%' THEN c.workload
                    WHEN b.run LIKE 'github!_%' ESCAPE '!' OR b.run LIKE 'ci!_run:%' ESCAPE '!' THEN b.of_workload
                    WHEN c.workload LIKE 'aws!_pod:%' ESCAPE '!' THEN nullif(concat('k8s_service_account:eks:',
                         regexp_extract(c.tags, '"kubernetes-namespace":"([^"]+)"', 1), '/',
                         regexp_extract(c.tags, '"kubernetes-service-account":"([^"]+)"', 1)),
                         'k8s_service_account:eks:/')
               END AS workload
        FROM credentials c
        LEFT JOIN best_runs b ON b.key = c.key AND b.grade = 'exact' AND b.asserter = 'issuer'
        WHERE c.population = 'machine' AND c.bound_by = 'issuer' AND c.issue_leaf IS NOT NULL
          AND NOT c.issue_disputed AND NOT c.chain_disputed
    ), known AS (
        SELECT b.principal, b.contract_version, b.class, coalesce(n.identity, b.workload) AS workload,
               min(b.issue_leaf) AS leaf, count(*) AS credentials
        FROM bound b
        LEFT JOIN (SELECT name, min(identity) AS identity FROM identity_names WHERE how = 'declared' GROUP BY name) n
          ON n.name = b.workload
        WHERE b.workload IS NOT NULL AND b.workload <> b.principal
        GROUP BY b.principal, b.contract_version, b.class, coalesce(n.identity, b.workload)
    )
    SELECT k.principal AS subject, {named("k.principal")} AS who, CAST(NULL AS VARCHAR) AS key, k.contract_version,
           array_sort(array_agg({packed("k.leaf", "k.credentials", "k.class", "k.workload")})) AS bound
    FROM known k
    GROUP BY k.principal, k.contract_version
    HAVING count(*) > 1
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: what one principal's credentials were bound to."""

    subject: str
    who: str
    key: str | None
    contract_version: int
    bound: list[str]


class Bound(msgspec.Struct, frozen=True):
    """One workload that an issuer named: the first issue, how many credentials, under which class."""

    leaf: int
    credentials: int
    name: str
    workload: str


def judge(row: Row, contract: Contract) -> Verdict | None:
    """Violated by more than the class allows; where it does not say, indicated as the module tells."""
    bound = [_read(text) for text in row.bound]
    classes = {each.name: each for each in contract.classes}
    for name in sorted({each.name for each in bound}):
        one = classes.get(name)
        shared = _stable([each for each in bound if each.name == name])
        if one is not None and one.workloads is not None and len(shared) > one.workloads:
            told = f"{_told(shared)}; its class allows {one.workloads}"
            return violated(told, Basis.OBSERVED, *shared.values(), count=_credentials(bound, name))
    quiet = [each for each in bound if not _speaks(classes.get(each.name))]
    shared = _stable(quiet)
    owners = {_owner(each) for each in shared}
    described = any(each.name in classes for each in quiet)
    if len(shared) < 2 or (len(owners) < 2 and not described):
        return None
    return indicated(f"{_told(shared)}; no class says that they may share it", Severity.LOW, *shared.values())


def _speaks(one: IdentityClass | None) -> bool:
    """Whether a class has said which workloads, or how many, may use its identities."""
    return one is not None and (one.workloads is not None or any(field == "workload" for field, _ in one.match))


def _read(text: str) -> Bound:
    leaf, credentials, name, workload = unpacked(text, 4)
    return Bound(int(leaf), int(credentials), name, workload)


def _stable(bound: list[Bound]) -> dict[str, int]:
    """Each stable workload with the first record that binds to it."""
    found: dict[str, int] = {}
    for each in bound:
        name = _workload(each.workload)
        if name is not None:
            found[name] = min(each.leaf, found.get(name, each.leaf))
    return found


def _workload(key: str) -> str | None:
    """What people call the workload in a key: one name, whoever issued; None where its form says nothing stable.

    Names of two issuers or clusters that are alike count as one: too few is no overclaim. A subject of another form
    may have a branch, a phase or a run in it.
    """
    kind, _, rest = key.partition(":")
    value = rest.partition(":")[2]
    match kind:
        case "oidc_subject":
            return _of_subject(value)
        case "github_workflow":
            return f"repository {'/'.join(value.split('/')[:2])}"
        case "k8s_service_account":
            return f"service account {value}"
    return value or key


def _of_subject(subject: str) -> str | None:
    if subject.startswith("system:serviceaccount:"):
        return f"service account {subject.removeprefix('system:serviceaccount:').replace(':', '/', 1)}"
    if subject.startswith("project_path:"):
        return f"project {subject.split(':')[1]}"
    repository = github_subjects.parse(subject).repository
    return None if repository is None else f"repository {repository}"


def _owner(workload: str) -> str:
    """Whose it is: all but its last name."""
    return workload.rpartition("/")[0]


def _told(shared: dict[str, int]) -> str:
    names = sorted(shared)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{len(names)} workloads got credentials of it: {', '.join(names[:3])}{more}"


def _credentials(bound: list[Bound], name: str) -> int:
    return sum(each.credentials for each in bound if each.name == name)


RULE = Rule(
    id="several-workloads",
    title="one identity for several workloads",
    question=None,
    severity=Severity.MEDIUM,
    why="What several share cannot be narrowed, rotated or ended for one of them.",
    action="Give each workload an identity of its own, or say in the contract how many may share this one.",
    fix="",
    controls=("NHI9:2025", "ASI03", "PR.AA-02", "IA-9", "CC6.1", "PCI 8.2.2"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
