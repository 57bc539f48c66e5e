"""A broker that runs for one thing: it holds the journal, says what it does, and seals it before it goes.

Nothing else can write the journal meanwhile. While a broker serves, there is no such session: StoreLocked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from custody.broker.backends.backend import Backend
from custody.broker.broker import Broker
from custody.broker.clock import Clock
from custody.broker.evidence.evidence import Evidence
from custody.broker.evidence.journal import Journal
from custody.broker.evidence.standby import hold_journal
from custody.broker.running import Running
from custody.errors import EvidenceUnavailable, StoreError, StoreLocked
from custody.model.brokered import Entry
from custody.pipeline.brokering import sealed
from custody.pipeline.brokering.places import journal_folder
from custody.pipeline.brokering.sealing import Sealer
from custody.settings.broker_file import BrokerFile
from custody.settings.catalog import Settings
from custody.store.lock import Lock
from custody.store.reader import Reader


class Late(Protocol):
    """Evidence that is given its journal late."""

    def open(self, journal: Evidence) -> None:
        """From here on the journal takes everything."""
        ...


class Parts(Protocol):
    """What a session needs of a broker that was put together (``serve.composing.Composed``)."""

    @property
    def file(self) -> BrokerFile: ...  # noqa: D102  # plain parts

    @property
    def settings(self) -> Settings: ...  # noqa: D102

    @property
    def clock(self) -> Clock: ...  # noqa: D102

    @property
    def evidence(self) -> Late: ...  # noqa: D102

    @property
    def backends(self) -> Mapping[str, Backend]: ...  # noqa: D102

    @property
    def broker(self) -> Broker: ...  # noqa: D102


@asynccontextmanager
async def session(parts: Parts) -> AsyncIterator[Running]:
    """The broker while nobody else is one. StoreLocked where one runs.

    At the end, however it comes, everything that was said is sealed in the store: StoreError where that fails; the
    journal has it, and the next broker seals it.
    """
    settings, name = parts.settings, parts.file.broker
    lock = _alone(parts)
    with _journal(settings, name, parts.clock, lock) as journal:
        parts.evidence.open(journal)
        broker = parts.broker
        await broker.start()
        try:
            yield broker.running
        finally:
            with suppress(EvidenceUnavailable, StoreError):  # what can be sealed is, whatever else failed
                await broker.stop()
            await journal.roll()
            await asyncio.to_thread(Sealer(settings, name).seal, journal.closed())


def _alone(parts: Parts) -> Lock:
    try:
        return hold_journal(journal_folder(parts.settings.store))
    except StoreLocked as error:
        raise StoreLocked(
            "a broker is running, and it alone may write its log",
            where=str(journal_folder(parts.settings.store)),
            found=error.found,
            advice="Stop the broker (and those that stand by) for as long as this takes.",
        ) from None


def _journal(settings: Settings, name: str, clock: Clock, lock: Lock) -> Journal:
    def earlier(after: int) -> list[Entry]:
        with Reader.open(settings.store) as reader:
            return list(sealed.entries(reader, name, after))

    try:
        with Reader.open(settings.store) as reader:
            known = sealed.through(reader, name)
    except BaseException:
        lock.release()
        raise
    folder = journal_folder(settings.store)
    return Journal.open(folder, broker=name, clock=clock, lock=lock, known=known, earlier=earlier)
