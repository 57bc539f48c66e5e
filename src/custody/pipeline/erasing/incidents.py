"""The hold that an incident is: its records stay while it is open, and for years after it was closed.

Nothing is sealed for it. The hold is worked out from the sealed steps each time that something is to be erased: what
was opened is held from that statement on, with no second one that a crash, or a person, could leave out; whatever is
added to the incident later, by hand or by new records, is held by being in it; and no command can release it. Opening
an incident and erasing take the same lock, so that one is wholly before the other.

An open incident holds the records that its steps cite, and every record of the credentials and names that it reaches.
A closed one holds them for as long as the response file that it was opened under says (``limits.keep``), else for
``KEEP``, from the last that anybody said of it. Unsure is kept: what cannot be read or worked out stops every erasure,
and where the incident reaches more than can be listed everything is held.

The steps themselves are statements of the two logs, and those are never erased.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from custody.chains.spellings import canonical
from custody.errors import NotFound, StoreError, UsageError
from custody.incidents.record.folding import Heard, Incident, incidents
from custody.incidents.record.response import STATEMENT as RESPONSE
from custody.incidents.scope.reaching import scope
from custody.model.incidents import STEP, Asked, Claimed, Closed, Opened, Seed, SeedKind, Step, Widened, step_of
from custody.model.leaf import LeafRef
from custody.model.times import microseconds, text
from custody.packs import documents
from custody.pipeline import sealed_text
from custody.pipeline.approvals import LOG as DECISIONS
from custody.pipeline.approvals import Log, everything
from custody.pipeline.audit import now
from custody.pipeline.erasing.hold import INCIDENT, Hold, Holds, Scope, holds
from custody.pipeline.incidents.judging import grounds_of
from custody.pipeline.tables import answers, current_report
from custody.settings.catalog import Settings
from custody.store.history import Said
from custody.store.reader import Reader

SECOND = 1_000_000
KEEP = 2_557 * 86_400
"""Seconds that records are held after the end of an incident whose response file does not say: seven years."""

NAMES = """
    SELECT n.name FROM identity_names n WHERE n.identity IN (
        SELECT i.identity FROM identity_names i WHERE i.name IN (SELECT unnest(?)) OR i.identity IN (SELECT unnest(?)))
"""
"""All names of the identities that are named."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What an incident reaches: credentials, names, and leaves beside theirs. ``cut_off``: there is more than this."""

    keys: frozenset[str]
    names: frozenset[str]
    leaves: frozenset[int]
    cut_off: bool


def every(reader: Reader, moment: int) -> Holds:
    """Every hold at ``moment`` (µs): those that were made, then those that incidents are.

    StoreError where a step cannot be read.
    """
    said = _told(reader)
    heard = tuple(_heard(said))
    void, decided = _weighed(reader, heard)
    kept = [_hold(each, _ends(each, (*heard, *decided), said), moment) for each in incidents(heard, void)]
    return Holds(holds=(*holds(reader).holds, *sorted(kept, key=lambda each: each.leaf)))


def listed(settings: Settings) -> Holds:
    """Every hold of the store, as an erasure would find it now: as of the clock, or of the records if they end before.

    A clock that is ahead does not end a hold.
    """
    moments = [microseconds(now()) or 0]
    with Reader.open(settings.store) as reader:
        with suppress(NotFound):
            moments.append(microseconds(current_report(reader, settings.store)[0].as_of) or moments[0])
        return every(reader, min(moments))


def reached(settings: Settings, hold: Hold, moment: int) -> Reach:
    """What the incident that is ``hold`` reaches by the derived tables, as of ``moment`` (µs).

    A seed that means nothing yet stops nothing: its name is looked for in the records all the same. The identity of a
    credential that was only reached is not held with all its other credentials; one that somebody named is.
    """
    with answers(settings) as tables:
        found = scope(grounds_of(tables, moment), hold.seeds)
        known = {str(name) for (name,) in tables.engine.rows(NAMES, [list(hold.named)] * 2)}
    names = {*hold.named, *map(canonical, hold.named), *known, *found.runs}
    return Reach(
        keys=frozenset(each.key for each in found.credentials),
        names=frozenset({*names, *(name for each in found.credentials for name in each.aliases)}),
        leaves=frozenset(leaf.index for leaf in documents.cited(msgspec.to_builtins(found))),
        cut_off=found.cut_off,
    )


def _told(reader: Reader) -> Log:
    """The statements that are looked at, taken out once: a log can have very many others."""
    wanted = {STEP, RESPONSE}
    wanted |= {f"{each}-part" for each in wanted}
    return Log(tuple(said for said in reader.history().said if said.entry.what in wanted))


def _heard(log: Log) -> Iterator[Heard]:
    """The steps of the operations log. Who signed them does not matter here: what anybody said holds."""
    for said in log.statements(STEP):
        data = sealed_text.read(log, said)
        step = step_of(data)
        if step is None:
            raise StoreError(
                "a step of an incident cannot be read, so nobody can say what it holds",
                where=f"operations:{said.leaf}",
                advice="Use the version of custody that sealed it.",
            )
        yield Heard(
            leaf=LeafRef(documents.LOG, said.leaf),
            at=_at(said),
            by=str(said.entry.fields.get("by")),
            step=step,
            digest=sealed_text.digest(data),
        )


def _weighed(reader: Reader, heard: Iterable[Heard]) -> tuple[dict[LeafRef, str], tuple[Heard, ...]]:
    """Closes that end nothing, as everything else that reads incidents finds them, and the decisions of both.

    Such a close starts no clock. Where the policies cannot be asked (without the extra) that is every close: unsure is
    kept. The log of approvals is read only where something was closed.
    """
    closes = {each.leaf for each in heard if isinstance(each.step, Closed)}
    if not closes:
        return {}, ()
    try:
        from custody.pipeline.incidents.reading import record_of  # decides again by Cedar, which is an extra
    except UsageError:
        return dict.fromkeys(closes, "nobody can say whether the policies let its author close it"), ()
    record = record_of(reader, everything(reader.root))
    counted = {each.closed.leaf for each in record.incidents if each.closed is not None}
    decided = tuple(each for each in record.heard if each.leaf.log == DECISIONS)
    return dict.fromkeys(closes - counted, "it ends nothing"), decided


def _at(said: Said) -> int:
    """When it was sealed (µs), by the clock of that machine; 0 where that cannot be read."""
    try:
        return microseconds(str(said.entry.fields.get("at"))) or 0
    except (ValueError, OverflowError):
        return 0


def _hold(incident: Incident, until: int | None, moment: int) -> Hold:
    """The hold that an incident is; over where ``until`` (µs, None: open) is before ``moment``."""
    opening, steps = incident.opening, _steps(incident)
    over = until is not None and until <= moment
    leaves = sorted({leaf.index for step in steps for leaf in _cites(step) if leaf.log == documents.LOG})
    return Hold(
        name=f"{INCIDENT}{incident.id}",
        leaf=incident.opened.leaf.index,
        scope=Scope(leaves=tuple((leaf, leaf + 1) for leaf in leaves)),
        reason=opening.title,
        owner=None,
        by=incident.opened.by,
        at=str(text(incident.opened.at)),
        released=text(until) if over else None,
        release_leaf=incident.closed.leaf.index if over and incident.closed is not None else None,
        release_reason="the time that records of a closed incident are held has passed" if over else None,
        incident=incident.id,
        seeds=tuple(dict.fromkeys(seed for step in steps for seed in _seeds(step))),
        until=text(until),
    )


def _steps(incident: Incident) -> list[Step]:
    """What anybody said of it, whether it counted or not: a record that somebody pointed at stays."""
    return [each.step for each in (*incident.heard, *(odd.heard for odd in incident.odd))]


def _cites(step: Step) -> Iterable[LeafRef]:
    return documents.cited(msgspec.to_builtins(step))


def _seeds(step: Step) -> Iterator[Seed]:
    """What a step names: what the scope grows from, what is acted on, whose checklist it is."""
    match step:
        case Opened(seeds=seeds) | Widened(seeds=seeds):
            yield from seeds
        case Asked(targets=targets):
            yield from (Seed(kind=SeedKind.IDENTITY, value=target) for target in targets)
        case Claimed(identity=identity):
            yield Seed(kind=SeedKind.IDENTITY, value=identity)
        case _:
            pass


def _ends(incident: Incident, heard: Iterable[Heard], log: Log) -> int | None:
    """When the hold ends (µs), None while the incident is open.

    The time runs from the last that anybody said of it by any clock that sealed it, so that a wrong one does not
    shorten it.
    """
    if incident.closed is None:
        return None
    last = max(each.at for each in heard if each.step.incident == incident.id)
    return last + _keep(incident, log) * SECOND if last else None


def _keep(incident: Incident, log: Log) -> int:
    """Seconds that the response file of the incident asks for."""
    digest = incident.opening.response
    if digest is None:
        return KEEP
    for said in reversed(log.statements(RESPONSE)):
        if said.entry.fields.get("sha256") == digest:
            found = msgspec.json.decode(sealed_text.read(log, said), type=_Response)
            return KEEP if found.limits.keep is None else found.limits.keep
    return KEEP


class _Limits(msgspec.Struct, frozen=True):
    keep: int | None = None


class _Response(msgspec.Struct, frozen=True):
    limits: _Limits = _Limits()
