"""Receipts and issues that are not what they say: copied ids, a role beyond its decision, a self-approval."""

from functools import partial

import msgspec

from custody.model.broker_terms import Verdict
from custody.model.events import Stage
from custody.model.verdicts import Question, Severity, State
from custody.simulation.book import WRONG
from custody.simulation.fault import Fault, Planting
from custody.simulation.lives import brokered, pods
from custody.simulation.systems import aws, aws_issues, broker
from custody.simulation.systems.broker import Client, Lease, Wish
from custody.simulation.systems.postgresql import role_key
from custody.simulation.times import HOUR, MINUTE, SECOND, microseconds
from custody.simulation.truth import Credential
from custody.simulation.world import DEVELOPERS, MAIN, MAIN_NAT, access_key

RECEIPT, UNDECIDED, OWN = "receipt-elsewhere", "issued-without-intent", "self-approval-brokered"
RULES = ("receipt-elsewhere",)
CALLS = (aws.read("s3", "ListBuckets"), aws.read("athena", "ListWorkGroups", maxResults=50))


def _client(planting: Planting, fault: str, account: str, time: int) -> Client:
    chance = planting.chance(fault).fork(account)
    client, _ = brokered.pod_of(planting.estate, chance, account, time, time + 40 * MINUTE)
    return client


def _receipts(planting: Planting) -> None:
    planting.estate.at(planting.part(1, 4), partial(_copy, planting))


def _copy(planting: Planting, time: int) -> None:
    """A pod is denied a role and lent another; somebody makes three credentials that look like the broker's."""
    client = _client(planting, RECEIPT, "copied", time)
    planting.estate.at(time + 4 * SECOND, partial(_denied, planting, client))
    planting.estate.at(time + MINUTE, partial(_lent, planting, client))


def _denied(planting: Planting, client: Client, time: int) -> None:
    """A role by the name of what was denied, and one by a name that no broker knows."""
    estate, chance = planting.estate, planting.chance(RECEIPT).fork("denied")
    lease = broker.new(chance, client, Wish(scope="write"), time)
    brokered.ask(estate, lease, time, Verdict.DENY)
    key = _by_hand(planting, lease.role, time + 3 * MINUTE, "denied role")
    text = "a role that an administrator made by the name of a request that the broker had denied"
    planting.enter(RECEIPT, key, text, RULES, Severity.HIGH)
    unknown = broker.name(chance, "cc", time).replace("-", "_")
    key = _by_hand(planting, unknown, time + 6 * MINUTE, "unknown role")
    text = "a role that an administrator made by a name like a broker's, which no broker knows"
    planting.enter(RECEIPT, key, text, RULES, Severity.LOW)


def _by_hand(planting: Planting, name: str, time: int, what: str) -> str:
    """The database's administrator makes a role, and nobody uses it; gives its key."""
    estate, chance, key = planting.estate, planting.chance(RECEIPT).fork(what), role_key(name)
    until = time + 6 * HOUR
    sql = f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'must-not-stay' VALID UNTIL '{microseconds(until)}'"
    pods.administer(estate, chance, time, sql, (Stage.ISSUE, key))
    estate.book.credential(
        Credential(key=key, kind="database role", population="machine", issued_at=time, not_after=until)
    )
    estate.book.expect(key, Question.DECIDED, State.UNPROVEN)
    estate.book.expect(key, Question.BOUND, State.UNPROVEN)
    return key


def _lent(planting: Planting, client: Client, time: int) -> None:
    """A role of the broker's, and a session at AWS that carries its id as source identity."""
    estate, chance = planting.estate, planting.chance(RECEIPT).fork("lent")
    lease = brokered.ask(estate, broker.new(chance, client, Wish(), time), time, Verdict.ALLOW)
    brokered.lend(estate, chance, lease)
    closed = time + 10 * MINUTE
    brokered.session(estate, chance, lease, time + SECOND, closed).close(closed)
    estate.at(closed + MINUTE, partial(_give_back, planting, lease))
    user, own = estate.world.users["batch-report"], access_key(chance, "AKIA", MAIN)
    caller = aws.by_user(user, own, MAIN_NAT, aws.BOTO)
    estate.book.credential(
        Credential(key=aws.key_of(own), kind="access key", population="machine", issued_at=None, subject=user.key)
    )
    made = aws.Session(
        key=access_key(chance, "ASIA", MAIN),
        role=estate.world.roles[f"{MAIN}/eks-node"],
        name="report",
        created=time + 5 * MINUTE,
        source_identity=lease.chain,
    )
    entry = aws_issues.entry_of(made, 3600, "role session with a copied receipt")
    entry = msgspec.structs.replace(
        entry, parent=aws.key_of(own), parent_visible="exact", parent_join="parent_key", origins=(MAIN_NAT,)
    )
    aws_issues.by_chain(estate, chance, caller, made, 3600, entry)
    times = chance.spread(made.created + SECOND, made.created + 20 * MINUTE, 4)
    aws.work(estate, chance, aws.by_session(made, MAIN_NAT, aws.BOTO), CALLS, times)
    estate.book.link(times[0], "access_key", entry.key, entry.key)
    text = "a session at AWS that carries the id of a database role of the broker as its source identity"
    planting.enter(RECEIPT, entry.key, text, RULES, Severity.HIGH, (lease.key, aws.key_of(own)))


def _give_back(planting: Planting, lease: Lease, time: int) -> None:
    chance = planting.chance(RECEIPT).fork("end", lease.chain)
    brokered.give_back(planting.estate, lease, "complete", time)
    brokered.over(planting.estate, chance, lease, "complete", time)


def _undecided(planting: Planting) -> None:
    planting.estate.at(planting.part(1, 5), partial(_issue, planting))


def _issue(planting: Planting, time: int) -> None:
    """A broker that is not what it was issues what it denied, and another role for longer than it had decided."""
    client = _client(planting, UNDECIDED, "undecided", time)
    planting.estate.at(time + 4 * SECOND, partial(_against, planting, client))
    planting.estate.at(time + MINUTE, partial(_beyond, planting, client))


def _against(planting: Planting, client: Client, time: int) -> None:
    estate, chance = planting.estate, planting.chance(UNDECIDED).fork("against")
    lease = brokered.ask(estate, broker.new(chance, client, Wish(scope="write"), time), time, Verdict.DENY)
    brokered.lend(estate, chance, lease)
    estate.book.expect(lease.key, Question.DECIDED, *WRONG)
    closed = time + 8 * MINUTE
    brokered.session(estate, chance, lease, time + SECOND, closed).close(closed)
    estate.at(closed + MINUTE, partial(_give_back, planting, lease))
    text = "a role that the broker issued by a line that denied it"
    planting.enter(UNDECIDED, lease.key, text, ("issued-without-intent",), Severity.HIGH)


def _beyond(planting: Planting, client: Client, time: int) -> None:
    estate, chance = planting.estate, planting.chance(UNDECIDED).fork("beyond")
    lease = brokered.ask(estate, broker.new(chance, client, Wish(), time), time, Verdict.ALLOW)
    brokered.lend(estate, chance, lease, until=lease.not_after + HOUR)
    closed = time + 8 * MINUTE
    brokered.session(estate, chance, lease, time + SECOND, closed).close(closed)
    estate.at(closed + MINUTE, partial(_give_back, planting, lease))
    text = "a role that the broker issued for an hour longer than it had decided"
    planting.enter(UNDECIDED, lease.key, text, ("issued-without-intent",), Severity.HIGH)


def _own(planting: Planting) -> None:
    planting.estate.at(planting.part(1, 3), partial(_approve, planting))


def _approve(planting: Planting, time: int) -> None:
    """The broker takes the word of the person who asked for an approval."""
    client = _client(planting, OWN, "migrate", time)
    planting.estate.at(time + 4 * SECOND, partial(_by_requester, planting, client))


def _by_requester(planting: Planting, client: Client, time: int) -> None:
    estate, chance = planting.estate, planting.chance(OWN)
    who = chance.pick(DEVELOPERS)
    lease = brokered.want(estate, chance, client, who, who, time)
    text = "a role of the broker that was approved by the person who had asked for it"
    planting.enter(OWN, lease.key, text, ("approved",), Severity.HIGH)
    estate.at(time + 5 * MINUTE, partial(_expect, planting, lease))


def _expect(planting: Planting, lease: Lease, time: int) -> None:  # noqa: ARG001  # what matters is that it is later
    """The role is entered by now, as one that was approved."""
    planting.estate.book.expect(lease.key, Question.APPROVED, *WRONG)


FAULTS = (
    Fault(RECEIPT, "credentials carry the receipt of a broker that never issued them", _receipts),
    Fault(UNDECIDED, "a broker issues what it denied, and for longer than it decided", _undecided),
    Fault(OWN, "a broker takes the requester's own approval", _own),
)
