"""Findings and holes as OCSF objects."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from custody.model.report import Certificate, Report
from custody.model.verdicts import Basis, Borne, Finding, Severity, State
from custody.reports.frameworks import by_framework
from custody.reports.ocsf import findings, holes
from custody.reports.ocsf.findings import ANALYSES, DETECTIONS
from custody.rules.registry import load
from tests.reports.hostile import poisoned, text
from tests.reports.ocsf_schema import Object, at, problems, read
from tests.reports.sample import empty_report, finding, sample_report

BORNE = Borne(owner="team:finance-it", reason="no OIDC in the scheduler", until="2027-03-31T00:00:00Z")
CERTIFICATE = Certificate(
    source="aws.cloudtrail",
    account="111122223333",
    region="eu-central-1",
    since="2026-03-02T06:00:00Z",
    until="2026-03-02T09:00:00Z",
    how="the files that 3 digests name",
    expected=36,
    received=35,
    signatures={"verified": 3},
    whole=(("2026-03-02T06:00:00Z", "2026-03-02T08:00:00Z"),),
    problems=("a file is missing",),
    problems_total=1,
)


def report_of(*found: Finding, suppressed: tuple[Finding, ...] = ()) -> Report:
    return msgspec.structs.replace(sample_report(), findings=found, suppressed=suppressed)


def objects(report: Report) -> list[Object]:
    found = [read(line) for line in findings(report)]
    assert [problem for each in found for problem in problems(each)] == []
    return found


def one(severity: Severity = Severity.HIGH, **more: object) -> Object:
    made = finding("f-0000000000000001", severity, "a title", "a key", "what was seen", **more)
    (found,) = objects(report_of(made))
    return found


def test_every_finding_is_one_valid_object_with_its_own_id() -> None:
    report = sample_report()
    found = objects(report)

    assert [at(each, "finding_info", "uid") for each in found] == [each.id for each in report.findings]
    assert objects(empty_report()) == []


@pytest.mark.parametrize(
    ("more", "class_uid"),
    [
        ({"rule": "used-by-holder"}, 2004),
        ({"rule": "used-after-end", "question": "used within lifetime, scope and declared dependencies"}, 2004),
        ({"rule": "exposed-secret", "question": None}, 2004),
        ({"rule": "lifetime", "question": "lifetime within the contract"}, 2003),
        ({"rule": "source-with-holes", "question": None}, 2003),
        ({"rule": "a-rule-of-tomorrow", "question": None, "controls": ()}, 2003),
        ({"rule": "over-granted", "question": None}, 2008),
    ],
)
def test_suspicious_use_is_a_detection_and_any_other_a_gap(more: dict[str, object], class_uid: int) -> None:
    assert one(Severity.HIGH, **more)["class_uid"] == class_uid


def test_the_rules_that_are_named_are_there() -> None:
    assert {*DETECTIONS, *ANALYSES} <= {rule.id for rule in load()}


@pytest.mark.parametrize(("number", "severity"), list(enumerate(Severity, start=2)))
def test_severities_keep_their_order(severity: Severity, number: int) -> None:
    assert one(severity=severity)["severity_id"] == number


def test_what_is_violated_fails_and_what_is_indicated_warns() -> None:
    failed = one(rule="lifetime", question=None)
    warned = one(rule="lifetime", question=None, state=State.UNPROVEN, basis=None)

    assert at(failed, "compliance", "status_id") == 3
    assert at(warned, "compliance", "status_id") == 2
    assert (failed["confidence"], warned["confidence"]) == ("High", "Indicated")
    evidence = at(warned, "unmapped", "nhi_evidence")
    assert at(evidence, "state") == "unproven"
    assert at(evidence, "basis") is None


def test_controls_stand_with_their_catalogues() -> None:
    controls = ("AC-2(3)", "NHI7:2025", "PCI 8.6.3", "8.6.3", "X-1")
    gap = one(rule="lifetime", question=None, controls=controls)
    detection = one(controls=controls)

    standards = ["NIST SP 800-53 r5", "OWASP NHI Top 10 2025", "PCI DSS 4.0.1", "other"]
    assert at(gap, "compliance", "standards") == standards
    assert at(gap, "compliance", "requirements") == list(controls)
    tags = at(detection, "finding_info", "tags")
    assert isinstance(tags, list)
    assert [at(tag, "name") for tag in tags] == standards


def test_a_spelling_that_several_controls_share_is_of_no_catalogue() -> None:
    assert by_framework(["NHI-03"]) == [("other", ("NHI-03",))]
    assert by_framework(["A.5.18"]) == [("ISO/IEC 27001:2022", ("ISO27001 A.5.18",))]


def test_the_records_cited_are_related_events_and_evidence() -> None:
    found = one(leaves=(3, 40), count=7)

    assert at(found, "finding_info", "related_events") == [{"uid": "operations:3"}, {"uid": "operations:40"}]
    assert at(found, "finding_info", "related_events_count") == 7
    assert at(found, "evidences", 1) == {"uid": "operations:40", "data": {"log": "operations", "leaf": 40}}
    without = one(leaves=(), count=0)
    assert "evidences" not in without


def test_a_suppressed_finding_says_who_bears_it() -> None:
    borne = finding("f-0000000000000002", Severity.LOW, "a title", "a key", "seen", suppressed=BORNE)
    open_again = finding(
        "f-0000000000000003",
        Severity.LOW,
        "a title",
        "a key",
        "seen",
        suppressed=msgspec.structs.replace(BORNE, over=True),
    )
    shown, hidden = objects(report_of(open_again, suppressed=(borne,)))

    assert (shown["status_id"], hidden["status_id"]) == (1, 3)
    assert hidden["comment"] == "team:finance-it, until 2027-03-31T00:00:00Z: no OIDC in the scheduler"


def test_the_same_report_gives_the_same_bytes() -> None:
    assert list(findings(sample_report())) == list(findings(sample_report()))


def test_a_hole_is_a_log_activity_with_its_stretch() -> None:
    report = msgspec.structs.replace(
        sample_report(), certificates=(CERTIFICATE, msgspec.structs.replace(CERTIFICATE, problems=(), problems_total=0))
    )
    (found,) = map(read, holes(report))

    assert problems(found) == []
    assert (found["class_uid"], found["activity_name"]) == (1008, "Hole")
    assert (found["start_time"], found["end_time"]) == (1_772_431_200_000, 1_772_442_000_000)
    assert found["status_detail"] == "a file is missing"
    assert at(found, "cloud", "account", "uid") == "111122223333"


@settings(max_examples=25, deadline=None)
@given(text)
def test_hostile_text_never_breaks_a_finding_or_a_hole(poison: str) -> None:
    bad = poisoned(msgspec.structs.replace(sample_report(), certificates=(CERTIFICATE,)), poison)
    gap = finding("f-1", Severity.LOW, poison, poison, poison, rule="lifetime", question=None, basis=Basis.OBSERVED)
    bad = msgspec.structs.replace(bad, findings=(*bad.findings, gap, msgspec.structs.replace(gap, rule="over-granted")))

    for line in (*findings(bad), *holes(bad)):
        assert problems(read(line)) == []
