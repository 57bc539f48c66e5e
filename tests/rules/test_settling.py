"""What would settle an answer: every text that a rule can give has a row, and the rows are put in order."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import custody.rules
from custody.model.contracts import EMPTY
from custody.model.keys import KEY_TYPES
from custody.model.report import Coverage
from custody.pipeline.fixes import enabled
from custody.rules.coverage import coverage
from custody.rules.judging import Judged
from custody.rules.settling import DECISION_LOG, FIXES, GRANTS_OF, ISSUER_LOG, Fix, Settles, decision_log, issuer_log
from custody.sources.registry import sources

ROOM = Path(custody.rules.__path__[0])
NO_SOURCES = {"contract", "register"}
GIVEN = ("issuer_log", "decision_log", "grants_of")
"""Functions that give a member of Settles."""


def settled() -> Iterator[tuple[str, ast.expr]]:
    """Every value that a rule gives as what settles, with its place; names are followed within their file."""
    for path in sorted(ROOM.glob("*.py")):
        tree = ast.parse(path.read_text())
        names = {
            target.id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                for given in node.keywords:
                    if given.arg == "settles" and node.func.id in ("unproven", "indicated", "Verdict"):
                        value = given.value
                        found = names.get(value.id, value) if isinstance(value, ast.Name) else value
                        yield f"{path.name}:{node.lineno}", found


def is_typed(value: ast.expr) -> bool:
    match value:
        case ast.IfExp():
            return is_typed(value.body) and is_typed(value.orelse)
        case ast.Attribute(value=ast.Name(id="Settles"), attr=name):
            return name in Settles.__members__
        case ast.Call(func=ast.Name(id=name)):
            return name in GIVEN
    return False


def test_every_rule_names_what_settles_by_its_type() -> None:
    found = list(settled())

    assert len(found) > 20
    assert [place for place, value in found if not is_typed(value)] == []


@pytest.mark.parametrize(
    ("code", "typed"),
    [
        ("Settles.CONTRACT", True),
        ("issuer_log(row.key)", True),
        ("Settles.OLDER if old else issuer_log(key)", True),
        ("'a text of its own'", False),
        ("Settles.NO_SUCH", False),
        ("Settles.OLDER if old else 'a text'", False),
    ],
)
def test_the_walk_tells_a_typed_value_from_a_text(code: str, typed: bool) -> None:
    assert is_typed(ast.parse(code, mode="eval").body) is typed


def test_every_member_has_one_row_and_is_used() -> None:
    used = {node.attr for path in ROOM.glob("*.py") for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Settles"
            and path.name != "settling.py"}  # fmt: skip
    by_key = {*ISSUER_LOG.values(), *DECISION_LOG.values(), *GRANTS_OF.values()}
    by_key |= {Settles.ISSUER, Settles.POLICY, Settles.GRANTS}

    assert set(FIXES) == set(Settles)
    assert {Settles[name] for name in used} | by_key == set(Settles)


@pytest.mark.parametrize("settles", Settles, ids=lambda each: each.name)
def test_every_row_names_sources_that_there_are_and_says_what_to_set(settles: Settles) -> None:
    row = FIXES[settles]
    known = {source.name: source for source in sources()}

    assert set(row.sources) <= set(known) | NO_SOURCES
    assert row.setting or (row.sources and all(known[name].enable for name in row.sources))


@pytest.mark.parametrize("table", [ISSUER_LOG, DECISION_LOG, GRANTS_OF], ids=["issuer", "decision", "grants"])
def test_the_kinds_of_keys_are_those_there_are(table: dict[str, Settles]) -> None:
    assert set(table) <= set(KEY_TYPES)


def test_a_kind_without_a_row_of_its_own_asks_for_the_log_of_its_issuer() -> None:
    assert issuer_log("vault_accessor:c:x") is Settles.VAULT_LOGIN
    assert issuer_log("never_heard_of:x:y") is Settles.ISSUER
    assert decision_log("aws_akid:aws:x") is Settles.AWS_POLICY
    assert decision_log("never_heard_of:x:y") is Settles.POLICY


def counted(settles: dict[str, int], concerned: dict[str, int]) -> Coverage:
    judged = Judged(
        counts={}, findings=[], complete=0, machines=9, complete_identities=0, identities=9,
        settles=Counter(settles), concerned=Counter(concerned),
    )  # fmt: skip
    return coverage(judged, EMPTY, frozenset())


def test_the_best_that_can_be_done_comes_first() -> None:
    told = counted(
        {
            Settles.AWS_POLICY.value: 90,
            Settles.VAULT_LOGIN.value: 4,
            Settles.CONTRACT.value: 12,
            Settles.BINDING.value: 4,
        },
        {
            Settles.AWS_POLICY.value: 90,
            Settles.VAULT_LOGIN.value: 2,
            Settles.CONTRACT.value: 6,
            Settles.BINDING.value: 4,
        },
    )

    assert [(each.settles, each.questions, each.credentials, each.available) for each in told.fixes] == [
        ("a contract with owner and purpose", 12, 6, True),
        ("a source identity or tag that the issuer asserts", 4, 4, True),
        ("the audit device of the Vault cluster, from before its login", 4, 2, True),
        ("the policies in force at the time: CloudTrail names one only where it refuses", 90, 90, False),
    ]
    assert (told.cheapest_fix, told.cheapest_fix_settles) == ("a contract with owner and purpose", 12)


def test_what_nothing_settles_is_never_the_cheapest_fix() -> None:
    told = counted({Settles.AWS_POLICY.value: 90}, {Settles.AWS_POLICY.value: 90})

    assert (told.cheapest_fix, told.cheapest_fix_settles) == (None, 0)


def test_the_setting_is_the_rows_own_or_how_the_sources_are_switched_on() -> None:
    enable = {source.name: source.enable for source in sources()}
    counts = {each.value: 1 for each in (Settles.CONTRACT, Settles.VAULT_LOGIN, Settles.DATABASE_ROLE)}

    told = {each.settles: each for each in enabled(counted(counts, counts)).fixes}

    assert told[Settles.CONTRACT].setting == FIXES[Settles.CONTRACT].setting
    assert told[Settles.VAULT_LOGIN].setting == enable["vault.audit"]
    assert told[Settles.DATABASE_ROLE].source == "postgresql, vault.audit"
    assert told[Settles.DATABASE_ROLE].setting.split("\n") == [
        f"postgresql: {enable['postgresql']}",
        f"vault.audit: {enable['vault.audit']}",
    ]


def test_a_row_is_a_change_somewhere() -> None:
    assert all(row != Fix(()) for row in FIXES.values())
