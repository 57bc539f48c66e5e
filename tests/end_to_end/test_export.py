"""``custody export`` over a store of an invented organisation: every object valid, every way out, the same bytes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
from pathlib import Path

import pytest

from custody.cli import main
from custody.model.report import Report
from custody.pipeline import credential_table
from custody.pipeline.simulate import simulate
from custody.pipeline.tables import answers
from custody.pipeline.trace import chains_of
from custody.reports import csv_tables, ocsf
from tests.end_to_end.conftest import run, settings_for
from tests.end_to_end.http_sink import Answer, listening
from tests.reports.ocsf_schema import Object, at, problems, read

FAULTS = ("stolen-key", "surviving-session", "self-approval", "tampered-log")
TOKEN = "token-must-not-stay"


class Store:
    """A store, its report, and a way to ask it."""

    def __init__(self, folder: Path, report: Report) -> None:
        self.folder, self.report = folder, report

    def export(self, *arguments: str) -> int:
        return main(["export", "--store", str(self.folder / "store"), *arguments])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("export")
    simulate(folder / "estate", seed=7, hours=4, workloads=4, names=FAULTS)
    return Store(folder, run(folder, [folder / "estate" / "logs"], contract=str(folder / "estate" / "contract.yaml")))


@pytest.fixture(scope="module")
def events(store: Store) -> bytes:
    """All of its events, once."""
    return written(store, store.folder / "events", "--format", "ocsf")


def written(store: Store, path: Path, *arguments: str) -> bytes:
    assert store.export(*arguments, "-o", str(path)) == 0
    return path.read_bytes()


def objects(data: bytes) -> list[Object]:
    return [read(line) for line in data.splitlines(keepends=True)]


def test_every_event_of_an_organisation_is_valid_and_stands_for_itself(store: Store, events: bytes) -> None:
    found = objects(events)

    assert [problem for each in found for problem in problems(each)] == []
    uids = [at(each, "metadata", "uid") for each in found]
    assert len(set(map(str, uids))) == len(uids) >= store.report.events
    leaves = [each for each in (at(one, "metadata", "sequence") for one in found) if isinstance(each, int)]
    assert leaves == sorted(leaves)
    assert len(set(leaves)) == store.report.events
    holes = [each for each in found if each["activity_name"] == "Hole"]
    assert len(holes) == sum(1 for each in store.report.certificates if each.problems_total)
    assert b"must-not-stay" not in events


def test_every_finding_is_valid_and_leads_to_events_that_were_exported(
    store: Store, tmp_path: Path, events: bytes
) -> None:
    found = objects(written(store, tmp_path / "findings", "--format", "ocsf-findings"))

    assert [problem for each in found for problem in problems(each)] == []
    assert [at(each, "finding_info", "uid") for each in found] == [each.id for each in store.report.findings]
    known = {at(each, "metadata", "uid") for each in objects(events)}
    stolen = next(each for each in found if at(each, "finding_info", "analytic", "uid") == "used-by-holder")
    related = at(stolen, "finding_info", "related_events")
    assert isinstance(related, list)
    assert related
    assert {at(each, "uid") for each in related} <= known
    assert {each["class_uid"] for each in found} == {2003, 2004}


def test_the_events_of_one_credential_share_its_id(store: Store, events: bytes) -> None:
    stolen = next(each for each in store.report.findings if each.rule == "used-by-holder")

    own = [each for each in objects(events) if at(each, "metadata", "correlation_uid") == stolen.credential]
    assert {each["activity_name"] for each in own} >= {"Create", "Read"}


def test_the_results_are_valid_oscal(store: Store, tmp_path: Path) -> None:
    from trestle.oscal.assessment_results import AssessmentResults

    data = written(store, tmp_path / "results.json", "--format", "oscal")
    assert AssessmentResults.oscal_read(tmp_path / "results.json") is not None
    reviewed = set(re.findall(r'"control-id": "([^"]+)"', data.decode()))
    assert {"ac-2.3", "nhi1-2025", "pr.aa-01", "cc6.1", "asi10"} <= reviewed


@pytest.mark.parametrize("table", ["findings", "credentials", "identities", "population"])
def test_every_table_is_one_that_a_csv_reader_takes(store: Store, tmp_path: Path, table: str) -> None:
    data = written(store, tmp_path / "table.csv", "--format", "csv", "--table", table).decode()
    rows = list(csv.DictReader(io.StringIO(data, newline=""), strict=True))

    total = {"findings": len(store.report.findings), "credentials": sum(store.report.credentials.values())}
    assert len(rows) == total.get(table, len(rows)) > 0
    assert all(None not in row and None not in row.values() for row in rows)


def test_the_table_of_credentials_says_what_their_chains_say(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credential_table, "AT_A_TIME", 30)
    settings = settings_for(store.folder)
    with answers(settings) as tables:
        rows = list(credential_table.credential_rows(tables))
    with answers(settings) as tables:
        some = rows[::3]
        chains = chains_of(tables, [row.key for row in some])

    assert len(rows) == sum(store.report.credentials.values()) > 60
    assert list(csv_tables.credential_rows(some)) == list(csv_tables.credentials(chains))


@pytest.mark.parametrize("form", ["ocsf-findings", "oscal", "csv"])
def test_the_same_store_gives_the_same_bytes(store: Store, tmp_path: Path, form: str) -> None:
    assert written(store, tmp_path / "one", "--format", form) == written(store, tmp_path / "two", "--format", form)


def test_a_copy_of_the_store_gives_the_same_events(store: Store, tmp_path: Path, events: bytes) -> None:
    shutil.copytree(store.folder / "store", tmp_path / "store")

    assert main(["export", "--store", str(tmp_path / "store"), "--format", "ocsf", "-o", str(tmp_path / "events")]) == 0
    assert (tmp_path / "events").read_bytes() == events


def test_stdout_gets_the_export_and_stderr_where_to_go_on(
    store: Store, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert store.report.checkpoint is not None
    assert store.export("--format", "ocsf", "--since", str(store.report.checkpoint.size - 60)) == 0
    found = capsysbinary.readouterr()

    assert objects(found.out)
    assert f"to go on from here: --since {store.report.checkpoint.size}" in found.err.decode()


def test_going_on_gives_no_event_twice_and_leaves_none_out(store: Store, tmp_path: Path, events: bytes) -> None:
    whole = objects(events)
    middle = at(whole[len(whole) // 2], "metadata", "sequence")
    rest = objects(written(store, tmp_path / "rest", "--format", "ocsf", "--since", str(middle)))

    kept = [each for each in whole if int(str(at(each, "metadata", "sequence") or middle)) >= int(str(middle))]
    assert rest == kept
    assert len(rest) < len(whole)


def test_a_time_leaves_out_what_happened_before(store: Store, tmp_path: Path, events: bytes) -> None:
    later = objects(written(store, tmp_path / "later", "--format", "ocsf", "--since-time", "2026-03-02T08:00:00Z"))

    moment = 1_772_438_400_000
    assert later == [
        each for each in objects(events) if int(str(each["time"])) >= moment or each["activity_name"] == "Hole"
    ]
    assert 0 < len(later) < events.count(b"\n")


def test_a_program_gets_counts_and_a_digest(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "findings.csv"
    assert store.export("--format", "csv", "-o", str(path), "--json") == 0
    found = json.loads(capsys.readouterr().out)

    assert found["lines"] == len(store.report.findings)
    assert found["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found["bytes"], found["table"], found["next"]) == (path.stat().st_size, "findings", None)


def test_what_is_posted_is_what_a_file_would_hold(
    store: Store, events: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CUSTODY_EXPORT_TOKEN", TOKEN)
    with listening(Answer(503)) as sink:
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        assert store.export("--format", "ocsf", "--to", sink.url, "--json") == 0
    found = json.loads(capsys.readouterr().out)

    assert b"".join(body for _, _, body in sink.requests[1:]) == events
    assert (found["batches"], found["lines"]) == (len(sink.requests) - 1, events.count(b"\n"))
    assert all(headers["Authorization"] == f"Bearer {TOKEN}" for _, headers, _ in sink.requests)


def test_a_refusal_has_an_exit_code_and_shows_no_token(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    with listening(Answer(403, f"no {TOKEN}")) as sink:
        code = store.export("--format", "oscal", "--to", sink.url, "--token-file", str(tmp_path / "token"))
    told = capsys.readouterr()

    assert code == 2
    assert "403" in told.err
    assert TOKEN not in told.err + told.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "ocsf", "--since", "999999"], "past the end of the log"),
        (["--format", "csv", "--since", "1"], "only events have a beginning"),
        (["--format", "csv", "--table", "nothing"], "one of findings, credentials"),
        (["--format", "ocsf", "--table", "findings"], "only csv and oscal-catalog"),
        (["--format", "ocsf", "--since-time", "yesterday"], "not a time"),
        (["--format", "ocsf", "--since-time", "2026-03-02T08:00:00"], "not a time"),
        (["--format", "ocsf", "--json"], "stdout cannot hold both"),
        (["--format", "ocsf", "-o", "x", "--to", "https://example.com/"], "one place at a time"),
        (["--format", "ocsf", "--to", "http://example.com/"], "could be read and changed"),
        (["--format", "ocsf", "--to", "https://example.com/", "--token-file", "/nonexistent"], "cannot be read"),
        (["--format", "ocsf", "--to", "https://example.com/", "--auth-scheme", "a b"], "not an authentication scheme"),
        (["--format", "ocsf", "-o", "/nonexistent/file"], "cannot be written"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_done(
    store: Store, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert store.export(*arguments) == 2
    assert said in capsys.readouterr().err


def test_a_file_is_written_whole_or_not_at_all(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events"
    path.write_bytes(b"before")
    monkeypatch.setattr(ocsf, "holes", lambda report: (1 // 0 for _ in range(1)))
    with pytest.raises(ZeroDivisionError):
        store.export("--format", "ocsf", "-o", str(path))

    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["events"]
