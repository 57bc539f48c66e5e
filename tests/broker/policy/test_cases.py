"""Every folder in ``cases`` holds; and what a wrong case says."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from custody.broker.policy.cases import Case, cases_of, run
from custody.broker.policy.cedar import CedarEngine
from custody.broker.policy.fixed import Fixed
from custody.broker.policy.folder import PolicyFolder
from custody.broker.policy.situation_files import situation_of
from custody.errors import UsageError
from custody.model.broker_terms import Asked, Verdict
from custody.model.brokered import Approved, Entry, Request
from tests.broker.policy.laying_out import EVERYTHING, engine_of, folder_of, situation

HERE = Path(__file__).parent
FOLDERS = sorted([*(path for path in (HERE / "cases").iterdir()), HERE.parents[2] / "docs" / "examples" / "policies"])
CASES = [(folder, case) for folder in FOLDERS for case in cases_of(folder)]


@pytest.mark.parametrize(("folder", "case"), CASES, ids=[f"{folder.name}: {case.name}" for folder, case in CASES])
def test_what_the_policies_say(folder: Path, case: Case) -> None:
    assert run(case, CedarEngine(PolicyFolder(folder))).differences == ()


def test_every_folder_has_cases() -> None:
    assert {folder for folder, _ in CASES} == set(FOLDERS)
    assert len(FOLDERS) >= 5


def written(place: Path, text: str, name: str = "a.yaml") -> Path:
    folder = folder_of(place, EVERYTHING)
    (folder / "tests").mkdir()
    (folder / "tests" / name).write_text(text)
    return folder


def test_every_difference_is_said(tmp_path: Path) -> None:
    text = """
cases:
  - name: all of it is otherwise
    expect:
      verdict: allow
      policies: [a, b]
      max_ttl: 1m
      asked: {count: 1, group: ops, within: 1m}
      why: forbidden
"""
    case = cases_of(written(tmp_path, text))[0]
    asked = Asked(count=2, group="ops", within=60)

    assert run(case, Fixed(Verdict.APPROVAL, asked=asked, max_ttl=61)).differences == (
        "verdict: approval-required, not allow",
        "policies: fixed, not a, b",
        "max_ttl: 61, not 60",
        "approvals: 2 of ops within 60 s, not 1 of ops within 60 s",
        "why: , not forbidden",
    )
    assert run(case, Fixed(Verdict.DENY, errors=("it broke",))).differences[-1] == "error: it broke"


WRONG = {
    "not YAML": "cases: [",
    "no cases": "base: {}",
    "a list": "- a",
    "an unknown key": "cases: []\nmore: 1",
    "a case without name": "cases: [{expect: {verdict: allow}}]",
    "an unknown verdict": "cases: [{name: a, expect: {verdict: permit}}]",
    "an unknown expectation": "cases: [{name: a, expect: {verdict: allow, polices: []}}]",
    "an unknown field": "cases: [{name: a, expect: {verdict: allow}, situation: {enviroment: x}}]",
    "an unknown field within": "cases: [{name: a, expect: {verdict: allow}, situation: {intent: {tiket: x}}}]",
    "an unknown field of a proof of an actor": (
        "cases: [{name: a, expect: {verdict: allow}, situation: {actors: [{subject: a, proof: {isuer: x}}]}}]"
    ),
    "an unknown field in the base": "base: {inten: {}}\ncases: [{name: a, expect: {verdict: allow}}]",
    "another type": "cases: [{name: a, expect: {verdict: allow}, situation: {contained: maybe}}]",
    "no time": "cases: [{name: a, expect: {verdict: allow}, situation: {now: noon}}]",
    "a time without zone": "cases: [{name: a, expect: {verdict: allow}, situation: {now: '2026-01-05T12:00:00'}}]",
    "no length of time": "cases: [{name: a, expect: {verdict: allow}, situation: {ttl: soon}}]",
    "no length of time expected": "cases: [{name: a, expect: {verdict: allow, max_ttl: soon}}]",
    "an unknown action": "cases: [{name: a, expect: {verdict: allow}, situation: {action: issue}}]",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_case_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    folder = written(tmp_path, WRONG[name])

    with pytest.raises(UsageError) as caught:
        cases_of(folder)

    assert caught.value.where.startswith("tests/a.yaml")


@pytest.mark.parametrize(
    ("name", "text"), [("a.toml", "= 1"), ("a.json", "[]"), ("a.json", "{"), ("a.toml", "a = \ud800")]
)
def test_other_forms_that_do_not_parse_are_refused(name: str, text: str, tmp_path: Path) -> None:
    folder = written(tmp_path, "", name)
    (folder / "tests" / name).write_bytes(text.encode("utf-8", "surrogatepass"))

    with pytest.raises(UsageError):
        cases_of(folder)


def test_a_folder_without_tests_and_other_files_give_no_cases(tmp_path: Path) -> None:
    assert cases_of(folder_of(tmp_path / "none", EVERYTHING)) == []
    assert cases_of(written(tmp_path / "other", "text", "README.md")) == []


def test_an_entry_of_a_log_is_a_situation(tmp_path: Path) -> None:
    decided = situation(intent={"ticket": "CHG-1"})
    decision = engine_of(tmp_path, EVERYTHING).decide(decided)
    body = Request(
        request="rq-1",
        digest="0" * 64,
        proof=decided.proof,
        intent=decided.intent,
        decision=decision,
        registered=decided.registered,
    )
    at = "2026-01-05T12:00:00.000000Z"
    line = msgspec.json.encode(Entry(custody="custody.broker/1", broker="b", seq=1, prev="0" * 64, at=at, body=body))

    assert situation_of(line, "-") == (decided, decision)
    other = Approved(
        request="rq-1", digest="", verdict="grant", approver="person:idp:a", leaf=1, given=at, reason="because"
    )
    wrong = Entry(custody="custody.broker/1", broker="b", seq=1, prev="0" * 64, at=at, body=other)
    for data in (msgspec.json.encode(wrong), b'{"custody":"custody.broker/1"}', b"", b'{"situation": 1}', b"{"):
        with pytest.raises(UsageError):
            situation_of(data, "-")
