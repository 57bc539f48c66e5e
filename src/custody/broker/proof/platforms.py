"""How the platforms' claims name a workload, its run and its token; keys are made as the sources of their logs do.

Formats: "OpenID Connect reference" (GitHub Docs), "ID token authentication" (GitLab Docs), "Service account tokens"
(Kubernetes documentation; KEP-4193 for the ids of pod, node and credential), RFC 7519 for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from custody.broker.proof import claims as said
from custody.broker.proof.claims import Claims
from custody.broker.proof.refusals import refused
from custody.model import github_subjects
from custody.model.events import Granularity
from custody.model.keys import scoped
from custody.settings.broker_file import OidcIssuer

_DIGITS = re.compile(r"[1-9][0-9]{0,19}", re.ASCII)
_UID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_ACCOUNT = "system:serviceaccount:"
UNNAMED = "-"
"""The scope of a cluster that has no name in the settings."""

_TOKEN = ("jti", "iat", "exp")
_GITHUB = (
    *_TOKEN, "repository", "repository_id", "repository_owner", "repository_owner_id", "repository_visibility", "actor",
    "actor_id", "workflow", "workflow_ref", "workflow_sha", "job_workflow_ref", "job_workflow_sha", "ref", "ref_type",
    "ref_protected", "sha", "head_ref", "base_ref", "event_name", "environment", "run_id", "run_number", "run_attempt",
    "runner_environment", "check_run_id", "enterprise", "enterprise_id",
)  # fmt: skip
_GITLAB = (
    *_TOKEN, "project_id", "project_path", "namespace_id", "namespace_path", "user_id", "user_login",
    "user_access_level", "pipeline_id", "pipeline_source", "job_id", "ref", "ref_type", "ref_path", "ref_protected",
    "environment", "environment_protected", "deployment_tier", "runner_id", "runner_environment", "sha",
    "ci_config_ref_uri", "ci_config_sha",
)  # fmt: skip
_GENERIC = (*_TOKEN, "azp", "client_id", "acr", "scope")


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What a token names: fields of ``model.broker_terms.Proof``."""

    workload: str
    granularity: str
    claims: dict[str, str]
    run: str | None = None
    credential: str | None = None


def named(issuer: OidcIssuer, claims: Claims, subject: str) -> Named:
    """What a verified token names, by the issuer's platform. IdentityRefused where it names it in two ways."""
    return _PLATFORMS[issuer.platform](issuer, claims, subject)


def _web_subject(issuer: OidcIssuer, subject: str) -> str:
    return scoped("oidc_subject", said.issuer_scope(issuer.issuer), subject)


def _generic(issuer: OidcIssuer, claims: Claims, subject: str) -> Named:
    return Named(
        workload=_web_subject(issuer, subject),
        granularity=Granularity.ACCOUNT.value,
        claims=said.kept(claims, _GENERIC),
        credential=said.token_key(issuer.issuer, claims),
    )


def _github(issuer: OidcIssuer, claims: Claims, subject: str) -> Named:
    run, attempt = _number(claims, "run_id"), _number(claims, "run_attempt")
    key = github_subjects.run_key(run, attempt) if run and attempt else None
    _agree(issuer, claims, subject)
    return Named(
        workload=_web_subject(issuer, subject),
        granularity=(Granularity.RUN if key else Granularity.ACCOUNT).value,
        claims=said.kept(claims, _GITHUB),
        run=key,
        credential=said.token_key(issuer.issuer, claims),
    )


def _agree(issuer: OidcIssuer, claims: Claims, subject: str) -> None:
    """The ids in an immutable subject (``repo:OWNER@ID/NAME@ID:…``) are those of the claims."""
    found = github_subjects.parse(subject)
    for told, name in ((found.repository_id, "repository_id"), (found.owner_id, "repository_owner_id")):
        if told is not None and name in claims and said.identifier(claims[name]) != told:
            raise refused("malformed", where=issuer.issuer, expected="one repository in subject and claims")


def _gitlab(issuer: OidcIssuer, claims: Claims, subject: str) -> Named:
    pipeline, job = _number(claims, "pipeline_id"), _number(claims, "job_id")
    scope = said.issuer_scope(issuer.issuer)
    key = scoped("ci_run", scope, f"{pipeline}/{job}") if pipeline and job else None
    return Named(
        workload=_web_subject(issuer, subject),
        granularity=(Granularity.RUN if key else Granularity.ACCOUNT).value,
        claims=said.kept(claims, _GITLAB),
        run=key,
        credential=said.token_key(issuer.issuer, claims),
    )


def _kubernetes(issuer: OidcIssuer, claims: Claims, subject: str) -> Named:
    cluster = issuer.cluster or UNNAMED
    space, account = _account(issuer, subject)
    own = _table(claims, "kubernetes.io")
    told = (own.get("namespace", space), _table(own, "serviceaccount").get("name", account))
    if told != (space, account):
        raise refused("malformed", where=issuer.issuer, expected="one service account in subject and claims")
    uid = _table(own, "pod").get("uid")
    pod = uid if isinstance(uid, str) and _UID.fullmatch(uid) else None
    jti = said.identifier(claims.get("jti"))
    return Named(
        workload=scoped("k8s_service_account", cluster, f"{space}/{account}"),
        granularity=(Granularity.POD if pod else Granularity.ACCOUNT).value,
        claims=_flat(claims, own),
        run=f"k8s_pod:k8s:{pod}" if pod else None,
        credential=scoped("k8s_cred", cluster, f"JTI={jti}") if jti else None,
    )


def _account(issuer: OidcIssuer, subject: str) -> tuple[str, str]:
    space, colon, name = subject.removeprefix(_ACCOUNT).partition(":")
    if not subject.startswith(_ACCOUNT) or not colon or not _NAME.fullmatch(space) or not _NAME.fullmatch(name):
        raise refused("malformed", where=issuer.issuer, expected=f"a sub of {_ACCOUNT}NAMESPACE:NAME")
    return space, name


def _flat(claims: Claims, own: Claims) -> dict[str, str]:
    """The claims below ``kubernetes.io``, with their way as the name: ``pod.name``."""
    flat: dict[str, object] = {name: claims.get(name) for name in _TOKEN}
    flat["namespace"] = own.get("namespace")
    for thing in ("pod", "node", "serviceaccount", "secret"):
        table = _table(own, thing)
        flat |= {f"{thing}.{name}": table.get(name) for name in ("name", "uid")}
    return said.kept(flat, flat)


def _table(claims: Claims, name: str) -> Claims:
    found = claims.get(name)
    return found if isinstance(found, dict) else {}


def _number(claims: Claims, name: str) -> str | None:
    found = said.identifier(claims.get(name))
    return found if found and _DIGITS.fullmatch(found) else None


_PLATFORMS: dict[str, Callable[[OidcIssuer, Claims, str], Named]] = {
    "github": _github,
    "gitlab": _gitlab,
    "kubernetes": _kubernetes,
    "generic": _generic,
}
