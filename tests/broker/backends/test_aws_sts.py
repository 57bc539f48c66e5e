"""Sessions: what is sent of them, what AWS may answer, and what their end may be called."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import boto3
import pytest

from custody.broker.backends.aws_sts import subject, taggable
from custody.errors import BackendFailed, IntentRefused, UsageError
from custody.model.brokered import Effect
from tests.broker.backends import rigs
from tests.broker.backends.rigs import Rig, held

ROLE = "arn:aws:iam::123456789012:role/team/deploy"
SECOND = "arn:aws:iam::123456789012:role/second"


@pytest.fixture
def rig(endpoint: str, tmp_path: Path) -> Iterator[Rig]:
    with rigs.aws_sts(tmp_path, endpoint) as made:
        yield made


class Scripted(BaseHTTPRequestHandler):
    """An endpoint that answers as it is told and remembers what it was sent."""

    sent: list[dict[str, list[str]]]
    answer: tuple[int, str]
    held: threading.Event

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.sent.append(parse_qs(body))
        status, text = self.answer
        if status == 0:
            self.held.wait(5)
        if status > 0:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def scripted(status: int, text: str = "") -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    sent: list[dict[str, list[str]]] = []
    held_ = threading.Event()
    kind = type("One", (Scripted,), {"sent": sent, "answer": (status, text), "held": held_})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        held_.set()
        server.shutdown()
        thread.join()
        server.server_close()


def assumed(rig: Rig, seconds: int = 900) -> str:
    until = datetime.fromtimestamp(rig.clock.now() // 1_000_000 + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
        "<AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:cc</AssumedRoleId>"
        "<Arn>arn:aws:sts::123456789012:assumed-role/deploy/cc</Arn></AssumedRoleUser>"
        "<Credentials><AccessKeyId>ASIAEXAMPLEEXAMPLE00</AccessKeyId><SecretAccessKey>made/must-not-stay"
        f"</SecretAccessKey><SessionToken>token-must-not-stay</SessionToken><Expiration>{until}</Expiration>"
        "</Credentials><PackedPolicySize>6</PackedPolicySize><SourceIdentity>cc</SourceIdentity></AssumeRoleResult>"
        "<ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></AssumeRoleResponse>"
    )


def problem(code: str) -> str:
    return (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>quoted-must-not-stay</Message></Error><RequestId>req-2</RequestId></ErrorResponse>"
    )


def test_the_receipt_is_in_session_name_source_identity_and_tags(rig: Rig) -> None:
    managed = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    role = {
        "arn": ROLE,
        "policy": '{"Version":"2012-10-17"}',
        "policy_arns": [managed],
    }
    with scripted(200, assumed(rig)) as (endpoint, sent):
        backend = rig.other(endpoint_url=endpoint, roles={"deploy": role}, tags={"team": "pay"})
        order = rig.order(identity="pay=runner/ü*", purpose="must-not-go")
        made = backend.issue(order, backend.plan(order))

    (asked,) = [{key: value[0] for key, value in each.items()} for each in sent]
    tags = {asked[f"Tags.member.{n}.Key"]: asked[f"Tags.member.{n}.Value"] for n in range(1, 6)}
    assert tags == {
        "team": "pay",
        "custody-chain": order.chain,
        "custody-broker": "prod-eu",
        "custody-seq": "41",
        "custody-identity": "pay=3d.runner/ü=2a.",
    }
    assert (asked["RoleArn"], asked["RoleSessionName"], asked["SourceIdentity"]) == (ROLE, order.chain, order.chain)
    assert asked["DurationSeconds"] == "900"
    assert asked["Policy"] == role["policy"]
    assert asked["PolicyArns.member.1.arn"] == managed
    transitive = {asked[f"TransitiveTagKeys.member.{n}"] for n in range(1, 5)}
    assert transitive == {"custody-chain", "custody-broker", "custody-seq", "custody-identity"}
    assert "must-not" not in str(asked)
    assert made.server == {
        "arn": "arn:aws:sts::123456789012:assumed-role/deploy/cc",
        "assumed_role_id": "AROAEXAMPLE:cc",
        "request_id": "req-1",
        "expiration": made.server["expiration"],
        "packed_policy_size": "6",
        "source_identity": "cc",
    }
    assert made.keys == ("aws_akid:aws:ASIAEXAMPLEEXAMPLE00",)
    assert made.subject == "aws_arn:123456789012:arn:aws:iam::123456789012:role/deploy"
    assert made.secrets["session_token"].reveal() == "token-must-not-stay"


@pytest.mark.parametrize(
    ("status", "text", "reason", "left_unknown", "found"),
    [
        (403, problem("AccessDenied"), "not-let-in", False, "AccessDenied"),
        (403, problem("ExpiredToken"), "not-let-in", False, "ExpiredToken"),
        (400, problem("Throttling"), "busy", False, "Throttling"),
        (400, problem("PackedPolicyTooLarge"), "failed", False, "PackedPolicyTooLarge"),
        (400, problem("x\ny" * 100), "failed", False, None),
        (500, problem("InternalFailure"), "failed", True, "InternalFailure"),
        (503, "", "failed", True, None),
        (200, "<html>no session</html>", "failed", True, None),
        (200, "", "failed", True, None),
        (200, "not <xml", "failed", True, None),
        (-1, "", "no-answer", True, "ConnectionClosedError"),
        (0, "", "no-answer", True, "ReadTimeoutError"),
    ],
)
def test_what_aws_answers_tells_whether_something_was_made(
    rig: Rig, status: int, text: str, reason: str, left_unknown: bool, found: str | None
) -> None:
    with scripted(status, text) as (endpoint, sent):
        backend, order = rig.other(endpoint_url=endpoint, read_timeout=0.2), rig.order()
        plan = backend.plan(order)
        with pytest.raises(BackendFailed) as failed:
            backend.issue(order, plan)

    assert len(sent) == 1, "a call is never tried twice"
    assert (failed.value.reason, failed.value.left_unknown) == (reason, left_unknown)
    assert found is None or failed.value.found == found
    assert failed.value.__cause__ is None
    assert "must-not-stay" not in str(failed.value)
    assert "\n" not in str(failed.value)
    assert backend.look(held(order, plan)).effect is Effect.WAITING


def test_a_session_is_gone_when_aws_said_that_it_expires_and_not_when_the_broker_had_planned(rig: Rig) -> None:
    with scripted(200, assumed(rig, seconds=960)) as (endpoint, _):
        backend, order = rig.other(endpoint_url=endpoint), rig.order()
        plan = backend.plan(order)
        made = backend.issue(order, plan)
    known, unknown = held(order, plan, made), held(order, plan)

    rig.clock.forward(901)
    assert backend.look(known).effect is Effect.WAITING
    rig.clock.forward(60)
    assert (backend.look(known).effect, backend.look(unknown).effect) == (Effect.GONE, Effect.WAITING)
    rig.clock.forward(900)
    assert backend.look(unknown).effect is Effect.GONE


def test_a_denial_is_attached_taken_off_after_expiry_and_never_called_an_end(rig: Rig, endpoint: str) -> None:
    session = boto3.session.Session("AKIAEXAMPLE", "secret", region_name="eu-west-1")
    iam = session.client("iam", endpoint_url=endpoint)
    try:
        iam.create_role(RoleName="deploy", Path="/team/", AssumeRolePolicyDocument="{}")
        backend = rig.other(deny_older=True)
        order, plan, made = rig.issued()
        one = held(order, plan, made)
        before = backend.look(one)

        backend.end(one)
        backend.end(one)

        name = f"custody-{order.chain}"
        assert iam.list_role_policies(RoleName="deploy")["PolicyNames"] == [name]
        document = iam.get_role_policy(RoleName="deploy", PolicyName=name)["PolicyDocument"]
        (statement,) = document["Statement"]
        issued_before = statement["Condition"]["DateLessThan"].pop("aws:TokenIssueTime")
        assert statement == {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceIdentity": order.chain}, "DateLessThan": {}},
        }
        assert datetime.fromisoformat(issued_before).timestamp() * 1_000_000 > rig.clock.now()
        during = backend.look(one)
        assert (before.effect, before.told["denial"]) == (Effect.WAITING, "not attached")
        assert (during.effect, during.told["denial"]) == (Effect.WAITING, "attached")

        rig.clock.forward(900 + 120)
        backend.end(one)
        backend.end(one)

        assert iam.list_role_policies(RoleName="deploy")["PolicyNames"] == []
        assert backend.look(one).effect is Effect.GONE
    finally:
        iam.close()


def test_a_denial_that_aws_does_not_take_is_a_failure(rig: Rig) -> None:
    backend, order = rig.other(deny_older=True, roles={"deploy": {"arn": SECOND}}), rig.order()
    one = held(order, backend.plan(order))

    with pytest.raises(BackendFailed, match="end"):
        backend.end(one)
    with pytest.raises(BackendFailed, match="not in the broker file"):
        rig.other(deny_older=True, roles={"other": {"arn": SECOND}}).end(one)


ROLES = {
    "deploy": {"arn": ROLE, "resources": ["arn:aws:s3:::bucket", "arn:aws:s3:::both"], "max_ttl": 1800},
    "second": {"arn": SECOND, "resources": ["arn:aws:s3:::both"]},
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"scope": ("deploy",)}, "deploy"),
        ({"scope": (), "resource": ("arn:aws:s3:::bucket",)}, "deploy"),
        ({"scope": (), "resource": (SECOND,)}, "second"),
        ({"scope": ("second",), "resource": ("arn:aws:s3:::both",)}, "second"),
    ],
)
def test_a_role_is_found_by_scope_or_resource(rig: Rig, changes: dict[str, object], expected: str) -> None:
    assert rig.other(roles=ROLES).plan(rig.order(**changes)).scope == (expected,)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scope": (), "resource": ("arn:aws:s3:::both",)}, "several-roles"),
        ({"scope": ("deploy", "second")}, "several-roles"),
        ({"scope": ("deploy",), "resource": (SECOND,)}, "unknown-resource"),
        ({"scope": (), "resource": ("arn:aws:s3:::bucket", SECOND)}, "unknown-resource"),
        ({"scope": (), "resource": ()}, "no-scope"),
        ({"ttl": 899}, "ttl-too-short"),
        ({"ttl": 1801}, "ttl-too-long"),
        ({"identity": "ü*" * 100}, "not-taggable"),
    ],
)
def test_an_order_that_fits_no_single_role_is_refused(rig: Rig, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(IntentRefused) as refused:
        rig.other(roles=ROLES).plan(rig.order(**changes))

    assert refused.value.reason == reason


@pytest.mark.parametrize(("chained", "expected"), [(True, 3600), (False, 7200)])
def test_a_role_that_a_role_assumes_gets_an_hour(rig: Rig, chained: bool, expected: int) -> None:
    backend = rig.other(chained=chained, roles={"deploy": {"arn": ROLE, "max_ttl": 7200}})

    assert backend.max_ttl == min(expected, rig.table.max_ttl)
    assert rig.table.max_ttl == 3600


def test_names_that_tags_cannot_hold_never_become_one_name() -> None:
    names = ["a", "a*", "a=2a.", "a=", "a=3d.", "ａ", "a\n", "a_", "日本", "a b", "/.:+@-"]

    assert len({taggable(name) for name in names}) == len(names)
    assert taggable("/.:+@- _") == "/.:+@- _"


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (ROLE, "aws_arn:123456789012:arn:aws:iam::123456789012:role/deploy"),
        ("arn:aws-cn:iam::123456789012:role/x", "aws_arn:123456789012:arn:aws-cn:iam::123456789012:role/x"),
    ],
)
def test_the_subject_is_the_role_as_logs_name_it(arn: str, expected: str) -> None:
    assert subject(arn) == expected


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"roles": {}}, "roles"),
        ({"roles": {"x": {"arn": "arn:aws:iam::123456789012:user/x"}}}, "roles.x.arn"),
        ({"roles": {"x": {"arn": "arn:aws:iam::1:role/x"}}}, "roles.x.arn"),
        ({"roles": {"x": {"arn": ROLE + "\n"}}}, "roles.x.arn"),
        ({"roles": {"x": {"arn": ROLE, "max_ttl": 100}}}, "roles.x.max_ttl"),
        ({"roles": {"x": {"arn": ROLE, "extra": 1}}}, "options"),
        ({"access_key": None}, "options"),
        ({"tags": {"custody-chain": "x"}}, "tags"),
        ({"endpoint_url": "http://sts.example"}, "endpoint_url"),
        ({"endpoint_url": "http://127.0.0.1.evil.example"}, "endpoint_url"),
        ({"endpoint_url": "file:///etc/passwd"}, "endpoint_url"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(rig: Rig, options: dict[str, object], where: str) -> None:
    with pytest.raises(UsageError) as refused:
        rig.other(**options)

    assert where in refused.value.where


def test_a_session_policy_is_sent_as_the_broker_file_has_it(rig: Rig) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    with scripted(200, assumed(rig)) as (endpoint, sent):
        backend = rig.other(endpoint_url=endpoint, roles={"deploy": {"arn": ROLE, "policy": policy}})
        order = rig.order()
        backend.issue(order, backend.plan(order))

    assert sent[0]["Policy"] == [policy]
