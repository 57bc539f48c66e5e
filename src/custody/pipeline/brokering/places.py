"""Where a broker keeps its own files: beside the store, never in it."""

from __future__ import annotations

from pathlib import Path

from custody.model.brokered import SOURCE
from custody.readers.unpack import shown

JOURNAL = "journal"
PUSHED = "intake"
"""What the names of pushed files begin with in the log, so that none can pass for the broker's own."""


def broker_folder(store: Path) -> Path:
    """The folder of a broker's journal, tables and spool: ``<store>-broker`` beside the store.

    A store holds only what its log accounts for; ``custody verify`` calls any other file damage.
    """
    return store.with_name(f"{store.name}-broker")


def journal_folder(store: Path) -> Path:
    """The folder of the journal."""
    return broker_folder(store) / JOURNAL


def epoch_name(broker: str, path: Path) -> str:
    """What an epoch is named in the log: the same wherever the journal lies."""
    return f"{epoch_folder(broker)}{path.name}"


def epoch_folder(broker: str) -> str:
    """What the names of a broker's epochs begin with."""
    return f"{SOURCE}/{broker}/"


def pushed_name(name: str) -> str:
    """What a pushed file is named in the log."""
    return shown(f"{PUSHED}/{name}".encode("utf-8", "backslashreplace"))
