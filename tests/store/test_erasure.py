"""Erasure: bytes and salts go, the proof stays; every step may fail, and nothing may be gone that nobody named."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from custody.errors import LogError, NotFound, StoreError
from custody.ledger.entry import decode, statement_entry
from custody.ledger.fsck import check_consistency
from custody.ledger.proof import root_at
from custody.model.records import Acquisition, Batch
from custody.store import erasure, layout
from custody.store.disk import Fault, FaultyDisk, RealDisk
from custody.store.erasing import Going
from custody.store.erasure import Erasures, Why, covers, mask_of, ranges_of, said_leaves
from custody.store.history import Closed, History
from custody.store.inventory import walk
from custody.store.keyring import read_last_signed
from custody.store.logfiles import LogFiles
from custody.store.reader import Reader
from custody.store.segments import ERASED, Segment
from custody.store.verification import Verification, verify
from custody.store.writer import Writer

Open = Callable[..., Writer]
Fill = Callable[[], list[int]]
WHY = Why(reason="the retention has passed", by="ann@example.com", at="2026-11-22T10:00:00Z", contract=None)
NEVER = 10**9
FAULTS: list[tuple[Fault, bool]] = [
    ("lost", True), ("torn", True), ("kept", True), ("lost", False), ("torn", False), ("kept", False),
]  # fmt: skip


def going(root: Path, leaves: Sequence[int]) -> list[Going]:
    """What an erasure of ``leaves`` takes from each segment."""
    with Reader.open(root) as reader:
        commits = reader.segments()
    found = []
    for closed in commits:
        mine = [(leaf, leaf + 1) for leaf in leaves if closed.first <= leaf < closed.end]
        if mine:
            found.append(Going(closed, mask_of(mine, closed), (("aws.cloudtrail", len(mine), None, None),)))
    return found


@pytest.fixture
def filled(
    opened: Open, acquisition: Callable[..., Acquisition], batch: Callable[..., Batch],
    rows: Callable[[int, int], list[tuple[str, bytes | None]]],
) -> Fill:  # fmt: skip
    """A store of two segments with derived tables; gives the leaves of its records."""

    def fill() -> list[int]:
        with opened() as writer:
            for name, first in (("one", 0), ("two", 200)):
                (leaf,) = writer.acquire([acquisition(name)], by="test", at="now")
                skips = ["withheld" if n == 7 else None for n in range(30)]
                some = rows(first, 30)
                some[7] = (some[7][0], None)
                made = batch(leaf, some, skips=skips)
                writer.commit([msgspec.structs.replace(made, forms=["skip:withheld" if s else "array" for s in skips])])
            publish(writer)
        with Reader.open(writer_root(writer)) as reader:
            return [kept.leaf for closed in reader.segments() for _, kept in reader.records(closed)]

    return fill


def writer_root(writer: Writer) -> Path:
    return writer._root


def publish(writer: Writer) -> None:
    """A table with something of every record, as the pipeline makes it after a commit or an erasure."""
    folder = writer.fresh_derived()
    root = writer_root(writer)
    with Reader.open(root) as reader:
        said = b"".join(kept.kept or b"" for closed in reader.segments() for _, kept in reader.records(closed))
    (folder / "events").mkdir()
    (folder / "events" / layout.range_name(0, writer.size)).write_bytes(said)
    (folder / "table.parquet").write_bytes(said)
    writer.publish_derived(folder.name, ["table.parquet"], {}, parts=[f"events/{layout.range_name(0, writer.size)}"])


def anywhere(root: Path, *needles: bytes) -> list[str]:
    """The files of a store that hold one of ``needles``, Parquet files read and not only searched."""
    found = []
    for name in walk(root):
        data = (root / name).read_bytes()
        if name.startswith("segments/") and data[:4] == b"PAR1":
            import pyarrow.parquet as pq

            data += b"".join(kept for kept in pq.read_table(root / name).column("kept").to_pylist() if kept)
        found += [name for needle in needles if needle in data]
    return found


def value(n: int) -> bytes:
    return b'"n": %d}' % n


def checked(root: Path, keys: Path) -> Verification:
    with Reader.open(root) as reader:
        return verify(root, last_signed=read_last_signed(keys / reader.store.store))


def test_bytes_and_salts_go_and_the_proof_stays(filled: Fill, opened: Open, root: Path, keys: Path) -> None:
    leaves = filled()
    chosen = [leaves[3], leaves[4], leaves[29], leaves[33]]
    with Reader.open(root) as reader:
        before = {leaf: (reader.raw_entry(leaf), reader.record(leaf).id) for leaf in chosen}
        old = reader.note()
        rest = [reader.kept(leaf) for leaf in leaves if leaf not in chosen]
    with opened() as writer:
        said = writer.erase(going(root, chosen), WHY)
        publish(writer)
    with Reader.open(root) as reader:
        assert [reader.kept(leaf).form for leaf in chosen] == [ERASED] * 4
        assert {(reader.kept(leaf).kept, reader.kept(leaf).salt) for leaf in chosen} == {(None, None)}
        assert [reader.kept(leaf) for leaf in leaves if leaf not in chosen] == rest
        assert {leaf: (reader.raw_entry(leaf), reader.record(leaf).id) for leaf in chosen} == before
        assert reader.proof(chosen[0]).startswith(b"c2sp.org/tlog-proof")
        assert reader.find("aws.cloudtrail", "id-3") == [leaves[3]]
        statement = reader.erasures().of(leaves[4])
        assert statement is not None
        assert (statement.leaf, statement.why) == (said[0], WHY)
        assert statement.ranges == ((leaves[3], leaves[5]), (leaves[29], leaves[29] + 1))
        assert reader.erasures().of(leaves[5]) is None
    found = verify(root, against=old)
    assert (found.problems, found.records, found.erased) == ((), 60, 4)
    assert anywhere(root, value(3), value(4), value(29), value(203)) == []
    assert anywhere(root, value(5)) != []


def test_what_is_left_of_a_segment_can_go_too(filled: Fill, opened: Open, root: Path, keys: Path) -> None:
    leaves = filled()
    for lot in (leaves[:5], leaves[10:12], leaves):
        with opened() as writer:
            writer.erase(going(root, [leaf for leaf in lot if leaf not in (leaves[7], leaves[37])]), WHY)
    with Reader.open(root) as reader:
        chain = reader.erasures()
        assert [chain.of(leaf) is None for leaf in (leaves[0], leaves[7], leaves[11], leaves[59])] == [
            False, True, False, False,
        ]  # fmt: skip
        assert reader.kept(leaves[7]).form == "skip:withheld"
        first, second = chain.of(leaves[0]), chain.of(leaves[20])
        assert first is not None
        assert second is not None
        assert first.leaf < second.leaf
    found = checked(root, keys)
    assert (found.problems, found.erased) == ((), 58)


def test_tables_from_before_are_void_and_gone(filled: Fill, opened: Open, root: Path) -> None:
    leaves = filled()
    with opened() as writer:
        writer.erase(going(root, leaves[:1]), WHY)
        assert not list((root / "derived").rglob("*.parquet"))
    with Reader.open(root) as reader:
        assert reader.manifest() is None
        with pytest.raises(NotFound, match="not there"):
            reader.events_files()
    assert verify(root).problems == ()


def test_the_same_record_again_is_counted_and_not_kept(
    filled: Fill, opened: Open, root: Path, acquisition: Callable[..., Acquisition], batch: Callable[..., Batch],
    rows: Callable[[int, int], list[tuple[str, bytes | None]]],
) -> None:  # fmt: skip
    leaves = filled()
    with opened() as writer:
        writer.erase(going(root, leaves[:2]), WHY)
        (leaf,) = writer.acquire([acquisition("again")], by="test", at="now")
        other = [("id-1", b'{"another": "value"}')]
        committed = writer.commit([batch(leaf, [*rows(0, 1), *other, *rows(2, 1), *rows(500, 1)])])
    assert (committed.sealed, committed.duplicates, committed.erased, committed.conflicts) == (1, 3, 2, 0)
    assert anywhere(root / "segments", value(0), b"another") == []


def test_a_damaged_segment_is_not_erased_from(filled: Fill, opened: Open, root: Path) -> None:
    leaves = filled()
    with Reader.open(root) as reader:
        path = root / str(reader.segments()[0].file)
    path.write_bytes(path.read_bytes()[:-9] + b"x" * 9)
    with opened() as writer, pytest.raises(StoreError, match="not the one that the log seals"):
        writer.erase(going(root, leaves[:1]), WHY)
    with Reader.open(root) as reader:
        assert reader.statements(erasure.STATEMENT) == []


def test_bytes_that_come_back_are_damage_and_go_again(filled: Fill, opened: Open, root: Path, keys: Path) -> None:
    leaves = filled()
    with Reader.open(root) as reader:
        path = root / str(reader.segments()[0].file)
    old = path.read_bytes()
    with opened() as writer:
        writer.erase(going(root, leaves[:3]), WHY)
    path.write_bytes(old)
    assert [problem.path for problem in verify(root).damage] == [str(path.relative_to(root))]
    assert "were erased" in verify(root).damage[0].text
    with opened() as writer:
        assert "was finished" in writer.recovered[0]
    assert checked(root, keys).problems == ()
    assert anywhere(root, value(0)) == []


def blank(path: Path, rows: Sequence[int], form: str | None) -> bytes:
    """The file without the payloads of some rows, whatever the log says."""
    from custody.store import segments

    opened = Segment(path, name="x", rows=30)
    closed = Closed(0, "x", None, 0, 30)
    data = bytes(segments.erase(opened, mask_of([(row, row + 1) for row in rows], closed)))
    opened.close()
    if form is None:
        return data
    again = [kept if at not in rows else msgspec.structs.replace(kept, form=form)
             for at, kept in enumerate(Segment(data, name="x", rows=30))]  # fmt: skip
    columns = zip(*((kept.form, kept.salt, kept.kept) for kept in again), strict=True)
    forms, salts, payloads = map(list, columns)
    return bytes(segments.encode(again[0].leaf, forms, salts, payloads))


@pytest.mark.parametrize("form", [None, "array"])
def test_a_row_that_no_statement_names_may_not_be_gone(
    filled: Fill, opened: Open, root: Path, monkeypatch: pytest.MonkeyPatch, form: str | None
) -> None:
    """A writer that empties more than it says: the new file is sealed, and yet found out."""
    leaves = filled()
    with Reader.open(root) as reader:
        path = root / str(reader.segments()[0].file)
    data = blank(path, [0, 1], form)
    monkeypatch.setattr("custody.store.segments.erase", lambda segment, gone: memoryview(data))
    with opened() as writer:
        writer.erase(going(root, leaves[:1]), WHY)
    texts = [problem.text for problem in verify(root).damage]
    assert f"leaf {leaves[1]}: found nothing, and no erasure names it" in texts
    assert len(texts) == (1 if form is None else 2)


def test_a_row_that_is_said_to_be_erased_must_be_empty(
    filled: Fill, opened: Open, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaves = filled()
    with Reader.open(root) as reader:
        data = (root / str(reader.segments()[0].file)).read_bytes()
    monkeypatch.setattr("custody.store.segments.erase", lambda segment, gone: memoryview(data))
    with opened() as writer:
        writer.erase(going(root, leaves[:1]), WHY)
    assert [problem.text for problem in verify(root).damage] == [
        f"leaf {leaves[0]}: found something, expected nothing: it is erased"
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"segment": 1}, {"file": "segments/other"}, {"old": "0" * 64}, {"count": 2}, {"leaves": [[4, 3]]},
        {"leaves": []}, {"leaves": [[0, 1]]}, {"bitmap": "AAAA"}, {"reason": None}, {"more": "text"}, {"new": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_statement_that_makes_no_sense_is_damage(
    filled: Fill, opened: Open, root: Path, change: dict[str, object]
) -> None:
    leaves = filled()
    with opened() as writer:
        writer.erase(going(root, leaves[:1]), WHY)
        with Reader.open(root) as reader:
            fields = dict(reader.statements(erasure.STATEMENT)[0].entry.fields)
        writer.seal(erasure.STATEMENT, {**fields, **change})
    assert verify(root).damage != ()


def test_leaves_are_said_by_ranges_or_where_they_are_many_by_bits() -> None:
    commit = Closed(9_000, "x", None, 1_000, 9_000)
    few = ((1_000, 1_001), (1_005, 1_010), (8_999, 9_000))
    many = tuple((leaf, leaf + 1) for leaf in range(1_001, 9_000, 2))
    assert said_leaves(few, commit) == {"leaves": [[1000, 1001], [1005, 1010], [8999, 9000]]}
    assert list(said_leaves(many, commit)) == ["bitmap"]
    assert ranges_of(mask_of(many, commit), commit) == many
    assert ranges_of(mask_of(few, commit), commit) == few
    whole = statement_entry(erasure.STATEMENT, said_leaves(many, Closed(66_000, "x", None, 0, 65_536)))
    assert len(whole) < 12_000


def test_a_statement_with_bits_is_read_and_held_against_its_segment() -> None:
    history = History()
    digest = "a" * 64
    commit = Closed(3_000, "segments/x", digest, 0, 3_000)
    history.closed.append(commit)
    ranges = tuple((leaf, leaf + 1) for leaf in range(0, 3_000, 2))
    fields = {
        "segment": 3_000, "file": "segments/x", "old": digest, "new": "b" * 64, "size": 9, "count": 1_500,
        **said_leaves(ranges, commit), "periods": [["unknown", 1_500, None, None]], **msgspec.structs.asdict(WHY),
    }  # fmt: skip
    history.add(4_000, statement_entry(erasure.STATEMENT, fields))
    found = Erasures(history)
    assert found.problems == []
    assert (found.of(2_998) is None, found.of(2_999) is None) == (False, True)
    assert found.expected(commit).erased == 1_500
    history.add(4_001, statement_entry(erasure.STATEMENT, {**fields, "bitmap": "!"}))
    history.add(4_002, statement_entry(erasure.STATEMENT, {**fields, "bitmap": str(fields["bitmap"])[:-4]}))
    assert [leaf for leaf, _ in Erasures(history).problems] == [4_001, 4_002]


@pytest.mark.parametrize(
    ("ranges", "others", "expected"),
    [
        ((), (), True), (((1, 5),), (), True), (((1, 5),), ((2, 3),), True), (((1, 5),), ((1, 5),), True),
        (((1, 5),), ((4, 6),), False), (((1, 2), (4, 6)), ((4, 5),), True), (((1, 2), (4, 6)), ((1, 5),), False),
        ((), ((1, 2),), False), (((3, 4),), ((1, 2),), False),
    ],
)  # fmt: skip
def test_what_was_erased_stays_erased(
    ranges: tuple[tuple[int, int], ...], others: tuple[tuple[int, int], ...], expected: bool
) -> None:
    assert covers(ranges, others) is expected


def leave_aside(
    opened: Open, acquisition: Callable[..., Acquisition], batch: Callable[..., Batch],
    rows: Callable[[int, int], list[tuple[str, bytes | None]]],
) -> None:  # fmt: skip
    """A commit that is cut off before it is signed: its segment, with the same bytes, is moved aside."""
    disk = FaultyDisk(fail_at=NEVER, fault="kept")
    with opened(disk) as writer:
        (leaf,) = writer.acquire([acquisition("again")], by="test", at="now")
        disk._fail_at = len(disk.steps) + 5
        with suppress(StoreError):
            writer.commit([batch(leaf, rows(700, 30))])
    with opened() as writer:
        writer.commit([batch(leaf, rows(700, 30))])


def test_copies_that_a_recovery_moved_aside_go_too(
    filled: Fill, opened: Open, root: Path, keys: Path, acquisition: Callable[..., Acquisition],
    batch: Callable[..., Batch], rows: Callable[[int, int], list[tuple[str, bytes | None]]],
) -> None:  # fmt: skip
    filled()
    leave_aside(opened, acquisition, batch, rows)
    assert list((root / "aside").rglob("*.parquet"))
    with Reader.open(root) as reader:
        (leaf,) = reader.find("aws.cloudtrail", "id-705")
    copies = {path: path.read_bytes() for path in (root / "aside").rglob("*.parquet")}
    with opened() as writer:
        writer.erase(going(root, [leaf]), WHY)
    assert not list((root / "aside").rglob("*.parquet"))
    assert checked(root, keys).problems == ()
    for path, data in copies.items():
        path.write_bytes(data)
    assert [problem.path for problem in verify(root).unfinished] == sorted(
        str(path.relative_to(root)) for path in copies
    )
    with opened():
        pass
    assert checked(root, keys).problems == ()


def test_a_note_that_is_taken_back_finds_the_erased_segment_right(filled: Fill, opened: Open, root: Path) -> None:
    """Signed and not published: the commit of a segment and the erasure from it are finished together."""
    note = root / layout.CHECKPOINT
    leaves = filled()
    with Reader.open(root) as reader:
        first = reader.segments()[0].first
    with opened() as writer:
        writer.erase(going(root, leaves[:2]), WHY)
        publish(writer)
    assert first == leaves[0]
    kept = note.read_bytes()
    with opened() as writer:
        writer.seal("note", {"text": "more"})
    note.write_bytes(kept)
    with opened() as writer:
        assert "published" in writer.recovered[0]
    assert verify(root).damage == ()


class Erase:
    """The erasure whose every step fails once; a second run finishes what the first did not begin."""

    def __init__(self, opened: Open, root: Path, keys: Path, leaves: list[int]) -> None:
        self._opened, self._root, self._keys, self._leaves = opened, root, keys, leaves
        self._chosen = [leaves[2], leaves[3], leaves[40]]

    def run(self, disk: FaultyDisk) -> None:
        with suppress(StoreError), self._opened(disk) as writer:
            writer.erase(going(self._root, self._chosen), WHY)
            publish(writer)
            assert not disk.failed, "the fault was swallowed"

    def check(self, step: int) -> None:
        found = checked(self._root, self._keys)
        assert found.damage == (), f"step {step}: {found.damage}"
        with self._opened():
            pass
        found = checked(self._root, self._keys)
        assert found.problems == (), f"step {step}: {found.problems}"
        assert found.erased in (0, 3), f"step {step}"
        here = anywhere(self._root, value(2), value(3), value(210))
        assert (here == []) == (found.erased == 3), f"step {step}: {here}"
        with self._opened() as writer:
            if not found.erased:
                writer.erase(going(self._root, self._chosen), WHY)
            publish(writer)
        found = checked(self._root, self._keys)
        assert (found.problems, found.erased) == ((), 3), f"step {step}"
        assert anywhere(self._root, value(2), value(3), value(210)) == []
        assert anywhere(self._root, value(4)) != []


def fail_at(steps: Sequence[int], filled: Fill, opened: Open, root: Path, keys: Path, fault: Fault, dead: bool) -> None:
    leaves = filled()
    for folder in (root, keys):
        shutil.copytree(folder, folder.with_suffix(".fresh"))
    for step in steps:
        for folder in (root, keys):
            shutil.rmtree(folder)
            shutil.copytree(folder.with_suffix(".fresh"), folder)
        erase = Erase(opened, root, keys, leaves)
        erase.run(FaultyDisk(fail_at=step, fault=fault, dead=dead))
        erase.check(step)


def count_steps(filled: Fill, opened: Open, root: Path, keys: Path) -> int:
    leaves = filled()
    disk = FaultyDisk(fail_at=NEVER, fault="lost")
    Erase(opened, root, keys, leaves).run(disk)
    for folder in (root, keys):
        shutil.rmtree(folder)
    return len(disk.steps)


@pytest.mark.parametrize(("fault", "dead"), FAULTS)
def test_every_step_may_fail(filled: Fill, opened: Open, root: Path, keys: Path, fault: Fault, dead: bool) -> None:
    steps = count_steps(filled, opened, root, keys)
    assert steps > 30
    fail_at(range(FAULTS.index((fault, dead)), steps, len(FAULTS)), filled, opened, root, keys, fault, dead)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "dead"), FAULTS)
def test_every_single_step_may_fail(
    filled: Fill, opened: Open, root: Path, keys: Path, fault: Fault, dead: bool
) -> None:
    steps = count_steps(filled, opened, root, keys)
    fail_at(range(steps), filled, opened, root, keys, fault, dead)


CHILD = """
import runpy, sys
from pathlib import Path
here = runpy.run_path(sys.argv[1])
root = Path(sys.argv[2])
from custody.store.writer import Writer
from custody.store.reader import Reader
with Reader.open(root) as reader:
    erased = reader.erasures()
    leaves = [kept.leaf for closed in reader.segments() for _, kept in reader.records(closed) if kept.kept]
import numpy, pyarrow.parquet
print("open", flush=True)
with Writer.open(root, Path(sys.argv[3]), now="now", version="1") as writer:
    for leaf in leaves[:12]:
        writer.erase(here["going"](root, [leaf]), here["WHY"])
        here["publish"](writer)
print("done" if len(leaves) <= 12 else "more", flush=True)
"""


@pytest.mark.slow
def test_a_killed_erasure_is_finished_or_undone(filled: Fill, opened: Open, root: Path, keys: Path) -> None:
    leaves = filled()
    dice = random.Random(5)
    command = [sys.executable, "-c", CHILD, __file__, str(root), str(keys)]
    with Reader.open(root) as reader:
        first = reader.checkpoint()
    done = kills = 0
    while not done and kills < 200:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "open\n"
            time.sleep(0.4 * dice.random() ** 3)  # most of them early: a disk in memory is fast
            os.killpg(child.pid, signal.SIGKILL)
            done = child.stdout.read().count("done")
        kills += not done
        assert checked(root, keys).damage == ()
    assert kills > 5
    with opened() as writer:
        publish(writer)
    found = checked(root, keys)
    assert (found.problems, found.erased) == ((), len(leaves) - 2)
    with Reader.open(root) as reader:
        check_consistency(LogFiles(root).read, first, reader.checkpoint())
        assert root_at(first.size, LogFiles(root).read) == first.root


def test_reading_an_entry_again_gives_the_statement(filled: Fill, opened: Open, root: Path) -> None:
    leaves = filled()
    with opened(RealDisk()) as writer:
        (leaf,) = writer.erase(going(root, leaves[:1]), WHY)
    with Reader.open(root) as reader:
        raw = reader.raw_entry(leaf)
        assert decode(raw) == reader.entry(leaf)
    with pytest.raises(LogError):
        decode(raw.replace(b'"count":1', b'"count": 1'))
