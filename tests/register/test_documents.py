"""Register documents: what is read, what is refused with its place, and that what is exported is read again."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from custody.errors import ContractError
from custody.model.contracts import Exempt
from custody.model.register import Declared, Document, IdentityKind, Party, Privilege
from custody.pipeline.registering.export import identity
from custody.register.documents import parse_document, schema_text

WHOLE = """
version: 1
register: payments
identities:
  payments-deploy:
    kind: role
    names: ["arn:aws:iam::111122223333:role/deploy", aws:role/old, aws:role/old]
    owner: team:payments
    deputy: ben@example.com
    purpose: |
      deploys "payments": # not a comment
    risk: high
    environments: [production]
    repository: https://git.example.com/payments
    pipeline: deploy.yaml
    workload: payments
    resources: [arn:aws:s3:::ledger]
    depends_on:
      - s3.amazonaws.com
      - aws:role/ledger
    privileges:
      - {what: deploy, on: payments, approved_by: ann@example.com, ticket: PAY-7}
      - what: read
    since: 2026-01-01
    until: 2027-01-01T00:00:00.5Z
    exception: {until: 2026-12-31, owner: team:payments, reason: no OIDC, compensating: [flow logs, yes]}
  n0: {kind: key, names: ["null", "0123", 12:30]}
parties:
  team:payments: {members: [ann@example.com, ben@example.com]}
  zoe@example.com: {ended: 2026-01-01}
  "group: x": {}
"""

READ = Document(
    name="payments",
    digest="",
    identities=(
        Declared(
            identity="payments-deploy",
            kind=IdentityKind.ROLE,
            names=("arn:aws:iam::111122223333:role/deploy", "aws:role/old"),
            owner="team:payments",
            deputy="ben@example.com",
            purpose='deploys "payments": # not a comment',
            risk="high",
            environments=("production",),
            repository="https://git.example.com/payments",
            pipeline="deploy.yaml",
            workload="payments",
            resources=("arn:aws:s3:::ledger",),
            depends_on=("s3.amazonaws.com", "aws:role/ledger"),
            privileges=(
                Privilege(what="deploy", on="payments", approved_by="ann@example.com", ticket="PAY-7"),
                Privilege(what="read"),
            ),
            since=1_767_225_600_000_000,
            until=1_798_761_600_500_000,
            exception=Exempt(
                until=1_798_761_600_000_000, owner="team:payments", reason="no OIDC", compensating=("flow logs", "yes")
            ),
        ),
        Declared(identity="n0", kind=IdentityKind.KEY, names=("null", "0123", "12:30")),
    ),
    parties=(
        Party(name="team:payments", members=("ann@example.com", "ben@example.com")),
        Party(name="zoe@example.com", ended=1_767_225_600_000_000),
        Party(name="group: x"),
    ),
)


def same(text: str) -> Document:
    """The document in ``text`` without the digest of its bytes."""
    found = parse_document(text.encode(), "x.yaml")
    return Document(name=found.name, digest="", identities=found.identities, parties=found.parties)


def test_a_whole_document_is_read_as_it_is_written() -> None:
    assert same(WHOLE) == READ


def test_the_digest_is_of_the_bytes() -> None:
    data = b"version: 1\nregister: a\n"

    assert parse_document(data, "x").digest != parse_document(data + b"\n", "x").digest


VISIBLE = st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("Cc", "Cf", "Zs"))
TEXTS = st.text(VISIBLE, min_size=1, max_size=40)


@given(st.lists(TEXTS, min_size=1, max_size=4, unique=True), TEXTS)
def test_any_visible_text_survives_an_export(names: list[str], purpose: str) -> None:
    one = Declared(identity="one-identity-that-no-name-is", kind=IdentityKind.APP, names=tuple(names), purpose=purpose)
    document = {"version": 1, "register": "a", "identities": {one.identity: identity(one)}}

    assert same(yaml.safe_dump(document, allow_unicode=True)).identities == (one,)


def test_a_day_of_until_holds_through_its_end_and_a_time_is_exact() -> None:
    text = (
        "version: 1\nregister: a\nidentities:\n"
        "  x: {kind: app, names: [x1], since: 2026-01-01, until: 2026-01-01}\n"
        "  y: {kind: app, names: [y1], until: 2026-01-01T12:00:00+02:00}\n"
        "parties:\n  zoe@example.com: {ended: 2026-01-01}\n"
    )

    x, y = same(text).identities

    assert (x.since, x.until) == (1_767_225_600_000_000, 1_767_312_000_000_000)
    assert y.until == 1_767_261_600_000_000
    assert same(text).parties[0].ended == 1_767_225_600_000_000


def test_the_example_of_the_page_is_a_document() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "register.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]

    (one,) = same(example).identities

    assert all(getattr(one, name) for name in one.__struct_fields__)


HEAD = "version: 1\nregister: a\nidentities:\n"
BAD = [
    ("", "the file is empty"),
    ("[]", "bad value for the register document"),
    ("register: a\n", "x.yaml:1:1: the register document has no 'version'"),
    ("version: 2\nregister: a\n", "x.yaml:1:10: bad value for version (found the number 2, expected the number 1)"),
    ("version: 1\nregister: a b\n", "x.yaml:2:11: bad value for register"),
    ("version: 1\nregister: a\nowner: x\n", "x.yaml:3:1: an unknown field"),
    (HEAD + "  a b: {kind: app, names: [x]}\n", "x.yaml:4:3: a bad name in identities"),
    (HEAD + "  a: {kind: app}\n", "x.yaml:4:3: identities.a has no 'names'"),
    (HEAD + "  a: {kind: app, names: []}\n", "x.yaml:4:25: bad value for identities.a.names (found an empty list"),
    (HEAD + "  a: {kind: person, names: [x]}\n", "x.yaml:4:13: bad value for identities.a.kind"),
    (HEAD + "  a: {kind: app, names: [x], ownr: y}\n", "x.yaml:4:30: an unknown field (found 'ownr'"),
    (HEAD + "  a: {kind: app, names: [x], risk: huge}\n", "one of high, medium, low"),
    (HEAD + "  a: {kind: app, names: [x], until: 2027-02-31}\n", "no real time (found '2027-02-31'"),
    (HEAD + "  a: {kind: app, names: [x], until: tomorrow}\n", "x.yaml:4:37: bad value for identities.a.until"),
    (HEAD + "  a: {kind: app, names: [x], since: 2027-01-02, until: 2027-01-01}\n", "until is not after since"),
    (HEAD + "  a: {kind: app, names: [x], exception: {owner: y}}\n", "has no 'reason'"),
    (HEAD + "  a: {kind: app, names: [x]}\n  b: {kind: app, names: [x]}\n", "x.yaml:5:26: 'x' is a name of a too"),
    (HEAD + "  a: {kind: app, names: [x]}\n  b: {kind: app, names: [a]}\n", "x.yaml:5:26: 'a' is a name of a too"),
    (
        HEAD + "  a: {kind: role, names: ['arn:aws:iam::1:role/p/q']}\n"
        "  b: {kind: role, names: ['aws_arn:1:arn:aws:iam::1:role/q']}\n",
        "is a name of a too",
    ),
    (HEAD + "  a: {kind: app, names: [x]}\n  a: {kind: app, names: [y]}\n", "x.yaml:5:3: a duplicate key"),
    (HEAD + "  a: &z {kind: app, names: [x]}\n", "an anchor"),
    (HEAD + "  a: {kind: app, names: ['x\u202e']}\n", "turns the text around"),
    (HEAD + "  a: {kind: app, names: [7]}\n", "put it in quotes"),
]


@pytest.mark.parametrize(("text", "told"), BAD, ids=[told[:40] for _, told in BAD])
def test_what_is_wrong_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(ContractError) as caught:
        parse_document(text.encode(), "x.yaml")

    assert told in f"{caught.value} {caught.value.advice}"
    assert caught.value.where.startswith("x.yaml:")


def test_all_problems_come_at_once() -> None:
    text = HEAD + "  a: {kind: app}\n  b: {kind: odd, names: [x], until: 2027-02-30}\n"

    with pytest.raises(ContractError) as caught:
        parse_document(text.encode(), "x.yaml")

    lines = str(caught.value).splitlines()
    assert lines[0] == "x.yaml:4:3: 3 problems in the register document"
    assert [line.partition(": ")[0] for line in lines[1:]] == ["x.yaml:4:3", "x.yaml:5:13", "x.yaml:5:37"]


def test_the_published_schema_is_a_schema_with_a_title_for_every_demand() -> None:
    schema = json.loads(schema_text())

    jsonschema_rs.Draft202012Validator(schema)
    assert all("title" in one for one in schema["$defs"].values())
    assert set(schema["$defs"]["identity"]["properties"]) == set(Declared.__struct_fields__) - {"identity"}
