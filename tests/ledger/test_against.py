"""Consistency with a checkpoint that is held elsewhere."""

import pytest

from custody.errors import LogError
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.entry import statement_entry
from custody.ledger.fsck import check_consistency
from custody.ledger.memory import MemoryLog
from custody.ledger.note import Signer

SIGNER = Signer("example.com/log", bytes(32))
NOTHING: dict[str, bytes] = {}


def statements(count: int, first: int = 0) -> list[bytes]:
    return [statement_entry("test", {"number": number}) for number in range(first, first + count)]


def log_of(count: int) -> MemoryLog:
    log = MemoryLog(SIGNER)
    log.commit(statements(count))
    return log


def test_a_log_continues_every_checkpoint_that_it_published() -> None:
    log = MemoryLog(SIGNER)
    points = [log.commit(statements(count, log.tree.size)) for count in (0, 1, 5, 254, 300, 1)]
    for point in points:
        check_consistency(log.read, point, points[-1])


def test_a_log_that_was_rolled_back_does_not_continue() -> None:
    log = log_of(20)
    old = log.commit(statements(5, 21))
    with pytest.raises(LogError, match="behind the other checkpoint"):
        check_consistency(log.read, old, Checkpoint("example.com/log", 21, bytes(32)))


def test_a_log_that_was_rewritten_does_not_continue() -> None:
    old = log_of(20).publish()
    other = MemoryLog(SIGNER)
    new = other.commit(statements(300, 1))
    with pytest.raises(LogError, match="does not continue"):
        check_consistency(other.read, old, new)
    with pytest.raises(LogError, match="does not continue"):
        check_consistency(other.read, Checkpoint(new.origin, new.size, bytes(32)), new)


def test_two_logs_are_never_consistent() -> None:
    old = log_of(20).publish()
    with pytest.raises(LogError, match="of two logs"):
        check_consistency(NOTHING.__getitem__, old, Checkpoint("example.com/other", old.size, old.root))
