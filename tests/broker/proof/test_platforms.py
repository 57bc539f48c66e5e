"""What the tokens of the platforms name: the keys are those that the sources of their own logs make."""

import pytest

from custody.model import github_subjects
from custody.model.broker_terms import Proof
from custody.model.keys import names_of, parse
from custody.sources.aws_cloudtrail.principals import web_subject
from custody.sources.kubernetes_audit import principals
from tests.broker.issuer import SigningKey
from tests.broker.proof.asking import SECOND, prove, prover, reason, token

GITHUB = "https://token.actions.githubusercontent.com"
OLD = "repo:acme/shop:ref:refs/heads/main"
NEW = "repo:acme@101/shop@202:ref:refs/heads/main"
RUN = {
    "repository": "acme/shop", "repository_id": "202", "repository_owner": "acme", "repository_owner_id": "101",
    "run_id": "9001", "run_attempt": "2", "actor": "ann", "actor_id": "7", "ref": "refs/heads/main", "ref_protected":
    "true", "event_name": "push", "environment": "production", "job_workflow_ref": "acme/ci/.github/x.yml@refs/tags/v1",
}  # fmt: skip
UID = "6f1f3a52-0d9b-4a11-9c0f-1d2e3f405162"
POD = {
    "namespace": "shop", "node": {"name": "n-1", "uid": "n-uid"}, "pod": {"name": "pay-7d9", "uid": UID},
    "serviceaccount": {"name": "pay", "uid": "s-uid"}, "warnafter": 1,
}  # fmt: skip
ACCOUNT = "system:serviceaccount:shop:pay"


def proof(platform: str, issuer: str, cluster: str | None = None, **said: object) -> Proof:
    mine = prover(platform=platform, issuer=issuer, cluster=cluster)
    return prove(mine, token(None, None, iss=issuer, **said)).proof


@pytest.mark.parametrize("subject", [OLD, NEW])
def test_a_workflow_run_is_named_by_its_attempt(subject: str) -> None:
    found = proof("github", GITHUB, sub=subject, **RUN)

    assert found.workload == f"oidc_subject:token.actions.githubusercontent.com:{subject}"
    assert found.workload == web_subject(
        "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com", subject
    )  # as CloudTrail's records have it
    assert (found.run, found.granularity) == (github_subjects.run_key("9001", "2"), "run")
    assert found.credential == "jwt_jti:token.actions.githubusercontent.com:j-1"
    assert found.claims.items() >= RUN.items()
    assert f"github:{subject.removeprefix('repo:')}" in names_of(found.workload)


@pytest.mark.parametrize("said", [{"repository_id": "203"}, {"repository_owner_id": "9"}, {"repository_id": 203}])
def test_an_immutable_subject_and_its_claims_are_of_one_repository(said: dict[str, object]) -> None:
    mine = prover(platform="github", issuer=GITHUB)

    assert reason(mine, token(None, None, **{"iss": GITHUB, "sub": NEW, **RUN, **said})) == "malformed"


@pytest.mark.parametrize("said", [{"run_id": "9001/2"}, {"run_attempt": ""}, {"run_id": "-1"}, {"run_id": True}])
def test_a_run_that_is_no_number_is_no_run(said: dict[str, object]) -> None:
    found = proof("github", GITHUB, None, **{"sub": OLD, **RUN, **said})

    assert (found.run, found.granularity) == (None, "account")


def test_an_enterprise_has_a_scope_of_its_own() -> None:
    found = proof("github", f"{GITHUB}/acme", sub=OLD, **RUN)

    assert found.workload == f"oidc_subject:token.actions.githubusercontent.com/acme:{OLD}"


def test_a_gitlab_job_is_named_by_pipeline_and_job() -> None:
    subject = "project_path:acme/shop:ref_type:branch:ref:main"
    found = proof("gitlab", "https://gitlab.example.com", sub=subject, pipeline_id="11", job_id="22", project_id="3")

    assert found.workload == f"oidc_subject:gitlab.example.com:{subject}"
    assert (found.run, found.granularity) == ("ci_run:gitlab.example.com:11/22", "run")
    assert found.claims.items() >= {"project_id": "3", "job_id": "22"}.items()


@pytest.mark.parametrize(("cluster", "scope"), [("blue", "blue"), (None, "-")])
def test_a_pod_is_named_as_the_audit_log_of_its_cluster_does(cluster: str | None, scope: str) -> None:
    found = proof("kubernetes", "https://kubernetes.default.svc", cluster, sub=ACCOUNT, **{"kubernetes.io": POD})

    assert found.workload == principals.service_account("shop", "pay", scope)
    assert found.run == principals.pod(UID)
    assert found.credential == principals.issued("JTI=j-1", scope)
    assert found.granularity == "pod"
    assert found.claims == {
        "jti": "j-1", "iat": str(SECOND), "exp": str(SECOND + 300), "namespace": "shop", "pod.name": "pay-7d9",
        "pod.uid": UID, "node.name": "n-1", "node.uid": "n-uid", "serviceaccount.name": "pay",
        "serviceaccount.uid": "s-uid",
    }  # fmt: skip


def test_a_token_without_a_pod_names_its_account_alone() -> None:
    found = proof("kubernetes", "https://kubernetes.default.svc", sub=ACCOUNT, jti=None)

    assert (found.workload, found.run, found.granularity, found.credential) == (
        "k8s_service_account:-:shop/pay", None, "account", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "own"),
    [
        ("workload", {}), ("system:serviceaccount:shop", {}), ("system:serviceaccount:shop:", {}),
        ("system:serviceaccount:shop:pay:x", {}), ("system:serviceaccount:shop:a/b", {}), ("system:node:n-1", {}),
        (ACCOUNT, {**POD, "namespace": "kube-system"}), (ACCOUNT, {**POD, "serviceaccount": {"name": "admin"}}),
        (ACCOUNT, {**POD, "namespace": 7}),
    ],
)  # fmt: skip
def test_a_service_account_has_one_name_alone(subject: str, own: dict[str, object]) -> None:
    mine = prover(platform="kubernetes")

    assert reason(mine, token(None, None, sub=subject, **{"kubernetes.io": own})) == "malformed"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("main", "main"), ("ma\x00in", "ma\ufffdin"), ("a\nb\x1b[3m", "a\ufffdb\ufffd[3m"),
        ("\u202emain", "\ufffdmain"),
        ("x" * 256, "x" * 256), ("x" * 257, "x" * 255 + "…"), (True, "true"), (False, "false"), (7, "7"), (1.5, "1.5"),
        (10**400, "…"), ("\ud800", "\ufffd"), (["a"], None), ({"a": 1}, None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_a_claim_is_kept_clean_and_short_and_never_becomes_a_better_one(value: object, kept: str | None) -> None:
    assert proof("github", GITHUB, sub=OLD, ref=value).claims.get("ref") == kept


@pytest.mark.parametrize("platform", ["github", "gitlab", "generic"])
def test_only_known_claims_are_kept(platform: str) -> None:
    secrets = {"access_token": "must-not-stay", "email": "ann@example.com", "custody_keys_age": "1", "sub_extra": "x"}
    found = proof(platform, "https://x.example.com", None, sub=OLD, **secrets)

    assert set(found.claims) == {"jti", "iat", "exp"}
    assert "must-not-stay" not in repr(found)


@pytest.mark.parametrize("jti", ["a:b", "x" * 256, 7])
def test_keys_can_be_taken_apart_again(jti: object) -> None:
    found = proof("generic", "https://x.example.com:8443/realms/a%b", sub="team:a", jti=jti)

    assert parse(found.workload).value == "team:a"
    assert parse(found.workload).scope == "x.example.com%3A8443/realms/a%25b"
    assert parse(found.credential or "").value == str(jti)


@pytest.mark.parametrize("jti", ["", "x" * 257, "a\nb", ["j"], True, None, -1])
def test_an_id_that_is_none_names_no_credential(jti: object) -> None:
    assert proof("generic", "https://x.example.com", jti=jti).credential is None


def test_two_issuers_never_give_one_key() -> None:
    one = proof("generic", "https://a.example.com", sub="b:c")
    other = proof("generic", "https://a.example.com:b", sub="c")

    assert one.workload != other.workload


def test_the_token_of_another_tenant_is_of_another_subject_and_issuer() -> None:
    """A tenant's issuer signs well; it is not the issuer that is trusted, whatever its token says of the subject."""
    theirs = SigningKey("ES256", "k-1", 31)
    mine = prover(issuer=f"{GITHUB}/acme", platform="github")

    assert reason(mine, token(theirs, None, iss=f"{GITHUB}/acme", sub=OLD, **RUN)) == "bad-signature"
    assert reason(mine, token(None, None, iss=f"{GITHUB}/evil", sub=OLD, **RUN)) == "wrong-issuer"
