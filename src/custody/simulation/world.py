"""The organisation before its day begins: accounts, roles, people, networks, nodes, and the workloads that it runs.

Addresses that are seen from outside are of the documentation ranges (RFC 5737); no name is that of a real person.
"""

import msgspec

from custody.simulation.chance import BASE32, Chance

MAIN = "111122223333"
SECOND = "444455556666"
HOME = "us-east-1"
REGION = "eu-central-1"
ORGANISATION = "example-org"
BUCKET = "example-org-trail"
OFFICE = "192.0.2.44"
THIEF = "203.0.113.66"
MAIN_NAT = "198.51.100.10"
SECOND_NAT = "198.51.100.20"
RUNNERS = tuple(f"203.0.113.{number}" for number in range(20, 28))
FUNCTIONS = tuple(f"198.51.100.{number}" for number in range(64, 72))
FUNCTION_NETWORK = "198.51.100.64/29"
CLUSTER = "blue"
CLUSTER_ARN = f"arn:aws:eks:{REGION}:{MAIN}:cluster/{CLUSTER}"
GITHUB_PROVIDER = f"arn:aws:iam::{MAIN}:oidc-provider/token.actions.githubusercontent.com"
TRUST_DOMAIN = "example.org"
VAULT_ADDRESS = "10.20.3.5"
KINDS = ("deploy", "pod", "instance", "function", "pod-identity", "deploy", "pod", "agent", "mesh", "deploy")
"""The kinds of the workloads, in turn: any ten have all of them."""
DEVELOPERS = ("dev-aron", "dev-bela", "dev-cira", "dev-doro", "dev-eyla")
MANAGERS = ("rel-fenno", "rel-gerda", "rel-hanno")
NAMES = ("orders", "billing", "stock", "search", "mail", "quotes", "routes", "prices", "claims", "fleet")


class Role(msgspec.Struct, frozen=True):
    """An IAM role; ``path`` begins and ends with a slash."""

    account: str
    name: str
    id: str
    path: str = "/"

    @property
    def arn(self) -> str:
        """The ARN, path included."""
        return f"arn:aws:iam::{self.account}:role{self.path}{self.name}"

    @property
    def key(self) -> str:
        """The key of the principal."""
        return f"aws_arn:{self.account}:{self.arn}"


class User(msgspec.Struct, frozen=True):
    """An IAM user."""

    account: str
    name: str
    id: str

    @property
    def arn(self) -> str:
        """The ARN."""
        return f"arn:aws:iam::{self.account}:user/{self.name}"

    @property
    def key(self) -> str:
        """The key of the principal."""
        return f"aws_arn:{self.account}:{self.arn}"


class Network(msgspec.Struct, frozen=True):
    """A VPC that leaves through one NAT gateway, whose elastic address is ``address``."""

    account: str
    vpc: str
    subnet: str
    nat: str
    allocation: str
    address: str


class Instance(msgspec.Struct, frozen=True):
    """An EC2 instance with a role."""

    id: str
    role: Role
    network: Network
    private: str
    interface: str

    @property
    def key(self) -> str:
        """The key of the run that it is."""
        return f"aws_instance:{self.role.account}:{self.id}"


class Workload(msgspec.Struct, frozen=True):
    """One of the ``--workloads``: its kind, its name, and what is its own."""

    number: int
    kind: str
    name: str

    @property
    def namespace(self) -> str:
        """Its Kubernetes namespace."""
        return self.name.partition("-")[0]

    @property
    def repository(self) -> str:
        """Its GitHub repository."""
        return f"{ORGANISATION}/{self.name}"


class World(msgspec.Struct, frozen=True):
    """All that exists before the day."""

    main: Network
    second: Network
    roles: dict[str, Role]
    users: dict[str, User]
    nodes: tuple[Instance, ...]
    workloads: tuple[Workload, ...]


PLAIN_ROLES = (
    (MAIN, "eks-node", "/"),
    (MAIN, "github-deploy", "/"),
    (MAIN, "release", "/"),
    (SECOND, "release", "/"),
    (MAIN, "AWSServiceRoleForConfig", "/aws-service-role/config.amazonaws.com/"),
    (SECOND, "AWSServiceRoleForConfig", "/aws-service-role/config.amazonaws.com/"),
)
USERS = (
    "ops-ilka", "ops-jorn", "batch-archive", "batch-backfill", "batch-export", "batch-mirror", "batch-report",
    "ci-legacy", "partner-audit",
)  # fmt: skip


def build(chance: Chance, workloads: int) -> World:
    """The organisation, every id drawn from ``chance``."""
    main = _network(chance.fork("main"), MAIN, MAIN_NAT)
    second = _network(chance.fork("second"), SECOND, SECOND_NAT)
    roles = {f"{account}/{name}": _role(chance, account, name, path) for account, name, path in PLAIN_ROLES}
    users = {name: User(MAIN, name, unique_id(chance.fork("user", name), "AIDA", MAIN)) for name in USERS}
    nodes = tuple(
        instance(chance.fork("node", n), roles[f"{MAIN}/eks-node"], main, f"10.20.1.{n + 10}") for n in range(3)
    )
    every = tuple(_workload(number) for number in range(workloads))
    for each in every:
        roles |= roles_of(chance, each)
    return World(main=main, second=second, roles=roles, users=users, nodes=nodes, workloads=every)


def roles_of(chance: Chance, workload: Workload) -> dict[str, Role]:
    """The role that a workload of some kinds has for itself, by account and name."""
    if workload.kind not in ("instance", "function", "pod-identity", "agent"):
        return {}
    account = account_of(workload)
    return {f"{account}/{workload.name}": _role(chance, account, workload.name, "/")}


def account_of(workload: Workload) -> str:
    """Every other instance is in the second account, all else in the main one."""
    return SECOND if workload.kind == "instance" and workload.number // len(KINDS) % 2 else MAIN


def unique_id(chance: Chance, prefix: str, account: str) -> str:
    """The unique id of a role or user (``AROA…``, ``AIDA…``)."""
    return prefix + stem(account) + chance.letters(BASE32, 9)


def access_key(chance: Chance, prefix: str, account: str) -> str:
    """An access key id: prefix, 8 letters that all keys of the account share, 8 of its own."""
    return prefix + stem(account) + chance.letters(BASE32, 8)


def stem(account: str) -> str:
    """The letters that all ids of an account share."""
    return "T" + Chance("stem", account).letters(BASE32, 7)


def instance(chance: Chance, role: Role, network: Network, private: str) -> Instance:
    """A new instance."""
    return Instance(resource(chance, "i"), role, network, private, resource(chance, "eni"))


def resource(chance: Chance, prefix: str) -> str:
    """An EC2 resource id: ``prefix-0`` and 16 hex digits."""
    return f"{prefix}-0{chance.hex(16)}"


def _workload(number: int) -> Workload:
    kind = KINDS[number % len(KINDS)]
    name = f"{NAMES[number % len(NAMES)]}-{kind.replace('-', '')}-{number}"
    return Workload(number, kind, name)


def _role(chance: Chance, account: str, name: str, path: str) -> Role:
    return Role(account, name, unique_id(chance.fork("role", account, name), "AROA", account), path)


def _network(chance: Chance, account: str, address: str) -> Network:
    vpc, subnet, nat, allocation = (resource(chance, name) for name in ("vpc", "subnet", "nat", "eipalloc"))
    return Network(account, vpc, subnet, nat, allocation, address)
