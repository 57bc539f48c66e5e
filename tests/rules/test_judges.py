"""Rules as a set, and the edges of judges that records alone hardly reach."""

from collections import Counter
from typing import TypeVar

import msgspec
import pytest

from custody.model.contracts import EMPTY, Contract, IdentityClass
from custody.model.events import Granularity
from custody.model.verdicts import Basis, Best, Question, Severity, State
from custody.rules import (
    bound_at_issue,
    end_effective,
    lifetime,
    renewed,
    root_reached,
    used_by_holder,
    used_within,
)
from custody.rules.coverage import coverage
from custody.rules.judging import Judged, finding
from custody.rules.registry import load
from custody.rules.rule import Rule

HOUR = 3_600_000_000
RULES = load()


Row = TypeVar("Row", bound=msgspec.Struct)
AnyRule = Rule[msgspec.Struct]


def of(row: type[Row], **given: object) -> Row:
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
    assert set(asked) == set(Question)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_says_why_and_what_to_do(rule: AnyRule) -> None:
    assert rule.why.endswith(".")
    assert rule.action.endswith(".")
    assert rule.controls
    assert rule.title
    assert rule.fix or rule.question is None


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.question], ids=lambda rule: rule.id)
def test_where_nothing_is_known_nothing_is_proved_or_violated(rule: AnyRule) -> None:
    verdict = rule.judge(of(rule.row), EMPTY)

    assert verdict is not None
    assert verdict.state in (State.UNPROVEN, State.NOT_APPLICABLE)
    assert verdict.severity is None


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.question], ids=lambda rule: rule.id)
def test_nothing_rests_on_a_record_in_conflict(rule: AnyRule) -> None:
    known = {
        "issue_leaf": 5, "issued_at": 0, "not_after": 999 * HOUR, "method": "AssumeRole", "uses": 3, "seen": 3,
        "late_disputed": 2, "doubtful": 1, "end_leaf": 6, "end_time": 1,
        "end_effect": "key.delete",
        "workload": "aws_instance:1:i-1", "granularity": "instance", "bound_by": "issuer", "requester": "aws_arn:1:x",
        "lineage": "l", "lineage_position": 2, "lineage_first": 0, "run_ended": -999 * HOUR, "run_end_leaf": 4,
        "unexplained": 2, "egress": "192.0.2.9", "egress_how": "elastic address", "depth": 0,
        "root_population": "person", "root_subject": "aws_arn:1:arn:aws:iam::1:user/a", "as_of": 1, "by_log": 1,
    }  # fmt: skip
    disputed = {"issue_disputed": True, "use_disputed": True, "chain_disputed": True}
    verdict = rule.judge(of(rule.row, **known, **disputed), EMPTY)

    assert verdict is not None
    if disputed.keys() & set(rule.row.__struct_fields__) and rule.question is not Question.APPROVED:
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

    sound = root_reached.judge(of(root_reached.Row, **known), EMPTY)
    broken = root_reached.judge(of(root_reached.Row, **known, chain_disputed=True), EMPTY)

    assert (sound.state, sound.leaves) == (State.PROVED, (0, 5))
    assert broken.state is State.UNPROVEN


def test_a_person_declared_is_none_that_a_record_shows() -> None:
    assert root_reached.RULE.facts is not None
    assert "own_population" in root_reached.RULE.facts


@pytest.mark.parametrize(
    ("late", "wanted"),
    [(renewed.GRACE, State.UNPROVEN), (renewed.GRACE + 1, State.VIOLATED)],
)
def test_a_renewal_is_late_after_the_grace_of_a_shutdown(late: int, wanted: State) -> None:
    row = of(
        renewed.Row,
        issue_leaf=3,
        issued_at=HOUR + late,
        lineage="l",
        lineage_position=2,
        run_ended=HOUR,
        run_end_leaf=2,
        run_grade="exact",
        run_asserter="issuer",
    )
    claimed = of(renewed.Row, issue_leaf=3, issued_at=HOUR + late, lineage="l", run_ended=HOUR, run_end_leaf=2)
    verdict = renewed.judge(row, EMPTY)

    assert verdict.state is wanted
    assert wanted is State.UNPROVEN or verdict.leaves == (2, 3)
    assert renewed.judge(claimed, EMPTY).state is not State.VIOLATED


def test_a_lineage_past_its_limit_cites_its_first_issue() -> None:
    contract = Contract(classes=(IdentityClass(name="c", match=(), max_life=HOUR),))
    known = {"issue_leaf": 9, "lineage": "l", "lineage_position": 4, "lineage_first": 0, "lineage_first_leaf": 1}

    edge = renewed.judge(of(renewed.Row, **known, issued_at=HOUR, identity_class="c"), contract)
    past = renewed.judge(of(renewed.Row, **known, issued_at=HOUR + 1, identity_class="c"), contract)
    none = renewed.judge(of(renewed.Row, **known, issued_at=HOUR + 1, identity_class="d"), contract)

    assert (edge.state, none.state) == (State.UNPROVEN, State.UNPROVEN)
    assert (past.state, past.leaves) == (State.VIOLATED, (1, 9))


@pytest.mark.parametrize(
    ("method", "hours", "wanted"),
    [
        ("AssumeRole", 12, State.PROVED),
        ("AssumeRole", 13, State.VIOLATED),
        ("GetSessionToken", 36, State.PROVED),
        ("GetSessionToken", 37, State.VIOLATED),
        ("AssumeRoot", 1, State.VIOLATED),
        ("Unheard", 1, State.UNPROVEN),
        (None, 1, State.UNPROVEN),
    ],
)
def test_a_lifetime_is_held_against_the_maximum_of_its_call(method: str | None, hours: int, wanted: State) -> None:
    row = of(lifetime.Row, issue_leaf=1, issued_at=0, not_after=hours * HOUR, method=method)

    assert lifetime.judge(row, EMPTY).state is wanted


@pytest.mark.parametrize("method", ["AssumeRole", "GetRoleCredentials", None])
def test_a_session_without_an_expiry_on_record_is_not_called_endless(method: str | None) -> None:
    contract = Contract(classes=(IdentityClass(name="c", match=(), ttl=HOUR),))
    row = of(lifetime.Row, issue_leaf=1, issued_at=0, method=method, identity_class="c")

    assert lifetime.judge(row, contract).state is State.UNPROVEN


def test_an_end_is_enforced_by_its_issuer_and_not_observed() -> None:
    known = {"issue_leaf": 1, "end_leaf": 2, "end_effect": "role.delete"}

    effective = end_effective.judge(of(end_effective.Row, **known), EMPTY)
    undone = end_effective.judge(of(end_effective.Row, **known, end_until=9), EMPTY)
    disputed = end_effective.judge(of(end_effective.Row, issue_leaf=1, end_disputed=True), EMPTY)

    assert (effective.state, effective.basis, effective.leaves) == (State.PROVED, Basis.ISSUER_ENFORCED, (1, 2))
    assert undone.state is State.OPEN
    assert disputed.state is State.UNPROVEN


def test_late_calls_are_told_by_what_they_came_after() -> None:
    known = {"late_uses": 40, "late_first": 90, "late_leaves": [*range(20)], "end_effect": "key.delete", "end_leaf": 50}

    after_end = used_within.judge(of(used_within.Row, **known, uses=50, end_time=80), EMPTY)
    before_end = used_within.judge(of(used_within.Row, **known, uses=50, end_time=95), EMPTY)

    assert after_end.text == "40 successful calls after key deleted"
    assert before_end.text == "40 successful calls after expiry"
    assert (after_end.count, len(after_end.leaves)) == (41, 16)


def holder(**given: object) -> used_by_holder.Row:
    known: dict[str, object] = {
        "issue_leaf": 1, "uses": 4, "seen": 4, "unexplained": 2, "workload": "aws_instance:1:i-1", "bound_by": "issuer",
        "granularity": "instance", "strange_origin": "192.0.2.1", "strange_leaves": [5, 6], "strange_calls": 2,
        "strange_other": "aws_arn:1:arn:aws:iam::1:user/m", "strange_other_leaf": 4, "egress": "192.0.2.9",
        "egress_how": "elastic address", "egress_leaf": 2, "egress_run_leaf": 3,
    }  # fmt: skip
    return of(used_by_holder.Row, **{**known, **given})


def test_a_stolen_key_needs_the_way_out_and_a_stranger() -> None:
    stolen = used_by_holder.judge(holder(), EMPTY)
    no_way_out = used_by_holder.judge(holder(egress=None), EMPTY)
    no_stranger = used_by_holder.judge(holder(strange_other=None), EMPTY)
    refused = used_by_holder.judge(holder(strange_origin=None), EMPTY)

    assert (stolen.state, stolen.leaves, stolen.count) == (State.VIOLATED, (1, 2, 3, 4, 5, 6), 6)
    assert [v.state for v in (no_way_out, no_stranger, refused)] == [State.UNPROVEN] * 3
    assert [v.severity for v in (no_way_out, no_stranger, refused)] == [None] * 3


def test_a_difference_between_siblings_is_worth_a_look_and_no_more() -> None:
    verdict = used_by_holder.judge(
        holder(egress=None, sibling="aws_akid:aws:ASIAOTHERSIBLING", sibling_origin="192.0.2.2", sibling_leaf=9), EMPTY
    )

    assert (verdict.state, verdict.best, verdict.severity) == (State.UNPROVEN, Best.INDICATED, Severity.MEDIUM)
    assert "192.0.2.1" in verdict.text
    assert "192.0.2.2" in verdict.text
    assert 9 in verdict.leaves


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"by_log": 4}, State.PROVED),
        ({"by_log": 3, "by_service": 1}, State.PROVED),
        ({"by_service": 4}, State.UNPROVEN),
        ({"by_log": 3, "by_contract": 1}, State.UNPROVEN),
        ({"by_log": 4, "bound_by": "client"}, State.UNPROVEN),
        ({"by_log": 4, "granularity": "account"}, State.UNPROVEN),
        ({"uses": 0}, State.NOT_APPLICABLE),
        ({"seen": None}, State.UNPROVEN),
    ],
)
def test_the_holder_is_proved_by_the_log_alone(given: dict[str, object], wanted: State) -> None:
    verdict = used_by_holder.judge(holder(unexplained=0, how="NAT of its network", fact_leaf=7, **given), EMPTY)

    assert verdict.state is wanted
    assert verdict.severity is None


@pytest.mark.parametrize("name", ["i-1", "aws_instance:1:i-1", "aws:role/app"])
def test_the_contract_may_name_the_workload_or_its_role(name: str) -> None:
    contract = Contract(origins=((name, ("198.51.100.0/24",)),))
    row = holder(egress=None, subject="aws_arn:1:arn:aws:iam::1:role/app")

    assert used_by_holder.judge(row, contract).state is State.VIOLATED
    assert used_by_holder.judge(row, Contract(origins=(("i-2", ("198.51.100.0/24",)),))).state is State.UNPROVEN


def test_the_issuer_has_to_bind_and_finely_enough() -> None:
    known = {"issue_leaf": 1, "workload": "aws_instance:1:i-1", "granularity": "instance", "identity_class": "c"}
    fine = Contract(classes=(IdentityClass(name="c", match=(), granularity=Granularity.POD),))

    assert bound_at_issue.judge(of(bound_at_issue.Row, **known, bound_by="issuer"), EMPTY).state is State.PROVED
    assert bound_at_issue.judge(of(bound_at_issue.Row, **known, bound_by="client"), EMPTY).state is State.UNPROVEN
    coarse = bound_at_issue.judge(of(bound_at_issue.Row, **known, bound_by="issuer"), fine)
    assert (coarse.state, coarse.leaves) == (State.VIOLATED, (1,))


def test_a_finding_is_named_by_its_rule_and_subject_alone() -> None:
    (rule,) = (rule for rule in RULES if rule.id == "used-by-holder")
    verdict = used_by_holder.judge(holder(), EMPTY)
    one = finding(rule, verdict, "aws_akid:aws:A", "c-1", "who")
    moved = finding(rule, msgspec.structs.replace(verdict, leaves=(99,)), "aws_akid:aws:A", "c-1", "else")

    assert one.id == moved.id
    assert one.id != finding(rule, verdict, "aws_akid:aws:B", "c-1", "who").id
    assert one.severity is Severity.HIGH


def test_a_percentage_of_nothing_says_why_and_violations_are_counted_apart() -> None:
    counts = {Question.BOUND.value: Counter({"proved": 1, "violated": 1, "unproven": 2, "claimed": 1})}
    judged = Judged(
        counts=counts,
        findings=[],
        complete=0,
        machines=4,
        complete_identities=0,
        identities=3,
        settles=Counter({"b": 2, "a": 2, "c": 1}),
    )

    told = coverage(judged, EMPTY, frozenset({Question.BOUND}))

    assert (told.chains.count, told.chains.of) == (0, 4)
    assert "no contract" in told.chains.why
    assert told.population.count is None
    assert [each.question for each in told.questions] == [question.value for question in Question]
    (bound, *others) = told.questions
    assert (bound.proved, bound.violated, bound.unproven, bound.claimed, bound.judged) == (1, 1, 2, 1, True)
    assert not any(each.judged for each in others)
    assert (told.cheapest_fix, told.cheapest_fix_settles) == ("a", 2)


def test_one_fact_is_one_finding() -> None:
    covered = {rule.id: rule.covered_by for rule in RULES if rule.covered_by}

    assert covered["end-effective"] == covered["revocation-without-effect"] == "used-after-end"
    assert {rule.covered_by for rule in RULES} - {None} <= {rule.id for rule in RULES}


@pytest.mark.parametrize(
    ("last", "wanted"),
    [(None, "no later success"), (60, "no later success"), (119, "59 s after, within propagation"), (600, "a service")],
)
def test_an_end_says_what_came_after_it(last: int | None, wanted: str) -> None:
    success = None if last is None else last * 1_000_000
    row = of(
        end_effective.Row, key="aws_akid:aws:A", issue_leaf=1, end_leaf=2, end_time=60_000_000, last_success=success
    )
    verdict = end_effective.judge(row, EMPTY)

    assert verdict.state is State.PROVED
    assert wanted in verdict.text


def test_a_violation_stands_beside_a_use_in_dispute() -> None:
    late = of(used_within.Row, uses=3, late_uses=1, late_first=9, late_leaves=[4], use_disputed=True, late_disputed=1)
    stolen = used_by_holder.judge(holder(use_disputed=True), EMPTY)

    assert used_within.judge(late, EMPTY).state is State.VIOLATED
    assert stolen.state is State.VIOLATED
    assert used_by_holder.judge(holder(use_disputed=True, issue_disputed=True), EMPTY).state is State.UNPROVEN


def test_a_pair_of_siblings_is_told_once_and_under_its_own_name() -> None:
    pair = {"key": "k:s:one", "egress": None, "sibling": "k:s:two", "sibling_origin": "192.0.2.2", "sibling_leaf": 9}
    told = used_by_holder.judge(holder(**pair), EMPTY)
    again = used_by_holder.judge(holder(**pair, sibling_tells=True), EMPTY)
    (rule,) = (rule for rule in RULES if rule.id == "used-by-holder")

    assert (told.severity, again.severity) == (Severity.MEDIUM, None)
    assert told.text == again.text
    assert finding(rule, told, "k:s:one", "c-1", "who").title != rule.title


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ({"verifier_until": 99}, State.PROVED),
        ({"verifier_until": 9}, State.UNPROVEN),
        ({}, State.UNPROVEN),
        ({"verifier_until": 99, "open_sessions": 1, "open_leaf": 7}, State.UNPROVEN),
    ],
)
def test_a_role_that_vault_revoked_has_ended_where_its_server_says_so(facts: dict[str, int], wanted: State) -> None:
    row = of(
        end_effective.Row, key="db_role:postgresql:r", issue_leaf=1, end_leaf=2, end_time=50,
        end_effect="credential.revoke", **facts,
    )  # fmt: skip

    assert end_effective.judge(row, EMPTY).state is wanted


API, OTHER = "https://kubernetes.default.svc", "sts.amazonaws.com"


@pytest.mark.parametrize(
    ("key", "effect", "tags", "more", "wanted"),
    [
        ("k8s_cred:c:JTI=1", "pod.delete", f'{{"audiences":["{API}"]}}', {}, "proved"),
        ("k8s_cred:c:JTI=1", "pod.delete", '{"expiration_seconds":3607}', {}, "proved"),
        ("k8s_cred:c:JTI=1", "pod.delete", f'{{"audiences":["{API}","{OTHER}"]}}', {}, "unproven"),
        ("k8s_cred:c:JTI=1", "pod.delete", f'{{"audiences":["{OTHER}"]}}', {}, "unproven"),
        ("k8s_cred:c:JTI=1", "pod.delete", '{"audiences":["https://kubernetes.default.example"]}', {}, "unproven"),
        ("k8s_cred:c:JTI=1", "pod.delete", f'{{"audiences":["{API}.cluster.local"]}}', {}, "proved"),
        ("k8s_cred:c:JTI=1", "principal.delete", f'{{"audiences":["{OTHER}"]}}', {}, "unproven"),
        ("k8s_cred:c:JTI=1", "pod.delete", None, {}, "unproven"),
        ("k8s_cred:c:JTI=1", "pod.delete", "{", {}, "unproven"),
        ("k8s_cred:c:JTI=1", "pod.delete", None, {"not_after": 60}, "proved"),
        ("k8s_cred:c:JTI=1", "pod.delete", None, {"not_after": 99}, "unproven"),
        ("aws_akid:aws:A", "role.delete", None, {}, "proved"),
    ],
)
def test_what_a_token_is_bound_to_ends_it_where_nobody_else_checks_it(
    key: str, effect: str, tags: str | None, more: dict[str, int], wanted: str
) -> None:
    row = of(
        end_effective.Row,
        key=key,
        issue_leaf=1,
        end_leaf=2,
        end_time=50,
        end_effect=effect,
        tags=tags,
        as_of=80,
        **more,
    )

    assert end_effective.judge(row, EMPTY).state == wanted


def test_what_its_own_server_ended_is_over_at_once() -> None:
    """No minute is granted as where an end has to travel: one log tells of both."""
    known = {"issue_leaf": 1, "end_leaf": 2, "end_time": 50, "end_effect": "key.deactivate", "last_success": 60}
    made_up = "db_role:postgresql:v-kubernet-app-aaaaaaaaaaaaaaaaaaaa-1772445600"
    told = end_effective.judge(of(end_effective.Row, key=made_up, prompt_uses=2, prompt_leaf=9, **known), EMPTY)
    shared = end_effective.judge(of(end_effective.Row, key="db_role:postgresql:r", prompt_uses=2, **known), EMPTY)

    assert (told.state, told.text, told.leaves) == (State.VIOLATED, "2 successful calls after the end", (1, 2, 9))
    assert shared.state is State.UNPROVEN


def test_what_a_name_of_many_servers_shows_violates_nothing() -> None:
    late = {"issue_leaf": 1, "end_leaf": 2, "end_time": 50, "late_uses": 2, "late_leaves": [4], "late_first": 60}
    made_up = "db_role:postgresql:v-kubernet-app-aaaaaaaaaaaaaaaaaaaa-1772445600"
    for key, wanted in ((made_up, State.VIOLATED), ("db_role:postgresql:report", State.UNPROVEN)):
        ended = of(end_effective.Row, key=key, end_effect="credential.drop", **late)
        within = of(used_within.Row, key=key, end_effect="credential.drop", uses=3, **late)

        assert end_effective.judge(ended, EMPTY).state is wanted
        assert used_within.judge(within, EMPTY).state is wanted
