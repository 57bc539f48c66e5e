"""The variables that hand a credential to a program, and those that it does not inherit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from custody.client import Credential, Fields
from custody.client.environment import OVERRULING, handed_down
from custody.errors import BrokerError, UsageError
from custody.settings.options import resolve
from tests.client.conftest import PASSWORD, SHAPES
from tests.serve.desk import asked_id, chain

ALWAYS = {
    "CUSTODY_CHAIN": chain(1),
    "CUSTODY_RECEIPT": f"{chain(1)}@12",
    "CUSTODY_EXPIRES": "2026-11-22T12:00:00Z",
}


def credential(kind: str, fields: dict[str, str]) -> Credential:
    return Credential(
        kind=kind, chain=chain(1), receipt=f"{chain(1)}@12", request=asked_id(1),
        expires=datetime(2026, 11, 22, 12, tzinfo=UTC), fields=Fields(fields),
    )  # fmt: skip


EXPECTED: dict[str, dict[str, str]] = {
    "postgresql": {
        "PGUSER": "cc_role",
        "PGPASSWORD": PASSWORD,
        "PGHOST": "db.example",
        "PGPORT": "5433",
        "PGDATABASE": "shop",
    },
    "aws_sts": {
        "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        "AWS_SESSION_TOKEN": f"{PASSWORD}-session",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
    },
    "jwt": {"CUSTODY_TOKEN": PASSWORD},
    "memory": {"CUSTODY_USERNAME": "cc_role", "CUSTODY_PASSWORD": PASSWORD},
}


@pytest.mark.parametrize("kind", EXPECTED)
def test_each_kind_has_the_names_that_programs_look_at(kind: str) -> None:
    _, opening, facts = SHAPES[kind]

    assert credential(kind, {**facts, **opening}).environment() == {**EXPECTED[kind], **ALWAYS}


@pytest.mark.parametrize(("name", "kind"), [("aws", "aws_sts"), ("postgres", "postgresql")])
def test_a_kind_can_be_said(name: str, kind: str) -> None:
    _, opening, facts = SHAPES[kind]

    assert credential("other", {**facts, **opening}).environment(name) == {**EXPECTED[kind], **ALWAYS}


@pytest.mark.parametrize("prefix", ["DB", "DB_"])
def test_a_prefix_names_every_field(prefix: str) -> None:
    found = credential("postgresql", {"username": "u", "sslmode": "verify-full", "new": "n"})

    expected = {"DB_USERNAME": "u", "DB_SSLMODE": "verify-full", "DB_NEW": "n"}
    assert found.environment(prefix=prefix) == {**expected, **ALWAYS}


def test_a_field_cannot_become_any_variable() -> None:
    for fields in ({"LD_PRELOAD": "x"}, {"a=b": "x"}, {"a\0": "x"}, {"": "x"}, {"password": "a\0must-not-stay"}):
        with pytest.raises(BrokerError) as raised:
            credential("other", fields).environment()
        assert "must-not-stay" not in str(raised.value)
    for prefix in ("", "1A", "A B", "A=", "É"):
        with pytest.raises(UsageError):
            credential("other", {}).environment(prefix=prefix)


def test_the_proof_is_not_handed_down() -> None:
    inherited = {"PATH": "/bin", "JOB": "token", "COPY": "Bearer token", "HIDDEN": "x"}
    found = handed_down(inherited, "jwt", {"A": "b"}, hidden=frozenset({"HIDDEN"}), secrets=("token",), own_names=True)

    assert found == {"PATH": "/bin", "A": "b"}


@pytest.mark.parametrize("kind", OVERRULING)
def test_nothing_inherited_overrules_the_credential(kind: str) -> None:
    inherited = {**dict.fromkeys(OVERRULING[kind], "x"), "PGUSER": "old", "AWS_ACCESS_KEY_ID": "old"}
    own = handed_down(inherited, kind, EXPECTED[kind], hidden=frozenset(), secrets=("",), own_names=True)
    prefixed = handed_down(inherited, kind, {"A": "b"}, hidden=frozenset(), secrets=(), own_names=False)

    assert own == {"PGUSER": "old", "AWS_ACCESS_KEY_ID": "old", **EXPECTED[kind]}
    assert prefixed == {**inherited, "A": "b"}


def test_custody_itself_runs_in_the_environment_of_a_lease(tmp_path: Path) -> None:
    """Its settings refuse variables that are misspelt settings: none of these looks like one."""
    environment = {"CUSTODY_BROKER": "x"}
    for kind, (_, opening, facts) in SHAPES.items():
        environment |= credential(kind, {**facts, **opening}).environment()

    assert resolve({}, environment, None, home=tmp_path, cwd=tmp_path, cores=1).file is None
