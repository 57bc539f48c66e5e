"""How GitHub names things: the keys of runs, jobs, workflows, environments and users, and the subjects of its tokens.

Format: "OpenID Connect reference", GitHub Docs. The subject (``sub``) of a token of a workflow run is claims joined by
colons: by default the repository and its context, else the claims that an administrator chose. A colon inside a value
is written ``%3A``. Repositories with immutable subjects have the ids of owner and repository behind their names.
"""

import re

import msgspec

SCOPE = "github"
_CLAIMS = frozenset(
    (
        "repo", "repository", "repository_id", "repository_owner", "repository_owner_id", "repository_visibility",
        "ref", "ref_type", "ref_protected", "environment", "environment_node_id", "actor", "actor_id", "event_name",
        "head_ref", "base_ref", "sha", "workflow", "workflow_ref", "workflow_sha", "job_workflow_ref",
        "job_workflow_sha", "run_id", "run_number", "run_attempt", "runner_environment", "check_run_id", "enterprise",
        "enterprise_id", "aud", "iss",
    )
)  # fmt: skip
_PROPERTY = "repo_property_"
_FLAG = "pull_request"
_REPOSITORY = re.compile(r"([^/@]+)(?:@([0-9]+))?/([^/@]+)(?:@([0-9]+))?")


class Subject(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a subject says. Only ``repository`` and the ids behind it are there by default, with one of the contexts.

    ``repository`` is ``owner/name`` without ids. ``attempt`` is ``run_attempt``. ``claims`` are all claims in order as
    (name, value); it is empty where the text is no subject of GitHub's form, and then everything else is absent.
    """

    repository: str | None = None
    repository_id: str | None = None
    owner_id: str | None = None
    environment: str | None = None
    ref: str | None = None
    pull_request: bool = False
    run_id: str | None = None
    attempt: str | None = None
    job_workflow_ref: str | None = None
    workflow_ref: str | None = None
    check_run_id: str | None = None
    actor: str | None = None
    claims: tuple[tuple[str, str], ...] = ()

    @property
    def run(self) -> str | None:
        """The key of the run attempt, None where the subject does not name both run and attempt."""
        return run_key(self.run_id, self.attempt) if self.run_id and self.attempt else None


def parse(sub: str) -> Subject:
    """What ``sub`` says; an empty Subject where it is of no form that GitHub documents, or names one claim twice."""
    pairs = _pairs(sub.split(":"))
    claims = dict(pairs)
    if not pairs or len(claims) != len(pairs):
        return Subject()
    repository, owner_id, repository_id = _repository(claims.get("repo") or claims.get("repository"))
    return Subject(
        repository=repository,
        repository_id=claims.get("repository_id") or repository_id,
        owner_id=claims.get("repository_owner_id") or owner_id,
        environment=claims.get("environment"),
        ref=claims.get("ref"),
        pull_request=_FLAG in claims,
        run_id=claims.get("run_id"),
        attempt=claims.get("run_attempt"),
        job_workflow_ref=claims.get("job_workflow_ref"),
        workflow_ref=claims.get("workflow_ref"),
        check_run_id=claims.get("check_run_id"),
        actor=claims.get("actor"),
        claims=pairs,
    )


def _pairs(words: list[str]) -> tuple[tuple[str, str], ...]:
    """Names and values in order; nothing where the words are not all names of claims with a value each."""
    pairs: list[tuple[str, str]] = []
    position = 0
    while position < len(words):
        name = words[position]
        if name == _FLAG:
            pairs.append((name, ""))
            position += 1
        elif (name in _CLAIMS or name.startswith(_PROPERTY)) and words[position + 1 : position + 2]:
            pairs.append((name, words[position + 1].replace("%3A", ":").replace("%3a", ":")))
            position += 2
        else:
            return ()
    return tuple(pairs)


def _repository(text: str | None) -> tuple[str | None, str | None, str | None]:
    """Name, owner id, repository id. A name with one id only is of no documented form, so it says nothing."""
    found = _REPOSITORY.fullmatch(text) if text else None
    if found is None or (found[2] is None) != (found[4] is None):
        return None, None, None
    return f"{found[1]}/{found[3]}", found[2], found[4]


def run_key(run_id: str | int, attempt: str | int) -> str:
    """The key of a run attempt."""
    return f"github_run:{SCOPE}:{run_id}/{attempt}"


def job_key(run_id: str | int, attempt: str | int | None, job: str) -> str:
    """The key of a job: its id, or ``name=…`` where the log has only its name; ``-`` for an attempt that it omits."""
    return f"github_job:{SCOPE}:{run_id}/{attempt or '-'}/{job}"


def user_key(login: str | None) -> str | None:
    """The key of a person or app."""
    return f"github_user:{SCOPE}:{login}" if login else None


def environment_key(repository: str | None, name: str | None) -> str | None:
    """The key of a deployment environment, None where the log does not give both repository and name."""
    return f"github_environment:{SCOPE}:{repository}/{name}" if repository and name else None


def workflow_key(repository: str | None, path: str | None, name: str | None = None) -> str | None:
    """The key of a workflow by the path of its file (``@ref`` is left out), else by its name."""
    which = (path or "").partition("@")[0] or name
    return f"github_workflow:{SCOPE}:{repository}/{which}" if repository and which else None


def workflow_of_ref(ref: str | None) -> str | None:
    """The key of a workflow by its reference ``owner/repository/path@ref``."""
    path = (ref or "").partition("@")[0]
    return f"github_workflow:{SCOPE}:{path}" if path.count("/") >= 2 else None


def is_bot(login: str | None) -> bool:
    """Whether a login is that of an app: no person can have brackets in theirs."""
    return bool(login) and str(login).endswith("[bot]")
