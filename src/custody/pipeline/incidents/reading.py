"""Incidents, from the statements of both logs and nothing else: each signature is checked again.

Names are those that the allowed-signers file gives which was sealed when the incident was opened, whatever file was
handed over with a signature later: nobody becomes somebody else by a file of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from custody.broker.approvals.people import Persons
from custody.errors import CustodyError, NotFound, UsageError
from custody.incidents.record.ending import cannot_end
from custody.incidents.record.folding import Heard, Incident, incidents
from custody.incidents.record.response import STATEMENT, Response, response_of
from custody.incidents.record.times import readable, whole
from custody.incidents.record.weighing import People, precedes, weighed
from custody.ledger import allowed_signers
from custody.ledger.allowed_signers import AllowedSigners
from custody.model.incidents import (
    DECISION,
    DECISION_NAMESPACE,
    STEP,
    STEP_NAMESPACE,
    Asked,
    Closed,
    Opened,
    Step,
    step_of,
)
from custody.model.leaf import LeafRef
from custody.model.register import Signature
from custody.model.times import microseconds
from custody.pipeline import approvals, sealed_text, signatures
from custody.pipeline.approvals import Log
from custody.pipeline.approving.rechecking import is_person
from custody.pipeline.incidents.sightings import Sightings
from custody.pipeline.registering import documents
from custody.settings.catalog import Settings
from custody.store.layout import APPROVALS, LOG
from custody.store.reader import Reader

try:
    from custody.incidents.record.rechecking import rechecked, void_close
except ImportError as error:
    if error.name != "cedarpy":
        raise
    raise UsageError("incidents need the extra broker", advice="pip install 'custody[broker]'") from None

OPERATIONS = "operations"

Parties = tuple[tuple[str, ...], ...]
"""The names of each person."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is sealed of incidents. ``incidents`` are weighed, by id.

    ``responses`` are the sealed response files by their SHA-256. ``unread`` are statements of steps that hold none.
    ``parties`` are the names of each person, as any version of the register had them. ``size`` is that of the
    operations log, ``log`` its origin.
    """

    incidents: tuple[Incident, ...]
    heard: tuple[Heard, ...]
    responses: Mapping[str, Response]
    parties: Parties
    size: int
    log: str
    unread: tuple[LeafRef, ...] = ()

    def one(self, name: str) -> Incident:
        """The incident with an id. NotFound with the ids that there are."""
        found = next((each for each in self.incidents if each.id == name), None)
        if found is None:
            known = ", ".join(each.id for each in self.incidents[:20]) or "none: nothing was opened"
            raise NotFound("no such incident", where=name[:60], expected=known)
        return found

    def of_action(self, name: str) -> Incident:
        """The incident that an action belongs to. NotFound; UsageError where several have one of that id."""
        found = [each for each in self.incidents if each.action(name) is not None]
        if len(found) > 1:
            raise UsageError("several incidents have an action of this id", where=name[:60])
        if not found:
            raise NotFound("no such action was asked for", where=name[:60], advice="`custody incident list` shows all.")
        return found[0]

    def response(self, incident: Incident) -> Response:
        """The response file that was sealed when an incident was opened; without one nobody is in any group."""
        return _response(self.responses, incident.opening)

    def people(self, incident: Incident) -> People:
        """Who is who in an incident."""
        return _people(self.response(incident), self.parties)


def one(settings: Settings, name: str, known_at: int | None = None) -> Incident:
    """An incident, weighed; with ``known_at`` (µs) as it was known then. NotFound where there is none."""
    return read(settings, known_at).one(name)


def every(settings: Settings, known_at: int | None = None) -> tuple[Incident, ...]:
    """Every incident, by id, weighed."""
    return read(settings, known_at).incidents


def read(settings: Settings, known_at: int | None = None) -> Record:
    """What both logs of a store hold now, or held at ``known_at`` (µs)."""
    with Reader.open(settings.store) as reader:
        return record_of(reader, approvals.everything(settings.store), known_at)


def record_of(reader: Reader, log: Log, known_at: int | None = None) -> Record:
    """The same over logs that are read already."""
    saw = Sightings(reader.root, APPROVALS), Sightings(reader.root, LOG)
    told = [*_told(reader, OPERATIONS, STEP, saw[0]), *_told(log, approvals.LOG, DECISION, saw[1])]
    found = [each for each in told if isinstance(each, _Told) and (known_at is None or each.at <= known_at)]
    responses = _responses(reader)
    opened = _openings(found)
    pinned = _pinned(opened, responses)
    heard = tuple(_heard(each, pinned.get(each.step.incident)) for each in found)
    parties, broken = _parties(reader, known_at)
    void = _elsewhere(heard, reader.checkpoint().origin)
    void |= _void(heard, responses, parties, void)
    whole = (_judged(each, _response(responses, each.opening), parties) for each in incidents(heard, void))
    return Record(
        incidents=tuple(whole),
        heard=heard,
        responses=responses,
        parties=parties,
        size=reader.size,
        log=reader.checkpoint().origin,
        unread=(*(each for each in told if isinstance(each, LeafRef)), *broken),
    )


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed step before anybody looked who signed it."""

    leaf: LeafRef
    at: int
    by: str
    step: Step
    data: bytes
    fields: Mapping[str, object]
    seen: int | None


def _told(reader: Reader | Log, name: str, what: str, saw: Sightings) -> Iterator[_Told | LeafRef]:
    """Each statement of a kind; its leaf alone where it holds no step, or one with a time that is none."""
    for said in reader.statements(what):
        leaf, fields = LeafRef(name, said.leaf), said.entry.fields
        try:
            data = sealed_text.read(reader, said, name)
        except CustodyError:
            yield leaf
            continue
        step, written = step_of(data), fields.get("at")
        at = microseconds(str(written)) if readable(written) else None
        if step is None or at is None or not whole(step):
            yield leaf
            continue
        seen = saw.of(fields.get(OPERATIONS if name == approvals.LOG else approvals.LOG))
        yield _Told(leaf=leaf, at=at, by=str(fields.get("by")), step=step, data=data, fields=fields, seen=seen)


def _heard(told: _Told, pinned: AllowedSigners | None) -> Heard:
    return Heard(
        leaf=told.leaf,
        at=told.at,
        by=told.by,
        step=told.step,
        digest=sealed_text.digest(told.data),
        signature=_signature(told, pinned),
        seen=told.seen,
    )


def _signature(told: _Told, pinned: AllowedSigners | None) -> Signature | None:
    """Who signed, by SSH and the pinned signers alone: where there are none nobody can show who they are."""
    namespace = DECISION_NAMESPACE if told.leaf.log == approvals.LOG else STEP_NAMESPACE
    armored = told.fields.get("signature")
    if pinned is None or not isinstance(armored, str):
        return None
    try:
        return _verified(told.data, armored.encode(), namespace, pinned, told.at)
    except (CustodyError, ValueError):
        return None


def _openings(told: Iterable[_Told]) -> dict[str, Opened]:
    """The first opening of each incident."""
    found: dict[str, Opened] = {}
    for each in told:
        if isinstance(each.step, Opened) and each.leaf.log == OPERATIONS:
            found.setdefault(each.step.incident, each.step)
    return found


def _pinned(opened: Mapping[str, Opened], responses: Mapping[str, Response]) -> dict[str, AllowedSigners]:
    """The allowed signers of each incident: those of the response file that its first opening names."""
    signers = {name: signers_of(_response(responses, each)) for name, each in opened.items()}
    return {name: each for name, each in signers.items() if each is not None}


def _elsewhere(heard: Iterable[Heard], log: str) -> dict[LeafRef, str]:
    """Requests that were asked for in another log, and brought here with their signatures."""
    asked = ((each.leaf, each.step.log) for each in heard if isinstance(each.step, Asked))
    return {leaf: "it was asked for in another log" for leaf, origin in asked if origin not in (log, msgspec.UNSET)}


def _void(
    heard: Sequence[Heard], responses: Mapping[str, Response], parties: Parties, void: Mapping[LeafRef, str]
) -> dict[LeafRef, str]:
    """Why closes end nothing: decided again, as every request is, and held against the steps as they stood then."""
    found = dict(void)
    for each in heard:
        if isinstance(each.step, Closed) and each.leaf.log == OPERATIONS:
            for then in incidents(_before(each, heard), found):
                response = _response(responses, then.opening)
                why = void_close(then.opened, each, response) or cannot_end(_judged(then, response, parties), each)
                found |= {each.leaf: why} if why else {}
    return found


def _before(close: Heard, heard: Iterable[Heard]) -> Iterator[Heard]:
    """The steps of its incident that surely stood when a close was sealed."""
    for each in (each for each in heard if each.step.incident == close.step.incident):
        if each.leaf.index < close.leaf.index if each.leaf.log == OPERATIONS else precedes(each, close):
            yield each


def signers_of(response: Response) -> AllowedSigners | None:
    """The allowed signers of a response file, None where it has none that can be read."""
    return None if response.signers is None else _parsed(response.signers)


@lru_cache(maxsize=64)
def _parsed(signers: str) -> AllowedSigners | None:
    try:
        return allowed_signers.parse(signers.encode(), STATEMENT)
    except CustodyError:
        return None


_verified = lru_cache(maxsize=4096)(signatures.verified)
"""Everything is read several times by one command, and a signature that holds holds."""


def _responses(reader: Reader) -> dict[str, Response]:
    found = {}
    for said in reader.statements(STATEMENT):
        try:
            response = response_of(sealed_text.read(reader, said))
        except CustodyError:
            continue
        if response is not None:
            found[str(said.entry.fields.get("sha256"))] = response
    return found


def _response(responses: Mapping[str, Response], opened: Opened) -> Response:
    return responses.get(opened.response or "", Response())


def _parties(reader: Reader, known_at: int | None) -> tuple[Parties, tuple[LeafRef, ...]]:
    """The names of each person whom the register ever named: every version can only keep somebody from approving.

    With ``known_at`` (µs) those of the documents that were sealed by then. And the leaves of those that are not whole:
    whoever sealed one must not keep everybody from reading.
    """
    every, broken = documents.readable(reader)
    sealed = (each for each in every if known_at is None or each.at <= known_at)
    named = (
        (party.name, *party.members) for each in sealed for party in each.document.parties if is_person(party.name)
    )
    return tuple(named), tuple(LeafRef(OPERATIONS, leaf) for leaf in broken)


def _people(response: Response, parties: Parties) -> People:
    groups = response.groups if signers_of(response) is not None else {}
    return People(persons=Persons((*parties, *response.people)), groups=groups)


def _judged(incident: Incident, response: Response, parties: Parties) -> Incident:
    return weighed(rechecked(incident, response), _people(response, parties))
