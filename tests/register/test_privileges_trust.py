"""Who may become a role: every wide door is told, and no narrow one."""

import json

import pytest

from custody.register.privileges import policy
from custody.register.privileges.breadth import Breadth, breadth, unused
from custody.register.privileges.evaluate import Effective, Held, Layer, effective
from custody.register.privileges.trust import Trusted, trusted, widest

HOST = "token.actions.githubusercontent.com"
FEDERATED = {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{HOST}"}


def let_in(
    principal: object, condition: object = None, action: object = "sts:AssumeRoleWithWebIdentity"
) -> Trusted | None:
    """The widest of what one statement lets in."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    if condition is not None:
        statement["Condition"] = condition
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()
    return widest(trusted(policy.read(text)))


EXACT = "repo:example-org/shop:ref:refs/heads/main"


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {f"{HOST}:sub": EXACT, f"{HOST}:aud": "sts.amazonaws.com"}},
        {"StringEquals": {f"{HOST}:SUB": [EXACT, EXACT + "2"]}},
        {"StringLike": {f"{HOST}:sub": EXACT}},
        {"ForAnyValue:StringEquals": {f"{HOST}:sub": EXACT}},
        {"StringEquals": {f"{HOST}:job_workflow_ref": "example-org/shop/.github/workflows/a.yml@refs/heads/main"}},
    ],
)
def test_one_subject_is_narrow(condition: object) -> None:
    assert let_in(FEDERATED, condition) is None


@pytest.mark.parametrize(
    ("condition", "grave"),
    [
        (None, True),
        ({}, True),
        ({"StringEquals": {f"{HOST}:aud": "sts.amazonaws.com"}}, True),
        ({"StringNotEquals": {f"{HOST}:sub": EXACT}}, True),
        ({"StringEquals": {"other.example.org:sub": EXACT}}, True),
        ({"StringLike": {f"{HOST}:sub": "*"}}, True),
        ({"StringLike": {f"{HOST}:sub": "repo:*"}}, True),
        ({"StringLike": {f"{HOST}:sub": "repo:example-*/shop:*"}}, True),
        ({"StringLike": {f"{HOST}:sub": [EXACT, "repo:*:ref:refs/heads/main"]}}, True),
        ({"StringLike": {f"{HOST}:sub": "repo:example-org/*"}}, False),
        ({"StringLike": {f"{HOST}:sub": "repo:example-org/shop:*"}}, False),
    ],
)
def test_more_subjects_than_one_are_wide(condition: object, grave: bool) -> None:
    found = let_in(FEDERATED, condition)

    assert found is not None
    assert found.grave is grave
    assert HOST in (found.wide or "")


@pytest.mark.parametrize(
    ("principal", "wide"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": "arn:aws:iam::111122223333:root"}, False),
        ({"Service": "ec2.amazonaws.com"}, False),
        ({"Federated": "cognito-identity.amazonaws.com"}, False),
    ],
)
def test_anybody_is_wide_without_a_condition(principal: object, wide: bool) -> None:
    assert (let_in(principal, action="sts:AssumeRole") is not None) is wide
    assert let_in(principal, {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, "sts:AssumeRole") is None


def test_denials_and_documents_that_are_not_read_let_nobody_in() -> None:
    denial = b'{"Statement":{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}}'

    assert trusted(policy.read(denial)) == ()
    assert trusted(policy.read(None)) == ()


def test_all_but_some_is_everybody() -> None:
    text = b'{"Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"*"}}'
    found = widest(trusted(policy.read(text)))

    assert found is not None
    assert found.grave
    assert found.who == "all but AWS:arn:aws:iam::111122223333:root"


def have(*statements: object, boundary: object = None, via: str = "inline a") -> Effective:
    """What one holds with some statements, and a boundary (``...``: one whose text is not known)."""
    documents = [
        Held(via=via, layer=Layer.IDENTITY, document=read(list(statements)) if statements else policy.read(None))
    ]
    if boundary is not None:
        text = policy.read(None) if boundary is ... else read([boundary])
        documents.append(Held(via="boundary b", layer=Layer.BOUNDARY, document=text))
    return effective(documents)


def read(statements: list[object]) -> policy.Document:
    return policy.read(json.dumps({"Version": "2012-10-17", "Statement": statements}).encode())


def allow(action: object, resource: object = "*", **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


DENY = {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}
CONDITION = {"StringEquals": {"aws:PrincipalTag/team": "payments"}}
UNKNOWN = "a permissions boundary whose text is not known may narrow it"


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (have(allow("*")), Breadth(everything=("inline a",))),
        (have(allow("*", Condition=CONDITION)), Breadth()),
        (have(allow("*"), DENY), Breadth(everything=("inline a",), narrowed="denials narrow it")),
        (have(allow("*"), boundary=...), Breadth(everything=("inline a",), narrowed=UNKNOWN)),
        (have(allow("*"), boundary=allow("s3:*")), Breadth()),
        (have(allow("*"), boundary=allow("*")), Breadth(everything=("inline a",))),
        (have(allow("*", "arn:aws:s3:::reports/*")), Breadth()),
        (have(via="arn:aws:iam::aws:policy/AdministratorAccess"),
         Breadth(everything=("arn:aws:iam::aws:policy/AdministratorAccess",))),
        (have(via="arn:aws:iam::111122223333:policy/AdministratorAccess"), Breadth()),
        (have(allow("iam:PassRole")), Breadth(powers=("iam:PassRole",))),
        (have(allow("iam:PassRole", Condition=CONDITION)), Breadth()),
        (have(allow("iam:PassRole", "arn:aws:iam::111122223333:role/a")), Breadth()),
        (have(allow("sts:*")), Breadth(powers=("sts:AssumeRole",), services=("sts",))),
        (have(allow(["EC2:*", "rds:Describe*"], "arn:aws:ec2:*:*:instance/*")), Breadth(services=("ec2",))),
        (have(allow(["ec2:*", "s3:*"]), boundary=allow("s3:*")), Breadth(services=("s3",))),
    ],
)  # fmt: skip
def test_what_is_wide(held: Effective, expected: Breadth) -> None:
    assert breadth(held) == expected


def test_only_services_that_the_trail_would_show_are_called_unused() -> None:
    assert unused(("ec2", "rds", "s3", "sqs", "noservice"), frozenset({"rds"})) == ("ec2",)
