"""The table of grants: what changes and lists tell, as stretches of time, in whatever order they are read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from custody.model.privileges import PrivilegesView, Texts
from custody.model.times import microseconds
from custody.register.privileges import view
from custody.sources import policy_texts
from tests.chains.running import Derived, committed, derived
from tests.register import iam
from tests.register.iam import allow, at, call, created, document, policy_arn, role_key, us

READ = document(allow("s3:GetObject", "arn:aws:s3:::reports/*"))
WRITE = document(allow("s3:*", "arn:aws:s3:::reports/*"))
EDGE, MOVED = policy_arn("edge"), policy_arn("moved")
API = {"kind": "ServiceAccount", "name": "api"}
CI = {"kind": "ServiceAccount", "name": "ci", "namespace": "build"}
INVENTORY = Path(__file__).parents[1] / "cases" / "kubernetes_inventory"


def bound(minute: int, verb: str, subjects: Sequence[Mapping[str, str]] = ()) -> bytes:
    """A call about the binding ``deployers`` of the role ``deploy``."""
    body = {"kind": "RoleBinding", "subjects": list(subjects), "roleRef": {"kind": "Role", "name": "deploy"}}
    return audit(minute, verb, "rolebindings", "deployers", body if verb != "delete" else {"kind": "DeleteOptions"})


def audit(minute: int, verb: str, kind: str, name: str, body: Mapping[str, object]) -> bytes:
    """A call of the Kubernetes API."""
    return json.dumps(
        {
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Request", "stage": "ResponseComplete",
            "auditID": f"00000000-0000-4000-8000-{minute:06d}{iam.hash_of(verb + kind) % 10**6:06d}", "verb": verb,
            "requestURI": f"/apis/rbac.authorization.k8s.io/v1/namespaces/shop/{kind}/{name}",
            "user": {"username": "admin@example.org"},
            "objectRef": {"resource": kind, "namespace": "shop", "name": name, "apiGroup": "rbac.authorization.k8s.io"},
            "responseStatus": {"code": 200}, "requestObject": body,
            "requestReceivedTimestamp": at(minute).replace("Z", ".000000Z"),
        }
    ).encode()  # fmt: skip


def statement(line: int, minute: int, sql: str) -> bytes:
    """A statement in PostgreSQL's log."""
    stamp = at(minute).replace("T", " ").replace("Z", ".000 UTC")
    return json.dumps(
        {
            "timestamp": stamp, "user": "admin", "dbname": "shop", "pid": 200, "remote_host": "192.0.2.5",
            "session_id": "69a55fa1.c8", "line_num": line, "ps": "idle", "session_start": "2026-03-02 08:00:00 UTC",
            "vxid": f"3/{line}", "txid": 0, "error_severity": "LOG", "message": f"statement: {sql}",
            "backend_type": "client backend", "query_id": 0,
        }
    ).encode()  # fmt: skip


def attach(minute: int, role: str, arn: str, event: str | None = None) -> bytes:
    more = {"eventID": event} if event else None
    return call("AttachRolePolicy", minute, {"roleName": role, "policyArn": arn}, more=more)


CHANGES = (
    created("deploy", 0, permissionsBoundary=EDGE),
    call("PutRolePolicy", 1, {"roleName": "deploy", "policyName": "buckets", "policyDocument": READ}),
    call("CreatePolicy", 2, {"policyName": "edge", "policyDocument": WRITE}, {"policy": {"arn": EDGE}}),
    attach(3, "deploy", EDGE),
    attach(4, "deploy", EDGE),
    call("PutRolePolicy", 10, {"roleName": "deploy", "policyName": "buckets", "policyDocument": WRITE}),
    call("DetachRolePolicy", 20, {"roleName": "deploy", "policyArn": EDGE}),
    call("DetachRolePolicy", 21, {"roleName": "deploy", "policyArn": policy_arn("older")}),
    call("DeleteRolePermissionsBoundary", 25, {"roleName": "deploy"}),
    call("UpdateAssumeRolePolicy", 26, {"roleName": "deploy", "policyDocument": iam.SERVICE_TRUST}),
    created("again", 0),
    attach(1, "again", EDGE),
    call("DeleteRole", 5, {"roleName": "again"}),
    created("again", 9),
    created("odd", 0),
    attach(1, "odd", EDGE, "00000000-0000-4000-8000-00000000abcd"),
    attach(2, "odd", EDGE, "00000000-0000-4000-8000-00000000abcd"),
    attach(3, "listed", EDGE),
    call("CreatePolicy", 0, {"policyName": "moved", "policyDocument": READ}, {"policy": {"arn": MOVED}}),
    created("mover", 1),
    attach(2, "mover", MOVED),
    call(
        "CreatePolicyVersion",
        10,
        {"policyArn": MOVED, "policyDocument": WRITE, "setAsDefault": False},
        {"policyVersion": {"versionId": "v2", "isDefaultVersion": False}},
    ),
    call("SetDefaultPolicyVersion", 20, {"policyArn": MOVED, "versionId": "v2"}),
    call("AddUserToGroup", 1, {"userName": "batch", "groupName": "ops"}),
    audit(
        0,
        "create",
        "roles",
        "deploy",
        {"kind": "Role", "rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "update"]}]},
    ),
    bound(1, "create", [API, CI]),
    bound(5, "update", [CI]),
    bound(9, "delete"),
    statement(1, 0, "GRANT SELECT, INSERT ON accounts TO shop"),
    statement(2, 5, "GRANT readers TO shop"),
    statement(3, 9, "REVOKE readers FROM shop"),
)
GROUP = {
    "Path": "/team/", "GroupName": "ops", "GroupId": "AGPAEXAMPLE", "CreateDate": "2026-01-01T08:00:00+00:00",
    "Arn": f"arn:aws:iam::{iam.ACCOUNT}:group/team/ops", "GroupPolicyList": [],
    "AttachedManagedPolicies": [{"PolicyName": "more", "PolicyArn": policy_arn("more")}],
}  # fmt: skip
LISTS = (
    iam.inventory(
        iam.listed_role(
            "listed", attached=[EDGE, policy_arn("more")], inline={"buckets": json.loads(READ)}, boundary=EDGE
        ),
        policies=[iam.listed_policy("more", json.loads(WRITE))],
        groups=[GROUP],
    ),
    json.dumps(json.loads((INVENTORY / "role_binding.json").read_bytes())).encode(),
)


class Estate:
    """The tables of all of the records above, and the texts in them."""

    def __init__(self, case: Derived, texts: Texts) -> None:
        self.case, self.texts = case, texts

    def intervals(self, principal: str) -> list[tuple[object, ...]]:
        """Kind, last word, since and until (minutes of the day of the tests) and how, of each grant."""
        rows = self.case.rows(
            "SELECT kind, what, since, until, since_how FROM grants WHERE principal = "
            f"'{principal}' ORDER BY kind, coalesce(since, 0), coalesce(what, '')"
        )
        return [
            (row["kind"], _word(row["what"]), _minute(row["since"]), _minute(row["until"]), row["since_how"])
            for row in rows
        ]

    def view(self, principal: str, minute: int | None) -> PrivilegesView:
        """What is shown of one principal at a minute of the day of the tests."""
        time = None if minute is None else us(minute)
        (found,) = view.of_principals(self.case.engine, [principal], time, self.texts)
        return found


def _word(what: object) -> str | None:
    return None if what is None else str(what).rpartition("/")[2]


def _minute(time: object) -> int | None:
    return (time - us(0)) // 60_000_000 if isinstance(time, int) else None


@contextmanager
def made(folder: Path, *, backwards: bool) -> Iterator[Estate]:
    files = [*LISTS, iam.lines(*CHANGES[::-1])] if backwards else [iam.lines(*CHANGES), *LISTS]
    kept = committed(folder / "kept", files).kept
    assert kept is not None
    with derived(folder, files) as case:
        assert case.report.skips == 0
        yield Estate(case, lambda source, leaf: policy_texts.texts(source, kept(leaf)))


@pytest.fixture(scope="module", params=[False, True], ids=["in order", "backwards"])
def estate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with made(tmp_path_factory.mktemp("estate"), backwards=request.param) as found:
        yield found


def test_changes_are_stretches_of_time(estate: Estate) -> None:
    assert estate.intervals(role_key("deploy")) == [
        ("boundary", "edge", 0, 25, "observed"),
        ("inline", "buckets", 1, 10, "observed"),
        ("inline", "buckets", 10, None, "observed"),
        ("managed", "older", None, 21, "earlier"),
        ("managed", "edge", 3, 20, "observed"),
        ("trust", None, 0, 26, "observed"),
        ("trust", None, 26, None, "observed"),
    ]


def test_a_change_says_who_made_it_and_with_which_key(estate: Estate) -> None:
    sql = "SELECT DISTINCT by_key, by_principal FROM grants WHERE since_how = 'observed' AND source = 'aws.cloudtrail'"
    builder = f"aws_arn:{iam.ACCOUNT}:arn:aws:iam::{iam.ACCOUNT}:user/builder"

    assert estate.case.rows(sql) == [{"by_key": f"aws_akid:aws:{iam.BUILDER}", "by_principal": builder}]


def test_a_role_of_the_same_name_begins_anew(estate: Estate) -> None:
    assert estate.intervals(role_key("again")) == [
        ("managed", "edge", 1, 5, "observed"),
        ("trust", None, 0, 5, "observed"),
        ("trust", None, 9, None, "observed"),
    ]
    since = estate.case.rows(f"SELECT since FROM principal_starts WHERE principal = '{role_key('again')}'")
    assert since == [{"since": us(9)}]


def test_a_record_in_conflict_gives_no_grant(estate: Estate) -> None:
    assert estate.intervals(role_key("odd")) == [("trust", None, 0, None, "observed")]
    assert {row["principal"] for row in estate.case.rows("SELECT * FROM grant_disputes")} == {role_key("odd")}


def test_a_list_adds_what_no_change_told_and_says_that_it_is_a_list(estate: Estate) -> None:
    assert estate.intervals(role_key("listed")) == [
        ("boundary", "edge", None, None, "inventory"),
        ("inline", "buckets", None, None, "inventory"),
        ("managed", "more", None, None, "inventory"),
        ("managed", "edge", 3, None, "observed"),
        ("trust", None, None, None, "inventory"),
    ]


def test_the_view_at_a_time_has_the_texts_of_that_time(estate: Estate) -> None:
    found = estate.view(role_key("deploy"), 5)

    assert (found.as_of, found.made, found.complete) == (at(5), at(0), False)
    assert {(each.kind, each.since_how) for each in found.grants} == {
        ("boundary", "observed"), ("inline", "observed"), ("managed", "earlier"), ("managed", "observed"),
        ("trust", "observed"),
    }  # fmt: skip
    assert {(each.layer, each.via.rpartition("/")[2], each.actions) for each in found.statements} == {
        ("boundary", "edge", ("s3:*",)),
        ("identity", "inline buckets", ("s3:GetObject",)),
        ("identity", "edge", ("s3:*",)),
    }
    assert found.unresolved == (f"{policy_arn('older')}: its text is in no record",)
    assert [each.who for each in found.trust] == ["Service:ec2.amazonaws.com"]
    assert all(each.approval is None and each.leaf.index > 0 for each in found.grants)


def test_the_view_before_it_was_made_has_nothing(estate: Estate) -> None:
    found = estate.view(role_key("mover"), 0)

    assert (found.grants, found.statements, found.trust, found.made) == ((), (), (), None)


@pytest.mark.parametrize(("minute", "action"), [(5, "s3:GetObject"), (15, "s3:GetObject"), (25, "s3:*")])
def test_versions_of_a_policy_are_followed(estate: Estate, minute: int, action: str) -> None:
    found = estate.view(role_key("mover"), minute)

    assert [each.actions for each in found.statements] == [(action,)]
    assert found.complete


def test_what_a_group_has_its_members_have(estate: Estate) -> None:
    found = estate.view(f"aws_arn:{iam.ACCOUNT}:arn:aws:iam::{iam.ACCOUNT}:user/batch", None)

    assert [(each.kind, each.inherited is not None) for each in found.grants] == [("group", False), ("managed", True)]
    assert [each.actions for each in found.statements] == [("s3:*",)]
    assert found.complete


def test_bindings_of_a_cluster_begin_and_end(estate: Estate) -> None:
    binding = ("role-binding", "deploy", 1)

    assert (*binding, 5, "observed") in estate.intervals("k8s_service_account:-:shop/api")
    assert (*binding, 9, "observed") in estate.intervals("k8s_service_account:-:build/ci")
    found = estate.view("k8s_service_account:-:build/ci", 6)
    assert [(each.actions, each.resources) for each in found.statements] == [(("get", "update"), ("apps/deployments",))]
    assert "rolebindings/shop/deployers" in [each.through for each in found.grants]
    assert any("groups" in each for each in found.outside)


def test_a_listing_of_a_cluster_gives_bindings_whose_rules_may_be_missing(estate: Estate) -> None:
    assert ("role-binding", "view", None, None, "inventory") in estate.intervals("k8s_service_account:-:build/ci")
    found = estate.view("k8s_service_account:-:shop/api", None)
    assert found.unresolved == ("role-binding ClusterRole/view: its text is in no record",)


def test_grants_of_a_database(estate: Estate) -> None:
    assert estate.intervals("db_role:postgresql:shop") == [
        ("database", "SELECT, INSERT ON accounts", 0, None, "observed"),
        ("database", "db_role:postgresql:readers", 5, 9, "observed"),
    ]
    found = estate.view("db_role:postgresql:shop", 6)
    assert {(each.actions, each.resources) for each in found.statements} == {
        (("INSERT", "SELECT"), ("accounts",)), (("as readers",), ("readers",)),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["listed", "aws:role/listed", iam.role_arn("listed"), role_key("listed")])
def test_a_principal_is_found_by_any_of_its_names(estate: Estate, name: str) -> None:
    assert view.principals_of(estate.case.engine, name) == (role_key("listed"),)


def test_times_of_the_tests_are_those_of_the_log() -> None:
    assert us(75) == microseconds("2026-03-02T09:15:00Z")
