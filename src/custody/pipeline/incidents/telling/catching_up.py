"""Tells receivers of the steps that they were not told yet: in order for each incident, at least once, from the log.

A message that its receiver refuses holds back the later steps of its incident and no other, until it was refused so
often that it is set aside; a receiver that is away holds back all of its own, and is left alone for a while. Both are
tried again the next time. One process at a time tells a receiver (the lock of its outbox), and reads how far it was
told only then: two tellers take turns, and tell nothing twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
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
from custody.model.times import text
from custody.pipeline.incidents.reading import Record, read
from custody.pipeline.incidents.telling.outbox import Outbox, Trouble, outbox
from custody.pipeline.incidents.telling.receivers import Away, Edge, Receiver, Refused, Tokens, Webhook, published
from custody.settings.catalog import Settings
from custody.settings.hooks import CAEP, Caep
from custody.settings.response_file import ResponseFile, read_response_file
from custody.sources.pasted_secrets import holds
from custody.store.storefile import read_store_file

ShownOf = Callable[[Telling], Shown | None]
"""What the log of a system shows of the effect of what was done."""


def unseen(_: Telling) -> Shown | None:
    """Nobody looked: then nothing is shown, and what was done is told as claimed."""
    return None


def _never() -> bool:
    return False


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How often a message is tried, the seconds before it is tried again at first and at most, and for one answer.

    ``turn`` is how many seconds one receiver may take before the next one has its turn. ``heeds``: a receiver that is
    away is left alone while it rests. ``over`` says that all of it is to end.
    """

    attempts: int = 5
    first: float = 0.5
    longest: float = 30.0
    whole: float = 60.0
    turn: float = float("inf")
    heeds: bool = False
    sleep: Callable[[float], None] = time.sleep
    over: Callable[[], bool] = _never


BRIEFLY = Patience(attempts=1, whole=5.0, turn=5.0, heeds=True)
"""For people who wait for their command: the log has it, and it is told the next time."""


class Untaken(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step that a receiver did not take: how often it was tried, when first, last and next (RFC 3339), and why."""

    step: str
    times: int
    first: str
    last: str
    why: str
    next: str | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one receiver: the events that it took now (``LOG:LEAF``), how many wait, and what is wrong.

    ``seen`` are those of which it was told now that their effect is seen, ``claimed`` counts those of which it was not
    told that yet. ``away`` is since when it takes nothing,
    ``refused`` what it refuses (each holds back its incident), ``aside`` what it refused so often that it is not sent
    any more (``tell --again`` does).
    """

    receiver: str
    sent: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    waiting: int = 0
    claimed: int = 0
    problem: str = ""
    advice: str = ""
    away: Untaken | None = None
    refused: tuple[Untaken, ...] = ()
    aside: tuple[Untaken, ...] = ()


def tell(
    settings: Settings,
    patience: Patience,
    shown: ShownOf,
    only: str | None = None,
    *,
    confirming: bool = False,
    again: bool = False,
    serving: bool = False,
) -> tuple[Told, ...]:
    """Tell every receiver of the response file, or one, what it was not told. UsageError where there is no such one.

    ``confirming``: look whether the effect of what was told as claimed is seen now, and tell that. ``again``: what was
    set aside, too. ``serving``: only those that the service is to tell. What is wrong with one receiver keeps nothing
    from another.
    """
    file = file_of(settings)
    names = receivers_of(file, serving=serving)
    if only is not None and only not in names:
        raise UsageError("no such receiver", found=only[:40], expected=", ".join(names) or "none is named")
    if not names:
        return ()
    turn = _Turn(settings, file, patience, shown, confirming=confirming, again=again)
    return tuple(turn.of(name) for name in names if only in (None, name) and not patience.over())


def file_of(settings: Settings) -> ResponseFile:
    """The response file of the settings; an empty one where there is none."""
    return ResponseFile() if settings.response is None else read_response_file(settings.response)


def receivers_of(file: ResponseFile, *, serving: bool = False) -> tuple[str, ...]:
    """The names of all receivers; ``serving``: of those that the service is to tell."""
    hooks = [each.name for each in file.hooks if each.served or not serving]
    caep = file.caep is not None and (file.caep.served or not serving)
    return (*hooks, *((CAEP,) if caep else ()))


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


class _Turn:
    """One turn for each receiver, over one reading of both logs as long as nobody else was further."""

    def __init__(
        self, settings: Settings, file: ResponseFile, patience: Patience, shown: ShownOf, *,
        confirming: bool, again: bool,
    ) -> None:  # fmt: skip
        self._settings, self._file, self._patience, self._shown = settings, file, patience, shown
        self._confirming, self._again = confirming, again
        self._store = read_store_file(settings.store).store
        self._edge = edge_of(settings, file, patience)
        self._record: Record | None = None

    def of(self, name: str) -> Told:
        """Tell one receiver; whatever is wrong with it is said in the answer."""
        try:
            with outbox(self._settings.store, name, self._store) as box:
                return self._with(name, box)
        except StoreLocked as error:
            who = f" ({error.found})" if error.found else ""
            advice = "Wait until it has ended, or let it go on: what is sealed meanwhile is told by it, too."
            return Told(receiver=name, problem=f"another process is telling it{who}", advice=advice)
        except CustodyError as error:
            return Told(receiver=name, problem=str(error), advice=error.advice)

    def _with(self, name: str, box: Outbox) -> Told:
        """The outbox is ours: from here on nobody else tells this receiver."""
        if self._again:
            box.take_up()
        now = self._edge.now()
        if self._patience.heeds and box.rests(now) and box.told is not None and box.told.away is not None:
            return _seen_of(Told(receiver=name, problem=f"away: {box.told.away.why}"), box)
        pending = box.pending(self._read(box))
        try:
            hook = next((each for each in self._file.hooks if each.name == name), None)
            receiver: Receiver = (
                Tokens(_caep(self._file), self._settings.keys, self._edge, self._shown)
                if hook is None
                else Webhook(hook, self._edge)
            )
        except CustodyError as error:
            return _seen_of(Told(receiver=name, problem=str(error), advice=error.advice), box)
        assert self._record is not None
        found = _tell(receiver, box, _tellings(self._record, pending), self._patience, self._edge.now)
        if self._confirming:
            found = _confirmed(receiver, box, self._record, found)
        return _seen_of(found, box)

    def _read(self, box: Outbox) -> Record:
        if self._record is None or box.is_behind(self._record):
            self._record = read(self._settings)
        return self._record


def _seen_of(told: Told, box: Outbox) -> Told:
    """What the outbox says of it, besides."""
    if box.told is None:
        return told
    away, aside = box.told.away, tuple(map(_untaken, box.told.aside))
    problem = told.problem
    if aside and not problem:
        problem = f"{aside[0].step} was refused {aside[0].times} times, and is set aside: {aside[0].why}"
        told = msgspec.structs.replace(told, advice="`custody incident tell --again` sends what was set aside.")
    return msgspec.structs.replace(
        told,
        problem=problem,
        waiting=len(box.told.waiting),
        claimed=len(box.told.claimed),
        away=None if away is None else _untaken(away),
        refused=tuple(map(_untaken, box.told.refused)),
        aside=aside,
    )


def _untaken(trouble: Trouble) -> Untaken:
    first, last, after = (text(each // 1_000_000 * 1_000_000) for each in (trouble.first, trouble.last, trouble.rests))
    return Untaken(
        step=trouble.step,
        times=trouble.times,
        first=first or "",
        last=last or "",
        why=trouble.why,
        next=after if trouble.rests else None,
    )


def _tell(
    receiver: Receiver, box: Outbox, every: Sequence[Telling], patience: Patience, now: Callable[[], int]
) -> Told:
    sent: list[str] = []
    held: set[str] = set()
    problem = advice = ""
    until = time.monotonic() + patience.turn
    for telling in every:
        incident = telling.heard.step.incident
        if incident in held:
            continue
        if patience.over() or time.monotonic() > until:
            break
        try:
            sure = True
            if receiver.wants(telling):
                sure = _sent(receiver, telling, patience)
                sent.append(telling.name)
            box.done(telling.heard.leaf, sure=sure)
        except Refused as error:
            if not box.refuse(telling.heard.leaf, str(error), now()):
                held.add(incident)
            problem = problem or f"{telling.name}: {error}"
        except Away as error:
            box.gone(telling.heard.leaf, str(error), now(), error.after)
            problem, advice = f"{telling.name}: {error}", error.advice
            break
    return Told(receiver=receiver.name, sent=tuple(sent), problem=problem, advice=advice)


def _sent(receiver: Receiver, telling: Telling, patience: Patience) -> bool:
    """Try until it is taken or refused, or patience is at its end. Whether there is nothing more to tell of it."""
    wait = patience.first
    for _ in range(patience.attempts - 1):
        try:
            return receiver.send(telling)
        except Away as error:
            if error.lasting:
                raise
            patience.sleep(max(wait, min(error.after, patience.longest)))
        wait = min(2 * wait, patience.longest)
    return receiver.send(telling)


def _confirmed(receiver: Receiver, box: Outbox, record: Record, told: Told) -> Told:
    """What was told as claimed and is seen by now, told once more. Where that fails it is tried the next time.

    What is refused keeps nothing else from being told; a receiver that is away is told nothing more.
    """
    if told.problem:
        return told
    sent: list[str] = []
    problem = advice = ""
    for telling in _tellings(record, box.claimed(record)):
        try:
            if receiver.confirm(telling):
                box.done(telling.heard.leaf)
                sent.append(telling.name)
        except (Refused, Away) as error:
            problem, advice = problem or f"{telling.name}: {error}", advice or error.advice
            if isinstance(error, Away):
                break
    return msgspec.structs.replace(told, seen=tuple(sent), problem=problem, advice=advice)


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


__all__ = ["BRIEFLY", "Patience", "Told", "Untaken", "keys_of", "tell", "unseen"]
