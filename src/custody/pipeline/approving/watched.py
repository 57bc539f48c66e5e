"""The watch over the log of approvals of one store, put together for a broker."""

from __future__ import annotations

from pathlib import Path

from custody.broker.approvals.people import Persons
from custody.broker.approvals.watching import Lookup, Trust, Watcher
from custody.pipeline.approving.rechecking import persons, recheck
from custody.settings.broker_file import BrokerFile
from custody.store.reader import Reader


def watcher(root: Path, file: BrokerFile, requests: Lookup) -> Watcher:
    """A watcher by the broker file: its pinned key, its groups; people are those of the register as it is sealed then.

    ``requests`` gives the broker's own requests. StoreError where there is no store.
    """

    def known() -> Persons:
        with Reader.open(root) as reader:
            return persons(reader)

    trust = Trust(
        broker=file.broker, vkey=file.approvals.vkey, groups=file.approvals.groups, recheck=recheck, persons=known
    )
    return Watcher(root, trust, requests)
