"""Decisions files: YAML and filled-in tables, what is wrong with them, and whom they mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from custody.errors import ContractError, UsageError
from custody.model.reviews import Choice, Decision, Fact, Member, Opening, digest_of
from custody.pipeline.reviewing.files import COLUMNS, cell, check_shown, form_of, written
from custody.pipeline.reviewing.reviews import resolved
from custody.register.decisions import is_table, parse, schema_text

DIGEST = "0" * 64
HEAD = f"version: 1\nreview: q1\npopulation: '{DIGEST}'\ndecisions:\n"
TABLE = "review,population,identity,decision,to,reason\r\n"
HOSTILE = '=cmd|"x"!A1\x1b[31m\u202e'


def member(identity: str, owner: str = "ann@example.com") -> Member:
    return Member(
        identity=identity, kind="role", population="machine",
        owner=(Fact(value=owner, said_by="register:x", signer=None),), purpose=(), declared=(), granted=("managed a",),
        credentials=2, alive=1, last_used="2026-01-05T10:00:05Z", exception=(), missing=("purpose",), names=(identity,),
    )  # fmt: skip


def opening(*members: Member) -> Opening:
    return Opening(
        name="q1", leaf=1, at=0, by="carl@host", reviewer="ann@example.com", due=1, as_of=None,
        digest=digest_of(members), members=members,
    )  # fmt: skip


def test_yaml_gives_decisions() -> None:
    data = HEAD + (
        "  app: {decision: keep, reason: 'runs the shop'}\n"
        "  'aws_arn:1:arn:aws:iam::1:role/x': {decision: narrow, to: ['managed a', 'managed b'], reason: less}\n"
        "  old: {decision: remove, reason: gone}\n"
    )

    found = parse(data.encode(), "d.yaml")

    assert (found.review, found.population, dict(found.rows)) == ("q1", DIGEST, {})
    assert [(one.identity.rpartition("/")[2], one.choice, one.to) for one in found.decisions] == [
        ("app", Choice.KEEP, ()),
        ("x", Choice.NARROW, ("managed a", "managed b")),
        ("old", Choice.REMOVE, ()),
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("  app: {decision: maybe, reason: x}", "keep, narrow or remove"),
        ("  app: {decision: keep}", "has no 'reason'"),
        ("  app: {decision: keep, reason: ' '}", "a text of 1 to 500 characters"),
        ("  app: {decision: narrow, reason: x}", "narrow to what"),
        ("  app: {decision: keep, to: [a], reason: x}", "what stays is said of narrow only"),
        ("  app: {decision: keep, reason: x, why: y}", "an unknown field"),
        ("  app: {decision: keep, reason: x}\n  app: {decision: remove, reason: x}", "duplicate key"),
        ("  app: &a {decision: keep, reason: x}", "anchor"),
        ("  app: {decision: keep, reason: \"a\\u202eb\"}", "character"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_yaml_is_said_with_its_line(line: str, told: str) -> None:
    with pytest.raises(ContractError, match=r"d.yaml:\d+:\d+") as error:
        parse((HEAD + line).encode(), "d.yaml")

    assert told in str(error.value)


def test_json_is_yaml() -> None:
    whole = {
        "version": 1,
        "review": "q1",
        "population": DIGEST,
        "decisions": {"a": {"decision": "keep", "reason": "x"}},
    }

    assert parse(json.dumps(whole).encode(), "d.json").decisions == (
        Decision(identity="a", choice=Choice.KEEP, reason="x"),
    )


def test_the_schema_says_what_is_read() -> None:
    schema = json.loads(schema_text())

    assert schema["required"] == ["version", "review", "population", "decisions"]
    assert schema["$defs"]["decision"]["properties"]["decision"]["enum"] == [choice.value for choice in Choice]


@pytest.mark.parametrize("form", ["{}", "\ufeff{}"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_of_any_spreadsheet_is_read(form: str, delimiter: str) -> None:
    rows = [["q1", DIGEST, "app", " Keep ", "", "runs"], ["q1", DIGEST, "x", "narrow", "managed a\nmanaged b", "less"]]
    text = TABLE.replace(",", delimiter)
    text += "".join(delimiter.join(f'"{each}"' for each in row) + "\r\n" for row in rows) + delimiter * 5 + "\r\n"
    data = form.format(text).encode()

    found = parse(data, "d.csv")

    assert is_table(data)
    assert (found.review, found.population) == ("q1", DIGEST)
    assert [(one.identity, one.choice, one.to) for one in found.decisions] == [
        ("app", Choice.KEEP, ()),
        ("x", Choice.NARROW, ("managed a", "managed b")),
    ]


def test_a_row_without_a_decision_decides_nothing() -> None:
    assert parse(f"{TABLE}q1,{DIGEST},app,,,\r\n".encode(), "d.csv").decisions == ()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (f"q1,{DIGEST},app,maybe,,x", "not a decision"),
        (f"q1,{DIGEST},app,keep,,", "without a reason"),
        (f"q1,{DIGEST},app,keep,,x\r\nq1,{DIGEST},app,keep,,x", "an identity twice"),
        (f"q1,{DIGEST},app,keep,,x\r\nq2,{DIGEST},b,keep,,x", "not of one review"),
        (f"q1,{DIGEST},app,narrow,,x", "narrow to what"),
        (f"q1,{DIGEST},app,keep", "a row of another length"),
        (f"q1,{DIGEST},app,keep,,{'x' * 501}", "too long"),
        (f"q1,{DIGEST},app,keep,,a\u202eb", "not all visible"),
        ("", "not of one review"),
        (f'q1,{DIGEST},app,keep,,"x', "not a table"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(body: str, told: str) -> None:
    with pytest.raises(ContractError) as error:
        parse((TABLE + body).encode(), "d.csv")

    assert told in str(error.value)


@pytest.mark.parametrize("head", [TABLE.replace(",to", ""), TABLE.replace("identity", "identity,identity")])
def test_a_table_has_its_columns_once(head: str) -> None:
    with pytest.raises(ContractError, match=r"no column to|columns twice: identity"):
        parse(head.encode(), "d.csv")


def test_the_exported_table_filled_in_means_every_identity_even_hostile_ones() -> None:
    given = opening(member("app"), member(HOSTILE))
    lines = written(given, "csv").decode().split("\r\n")
    filled = [lines[0], *(line.removesuffix('"","",""') + '"keep","","looked"' for line in lines[1:-1]), ""]

    parsed = parse("\r\n".join(filled).encode(), "d.csv")
    found, foreign = resolved(given.members, parsed.decisions)
    check_shown(given, parsed, "d.csv")

    assert lines[0] == ",".join(f'"{name}"' for name in COLUMNS)
    assert ([one.identity for one in found], foreign) == (["app", HOSTILE], [])
    assert "\x1b" not in "".join(lines)
    assert cell(HOSTILE).startswith("'=")


def test_two_identities_that_are_shown_alike_are_meant_by_neither() -> None:
    hidden, plain = "role/a\u202e", "role/a\\u202e"
    decisions = [Decision(identity=name, choice=Choice.KEEP, reason="x") for name in (hidden, plain, "role/b")]

    found, foreign = resolved((member(hidden), member(plain)), decisions)

    assert [one.identity for one in found] == [hidden, plain]
    assert foreign == ["role/b"]


def test_what_was_shown_must_not_be_changed() -> None:
    given = opening(member("app", "ann@example.com"))
    head = "review,population,identity,decision,to,reason,owner,alive\r\n"
    row = f"q1,{given.digest},app,keep,,looked,{{}},1\r\n"

    check_shown(given, parse((head + row.format("ann@example.com")).encode(), "d.csv"), "d.csv")
    with pytest.raises(UsageError, match="owner of app"):
        check_shown(given, parse((head + row.format("eve@example.com")).encode(), "d.csv"), "d.csv")


def test_the_forms_of_a_population() -> None:
    given = opening(member("app"))
    whole = json.loads(written(given, "json"))

    assert digest_of(given.members) == given.digest == whole["population"]
    assert whole["count"] == len(whole["identities"]) == 1
    assert written(given, "ndjson").count(b"\n") == 1
    with pytest.raises(UsageError, match="not a format"):
        form_of(Path("population.xlsx"))
