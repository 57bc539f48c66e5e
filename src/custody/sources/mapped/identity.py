"""Which record of a mapped log this is, and where its secrets are. Frozen: the mapping's digest is in the scheme."""

from collections.abc import Iterator

import msgspec

from custody.model.records import Identity, SecretSpan
from custody.sources import identities, pasted_secrets
from custody.sources.mapped import logfmt, paths
from custody.sources.mapped.mapping import LOGFMT, Condition, Mapping
from custody.sources.masking import PREFIX
from custody.sources.secret_names import is_secret_name
from custody.sources.secret_spans import Found
from custody.sources.vault_audit.places import places

_MASK = PREFIX.decode()
_OBJECT = msgspec.json.Decoder(dict[str, object])


def decoded(mapping: Mapping, raw: bytes) -> dict[str, object] | None:
    """The record as names and values, None where it is none of the log's form. Raises for what is no JSON, no text."""
    if mapping.format == LOGFMT:
        return logfmt.fields(raw)
    return _OBJECT.decode(raw) if raw[:1] == b"{" else None


def holds(record: object, conditions: tuple[Condition, ...]) -> bool:
    """Whether every condition holds."""
    return all(_holds(record, condition) for condition in conditions)


def _holds(record: object, condition: Condition) -> bool:
    found = paths.find(record, condition.path)
    return any(not condition.values or each.text in condition.values for each in found)


def secrets(mapping: Mapping, raw: bytes) -> Found:
    """What is named or shaped like a secret, and what the mapping names. A number that it names has no span."""
    found = pasted_secrets.find(raw, texts=lambda text: _texts(mapping, text))
    unsure = found.unsure
    if mapping.secrets and mapping.format != LOGFMT:
        unsure = unsure or any(place.number and _named(mapping, place.path) for place in places(raw))
    return Found(found.spans, unsure)


def _texts(mapping: Mapping, raw: bytes) -> Iterator[SecretSpan]:
    if mapping.format == LOGFMT:
        for name, start, end in logfmt.places(raw):
            if start < end and (_named(mapping, (name,)) or is_secret_name(name)):
                yield SecretSpan(start, end, "secret")
    elif mapping.secrets:
        for place in places(raw):
            if not place.number and place.start < place.end and _named(mapping, place.path):
                yield SecretSpan(place.start, place.end, "secret")


def _named(mapping: Mapping, names: tuple[str, ...]) -> bool:
    """Whether a value lies at one of the paths of secrets, or below it."""
    return any(paths.leads_to(path.steps, names) for path in mapping.secrets)


class Identifying:
    """The frozen side of one mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping

    def recognise(self, raw: bytes) -> bool:
        """Whether ``raw`` begins as the records of this log do."""
        return logfmt.begins(raw) if self._mapping.format == LOGFMT else raw[:1] == b"{"

    def identify(self, raw: bytes) -> Identity | None:
        """The identity and secrets of one record; None where the mapping does not mean it. Raises nothing."""
        return pasted_secrets.identified(
            self._mapping.scheme, raw, self._name, lambda text: secrets(self._mapping, text)
        )

    def _name(self, raw: bytes) -> str | None:
        record = decoded(self._mapping, raw)
        if record is None or not holds(record, self._mapping.match):
            return None
        named = paths.one(record, self._mapping.id)
        return named if named and _MASK not in named else identities.hashed(raw)
