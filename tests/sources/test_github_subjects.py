"""Subjects of GitHub's OIDC tokens, in every form that GitHub documents, and what is none."""

import pytest

from custody.model import keys
from custody.model.github_subjects import (
    Subject,
    environment_key,
    is_bot,
    job_key,
    parse,
    run_key,
    workflow_key,
    workflow_of_ref,
)


def said(subject: Subject) -> dict[str, object]:
    names = (name for name in subject.__struct_fields__ if name != "claims")
    return {name: value for name in names if (value := getattr(subject, name)) not in (None, False)}


@pytest.mark.parametrize(
    ("sub", "expected"),
    [
        ("repo:octo/app:ref:refs/heads/main", {"repository": "octo/app", "ref": "refs/heads/main"}),
        ("repo:octo/app:environment:production", {"repository": "octo/app", "environment": "production"}),
        ("repo:octo/app:environment:eu%3Aproduction", {"repository": "octo/app", "environment": "eu:production"}),
        ("repo:octo/app:pull_request", {"repository": "octo/app", "pull_request": True}),
        (
            "repo:octo@12/app@34:ref:refs/tags/v1",
            {"repository": "octo/app", "owner_id": "12", "repository_id": "34", "ref": "refs/tags/v1"},
        ),
        (
            "repo:octo@12/app@34:environment:production",
            {"repository": "octo/app", "owner_id": "12", "repository_id": "34", "environment": "production"},
        ),
        ("repository_id:34:run_id:700", {"repository_id": "34", "run_id": "700"}),
        (
            "repo:octo/app:environment:prod:run_id:700:run_attempt:2:check_run_id:8001",
            {
                "repository": "octo/app",
                "environment": "prod",
                "run_id": "700",
                "attempt": "2",
                "check_run_id": "8001",
            },
        ),
        (
            "repo:octo/app:pull_request:job_workflow_ref:octo/shared/.github/workflows/a.yml@refs/heads/main",
            {
                "repository": "octo/app",
                "pull_request": True,
                "job_workflow_ref": "octo/shared/.github/workflows/a.yml@refs/heads/main",
            },
        ),
        (
            "repository_owner:octo:repository_owner_id:12:repository_visibility:private:actor:octo-dev",
            {"owner_id": "12", "actor": "octo-dev"},
        ),
        (
            "repository:octo/app:workflow_ref:octo/app/w.yml@x",
            {"repository": "octo/app", "workflow_ref": "octo/app/w.yml@x"},
        ),
        ("repo_property_team:payments:repo:octo/app:ref:r", {"repository": "octo/app", "ref": "r"}),
    ],
)
def test_what_a_subject_says(sub: str, expected: dict[str, object]) -> None:
    subject = parse(sub)
    assert said(subject) == expected
    assert subject.claims


@pytest.mark.parametrize(
    "sub",
    [
        "",
        ":",
        "repo",
        "repo:octo/app:ref",
        "repo:octo/app:ref:refs/heads/main:extra",
        "repo:octo/app:environment:a:environment:b",
        "system:serviceaccount:app:builder",
        "project_path:group/project:ref_type:branch:ref:main",
        "spiffe://example.org/app",
        "repo:octo/app:environment:a:b",
    ],
)
def test_what_is_no_subject_says_nothing(sub: str) -> None:
    assert parse(sub) == Subject()


@pytest.mark.parametrize("name", ["octo@12/app", "octo/app@34", "octo@x/app@34", "octo", "octo/app/more", "@1/app@2"])
def test_a_repository_of_no_documented_form_is_not_guessed_at(name: str) -> None:
    subject = parse(f"repo:{name}:environment:production")
    assert (subject.repository, subject.owner_id, subject.repository_id) == (None, None, None)
    assert subject.environment == "production"


def test_a_run_needs_its_attempt() -> None:
    assert parse("run_id:700:run_attempt:2").run == "github_run:github:700/2"
    assert parse("run_id:700").run is None
    assert parse("repo:octo/app:pull_request").run is None


def test_keys_are_keys() -> None:
    made = [
        run_key(700, 1),
        job_key(700, None, "name=build: all"),
        environment_key("octo/app", "eu:production"),
        workflow_key("octo/app", ".github/workflows/a.yml@main"),
        workflow_of_ref("octo/app/.github/workflows/a.yml@refs/heads/main"),
    ]
    assert [str(keys.parse(key)) for key in made if key] == [
        "github_run:github:700/1",
        "github_job:github:700/-/name=build: all",
        "github_environment:github:octo/app/eu:production",
        "github_workflow:github:octo/app/.github/workflows/a.yml",
        "github_workflow:github:octo/app/.github/workflows/a.yml",
    ]


def test_what_is_not_known_has_no_key() -> None:
    assert environment_key(None, "production") is None
    assert environment_key("octo/app", "") is None
    assert workflow_key("octo/app", None) is None
    assert workflow_key(None, "a.yml", "deploy") is None
    assert workflow_of_ref("deploy@main") is None
    assert workflow_of_ref(None) is None


def test_only_an_app_ends_in_bot() -> None:
    assert is_bot("github-actions[bot]")
    assert not is_bot("robot")
    assert not is_bot(None)
