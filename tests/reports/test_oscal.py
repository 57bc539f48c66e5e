"""Assessment results and catalogues, held against the models of an OSCAL library that is not ours."""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path
from typing import TypeAlias

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from markdown_it import MarkdownIt

from custody.model.controls import CATALOGUE, Framework
from custody.model.report import Report
from custody.model.verdicts import Borne, Finding, Severity, State
from custody.reports.oscal import assessment_results, catalogs
from custody.reports.oscal.words import control_id
from custody.reports.safe import markdown
from tests.reports.hostile import HIDDEN, poisoned, text
from tests.reports.ocsf_schema import Json, at
from tests.reports.sample import empty_report, finding, sample_report

Found: TypeAlias = "list[dict[str, Json]]"
BORNE = Borne(owner="team:finance-it", reason="no OIDC in the scheduler", until="2027-03-31T00:00:00Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def valid(document: bytes, folder: Path) -> None:
    from trestle.oscal.assessment_results import AssessmentResults

    path = folder / "results.json"
    path.write_bytes(document)
    assert AssessmentResults.oscal_read(path) is not None


def results(report: Report, folder: Path, **more: object) -> dict[str, Json]:
    document = assessment_results(report, **more)  # type: ignore[arg-type]
    valid(document, folder)
    found = json.loads(document)["assessment-results"]
    assert isinstance(found, dict)
    return found


def listed(document: Json, *path: str | int) -> Found:
    found = at(document, *path)
    assert isinstance(found, list)
    assert all(isinstance(each, dict) for each in found)
    return [each for each in found if isinstance(each, dict)]


def prop(found: Json, name: str) -> Json:
    return next((each["value"] for each in listed(found, "props") if each["name"] == name), None)


def of(*found: Finding, suppressed: tuple[Finding, ...] = ()) -> Report:
    return msgspec.structs.replace(sample_report(), findings=found, suppressed=suppressed)


def made(name: str, **more: object) -> Finding:
    return finding(name, Severity.HIGH, "a title", "a key", "what was seen", **more)


def test_the_sample_and_an_audit_of_nothing_are_valid(tmp_path: Path) -> None:
    found = results(sample_report(), tmp_path, controls=("AC-2(3)", "CC6.3"))
    nothing = results(empty_report(), tmp_path)

    assert at(found, "metadata", "oscal-version") == "1.2.1"
    assert at(nothing, "results", 0, "reviewed-controls", "control-selections", 0, "include-controls") == [
        {"control-id": "au-10.3"}
    ]
    assert "findings" not in listed(nothing, "results")[0]


def test_the_time_is_that_of_the_evidence(tmp_path: Path) -> None:
    found = results(sample_report(), tmp_path)

    assert at(found, "metadata", "last-modified") == "2023-07-10T12:37:50+00:00"
    assert at(found, "results", 0, "start") == "2023-07-10T11:42:04+00:00"
    assert at(found, "results", 0, "end") == "2023-07-10T12:37:50+00:00"
    assert assessment_results(sample_report()) == assessment_results(sample_report())


def test_ids_stay_from_one_time_to_the_next_and_differ_where_the_scope_does(tmp_path: Path) -> None:
    early, late = sample_report(), msgspec.structs.replace(sample_report(), as_of="2023-07-11T00:00:00Z")
    one, other = results(early, tmp_path), results(late, tmp_path)
    apart = results(early, tmp_path, scope="role deploy")

    def ids(document: Json, what: str) -> list[Json]:
        return [each["uuid"] for each in listed(document, "results", 0, what)]

    assert one["uuid"] != other["uuid"] != apart["uuid"]
    for what in ("observations", "findings", "risks"):
        assert ids(one, what) == ids(other, what)
        assert len(set(ids(one, what))) == len(ids(one, what))
    assert not set(ids(one, "findings")) & set(ids(apart, "findings"))
    assert UUID.fullmatch(str(one["uuid"]))


def test_nothing_is_ever_satisfied(tmp_path: Path) -> None:
    indicated = made("f-1", state=State.UNPROVEN, basis=None, controls=("AC-2", "IA-5"))
    violated = made("f-2", controls=("IA-5",))
    found = listed(results(of(indicated, violated), tmp_path), "results", 0, "findings")

    status = {str(at(each, "target", "target-id")): at(each, "target", "status") for each in found}
    assert at(status["ac-2_smt"], "state") == "not-satisfied"
    assert at(status["ac-2_smt"], "reason") == "other"
    assert at(status["ia-5_smt"], "reason") == "fail"
    assert b'"satisfied"' not in assessment_results(sample_report())


def test_only_a_violation_is_a_risk_and_a_suppressed_one_a_deviation(tmp_path: Path) -> None:
    indicated = made("f-1", state=State.UNPROVEN, basis=None)
    violated, borne = made("f-2"), made("f-3", suppressed=BORNE)
    found = results(of(indicated, violated, suppressed=(borne,)), tmp_path)

    risks = listed(found, "results", 0, "risks")
    assert [(prop(each, "finding"), each["status"]) for each in risks] == [
        ("f-2", "open"),
        ("f-3", "deviation-approved"),
    ]
    assert risks[1]["deadline"] == "2027-03-31T00:00:00+00:00"
    assert prop(risks[1], "suppressed-by") == "team:finance-it"
    assert len([each for each in listed(found, "results", 0, "observations") if prop(each, "finding")]) == 3


def test_an_observation_leads_to_its_records(tmp_path: Path) -> None:
    def cite(leaf: int) -> str:
        return f"records/{leaf}.json"

    own = results(of(made("f-1", leaves=(7, 8))), tmp_path)
    packed = results(of(made("f-1", leaves=(7, 8))), tmp_path, cite=cite)

    def last(document: dict[str, Json]) -> Json:
        return listed(document, "results", 0, "observations")[-1]

    assert [at(last(own), "relevant-evidence", place, "href") for place in (0, 1)] == [
        "custody:operations:7",
        "custody:operations:8",
    ]
    assert at(last(packed), "relevant-evidence", 0, "href") == "records/7.json"


def test_questions_are_observations_with_their_counts(tmp_path: Path) -> None:
    found = listed(results(sample_report(), tmp_path), "results", 0, "observations")
    holder = next(
        each for each in found if prop(each, "question") == "used by the holder" and not prop(each, "finding")
    )

    counts = [prop(holder, name) for name in ("proved", "violated", "unproven", "indicated", "not-applicable")]
    assert counts == ["2", "1", "1", "1", "2"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AC-2(3)", "ac-2.3"), ("AU-10(3)", "au-10.3"), ("IA-5", "ia-5"), ("PR.AA-01", "pr.aa-01"), ("CC6.3", "cc6.3"),
        ("NHI7:2025", "nhi7-2025"), ("ISO27001 A.5.18", "iso27001-a.5.18"), ("PCI 8.6.3", "pci-8.6.3"),
        ("GOVERN 1.6", "govern-1.6"), ("8.6.3", "c-8.6.3"), ("", "c-"),
    ],
)  # fmt: skip
def test_control_ids_are_those_of_oscal(name: str, expected: str) -> None:
    assert control_id(name) == expected


def test_ids_of_controls_stay_apart() -> None:
    ids = [control_id(control.id) for control in CATALOGUE]

    assert len(set(ids)) == len(ids)


def test_every_catalogue_is_valid_and_every_control_outside_of_800_53_is_in_one(tmp_path: Path) -> None:
    from trestle.oscal.catalog import Catalog

    held: set[str] = set()
    for name, document in catalogs().items():
        path = tmp_path / name
        path.write_bytes(document)
        assert Catalog.oscal_read(path) is not None
        held |= {str(each["id"]) for each in listed(json.loads(document), "catalog", "controls")}
    assert held == {control_id(each.id) for each in CATALOGUE if each.framework is not Framework.SP800_53}


def test_the_catalogues_that_are_named_are_in_the_document_whole(tmp_path: Path) -> None:
    found = results(of(made("f-1", controls=("NHI7:2025", "AC-2"))), tmp_path)
    resources = {str(each["uuid"]): each for each in listed(found, "back-matter", "resources")}

    selections = listed(found, "results", 0, "reviewed-controls", "control-selections")
    own, published = (resources[str(at(each, "links", 0, "href")).removeprefix("#")] for each in selections)
    assert base64.b64decode(str(at(own, "base64", "value"))) == catalogs()["owasp-nhi-2025.json"]
    assert "usnistgov/oscal-content" in str(at(published, "rlinks", 0, "href"))


def test_every_reference_within_the_document_leads_somewhere(tmp_path: Path) -> None:
    document = assessment_results(sample_report(), controls=("AC-2", "NHI1:2025", "PCI 8.6.3")).decode()
    defined = set(re.findall(r'"uuid": "([^"]+)"', document))

    wanted = set(re.findall(r'"href": "#([^"]+)"', document))
    wanted |= set(re.findall(r'"(?:observation|risk)-uuid": "([^"]+)"', document))
    assert wanted
    assert wanted <= defined


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text)
def test_hostile_text_never_breaks_the_document(tmp_path: Path, poison: str) -> None:
    document = assessment_results(poisoned(sample_report(), poison), scope=poison, controls=(poison,))

    valid(document, tmp_path)
    assert document.isascii()
    assert not HIDDEN.search(document.decode())


@settings(max_examples=100, deadline=None)
@given(text)
def test_text_stays_text_where_it_is_read_as_markdown(hostile: str) -> None:
    parsed = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown(hostile))

    kinds = {each.type for token in parsed for each in (token, *(token.children or ()))}
    assert kinds <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}


@pytest.mark.parametrize(
    "hostile",
    [
        "[a](https://evil.example)", "![x](y)", "<b>", "# a", "- a", "+ a", "1. a", "1) a", "> a", "---", "===", "`a`",
        "*a*", "_a_", "a | b", "~~a~~", "&amp;", "\\", "$a$", "snake_case_name",
    ],
)  # fmt: skip
def test_a_mark_of_markdown_is_shown_as_it_is(hostile: str) -> None:
    shown = html.unescape(MarkdownIt("commonmark").render(markdown(hostile)))

    assert shown == f"<p>{hostile}</p>\n"
