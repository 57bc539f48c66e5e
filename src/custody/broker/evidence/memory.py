"""Evidence that is kept nowhere: what tests and trials use in place of a journal, with the same contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from custody.broker.clock import Clock
from custody.broker.evidence.sequence import Sequence
from custody.errors import EvidenceUnavailable
from custody.model.brokered import Body, Entry


class MemoryEvidence:
    """A list of lines. Nothing of it survives the process: it proves nothing, and no broker may serve with it.

    ``fail`` makes every later append fail, as a disk does.
    """

    def __init__(self, broker: str, clock: Clock) -> None:
        self._sequence = Sequence(broker, clock)
        self._observers: list[Callable[[Entry], None]] = []
        self._failed = False
        self.said: list[Entry] = []
        self.lines: list[bytes] = []

    async def append(self, body: Body, *, chain: str | None = None) -> Entry:
        """The entry, at once."""
        if self._failed:
            raise EvidenceUnavailable("the evidence in memory was told to fail", reason="journal-failed")
        entry, line = self._sequence.next(body, chain)
        self.said.append(entry)
        self.lines.append(line)
        for observer in self._observers:
            observer(entry)
        return entry

    def watch(self, observer: Callable[[Entry], None]) -> None:
        """Tell ``observer`` of every entry from now on."""
        self._observers.append(observer)

    def entries(self, after: int) -> Iterable[Entry]:
        """What was said with a greater ``seq``."""
        return tuple(self.said[after:])

    def fail(self) -> None:
        """From now on nothing can be sealed."""
        self._failed = True
