"""``custody privileges`` over a store: text for people, JSON for programs, and what it says where there is nothing."""

import json
import re
from pathlib import Path

import pytest

from custody.cli import main
from custody.reports.safe import width
from tests.end_to_end.conftest import run
from tests.register import iam
from tests.register.iam import allow, assumed, call, created, document, listed_role, policy_arn

HOSTILE = "x\x1b[2J\u202e</script>=cmd()"
READ = document(
    allow("s3:GetObject", "arn:aws:s3:::reports/*", Sid=HOSTILE),
    allow(["ec2:Describe*"], Condition={"StringEquals": {"aws:RequestedRegion": HOSTILE}}),
)
RECORDS = (
    created("deploy", 0, permissionsBoundary=policy_arn("edge")),
    call("PutRolePolicy", 1, {"roleName": "deploy", "policyName": HOSTILE, "policyDocument": READ}),
    call("AttachRolePolicy", 5, {"roleName": "deploy", "policyArn": policy_arn("later")}),
    assumed("deploy", 10, "ASIADEPLOY0000000001"),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that name a store with a role of changes and a role of a list."""
    folder = tmp_path_factory.mktemp("privileges")
    logs = folder / "logs"
    logs.mkdir()
    (logs / "trail.json").write_bytes(iam.lines(*RECORDS))
    (logs / "iam.json").write_bytes(iam.inventory(listed_role("listed", attached=[policy_arn("later")])))
    run(folder, [logs])
    return ["--store", str(folder / "store")]


def asked(store: list[str], capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["privileges", *arguments, *store])
    return code, capsys.readouterr().out


def test_the_page_says_what_is_granted_by_whom_and_what_is_not_known(
    store: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, page = asked(store, capsys, "deploy")

    assert code == 0
    for words in (
        "made 2026-03-02 08:00:00 UTC", "since 2026-03-02 08:05:00 UTC", "no approval seen", "allow s3:GetObject",
        "under condition", "Service:ec2.amazonaws.com for sts:AssumeRole", "NOT KNOWN", "NOT READ",
        "its text is in no record",
    ):  # fmt: skip
        assert words in page
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", page)
    assert all(width(line) <= 80 for line in page.splitlines())


def test_the_object_has_every_leaf_and_the_same_at_an_earlier_time(
    store: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = asked(store, capsys, "aws:role/deploy", "--json")
    (now,) = json.loads(text)["principals"]
    _, text = asked(store, capsys, "deploy", "--as-of", iam.at(3), "--json")
    (then,) = json.loads(text)["principals"]

    assert code == 0
    assert [each["kind"] for each in now["grants"]] == ["boundary", "inline", "managed", "trust"]
    assert [each["kind"] for each in then["grants"]] == ["boundary", "inline", "trust"]
    assert (now["as_of"], then["as_of"]) == (None, iam.at(3))
    assert all(each["leaf"]["log"] == "operations" for each in now["grants"])
    assert now["made"] == then["made"] == iam.at(0)
    assert {each["via"] for each in now["statements"]} == {f"inline {HOSTILE}"}
    assert now["complete"] is False
    assert len(now["unresolved"]) == 2


def test_a_list_says_that_it_does_not_know_since_when(store: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    _, page = asked(store, capsys, iam.role_arn("listed"))

    assert "what it had before the records is not known" in page
    assert "in an inventory; since when is not known" in page


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("nobody",), 3), (("deploy", "--as-of", "yesterday"), 2), (("deploy", "--as-of", "2026-03-02"), 2), ((), 2)],
)
def test_what_cannot_be_answered_has_its_exit_code(
    store: list[str], capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int
) -> None:
    assert asked(store, capsys, *arguments)[0] == code


def test_no_store_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["privileges", "deploy", "--store", str(tmp_path / "none")]) != 0
