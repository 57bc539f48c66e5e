"""Identities whose owner has gone: by the register, with every member of a team, by the log of GitHub or of IAM."""

from pathlib import Path

import msgspec

from custody.model.contracts import EMPTY
from custody.model.register import Declared, Document, IdentityKind, Party, SealedDocument
from custody.model.times import microseconds
from custody.model.verdicts import Finding, Severity
from custody.rules import offboarded_owner
from tests.chains.running import derived
from tests.rules.test_judges import of

ACCOUNT = "111122223333"
HOUR = 3_600_000
GONE = microseconds("2026-01-05T12:00:00Z")
ROLES = ("by-register", "by-team", "by-github", "by-iam", "still-owned", "left-over", "owner-stays", "back")


def call(number: int, time: str, name: str, request: object, response: object = None, **given: object) -> object:
    who = {
        "type": "IAMUser", "principalId": "AIDAOPS", "arn": f"arn:aws:iam::{ACCOUNT}:user/ops", "accountId": ACCOUNT,
        "userName": "ops", "accessKeyId": "AKIA0000000000000OPS", **given,
    }  # fmt: skip
    return {
        "eventVersion": "1.09", "eventID": f"owner-{number:03d}", "eventTime": f"2026-01-{time}Z",
        "eventSource": "iam.amazonaws.com", "eventName": name, "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.9", "userIdentity": who, "requestParameters": request,
        "responseElements": response, "recipientAccountId": ACCOUNT,
    }  # fmt: skip


def records() -> list[object]:
    """A key of each user, used on the day after the owner went (not of the one that is left over)."""
    found: list[object] = []
    for number, name in enumerate(ROLES):
        key = f"AKIA{number:016d}"
        made = {"accessKey": {"accessKeyId": key, "userName": name, "status": "Active"}}
        found.append(call(10 * number, "04T10:00:00", "CreateAccessKey", {"userName": name}, made))
        arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
        own = {"principalId": f"AIDA{number}", "arn": arn, "userName": name, "accessKeyId": key}
        day = "04T11:00:00" if name == "left-over" else "06T10:00:00"
        found.append(call(10 * number + 1, day, "GetUser", None, **own))
    found.append(call(900, "05T12:00:00", "DeleteUser", {"userName": "ann"}))
    return found


def changed(number: int, action: str, user: str, *, org: str = "example-org", later: int = 0) -> object:
    return {
        "@timestamp": (GONE or 0) // 1000 + later, "_document_id": f"left-{number}", "action": action,
        "actor": "lead", "org": org, "user": user,
    }  # fmt: skip


def members() -> list[object]:
    """Of GitHub: ann has left, though another organisation took her; cy was back an hour later."""
    return [
        changed(1, "org.remove_member", "ann"),
        changed(2, "org.add_member", "ann", org="another-org", later=HOUR),
        changed(3, "org.remove_member", "cy"),
        changed(4, "org.add_member", "cy", later=HOUR),
    ]


def documents() -> tuple[SealedDocument, ...]:
    owners = {
        "by-register": "ann@example.com", "by-team": "team:payments", "by-github": "github_user:github:ann",
        "by-iam": f"arn:aws:iam::{ACCOUNT}:user/ann", "still-owned": "team:platform", "left-over": "ann@example.com",
        "owner-stays": "bob@example.com", "back": "github_user:github:cy",
    }  # fmt: skip
    identities = tuple(
        Declared(
            identity=name,
            kind=IdentityKind.USER,
            names=(f"aws_arn:{ACCOUNT}:arn:aws:iam::{ACCOUNT}:user/{name}",),
            owner=owner,
            deputy="bob@example.com" if name == "by-team" else None,
        )
        for name, owner in owners.items()
    )
    parties = (
        Party(name="ann@example.com", ended=GONE),
        Party(name="bob@example.com"),
        Party(name="team:payments", members=("ann@example.com",)),
        Party(name="team:platform", members=("ann@example.com", "bob@example.com")),
    )
    known = Document(name="people", digest="0" * 64, identities=identities, parties=parties)
    return (SealedDocument(document=known, leaf=0, at=1_700_000_000_000_000, by="ops"),)


def found(folder: Path) -> dict[str, Finding]:
    lines = [b"\n".join(map(msgspec.json.encode, each)) for each in (records(), members())]
    with derived(folder, lines, documents=documents()) as case:
        return {each.subject: each for each in case.report.findings if each.rule == "offboarded-owner"}


def test_what_works_on_after_its_owner_left_is_found(tmp_path: Path) -> None:
    told = found(tmp_path)

    assert set(told) == {"by-register", "by-team", "by-github", "by-iam", "left-over"}
    assert {name: each.severity for name, each in told.items()} == {
        name: Severity.LOW if name == "left-over" else Severity.MEDIUM for name in told
    }
    assert all(each.state == "unproven" and each.leaves for each in told.values()), "an owner is declared"
    assert "says the register, of every member" in told["by-team"].text
    assert "the deputy is bob@example.com" in told["by-team"].text
    assert "says github.audit" in told["by-github"].text
    assert "says aws.cloudtrail" in told["by-iam"].text
    assert "no known end" in told["left-over"].text


def test_nothing_is_said_where_nothing_is_left() -> None:
    assert offboarded_owner.judge(of(offboarded_owner.Row), EMPTY) is None
