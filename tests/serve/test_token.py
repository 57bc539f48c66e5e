"""``POST /token``: what reaches the broker, what is handed over, and how each refusal is shown."""

from __future__ import annotations

import msgspec
import pytest

from custody.broker.proof.prover import TOKEN_ACCESS, TOKEN_ID, TOKEN_JWT
from custody.errors import (
    ApprovalNeeded,
    BackendFailed,
    CustodyError,
    EvidenceUnavailable,
    IdentityRefused,
    IntentRefused,
    NotFound,
    PolicyDenied,
)
from custody.model.broker_terms import Intent
from custody.serve.token_form import GRANT
from tests.serve.conftest import Service
from tests.serve.desk import ACCESS, PASSWORD, SUBJECT, asked_id, chain

FORM = {
    "grant_type": GRANT,
    "subject_token": SUBJECT,
    "subject_token_type": TOKEN_JWT,
    "backend": "database",
}
FORM_TYPE = "application/x-www-form-urlencoded"
MANY_DETAILS = "[" + ",".join(['{"type":"a"}'] * 17) + "]"
DETAILS = '[{"type":"payment","amount": 1.0},{"type":"x"}]'


def test_a_credential_that_is_no_token_is_handed_over_in_its_fields(service: Service) -> None:
    answer = service.client.post("/token", data={**FORM, "scope": "read write"})

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "issued_token_type": "custody:postgresql",
        "token_type": "N_A",
        "expires_in": 900,
        "scope": "read write",
        "credential": {"username": "cc_1", "password": PASSWORD},
        "custody": {
            "chain": chain(1),
            "receipt": f"{chain(1)}@12",
            "request": asked_id(1),
            "not_after": "2026-09-21T14:28:20Z",
            "keys": ["db_role:postgresql:cc_1"],
        },
    }


def test_a_token_is_handed_over_as_rfc_8693_says(service: Service) -> None:
    service.desk.token = True
    answer = service.client.post("/token", data=FORM).json()

    assert (answer["access_token"], answer["token_type"]) == (ACCESS, "Bearer")
    assert answer["issued_token_type"] == TOKEN_ACCESS
    assert "credential" not in answer


def test_every_parameter_reaches_the_broker_as_it_was_sent(service: Service) -> None:
    form: dict[str, str | list[str]] = {
        **FORM,
        "actor_token": "must-not-stay-actor",
        "actor_token_type": TOKEN_ID,
        "resource": ["https://a.example/x", "arn:aws:iam::123456789012:role/r"],
        "audience": ["one", "two"],
        "scope": "read write read",
        "requested_token_type": TOKEN_ACCESS,
        "authorization_details": DETAILS,
        "purpose": "nightly run – ü",
        "ticket": "OPS-1",
        "run": "42",
        "ttl": "600",
        "parent": chain(3),
        "reason": "because",
        "unknown": "ignored",
        "empty": "",
    }
    headers = {
        "Idempotency-Key": '"key-1"',
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Client-Cert": "Hash=aa",
    }
    assert service.client.post("/token", data=form, headers=headers).status_code == 200

    assert service.desk.asked == [
        (
            "exchange",
            Intent(
                backend="database",
                resource=("https://a.example/x", "arn:aws:iam::123456789012:role/r"),
                audience=("one", "two"),
                scope=("read", "write"),
                details=('{"type":"payment","amount": 1.0}', '{"type":"x"}'),
                purpose="nightly run – ü",
                ticket="OPS-1",
                run="42",
                ttl=600,
                parent=chain(3),
                reason="because",
            ),
        )
    ]
    caller = service.desk.callers[0]
    assert (caller.presented.token, caller.presented.type) == (SUBJECT.encode(), TOKEN_JWT)
    assert caller.actor is not None
    assert (caller.actor.token, caller.actor.type) == (b"must-not-stay-actor", TOKEN_ID)
    assert (caller.idempotency, caller.trace) == ("key-1", "0af7651916cd43dd8448eb211c80319c")
    assert (caller.origin, caller.presented.certificate) == ("testclient", ())


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"grant_type": None}, "invalid_request", "malformed-grant-type"),
        ({"grant_type": "password"}, "unsupported_grant_type", "grant-type"),
        ({"subject_token": None, "subject_token_type": None}, "invalid_request", "malformed-subject-token"),
        ({"subject_token": None}, "invalid_request", "malformed-subject-token"),
        ({"subject_token": "a b"}, "invalid_request", "malformed-subject-token"),
        ({"subject_token": "a" * (16 << 10) + "a"}, "invalid_request", "malformed-subject-token"),
        ({"subject_token": ["a", "b"]}, "invalid_request", "repeated"),
        ({"subject_token_type": None}, "invalid_request", "malformed-subject-token-type"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request", None),
        ({"actor_token_type": TOKEN_JWT}, "invalid_request", "malformed-actor-token"),
        ({"actor_token": "x"}, "invalid_request", "malformed-actor-token-type"),
        ({"backend": None}, "invalid_request", "malformed-backend"),
        ({"backend": ["a", "b"]}, "invalid_request", "repeated"),
        ({"resource": "/relative"}, "invalid_target", "malformed-resource"),
        ({"resource": "https://a.example/#fragment"}, "invalid_target", "malformed-resource"),
        ({"resource": "https://a.example/\r\nx: y"}, "invalid_target", "malformed-resource"),
        ({"resource": ["https://a.example/"] * 17}, "invalid_target", "too-many-resources"),
        ({"audience": "a\x00b"}, "invalid_target", "malformed-audience"),
        ({"scope": "a  b"}, "invalid_scope", "malformed-scope"),
        ({"scope": 'a"b'}, "invalid_scope", "malformed-scope"),
        ({"scope": "ü"}, "invalid_scope", "malformed-scope"),
        ({"authorization_details": "{}"}, "invalid_authorization_details", "malformed-details"),
        ({"authorization_details": "[1]"}, "invalid_authorization_details", "malformed-details"),
        ({"authorization_details": '[{"kind":"a"}]'}, "invalid_authorization_details", "malformed-details"),
        ({"authorization_details": '[{"type":1}]'}, "invalid_authorization_details", "malformed-details"),
        ({"authorization_details": '[{"type":"a","type":"b"}]'}, "invalid_authorization_details", "malformed-details"),
        ({"authorization_details": "[" * 40 + "]" * 40}, "invalid_authorization_details", "malformed-details"),
        ({"authorization_details": MANY_DETAILS}, "invalid_authorization_details", None),
        ({"ttl": "0"}, "invalid_request", "malformed-ttl"),
        ({"ttl": "-1"}, "invalid_request", "malformed-ttl"),
        ({"ttl": "1e3"}, "invalid_request", "malformed-ttl"),
        ({"ttl": "٣"}, "invalid_request", "malformed-ttl"),
        ({"ttl": "1" * 10}, "invalid_request", "malformed-ttl"),
        ({"parent": "cc-1"}, "invalid_request", "malformed-parent"),
        ({"request": chain(1)}, "invalid_request", "malformed-request"),
        ({"purpose": "a\nb"}, "invalid_request", "malformed-purpose"),
        ({"purpose": "a\u202eb"}, "invalid_request", "malformed-purpose"),
        ({"purpose": "a" * 501}, "invalid_request", "malformed-purpose"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request", None),
        ({f"field{number}": "x" for number in range(64)}, "invalid_request", "malformed"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_the_broker_is_asked(
    service: Service, changes: dict[str, str | list[str] | None], error: str, reason: str | None
) -> None:
    form = {name: value for name, value in {**FORM, **changes}.items() if value is not None}
    answer = service.client.post("/token", data=form)

    shown = answer.json()
    assert (answer.status_code, shown["error"]) == (400, error)
    assert reason in (None, shown["reason"])
    assert len(shown["trace"]) == 32
    assert all(" " <= each <= "~" and each not in '"\\' for each in shown["error_description"])
    assert service.desk.asked == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed-grant-type"),
        (b"\xff=1", "malformed"),
        (b"grant_type=%ff", "malformed"),
        (b"grant_type=" + GRANT.encode() + b"&&&=&=", "malformed-subject-token"),
    ],
)
def test_a_body_that_is_no_form_is_refused(service: Service, body: bytes, reason: str) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = service.client.post("/token", content=body, headers=headers)

    assert (answer.status_code, answer.json()["reason"]) == (400, reason)


@pytest.mark.parametrize("kind", ["application/json", "", "multipart/form-data; boundary=x", "text/plain"])
def test_only_a_form_is_taken(service: Service, kind: str) -> None:
    answer = service.client.post("/token", content=b"grant_type=x", headers={"content-type": kind})

    assert (answer.status_code, answer.json()["reason"]) == (415, "content-type")


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded;charset=UTF-8", "Application/X-WWW-Form-Urlencoded"]
)
def test_the_media_type_may_have_parameters_and_any_case(service: Service, kind: str) -> None:
    body = f"grant_type={GRANT}&subject_token={SUBJECT}&subject_token_type={TOKEN_JWT}&backend=b"

    assert service.client.post("/token", content=body, headers={"content-type": kind}).status_code == 200


CASES: list[tuple[CustodyError, int, str, str]] = [
    (IdentityRefused("the token has expired", reason="token-expired"), 400, "invalid_request", "identity-refused"),
    (IntentRefused("no such scope", reason="unknown-scope"), 400, "invalid_scope", "intent-refused"),
    (IntentRefused("no such audience", reason="unknown-audience"), 400, "invalid_target", "intent-refused"),
    (IntentRefused("not these", reason="unknown-details"), 400, "invalid_authorization_details", "intent-refused"),
    (IntentRefused("no such backend", reason="unknown-backend"), 400, "invalid_request", "intent-refused"),
    (IntentRefused("used", reason="idempotency-key-used"), 400, "invalid_request", "intent-refused"),
    (PolicyDenied("no policy permits it", reason="no-permit-matched"), 400, "access_denied", "denied"),
    (PolicyDenied("too late", reason="lapsed"), 400, "expired_token", "denied"),
    (PolicyDenied("too many", reason="rate-limited"), 429, "temporarily_unavailable", "denied"),
    (BackendFailed("the server failed", reason="timeout"), 502, "server_error", "backend-failed"),
    (EvidenceUnavailable("the disk is full", reason="journal-failed"), 503, "temporarily_unavailable", "no-evidence"),
    (EvidenceUnavailable("another issues", reason="standby"), 503, "temporarily_unavailable", "no-evidence"),
    (NotFound("no such request"), 400, "invalid_grant", ""),
]


@pytest.mark.parametrize(("error", "status", "code", "outcome"), CASES, ids=lambda case: str(case)[:30])
def test_each_error_of_the_broker_has_its_code(
    service: Service, error: CustodyError, status: int, code: str, outcome: str
) -> None:
    before = decisions(service).get(outcome, 0.0)
    with service.desk.failing(error):
        answer = service.client.post("/token", data=FORM)

    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert answer.json()["error_description"].startswith(error.message)
    assert ("retry-after" in answer.headers) == (status in (429, 502, 503))
    assert answer.headers["cache-control"] == "no-store"
    assert service.lines.last()["reason"] == answer.json()["reason"]
    if outcome:
        assert decisions(service)[outcome] == before + 1


def test_who_has_to_wait_for_people_is_told_where_to_ask_again(service: Service) -> None:
    waiting = asked_id(7)
    with service.desk.failing(ApprovalNeeded("two people have to approve", reason="approval-needed", found=waiting)):
        answer = service.client.post("/token", data=FORM)

    shown = msgspec.json.decode(answer.content)
    assert answer.status_code == 400
    assert (shown["error"], shown["request_id"], shown["interval"]) == ("authorization_pending", waiting, 5)
    assert shown["uri"] == f"https://approve.example/requests/{waiting}"

    again = service.client.post("/token", data={**FORM, "request": waiting, "backend": "another"})
    assert again.status_code == 200
    assert service.desk.asked[-1] == ("fetch", waiting)


@pytest.mark.parametrize("key", ["", '""', '"a', "a b", "a" * 256, '"ü"', "a\tb"])
def test_a_key_that_is_none_is_refused(service: Service, key: str) -> None:
    answer = service.client.post("/token", data=FORM, headers=[(b"idempotency-key", key.encode())])

    assert (answer.status_code, answer.json()["reason"]) == (400, "idempotency-key")
    assert service.desk.asked == []


def test_two_keys_are_refused(service: Service) -> None:
    answer = service.client.post("/token", data=FORM, headers=[("idempotency-key", "a"), ("idempotency-key", "b")])

    assert answer.json()["reason"] == "idempotency-key"


def test_no_secret_is_in_a_line_or_in_an_error(service: Service) -> None:
    token = {**FORM, "subject_token": "must-not-stay-wrong", "actor_token": "must-not-stay-x"}
    answers = [
        service.client.post("/token", data={**FORM, "purpose": "p"}),
        service.client.post("/token?subject_token=must-not-stay-query", data=token),
        service.client.post("/token?must-not-stay-query", data={**FORM, "ttl": "must-not-stay-ttl"}),
        service.client.post("/token", data={**FORM, "purpose": ["must-not-stay-1", "must-not-stay-2"]}),
    ]
    with service.desk.failing(RuntimeError("must-not-stay-message")):
        answers.append(service.client.post("/token", data=FORM))

    assert [each.status_code for each in answers] == [200, 400, 400, 400, 500]
    assert answers[-1].json()["error"] == "server_error"
    for each in answers[1:]:
        assert "must-not-stay" not in each.text
    assert b"must-not-stay" not in b"".join(service.lines.raw)
    assert b"must-not-stay" not in service.client.get("/metrics").content


def test_an_unforeseen_error_is_told_to_the_log_by_its_place(service: Service) -> None:
    with service.desk.failing(ZeroDivisionError("must-not-stay")):
        answer = service.client.post("/token", data=FORM)

    told, request = service.lines.all()
    assert (told["event"], told["trace"]) == ("unforeseen", answer.json()["trace"])
    assert str(told["told"]).startswith("ZeroDivisionError at ")
    assert "desk.py" in str(told["told"])
    assert (request["status"], request["reason"]) == (500, "unforeseen")


def decisions(service: Service) -> dict[str, float]:
    """The counter of outcomes."""
    found: dict[str, float] = {}
    for line in service.client.get("/metrics").text.splitlines():
        name, _, value = line.partition(" ")
        if name.startswith("custody_decisions_total{"):
            found[name.split('"')[1]] = float(value)
    return found
