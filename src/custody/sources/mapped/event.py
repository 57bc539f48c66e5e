"""A mapped record's typed meaning: one event, and the parts that the mapping makes of it.

Who says so is the mapping's word: a log's own account of itself is self-reported unless the file says that its writer
is the issuer or the verifier. An issuer vouches for what it issued and ended, a verifier for what was used.
"""

from collections.abc import Iterator

import msgspec

from custody.errors import SourceError
from custody.model.events import Asserter, Event, Outcome, Part, Skip, Stage
from custody.sources.decoding import told
from custody.sources.mapped import paths, typed
from custody.sources.mapped.identity import Identifying, decoded, holds, secrets
from custody.sources.mapped.mapping import Key, Mapping, PartOf, Result
from custody.sources.mapped.typed import Beside
from custody.sources.masking import mask

_OF_ISSUER = frozenset((Stage.ISSUE, Stage.REFRESH, Stage.REVOKE, Stage.EXPIRE))
_ATTEMPTS = frozenset((Stage.USE, Stage.REQUEST, Stage.APPROVE, Stage.DECIDE, Stage.INVENTORY))
_VOUCHING = (Asserter.ISSUER, Asserter.VERIFIER)


class Reading:
    """The reading side of one mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._identify = Identifying(mapping).identify
        self._texts = dict(mapping.texts)

    def read(self, kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
        """The event of a kept record, or why there is none. Raises nothing."""
        return told(lambda: (self._event(kept),))

    def _event(self, raw: bytes) -> Event:
        """The event of the record as it is kept, also where ``raw`` is the original."""
        spans = secrets(self._mapping, raw).spans
        kept = mask(raw, spans) if spans else raw
        record, identity = decoded(self._mapping, kept), self._identify(kept)
        if record is None or identity is None:
            raise SourceError("not a record that the mapping means", expected=f"what {self._mapping.name} matches")
        moment = typed.time(record, self._mapping.time)
        if moment is None:
            raise SourceError("no time", where=self._mapping.time.path.text, expected=self._mapping.time.form)
        outcome = _outcome(record, self._mapping.outcome)
        return Event(
            id=identity.id,
            time=moment,
            service=self._text(record, "service") or self._mapping.name,
            action=self._text(record, "action") or "record",
            outcome=outcome,
            parts=tuple(self._parts(record, outcome)),
            principal=typed.key(record, self._mapping.principal, self._mapping.name),
            principal_kind=self._text(record, "principal_kind"),
            error=self._text(record, "error"),
            account=self._text(record, "account"),
            region=self._text(record, "region"),
            category=self._text(record, "category"),
            origin=self._text(record, "origin"),
            endpoint=self._text(record, "endpoint"),
            agent=self._text(record, "agent"),
            session=self._text(record, "session"),
            request_id=self._text(record, "request_id"),
            resource=self._text(record, "resource"),
            policy=self._text(record, "policy"),
            trace=_trace(self._text(record, "trace")),
            tags=self._tags(record),
        )

    def _text(self, record: object, name: str) -> str | None:
        return typed.text(record, self._texts.get(name))

    def _tags(self, record: object) -> str | None:
        found = {name: text for name, path in self._mapping.tags if (text := paths.one(record, path))}
        return msgspec.json.encode(found).decode() if found else None

    def _parts(self, record: object, outcome: Outcome) -> Iterator[Part]:
        """The parts that the mapping makes; of a call that did not succeed only those that tell of the attempt."""
        for part in self._mapping.parts:
            if holds(record, part.when) and (outcome is Outcome.SUCCESS or part.stage in _ATTEMPTS):
                for found in paths.find(record, part.key.path):
                    beside = (part.key.path, found.indexes)
                    key = typed.key_of(record, part.key, found.text, self._mapping.name, beside)
                    if key is not None:
                        yield self._part(record, part, key, beside)

    def _part(self, record: object, part: PartOf, key: str, beside: Beside) -> Part:
        name, asserter = self._mapping.name, asserted(part, self._mapping)
        workload = typed.key(record, part.workload, name, beside)
        touched = part.object
        return Part(
            stage=part.stage,
            key=key,
            parent=typed.key(record, part.parent, name, beside),
            subject=typed.key(record, part.subject, name, beside),
            workload=workload,
            granularity=part.granularity if workload else None,
            bound_by=(asserter or Asserter.ISSUER) if workload and part.stage is Stage.ISSUE else None,
            session_name=typed.text(record, part.session_name, beside),
            method=typed.text(record, part.method, beside),
            effect=part.effect,
            object=typed.key(record, touched, name, beside)
            if isinstance(touched, Key)
            else typed.text(record, touched, beside),
            related=typed.key(record, part.related, name, beside),
            not_after=typed.time(record, part.not_after, beside),
            population=part.population,
            asserter=asserter,
        )


def asserted(part: PartOf, mapping: Mapping) -> Asserter | None:
    """Who says what a part says, None where its issuer or verifier does.

    An issuer's log is no verifier's: what it says of uses is its own report, unless the part says otherwise.
    """
    said = part.asserter or mapping.asserter
    if said not in _VOUCHING:
        return said
    if part.stage is Stage.USE:
        return None if said is Asserter.VERIFIER else Asserter.SELF_REPORTED
    if part.stage in _OF_ISSUER:
        return None if said is Asserter.ISSUER else Asserter.SELF_REPORTED
    return None


def _outcome(record: object, wanted: Result) -> Outcome:
    value = paths.one(record, wanted.path)
    known = dict(wanted.values).get(value) if value is not None else None
    if known is not None:
        return known
    if wanted.otherwise is None:
        where = wanted.path.text if wanted.path else "outcome"
        expected = ", ".join(name for name, _ in wanted.values)[:200]
        raise SourceError("an outcome that the mapping does not know", where=where, expected=expected)
    return wanted.otherwise


def _trace(text: str | None) -> str | None:
    """A W3C trace id: 32 hex digits, alone or in a ``traceparent``."""
    digits = (text or "").lower()
    if digits.count("-") == 3:
        digits = digits.split("-")[1]
    return digits if len(digits) == 32 and all(digit in "0123456789abcdef" for digit in digits) else None
