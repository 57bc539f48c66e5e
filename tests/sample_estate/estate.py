"""The invented company: Tarnholm Freight, two accounts, its roles, users, networks and instances.

Account ids are the documentation's; addresses are of the documentation ranges (RFC 5737).
"""

import msgspec

from tests.sample_estate.inventor import Inventor

MAIN = "111122223333"
SECOND = "444455556666"
VIRGINIA = "us-east-1"
FRANKFURT = "eu-central-1"
OFFICE = "192.0.2.44"
BATCH_HOST = "192.0.2.90"
RUNNER = "203.0.113.20"
THIEF = "203.0.113.66"
STRANGER = "203.0.113.150"
CLUSTER = f"arn:aws:eks:{VIRGINIA}:{MAIN}:cluster/tarn-prod"
GITHUB = f"arn:aws:iam::{MAIN}:oidc-provider/token.actions.githubusercontent.com"


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


class User(msgspec.Struct, frozen=True):
    """An IAM user."""

    account: str
    name: str
    id: str

    @property
    def arn(self) -> str:
        """The ARN."""
        return f"arn:aws:iam::{self.account}:user/{self.name}"


class Network(msgspec.Struct, frozen=True):
    """A VPC with private subnets that leaves through one NAT gateway, whose elastic address is ``address``."""

    account: str
    region: str
    vpc: str
    public_subnet: str
    private_subnet: str
    nat: str
    allocation: str
    address: str


class Instance(msgspec.Struct, frozen=True):
    """An EC2 instance with a role, in a network's private subnet."""

    id: str
    role: Role
    network: Network
    private_address: str


class Estate(msgspec.Struct, frozen=True):
    """All that exists before the stories begin. ``roles`` and ``users`` by name; the instances start in the log."""

    roles: dict[str, Role]
    users: dict[str, User]
    main: Network
    second: Network
    orders: tuple[Instance, ...]
    node: Instance
    warehouse: tuple[Instance, ...]


ROLES: tuple[tuple[str, str, str], ...] = (
    (MAIN, "orders-api", "/"),
    (MAIN, "eks-node", "/"),
    (MAIN, "shipment-tracker", "/"),
    (MAIN, "invoice-render", "/service-role/"),
    (MAIN, "rate-sync", "/service-role/"),
    (MAIN, "legacy-export", "/service-role/"),
    (MAIN, "github-deploy", "/"),
    (MAIN, "support-admin", "/"),
    (MAIN, "AWSServiceRoleForRDS", "/aws-service-role/rds.amazonaws.com/"),
    (MAIN, "AWSServiceRoleForAmazonInspector2", "/aws-service-role/inspector2.amazonaws.com/"),
    (SECOND, "AWSServiceRoleForAutoScaling", "/aws-service-role/autoscaling.amazonaws.com/"),
    (SECOND, "platform-admin", "/"),
    (SECOND, "deploy-target", "/"),
    (SECOND, "warehouse-sync", "/"),
    (SECOND, "vendor-sync", "/"),
)
USERS: tuple[str, ...] = ("mara.lindqvist", "jonas.feld", "partner-reports", "svc-invoice-export", "svc-healthcheck")


def build(inventor: Inventor) -> Estate:
    """The estate with every id drawn from ``inventor``."""
    roles = {name: Role(account, name, inventor.unique_id("AROA", account), path) for account, name, path in ROLES}
    users = {name: User(MAIN, name, inventor.unique_id("AIDA", MAIN)) for name in USERS}
    main = _network(inventor, MAIN, VIRGINIA, "198.51.100.10")
    second = _network(inventor, SECOND, FRANKFURT, "198.51.100.20")
    return Estate(
        roles=roles,
        users=users,
        main=main,
        second=second,
        orders=tuple(Instance(inventor.resource("i"), roles["orders-api"], main, f"10.20.1.{n}") for n in (11, 12, 13)),
        node=Instance(inventor.resource("i"), roles["eks-node"], main, "10.20.1.40"),
        warehouse=tuple(
            Instance(inventor.resource("i"), roles["warehouse-sync"], second, f"10.60.1.{n}") for n in (21, 22)
        ),
    )


def _network(inventor: Inventor, account: str, region: str, address: str) -> Network:
    names = ("vpc", "subnet", "subnet", "nat", "eipalloc")
    vpc, public, private, nat, allocation = (inventor.resource(name) for name in names)
    return Network(account, region, vpc, public, private, nat, allocation, address)
