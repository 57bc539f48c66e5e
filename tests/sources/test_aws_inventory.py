"""The AWS inventory: the answer of the API as the readers frame it, and the two spellings of a trust policy."""

import base64
from pathlib import Path
from urllib.parse import quote

import msgspec

from custody.model.events import Event, Part
from custody.readers.content import Content
from custody.readers.framing import frame
from custody.sources import aws_credential_report, aws_iam_details

CASES = Path(__file__).resolve().parents[1] / "cases"


def case(name: str) -> bytes:
    return (CASES / "aws_iam_details" / f"{name}.json").read_bytes().rstrip(b"\n")


def one(raw: bytes) -> Event:
    found = aws_iam_details.SOURCE.read(raw, "iam-roles")
    assert isinstance(found, tuple)
    return found[0]


def test_each_element_of_the_answer_is_a_record_with_its_form() -> None:
    answer = (
        b'{"UserDetailList":[%s],"GroupDetailList":[%s],"RoleDetailList":[%s,%s],"Policies":[%s],"IsTruncated":false}'
    )
    raw = answer % tuple(case(name) for name in ("user", "group", "role", "role_url_encoded", "policy"))
    framed = list(frame(Content.of(raw), aws_iam_details.SOURCE.wrappings))
    assert [record.form for record in framed] == ["iam-users", "iam-groups", "iam-roles", "iam-roles", "iam-policies"]
    assert all(record.problem is None and aws_iam_details.SOURCE.identify(record.raw or b"") for record in framed)


def test_a_trust_policy_means_the_same_encoded_and_plain() -> None:
    plain = msgspec.json.decode(case("role"))
    encoded = {**plain, "AssumeRolePolicyDocument": quote(msgspec.json.encode(plain["AssumeRolePolicyDocument"]))}
    assert one(msgspec.json.encode(encoded)).parts == one(msgspec.json.encode(plain)).parts


def test_a_denying_statement_trusts_nobody() -> None:
    trusted = [part for part in one(case("role")).parts if part.effect == "inventory.trust"]
    assert [part.object for part in trusted] == [
        "Service:ec2.amazonaws.com",
        "arn:aws:iam::111122223333:role/ops",
        "444455556666",
    ]


def test_another_day_is_another_record_and_white_space_is_not() -> None:
    plain = msgspec.json.decode(case("role"))
    ids = [
        identity.id
        for raw in (case("role"), msgspec.json.encode(plain), msgspec.json.encode({**plain, "RoleLastUsed": {}}))
        if (identity := aws_iam_details.SOURCE.identify(raw))
    ]
    assert len(ids) == 3
    assert ids[0] == ids[1] != ids[2]


def parts_of(raw: bytes, form: str) -> list[tuple[str, int | None, Part]]:
    found = aws_credential_report.SOURCE.read(raw, form)
    assert isinstance(found, tuple)
    return [(event.id, event.created, part) for event in found for part in event.parts]


def test_the_api_answer_gives_the_rows_of_the_file() -> None:
    folder = CASES / "aws_credential_report"
    answer = (folder / "api_answer.json").read_bytes()
    content = base64.b64decode(msgspec.json.decode(answer)["Content"])
    header, *rows = content.splitlines()
    form = f"credential-report {header.decode()}"
    assert parts_of(answer, "document") == [part for row in rows for part in parts_of(row, form)]


def test_no_row_ever_names_an_access_key() -> None:
    for path in sorted((CASES / "aws_credential_report").glob("*.expected.json")):
        assert b"aws_akid" not in path.read_bytes()


def test_the_file_is_framed_by_rows_whose_form_is_the_header() -> None:
    rows = [
        (CASES / "aws_credential_report" / f"{name}.csv").read_bytes() for name in ("root_account", "robot_one_key")
    ]
    form = msgspec.json.decode((CASES / "aws_credential_report/robot_one_key.expected.json").read_bytes())["form"]
    header = form.removeprefix("credential-report ").encode()
    source = aws_credential_report.SOURCE
    framed = list(frame(Content.of(header + b"\n" + rows[0] + rows[1]), source.texts))
    assert [record.raw for record in framed] == [row.rstrip(b"\n") for row in rows]
    assert {record.form for record in framed} == {form}
    assert all(isinstance(source.read(record.raw or b"", record.form), tuple) for record in framed)
