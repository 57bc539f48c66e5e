"""Journals and stores for the tests of sealing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from custody.broker.evidence.epochs import Epoch
from custody.broker.evidence.journal import Journal
from custody.pipeline.brokering.places import journal_folder
from custody.settings.catalog import Settings
from custody.settings.options import resolve
from custody.store.keyring import read_last_signed
from custody.store.reader import Reader
from custody.store.verification import verify
from tests.broker.evidence.said import Clock, service

BROKER = "test"


def settings_for(folder: Path) -> Settings:
    flags = {"store": str(folder / "store"), "keys": str(folder / "keys"), "jobs": "1"}
    return resolve(flags, {}, None, home=folder, cwd=folder, cores=2)


def journal_of(settings: Settings) -> Journal:
    return Journal.open(journal_folder(settings.store), broker=BROKER, clock=Clock())


def fill(settings: Settings, *groups: int) -> tuple[Epoch, ...]:
    """Append an epoch a group; gives every closed epoch that is there."""

    async def run(journal: Journal) -> None:
        for count in groups:
            await asyncio.gather(*(journal.append(service(number)) for number in range(count)))
            await journal.roll()

    with journal_of(settings) as journal:
        asyncio.run(run(journal))
        return journal.closed()


def check_store(settings: Settings) -> None:
    """``verify`` has nothing to say about the store."""
    with Reader.open(settings.store) as reader:
        note = read_last_signed(settings.keys / reader.store.store)
    assert verify(settings.store, last_signed=note).problems == ()
