"""Every fault is planted, entered in the truth, and there to be seen in the files."""

import json
import re
from pathlib import Path

import pytest

from custody.errors import UsageError
from custody.model.verdicts import Question, Severity, State
from custody.rules import registry
from custody.simulation import faults
from custody.simulation.truth import Planted
from tests.simulation.conftest import Made, content, make

EXPECTED: dict[str, tuple[tuple[str, ...], str | None]] = {
    "approval-outlived": (("approved-exercised",), "medium"),
    "break-glass-used": (("break-glass-used",), "medium"),
    "contained-survivor": (("used-after-end", "end-effective"), "high"),
    "dropped-broker-lines": (("source-with-holes",), "medium"),
    "exposed-key": (("exposed-secret",), "medium"),
    "issued-without-intent": (("issued-without-intent",), "high"),
    "late-approval": (("approved",), "medium"),
    "long-lived-in-run": (("outlives-run",), "medium"),
    "no-approval": (("approved",), "medium"),
    "outlives-run": (("used-after-end",), "medium"),
    "receipt-elsewhere": (("receipt-elsewhere",), "high"),
    "renewed-after-run": (("renewed",), "high"),
    "revocation-without-effect": (("used-after-end", "end-effective"), "high"),
    "self-approval": (("approved",), "medium"),
    "self-approval-brokered": (("approved",), "high"),
    "shared-key": (("used-by-holder",), "medium"),
    "silent-reissue": (("renewed",), "high"),
    "skewed-clock": ((), None),
    "stolen-key": (("used-by-holder",), "high"),
    "stopped-log": (("source-with-holes",), "medium"),
    "surviving-session": (("used-after-end", "end-effective"), "high"),
    "tampered-log": (("source-with-holes",), "medium"),
    "truncated-log": (("source-with-holes",), "medium"),
    "ttl-shorter-than-delivery": (("shorter-than-delivery",), "low"),
    "use-after-broker-end": (("used-after-end", "end-effective"), "high"),
    "use-after-end": (("used-after-end", "end-effective"), "high"),
}
"""What one planted instance of each fault should say; faults that drop telemetry are looked at apart."""


def planted(made: Made, fault: str) -> list[Planted]:
    return [each for each in made.truth.planted if each.fault == fault]


def test_every_fault_is_planted_and_recorded(faulty: Made) -> None:
    names = [fault.name for fault in faults.load()]

    assert faulty.truth.faults == tuple(names)
    assert [name for name in names if not planted(faulty, name)] == []
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+", name) for name in names)


@pytest.mark.parametrize("fault", EXPECTED)
def test_what_should_find_it(faulty: Made, fault: str) -> None:
    said = {(each.rules, each.severity) for each in planted(faulty, fault)}

    assert EXPECTED[fault] in said


def test_rules_and_severities_are_there(faulty: Made) -> None:
    known = {rule.id for rule in registry.load()}

    for each in faulty.truth.planted:
        assert set(each.rules) <= known, each
        assert (each.severity is None) == (each.rules == ())
        assert each.severity is None or Severity(each.severity)
        assert each.text


@pytest.mark.parametrize(
    ("fault", "question"),
    [
        ("no-approval", Question.APPROVED),
        ("late-approval", Question.APPROVED),
        ("self-approval", Question.APPROVED),
        ("stolen-key", Question.HOLDER),
        ("shared-key", Question.HOLDER),
        ("use-after-end", Question.WITHIN),
        ("revocation-without-effect", Question.END_EFFECTIVE),
        ("surviving-session", Question.END_EFFECTIVE),
        ("silent-reissue", Question.RENEWED),
        ("outlives-run", Question.WITHIN),
        ("contained-survivor", Question.END_EFFECTIVE),
        ("renewed-after-run", Question.WITHIN),
        ("self-approval-brokered", Question.APPROVED),
        ("use-after-broker-end", Question.END_EFFECTIVE),
    ],
)
def test_what_is_wrong_is_never_proved(faulty: Made, fault: str, question: Question) -> None:
    right = {(each.key, each.question): each.states for each in faulty.truth.expected}

    for each in planted(faulty, fault):
        assert right[(each.subject, question.value)] == (State.VIOLATED, State.UNPROVEN), each


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no such fault"):
        faults.chosen(("no-such-fault",))
    assert faults.chosen(("all",)) == tuple(fault.name for fault in faults.load())
    assert faults.chosen(("stolen-key", "no-approval", "stolen-key")) == ("no-approval", "stolen-key")


def test_dropped_telemetry_is_not_in_the_files(tmp_path: Path) -> None:
    made = make(tmp_path, "dropped-issue")
    cluster = next(each for each in made.truth.dropped if each.source == "kubernetes.audit")
    issued = b"\n".join(line for line in made.lines("kubernetes/audit.log") if b"issued-credential-id" in line)

    assert cluster.records == len(cluster.keys) > 0
    assert [key for key in cluster.keys if key.split(":", 2)[2].encode() in issued] == []
    credentials = {each.key: each for each in made.truth.credentials}
    assert all(not credentials[key].records.get("issue") for key in cluster.keys)
    assert all(credentials[key].parent_visible == "none" for key in cluster.keys)
    unproven = {(each.key, each.question): each.states for each in made.truth.expected}
    used = [key for key in cluster.keys if credentials[key].records]
    assert {unproven[(key, Question.ISSUANCE.value)] for key in used} == {(State.UNPROVEN,)}


def test_no_fault_hides_another(faulty: Made) -> None:
    hidden = {key for each in faulty.truth.dropped if each.stage != "all" for key in each.keys}
    shown = {each.subject for each in faulty.truth.planted if not each.fault.startswith("dropped-")}

    assert hidden & shown == set()


def test_the_stopped_trail_says_nothing_more(faulty: Made) -> None:
    stop = next(each for each in faulty.truth.dropped if each.stage == "all")
    second = faulty.logs / "aws/AWSLogs/444455556666"
    records = [r for path in second.glob("CloudTrail/**/*.gz") for r in json.loads(content(path))["Records"]]

    assert stop.records > 0
    assert max(record["eventTime"] for record in records) < "2026-03-02T08:00:00Z"
    assert "StopLogging" in {record["eventName"] for record in records} | {
        record["eventName"]
        for path in faulty.logs.glob("aws/AWSLogs/111122223333/CloudTrail/**/*.gz")
        for record in json.loads(content(path))["Records"]
    }


def test_the_skewed_clock_is_ahead(clean: Made, tmp_path: Path) -> None:
    skewed = make(tmp_path, "skewed-clock")
    mine, theirs = (made.lines("postgresql/*")[0] for made in (clean, skewed))

    assert skewed.truth.skews[0].ahead == 180_000_000
    first, second = (json.loads(line)["timestamp"] for line in (mine, theirs))
    assert first != second
    assert first[:14] == second[:14] or first[:11] == second[:11]
    assert int(second[14:16]) - int(first[14:16]) in (3, -57)


def test_logs_that_were_cut_are_cut(faulty: Made) -> None:
    last = (faulty.logs / "kubernetes/audit.log").read_bytes().rsplit(b"\n", 1)[1]

    assert last.startswith(b'{"kind":"Event"')
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|Invalid"):
        json.loads(last)
    first = min(faulty.logs.glob("aws/AWSLogs/*/vpcflowlogs/**/*.gz"))
    with pytest.raises(EOFError):
        content(first)


def test_a_run_without_telemetry_is_in_no_file(faulty: Made) -> None:
    unseen = [each for each in planted(faulty, "run-without-telemetry") if not each.rules]
    run = next(run for run in faulty.truth.runs if run.key == unseen[0].subject)

    assert run.seen == ()
    assert run.key.split(":", 2)[2].encode() not in b"\n".join(faulty.lines("kubernetes/audit.log"))
