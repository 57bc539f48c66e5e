"""Following files that grow, appear, are rotated and written anew: the same answers as one audit of what is there."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from custody.cli import main
from custody.cli.following import line
from custody.errors import StoreLocked, UsageError
from custody.model.report import Report
from custody.pipeline import follow as following
from custody.pipeline.changes import AnswerChanges, FindingChanges, Step
from custody.pipeline.follow import follow
from custody.pipeline.growing import Timing
from custody.pipeline.locate import locate
from custody.pipeline.tables import canonical
from custody.pipeline.verify import verify
from custody.store.lock import Lock
from tests.end_to_end.conftest import delivered, run, settings_for

EACH = Timing(quiet=0.05, pace=0)
"""Everything is judged at each look."""
ONCE = Timing(quiet=0.05, pace=1_000_000)
"""What comes first is judged, and all of it at the end: judging takes a second."""


@pytest.fixture(autouse=True)
def at_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is there is taken at each look, whether it can be judged or not."""
    monkeypatch.setattr(following, "PLENTY", 1)


class Script:
    """A stop that lets something happen at each wait, and is set when nothing is left."""

    def __init__(self, *events: Callable[[], object]) -> None:
        self._events = list(events)

    def is_set(self) -> bool:
        return not self._events

    def wait(self, timeout: float) -> bool:
        self._events.pop(0)()
        return self.is_set()


def rest() -> None:
    """Longer than a file has to be quiet."""
    time.sleep(0.08)


def nothing() -> None:
    """A look at files as they are."""


def followed(
    folder: Path, paths: Sequence[Path], *events: Callable[[], object], timing: Timing = ONCE, **flags: object
) -> tuple[Report, list[Step]]:
    steps: list[Step] = []
    settings = settings_for(folder, **flags)
    stop = Script(*(events or (nothing,)))
    return follow(settings, list(paths), lambda progress: None, steps.append, stop, timing), steps


def appended(path: Path, data: bytes) -> Callable[[], None]:
    def append() -> None:
        with path.open("ab") as file:
            file.write(data)

    return append


@pytest.fixture(scope="module")
def records(sample_logs: Path) -> list[bytes]:
    """The records of the sample logs, one a line, by file."""
    found: list[bytes] = []
    for path in sorted(sample_logs.rglob("*.json.gz")):
        try:
            whole = json.loads(gzip.decompress(path.read_bytes()))
        except (ValueError, EOFError, OSError):
            continue
        found += [json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in whole.get("Records", [])]
    assert len(found) > 500
    return found


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def audited(folder: Path, logs: Path) -> Report:
    """The same files, audited at once into a store of their own."""
    (folder / "calm").mkdir()
    return run(folder / "calm", [logs])


def parts(data: bytes, number: int) -> Iterator[bytes]:
    step = len(data) // number + 1
    return (data[at : at + step] for at in range(0, len(data), step))


def test_a_growing_file_gives_what_one_audit_gives_and_no_byte_is_read_twice(
    records: list[bytes], logs: Path, tmp_path: Path
) -> None:
    data = b"".join(records)
    report, steps = followed(tmp_path, [logs], *(appended(logs / "a.log", part) for part in parts(data, 5)))

    assert canonical(report) == canonical(audited(tmp_path, logs))
    assert (report.records, report.duplicates) == (len(set(records)), 0)
    assert report.run is not None
    assert (report.run.files, report.run.records, report.run.problems) == (1, len(records), ())
    assert [step.new for step in steps if not step.new] == []
    assert sum(step.new for step in steps) == len(records)
    assert report.acquisitions == len(steps)
    assert verify(settings_for(tmp_path), None, None, None).status == "ok"


def test_a_line_is_taken_when_it_is_whole(records: list[bytes], logs: Path, tmp_path: Path) -> None:
    path = logs / "a.log"
    path.write_bytes(records[0] + records[1][:100])

    report, steps = followed(
        tmp_path, [logs], nothing, appended(path, records[1][100:]), nothing, timing=Timing(quiet=30, pace=1_000_000)
    )

    assert [step.records for step in steps] == [1, 1]
    assert (report.understood, report.skips) == (2, 0)


def test_a_last_line_without_an_end_is_taken_when_it_rests_and_is_a_whole_record(
    records: list[bytes], logs: Path, tmp_path: Path
) -> None:
    (logs / "whole.log").write_bytes(records[0] + records[1].rstrip())
    (logs / "half.log").write_bytes(records[2] + records[3][:50])

    def wait() -> None:
        time.sleep(0.6)

    report, _ = followed(tmp_path, [logs], wait, timing=Timing(quiet=0.5, pace=1_000_000))

    assert (report.understood, report.skips, report.duplicates) == (3, 0, 0)


def test_an_unfinished_line_that_rests_for_long_is_taken_as_it_stands(
    records: list[bytes], logs: Path, tmp_path: Path
) -> None:
    path = logs / "half.log"
    path.write_bytes(records[2] + records[3][:50])
    old = time.time() - 3600
    os.utime(path, (old, old))

    report, _ = followed(tmp_path, [logs], nothing)

    assert (report.understood, report.skipped) == (1, {"not-json": 1})


@pytest.mark.parametrize("by", ["folder", "file"])
def test_rotation_by_renaming_loses_nothing(by: str, records: list[bytes], logs: Path, tmp_path: Path) -> None:
    path = logs / "a.log"
    path.write_bytes(b"".join(records[:100]))

    def rotate() -> None:
        appended(path, b"".join(records[100:200]))()
        path.rename(logs / "a.log.1")
        path.write_bytes(b"".join(records[200:300]))

    def more_of_both() -> None:
        appended(logs / "a.log.1", b"".join(records[300:350]))()
        appended(path, b"".join(records[350:400]))()

    report, steps = followed(tmp_path, [logs if by == "folder" else path], nothing, rotate, more_of_both, nothing)

    assert canonical(report) == canonical(audited(tmp_path, logs))
    assert (report.records, report.duplicates) == (400, 0)
    assert [step.records for step in steps] == [100, 200, 100]


def test_rotation_by_copying_and_truncating_counts_nothing_twice(
    records: list[bytes], logs: Path, tmp_path: Path
) -> None:
    path = logs / "a.log"
    path.write_bytes(b"".join(records[:100]))

    def rotate() -> None:
        shutil.copyfile(path, logs / "a.log.1")
        path.write_bytes(b"".join(records[100:120]))

    report, _ = followed(tmp_path, [logs], nothing, rotate, nothing)

    assert canonical(report) == canonical(audited(tmp_path, logs))
    assert report.records == 120, "the copy has the bytes of a piece that is known"


def test_a_file_written_anew_is_read_anew_even_where_it_grew(records: list[bytes], logs: Path, tmp_path: Path) -> None:
    path = logs / "a.log"
    path.write_bytes(b"".join(records[:20]))

    def write_anew() -> None:
        path.write_bytes(b"".join(records[100:200]))

    report, _ = followed(tmp_path, [logs], nothing, write_anew, nothing)

    assert (report.understood, report.duplicates) == (120, 0)


def test_containers_and_documents_are_taken_when_they_rest(records: list[bytes], logs: Path, tmp_path: Path) -> None:
    whole = delivered(tmp_path / "x", [each.strip() for each in records[:50]]).read_bytes()
    document = b'{"Records":[\n' + b",".join(each for each in records[50:60]) + b"]}"
    packed = logs / "x.json.gz"

    def begin() -> None:
        packed.write_bytes(whole[:1000])
        (logs / "d.json").write_bytes(document[:500])

    def finish() -> None:
        packed.write_bytes(whole)
        (logs / "d.json").write_bytes(document)

    report, steps = followed(tmp_path, [logs], begin, nothing, finish, rest, nothing)

    assert canonical(report) == canonical(audited(tmp_path, logs))
    assert (report.understood, report.skips, report.acquisitions) == (60, 0, 2)
    assert [step.records for step in steps] == [60]


FLOW = (
    b"2 111122223333 eni-0123456789abcdef0 10.0.1.10 192.0.2.7 50%03d 443 6 20 4249 1767607200 1767607260 ACCEPT OK\n"
)
NAMED = b"version account-id interface-id instance-id srcaddr dstaddr start end action\n"
NAMED_ROW = (
    b"5 111122223333 eni-0123456789abcdef0 i-0123456789abcdef0 10.0.1.10 192.0.2.%d 1767607200 1767607260 ACCEPT\n"
)
DATABASE = (
    b'2026-03-02 10:00:05.%03d UTC,"vault-admin","orders",7215,"192.0.2.5:50001",69a56189.1c2e,%d,"idle",'
    b'2026-03-02 10:00:02 UTC,4/12,0,LOG,00000,"statement: CREATE ROLE ""v-app-read-%d"" WITH LOGIN\n'
    b'PASSWORD \'made-up-must-not-stay\'",,,,,,,,,"vault"\n'
)


@pytest.mark.parametrize(
    "lines",
    [
        [FLOW % number for number in range(9)],
        [NAMED, *(NAMED_ROW % number for number in range(9))],
        [DATABASE % (number, number, number) for number in range(9)],
    ],
    ids=["text", "text with a header", "rows with line ends"],
)
def test_text_and_rows_are_followed_by_whole_lines_and_rows(lines: list[bytes], logs: Path, tmp_path: Path) -> None:
    data = b"".join(lines)

    report, steps = followed(tmp_path, [logs], *(appended(logs / "x.log", part) for part in parts(data, 4)))

    assert canonical(report) == canonical(audited(tmp_path, logs))
    assert (report.understood, report.skips, report.records) == (9, 0, 9)
    assert len(steps) > 2


def test_a_text_that_nothing_understands_is_not_read_again_at_every_line(logs: Path, tmp_path: Path) -> None:
    path = logs / "app.log"
    events = [appended(path, b"words of no known log %d\n" % number) for number in range(60)]

    report, _ = followed(tmp_path, [logs], *events, timing=Timing(quiet=30, pace=1_000_000))

    assert report.acquisitions <= 1
    assert report.records <= 1


def test_files_that_were_there_are_read_at_once(records: list[bytes], logs: Path, tmp_path: Path) -> None:
    packed = delivered(logs / "x.json.gz", [each.strip() for each in records[:50]])
    old = time.time() - 60
    os.utime(packed, (old, old))

    report, _ = followed(tmp_path, [logs], nothing, timing=Timing(quiet=30, pace=1_000_000))

    assert report.understood == 50


def test_a_second_run_goes_on_where_the_first_ended(records: list[bytes], logs: Path, tmp_path: Path) -> None:
    path = logs / "a.log"
    path.write_bytes(b"".join(records[:100]))
    followed(tmp_path, [logs], nothing, appended(path, b"".join(records[100:150])), nothing)
    again, none = followed(tmp_path, [logs], nothing)
    more, steps = followed(tmp_path, [logs], nothing, appended(path, b"".join(records[150:160])), nothing)

    assert none == []
    assert again.run is not None
    assert (again.run.records, again.run.derived) == (0, "unchanged")
    assert [step.records for step in steps] == [10]
    assert (more.records, more.duplicates) == (160, 0)


def test_what_an_audit_took_is_not_read_again(records: list[bytes], logs: Path, tmp_path: Path) -> None:
    path = logs / "a.log"
    path.write_bytes(b"".join(records[:100]))
    run(tmp_path, [logs])

    report, steps = followed(tmp_path, [logs], nothing, appended(path, records[100]), nothing)

    assert [step.records for step in steps] == [1]
    assert (report.records, report.duplicates, report.acquisitions) == (101, 0, 2)


def test_an_audit_of_a_followed_file_adds_nothing(records: list[bytes], logs: Path, tmp_path: Path) -> None:
    path = logs / "a.log"
    followed(tmp_path, [logs], *(appended(path, part) for part in parts(b"".join(records[:90]), 3)))

    report = run(tmp_path, [logs])

    assert (report.understood, report.duplicates) == (90, 90)
    located, problems = locate(settings_for(tmp_path), path)
    assert problems == ()
    assert all(each.leaf is not None for each in located)


def test_answers_settle_and_late_records_repair_earlier_ones(records: list[bytes], logs: Path, tmp_path: Path) -> None:
    """The later half first: keys are used that nothing issued yet. Then what issued them, then the end of time."""
    ordered = sorted(records, key=lambda each: str(json.loads(each)["eventTime"]))
    early, late, last = ordered[:400], ordered[400:-20], ordered[-20:]
    path = logs / "a.log"

    report, steps = followed(
        tmp_path, [logs], *(appended(path, b"".join(part)) for part in (late, early, last)), nothing, timing=EACH
    )

    assert canonical(report) == canonical(audited(tmp_path, logs))
    assert len(steps) == 3
    first, second, third = steps
    assert first.findings.new
    assert first.findings.gone == ()
    assert second.findings.gone, "an issue that came late explains a key"
    present: set[str] = set()
    for step in steps:
        assert present.isdisjoint(step.findings.new)
        assert present >= set(step.findings.gone)
        present = (present | set(step.findings.new)) - set(step.findings.gone)
        assert step.judged
    assert present == {found.id for found in report.findings}
    assert third.answers.settled.get("proved", 0) > 0, "credentials expire as time goes on"
    totals = [(one.open, one.proved, one.violated) for one in report.coverage.questions]
    assert (third.answers.open, third.answers.proved, third.answers.violated) == tuple(
        map(sum, zip(*totals, strict=True))
    )


def test_judging_waits_and_what_is_there_is_judged_at_the_end(records: list[bytes], logs: Path, tmp_path: Path) -> None:
    path = logs / "a.log"
    chunks = [b"".join(records[at : at + 50]) for at in (0, 50, 100)]

    report, steps = followed(tmp_path, [logs], *(appended(path, chunk) for chunk in chunks), nothing)

    assert [(step.records, step.judged) for step in steps[:3]] == [(50, True), (50, False), (50, False)]
    assert all(step.records == 0 and step.judged for step in steps[3:])
    assert report.understood == 150
    assert canonical(report) == canonical(audited(tmp_path, logs))


def test_little_is_left_until_it_is_judged(
    records: list[bytes], logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PLENTY", 10**9)
    path = logs / "a.log"

    report, steps = followed(tmp_path, [logs], *(appended(path, record) for record in records[:5]), nothing)

    assert [(step.records, step.judged) for step in steps] == [(1, True), (4, True)]
    assert report.acquisitions == 2


def test_a_store_that_another_writer_holds_is_waited_for(records: list[bytes], logs: Path, tmp_path: Path) -> None:
    path = logs / "a.log"
    path.write_bytes(records[0])
    held: list[Lock] = []

    def hold() -> None:
        held.append(Lock(tmp_path / "store" / "lock"))
        appended(path, records[1])()

    def let_go() -> None:
        held[0].release()

    report, steps = followed(tmp_path, [logs], hold, nothing, let_go, nothing)

    assert [step.records for step in steps] == [1, 1]
    assert report.run is not None
    assert any("another writer" in note for note in report.run.notes)
    held.append(Lock(tmp_path / "store" / "lock"))
    with pytest.raises(StoreLocked):
        followed(tmp_path, [logs], nothing)
    held[1].release()


class Soon:
    """A stop that is set after it was asked so many times: in the middle of a step."""

    def __init__(self, times: int) -> None:
        self._left = times

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0

    def wait(self, timeout: float) -> bool:
        return self.is_set()


def test_a_stop_within_a_step_keeps_what_was_read_and_the_next_run_goes_on(
    records: list[bytes], logs: Path, tmp_path: Path
) -> None:
    for number in range(6):
        (logs / f"{number}.log").write_bytes(b"".join(records[number * 30 : number * 30 + 30]))
    settings, steps = settings_for(tmp_path), list[Step]()

    cut = follow(settings, [logs], lambda progress: None, steps.append, Soon(3), ONCE)
    rest_of_it, _ = followed(tmp_path, [logs], nothing)

    assert 0 < cut.understood < 180
    assert cut.understood % 30 == 0
    assert [step.judged for step in steps] == [True]
    assert (rest_of_it.records, rest_of_it.duplicates) == (180, 0)
    assert canonical(rest_of_it) == canonical(audited(tmp_path, logs))


def test_a_folder_may_be_empty_and_a_path_may_be_missing_but_not_all(logs: Path, tmp_path: Path) -> None:
    report, steps = followed(tmp_path, [logs, tmp_path / "later"], nothing)

    assert steps == []
    assert report.run is not None
    assert (report.records, report.run.files) == (0, 0)
    assert any("later" in problem for problem in report.run.problems)
    with pytest.raises(UsageError, match="nothing to follow"):
        followed(tmp_path / "other", [tmp_path / "never", tmp_path / "nowhere"], nothing)


def test_a_path_that_comes_later_is_no_problem_then(records: list[bytes], logs: Path, tmp_path: Path) -> None:
    later = tmp_path / "later.log"

    report, _ = followed(tmp_path, [logs, later], appended(later, records[0]), nothing)

    assert report.understood == 1
    assert report.run is not None
    assert report.run.problems == ()


def test_bad_lines_are_told_once_a_file_with_the_place_of_the_first(
    records: list[bytes], logs: Path, tmp_path: Path
) -> None:
    path = logs / "a.log"
    path.write_bytes(records[0] + b"broken\n")

    report, _ = followed(tmp_path, [logs], nothing, appended(path, records[1] + b"bad\n" + b"worse\n"), nothing)

    assert report.run is not None
    (problem,) = report.run.problems
    assert problem.endswith(f"3 records not read: not-json, first at byte {len(records[0])}")
    assert problem.startswith(str(path))


def step(**given: object) -> Step:
    plain: dict[str, object] = {
        "step": 1, "at": "2026-03-02T10:00:00Z", "files": 1, "records": 3, "new": 2, "duplicates": 1, "judged": True,
        "as_of": None, "findings": FindingChanges(), "answers": AnswerChanges(), "seconds": 0.25, "judging": 1.5,
    }  # fmt: skip
    return Step(**{**plain, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (step(), "2 new records; 1 known; read in 0.2 s, judged in 1.5 s"),
        (step(new=1, duplicates=0, judged=False), "1 new record; to be judged later; read in 0.2 s"),
        (
            step(findings=FindingChanges(new=("f-1",), gone=("f-2", "f-3", "f-4", "f-5"))),
            "2 new records; 1 known; 1 new finding: f-1; 4 gone findings: f-2, f-3, f-4 and 1 more; "  # noqa: ISC004
            "read in 0.2 s, judged in 1.5 s",
        ),
        (
            step(answers=AnswerChanges(settled={"proved": 3, "violated": 1}, open=2, proved=9, violated=1)),
            "2 new records; 1 known; 3 open → proved; 1 open → violated; read in 0.2 s, judged in 1.5 s",
        ),
    ],
)
def test_a_step_is_one_line(said: Step, wanted: str) -> None:
    assert line(said) == f"2026-03-02T10:00:00Z  {wanted}"


class Running:
    """A real ``custody audit --follow``."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "custody.cli", "audit", "--follow", str(folder / "logs"), "--interval", "0.1"]
        command += ["--quiet", "0.2", "--pace", "0", "--store", str(folder / "store"), "--keys", str(folder / "keys")]
        self.process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def first_line(self) -> bytes:
        """The first thing that is said on stderr: something was taken."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def end(self, number: int) -> tuple[int, bytes, bytes]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_with_the_usual_page(number: int, records: list[bytes], logs: Path, tmp_path: Path) -> None:
    (logs / "a.log").write_bytes(b"".join(records[:200]))
    running = Running(tmp_path)
    first = running.first_line()
    appended(logs / "a.log", b"".join(records[200:300]))()
    code, out, err = running.end(number)

    assert b"200 new records" in first
    assert code == 0
    assert b"300 understood" in out
    assert b"SCOPE" in out
    assert b"read 1 file; 300 new records" in err


def test_with_json_each_step_is_an_object_on_a_line_and_the_last_is_the_report(
    records: list[bytes], logs: Path, tmp_path: Path
) -> None:
    (logs / "a.log").write_bytes(b"".join(records[:200]) + b"broken\n")
    running = Running(tmp_path, "--json")
    running.first_line()
    code, out, _ = running.end(signal.SIGINT)

    objects = [json.loads(each) for each in out.decode().splitlines()]
    *steps, last = objects
    assert code == 1, "a record could not be read"
    assert [each["step"] for each in steps] == [1]
    assert set(steps[0]) == {
        "step", "at", "files", "records", "new", "duplicates", "judged", "as_of", "findings", "answers", "seconds",
        "judging",
    }  # fmt: skip
    assert set(steps[0]["findings"]) == {"new", "gone"}
    assert set(steps[0]["answers"]) == {"settled", "open", "proved", "violated"}
    assert set(last) == {"report"}
    command = [sys.executable, "-m", "custody.cli", "report", "--format", "json", "--store", str(tmp_path / "store")]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert last["report"].pop("run")["new"] == 201
    report.pop("run", None)
    assert last["report"] == report


@pytest.mark.parametrize("option", ["--interval", "--quiet", "--pace"])
@pytest.mark.parametrize("value", ["-1", "x", "nan", "1e9"])
def test_timing_out_of_range_is_refused(
    option: str, value: str, logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["audit", "--follow", str(logs), option, value, "--store", str(tmp_path / "store")])

    assert code == 2
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
@pytest.mark.parametrize("group", [False, True], ids=["parent", "group"])
def test_kill_9_while_files_grow_loses_nothing(group: bool, records: list[bytes], logs: Path, tmp_path: Path) -> None:
    path = logs / "a.log"
    for number in range(20):
        running = Running(tmp_path)
        appended(path, b"".join(records[number * 40 : number * 40 + 25]))()
        time.sleep(0.3 + 0.13 * number)
        appended(path, b"".join(records[number * 40 + 25 : number * 40 + 40]))()
        (os.killpg if group else os.kill)(running.process.pid, signal.SIGKILL)
        running.process.communicate()
        if number % 7 == 6:
            path.rename(logs / f"a.log.{number}")
    report, _ = followed(tmp_path, [logs], nothing)

    assert canonical(report) == canonical(audited(tmp_path, logs))
    assert report.understood == 800
    assert verify(settings_for(tmp_path), None, None, None).status == "ok"


@pytest.mark.slow
def test_memory_stays_flat_while_a_file_grows(records: list[bytes], logs: Path, tmp_path: Path) -> None:
    """The same records in another order at each step: pieces that are new, and a store that does not grow."""
    path, some = logs / "a.log", records[:300]
    path.write_bytes(b"".join(some))
    running = Running(tmp_path)
    running.first_line()
    status = Path(f"/proc/{running.process.pid}/status")
    if not status.exists():
        running.end(signal.SIGINT)
        pytest.skip("memory is read from /proc")
    sizes = []
    for number in range(1, 120):
        appended(path, b"".join(some[number:] + some[:number]))()
        running.first_line()
        sizes.append(int(next(row for row in status.read_text().splitlines() if row.startswith("VmRSS")).split()[1]))
    running.end(signal.SIGINT)

    assert max(sizes[-20:]) < 1.1 * max(sizes[10:30])
