"""Lines of a broker that are missing or changed, and the stretches that are whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from custody.chains import lines, parts
from custody.engine.duck import Cell, Engine
from custody.model.brokered import NO_LINE, Service
from tests.chains.running import committed
from tests.sources.custody_broker.writing import Log


def log_of(count: int) -> Log:
    log = Log()
    for number in range(count):
        log.add(f"10:00:{number:02d}", Service(what="policies", version=str(number)))
    return log


def read(folder: Path, *files: bytes, erased: int = 0) -> tuple[list[lines.Read], list[tuple[Cell, ...]]]:
    """What is told of each broker, and the stretches as broker, first and last line."""
    found = committed(folder, files)
    with Engine(memory_mib=200, threads=1) as engine:
        parts.define(engine, found.files, found.repeated)
        any_read = lines.build(engine)
        told = list(lines.read(engine, erased)) if any_read else []
        return told, engine.rows("SELECT broker, first, last FROM broker_stretches ORDER BY broker, first")


def changed(line: bytes) -> bytes:
    assert b'"version":"2"' in line
    return line.replace(b'"version":"2"', b'"version":"9"')


def with_a_secret(log: Log) -> bytes:
    """Line 3 holds what is masked when it is sealed: its digest is not known any more."""
    log = log_of(2)
    log.add("10:00:02", Service(what="policies", version="2", fields={"note": "password=must-not-stay"}))
    log.add("10:00:03", Service(what="policies", version="3"))
    return log.file()


def renumbered(log: Log) -> bytes:
    """Line 3 is taken out and those behind it take its number."""
    moved = (line.replace(b'"seq":%d' % (n + 1), b'"seq":%d' % n) for n, line in enumerate(log.lines[3:], 3))
    kept = [*log.lines[:2], *moved]
    return b"\n".join(kept) + b"\n"


CASES: dict[str, tuple[Callable[[Log], bytes], list[tuple[int, int]], list[str], int]] = {
    "whole": (lambda log: log.file(), [(1, 6)], [], 6),
    "any order": (lambda log: b"\n".join(reversed(log.lines)) + b"\n", [(1, 6)], [], 6),
    "one is missing": (lambda log: log.file((3,)), [(1, 2), (4, 6)], ["line 3 is not there or not"], 6),
    "two are missing": (lambda log: log.file((3, 4)), [(1, 2), (5, 6)], ["lines 3 to 4 are not there"], 6),
    "begins later": (lambda log: log.file((1, 2)), [(3, 6)], [], 4),
    "changed": (
        lambda log: b"\n".join([*log.lines[:2], changed(log.lines[2]), *log.lines[3:]]) + b"\n",
        [(1, 3), (4, 6)], ["line 3 was changed"], 6,
    ),
    "renumbered": (renumbered, [(1, 2), (3, 3), (4, 4), (5, 5)], ["line 2 was changed", "line 3 was changed"], 5),
    "spaced by a shipper": (
        lambda log: b"\n".join(line.replace(b'":', b'": ') for line in log.lines) + b"\n", [(1, 6)], [], 6,
    ),
    "begun before its first": (
        lambda log: log.file().replace(NO_LINE.encode(), b"e" * 64), [(1, 1), (2, 6)],
        ["line 1 names a line before it", "line 1 was changed"], 6,
    ),
    "masked": (with_a_secret, [(1, 4)], [], 4),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_missing_and_changed_lines(tmp_path: Path, name: str) -> None:
    write, stretches, problems, expected = CASES[name]

    told, found = read(tmp_path, write(log_of(6)))

    assert len(told) == 1
    assert (told[0].broker, told[0].expected) == ("shop-broker", expected)
    assert [(first, last) for _, first, last in found] == stretches
    said = [text for text, _ in told[0].problems]
    assert all(any(text.startswith(words) for text in said) for words in problems), said
    assert bool(said) == bool(problems)
    assert [lines.is_change(text) for text in said] == ["not to be understood" not in text for text in said]


def test_two_brokers_are_two_logs(tmp_path: Path) -> None:
    other = Log("night-broker")
    other.add("10:00:00", Service(what="started", version="1"))

    told, found = read(tmp_path, log_of(2).file(), other.file())

    assert found == [("night-broker", 1, 1), ("shop-broker", 1, 2)]
    assert [each.problems for each in told] == [(), ()]


def test_what_was_erased_is_not_missing_and_breaks_the_stretch(tmp_path: Path) -> None:
    told, found = read(tmp_path, log_of(6).file((3,)), erased=1)

    assert told[0].problems == ()
    assert told[0].expected == 5
    assert len(found) == 2


def test_without_a_broker_nothing_is_said(tmp_path: Path) -> None:
    other = b'{"specversion":"1.0","id":"1","source":"x","type":"a.b","time":"2026-03-02T10:00:00Z"}\n'

    assert read(tmp_path, other) == ([], [])
