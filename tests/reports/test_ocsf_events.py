"""Parts of sealed records as OCSF events: the class of each, its fields, and that hostile text changes neither."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.engine.duck import Cell, Engine
from custody.model.keys import credential_id
from custody.model.records import PARTS_COLUMNS
from custody.model.report import CheckpointRef
from custody.reports.ocsf import events, rows
from tests.reports.hostile import text
from tests.reports.ocsf_schema import Object, at, problems, read
from tests.reports.sample import empty_report

KEY = "aws_akid:aws:ASIAEXAMPLE000000001"
CHILD = "aws_akid:aws:ASIAEXAMPLE000000002"
ROLE = "aws_arn:111122223333:arn:aws:iam::111122223333:role/deploy"
USER = "aws_arn:111122223333:arn:aws:iam::111122223333:user/batch"
SQL = {"string": "VARCHAR", "int64": "BIGINT", "int32": "INTEGER", "bool": "BOOLEAN"}
COLUMNS = {"leaf": "BIGINT", **{name: SQL[kind] for name, kind in PARTS_COLUMNS.items() if name != "row"}}
OF_CREDENTIALS = {
    "key": "VARCHAR", "credential": "VARCHAR", "population": "VARCHAR", "lineage": "VARCHAR", "root": "VARCHAR",
    "parent": "VARCHAR", "not_after": "BIGINT", "issued": "BOOLEAN", "conflicted": "BOOLEAN", "run": "VARCHAR",
    "run_grade": "VARCHAR",
}  # fmt: skip
CHECKPOINT = CheckpointRef(log="example.com/operations", size=40, root="3kFq" + "A" * 39 + "=")
TEXTS = [name for name, kind in PARTS_COLUMNS.items() if kind == "string" and name not in ("stage", "outcome")]

Part = dict[str, Cell]


def part(leaf: int = 1, **more: Cell) -> Part:
    usual: Part = {
        "leaf": leaf, "source": "aws.cloudtrail", "event": f"event-{leaf}", "form": "delivered",
        "time": 1_772_431_301_000_123, "stage": "use", "key": KEY, "service": "s3.amazonaws.com", "action": "GetObject",
        "outcome": "success", "account": "111122223333", "region": "eu-central-1", "origin": "192.0.2.44",
        "principal": ROLE, "console": False,
    }  # fmt: skip
    return {**usual, **more}


def credential(key: str = KEY, **more: Cell) -> Part:
    usual: Part = {
        "key": key, "credential": credential_id(key), "population": "machine", "root": KEY, "issued": True,
        "conflicted": False, "not_after": 1_772_434_901_000_000,
    }  # fmt: skip
    return {**usual, **more}


@cache
def engine() -> Engine:
    """One for all tests here: opening it takes longer than a question."""
    return Engine(threads=1)


def lines(parts: Sequence[Part], credentials: Sequence[Part] = (), where: str = "TRUE") -> list[bytes]:
    engine().table("every_part", COLUMNS, [[each.get(name) for name in COLUMNS] for each in parts])
    engine().table("credentials", OF_CREDENTIALS, [[each.get(name) for name in OF_CREDENTIALS] for each in credentials])
    return list(events(engine(), msgspec.structs.replace(empty_report(), checkpoint=CHECKPOINT), where))


def objects(parts: Sequence[Part], credentials: Sequence[Part] = (), where: str = "TRUE") -> list[Object]:
    found = [read(line) for line in lines(parts, credentials, where)]
    assert [problem for each in found for problem in problems(each)] == []
    return found


def only(parts: Sequence[Part], credentials: Sequence[Part] = ()) -> Object:
    (found,) = objects(parts, credentials)
    return found


@pytest.mark.parametrize(
    ("stage", "effect", "action", "class_uid", "activity"),
    [
        ("use", None, "GetObject", 6003, 2),
        ("use", None, "ListBuckets", 6003, 2),
        ("use", None, "CreateBucket", 6003, 1),
        ("use", None, "UpdateStack", 6003, 3),
        ("use", None, "DeleteBucket", 6003, 4),
        ("use", None, "InvokeModel", 6003, 99),
        ("use", None, "SELECT", 6003, 2),
        ("use", None, "delete pods", 6003, 4),
        ("use", None, "", 6003, 99),
        ("issue", None, "AssumeRole", 6003, 1),
        ("refresh", None, "update", 6003, 3),
        ("revoke", "credential.revoke", "update", 6003, 4),
        ("revoke", "sessions.revoke", "PutRolePolicy", 6003, 4),
        ("revoke", "key.deactivate", "UpdateAccessKey", 3001, 99),
        ("expire", "credential.expire", "revoked lease", 3002, 2),
        ("start", "session.open", "connection authorized", 3002, 1),
        ("end", "session.close", "disconnection", 3002, 2),
        ("start", "console.login", "ConsoleLogin", 3002, 1),
        ("change", "user.create", "CreateUser", 3001, 1),
        ("end", "user.delete", "DeleteUser", 3001, 6),
        ("end", "role.delete", "DeleteRole", 3004, 4),
        ("change", "trust.change", "UpdateAssumeRolePolicy", 3004, 3),
        ("change", "policy.attach", "AttachRolePolicy", 3004, 3),
        ("change", "grant.create", "CREATE ROLE", 3004, 1),
        ("start", "run.start", "START", 6002, 3),
        ("end", "pod.delete", "delete pods", 6002, 4),
        ("approve", "approval.grant", "granted", 6003, 99),
        ("request", "approval.request", "requested", 6003, 99),
        ("inventory", "inventory.role", "list", 3004, 99),
        ("inventory", "digest.period", "DeliverDigest", 1008, 3),
        ("inventory", "flow", "ACCEPT", 4001, 6),
        ("change", "secret.exposed", "alert", 6003, 99),
        (None, None, "DescribeInstances", 6003, 2),
    ],
)
def test_the_class_and_activity_follow_from_stage_effect_and_operation(
    stage: str | None, effect: str | None, action: str, class_uid: int, activity: int
) -> None:
    found = only([part(stage=stage, effect=effect, action=action, key=ROLE)])

    assert (found["class_uid"], found["activity_id"]) == (class_uid, activity)
    assert found["type_uid"] == class_uid * 100 + activity


def test_a_policy_attached_to_a_user_is_a_change_of_the_user() -> None:
    found = only([part(stage="change", effect="policy.attach", key=USER)])

    assert (found["class_uid"], found["activity_id"]) == (3001, 7)
    assert at(found, "user", "name") == "batch"


def test_a_run_that_a_call_started_is_that_call() -> None:
    found = only(
        [part(action="RunInstances"), part(action="RunInstances", stage="start", effect="instance.run", key=ROLE)]
    )

    assert (found["class_uid"], found["activity_id"]) == (6003, 1)


def test_a_post_says_nothing_of_what_it_did() -> None:
    assert only([part(source="envoy.access", action="POST")])["activity_id"] == 99
    assert only([part(source="envoy.access", action="GET")])["activity_id"] == 2


def test_an_issue_by_a_credential_names_both() -> None:
    parts = [
        part(action="AssumeRole", service="sts.amazonaws.com"),
        part(
            action="AssumeRole", service="sts.amazonaws.com", stage="issue", key=CHILD, parent=KEY, not_after=1_000_000
        ),
    ]
    found = only(parts, [credential(), credential(CHILD, parent=KEY, root=KEY, lineage="l-0000000000000001")])

    assert at(found, "metadata", "correlation_uid") == credential_id(CHILD)
    assert at(found, "actor", "user", "credential_uid") == credential_id(KEY)
    assert at(found, "actor", "user", "type_id") == 4
    assert at(found, "resources", 0, "uid") == "ASIAEXAMPLE000000002"
    chain = at(found, "unmapped", "nhi_evidence", "chain")
    assert isinstance(chain, dict)
    assert (chain["root"], chain["parent_credential"]) == (KEY, credential_id(KEY))
    stages = [at(found, "unmapped", "nhi_evidence", "parts", place, "stage") for place in (0, 1)]
    assert sorted(map(str, stages)) == ["issue", "use"]


def test_every_event_cites_its_leaf_and_the_checkpoint() -> None:
    found = only([part(leaf=17)])

    assert at(found, "metadata", "uid") == "operations:17"
    assert at(found, "metadata", "original_event_uid") == "event-17"
    log = {"leaf": 17, "origin": CHECKPOINT.log, "size": CHECKPOINT.size, "root": CHECKPOINT.root}
    assert at(found, "unmapped", "nhi_evidence", "log") == log
    assert found["time"] == 1_772_431_301_000


def test_who_asserts_and_how_it_is_joined_is_said() -> None:
    def told(issued: bool = True, **more: Cell) -> tuple[object, object]:
        found = only([part(1, **more)], [credential(issued=issued)])
        first = at(found, "unmapped", "nhi_evidence", "parts", 0)
        return at(first, "asserter"), at(first, "grade")

    assert told() == ("verifier", "exact")
    assert told(stage="issue") == ("issuer", "exact")
    assert told(issued=False) == ("verifier", "none")
    assert told(stage="change", asserter="self-reported", key=ROLE) == ("self-reported", None)


@pytest.mark.parametrize(
    ("outcome", "stage", "status"),
    [
        ("success", "use", 1),
        ("denied", "use", 2),
        ("error", "use", 2),
        ("success", "request", 0),
        ("denied", "request", 2),
    ],
)
def test_what_was_asked_for_is_not_called_granted(outcome: str, stage: str, status: int) -> None:
    assert only([part(outcome=outcome, stage=stage, error=None)])["status_id"] == status


@pytest.mark.parametrize(
    ("origin", "endpoint"),
    [
        ("192.0.2.44", {"ip": "192.0.2.44"}),
        ("2001:db8::1", {"ip": "2001:db8::1"}),
        ("192.0.2.200:443", {"ip": "192.0.2.200", "port": 443}),
        ("ec2.amazonaws.com", {"svc_name": "ec2.amazonaws.com"}),
        ("AWS Internal", {"name": "AWS Internal"}),
        ("fe80::1%eth0", {"name": "fe80::1%eth0"}),
        ("999.1.1.1", {"name": "999.1.1.1"}),
        (None, {"name": "Unknown"}),
    ],
)
def test_an_origin_is_an_address_only_where_it_is_one(origin: str | None, endpoint: object) -> None:
    assert only([part(origin=origin)])["src_endpoint"] == endpoint


def test_a_cloud_is_named_only_where_the_source_is_of_one() -> None:
    aws, other = only([part()]), only([part(source="vault.audit", account="team-a")])

    assert at(aws, "cloud", "provider") == "AWS"
    assert at(aws, "metadata", "profiles") == ["cloud"]
    assert "cloud" not in other
    assert at(other, "metadata", "profiles") is None


def test_the_decision_and_the_trace_stand_where_ocsf_has_them() -> None:
    found = only([part(policy="two-person/3", trace="0af7651916cd43dd8448eb211c80319c", outcome="denied")])

    assert at(found, "actor", "authorizations", 0) == {"decision": "Deny", "policy": {"uid": "two-person/3"}}
    assert at(found, "trace", "uid") == "0af7651916cd43dd8448eb211c80319c"


def test_events_of_one_record_are_apart_and_in_one_order() -> None:
    parts = [part(leaf=5, time=1_000_000 + second * 1_000_000, action=f"Get{second}") for second in range(4)]
    parts += [part(leaf=5, time=1_000_000, action="Get0", stage="change", effect="tool.call", key=ROLE), part(leaf=4)]
    shuffled = parts[:]
    random.Random(1).shuffle(shuffled)

    found = objects(parts)
    assert lines(shuffled) == lines(parts)
    uids = [at(each, "metadata", "uid") for each in found]
    assert uids == ["operations:4", "operations:5", "operations:5/1", "operations:5/2", "operations:5/3"]


def test_a_stretch_at_a_time_gives_what_all_at_once_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [part(leaf=leaf) for leaf in (3, 4, 9, 10, 11, 30)]
    whole = lines(parts)
    monkeypatch.setattr(rows, "STRETCH", 2)

    assert lines(parts) == whole
    assert len(whole) == 6


def test_only_what_is_wanted_comes_out() -> None:
    parts = [part(leaf=leaf, time=leaf * 1_000_000) for leaf in range(6)]

    assert [each["time"] for each in objects(parts, where='leaf >= 4 AND "time" >= 5000000')] == [5000]
    assert objects(parts, where="leaf > 100") == []
    assert objects([]) == []


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {name: st.none() | text for name in TEXTS},
            optional={"stage": st.sampled_from(["use", "issue", "start", "change", "expire", "inventory", None])},
        ),
        max_size=4,
    ),
    st.sampled_from([None, "user.create", "policy.put", "session.open", "flow", "digest.file", "run.end", "made.up"]),
)
def test_hostile_text_never_breaks_an_object(given_parts: list[dict[str, str | None]], effect: str | None) -> None:
    parts = []
    for leaf, each in enumerate(given_parts):
        clean = {
            name: None if value is None else value.encode("utf-8", "replace").decode() for name, value in each.items()
        }
        needed = {name: clean[name] or "-" for name in ("source", "event", "service", "action")}
        parts.append(part(leaf, **{**clean, **needed, "effect": effect or clean["effect"]}))

    assert len(objects(parts)) == len(parts)
