"""The main job on the real export, against facts that were counted independently of any product code."""

from __future__ import annotations

import base64
import hashlib
import shutil
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from custody.model.report import Report
from custody.pipeline import contain, locate, prove, show, trace
from custody.pipeline.report import render
from custody.settings.catalog import Settings
from tests.end_to_end.conftest import every_file, run, settings_for

STOLEN = "ASIATFQR7NSC36DZQP7P"
Real = tuple[Settings, Report]


def test_every_record_is_understood_once(real_store: Real) -> None:
    _, report = real_store

    assert (report.records, report.understood, report.skips, report.duplicates, report.conflicts) == (
        2900,
        2900,
        0,
        0,
        0,
    )
    assert report.events == 2900
    assert report.as_of == "2023-07-10T12:37:50Z"


def test_keys_are_those_that_were_counted(real_store: Real) -> None:
    _, report = real_store

    assert (report.keys.issued, report.keys.used, report.keys.joined) == (38, 133, 8)
    assert report.unissued == {"console": 24, "forward access session": 99, "older than the logs": 2}


def test_populations_are_kept_apart(real_store: Real) -> None:
    _, report = real_store

    assert report.credentials == {"machine": 6, "provider-internal": 20, "person": 36, "unknown": 2}
    assert report.forward_sessions["total"] == 99


def test_exactly_one_finding_and_it_is_the_stolen_key(real_store: Real) -> None:
    _, report = real_store

    (found,) = report.findings
    assert (found.rule, found.severity, found.subject) == ("used-by-holder", "high", f"aws_akid:aws:{STOLEN}")
    for word in ("192.168.10.20", "3.225.16.109", "NAT", "bert-jan"):
        assert word in found.text


def test_no_links_are_raised_to_a_grade_that_they_do_not_have(real_store: Real) -> None:
    _, report = real_store

    assert report.links["bounded"] == 0
    assert report.links["exact"] >= 70 + 10


def test_the_stolen_key_and_its_sibling_are_two_credentials(real_store: Real) -> None:
    settings, _ = real_store
    stolen = trace.find(settings, STOLEN).chain
    hits = trace.find(settings, "i-0dbc91f429e48eeed").hits

    assert stolen is not None
    assert [step.stage for step in stolen.stages] == ["start", "issue", "use", "use", "end", "end"]
    verdicts = {answer.question: answer for answer in stolen.verdicts}
    assert verdicts["used by the holder"].state == "violated"
    assert verdicts["bound at issue"].state == "proved"
    assert verdicts["end effective"].basis == "issuer-enforced"
    assert len(hits) == 2
    assert {hit.key[-8:] for hit in hits} == {"36DZQP7P", "SHSEVYP5"}


def test_the_sibling_is_proved_to_be_used_by_its_holder(real_store: Real) -> None:
    settings, _ = real_store
    (key,) = (hit.key for hit in trace.find(settings, "i-0dbc91f429e48eeed").hits if hit.key.endswith("SHSEVYP5"))
    chain = trace.find(settings, key).chain

    assert chain is not None
    assert {a.question: a.state for a in chain.verdicts}["used by the holder"] == "proved"


def test_every_claim_can_be_walked_to_the_bytes(real_store: Real) -> None:
    settings, report = real_store
    for leaf in report.findings[0].leaves:
        (shown,) = show.show(settings, f"operations:{leaf}")
        raw = shown.raw()
        assert raw is not None
        assert shown.salt is not None
        assert hashlib.sha256(bytes.fromhex(shown.salt) + raw).hexdigest() == shown.kept_sha256


def test_a_proof_is_written_for_any_event(real_store: Real, tmp_path: Path) -> None:
    settings, _ = real_store
    event = "55e25aa9-7165-446e-aef6-815c7a79a961"
    found, data = prove.prove(settings, event, tmp_path / "p.tlog-proof", tmp_path / "entry")

    assert data.startswith(b"c2sp.org/tlog-proof@v1\nindex ")
    assert (tmp_path / "p.tlog-proof").read_bytes() == data
    assert msgspec.json.decode((tmp_path / "entry").read_bytes())["id"] == event
    assert found.size > 2900


def test_every_source_record_is_located(real_store: Real, real_logs: Path) -> None:
    settings, _ = real_store
    path = min(real_logs.glob("*.json.gz"), key=lambda each: each.stat().st_size)
    located, problems = locate.locate(settings, path)

    assert problems == ()
    assert located
    assert all(each.leaf is not None and each.own for each in located)


def test_containment_knows_what_the_operators_key_made_and_what_descends_from_it(real_store: Real) -> None:
    settings, _ = real_store
    found = contain.containment(settings, "AKIATFQR7NSC8Q4X20BJ")

    assert len(found.members) == 11
    made = [each.effect for each in found.made]
    assert made.count("role.create") == 13
    assert made.count("key.create") == 2
    assert "trust.change" in made


def test_no_session_token_is_in_any_file_of_the_store_or_in_the_report(
    real_store: Real, real_records: list[bytes]
) -> None:
    settings, _ = real_store
    tokens = session_tokens(real_records)
    files = every_file(settings.store)
    texts = [path.read_bytes() for path in files]
    texts += [repr(pq.read_table(path).to_pylist()).encode() for path in files if path.suffix == ".parquet"]
    texts += [render(settings, "json"), render(settings, "html")]
    everything = b"\n".join(texts)

    assert len(tokens) == 36
    assert not [token for token in tokens if token[:40] in everything]
    assert base64.b64decode(tokens[0] + b"==")


def session_tokens(records: list[bytes]) -> list[bytes]:
    responses = [msgspec.json.decode(record).get("responseElements") or {} for record in records]
    tokens = [(response.get("credentials") or {}).get("sessionToken") for response in responses]
    return [token.encode() for token in tokens if token]


def test_a_second_run_counts_nothing_twice(real_logs: Path, real_store: Real, tmp_path: Path) -> None:
    settings, first = real_store
    shutil.copytree(settings.store.parent, tmp_path / "copy")
    second = run(tmp_path / "copy", [real_logs])

    assert second.run is not None
    assert (second.run.records, second.run.new, second.run.derived) == (0, 0, "unchanged")
    assert msgspec.structs.replace(second, run=None) == msgspec.structs.replace(first, run=None)


@pytest.mark.parametrize("query", ["no-such-key", "AKIANOSUCHKEY0000000", "203.0.113.99"])
def test_a_key_without_a_chain_says_what_was_searched(real_store: Real, query: str) -> None:
    settings, _ = real_store
    found = trace.find(settings, query)

    assert found.hits == ()
    assert found.searched


def test_the_settings_of_a_test_never_touch_the_home_folder(tmp_path: Path) -> None:
    assert settings_for(tmp_path).keys.is_relative_to(tmp_path)


@pytest.mark.parametrize("query", ["36DZQP7P", "…36DZQP7P"])
def test_a_key_is_found_by_the_end_that_pages_show(query: str, real_store: Real) -> None:
    settings, _ = real_store
    chain = trace.find(settings, query).chain

    assert chain is not None
    assert chain.keys == (f"aws_akid:aws:{STOLEN}",)


def test_containment_says_of_each_key_that_was_made_whether_it_is_alive(real_store: Real) -> None:
    settings, _ = real_store
    made = [each for each in contain.containment(settings, "AKIATFQR7NSC8Q4X20BJ").made if each.effect == "key.create"]

    assert [each.alive for each in made] == [False, False]
