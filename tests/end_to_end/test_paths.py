"""What is read and what is not, what is said about it, and that nothing is made or written where it should not be."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from custody.cli import main
from custody.cli.exits import CODES
from custody.errors import UsageError
from custody.model.report import Run
from custody.pipeline import show
from tests.end_to_end.conftest import delivered, every_file, run, settings_for
from tests.end_to_end.test_bad_input import record, whole


def run_of(folder: Path, *paths: Path, **flags: object) -> Run:
    found = run(folder, list(paths), **flags).run
    assert found is not None
    return found


def command(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    return main([*arguments, "--store", str(folder / "store"), "--keys", str(folder / "keys")]), []


def test_the_store_in_the_audited_folder_is_no_input(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(whole(record(1)))
    page = tmp_path / "report.html"
    for _ in range(2):
        page.write_text("{}")
        found = run_of(tmp_path, tmp_path)
        page.unlink()
    assert (found.files, found.known_files) == (2, 2)

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "link").symlink_to(tmp_path / "store" / "segments")
    (tmp_path / "copy").symlink_to(tmp_path / "store")
    assert run_of(tmp_path, tmp_path).files == 1


def test_another_store_is_no_input_either(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "a.json").write_bytes(whole(record(1)))
    run(tmp_path / "first", [tmp_path / "a.json"])
    found = run_of(tmp_path, tmp_path / "a.json", tmp_path / "first" / "store" / "logs")

    assert found.files == 1
    assert "lies in a custody store" in found.problems[0]


def test_the_html_report_is_not_read_when_it_is_written_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.json").write_bytes(whole(record(1)))
    for _ in range(2):
        code, _ = command(tmp_path, "audit", str(logs), "--html", str(logs / "r.html"), "--json", "--jobs", "1")
        assert code == 0
        assert json.loads(capsys.readouterr().out)["run"]["files"] == 1
    assert sorted(path.name for path in logs.iterdir()) == ["a.json", "r.html"]


def test_a_cut_log_under_any_name_is_a_record_that_was_not_read(tmp_path: Path) -> None:
    path = tmp_path / "part.0001"
    path.write_bytes(b'  {"Records":' + record(1)[:80])
    report = run(tmp_path, [path])

    assert report.run is not None
    assert report.skipped == {"not-json": 1}
    assert report.run.problems == (f"{path}: 1 record not read: not-json, at byte 2",)


def test_files_without_a_record_are_named(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "README.md").write_text("about these logs")
    (logs / "a.json").write_bytes(whole(record(1)))
    (logs / "b.json").write_bytes(b"")
    found = run_of(tmp_path, logs)

    assert found.notes == (f"2 files hold no record: {logs / 'README.md'}, {logs / 'b.json'}",)
    assert (found.problems, run_of(tmp_path, logs).notes) == ((), ())


def test_records_that_were_not_read_are_problems_by_file_and_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = record(1)
    lines = [good, b"{cut", b"{cut too", good.replace(b'"awsRegion"', b'"eventName"'), b'{"of": "no kind"}']
    (tmp_path / "x.ndjson").write_bytes(b"\n".join(lines))
    code, _ = command(tmp_path, "audit", str(tmp_path / "x.ndjson"), "--json", "--jobs", "1")
    out, err = capsys.readouterr()

    assert code == CODES["input"]
    where = f"{tmp_path / 'x.ndjson'}: "
    twice = len(good) + 1 + len(b"{cut\n{cut too\n")
    problems = [
        f"{where}1 record not read: duplicate-keys, at byte {twice}",
        f"{where}2 records not read: not-json, first at byte {len(good) + 1}",
    ]
    assert json.loads(out)["run"]["problems"] == problems
    assert [line for line in err.splitlines() if line.startswith("problem: ")] == [f"problem: {p}" for p in problems]
    assert "note: 1 record of no kind that custody understands" in err


def test_what_no_source_understands_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"of": "no kind"}')
    found = run_of(tmp_path, tmp_path / "x.json")

    assert found.problems == ()
    assert found.notes == (
        f"1 record of no kind that custody understands: {tmp_path / 'x.json'} from byte 0",
    )  # fmt: skip


def test_a_file_that_a_limit_stopped_is_not_silently_known(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.json.gz"
    bomb.write_bytes(gzip.compress(b" " * 60_000_000 + whole(record(1))))
    large = tmp_path / "large.json"
    large.write_bytes(whole(record(1, requestID="x" * 5000), record(2)))
    run(tmp_path, [bomb, large], max_ratio="10", max_record="2KiB")
    notes = run_of(tmp_path, bomb, large).notes

    assert [note.split(": known and done; it was stopped by a limit then: ")[0] for note in notes] == [
        str(bomb), str(large),
    ]  # fmt: skip
    assert all(note.endswith("audit it into a new store to read on") for note in notes)
    assert run_of(tmp_path, large, max_record="2KiB").notes == ()


def test_nothing_to_audit_makes_no_store(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="nothing to audit") as caught:
        run(tmp_path, [tmp_path / "no1", tmp_path / "no2"])
    assert "no1" in str(caught.value)
    assert "no2" in str(caught.value)
    with pytest.raises(UsageError, match="holds no file"):
        run(tmp_path, [tmp_path / "empty"])
    assert command(tmp_path, "audit", "")[0] == CODES["usage"]
    assert command(tmp_path, "rebuild")[0] == CODES["store"]
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_missing_path_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(whole(record(1)))
    report = run(tmp_path, [tmp_path / "no", tmp_path / "a.json"])

    assert report.understood == 1
    assert report.run is not None
    assert len(report.run.problems) == 1


@pytest.mark.parametrize("target", ["no/such/r.html", "folder"])
def test_where_the_report_cannot_go_nothing_is_audited(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.json").write_bytes(whole(record(1)))
    code, _ = command(tmp_path, "audit", str(tmp_path / "a.json"), "--html", str(tmp_path / target))

    assert code == CODES["usage"]
    assert f"{target}: cannot be written" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    from custody.pipeline import output

    target, link = tmp_path / "r.html", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    output.write(link, b"new")

    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "r.html"]
    with pytest.raises(UsageError, match="No space left"):
        output.write(Path("/dev/full"), b"new")


def cli(tmp_path: Path, shell: str) -> subprocess.CompletedProcess[str]:
    where = f"--store {tmp_path}/store --keys {tmp_path}/keys"
    line = f"{sys.executable} -m custody.cli {shell.format(where=where)}"
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, errors="replace")


def test_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(whole(record(1)))
    run(tmp_path, [tmp_path / "a.json"])
    full = cli(tmp_path, "findings {where} > /dev/full")
    closed = cli(tmp_path, "findings {where} >&-")

    assert (full.returncode, full.stderr) == (2, "custody: stdout, or a file being written: No space left on device\n")
    assert (closed.returncode, len(closed.stderr.splitlines())) == (2, 1)


def test_names_that_are_not_utf8_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(whole(record(1)))
    before = every_file(tmp_path)
    store = os.fsencode(tmp_path) + b"/st\xff"
    arguments = [sys.executable, "-m", "custody.cli", "audit", str(tmp_path / "a.json"), "--keys", str(tmp_path / "k")]
    flag = subprocess.run([*arguments, "--store", store], capture_output=True, check=False)
    variable = subprocess.run(arguments, env={**os.environb, b"CUSTODY_STORE": store}, capture_output=True, check=False)

    assert (flag.returncode, variable.returncode) == (2, 2)
    assert b"not UTF-8" in flag.stderr
    assert b"not UTF-8" in variable.stderr
    assert every_file(tmp_path) == before


def test_an_interrupted_run_says_that_it_can_go_on(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for number in range(40):
        delivered(logs / f"{number}.json.gz", [record(1000 * number + n) for n in range(1000)])
    arguments = [sys.executable, "-m", "custody.cli", "audit", str(logs), "--jobs", "1"]
    where = ["--store", str(tmp_path / "store"), "--keys", str(tmp_path / "keys")]
    process = subprocess.Popen(
        [*arguments, *where],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # a job in the background inherits the signal as ignored; no thread of ours is alive at the fork
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    while not (tmp_path / "store" / "logs").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()

    assert process.returncode == CODES["interrupted"]
    assert err.decode().strip().splitlines() == ["custody: interrupted; what was sealed stays, run again to go on"]


def test_a_record_with_duplicate_keys_is_kept_as_exactly_as_any_other(tmp_path: Path) -> None:
    token = "IQoJb3JpZ2luX2VjEXAMPLE" + "x" * 200
    user = {"type": "AssumedRole", "sessionContext": {"attributes": {"creationDate": "2026-03-01T09:00:00Z"}}}
    raw = record(1, userIdentity=user, responseElements={"credentials": {"sessionToken": token}})
    twice = raw.replace(b'"awsRegion"', b'"eventName"')
    (tmp_path / "x.json").write_bytes(whole(twice))
    report = run(tmp_path, [tmp_path / "x.json"])
    (shown,) = show.show(settings_for(tmp_path), f"operations:{report.findings[0].leaves[0]}")

    assert (shown.source, shown.skip and shown.skip.reason) == ("unknown", "duplicate-keys")
    assert b'"creationDate": "2026-03-01T09:00:00Z"' in (shown.raw() or b"")
    assert not any(token.encode() in path.read_bytes() for path in every_file(tmp_path / "store"))
    assert token.encode() not in (shown.raw() or b"")
