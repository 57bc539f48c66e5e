"""Rules as a set, and the edges of judges that records alone hardly reach."""

import msgspec
import pytest

from custody.model.contracts import EMPTY, Contract, IdentityClass
from custody.model.verdicts import Basis, Best, Question, Severity, State
from custody.rules import bound_at_issue, end_effective, end_recorded, lifetime, renewed, root_reached, used_by_holder
from custody.rules import used_within
from custody.rules.coverage import coverage
from custody.rules.judging import Judged, finding
from custody.rules.registry import load

HOUR = 3_600_000_000
RULES = load()


def of(row: type[msgspec.Struct], **given: object) -> msgspec.Struct:
    """A row with ``given`` and nothing else known: numbers 0, flags false, all else absent."""
    values: list[object] = []
    for field in msgspec.structs.fields(row):
        plain = {int: 0, bool: False, str: ""}.get(field.type)
        values.append(given.get(field.name, plain))
    return msgspec.convert(values, row)


def test_ids_and_questions_are_asked_once() -> None:
    asked = [rule.question for rule in RULES if rule.question is not None]

    assert len(set(asked)) == len(asked)
    assert [rule.id for rule in RULES] == sorted({rule.id for rule in RULES})
    assert set(Question) - set(asked) == {Question.PRIVILEGE, Question.DECIDED}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_says_why_and_what_to_do(rule: object) -> None:
    from custody.rules.rule import Rule

    assert isinstance(rule, Rule)
    assert rule.why.endswith(".")
    assert rule.action.endswith(".")
    assert rule.controls
    assert rule.title
    assert rule.fix or rule.question is None


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.question], ids=lambda rule: rule.id)
def test_where_nothing_is_known_nothing_is_proved_or_violated(rule: object) -> None:
    from custody.rules.rule import Rule

    assert isinstance(rule, Rule)
    verdict = rule.judge(of(rule.row), EMPTY)

    assert verdict is not None
    assert verdict.state in (State.UNPROVEN, State.NOT_APPLICABLE)
    assert verdict.severity is None


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.question], ids=lambda rule: rule.id)
def test_nothing_rests_on_a_record_in_conflict(rule: object) -> None:
    from custody.rules.rule import Rule

    assert isinstance(rule, Rule)
    known = {
        "issue_leaf": 5, "issued_at": 0, "not_after": 999 * HOUR, "method": "AssumeRole", "uses": 3, "seen": 3,
        "late_uses": 2, "late_first": 9, "late_leaves": [7, 8], "end_leaf": 6, "end_time": 1, "end_effect": "key.delete",
        "workload": "aws_instance:1:i-1", "granularity": "instance", "bound_by": "issuer", "requester": "aws_arn:1:x",
        "lineage": "l", "lineage_position": 2, "lineage_first": 0, "run_ended": -999 * HOUR, "run_end_leaf": 4,
        "unexplained": 2, "strange_origin": "192.0.2.1", "strange_other": "aws_arn:1:arn:aws:iam::1:user/m",
        "egress": "192.0.2.9", "egress_how": "elastic address", "strange_leaves": [1, 2], "strange_calls": 2, "depth": 0,
        "root_population": "person", "root_subject": "aws_arn:1:arn:aws:iam::1:user/a", "as_of": 1, "by_log": 1,
    }  # fmt: skip
    verdict = rule.judge(of(rule.row, **known, conflicted=True), EMPTY)

    assert verdict is not None
    if "conflicted" in rule.row.__struct_fields__:
        assert verdict.state is State.UNPROVEN
        assert verdict.severity is None


def test_a_root_rests_on_the_whole_chain() -> None:
    known = {
        "issue_leaf": 5,
        "depth": 2,
        "root_population": "person",
        "root_subject": "aws_arn:1:a/b",
        "root_use_leaf": 0,
    }

    sound = root_reached.judge(of(root_reached.Row, **known), EMPTY)  # type: ignore[arg-type]  # made by its own type
    broken = root_reached.judge(of(root_reached.Row, **known, chain_disputed=True), EMPTY)  # type: ignore[arg-type]  # same

    assert (sound.state, sound.leaves) == (State.PROVED, (0, 5))
    assert broken.state is State.UNPROVEN
