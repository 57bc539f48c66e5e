"""Typed keys of the credentials that a span says it used: ``credential.type`` and ``credential.id``.

The semantic conventions have no attribute for a credential; these two are custody's own, beside ``credential.issuer``
(the scope of a key that has one) and the fingerprint of a client certificate, ``tls.client.hash.sha256``.
"""

import re

from custody.model.events import Asserter, Part, Stage
from custody.model.keys import scoped
from custody.sources.otel_otlp.context import Context, person_of

_ACCESS_KEY = re.compile(r"[A-Za-z0-9]{16,128}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@=+~-]{0,255}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{1,64}")
_FIXED = {
    "aws_akid": "aws",
    "x509_sha256": "x509",
    "github_token_sha256": "github",
    "github_token_id": "github",
    "vault_accessor": "plain",
    "vault_lease": "vault",
    "db_role": "postgresql",
}
_ISSUED = frozenset(("jwt_jti", "x509_serial", "k8s_cred"))


def uses(said: dict[str, str], context: Context, workload: str | None) -> tuple[Part, ...]:
    """A use of each credential that the attributes name by an id of a known type."""
    named = (
        _key(said.get("credential.type"), said.get("credential.id"), said.get("credential.issuer")),
        _key("x509_sha256", said.get("tls.client.hash.sha256"), None),
    )
    return tuple(
        Part(
            stage=Stage.USE,
            key=key,
            subject=person_of(said, context.service),
            workload=workload,
            asserter=Asserter.SELF_REPORTED,
        )
        for key in dict.fromkeys(named)
        if key is not None
    )


def _key(kind: str | None, value: str | None, issuer: str | None) -> str | None:
    """The key of a credential, None where its type is not known or its id is none: a credential in its place is not."""
    if kind is None or value is None:
        return None
    text = _canonical(kind, value)
    if text is None:
        return None
    if kind in _ISSUED:
        return scoped(kind, issuer.removeprefix("https://") if issuer else "-", text)
    return f"{kind}:{_FIXED[kind]}:{text}" if kind in _FIXED else None


def _canonical(kind: str, value: str) -> str | None:
    match kind:
        case "aws_akid":
            return value if _ACCESS_KEY.fullmatch(value) else None
        case "x509_sha256" | "github_token_sha256":
            return _matching(_SHA256, value.replace(":", "").lower())
        case "x509_serial":
            return _matching(_HEX, value.replace(":", "").lower().lstrip("0"))
    return _matching(_ID, value)


def _matching(pattern: re.Pattern[str], text: str) -> str | None:
    return text if pattern.fullmatch(text) else None
