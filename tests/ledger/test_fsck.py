"""The independent check: a sound log is sound, every fault is found and named, leftovers are told from damage."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.errors import LogError
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.entry import statement_entry
from custody.ledger.fsck import LogReport, check_log
from custody.ledger.fsck_tiles import Kind, Place, place_of
from custody.ledger.memory import MemoryLog
from custody.ledger.merkle import leaf_hash
from custody.ledger.note import Signer, sign
from custody.ledger.tiles import decode_bundle, encode_bundle

SIGNER = Signer("example.com/log", bytes(32))
NOTHING: dict[str, bytes] = {}


def statements(count: int, first: int = 0) -> list[bytes]:
    return [statement_entry("test", {"number": number}) for number in range(first, first + count)]


def log_of(*commits: int) -> MemoryLog:
    """A log of so many statements in each commit; each commit adds one more entry, its end."""
    log = MemoryLog(SIGNER)
    for count in commits:
        log.commit(statements(count, log.tree.size))
    return log


def check(files: dict[str, bytes], vkey: str = SIGNER.vkey) -> LogReport:
    return check_log(files.__getitem__, files, vkey)


def damaged(files: dict[str, bytes]) -> set[str]:
    report = check(files)
    assert all(problem.text for problem in report.problems)
    return {problem.path for problem in report.damage}


@pytest.mark.parametrize("commits", [(0,), (1,), (255,), (256,), (10, 20, 30), (300, 300, 5, 1), (254, 255, 256, 257)])
def test_a_sound_log_has_no_problems(commits: tuple[int, ...]) -> None:
    log = log_of(*commits)
    report = check(log.files)
    assert report.problems == ()
    assert report.entries == log.tree.size == sum(commits) + len(commits)
    assert report.checkpoint == Checkpoint("example.com/log", log.tree.size, log.tree.root())


def test_a_published_log_without_entries_is_sound() -> None:
    log = MemoryLog(SIGNER)
    log.publish()
    assert check(log.files).problems == ()


@pytest.fixture(scope="module")
def large() -> MemoryLog:
    """A log with full tiles on two levels and several published sizes on its edge."""
    return log_of(65_000, 1000, 2000, 100)


def test_a_log_of_three_levels_is_sound(large: MemoryLog) -> None:
    assert {"tile/1/000", "tile/2/000.p/1", "tile/1/001.p/9"} <= set(large.files)
    assert check(large.files).problems == ()


def test_every_entry_is_handed_on_once_and_in_order() -> None:
    log = log_of(300, 400)
    seen: list[bytes] = []

    def take(first: int, entries: Sequence[bytes]) -> None:
        assert first == len(seen)
        seen.extend(entries)

    check_log(log.read, log.files, SIGNER.vkey, on_entries=take)
    assert len(seen) == 702
    assert seen[:300] == statements(300)
    assert seen[301:701] == statements(400, 301)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 600), min_size=1, max_size=6))
def test_any_commits_leave_a_sound_log(commits: list[int]) -> None:
    assert check(log_of(*commits).files).problems == ()


def test_a_flipped_bit_anywhere_is_found_and_named() -> None:
    files = log_of(3, 520, 8).files
    for path, data in files.items():
        regions = {0, 1, 2, 31, 32, 33, len(data) // 2, len(data) - 33, len(data) - 2, len(data) - 1} & set(
            range(len(data))
        )
        for at in regions:
            flipped = bytearray(data)
            flipped[at] ^= 1 << at % 8
            assert damaged(files | {path: bytes(flipped)}) == {path}, (path, at)


def test_every_flipped_byte_of_a_small_log_is_found_and_named() -> None:
    files = log_of(2, 1).files
    for path, data in files.items():
        for at in range(len(data)):
            flipped = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
            assert path in damaged(files | {path: flipped}), (path, at)


def test_a_flipped_bit_in_a_large_log_is_named(large: MemoryLog) -> None:
    for path in ("tile/1/000", "tile/0/100", "tile/entries/100", "tile/2/000.p/1", "tile/1/001.p/9"):
        data = bytearray(large.files[path])
        data[len(data) // 2] ^= 4
        assert damaged(large.files | {path: bytes(data)}) == {path}


def test_a_missing_file_is_named() -> None:
    files = log_of(3, 520, 8).files
    for path in files:
        rest = {other: data for other, data in files.items() if other != path}
        assert damaged(rest) == {path}


def test_a_truncated_lengthened_or_emptied_file_is_named() -> None:
    files = log_of(3, 520, 8).files
    for path, data in files.items():
        for changed in (data[:-1], data[:-32], data + b"\0", data + data[-32:], b""):
            assert path in damaged(files | {path: changed}), path


def test_swapped_files_are_both_named() -> None:
    files = log_of(1000).files
    for one, other in [
        ("tile/0/000", "tile/0/001"),
        ("tile/entries/000", "tile/entries/001"),
        ("tile/0/000", "tile/entries/000"),
    ]:
        assert damaged(files | {one: files[other], other: files[one]}) == {one, other}


def test_entries_that_were_exchanged_with_their_hashes_are_named() -> None:
    files = log_of(1000).files
    pairs = {
        f"tile/{kind}/{one}": files[f"tile/{kind}/{other}"]
        for kind in ("0", "entries")
        for one, other in (("000", "001"), ("001", "000"))
    }
    assert damaged(files | pairs) == set(pairs)


def test_an_entry_that_was_rewritten_with_every_tile_above_it_is_found() -> None:
    log = log_of(1000)
    forged = MemoryLog(SIGNER)
    forged.commit([statement_entry("test", {"number": -1}), *statements(999, 1)])
    assert set(forged.files) == set(log.files)
    assert damaged(forged.files | {"checkpoint": log.files["checkpoint"]}) != set()


def test_under_an_older_checkpoint_the_newer_files_are_unfinished() -> None:
    old, new = log_of(3, 520), log_of(3, 520, 8)
    report = check(new.files | {"checkpoint": old.files["checkpoint"]})
    assert report.damage == ()
    assert {problem.path for problem in report.unfinished} == new.files.keys() - old.files.keys()


def test_a_log_signed_anew_with_another_key_fails() -> None:
    log = log_of(20)
    thief = Signer("example.com/log", bytes(31) + b"x")
    text = log.files["checkpoint"].decode().partition("\n\n")[0] + "\n"
    resigned = log.files | {"checkpoint": sign(text, [thief])}
    assert check(resigned, thief.vkey).problems == ()
    report = check(resigned)
    assert [problem.path for problem in report.damage] == ["checkpoint"]
    assert report.checkpoint is None


def test_a_checkpoint_of_another_log_under_the_same_key_fails() -> None:
    log = log_of(20)
    text = Checkpoint("example.com/other", log.tree.size, log.tree.root()).text()
    report = check(log.files | {"checkpoint": sign(text, [SIGNER])})
    assert "of the log example.com/other" in report.damage[0].text


def test_a_checkpoint_that_does_not_close_a_commit_is_named() -> None:
    log = log_of(20)
    extra = statements(1, 21)
    log.tree.append(extra, leaf_hash(extra[0]))
    log.files.update(log.tree.take_files())
    log.publish()
    assert [(problem.path, problem.text) for problem in check(log.files).damage] == [
        ("checkpoint", "its last entry does not close a commit")
    ]


def test_a_signed_size_beyond_all_files_is_named_at_once() -> None:
    log = log_of(20)
    text = Checkpoint("example.com/log", 1 << 60, bytes(32)).text()
    report = check(log.files | {"checkpoint": sign(text, [SIGNER])})
    assert [problem.path for problem in report.damage] == ["checkpoint"]


def test_a_signed_root_that_no_tile_gives_is_found() -> None:
    log = log_of(20)
    text = Checkpoint("example.com/log", 21, bytes(32)).text()
    assert damaged(log.files | {"checkpoint": sign(text, [SIGNER])}) == {"tile/0/000.p/21", "tile/entries/000.p/21"}


def test_what_is_not_a_key_is_refused() -> None:
    with pytest.raises(LogError):
        check_log(NOTHING.__getitem__, [], "nonsense")


def test_an_empty_folder_is_not_a_log() -> None:
    assert damaged({}) == {"checkpoint"}


@pytest.mark.parametrize(
    "path",
    [
        "evil",
        "tile",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/000",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/../0/000",
        "tile/0/000\n",
        "tile/0/\u0661\u0661\u0661",
        "tile/entries/000.p",
        "Checkpoint",
        "checkpoint.bak",
        "tile/0/" + "x001/" * 2000 + "000",
    ],
)
def test_a_file_that_is_none_of_a_log_is_named(path: str) -> None:
    assert place_of(path) is None
    assert damaged(log_of(20).files | {path: b""}) == {path}


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("tile/0/001", bytes(8192)),
        ("tile/0/005.p/3", bytes(96)),
        ("tile/0/000.p/22", bytes(22 * 32)),
        ("tile/0/000.p/7", bytes(7 * 32)),
        ("tile/entries/001.p/1", b"\0\1x"),
        ("tile/entries/000.p/22", b"\0\1x" * 22),
        ("tile/entries/007", b""),
        ("tile/3/000.p/1", bytes(32)),
        ("tile/0/000", b""),
    ],
)
def test_a_foreign_file_past_the_log_is_damage_or_named_as_unfinished(path: str, data: bytes) -> None:
    report = check(log_of(20).files | {path: data})
    assert [problem.path for problem in report.problems] == [path]
    assert (report.problems[0].kind == Kind.DAMAGE) == (data != b"")


@pytest.mark.parametrize("more", [1, 200, 236, 300, 2000])
def test_files_of_a_commit_that_was_not_published_are_unfinished(more: int) -> None:
    log = log_of(20)
    before = dict(log.files)
    log.write(statements(more, 21))
    report = check(log.files)
    assert report.damage == ()
    assert {problem.path for problem in report.unfinished} == log.files.keys() - before.keys()
    assert report.entries == 21


def test_a_commit_cut_off_anywhere_while_it_was_written_is_unfinished() -> None:
    log = log_of(20)
    before = dict(log.files)
    log.write(statements(600, 21))
    written = [path for path in log.files if path not in before]
    bundles_first = sorted(written, key=lambda path: ("entries" not in path, path))
    for count in range(len(bundles_first)):
        files = before | {path: log.files[path] for path in bundles_first[:count]}
        assert check(files).damage == ()
        torn = bundles_first[count]
        for length in (0, 40, len(log.files[torn]) - 1):
            report = check(files | {torn: log.files[torn][:length]})
            assert report.damage == (), (torn, length)
            assert torn in {problem.path for problem in report.unfinished}


def test_a_changed_file_past_the_checkpoint_is_damage() -> None:
    log = log_of(20)
    before = dict(log.files)
    log.write(statements(600, 21))
    for path in log.files.keys() - before.keys():
        if "entries" not in path:
            changed = log.files | {path: bytes(len(log.files[path]))}
            assert damaged(changed) == {path}


def test_a_continuation_that_rewrites_the_signed_part_is_damage() -> None:
    log = log_of(20)
    before = dict(log.files)
    fork = MemoryLog(SIGNER)
    fork.commit(statements(300, 5))
    extra = {path: data for path, data in fork.files.items() if path not in before}
    report = check(before | extra)
    assert {problem.path for problem in report.damage} == extra.keys()


def test_partials_that_were_not_deleted_are_unfinished() -> None:
    log = log_of(20, 30)
    partials = dict(log.files)
    log.commit(statements(500, 52))
    report = check(partials | log.files)
    assert report.damage == ()
    assert {problem.path for problem in report.unfinished} == {
        f"tile/{folder}/000.p/{width}" for folder in ("0", "entries") for width in (21, 52)
    }


@pytest.mark.parametrize("path", ["tile/0/000.p/21", "tile/entries/000.p/21"])
def test_a_superseded_partial_with_other_content_is_damage(path: str) -> None:
    log = log_of(20)
    partial = bytearray(log.files[path])
    log.commit(statements(500, 21))
    partial[-1] ^= 1
    assert damaged(log.files | {path: bytes(partial)}) == {path}


def test_a_partial_of_a_published_size_must_stay() -> None:
    files = log_of(20, 30).files
    for path in ("tile/0/000.p/21", "tile/entries/000.p/21"):
        assert damaged({name: data for name, data in files.items() if name != path}) == {path}


def test_an_entry_longer_than_its_bundle_says_is_found() -> None:
    files = log_of(20).files
    path = "tile/entries/000.p/21"
    entries = decode_bundle(files[path])
    for changed in (entries[:-1], [*entries, b"{}"], [*entries[:-2], b"".join(entries[-2:])], entries[::-1]):
        assert damaged(files | {path: encode_bundle(changed)}) == {path}


def test_several_faults_are_all_named(large: MemoryLog) -> None:
    paths = ["tile/entries/003", "tile/0/007", "tile/0/100", "tile/entries/260"]
    files = dict(large.files)
    for path in paths:
        files[path] = files[path][:-1] + bytes([files[path][-1] ^ 1])
    assert damaged(files) == set(paths)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_change_of_any_files_is_found(data: st.DataObject) -> None:
    files = dict(_SMALL)
    for path in data.draw(st.lists(st.sampled_from(sorted(files)), min_size=1, max_size=4, unique=True)):
        new = data.draw(st.none() | st.binary(max_size=100) | st.sampled_from(sorted(_SMALL.values())))
        if new is None:
            del files[path]
        else:
            files[path] = new
    changed = {path for path in _SMALL if files.get(path) != _SMALL[path]}
    found = {problem.path for problem in check(files).problems}
    assert bool(changed) == bool(found)


_SMALL = log_of(3, 520, 8).files


def test_a_place_has_one_path() -> None:
    for level, index, width in [(0, 0, 256), (-1, 999, 1), (63, 1_234_067, 255), (1, 1000, 256)]:
        place = Place(level, index, width)
        assert place_of(place.path) == place
    assert Place(-1, 1_234_067).path == "tile/entries/x001/x234/067"
