"""The sample logs have a known truth; the product must find it, with and without the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from custody.model.report import Report
from custody.pipeline import trace
from custody.settings.catalog import Settings
from tests.end_to_end.conftest import run, settings_for
from tests.sample_estate import Truth, write_sample

Audited = tuple[Truth, Settings, Report]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    folder = tmp_path_factory.mktemp("story")
    truth = write_sample(folder / "logs")
    contract = str(folder / "logs" / "contract.yaml")
    return truth, settings_for(folder, contract=contract), run(folder, [folder / "logs"], contract=contract)


def test_the_counts_are_those_of_the_truth(audited: Audited) -> None:
    truth, _, report = audited

    assert (report.records, report.understood, report.skips, report.duplicates) == (
        truth.records,
        truth.understood,
        truth.skips,
        truth.duplicates,
    )
    counted = (len(truth.issued), len(truth.used), len(truth.joined))
    assert (report.keys.issued, report.keys.used, report.keys.joined) == counted
    assert report.forward_sessions["total"] == len(truth.forward_access)


def test_populations_and_classes_are_those_of_the_truth(audited: Audited) -> None:
    truth, _, report = audited

    expected = {population.value: count for population, count in truth.populations.items()}
    assert {name: count for name, count in report.credentials.items() if count} == expected
    assert report.unissued == dict(truth.unissued)


def test_every_story_is_found_by_its_rule_and_only_stories_are(audited: Audited) -> None:
    truth, _, report = audited
    found = {(finding.rule, finding.subject.rpartition(":")[2]) for finding in report.findings}
    expected = {(story.rule, key) for story in truth.stories if story.severity for key in story.keys}

    assert expected <= found
    blamed = {key for _, key in found}
    told = {key for story in truth.stories for key in (*story.keys, *story.descendants)}
    assert {key for key in blamed if key[:4] in ("ASIA", "AKIA")} <= told


def test_no_console_or_provider_session_gives_a_finding(audited: Audited) -> None:
    _, settings, report = audited
    for finding in report.findings:
        if finding.credential is not None:
            chain = trace.find(settings, finding.subject).chain
            assert chain is not None
            assert chain.population in ("machine", "unknown") or finding.rule == "used-after-end"


def test_no_token_of_the_sample_is_anywhere(audited: Audited, tmp_path: Path) -> None:
    truth, settings, _ = audited
    everything = b"".join(path.read_bytes() for path in settings.store.rglob("*") if path.is_file())

    assert truth.tokens
    assert not [token for token in truth.tokens if token.encode()[:40] in everything]
