"""The invented world of the benchmark: roles, users, networks, and the credentials that each block of records issues.

Everything is a function of the seed and of a number (of a role, an instance, a block), so that any part of the log can
be generated without the parts before it, by any process, and comes out the same.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import random
from typing import NamedTuple

ACCOUNT = "111122223333"
REGION = "us-east-1"
START = int(dt.datetime(2026, 1, 5, tzinfo=dt.UTC).timestamp())
DAYS = 30
DENSE = DAYS * 86_400 / 1_000_000
"""Seconds from record to record in a log of a million; a smaller log is as dense and covers less time."""

BLOCK = 1_000
FLEET = 14
ISSUES = {"ec2": range(14), "lambda": range(14, 23), "linked": range(23, 31), "web": range(31, 36)} | {
    "pod": range(36, 38),
    "user": range(38, 40),
    "chain": range(40, 46),
}
"""What the 46 issuing records of a block are. The first two of a chain come from an instance of the block before,
the next two from those, the last two from these: four deep in all."""
KINDS = {number: kind for kind, numbers in ISSUES.items() for number in numbers}
LIFE = {"ec2": 23_700, "lambda": 7_200, "linked": 3_600, "web": 7_200, "pod": 21_600, "user": 3_600, "chain": 3_600}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
STEM = "T7QK"
AGENTS = {
    "ec2": "Boto3/1.37.4 md/Botocore#1.37.4 ua/2.0 os/linux#6.1.128 md/arch#x86_64 lang/python#3.12.9",
    "lambda": "Boto3/1.37.4 md/Botocore#1.37.4 os/linux#5.10.234 lang/python#3.12.9 exec-env/AWS_Lambda_python3.12",
    "linked": "AWS Internal",
    "web": "aws-cli/2.24.12 md/awscrt#0.23.8 ua/2.0 os/linux#6.8.0-1021 lang/python#3.12.9 exec-env/GitHubActions",
    "pod": "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.23.6 md/GOOS#linux md/GOARCH#amd64 m/E",
    "user": "aws-cli/2.24.12 md/awscrt#0.23.8 ua/2.0 os/linux#6.8.0 lang/python#3.12.9 exec-env/none",
    "chain": "aws-sdk-java/2.30.31 Linux/6.1.128 OpenJDK_64-Bit_Server_VM/21.0.6 Java/21.0.6 vendor/Amazon.com_Inc.",
}


class Role(NamedTuple):
    """A role: its ARN's end (path and name), its name, its unique id."""

    path: str
    name: str
    id: str


class User(NamedTuple):
    """A user with a key that is older than the log, or with console logins."""

    name: str
    id: str
    key: str
    address: str


class Credential(NamedTuple):
    """An issued key. ``identity`` is the userIdentity of its uses up to the closing brace, as JSON."""

    number: int
    kind: str
    key: str
    role: Role
    session: str
    created: int
    origin: str
    agent: str
    identity: str


class World:
    """What stands before the log begins, and the functions that say what happens when."""

    def __init__(self, records: int, seed: int) -> None:
        self.seed = seed
        self.step = min(DENSE, DAYS * 86_400 / records)
        rng = self.rng("world")
        self.roles = {kind: [_role(rng, kind, number) for number in range(8)] for kind in ISSUES}
        self.users = [_user(rng, f"service-{n}", f"192.0.2.{20 + n}") for n in range(6)]
        self.people = [_user(rng, f"person-{n}", f"192.0.2.{120 + n}") for n in range(3)]
        self.hot = _user(rng, "exporter", "192.0.2.200")
        self.networks = [f"198.51.100.{10 + n}" for n in range(8)]

    def rng(self, *names: object) -> random.Random:
        """The generator of that name."""
        return random.Random("/".join(map(str, (self.seed, *names))))

    def time(self, ordinal: int) -> int:
        """The second of the record with that number."""
        return START + int(ordinal * self.step)

    def name(self, kind: str, number: int) -> str:
        """17 hex digits, the body of an EC2 resource id."""
        return "0" + hashlib.blake2b(f"{self.seed}/{kind}/{number}".encode(), digest_size=8).hexdigest()

    def credential(self, rng: random.Random, block: int, number: int, ordinal: int) -> Credential:
        """What the ``number``-th issuing record of a block issues; the block before the first has no chains."""
        kind = KINDS[number] if block or KINDS[number] != "chain" else "ec2"
        root = block - 1 - number if kind == "ec2" else block - 2 - number % 2
        instance = root if number < FLEET or kind == "chain" else -1
        role = self.roles[kind][instance % 8 if kind == "ec2" else number % 8]
        session = {
            "ec2": f"i-{self.name('i', instance)}",
            "lambda": role.name,
            "linked": "SLRManagement",
            "web": f"portal-{8_841_203_310 + block * 8 + number}-1",
            "pod": f"eks-prod-worker-{number}-{self.name('pod', block)}",
            "user": f"session-{block}-{number}",
            "chain": f"step-{number}-{block}",
        }[kind]
        origin = {
            "lambda": "198.51.100.60",
            "linked": "rds.amazonaws.com",
            "web": "203.0.113.20",
            "user": self.users[number % 6].address,
        }.get(kind, self.networks[instance % 8])
        key, created = access_key("ASIA", rng), self.time(ordinal)
        identity = _identity(role, session, key, created, kind)
        return Credential(number, kind, key, role, session, created, origin, AGENTS[kind], identity)


@functools.lru_cache(maxsize=4096)
def stamp(time: int) -> str:
    """A second as ``eventTime`` has it."""
    return dt.datetime.fromtimestamp(time, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spelled(time: int) -> str:
    """A second as issuers spell it (``Jan 5, 2026, 12:00:00 AM``)."""
    when = dt.datetime.fromtimestamp(time, dt.UTC)
    month = ("Jan", "Feb", "Mar")[when.month - 1]
    return f"{month} {when.day}, {when.year}, {when.hour % 12 or 12}:{when:%M:%S} {'AM' if when.hour < 12 else 'PM'}"


def access_key(prefix: str, rng: random.Random) -> str:
    """An access key id: 16 letters after the prefix, 12 of them its own, so that ten million stay distinct."""
    bits = rng.getrandbits(60)
    return prefix + STEM + "".join([LETTERS[bits >> shift & 31] for shift in range(0, 60, 5)])


def user_identity(user: User) -> str:
    """The userIdentity of a user's call, up to where the key goes."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/{user.name}"
    return (
        f'{{"type":"IAMUser","principalId":"{user.id}","arn":"{arn}","accountId":"{ACCOUNT}",'
        f'"userName":"{user.name}","accessKeyId":"'
    )


def _identity(role: Role, session: str, key: str, created: int, kind: str) -> str:
    delivery = ',"ec2RoleDelivery":"2.0"' if kind == "ec2" else ""
    return (
        f'{{"type":"AssumedRole","principalId":"{role.id}:{session}",'
        f'"arn":"arn:aws:sts::{ACCOUNT}:assumed-role/{role.name}/{session}","accountId":"{ACCOUNT}",'
        f'"accessKeyId":"{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"{role.id}",'
        f'"arn":"arn:aws:iam::{ACCOUNT}:role/{role.path}","accountId":"{ACCOUNT}","userName":"{role.name}"}},'
        f'"webIdFederationData":{{}},"attributes":{{"creationDate":"{stamp(created)}","mfaAuthenticated":"false"}}'
        f"{delivery}}}"
    )


def _role(rng: random.Random, kind: str, number: int) -> Role:
    name = f"AWSServiceRoleForRDS{number or ''}" if kind == "linked" else f"{kind}-workload-{number}"
    path = f"aws-service-role/rds.amazonaws.com/{name}" if kind == "linked" else name
    return Role(path, name, access_key("AROA", rng) + "X")


def _user(rng: random.Random, name: str, address: str) -> User:
    return User(name, access_key("AIDA", rng) + "X", access_key("AKIA", rng), address)
