"""What goes wrong on the sample's day, each with what should be said of it."""

from custody.model.verdicts import Population, Severity, State
from tests.sample_estate import calls, issuing, machines
from tests.sample_estate.cloudtrail import CLI, GO, Caller, Session, by_session, by_user, forwarded
from tests.sample_estate.estate import BATCH_HOST, FRANKFURT, MAIN, SECOND, STRANGER, THIEF, VIRGINIA, Instance
from tests.sample_estate.journal import UNEXPLAINED, Journal, at
from tests.sample_estate.truth import Story

HOLDER = "used-by-holder"
ISSUANCE = "no-known-issuance"
RENEWED = "renewed"
LIFETIME = "lifetime"
AFTER_END = "used-after-end"
END_EFFECTIVE = "end-effective"
"""Ids of the rules that the stories expect to answer."""


def stolen_key(journal: Journal, victim: Instance, own: list[Session], cutoff: int) -> None:
    """A key issued beside one of the instance's ``own``, used from an address where a partner's key works all day.

    Both were issued in one second. It reads a secret and assumes the support role, and that session makes a user with
    a key that outlives it all.
    """
    partner = journal.older_key("AKIA", MAIN, Population.UNKNOWN)
    reports = by_user(journal.estate.users["partner-reports"], partner, THIEF, GO)
    times = [at("06:02:40"), *journal.spread(at("06:03:00"), at("17:58:00"), 48)]
    journal.work(reports, times, calls.REPORTS, VIRGINIA)
    session = Session(
        key=journal.invent.key("ASIA", MAIN),
        role=victim.role,
        name=victim.id,
        created=next(session.created for session in own if session.created > at("11:00:00")),
        delivery="1.0",
    )
    issuing.by_aws(journal, "ec2", session, machines.INSTANCE_LIFE, VIRGINIA)
    thief = by_session(session, THIEF, CLI)
    journal.work(thief, [at("11:40:18"), at("11:40:55")], (calls.WHOAMI, calls.DESCRIBE_INSTANCES), VIRGINIA)
    journal.say(thief, at("11:43:07"), calls.denied(calls.LIST_BUCKETS, session.arn), VIRGINIA)
    journal.say(thief, at("11:47:30"), calls.GET_SECRET, VIRGINIA)
    machines.decrypted(journal, thief, at("11:47:30"))
    journal.work(thief, journal.spread(at("12:30:00"), cutoff - 60, 6), (calls.DESCRIBE_INSTANCES,), VIRGINIA)
    refused = calls.refused_everywhere(calls.WHOAMI, session)
    journal.work(thief, [cutoff + 121, cutoff + 600], (refused,), VIRGINIA)
    made = _foothold(journal, thief)
    text = f"a key of {victim.id} is used from {THIEF}, where another principal's key works; the instance leaves"
    journal.stories.append(
        Story(
            name="stolen key",
            text=f"{text} through {victim.network.address}",
            keys=(session.key,),
            descendants=made,
            rule=HOLDER,
            state=State.VIOLATED,
            severity=Severity.HIGH,
        )
    )


def _foothold(journal: Journal, thief: Caller) -> tuple[str, str]:
    roles, user = journal.estate.roles, journal.estate.users["svc-healthcheck"]
    key = journal.invent.key("ASIA", MAIN)
    support = Session(key=key, role=roles["support-admin"], name="botocore-session-1772453", created=at("12:20:44"))
    issuing.by_role_chain(journal, thief, support, 3600)
    admin = by_session(support, THIEF, CLI)
    journal.say(admin, at("12:22:10"), calls.create_user(user, at("12:22:10")), VIRGINIA)
    policy = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    attach = calls.write("iam", "AttachUserPolicy", userName=user.name, policyArn=policy)
    journal.say(admin, at("12:22:41"), attach, VIRGINIA)
    left = issuing.access_key(journal, admin, user, at("12:23:05"))
    later = by_user(user, left, THIEF, CLI)
    journal.work(later, journal.spread(at("12:30:00"), at("17:45:00"), 9), calls.REPORTS, VIRGINIA)
    return support.key, left


def ended_instance(journal: Journal, mara: Caller, instance: Instance, sessions: list[Session], end: int) -> None:
    """An instance is terminated, and its lineage goes on being renewed as if it were not."""
    journal.say(mara, end, calls.terminate(instance), VIRGINIA)
    late = tuple(session.key for session in sessions if session.created > end)
    text = f"keys are issued to {instance.id} after it was terminated"
    journal.stories.append(
        Story(
            name="renewed after end",
            text=text,
            keys=late,
            rule=RENEWED,
            state=State.VIOLATED,
            severity=Severity.HIGH,
        )
    )
    before = max((session for session in sessions if session.created <= end), key=lambda session: session.created)
    journal.stories.append(
        Story(
            name="used after its run",
            text=f"a key that was issued to {instance.id} before it was terminated goes on being used",
            keys=(before.key,),
            rule=AFTER_END,
            state=State.UNPROVEN,
            severity=Severity.MEDIUM,
        )
    )


def deleted_role(journal: Journal, mara: Caller) -> None:
    """A function's role is deleted; a key of it works half a minute later (propagation) and ten minutes later."""
    role, address = journal.estate.roles["legacy-export"], journal.estate.main.address
    for clock in ("06:50:00", "09:20:00"):
        machines.run_function(journal, role, at(clock), address, VIRGINIA)
    session, caller = machines.run_function(journal, role, at("11:50:00"), address, VIRGINIA)
    end = at("13:10:00")
    detach = calls.write("iam", "DetachRolePolicy", roleName=role.name, policyArn="arn:aws:iam::aws:policy/Exports")
    journal.say(mara, end - 4, detach, VIRGINIA)
    journal.say(mara, end, calls.write("iam", "DeleteRole", roleName=role.name), VIRGINIA)
    journal.work(caller, [end + 30, end + 605], (calls.FUNCTION[1],), VIRGINIA)
    journal.stories.append(
        Story(
            name="deleted role",
            text=f"a key of role {role.name} works 10 minutes after the role was deleted",
            keys=(session.key,),
            rule=AFTER_END,
            state=State.VIOLATED,
            severity=Severity.HIGH,
        )
    )


def ended_key(journal: Journal, mara: Caller) -> None:
    """A user and a key are made, the key works, is deactivated, refused, deleted and refused again."""
    user = journal.estate.users["svc-invoice-export"]
    journal.say(mara, at("07:30:02"), calls.create_user(user, at("07:30:02")), VIRGINIA)
    key = issuing.access_key(journal, mara, user, at("07:30:40"))
    export = by_user(user, key, BATCH_HOST, GO)
    journal.work(export, journal.spread(at("07:40:00"), at("12:25:00"), 14), calls.REPORTS, VIRGINIA)
    inactive = calls.write("iam", "UpdateAccessKey", userName=user.name, accessKeyId=key, status="Inactive")
    journal.say(mara, at("12:30:15"), inactive, VIRGINIA)
    journal.say(export, at("12:41:00"), calls.bad_key(calls.REPORTS[0]), VIRGINIA)
    delete = calls.write("iam", "DeleteAccessKey", userName=user.name, accessKeyId=key)
    journal.say(mara, at("12:50:33"), delete, VIRGINIA)
    journal.say(export, at("13:05:00"), calls.bad_key(calls.REPORTS[1]), VIRGINIA)
    journal.say(mara, at("13:06:10"), calls.write("iam", "DeleteUser", userName=user.name), VIRGINIA)
    text = "a long-lived key is deactivated and deleted, and what is tried with it afterwards is refused"
    journal.stories.append(Story(name="ended key", text=text, keys=(key,), rule=END_EFFECTIVE, state=State.PROVED))


def unexplained_key(journal: Journal) -> None:
    """A key that says it was made while the logs were running, and that they never show being issued."""
    key = journal.older_key("ASIA", SECOND, Population.UNKNOWN, UNEXPLAINED)
    role = journal.estate.roles["vendor-sync"]
    session = Session(key=key, role=role, name="maintenance", created=at("10:15:00"))
    caller = by_session(session, STRANGER, CLI)
    journal.work(caller, journal.spread(at("10:16:00"), at("10:55:00"), 6), calls.WAREHOUSE, FRANKFURT)
    text = "a key of role vendor-sync was made at 10:15:00, while the logs ran, and no issuance of it is in them"
    journal.stories.append(
        Story(
            name="unexplained key",
            text=text,
            keys=(key,),
            rule=ISSUANCE,
            state=State.UNPROVEN,
            severity=Severity.MEDIUM,
        )
    )


def long_deployment(journal: Journal, runs: list[tuple[Session, Session]]) -> None:
    """The last deployment asked for two hours, where the contract gives its class one."""
    journal.stories.append(
        Story(
            name="long deployment",
            text="a deployment's session was issued for two hours; its class allows one",
            keys=(runs[-1][0].key,),
            rule=LIFETIME,
            state=State.VIOLATED,
            severity=Severity.MEDIUM,
            needs_contract=True,
        )
    )


def orphan_forward(journal: Journal, caller: Caller) -> None:
    """A service calls on for the operator two minutes after anything that she did: no candidate parent."""
    key = journal.invent.key("ASIA", MAIN)
    time = at("17:52:00")
    journal.say(forwarded(caller, "cloudformation", key, time), time, calls.DESCRIBE_INSTANCES, VIRGINIA)
    text = "a forward access session without any call beside it: its parent is unknown, and nothing is wrong with that"
    journal.stories.append(Story(name="orphan forward access", text=text, keys=(key,)))
