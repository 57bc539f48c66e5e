"""Claims of an OIDC token that a job wrote into its own log: the job's word, never the issuer's.

Format: "OpenID Connect reference", GitHub Docs; the claims of RFC 7519 with times in seconds since 1970. GitHub logs
the issue of these tokens nowhere, so that this is all there is; whoever can write the log can write any claims.
"""

import msgspec

from custody.model import github_subjects
from custody.model.events import Asserter, Event, Granularity, Outcome, Part, Stage
from custody.model.keys import scoped
from custody.sources.github_audit.records import moment
from custody.sources.github_workflow import records, runs


class Claims(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The claims that custody reads."""

    iss: str
    sub: str
    jti: str
    run_id: str | int
    run_attempt: str | int | None = None
    check_run_id: str | int | None = None
    aud: str | list[str] | None = None
    iat: int | float | None = None
    nbf: int | float | None = None
    exp: int | float | None = None
    actor: str | None = None
    repository: str | None = None
    ref: str | None = None
    sha: str | None = None
    event_name: str | None = None
    environment: str | None = None
    workflow_ref: str | None = None
    job_workflow_ref: str | None = None
    runner_environment: str | None = None


_CLAIMS = msgspec.json.Decoder(Claims)


def of_claims(payload: bytes, identity: str) -> tuple[Event, ...]:
    """The issue of the token as its job reports it, bound to the run that it names."""
    claims = _CLAIMS.decode(payload)
    time = moment(claims.iat if claims.iat is not None else claims.nbf, "$.iat")
    return (runs.at(_event(claims, identity), time, _issue(claims)),)


def _issue(claims: Claims) -> Part:
    issuer = claims.iss.removeprefix("https://")
    attempt = claims.run_attempt
    run = github_subjects.run_key(claims.run_id, attempt) if attempt else None
    job = str(claims.check_run_id) if claims.check_run_id else None
    return Part(
        stage=Stage.ISSUE,
        key=scoped("jwt_jti", issuer, claims.jti),
        subject=scoped("oidc_subject", issuer, claims.sub),
        workload=run,
        granularity=Granularity.RUN if run else None,
        bound_by=Asserter.SELF_REPORTED if run else None,
        method="oidc",
        not_after=moment(claims.exp, "$.exp"),
        object=github_subjects.workflow_of_ref(claims.job_workflow_ref or claims.workflow_ref),
        related=github_subjects.job_key(claims.run_id, attempt, job) if job else None,
        population="machine",
        asserter=Asserter.SELF_REPORTED,
    )


def _event(claims: Claims, identity: str) -> Event:
    repository = claims.repository
    return Event(
        id=identity,
        time=0,
        service=claims.iss.removeprefix("https://"),
        action="token.claims",
        outcome=Outcome.SUCCESS,
        parts=(),
        principal=github_subjects.user_key(claims.actor),
        resource=repository,
        account=repository.partition("/")[0] if repository else None,
        tags=records.tags(
            aud=claims.aud,
            ref=claims.ref,
            sha=claims.sha,
            event=claims.event_name,
            environment=claims.environment,
            run_id=claims.run_id,
            workflow_ref=claims.workflow_ref,
            job_workflow_ref=claims.job_workflow_ref,
            runner_environment=claims.runner_environment,
        ),
    )
