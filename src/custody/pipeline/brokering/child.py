"""The process that seals: what it is told, what it answers, and what it does."""

from __future__ import annotations

import gc
import os
import time
from multiprocessing.connection import Connection

import msgspec

from custody.broker.evidence.epochs import Epoch
from custody.errors import CustodyError
from custody.pipeline.brokering.sealing import Answer, Pushed, Sealer
from custody.pipeline.workers import die_with
from custody.settings.catalog import Settings

NICE = 5
"""How far the sealing steps back behind the broker, where the processors do not do for both."""


class Seal(msgspec.Struct, frozen=True):
    """Seal these."""

    epochs: tuple[Epoch, ...]
    files: tuple[Pushed, ...]


class Derive(msgspec.Struct, frozen=True):
    """Bring the tables up to date."""


class Sealed(msgspec.Struct, frozen=True):
    """They are sealed; what became of each file, in order."""

    answers: tuple[Answer, ...]


class Derived(msgspec.Struct, frozen=True):
    """The tables are up to date; it took so many seconds."""

    done: str
    seconds: float


Order = Seal | Derive
Reply = Sealed | Derived | CustodyError
"""A CustodyError: nothing of the order is promised; the same order may be given again."""


def serve(connection: Connection, settings: Settings, broker: str, wait: float, parent: int) -> None:
    """Do what comes over ``connection`` until it is closed. Ends with its parent, however that ends."""
    die_with(parent)
    os.nice(NICE)
    sealer = Sealer(settings, broker, wait=wait)
    while True:
        try:
            order = connection.recv()
        except (EOFError, OSError):
            return
        try:
            reply = _do(sealer, order)
        except CustodyError as error:
            reply = error
        try:
            connection.send(reply)
        except OSError:
            return
        gc.collect()  # between orders nobody waits


def _do(sealer: Sealer, order: Order) -> Reply:
    if isinstance(order, Seal):
        return Sealed(sealer.seal(order.epochs, order.files))
    started = time.monotonic()
    return Derived(sealer.derive(), time.monotonic() - started)
