"""Who may do what: every role at every route, and everything that is no sign-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from custody.settings.broker_file import Limits
from tests.serve.conftest import Service, running
from tests.serve.desk import SUBJECT, asked_id, chain
from tests.serve.running import ROLES, bearer, person

WHY = {"reason": "because"}
IDENTITY = {"identity": "payments", **WHY}
READERS = {"auditor", "operator", "admin"}
ACTORS = {"operator", "admin"}
EVERYBODY = set(ROLES)

ROUTES: list[tuple[str, str, dict[str, str] | None, set[str]]] = [
    ("GET", "/leases", None, READERS),
    ("GET", f"/leases/{chain(1)}", None, READERS),
    ("POST", f"/leases/{chain(1)}/revoke", WHY, ACTORS),
    ("GET", "/requests", None, EVERYBODY),
    ("GET", f"/requests/{asked_id(1)}", None, EVERYBODY),
    ("GET", "/containments", None, READERS),
    ("GET", "/containments/checklist?identity=payments", None, READERS),
    ("POST", "/containments", IDENTITY, ACTORS),
    ("POST", "/containments/enable", IDENTITY, ACTORS),
]


@pytest.mark.parametrize("role", [*ROLES, "nobody"])
@pytest.mark.parametrize(
    ("method", "path", "body", "roles"),
    ROUTES,
    ids=lambda each: str(sorted(each) if isinstance(each, set) else each)[:40],
)
def test_each_role_may_do_what_it_says(
    service: Service, role: str, method: str, path: str, body: dict[str, str] | None, roles: set[str]
) -> None:
    answer = service.client.request(method, path, json=body, headers=person(role))

    if role in roles:
        assert answer.status_code == 200
        assert service.desk.asked
    else:
        assert (answer.status_code, answer.json()["reason"]) == (403, "role-missing")
        assert service.desk.asked == []
    assert service.lines.last()["identity"] == f"person:id.example:{role}"


@pytest.mark.parametrize(
    ("method", "path", "body", "roles"),
    ROUTES,
    ids=lambda each: str(sorted(each) if isinstance(each, set) else each)[:40],
)
def test_nobody_passes_without_a_token(
    service: Service, method: str, path: str, body: dict[str, str] | None, roles: set[str]
) -> None:
    answer = service.client.request(method, path, json=body)

    assert (answer.status_code, answer.json()["reason"]) == (401, "token-missing")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert service.desk.asked == []
    assert roles


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([("authorization", "Bearer must-not-stay-stranger")], "bad-signature"),
        ([("authorization", "Basic must-not-stay")], "malformed"),
        ([("authorization", "Bearer")], "malformed"),
        ([("authorization", "Bearer a b")], "malformed"),
        ([("authorization", "Bearer must-not-stay-admin,must-not-stay-admin")], "malformed"),
        ([("authorization", "Bearer " + "a" * (16 << 10) + "a")], "malformed"),
        ([("authorization", "Bearer must-not-stay-admin"), ("authorization", "Bearer x")], "malformed"),
        ([("cookie", "token=must-not-stay-admin")], "token-missing"),
        ([("x-custody-person", "person:id.example:admin"), ("x-forwarded-user", "admin")], "token-missing"),
    ],
)
def test_what_is_no_sign_in_is_refused(service: Service, headers: list[tuple[str, str]], reason: str) -> None:
    answer = service.client.get("/leases", headers=headers)

    assert (answer.status_code, answer.json()["reason"]) == (401, reason)
    assert "must-not-stay" not in answer.text
    assert b"must-not-stay" not in service.lines.raw[-1]


def test_a_token_in_the_query_is_no_sign_in(service: Service) -> None:
    answer = service.client.get("/leases?access_token=must-not-stay-admin")

    assert answer.status_code == 401


def test_roles_add_up(service: Service) -> None:
    answer = service.client.post(f"/leases/{chain(1)}/revoke", json=WHY, headers=person("auditor.operator"))

    assert answer.status_code == 200


def test_without_an_issuer_of_people_nobody_signs_in(tmp_path: Path) -> None:
    with running(tmp_path, sign_in=None) as service:
        answer = service.client.get("/leases", headers=person("admin"))

    assert (answer.status_code, answer.json()["reason"]) == (401, "no-people")


def test_one_person_is_held_to_a_rate_from_wherever_they_come(tmp_path: Path) -> None:
    with running(tmp_path, limits=Limits(rate=0.001, burst=3)) as service:
        seen = [service.client.get("/leases", headers=person("auditor")) for _ in range(4)]
        probe = service.client.get("/healthz")

    assert [each.status_code for each in seen] == [200, 200, 200, 429]
    assert (seen[3].json()["reason"], int(seen[3].headers["retry-after"]) > 0) == ("rate-limited", True)
    assert probe.status_code == 200


def test_a_rate_meets_the_token_endpoint_in_its_own_form(tmp_path: Path) -> None:
    with running(tmp_path, limits=Limits(rate=0.001, burst=1)) as service:
        service.client.post("/token")
        answer = service.client.post("/token")

    assert (answer.status_code, answer.json()["error"]) == (429, "temporarily_unavailable")
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["retry-after"]) > 100


@pytest.mark.parametrize(("action", "body"), [("renew", WHY), ("complete", None)])
def test_a_workload_is_no_person_and_shows_its_own_token(
    service: Service, action: str, body: dict[str, str] | None
) -> None:
    path = f"/leases/{chain(1)}/{action}"

    assert service.client.post(path, json=body, headers=bearer(SUBJECT)).status_code == 200
    assert service.desk.callers[0].presented.token == SUBJECT.encode()
    refused = service.client.post(path, json=body, headers=person("admin"))
    assert (refused.status_code, refused.json()["reason"]) == (401, "bad-signature")
    missing = service.client.post(path, json=body)
    assert (missing.status_code, missing.json()["reason"]) == (401, "token-missing")
