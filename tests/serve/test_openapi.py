"""The OpenAPI document, and schemathesis on it: no 500, and every answer is one that the document describes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import negative_data_rejection

from custody.serve.app import build
from custody.serve.documentation import openapi
from custody.serve.routes import DESCRIBED
from tests.serve.conftest import Service
from tests.serve.desk import SUBJECT, Script, asked_id, chain
from tests.serve.running import PUSH, parts_of

Node = dict[str, object]
AnyCase = Case[Any]


@pytest.fixture(scope="module")
def document() -> Node:
    """The document."""
    return msgspec.json.decode(openapi("1.2.3"), type=dict[str, object])


def operations(document: Node) -> Iterator[tuple[str, str, Node]]:
    for path, item in cast("dict[str, dict[str, Node]]", document["paths"]).items():
        for method, operation in item.items():
            yield method, path, operation


def test_the_document_has_every_route(document: Node) -> None:
    declared = {
        (method.lower(), path.replace(":str", ""))
        for each in DESCRIBED
        for path in each.paths
        for method in each.http_methods
    }

    assert {(method, path) for method, path, _ in operations(document)} == declared
    assert (document["openapi"], cast("Node", document["info"])["version"]) == ("3.1.0", "1.2.3")


def test_every_operation_says_who_may_what_it_does_and_how_it_fails(document: Node) -> None:
    names = [str(operation["operationId"]) for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for method, path, operation in operations(document):
        responses = cast("dict[str, Node]", operation["responses"])
        assert operation["summary"], path
        assert "security" in operation, path
        assert {"200"} <= set(responses), path
        assert ("413" in responses) == ("requestBody" in operation), (method, path)
        for status, response in responses.items():
            kinds = set(cast("Node", response.get("content", {})))
            if int(status) >= 400 and path not in ("/token", "/healthz", "/readyz"):
                assert "application/problem+json" in kinds, (path, status)


def test_every_reference_leads_somewhere(document: Node) -> None:
    raw = openapi("1.2.3").decode()
    schemas = cast("Node", cast("Node", document["components"])["schemas"])
    wanted = {part.partition('"')[0] for part in raw.split("#/components/schemas/")[1:]}

    assert wanted <= set(schemas)
    schemes = set(cast("Node", cast("Node", document["components"])["securitySchemes"]))
    used = {name for _, _, each in operations(document) for one in cast("list[Node]", each["security"]) for name in one}
    assert used == schemes


def test_the_document_is_given_as_json(service: Service) -> None:
    answer = service.client.get("/docs/openapi.json")

    assert answer.headers["content-type"] == "application/vnd.oai.openapi+json"
    assert answer.content == openapi("1.2.3")


def test_the_page_has_every_operation_and_nothing_from_elsewhere(service: Service, document: Node) -> None:
    answer = service.client.get("/docs")

    for method, path, operation in operations(document):
        assert f"<code>{method.upper()} {path}</code>" in answer.text
        assert f"<td>{operation['description']}</td>" in answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in answer.text
    assert "://" not in answer.text
    assert "style-src 'sha256-" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "path", "who"),
    [
        ("POST", "/token", "A workload, by its token or client certificate"),
        ("GET", "/leases", "Roles: admin, auditor, operator"),
        ("POST", "/leases/{chain}/revoke", "Roles: admin, operator"),
        ("POST", "/leases/{chain}/renew", "The workload that holds the credential, by its token or client certificate"),
        ("GET", "/requests/{name}", "Roles: admin, approver, auditor, operator"),
        ("POST", "/intake/{name}", "Who has the token of the intake"),
        ("GET", "/readyz", "Anybody who reaches the service"),
    ],
)
def test_the_page_says_who_may(service: Service, method: str, path: str, who: str) -> None:
    row = service.client.get("/docs").text.partition(f"<code>{method} {path}</code>")[2].partition("</tr>")[0]

    assert f"<td>{who}</td>" in row


PROOFS = {
    "/intake/{name}": PUSH,
    "/intake/{name}/v1/{signal}": PUSH,
    "/v1/{signal}": PUSH,
    "/leases/{chain}/renew": SUBJECT,
    "/leases/{chain}/complete": SUBJECT,
}
THERE = {"chain": chain(1), "name": "cluster"}


def meant(case: AnyCase, number: int) -> None:
    """Let every other case be about something that is there, with a proof that is one."""
    path = case.operation.path
    parameters = cast("dict[str, object]", case.path_parameters or {})
    there = {**THERE, "name": asked_id(1)} if path.startswith("/requests") else THERE
    if number % 2:
        case.path_parameters = {name: there.get(name, value) for name, value in parameters.items()}
    if isinstance(case.body, dict) and isinstance(case.body.get("ttl"), float):
        case.body["ttl"] = 459  # to JSON Schema 459.0 is an integer
    if path == "/token" and isinstance(case.body, dict):
        proved = {"subject_token": SUBJECT, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}
        told = "a text that prints"
        texts: dict[str, Any] = {
            name: told for name in ("backend", "purpose", "ticket", "run", "reason") if name in case.body
        }
        case.body = {**case.body, **proved, **texts}
        if "audience" in case.body:
            case.body["audience"] = [told]
        for name in ("authorization_details", "resource"):  # their grammar is beyond a schema
            case.body.pop(name, None)


def played(folder: Path, examples: int, mode: GenerationMode) -> int:
    """Call every operation so many times; gives how often in all."""
    schema = schemathesis.openapi.from_asgi("/docs/openapi.json", build(Script(), parts_of(folder)))
    calls = count()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        takes = any(True for _ in operation.iter_parameters()) or operation.body
        if mode is GenerationMode.NEGATIVE and not takes:
            continue
        given_ = given(case=operation.as_strategy(generation_mode=mode))
        patience = settings(
            max_examples=examples,
            database=None,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        patience(given_(called(PROOFS.get(operation.path, "must-not-stay-admin"), calls, mode)))()
    return next(calls)


def called(proof: str, calls: Iterator[int], mode: GenerationMode) -> Callable[[AnyCase], None]:
    def call(case: AnyCase) -> None:
        number = next(calls)
        if mode is GenerationMode.POSITIVE:
            meant(case, number)
        broken = mode is GenerationMode.NEGATIVE and breaks_headers(case)
        answer = case.call(headers={} if broken else {"Authorization": f"Bearer {proof}"})
        # a body that is too large is refused before anybody looks for what else is wrong with it
        left_out: list[Any] = [negative_data_rejection] if answer.status_code == 413 else []
        case.validate_response(answer, excluded_checks=left_out)

    return call


def breaks_headers(case: AnyCase) -> bool:
    """Whether the headers are what is wrong with a case: they are sent as they are then."""
    found = case.meta.components.get(ParameterLocation.HEADER) if case.meta else None
    return found is not None and found.mode is GenerationMode.NEGATIVE


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_answers_are_as_described(tmp_path: Path, mode: GenerationMode) -> None:
    assert played(tmp_path, 2, mode) > 25


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_answers_are_as_described_many_times(tmp_path: Path, mode: GenerationMode) -> None:
    assert played(tmp_path, 150, mode) > 1500
