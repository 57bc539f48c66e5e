"""The contract that goes with the estate: what the organisation asks of its machines, and where they call from."""

from custody.simulation.estate import Estate
from custody.simulation.world import FUNCTION_NETWORK, MAIN, MAIN_NAT, RUNNERS, SECOND, Workload

HEAD = """# Written by custody simulate: what this invented organisation asks of its machine identities.
version: 1
classes:
  production-deploy:
    match: {workload: "github:example-org/*:environment:production"}
    owner: team:release
    purpose: "deploys to production"
    ttl: 1h
    approval: {by: "group:release-managers", count: 1, not: [requester]}
"""
CLASSES = (
    ("release", 'subject: "aws:role/release"', "team:release", "rolls a release out", "ttl: 1h"),
    ("cluster-node", 'subject: "aws:role/eks-node"', "team:platform", "runs the nodes of the cluster", "ttl: 7h"),
    ("batch", 'subject: "aws:user/batch-*"', "team:data", "nightly exports", "population: machine"),
    (
        "ci-legacy",
        'subject: "aws:user/ci-*"',
        "team:release",
        "builds that have no OIDC yet",
        "ttl: 12h\n    population: machine",
    ),
    ("pod", 'workload: "k8s_pod:k8s:*"', "team:platform", "tokens of pods", ""),
    (
        "pod-login",
        'workload: "k8s_service_account:*"',
        "team:platform",
        "logins of pods to the secret store",
        "ttl: 4h",
    ),
    ("database", 'subject: "vault_role:vault:database/*"', "team:data", "roles of applications in the database", ""),
    ("database-role", 'subject: "db_role:*"', "team:data", "roles of applications in the database", ""),
    ("mesh", 'subject: "spiffe:*"', "team:platform", "certificates of services", "ttl: 1h"),
)
ROLE_TTL = {"instance": "7h", "function": "2h", "pod-identity": "6h", "agent": "6h"}


def contract(estate: Estate) -> str:
    """The file."""
    parts = [HEAD]
    parts += [_class(*each) for each in CLASSES]
    workloads = [each for each in (*estate.world.workloads, *estate.planted) if each.kind in ROLE_TTL]
    parts += [_of_workload(each) for each in workloads]
    origins = [_origin(each) for each in workloads if each.kind != "instance"]
    parts.append("origins:\n" + "".join(origins) + _more_origins())
    parts.append(f"sources:\n  aws.cloudtrail: {{expect: hourly, accounts: [{MAIN}, {SECOND}]}}\n")
    return "".join(parts)


def _class(name: str, match: str, owner: str, purpose: str, more: str) -> str:
    lines = f'  {name}:\n    match: {{{match}}}\n    owner: {owner}\n    purpose: "{purpose}"\n'
    return lines + (f"    {more}\n" if more else "")


def _of_workload(workload: Workload) -> str:
    match = f'subject: "aws:role/{workload.name}"'
    return _class(workload.name, match, f"team:{workload.namespace}", f"runs {workload.name}", _ttl(workload))


def _ttl(workload: Workload) -> str:
    return f"ttl: {ROLE_TTL[workload.kind]}"


def _origin(workload: Workload) -> str:
    where = FUNCTION_NETWORK if workload.kind == "function" else MAIN_NAT
    return f'  "aws:role/{workload.name}": [{where}]\n'


def _more_origins() -> str:
    runners = ", ".join(RUNNERS)
    batch = "".join(f'  "aws:user/{name}": [{MAIN_NAT}]\n' for name in ("batch-export", "batch-mirror", "batch-report"))
    return f'  "aws:role/github-deploy": [{runners}]\n  "aws:role/release": [{runners}]\n{batch}'
