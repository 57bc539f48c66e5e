"""The people of the estate: the operator who sets things up and puts things right, and a colleague at the console."""

from custody.model.verdicts import Population
from tests.sample_estate import calls, issuing
from tests.sample_estate.cloudtrail import (
    BROWSER,
    CLI,
    TERRAFORM,
    Caller,
    Session,
    by_login,
    by_session,
    by_user,
    by_user_session,
    forwarded,
)
from tests.sample_estate.estate import FRANKFURT, MAIN, OFFICE, SECOND, VIRGINIA, Network, User
from tests.sample_estate.journal import CONSOLE, Journal, at
from tests.sample_estate.truth import Story


def operator(journal: Journal) -> tuple[str, Caller]:
    """Mara's long-lived key, older than the logs, and she working with it from the office."""
    user = journal.estate.users["mara.lindqvist"]
    key = journal.older_key("AKIA", MAIN, Population.PERSON)
    return key, by_user(user, key, OFFICE, TERRAFORM)


def build_networks(journal: Journal, mara: Caller) -> None:
    """The operator builds both networks and starts the instances, in the second account through a role there."""
    estate = journal.estate
    _build_network(journal, mara, estate.main, at("06:01:10"))
    admin = Session(
        key=journal.invent.key("ASIA", SECOND),
        role=estate.roles["platform-admin"],
        name="mara.lindqvist",
        created=at("06:18:00"),
        source_identity="mara.lindqvist",
    )
    issuing.by_role_chain(journal, mara, admin, 3600, tags={"ticket": "OPS-1187"})
    abroad = by_session(admin, OFFICE, TERRAFORM)
    _build_network(journal, abroad, estate.second, at("06:20:05"))
    for number, instance in enumerate((*estate.orders, estate.node)):
        journal.say(mara, started(number), calls.run_instance(instance, started(number)), VIRGINIA)
    for number, instance in enumerate(estate.warehouse):
        time = started(number) + 960
        journal.say(abroad, time, calls.run_instance(instance, time), FRANKFURT)


def started(number: int) -> int:
    """When the operator starts the main network's instance of that number; the second's come 16 minutes later."""
    return at("06:05:30") + number * 20


def change_grants(journal: Journal, mara: Caller) -> None:
    """The operator makes a support role, and lets the order service assume it."""
    roles = journal.estate.roles
    support, orders = roles["support-admin"], roles["orders-api"]
    time = at("08:00:05")
    journal.say(mara, time, calls.create_role(support, {"AWS": mara.identity["arn"]}, time), VIRGINIA)
    policy = "arn:aws:iam::aws:policy/IAMFullAccess"
    attach = calls.write("iam", "AttachRolePolicy", roleName=support.name, policyArn=policy)
    journal.say(mara, time + 3, attach, VIRGINIA)
    journal.say(mara, at("08:41:30"), calls.trust_role(support, {"AWS": orders.arn}), VIRGINIA)
    inline = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:Get*","Resource":"*"}]}'
    put = calls.write("iam", "PutRolePolicy", roleName="invoice-render", policyName="queues", policyDocument=inline)
    journal.say(mara, at("08:50:12"), put, VIRGINIA)
    journal.say(mara, at("08:52:00"), calls.denied(calls.LIST_BUCKETS, str(mara.identity["arn"])), VIRGINIA)


def revoke(journal: Journal, mara: Caller, cutoff: int) -> str:
    """The operator ends every older session of the order service, with a key that a second factor stands behind."""
    key = journal.invent.key("ASIA", MAIN)
    issuing.session_token(journal, mara, key, cutoff - 900, 43_200)
    user = journal.estate.users["mara.lindqvist"]
    strong = by_user_session(user, key, cutoff - 900, OFFICE, CLI, console=False)
    journal.work(strong, journal.spread(cutoff - 840, cutoff, 6), calls.PEOPLE, VIRGINIA)
    journal.say(strong, cutoff, calls.revoke_older(journal.estate.roles["orders-api"], cutoff), VIRGINIA)
    return key


def consoles(journal: Journal) -> None:
    """Two people at the console: each login gives several keys, and services call on for them with more."""
    users = journal.estate.users
    jonas = users["jonas.feld"]
    journal.say(by_login(jonas, OFFICE, BROWSER), at("09:11:41"), calls.login("Failure"), VIRGINIA)
    keys = _console(journal, users["mara.lindqvist"], at("07:05:12")) + _console(journal, jonas, at("09:12:03"))
    text = "two people work at the console; none of their keys was issued in the logs, and nothing is wrong with that"
    journal.stories.append(Story(name="consoles", text=text, keys=tuple(keys)))


def _console(journal: Journal, user: User, login: int) -> list[str]:
    journal.say(by_login(user, OFFICE, BROWSER), login, calls.login("Success"), VIRGINIA)
    keys = [journal.older_key("ASIA", user.account, Population.PERSON, CONSOLE) for _ in range(4)]
    for turn, key in enumerate(keys):
        caller = by_user_session(user, key, login, OFFICE, BROWSER, console=turn < 3)
        journal.work(caller, journal.spread(login + 60 + turn * 600, login + 7200, 7), calls.PEOPLE, VIRGINIA)
    page = by_user_session(user, keys[0], login, OFFICE, BROWSER, console=True)
    for time in journal.spread(login + 30, login + 7200, 6):
        journal.say(page, time, calls.HEALTH, VIRGINIA)
        key = journal.invent.key("ASIA", user.account)
        journal.say(forwarded(page, "health", key, login), time, calls.HEALTH, VIRGINIA)
    return keys


def _build_network(journal: Journal, caller: Caller, network: Network, time: int) -> None:
    journal.say(caller, time - 25, calls.WHOAMI, network.region)
    journal.say(caller, time, calls.allocate(network), network.region)
    journal.say(caller, time + 6, calls.nat_gateway(network, time + 6), network.region)
    describe = calls.read("ec2", "DescribeNatGateways", DescribeNatGatewaysRequest={"NatGatewayId": network.nat})
    journal.work(caller, journal.spread(time + 6, time + 90, 5), (describe,), network.region)
