"""Reports as text, against files under ``expected/``.

To renew the files after a change that is meant: ``CUSTODY_RENEW=1 .venv/bin/pytest tests/reports/test_terminal.py``,
then read the difference before it is committed.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings

from custody.chains.containment import Containment, Member
from custody.chains.search import Hit, Searched
from custody.chains.ways import Way
from custody.model.report import LeafRef, Made, Report
from custody.reports import terminal
from custody.reports.safe import width
from custody.reports.terminal import Style
from tests.reports.hostile import HIDDEN, poisoned, text
from tests.reports.sample import empty_report, sample_report
from tests.reports.sample_chains import HOSTILE, STOLEN, at, sample_chains
from tests.reports.sample_systems import certificates, clocks, database_chain, delegation, scope

EXPECTED = Path(__file__).parent / "expected"
ANSI = re.compile("\x1b\\[[0-9;]*m")


def containment() -> Containment:
    ways = (
        Way(
            action="revoke the role's sessions issued until now",
            command="aws iam put-role-policy --role-name deploy --policy-name AWSRevokeOlderSessions "
            "--policy-document file://deny-older-than-now.json",
            effect="denies every session of the role issued before the time in the policy",
            collateral=3,
        ),
        Way(action="delete the role", command="aws iam delete-role --role-name deploy", effect="ends it", collateral=0),
    )
    alive = Member(
        key=STOLEN, credential="c-1", who="temporary key …36DZQP7P of i-0dbc91f429e48eeed", depth=0, alive=True,
        until=at("18:30:22"), ended=None, last_success=at("11:57:24"), ways=ways,
    )  # fmt: skip
    ended = msgspec.structs.replace(
        alive,
        key="aws_akid:aws:AKIACHILD0000000001",
        depth=1,
        alive=False,
        ended=f"key.delete at {at('12:28:24')}",
        ways=(),
    )
    endless = msgspec.structs.replace(
        alive, key="aws_akid:aws:AKIACHILD0000000002", depth=1, until=None, last_success=None, ways=ways[1:]
    )
    made = (
        Made(effect="user.create", what="aws_arn:1:arn:aws:iam::1:user/backdoor", time=at("11:58:40"), by=STOLEN,
             leaf=LeafRef("operations", 1352)),
        Made(effect="trust.edit", what=f"role/x on {HOSTILE}", time=at("11:59:02"), by=STOLEN,
             leaf=LeafRef("operations", 1360)),
    )  # fmt: skip
    return Containment(as_of=at("12:37:50"), members=(alive, ended, endless), alive=2, made=made, cut_off=False)


def of_systems() -> Report:
    """The sample as an estate of several systems."""
    return msgspec.structs.replace(sample_report(), scope=scope(), certificates=certificates(), clocks=clocks())


def contained() -> Containment:
    found = containment()
    over = msgspec.structs.replace(found.members[0], alive=False, ended=f"role.delete at {at('12:08:39')}", ways=())
    return Containment(as_of=found.as_of, members=(over,), alive=0, made=(), cut_off=False)


def searched() -> Searched:
    keys = (STOLEN, f"aws_akid:aws:ASIA{HOSTILE}", "aws_akid:aws:AKIAEXAMPLEROOT00001")
    weights = (12345, 70, 2)
    hits = tuple(Hit(key=key, how="address", weight=weight) for key, weight in zip(keys, weights, strict=True))
    return Searched(hits=hits, searched=("address",))


NAMES = {STOLEN: "temporary key …36DZQP7P of i-0dbc91f429e48eeed", f"aws_akid:aws:ASIA{HOSTILE}": HOSTILE}
NOTHING = Searched(hits=(), searched=("session", "role or user", "workload", "session name", "event id", "user agent"))

VIEWS: dict[str, Callable[[Style], str]] = {
    "page": lambda style: terminal.page(sample_report(), style),
    "page-of-nothing": lambda style: terminal.page(empty_report(), style),
    "coverage": lambda style: terminal.coverage(sample_report(), style),
    "scope": lambda style: terminal.scope(sample_report(), style),
    "findings": lambda style: terminal.findings(sample_report(), style),
    "findings-first": lambda style: terminal.findings(sample_report(), style, most=1),
    "chain-stolen": lambda style: terminal.chain(sample_chains()[0], style),
    "chain-deploy": lambda style: terminal.chain(sample_chains()[1], style),
    "chain-hostile": lambda style: terminal.chain(sample_chains()[2], style),
    "chain-quiet": lambda style: terminal.chain(sample_chains()[3], style),
    "chain-unused": lambda style: terminal.chain(sample_chains()[4], style),
    "chain-database": lambda style: terminal.chain(database_chain(), style),
    "tree": lambda style: terminal.tree(delegation(), style),
    "scope-systems": lambda style: terminal.scope(of_systems(), style),
    "page-systems": lambda style: terminal.page(of_systems(), style),
    "hits": lambda style: terminal.hits(searched(), NAMES, style),
    "nothing": lambda style: terminal.nothing(NOTHING, f"foo{HOSTILE}", style),
    "containment": lambda style: terminal.containment(containment(), style),
    "containment-over": lambda style: terminal.containment(contained(), style),
}
COMMANDS = re.compile(r"^    aws ")


@pytest.mark.parametrize("name", VIEWS)
def test_the_text_is_as_expected(name: str) -> None:
    path = EXPECTED / f"{name}.txt"
    shown = VIEWS[name](Style())
    if os.environ.get("CUSTODY_RENEW"):
        path.write_text(shown, encoding="utf-8")

    assert shown == path.read_text(encoding="utf-8")


def test_no_expected_file_is_left_over() -> None:
    assert {path.stem for path in EXPECTED.iterdir()} == set(VIEWS)


@pytest.mark.parametrize("name", VIEWS)
def test_no_line_is_over_80_columns_but_commands_to_be_copied(name: str) -> None:
    long = [line for line in VIEWS[name](Style()).split("\n") if width(line) > 80 and not COMMANDS.match(line)]

    assert long == []


@pytest.mark.parametrize("name", VIEWS)
def test_lines_end_without_spaces_and_the_text_with_one_newline(name: str) -> None:
    shown = VIEWS[name](Style())

    assert [line for line in shown.split("\n") if line != line.rstrip()] == []
    assert shown.endswith("\n")
    assert not shown.endswith("\n\n")


@pytest.mark.parametrize("name", VIEWS)
def test_style_adds_colour_and_nothing_else(name: str) -> None:
    styled = VIEWS[name](Style(on=True))

    assert "\x1b[" in styled
    assert ANSI.sub("", styled) == VIEWS[name](Style())


@settings(max_examples=25, deadline=None)
@given(text)
def test_no_control_character_of_a_log_ever_reaches_the_terminal(poison: str) -> None:
    report = poisoned(of_systems(), poison)
    shown = [
        terminal.chain(poisoned(database_chain(), poison)), terminal.tree(poisoned(delegation(), poison)),
        terminal.page(report), terminal.coverage(report), terminal.scope(report), terminal.findings(report),
        terminal.chain(poisoned(sample_chains()[1], poison)),
        terminal.hits(poisoned(searched(), poison), {poison: poison}),
        terminal.nothing(poisoned(NOTHING, poison), poison), terminal.containment(poisoned(containment(), poison)),
        terminal.containment(poisoned(contained(), poison)),
    ]  # fmt: skip

    assert [each for each in shown if HIDDEN.search(each)] == []


@settings(max_examples=25, deadline=None)
@given(text)
def test_hostile_text_never_makes_a_line_longer_than_80_columns(poison: str) -> None:
    shown = (
        terminal.page(poisoned(sample_report(), poison)),
        terminal.findings(poisoned(sample_report(), poison)),
        terminal.coverage(poisoned(sample_report(), poison)),
        terminal.scope(poisoned(of_systems(), poison)),
        terminal.tree(poisoned(delegation(), poison)),
        terminal.chain(poisoned(database_chain(), poison)),
        terminal.hits(poisoned(searched(), poison), {poison: poison}),
        terminal.containment(poisoned(contained(), poison)),
        *(terminal.chain(poisoned(chain, poison)) for chain in sample_chains()[:3]),
    )

    assert [line for each in shown for line in each.split("\n") if width(line) > 80] == []


def test_large_numbers_keep_their_columns() -> None:
    report = sample_report()
    huge = tuple(
        msgspec.structs.replace(each, proved=10_000_000, violated=1_234_567, unproven=999, open=0)
        for each in report.coverage.questions
    )
    coverage = msgspec.structs.replace(report.coverage, questions=huge)
    big = msgspec.structs.replace(report, coverage=coverage, records=12_345_678, understood=12_345_678)
    shown = terminal.coverage(big)

    assert all(width(line) <= 80 for line in shown.split("\n"))
    assert "  10,000,000  1,234,567       999     0    0" in shown
    assert "12,345,678 understood" in terminal.page(big)


def test_the_page_says_what_it_rests_on_and_what_proves_it() -> None:
    shown = terminal.page(sample_report())

    for words in (
        "not read: other accounts", "unknown: no orchestrator was read", "0 of 6", "2 high, 2 medium, 3 low",
        "CHEAPEST FIX  a contract with owner and purpose: settles 12 answers", "sealed, 2,957 leaves",
        "tamper-evident to holders", "custody verify", "custody findings", "custody coverage",
    ):  # fmt: skip
        assert words in shown


def test_a_trace_shows_every_grade_asserter_and_leaf() -> None:
    shown = terminal.chain(sample_chains()[1])

    assert "inferred, verifier  leaf 2110" in shown
    assert "exact, issuer  leaf 2300" in shown
    assert "✗ violated: end effective" in shown
    assert "7 children, access key each: ASIAEXAMPLECHILD0000," in shown


def test_a_command_is_never_divided() -> None:
    shown = terminal.containment(containment())

    assert [way for way in containment().members[0].ways if f"\n    {way.command}\n" not in shown] == []
