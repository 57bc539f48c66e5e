"""The texts of policies in records: where they stand, as they stand, and nothing where they do not."""

import json
from urllib.parse import quote

import pytest

from custody.model.privileges import PolicyText, TextKind
from custody.sources.policy_texts import texts

POLICY = '{"Version":"2012-10-17","Statement":[]}'
TRAIL, LIST = "aws.cloudtrail", "aws.iam_details"


def call(name: str, request: object, response: object = None) -> bytes:
    return json.dumps(
        {"eventID": "1", "eventName": name, "requestParameters": request, "responseElements": response}
    ).encode()


def kinds(found: tuple[PolicyText, ...]) -> list[tuple[str, str | None, bool]]:
    return [(each.kind.value, each.name, each.default) for each in found]


@pytest.mark.parametrize(
    ("name", "request_", "response", "expected"),
    [
        ("PutRolePolicy", {"policyName": "a", "policyDocument": POLICY}, None, ("inline", "a", False)),
        ("PutUserPolicy", {"policyName": "a", "policyDocument": quote(POLICY)}, None, ("inline", "a", False)),
        ("CreateRole", {"assumeRolePolicyDocument": POLICY}, None, ("trust", None, False)),
        ("UpdateAssumeRolePolicy", {"policyDocument": POLICY}, None, ("trust", None, False)),
        ("CreatePolicy", {"policyDocument": POLICY}, None, ("version", "v1", True)),
        ("CreatePolicyVersion", {"policyDocument": POLICY, "setAsDefault": True},
         {"policyVersion": {"versionId": "v3"}}, ("version", "v3", True)),
        ("CreatePolicyVersion", {"policyDocument": POLICY},
         {"policyVersion": {"versionId": "v3", "isDefaultVersion": False}}, ("version", "v3", False)),
        ("AssumeRole", {"policy": POLICY}, None, ("session", None, False)),
    ],
)  # fmt: skip
def test_the_text_of_a_call(
    name: str, request_: object, response: object, expected: tuple[str, str | None, bool]
) -> None:
    plain = call(name, request_, response)
    found = texts(TRAIL, plain)

    assert kinds(found) == [expected]
    assert found[0].text == POLICY.encode()
    assert texts(TRAIL, json.dumps(plain.decode()).encode()) == found, "a record in a JSON string"


@pytest.mark.parametrize(
    "kept",
    [
        call("AttachRolePolicy", {"policyArn": "arn"}),
        call("AssumeRole", {"roleArn": "arn"}),
        call("PutRolePolicy", None),
        call("PutRolePolicy", {"policyName": 7, "policyDocument": POLICY}),
        call("PutRolePolicy", ["a"]),
        b"",
        b"\xff",
        b"[" * 5000,
        None,
    ],
)
def test_a_record_without_a_text_has_none(kept: bytes | None) -> None:
    assert all(each.text is None for each in texts(TRAIL, kept))
    assert texts("unknown", kept) == ()


def test_a_list_has_its_documents_as_they_stand_or_encoded() -> None:
    role = {
        "AssumeRolePolicyDocument": quote(POLICY),
        "RolePolicyList": [{"PolicyName": "a", "PolicyDocument": json.loads(POLICY)}],
        "PolicyVersionList": [
            {"VersionId": "v2", "IsDefaultVersion": True, "CreateDate": "2026-03-02T08:00:00+00:00", "Document": POLICY}
        ],
    }
    found = texts(LIST, json.dumps(role).encode())

    assert kinds(found) == [("trust", None, False), ("inline", "a", False), ("version", "v2", True)]
    assert all(json.loads(each.text or b"") == json.loads(POLICY) for each in found)
    assert found[2].created == 1_772_438_400_000_000


RULES = [{"verbs": ["get"], "resources": ["pods"], "apiGroups": [""]}]


@pytest.mark.parametrize(
    ("source", "record"),
    [
        ("kubernetes.inventory", {"kind": "Role", "rules": RULES}),
        ("kubernetes.audit", {"verb": "create", "auditID": "1", "requestObject": {"kind": "Role", "rules": RULES}}),
        (
            "kubernetes.audit",
            {"verb": "update", "auditID": "1", "requestObject": [], "responseObject": {"rules": RULES}},
        ),
    ],
)
def test_the_rules_of_a_role(source: str, record: object) -> None:
    (found,) = texts(source, json.dumps(record).encode())

    assert found.kind is TextKind.RULES
    assert json.loads(found.text or b"") == RULES


def test_half_a_role_has_no_rules() -> None:
    record = {"verb": "patch", "auditID": "1", "requestObject": {"metadata": {"labels": {}}}}

    assert texts("kubernetes.audit", json.dumps(record).encode()) == ()
