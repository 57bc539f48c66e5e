"""What an alert says that an incident can be opened from: CloudEvents and the claims of security event tokens. Pure.

Only what is written as a typed key (``aws_akid:aws:AKIA…``), or as an AWS access key id, is taken out of it. Who sends
an alert chooses its words: an address or a name in it could draw anything into the scope.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import msgspec

from custody.errors import SourceError
from custody.model import keys
from custody.model.events import Event
from custody.model.incidents import Seed, SeedKind
from custody.model.leaf import LeafRef
from custody.readers import json_guard
from custody.sources import cloudevents_approval, ssf
from custody.sources.source import Source

SOURCES: tuple[Source, ...] = (cloudevents_approval.SOURCE, ssf.SOURCE)
MOST = 1000
"""Alerts of one push."""
MOST_KEYS = 20
"""Keys that one alert gives."""
MOST_TITLE = 200
MOST_DEPTH = 100
"""How deep a body may nest."""
_DEPTH, _TEXTS = 16, 2000
_AKID = re.compile(r"(?:AKIA|ASIA)[A-Z2-7]{16}", re.ASCII)
_MANY = msgspec.json.Decoder(list[msgspec.Raw])


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert: the source and the identity under which its record is sealed, a title, and the keys in it."""

    source: str
    identity: str
    title: str
    keys: tuple[str, ...] = ()

    @property
    def value(self) -> str:
        """What the incident's seed says: as for a record that a person names."""
        return f"{self.source} {self.identity}"

    def seeds(self, leaf: LeafRef) -> tuple[Seed, ...]:
        """What an incident grows from: the alert at its leaf, and each key that it names."""
        own = Seed(kind=SeedKind.ALERT, value=self.value, record=leaf)
        return (own, *(Seed(kind=SeedKind.KEY, value=key, record=leaf) for key in self.keys))


def alerts(body: bytes) -> tuple[Alert, ...]:
    """The alerts of a pushed body: one object, or an array of them. What is none of the two forms gives none."""
    found = (each for each in map(_alert, _objects(body)) if each is not None)
    return tuple({each.value: each for each in found}.values())


def _objects(body: bytes) -> list[bytes]:
    plain = body.strip()
    if json_guard.depth(plain) > MOST_DEPTH:
        return []
    if not plain.startswith(b"["):
        return [plain]
    try:
        return [bytes(each) for each in _MANY.decode(plain)][:MOST]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return []


def _alert(raw: bytes) -> Alert | None:
    if json_guard.check(raw, MOST_DEPTH) is not None:  # what parsers read differently is sealed, and no alert
        return None
    for source in SOURCES:
        identity = source.identify(raw) if source.recognise(raw) else None
        if identity is not None:
            try:
                told: dict[str, object] = msgspec.json.decode(raw, type=dict[str, object])
            except msgspec.DecodeError:
                return None
            named = dict.fromkeys((*_of_event(source, raw), *_of_texts(told)))
            return Alert(source=source.name, identity=identity.id, title=_title(told), keys=tuple(named)[:MOST_KEYS])
    return None


def _of_event(source: Source, raw: bytes) -> Iterator[str]:
    """The keys of what the source understands of it."""
    found = source.read(raw, "")
    for event in found if isinstance(found, tuple) else ():
        assert isinstance(event, Event)
        yield from (part.key for part in event.parts if part.key is not None)


def _of_texts(told: dict[str, object]) -> Iterator[str]:
    """The subject and whatever the data says, where it is a key from its first character to its last."""
    for number, text in enumerate(_texts([told.get("subject"), told.get("data")], _DEPTH)):
        if number >= _TEXTS:
            return
        if _AKID.fullmatch(text):
            yield f"aws_akid:aws:{text}"
        elif _is_key(text):
            yield text


def _texts(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict):
        for each in value.values():
            yield from _texts(each, depth - 1)
    elif depth and isinstance(value, list):
        for each in value:
            yield from _texts(each, depth - 1)


def _is_key(text: str) -> bool:
    if len(text) > 300 or not text.isprintable():
        return False
    try:
        keys.parse(text)
    except SourceError:
        return False
    return True


def _title(told: dict[str, object]) -> str:
    """The type of the event and its subject, on one line of what shows."""
    events = told.get("events")
    kind = told.get("type") or (next(iter(events), "") if isinstance(events, dict) else "")
    words = [str(each) for each in (kind, told.get("subject")) if isinstance(each, str) and each]
    visible = "".join(" " if unicodedata.category(each)[0] in "CZ" else each for each in ": ".join(words))
    return " ".join(visible.split())[:MOST_TITLE] or "an alert"
