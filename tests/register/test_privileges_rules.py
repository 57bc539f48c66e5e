"""The rules about privileges, over one estate, and the judgement of what no short record can bring about."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from custody.model.contracts import EMPTY
from custody.model.verdicts import Finding, State, Verdict
from custody.rules import judging, over_granted, privilege_known
from custody.rules.registry import load
from custody.settings.contract import read_contract
from tests.chains.running import Derived, derived
from tests.register import iam
from tests.register.iam import allow, assumed, call, created, document, listed_role, policy_arn, role_key, used

DAY = 24 * 60
QUESTION = "privilege known at the time"
READ = document(allow("s3:GetObject", "arn:aws:s3:::reports/*"))
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
PROVIDER = "token.actions.githubusercontent.com"
APPROVED = "AKIAAPPROVED00000001"

CONTRACT = """
classes:
  guarded: {match: {subject: "aws:role/guarded"}, approval: {by: "group:owners", count: 1}}
"""


def token_trust(**condition: object) -> str:
    """A trust policy for tokens of a code host."""
    principal = {"Federated": f"arn:aws:iam::{iam.ACCOUNT}:oidc-provider/{PROVIDER}"}
    action = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRoleWithWebIdentity"}
    return document({**action, "Condition": condition} if condition else action)


def put(minute: int, role: str, name: str, text: str, key: str = iam.BUILDER) -> bytes:
    """An inline policy that is put."""
    return call("PutRolePolicy", minute, {"roleName": role, "policyName": name, "policyDocument": text}, key=key)


def key_of(role: str, number: int = 1) -> str:
    return f"ASIA{role.upper():A<12.12}{number:04d}"


def issued(role: str, minute: int = 10, number: int = 1, **request: object) -> bytes:
    return assumed(role, minute, key_of(role, number), **request)


APPROVAL = {
    "specversion": "1.0", "id": "e-1", "source": "https://approvals.example.org/change",
    "type": "org.example.approval.granted", "time": "2026-03-02T08:00:30Z",
    "data": {"request": "CR-1", "target": f"aws_akid:aws:{APPROVED}", "approver": "ann@example.com"},
}  # fmt: skip
SUBJECT = f"{PROVIDER}:sub"
PEOPLE = json.loads(
    document(
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{iam.ACCOUNT}:root"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    )
)
RECORDS = (
    created("whole", 0),
    put(1, "whole", "buckets", READ),
    issued("whole"),
    issued("whole", 11, 2, policy=READ),
    issued("whole", 1, 3),
    used("whole", 40 * DAY, key_of("whole"), "s3", "ListBuckets"),
    created("missing", 0),
    call("AttachRolePolicy", 1, {"roleName": "missing", "policyArn": policy_arn("gone")}),
    issued("missing"),
    issued("never"),
    issued("listed"),
    created("admin", 0),
    call("AttachRolePolicy", 1, {"roleName": "admin", "policyArn": ADMIN}),
    issued("admin"),
    created("star", 0, permissionsBoundary=policy_arn("unread")),
    put(1, "star", "all", document(allow("*"))),
    issued("star"),
    created("power", 0),
    put(1, "power", "pass", document(allow("iam:PassRole"))),
    issued("power"),
    created("idle", 0),
    put(1, "idle", "wide", document(allow(["ec2:*", "rds:*", "sqs:*", "s3:*"]))),
    issued("idle"),
    used("idle", 12, key_of("idle"), "rds", "DescribeDBInstances"),
    created("narrow", 0, token_trust(StringEquals={SUBJECT: "repo:example-org/shop:ref:refs/heads/main"})),
    issued("narrow"),
    created("open", 0, token_trust(StringEquals={f"{PROVIDER}:aud": "sts.amazonaws.com"})),
    issued("open"),
    created("pattern", 0, token_trust(StringLike={SUBJECT: ["repo:example-org/shop:*"]})),
    issued("pattern"),
    created("guarded", 0),
    put(2, "guarded", "first", READ),
    put(3, "guarded", "second", READ, key=APPROVED),
    issued("guarded"),
)
FILES = (
    iam.lines(*RECORDS),
    iam.inventory(
        listed_role("listed", inline={"buckets": json.loads(READ)}, last_used="2025-06-01T08:00:00+00:00"),
        listed_role("asleep", last_used="2025-06-01T08:00:00+00:00"),
        listed_role("awake", last_used="2025-11-01T08:00:00+00:00"),
        listed_role("persons", last_used="2025-06-01T08:00:00+00:00", trust=PEOPLE),
        listed_role("AWSServiceRoleForThing", last_used="2025-06-01T08:00:00+00:00", path="/aws-service-role/thing/"),
        listed_role("unread"),
    ),
    json.dumps(APPROVAL).encode() + b"\n",
)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Derived]:
    folder = tmp_path_factory.mktemp("estate")
    (folder / "contract.yaml").write_text(CONTRACT)
    with derived(folder, FILES, read_contract(folder / "contract.yaml")) as case:
        assert case.report.skips == 0
        yield case


def known(case: Derived, role: str, number: int = 1) -> Verdict:
    return case.verdicts()[key_of(role, number)][QUESTION]


def findings(case: Derived, rule: str) -> dict[str, Finding]:
    """The findings of a rule by the last word of whom they are about."""
    return {each.who.rpartition("/")[2]: each for each in case.report.findings if each.rule == rule}


@pytest.mark.parametrize(
    ("role", "number", "best", "words"),
    [
        ("whole", 1, "indicated", "inline buckets; trust; the trail is not proved whole since it, its groups"),
        ("whole", 2, "indicated", "its session policy (inline) takes something away"),
        ("whole", 3, "indicated", "they changed about when it was issued"),
        ("missing", 1, "indicated", "not resolved: arn:aws:iam::111122223333:policy/gone: its text is in no record"),
        ("listed", 1, "indicated", "since when is not known: its making was not seen"),
        ("never", 1, "nothing", "no grant of its principal was read"),
    ],
)
def test_what_is_known_is_said_and_what_is_missing(
    estate: Derived, role: str, number: int, best: str, words: str
) -> None:
    found = known(estate, role, number)

    assert (found.state, found.best) == (State.UNPROVEN, best)
    assert words in found.text
    assert found.settles is not None
    assert bool(found.leaves) is (best == "indicated")


def test_a_history_in_a_trail_that_is_proved_whole_is_proved(estate: Derived) -> None:
    """The table of whole stretches comes from signed digests, which other tests make; here it is filled by hand."""
    whole = f"('aws.cloudtrail', '{iam.ACCOUNT}', 'us-east-1', {iam.us(0)}, {iam.us(60)})"
    estate.engine.run(f"INSERT INTO whole_periods VALUES {whole}")
    judging.prepare(estate.engine, load(), iam.us(60))
    try:
        found = known(estate, "whole")
        assert (found.state, found.basis) == (State.PROVED, "closed-world")
        assert "every grant since it was made at 2026-03-02T08:00:00Z: inline buckets; trust" in found.text
        assert len(found.leaves) == 3
        others = (
            known(estate, "whole", 2),
            known(estate, "whole", 3),
            known(estate, "missing"),
            known(estate, "listed"),
        )
        assert {each.state for each in others} == {State.UNPROVEN}
    finally:
        estate.engine.run("DELETE FROM whole_periods")
        judging.prepare(estate.engine, load(), iam.us(60))


def versioned(name: str, minute: int, event: str = "CreatePolicy") -> bytes:
    """A managed policy that is made, or a version of it."""
    request = {"policyName": name, "policyArn": policy_arn(name), "policyDocument": READ, "setAsDefault": True}
    response = {"policy": {"arn": policy_arn(name)}, "policyVersion": {"versionId": "v2", "isDefaultVersion": True}}
    return call(event, minute, request, response)


def member(user: str, group: str) -> tuple[bytes, ...]:
    """A user with a key, in a group that gets an inline policy."""
    key = f"AKIA{user.upper():A<16.16}"
    answer = {"accessKey": {"userName": user, "accessKeyId": key, "status": "Active"}}
    arn = f"arn:aws:iam::{iam.ACCOUNT}:user/{user}"
    return (
        call("CreateUser", 1, {"userName": user}, {"user": {"arn": arn, "userName": user}}),
        call("AddUserToGroup", 2, {"userName": user, "groupName": group}),
        call("PutGroupPolicy", 3, {"groupName": group, "policyName": "buckets", "policyDocument": READ}),
        call("CreateAccessKey", 10, {"userName": user}, answer),
    )


def test_groups_and_policies_from_before_the_whole_trail_keep_it_from_being_proved(tmp_path: Path) -> None:
    """What they were before it is not seen: a version between, a policy of the group."""
    attached = [
        call("AttachRolePolicy", 2, {"roleName": role, "policyArn": policy_arn(role)}) for role in ("older", "newer")
    ]
    group = {"arn": f"arn:aws:iam::{iam.ACCOUNT}:group/seen", "groupName": "seen"}
    records = (
        versioned("older", -500),
        *(created(role, 1) for role in ("older", "newer")),
        versioned("newer", 1),
        *attached,
        *(issued(role) for role in ("older", "newer")),
        call("CreateGroup", 1, {"groupName": "seen"}, {"group": group}),
        *member("inseen", "seen"),
        *member("inunseen", "unseen"),
    )
    (tmp_path / "contract.yaml").write_text(
        'classes:\n  users: {match: {subject: "aws:user/in*"}, population: machine}\n'
    )
    with derived(tmp_path, [iam.lines(*records)], read_contract(tmp_path / "contract.yaml")) as case:
        whole = f"('aws.cloudtrail', '{iam.ACCOUNT}', 'us-east-1', {iam.us(0)}, {iam.us(60)})"
        case.engine.run(f"INSERT INTO whole_periods VALUES {whole}")
        judging.prepare(case.engine, load(), iam.us(60))
        found = {key: each[QUESTION] for key, each in case.verdicts().items()}

    told = {key[4:10]: each.state.value for key, each in found.items() if not key.startswith("AKIAB")}
    assert told == {"OLDERA": "unproven", "NEWERA": "proved", "INSEEN": "proved", "INUNSE": "unproven"}


ROW = privilege_known.Row(
    key="aws_akid:aws:ASIA", method="AssumeRole", issue_leaf=9, issue_disputed=False, grants=2, known=2,
    told="inline a; trust", unresolved=None, observed=True, made=iam.us(0), made_leaf=1, grant_leaves=[1, 2],
    fresh=False, late=False, whole=True, in_dispute=False, session_policy=None, declared=None, declared_total=None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({}, "proved", "no session policy"),
        ({"issue_disputed": True}, "unproven", "the issuing record is in conflict"),
        ({"in_dispute": True}, "unproven", "a record of a change is in conflict"),
        ({"observed": False}, "unproven", "its making was not seen"),
        ({"made": None}, "unproven", "its making was not seen"),
        ({"late": True}, "unproven", "they changed about when"),
        ({"issue_leaf": None}, "unproven", "whether a session policy"),
        ({"method": "CreateSession"}, "unproven", "whether a session policy"),
        ({"whole": False}, "unproven", "not proved whole"),
        (
            {"grants": None, "declared": "s3:GetObject", "declared_total": 3},
            "unproven",
            "and 2 more, says the register",
        ),
    ],
)
def test_one_thing_that_is_missing_keeps_it_from_being_proved(
    change: dict[str, object], state: str, words: str
) -> None:
    found = privilege_known.judge(msgspec.structs.replace(ROW, **change), EMPTY)

    assert found.state == state
    assert words in found.text


def test_what_is_wide_is_told_once_an_identity(estate: Derived) -> None:
    found = findings(estate, "over-granted")

    assert {name: each.severity.value for name, each in found.items()} == {
        "admin": "medium", "star": "low", "power": "medium", "idle": "low",
    }  # fmt: skip
    assert "AdministratorAccess allows everything on everything" in found["admin"].text
    assert "a permissions boundary whose text is not known may narrow it" in found["star"].text
    assert "iam:PassRole on every resource" in found["power"].text
    assert "all of ec2, of which no use was seen in 39 d 23 h 59 m of" in found["idle"].text
    assert all(each.state is State.UNPROVEN and each.leaves for each in found.values())


def test_no_use_counts_only_over_a_month() -> None:
    row = over_granted.Row("x", "x", None, None, None, "ec2", None, over_granted.MONTH - 1, [1])

    assert over_granted.judge(row, EMPTY) is None
    assert over_granted.judge(msgspec.structs.replace(row, period=over_granted.MONTH), EMPTY) is not None


def test_a_trust_that_strangers_fit_weighs_more_than_a_pattern(estate: Derived) -> None:
    found = findings(estate, "open-trust")

    assert {name: each.severity.value for name, each in found.items()} == {"open": "medium", "pattern": "low"}
    assert f"any subject of {PROVIDER} may take it on" in found["open"].text
    assert "like repo:example-org/shop:* may take it on" in found["pattern"].text


def test_a_role_of_machines_that_its_list_calls_idle_is_told(estate: Derived) -> None:
    found = findings(estate, "unused-identity")

    assert {name: each.severity.value for name, each in found.items()} == {"asleep": "low"}
    assert "last used at 2025-06-01T08:00:00Z, 214 d or more before the list was made" in found["asleep"].text
    assert found["asleep"].leaves


def test_a_grant_without_approval_is_told_once_a_change(estate: Derived) -> None:
    found = [each for each in estate.report.findings if each.rule == "grant-without-approval"]

    assert sorted((each.text.split(" at ")[0], each.severity.value) for each in found) == [
        ("policy.put first", "medium"),
        ("role.create trust", "medium"),
    ]
    assert all("by group:owners, and none was read that reaches this change" in each.text for each in found)
    assert len({each.id for each in found}) == 2


def test_the_approval_that_reaches_a_change_stands_beside_it(estate: Derived) -> None:
    rows = estate.rows(
        "SELECT what, approver, approval_grade, approval_asserter FROM grants WHERE approval_leaf IS NOT NULL"
    )

    assert rows == [
        {
            "what": "second",
            "approver": "person:https%3A//approvals.example.org/change:ann@example.com",
            "approval_grade": "exact",
            "approval_asserter": "issuer",
        }
    ]


def test_no_contract_asks_for_no_approval(tmp_path: Path) -> None:
    with derived(tmp_path, [iam.lines(created("guarded", 0), issued("guarded"))]) as case:
        assert [each for each in case.report.findings if each.rule == "grant-without-approval"] == []


def test_principals_are_those_that_the_log_names() -> None:
    assert role_key("whole").endswith(":role/whole")
