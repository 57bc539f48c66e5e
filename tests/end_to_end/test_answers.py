"""Answers that go past one chain: forward access sessions, several credentials at once, leaves, findings, errors."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import msgspec
import pytest

from custody.cli import main
from custody.errors import NotFound, UsageError
from custody.model.report import Report
from custody.pipeline import contain as containing
from custody.pipeline import trace
from custody.pipeline.contain import containment
from custody.pipeline.tables import answers
from custody.pipeline.verify import verify
from custody.reports.terminal import containment as shown
from custody.reports.terminal import coverage, page
from custody.settings.catalog import Settings
from tests.end_to_end.conftest import run, settings_for
from tests.end_to_end.test_bad_input import record, whole

Store = tuple[Settings, Report]


def several_parents(settings: Settings) -> tuple[str, list[str]]:
    """A forward access session with more than one candidate parent, and these."""
    with answers(settings) as tables:
        rows = tables.engine.rows("SELECT from_key, to_key FROM links WHERE link = 'forward_session' ORDER BY 1, 2")
    found: dict[str, list[str]] = {}
    for key, parent in rows:
        found.setdefault(str(key), []).append(str(parent))
    return next((key, sorted(set(parents))) for key, parents in found.items() if len(set(parents)) > 1)


def object_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    capsys.readouterr()
    code = main([*arguments, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return code, found


def test_a_forward_access_session_names_its_candidate_parents(
    real_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, _ = real_store
    key, parents = several_parents(settings)
    bare = key.split(":", 2)[-1]
    found = trace.find(settings, bare).forwarded

    assert found is not None
    assert [each.key for each in found.parents] == parents
    assert all(each.who for each in found.parents)
    assert (found.join, found.parents_total) == (f"ambiguous({len(parents)})", len(parents))
    assert "invokedBy" in found.service
    assert found.uses >= 1
    assert found.first_use is not None
    assert trace.find(settings, bare).names == {key: found.who}
    assert main(["trace", bare, "--store", str(settings.store)]) == 0
    out = capsys.readouterr().out
    assert "custody trace KEY" not in out
    assert all(parent.split(":", 2)[-1] in out for parent in parents)


def test_a_forward_access_session_is_contained_by_its_candidates(real_store: Store) -> None:
    settings, _ = real_store
    key, parents = several_parents(settings)
    found = containment(settings, key.split(":", 2)[-1])

    assert {member.key for member in found.members if member.depth == 0} == set(parents)


def test_all_sessions_of_a_user_are_contained_together(real_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, _ = real_store
    hits = trace.find(settings, "bert-jan").hits
    found = containment(settings, "bert-jan")
    text = shown(found)

    assert len(hits) > 1
    assert {member.key for member in found.members if member.depth == 0} == {hit.key for hit in hits}
    assert len(set(found.commands)) == len(found.commands) > 0
    assert [text.count(f"    {command}\n") for command in found.commands] == [1] * len(found.commands)
    monkeypatch.setattr(containing, "MOST", len(hits) - 1)
    with pytest.raises(UsageError, match="too many"):
        containment(settings, "bert-jan")


def test_a_leaf_and_a_finding_are_traced(real_store: Store) -> None:
    settings, report = real_store
    (stolen,) = (each for each in report.findings if each.severity == "high")
    by_finding = trace.find(settings, stolen.id).chain
    by_leaf = trace.find(settings, f"operations:{stolen.leaves[-1]}")

    assert by_finding is not None
    assert by_finding.keys == (stolen.subject,)
    assert by_leaf.hits
    assert by_leaf.hits[0].how == "event id"
    with pytest.raises(NotFound, match="no finding"):
        trace.find(settings, "f-0000000000000000")
    assert trace.find(settings, "operations:99999999").hits == ()


def test_an_error_is_an_object_too(real_store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--store", str(real_store[0].store)]
    cases = {
        ("show", "no-such-event", *store): 3,
        ("contain", "nobody", *store): 3,
        ("trace", "f-0000000000000000", *store): 3,
        ("findings", "--rule", "none", *store): 2,
        ("findings", "--no-such-flag"): 2,
        ("scope", "--store", str(tmp_path / "nothing")): 4,
    }
    for arguments, wanted in cases.items():
        code, found = object_of(capsys, *arguments)
        error = found["error"]
        assert isinstance(error, dict)
        assert (code, error["exit_code"]) == (wanted, wanted), arguments
        assert error["message"]


def test_findings_cite_leaves_of_a_log(real_store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("findings",), ("report",)):
        _, found = object_of(capsys, *arguments, "--store", str(real_store[0].store))
        findings = found["findings"]
        assert isinstance(findings, list)
        assert all(set(leaf) == {"log", "index"} for each in findings for leaf in each["leaves"])


def test_a_proof_without_a_file_is_in_the_object(
    real_store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--store", str(real_store[0].store)]
    _, found = object_of(capsys, "prove", "operations:144", *store)
    _, written = object_of(capsys, "prove", "operations:144", "-o", str(tmp_path / "proof"), *store)

    assert found["text"] == (tmp_path / "proof").read_text()
    assert written["text"] is None


def test_the_root_is_written_alike_everywhere(real_store: Store) -> None:
    settings, report = real_store
    root = verify(settings, None, None, None).root

    assert report.checkpoint is not None
    assert root == report.checkpoint.root
    assert len(base64.b64decode(root or "", validate=True)) == 32


@pytest.mark.slow
def test_the_demo_gives_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = object_of(capsys, "demo", "--folder", str(tmp_path / "demo"))

    assert code == 0
    assert {"findings", "run", "checkpoint"} <= set(found)


def test_what_is_declared_and_not_judged_is_named(tmp_path: Path) -> None:
    contract = tmp_path / "contract.yaml"
    contract.write_text("classes:\n  prod: {match: {subject: 'aws:user/a'}, owner: team:a, rotation: 90d}\n")
    (tmp_path / "x.json").write_bytes(whole(record(1)))
    report = run(tmp_path, [tmp_path / "x.json"], contract=str(contract))

    assert report.contract.not_judged == ()
    assert "declared, not judged" not in page(report)
    waiting = msgspec.structs.replace(report.contract, not_judged=("prod: later",))
    for text in (page, coverage):
        assert "declared, not judged yet: prod: later" in text(msgspec.structs.replace(report, contract=waiting))
    assert settings_for(tmp_path).contract is None
