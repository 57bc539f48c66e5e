"""What the OpenAPI document says beyond the handlers: bodies, answers, errors and who may call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

from custody.broker.proof.prover import TOKEN_ACCESS, TOKEN_ID, TOKEN_JWT
from custody.model.brokered import CHAIN
from custody.serve.containments import ToContain, ToEnable
from custody.serve.handing import Handover
from custody.serve.health import Ready
from custody.serve.intake import Acknowledged, SetError
from custody.serve.intake_forms import Form
from custody.serve.leases import Renewal, Revocation
from custody.serve.problems import PROBLEM, OAuthError, Problem
from custody.serve.token_form import GRANT, MOST_TEXT, MOST_TOKEN

_SHOWN = (
    *(Problem, OAuthError, Handover, Acknowledged, SetError, Ready),
    *(Renewal, Revocation, ToContain, ToEnable),
)
_REF = "#/components/schemas/{name}"

CHAIN_ID: dict[str, object] = {"pattern": f"^{CHAIN}$"}
REQUEST_ID: dict[str, object] = {"pattern": f"^{CHAIN.replace('cc-', 'rq-', 1)}$"}
NAME: dict[str, object] = {"pattern": "^[a-z0-9][a-z0-9-]{0,31}$"}
SIGNAL: dict[str, object] = {"enum": ["logs", "traces"]}

TOKEN, RENEW, INTAKE = "/token", "/leases/{chain}/renew", "/intake/{name}"  # paths
TELEMETRY = ("/intake/{name}/v1/{signal}", "/v1/{signal}")
IDEMPOTENT = frozenset({TOKEN, RENEW, "/leases/{chain}/complete"})

_KEY = r'^("[ !#-\[\]-~]{1,255}"|[!#-\[\]-~]{1,255})$'
IDEMPOTENCY_KEY: dict[str, object] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request is the same request",
    "schema": {"type": "string", "pattern": _KEY},
}

SECURITY_SCHEMES: dict[str, object] = {
    "person": {"type": "http", "scheme": "bearer", "description": "An ID token of the issuer of people"},
    "workload": {"type": "http", "scheme": "bearer", "description": "A token that proves the workload"},
    "certificate": {"type": "mutualTLS", "description": "A client certificate that proves the workload"},
    "intake": {"type": "http", "scheme": "bearer", "description": "The token of an intake"},
}

_TEXT = {"type": "string", "minLength": 1, "maxLength": MOST_TEXT}
_TYPE = {"type": "string", "enum": [TOKEN_JWT, TOKEN_ID, TOKEN_ACCESS]}
_A_TOKEN = {"type": "string", "pattern": f"^[!-~]{{1,{MOST_TOKEN}}}$"}
_LIST = {"type": "array", "maxItems": 16, "items": {"type": "string", "minLength": 1, "maxLength": 2048}}
_SCOPE = r"^[!#-\[\]-~]+( [!#-\[\]-~]+)*$"
_FORM: dict[str, object] = {
    "type": "object",
    "required": ["grant_type"],
    "anyOf": [{"required": ["backend"]}, {"required": ["request"]}],
    "dependentRequired": {
        "subject_token": ["subject_token_type"],
        "subject_token_type": ["subject_token"],
        "actor_token": ["actor_token_type"],
        "actor_token_type": ["actor_token"],
    },
    "properties": {
        "grant_type": {"const": GRANT},
        "subject_token": {**_A_TOKEN, "description": "Left out where a client certificate proves the workload"},
        "subject_token_type": _TYPE,
        "actor_token": _A_TOKEN,
        "actor_token_type": _TYPE,
        "backend": {**_TEXT, "description": "Needed, unless request is there"},
        "resource": {**_LIST, "description": "Absolute URIs without a fragment (RFC 8707)"},
        "audience": _LIST,
        "scope": {
            "type": "string",
            "pattern": "^[!#-\\[\\]-~]+( [!#-\\[\\]-~]+)*$",
            "description": "Names between single spaces",
        },
        "requested_token_type": {"type": "string", "pattern": f"^({TOKEN_ACCESS}|{TOKEN_JWT}|custody:[a-z0-9-]+)$"},
        "authorization_details": {"type": "string", "description": "RFC 9396: a JSON array of objects with a type"},
        "purpose": _TEXT,
        "ticket": _TEXT,
        "run": _TEXT,
        "ttl": {"type": "integer", "minimum": 1, "maximum": 999_999_999, "description": "Seconds"},
        "parent": {"type": "string", **CHAIN_ID},
        "reason": _TEXT,
        "break_glass": {"enum": ["true", "false"], "description": "Without approval first; needs reason and ticket"},
        "request": {"type": "string", **REQUEST_ID, "description": "The id of a request that people approved"},
    },
}


def _content(kind: str, schema: Mapping[str, object]) -> dict[str, object]:
    return {kind: {"schema": schema}}


def _shown(shape: type) -> dict[str, object]:
    return {"$ref": _REF.format(name=shape.__name__)}


def _success(kind: str, schema: Mapping[str, object], told: str) -> dict[str, object]:
    return {"description": told, "content": _content(kind, schema)}


_ANY: dict[str, object] = {"type": "object"}
_LINES: dict[str, object] = {"type": "string", "minLength": 1}
_PUSHED: dict[str, object] = {
    "required": True,
    "content": {
        Form.LINES.value: {"schema": {**_LINES, "description": "One JSON object a line"}},
        Form.JSON.value: {"schema": {}},
        Form.CLOUD_EVENT.value: {"schema": _ANY},
        Form.CLOUD_EVENTS.value: {"schema": {"type": "array", "items": _ANY}},
        Form.EVENT_TOKEN.value: {"schema": _LINES},
    },
}
_OTLP: dict[str, object] = {"required": True, "content": _content("application/json", {})}


def _json(shape: type) -> dict[str, object]:
    return {"required": True, "content": _content("application/json", _shown(shape))}


BODIES: dict[str, dict[str, object]] = {
    TOKEN: {"required": True, "content": _content("application/x-www-form-urlencoded", _FORM)},
    INTAKE: _PUSHED,
    **dict.fromkeys(TELEMETRY, _OTLP),
    RENEW: _json(Renewal),
    "/leases/{chain}/revoke": _json(Revocation),
    "/containments": _json(ToContain),
    "/containments/enable": _json(ToEnable),
}

_HANDED = _success("application/json", _shown(Handover), "The credential, handed over once")
_DOCUMENT = _success("application/json", _ANY, "The document")
SUCCESSES: dict[str, dict[str, dict[str, object]]] = {
    TOKEN: {"200": _HANDED},
    RENEW: {"200": _HANDED},
    INTAKE: {
        "200": _success("application/json", _shown(Acknowledged), "All of it is sealed"),
        "202": {"description": "The claims of the security event token are sealed"},
    },
    **{path: {"200": _success("application/json", _ANY, "All of it is sealed")} for path in TELEMETRY},
    "/.well-known/jwks.json": {"200": _success("application/jwk-set+json", _ANY, "The keys")},
    "/.well-known/oauth-authorization-server": {"200": _DOCUMENT},
    "/healthz": {"503": _success("application/json", {"$ref": _REF.format(name="Liveness")}, "It does not work")},
    "/readyz": {"503": _success("application/json", _shown(Ready), "Requests should not come here now")},
    "/metrics": {"200": _success("text/plain", {"type": "string"}, "The text format of Prometheus")},
}

_OAUTH_STATUSES = (400, 408, 413, 415, 429, 500, 502, 503)
_PEOPLE = (400, 401, 403, 404, 429, 500, 502, 503)
_WORKLOADS = (400, 401, 403, 404, 409, 422, 429, 500, 502, 503)
_INTAKES = (400, 401, 408, 413, 415, 429, 500, 503)
_BODY = (400, 408, 413, 415)
_OPEN = (429, 500)


def schemas() -> dict[str, object]:
    """The schemas of what Litestar does not see, from the types themselves."""
    _, components = msgspec.json.schema_components(_SHOWN, ref_template=_REF)
    return dict(components)


def security(opt: Mapping[str, object], path: str) -> list[dict[str, list[str]]]:
    """Who may call: each entry is enough alone."""
    if "roles" in opt:
        return [{"person": []}]
    if "intake" in opt:
        return [{"intake": []}]
    if "workload" in opt:
        return [{"workload": []}, {"certificate": []}]
    return [{}, {"certificate": []}] if path == TOKEN else []


def who(opt: Mapping[str, object], path: str) -> str:
    """Who may call, in words."""
    if "roles" in opt:
        return "Roles: " + ", ".join(sorted(cast("frozenset[str]", opt["roles"])))
    if "intake" in opt:
        return "Who has the token of the intake"
    if "workload" in opt:
        return "The workload that holds the credential, by its token or client certificate"
    if path == TOKEN:
        return "A workload, by its token or client certificate"
    return "Anybody who reaches the service"


def errors(opt: Mapping[str, object], path: str, *, posted: bool) -> Iterator[int]:
    """The statuses that an operation may answer with when it does not succeed."""
    if path == TOKEN:
        yield from _OAUTH_STATUSES
    elif "roles" in opt:
        yield from _PEOPLE
    elif "workload" in opt:
        yield from _WORKLOADS
    elif "intake" in opt:
        yield from _INTAKES
    else:
        yield from () if path in ("/healthz", "/readyz") else _OPEN
    if posted:
        yield from _BODY


def error(status: int, path: str) -> dict[str, object]:
    """An error of the token endpoint, or a problem."""
    if path == TOKEN:
        return {"description": "RFC 6749 section 5.2", "content": _content("application/json", _shown(OAuthError))}
    content = _content(PROBLEM, _shown(Problem))
    if path == INTAKE and status == 400:
        content |= _content("application/json", _shown(SetError))
    return {"description": "RFC 9457", "content": content}
