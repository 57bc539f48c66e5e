"""The derived tables anew, from nothing but the sealed records."""

from __future__ import annotations

import msgspec

from custody import __version__
from custody.model.contracts import Versions
from custody.model.report import Report, Run
from custody.pipeline import contracts, refresh
from custody.pipeline.audit import Observer, Progress, now
from custody.pipeline.reread import reread
from custody.settings.catalog import Settings
from custody.store.history import Closed
from custody.store.reader import Reader
from custody.store.storefile import read_store_file
from custody.store.writer import Writer


def rebuild(settings: Settings, observer: Observer) -> Report:
    """Read every sealed record again, make the chains, judge them, and publish the tables."""
    contracts.given(settings)
    read_store_file(settings.store)  # opening for writing would make one
    with Writer.open(settings.store, settings.keys, now=now(), version=__version__) as writer:
        versions, notes = contracts.in_force(writer, settings, now())
        report = anew(writer, settings, versions, observer)
    return msgspec.structs.replace(report, checkpoint=refresh.sealed(settings), run=Run(derived="rebuilt", notes=notes))


def anew(writer: Writer, settings: Settings, versions: Versions, observer: Observer) -> Report:
    """The same under a lock that is held already, judged by ``versions``."""
    progress = Progress(stage="rebuilding")
    folder = writer.fresh_derived()
    with Reader.open(settings.store) as reader:
        progress.files = len(reader.segments())

        def done(closed: Closed) -> None:
            progress.done += 1
            progress.records += closed.end - closed.first
            observer(progress)

        parts = reread(reader, folder, done)
    progress.stage = "joining"
    observer(progress)
    return refresh.publish(writer, settings, versions, folder, parts)
