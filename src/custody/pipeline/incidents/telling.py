"""Tells receivers of the steps that they were not told yet: in order for each incident, at least once, from the log.

A message that its receiver refuses holds back the later steps of its incident and no other; a receiver that is away
holds back all of its own. Both are tried again the next time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from custody.broker.approvals.people import Persons
from custody.errors import CustodyError, StoreLocked, UsageError
from custody.incidents.record.folding import Heard
from custody.incidents.record.weighing import People
from custody.incidents.telling.forms import Telling, in_order, tellings
from custody.incidents.telling.signals import Shown
from custody.model.incidents import Closed
from custody.model.leaf import LeafRef
from custody.pipeline.incidents.outbox import Outbox, outbox
from custody.pipeline.incidents.reading import Record, read
from custody.pipeline.incidents.receivers import Away, Edge, Receiver, Refused, Tokens, Webhook, published
from custody.settings.catalog import Settings
from custody.settings.hooks import Caep
from custody.settings.response_file import ResponseFile, read_response_file
from custody.sources.pasted_secrets import holds
from custody.store.storefile import read_store_file

ShownOf = Callable[[Telling], Shown | None]
"""What the log of a system shows of the effect of what was done."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How often a message is tried, the seconds before it is tried again at first and at most, and for one answer."""

    attempts: int = 5
    first: float = 0.5
    longest: float = 30.0
    whole: float = 60.0
    sleep: Callable[[float], None] = time.sleep


BRIEFLY = Patience(attempts=1, whole=5.0)
"""For people who wait for their command: the log has it, and it is told the next time."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one receiver: the events that it took now (``LOG:LEAF``), how many wait, and what is wrong.

    ``seen`` are those of which it was told now that their effect is seen.
    """

    receiver: str
    sent: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    waiting: int = 0
    problem: str = ""


def tell(
    settings: Settings, patience: Patience, shown: ShownOf, only: str | None = None, *, confirming: bool = False
) -> tuple[Told, ...]:
    """Tell every receiver of the response file, or one, what it was not told. UsageError where there is no such one.

    ``confirming``: look whether the effect of what was told as claimed is seen now, and tell that. What is wrong with
    one receiver keeps nothing from another.
    """
    file = file_of(settings)
    names = receivers_of(file)
    if only is not None and only not in names:
        raise UsageError("no such receiver", found=only[:40], expected=", ".join(names) or "none is named")
    if not names:
        return ()
    record, store = read(settings), read_store_file(settings.store)
    edge = edge_of(settings, file, patience)
    told = []
    for name in names:
        if only in (None, name):
            try:
                with outbox(settings.store, name, store.store) as box:
                    receiver = _receiver(settings, file, name, edge, shown)
                    found = _tell(receiver, box, record, patience)
                    told.append(_confirmed(receiver, box, record, found) if confirming else found)
            except StoreLocked:
                told.append(Told(receiver=name, problem="another process is telling it"))
            except CustodyError as error:
                told.append(Told(receiver=name, problem=str(error)))
    return tuple(told)


def file_of(settings: Settings) -> ResponseFile:
    """The response file of the settings; an empty one where there is none."""
    return ResponseFile() if settings.response is None else read_response_file(settings.response)


def receivers_of(file: ResponseFile) -> tuple[str, ...]:
    """The names of all receivers."""
    return (*(each.name for each in file.hooks), *(() if file.caep is None else ("caep",)))


def edge_of(settings: Settings, file: ResponseFile, patience: Patience) -> Edge:
    """What receivers need of the outside."""
    store = read_store_file(settings.store).store
    return Edge(
        environment=os.environ,
        folder=Path(file.folder),
        source=f"custody.local/{store}",
        store=store,
        secretive=holds,
        whole=patience.whole,
    )


def keys_of(settings: Settings) -> Mapping[str, object]:
    """The public keys of the security event tokens (RFC 7517). UsageError where the file names no receiver of any."""
    file = file_of(settings)
    now = time.time_ns() // 1000
    return msgspec.to_builtins(published(_caep(file), settings.keys, Path(file.folder), now))  # type: ignore[no-any-return]


def _caep(file: ResponseFile) -> Caep:
    if file.caep is None:
        raise UsageError("no receiver of security event tokens", expected="[caep] in the response file")
    return file.caep


def _receiver(settings: Settings, file: ResponseFile, name: str, edge: Edge, shown: ShownOf) -> Receiver:
    hook = next((each for each in file.hooks if each.name == name), None)
    return Tokens(_caep(file), settings.keys, edge, shown) if hook is None else Webhook(hook, edge)


def _tell(receiver: Receiver, box: Outbox, record: Record, patience: Patience) -> Told:
    sent: list[str] = []
    held: set[str] = set()
    problem = ""
    for telling in _tellings(record, box.pending(record)):
        incident = telling.heard.step.incident
        if incident in held:
            continue
        try:
            sure = True
            if receiver.wants(telling):
                sure = _sent(receiver, telling, patience)
                sent.append(telling.name)
            box.done(telling.heard.leaf, sure=sure)
        except Refused as error:
            held.add(incident)
            problem = problem or f"{telling.name}: {error}"
        except Away as error:
            problem = f"{telling.name}: {error}"
            break
    waiting = 0 if box.told is None else len(box.told.waiting)
    return Told(receiver=receiver.name, sent=tuple(sent), waiting=waiting, problem=problem)


def _sent(receiver: Receiver, telling: Telling, patience: Patience) -> bool:
    """Try until it is taken or refused, or patience is at its end. Whether there is nothing more to tell of it."""
    wait = patience.first
    for _ in range(patience.attempts - 1):
        try:
            return receiver.send(telling)
        except Away:
            patience.sleep(wait)
        wait = min(2 * wait, patience.longest)
    return receiver.send(telling)


def _confirmed(receiver: Receiver, box: Outbox, record: Record, told: Told) -> Told:
    """What was told as claimed and is seen by now, told once more. Where that fails it is tried the next time."""
    if told.problem:
        return told
    sent: list[str] = []
    try:
        for telling in _tellings(record, box.claimed(record)):
            if receiver.confirm(telling):
                box.done(telling.heard.leaf)
                sent.append(telling.name)
    except (Refused, Away) as error:
        return msgspec.structs.replace(told, seen=tuple(sent), problem=str(error))
    return msgspec.structs.replace(told, seen=tuple(sent))


def _tellings(record: Record, wanted: list[LeafRef]) -> list[Telling]:
    """The steps of every incident that wait, in the one order of both logs."""
    leaves = frozenset(wanted)
    every: dict[str, list[Heard]] = {}
    for each in record.heard:
        every.setdefault(each.step.incident, []).append(each)
    found: list[Telling] = []
    for name, steps in every.items():
        if any(each.leaf in leaves for each in steps):
            incident = next((each for each in record.incidents if each.id == name), None)
            people = People(persons=Persons(), groups={}) if incident is None else record.people(incident)
            overruled = {each.id: each.overruled for each in (incident.actions if incident is not None else ())}
            odd = incident.odd if incident is not None else ()
            void = {each.heard.leaf: each.why for each in odd if isinstance(each.heard.step, Closed)}
            found += tellings(steps, leaves, people, overruled, void)
    place = {each.leaf: number for number, each in enumerate(in_order(record.heard))}
    return sorted(found, key=lambda each: place[each.heard.leaf])


__all__ = ["BRIEFLY", "Patience", "Told", "keys_of", "tell"]
