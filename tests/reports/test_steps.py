"""Steps put together for showing, and the words and numbers that all reports share."""

import msgspec
import pytest

from custody.model.verdicts import Question
from custody.reports.steps import groups, sort, violations
from custody.reports.words import answered, apart, counted, period, short_key, span, stamp, state_word
from tests.reports.sample_chains import answer, sample_chains, step
from tests.reports.sample_systems import database_chain


def test_neighbouring_uses_that_differ_in_the_call_alone_are_one_group() -> None:
    stolen = groups(sample_chains()[0].stages)

    assert [(group.stage, group.text) for group in stolen][2:4] == [
        ("use", "2 calls from 192.168.10.20"),
        ("use", "1 denied call from 192.168.10.20"),
    ]
    assert stolen[2].detail == "sts:GetCallerIdentity, ec2:DescribeInstances"
    assert stolen[2].leaves == (1310, 1311)


def test_an_end_that_two_logs_tell_alike_in_one_second_is_one_group_and_others_are_not() -> None:
    told = (
        step("end", "11:00:00", 1, "role dropped"),
        step("end", "11:00:00", 2, "role dropped"),
        step("end", "11:00:01", 3, "role dropped"),
        step("end", "11:00:01", 4, "credential expired"),
        step("issue", "11:00:02", 5, "creds by app"),
        step("issue", "11:00:02", 6, "creds by app"),
    )

    assert [group.leaves for group in groups(told)] == [(1, 2), (3,), (4,), (5,), (6,)]


def test_sessions_runs_and_what_is_only_told_are_sorts_of_their_own() -> None:
    found = groups(database_chain().stages)

    assert [(group.sort, group.text) for group in found] == [
        ("run", "starts: 2b1d0c5e-0000-4000-8000-00000000a001"),
        ("approve", "approved by mona, through the run"),
        ("issue", "database:creds by entity 7c9e6679-0000-4000-8000-00000000e001"),
        ("session", "opened 6b02e392.3729"),
        ("use", "3 calls from 192.0.2.14"),
        ("told", "use: chat payments-agent"),
        ("use", "1 denied call from 192.0.2.14"),
        ("refresh", "renewed until 2026-11-22T14:44:07Z"),
        ("session", "closed 6b02e392.3729"),
        ("end", "role dropped"),
        ("run", "ends: 2b1d0c5e-0000-4000-8000-00000000a001"),
    ]


def test_a_run_is_told_by_its_words_not_by_those_of_a_log() -> None:
    assert sort(step("end", "11:00:00", 1, "run away deleted")) == "end"
    assert sort(step("use", "11:00:00", 1, "run starts: x")) == "use"


def test_a_weaker_link_or_another_asserter_starts_a_new_group() -> None:
    use = step("use", "11:00:00", 1, "s3:ListBuckets", "192.0.2.1")
    guessed = msgspec.structs.replace(use, join="inferred")
    said = msgspec.structs.replace(use, asserter="client")

    assert [group.join for group in groups((use, use, guessed, use))] == ["exact", "inferred", "exact"]
    assert len(groups((use, said))) == 2


def test_a_group_counts_what_its_steps_stand_for_and_names_the_commonest_calls() -> None:
    uses = tuple(
        msgspec.structs.replace(step("use", "11:00:00", n, f"s3:Call{n}", "192.0.2.1"), count=n + 1) for n in range(6)
    )
    (found,) = groups(uses)

    assert found.count == 21
    assert found.text == "21 calls from 192.0.2.1"
    assert found.detail == "s3:Call5 (6), s3:Call4 (5), s3:Call3 (4), s3:Call2 (3), 2 more"


def test_an_issue_says_by_whom_and_below_until_when() -> None:
    issue = groups(sample_chains()[0].stages)[1]

    assert issue.text == "AssumeRole by ec2.amazonaws.com"
    assert issue.detail == "until 2023-07-10T18:30:22Z (6 h 35 m)"


def test_a_violation_is_marked_once_at_the_first_use_that_it_cites() -> None:
    chain = sample_chains()[0]

    assert {
        place: [one.question for one in some]
        for place, some in violations(groups(chain.stages), chain.verdicts).items()
    } == {2: [Question.HOLDER.value]}


def test_a_violation_that_cites_no_use_is_marked_at_its_step_and_one_without_steps_nowhere() -> None:
    shown = groups(sample_chains()[0].stages)
    life = answer(Question.LIFETIME, "violated", "too long", 1204)
    elsewhere = answer(Question.LIFETIME, "violated", "too long", 5)

    assert list(violations(shown, [life])) == [1]
    assert violations(shown, [elsewhere]) == {}


@pytest.mark.parametrize(
    ("key", "short"),
    [
        ("aws_akid:aws:ASIA1", "ASIA1"),
        ("aws_arn:1:arn:aws:iam::1:role/x", "arn:aws:iam::1:role/x"),
        ("oidc_subject:https%3A//issuer:repo:a/b", "repo:a/b"),
        ("spiffe:example.org:/shop/payments", "spiffe://example.org/shop/payments"),
        ("person:github:mona", "mona"),
        ("file:9f3a", "file:9f3a"),
        ("aws.cloudtrail:1:2023", "aws.cloudtrail:1:2023"),
        ("2001:db8::1", "2001:db8::1"),
        ("no key", "no key"),
        ("", ""),
    ],
)
def test_a_typed_key_is_known_by_its_value_and_all_else_stays(key: str, short: str) -> None:
    assert short_key(key) == short


def test_times_and_numbers_are_written_one_way() -> None:
    assert stamp("2023-07-10T11:55:22.123456Z") == "2023-07-10 11:55:22 UTC"
    assert stamp(None) == "unknown"
    assert stamp("soon") == "soon"
    assert period("2023-07-10T11:42:04Z", "2023-07-10T12:37:50Z") == "2023-07-10 11:42–12:37"
    assert period("2023-07-10T11:42:04Z", "2023-07-11T12:37:50Z") == "2023-07-10 11:42 – 2023-07-11 12:37"
    assert period("2023-07-10T11:42:04Z", "2023-07-10T11:42:50Z") == "2023-07-10 11:42"
    assert span("2023-07-10T11:42:04.5Z", "2023-07-10T12:37:50Z") == "2023-07-10 11:42:04 – 12:37:50 UTC"
    assert span("2023-07-10T11:42:04Z", None) == "2023-07-10 11:42:04 UTC – no expiry recorded"
    assert span(None, "2023-07-11T12:37:50Z") == "not recorded – 2023-07-11 12:37:50 UTC"
    assert [apart(n) for n in (0.0162, -1.5, 0.0004)] == ["0.016 s ahead of", "1.500 s behind", "level with"]
    assert period("", "later") == " – later"
    assert [counted(n, "leaf", "leaves") for n in (0, 1, 2000)] == ["0 leaves", "1 leaf", "2,000 leaves"]


def test_an_unproven_answer_is_called_by_the_best_it_has() -> None:
    assert state_word("unproven", "claimed") == "claimed"
    assert state_word("unproven", "nothing") == "unproven"
    assert state_word("proved", "claimed") == "proved"
    assert answered(Question.WITHIN.value) == "used within its limits"
    assert answered(Question.OWNER.value) == "owner"
