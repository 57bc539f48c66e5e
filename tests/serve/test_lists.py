"""Leases, requests and containments: what is asked of the broker, what is shown, page by page."""

from __future__ import annotations

import pytest

from custody.broker.desk import Page
from custody.errors import ApprovalNeeded, PolicyDenied
from tests.serve.conftest import Service
from tests.serve.desk import PASSWORD, SUBJECT, asked_id, chain
from tests.serve.running import bearer, person

AUDITOR = person("auditor")
OPERATOR = person("operator")


def test_a_lease_is_shown_with_its_times_and_without_its_secret(service: Service) -> None:
    shown = service.client.get(f"/leases/{chain(2)}", headers=AUDITOR).json()

    assert (shown["chain"], shown["standing"], shown["ends"]) == (chain(2), "live", "killed-with-sessions")
    assert (shown["asked"], shown["not_after"]) == ("2026-09-21T14:13:20Z", "2026-09-21T14:28:20Z")
    assert (shown["ended"], shown["effect"]) == (None, None)
    assert service.lines.last()["chain"] == chain(2)


def test_leases_come_page_by_page_until_the_last(service: Service) -> None:
    found: list[str] = []
    path: str | None = "/leases?limit=2&identity=payments&standing=live"
    while path:
        answer = service.client.get(path, headers=AUDITOR)
        found += [each["chain"] for each in answer.json()["items"]]
        path = link(answer.headers.get("link"))
        assert (path is None) == (answer.json()["next"] is None)

    assert found == [chain(number) for number in range(1, 6)]
    assert service.desk.asked == [
        ("leases", (Page(after=after, limit=3), "payments", "live")) for after in (None, chain(2), chain(4))
    ]


def test_requests_are_shown_exactly(service: Service) -> None:
    listed = service.client.get("/requests?state=pending&limit=1", headers=person("approver"))
    shown = service.client.get(f"/requests/{asked_id(1)}", headers=person("approver")).json()

    assert listed.json()["items"] == [shown]
    assert link(listed.headers["link"]) == f"/requests?state=pending&after={asked_id(1)}&limit=1"
    assert (shown["shown"], shown["digest"], shown["needed"]) == ('{"identity":"payments"}', "e" * 64, 2)
    assert service.lines.last()["request"] == asked_id(1)


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("after=" + "a" * 65, "after"),
        ("after=a%0d%0ab", "after"),
        ("standing=dead", "standing"),
        ("standing=null", "standing"),
        ("identity=" + "a" * 301, "identity"),
    ],
)
def test_a_list_is_asked_for_as_it_can_be(service: Service, query: str, key: str) -> None:
    answer = service.client.get(f"/leases?{query}", headers=AUDITOR)

    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed")
    assert key in answer.json()["detail"]
    assert service.desk.asked == []


def test_an_identity_may_be_called_null(service: Service) -> None:
    assert service.client.get("/leases?identity=null", headers=AUDITOR).json()["items"] == []
    assert service.desk.asked == [("leases", (Page(after=None, limit=51), "null", None))]


@pytest.mark.parametrize(
    "query", ["idenity=payments", "identity=a&identity=b", "=", "limit=1&x", "%ff=1", "standing=", "after="]
)
def test_a_misspelt_filter_shows_nothing(service: Service, query: str) -> None:
    answer = service.client.get(f"/leases?{query}", headers=AUDITOR)

    assert (answer.status_code, answer.json()["reason"]) == (400, "unknown-parameter")
    assert service.desk.asked == []


@pytest.mark.parametrize("name", ["cc-1", "cc-" + "u" * 26, "..", "%2e%2e%2fx", "cc-%0d%0a", chain(1).upper()])
@pytest.mark.parametrize("action", ["", "/revoke"])
def test_what_is_no_chain_id_is_not_looked_for(service: Service, name: str, action: str) -> None:
    method = "POST" if action else "GET"
    body = {"reason": "x"} if action else None
    answer = service.client.request(method, f"/leases/{name}{action}", headers=person("admin"), json=body)

    assert answer.status_code in (404, 405)
    assert [what for what, _ in service.desk.asked] in ([], ["leases"])


@pytest.mark.parametrize("path", [f"/leases/{chain(9)}", f"/requests/{asked_id(9)}", "/requests/rq-1"])
def test_what_is_not_there_is_not_found(service: Service, path: str) -> None:
    answer = service.client.get(path, headers=person("admin"))

    assert (answer.status_code, answer.json()["reason"]) == (404, "not-found")


def test_an_operator_ends_a_credential(service: Service) -> None:
    answer = service.client.post(f"/leases/{chain(1)}/revoke", json={"reason": "leaked"}, headers=OPERATOR)

    assert answer.json()["lease"]["standing"] == "ended"
    assert (answer.json()["lease"]["effect"], answer.json()["below"]) == ("gone", [])
    assert service.desk.asked == [("revoke", ("person:id.example:operator", chain(1), "leaked"))]


def test_a_workload_renews_and_gives_back(service: Service) -> None:
    headers = {**bearer(SUBJECT), "Idempotency-Key": "again"}
    renewed = service.client.post(f"/leases/{chain(1)}/renew", json={"reason": "long", "ttl": 60}, headers=headers)
    given = service.client.post(f"/leases/{chain(1)}/complete", headers=headers)

    assert renewed.json()["credential"]["password"] == PASSWORD
    assert renewed.headers["cache-control"] == "no-store"
    assert given.json()["lease"]["ended"] == "2026-09-21T14:13:20.000002Z"
    assert service.desk.asked == [("renew", (chain(1), "long", 60)), ("complete", chain(1))]
    assert [each.idempotency for each in service.desk.callers] == ["again", "again"]


def test_a_renewal_may_need_people(service: Service) -> None:
    with service.desk.failing(ApprovalNeeded("people", reason="approval-needed", found=asked_id(4))):
        answer = service.client.post(f"/leases/{chain(1)}/renew", json={"reason": "x"}, headers=bearer(SUBJECT))

    assert (answer.status_code, answer.json()["request_id"]) == (409, asked_id(4))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"reason":""}',
        b'{"reason":1}',
        b'{"reason":"x","extra":1}',
        b'{"reason":"x","ttl":0}',
        b'{"reason":"x","ttl":"60"}',
        b"\xff",
        b'{"reason":"' + b"a" * 501 + b'"}',
        b"[" * 5000,
    ],
)
def test_a_body_that_does_not_fit_is_refused(service: Service, body: bytes) -> None:
    headers = {**bearer(SUBJECT), "content-type": "application/json"}
    answer = service.client.post(f"/leases/{chain(1)}/renew", content=body, headers=headers)

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["reason"] == "malformed"
    assert service.desk.asked == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_a_body_of_another_kind_is_refused(service: Service, kind: str) -> None:
    headers = {**OPERATOR, "content-type": kind}
    answer = service.client.post(f"/leases/{chain(1)}/revoke", content=b'{"reason":"x"}', headers=headers)

    assert (answer.status_code, answer.json()["reason"]) == (415, "content-type")


def test_containment_and_its_end(service: Service) -> None:
    body = {"identity": "payments", "reason": "stolen", "incident": "INC-1"}
    ended = service.client.post("/containments", json=body, headers=OPERATOR)
    listed = service.client.get("/containments", headers=AUDITOR)
    items = service.client.get("/containments/checklist", params={"identity": "payments"}, headers=AUDITOR)
    enabled = service.client.post(
        "/containments/enable", json={"identity": "payments", "reason": "clean"}, headers=OPERATOR
    )

    who = "person:id.example:operator"
    assert [each["chain"] for each in ended.json()["leases"]] == [chain(number) for number in range(1, 6)]
    assert listed.json()["items"] == [
        {
            "identity": "payments",
            "by": who,
            "reason": "stolen",
            "since": "2026-09-21T14:13:20Z",
            "seq": 9,
            "incident": "INC-1",
        }
    ]
    assert items.json() == enabled.json()
    assert items.json()["items"][0]["grade"] == "proved"
    assert service.desk.asked[0] == ("contain", (who, "payments", "stolen", "INC-1"))


def test_a_checklist_with_open_items_is_refused(service: Service) -> None:
    error = PolicyDenied("the checklist is not shown", reason="checklist-open", found="owner-confirmed")
    with service.desk.failing(error):
        answer = service.client.post(
            "/containments/enable", json={"identity": "payments", "reason": "x"}, headers=OPERATOR
        )

    assert (answer.status_code, answer.json()["reason"]) == (403, "checklist-open")
    assert "owner-confirmed" in answer.json()["detail"]


def test_an_identity_that_could_break_a_line_is_refused(service: Service) -> None:
    body = {"identity": "a\nb", "reason": "x"}

    assert service.client.post("/containments", json=body, headers=OPERATOR).status_code == 400
    assert service.client.get("/containments/checklist", headers=AUDITOR).status_code == 400


def link(header: str | None) -> str | None:
    """The address in a ``Link`` header."""
    if header is None:
        return None
    assert header.endswith('>; rel="next"')
    return header[1:].partition(">")[0]
