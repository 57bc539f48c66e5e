"""Which line of an access log this is, and where its secrets are. Frozen as scheme ``envoy-line/1``.

A line has no id of its own: streams have one that a client can choose (``x-request-id``), and one stream can have
several lines. The identity is the stream's id, where the line has one, and the SHA-256 of the line as it is kept.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from custody.model.records import Identity, SecretSpan
from custody.sources import identities, pasted_secrets
from custody.sources.envoy_access import text
from custody.sources.envoy_access.facts import called, is_access_log
from custody.sources.escapes import plain
from custody.sources.secret_spans import Found

SCHEME = "envoy-line/1"
_LONGEST_STREAM = 128
_USERINFO = re.compile(
    rb'"(?!(?:mailto|sips?|xmpp|acct):)[^\s"/@:\\]{0,128}:([^\s"/@\\]{1,256})@[^\s"@\\]{1,256}"', re.IGNORECASE
)
"""A host with a name and a password before it, as an authority has it: no address, so without ``://``."""
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a line of an access log, by its bytes alone."""
    if raw[:1] != b"{":
        return text.is_line(raw)
    low = raw.lower()
    return b"time" in low and (b"downstream" in low or b"flags" in low or b"peer" in low or b"transport" in low)


def identify(raw: bytes) -> Identity | None:
    """The identity and secrets of one line; None where it is none of Envoy's. Raises nothing."""
    return pasted_secrets.identified(SCHEME, raw, name, secrets)


def secrets(raw: bytes) -> Found:
    """The secrets of one line."""
    return pasted_secrets.find(raw, texts=_texts)


def _texts(raw: bytes) -> Iterator[SecretSpan]:
    document = plain(raw)
    if b"@" in document.text:
        for found in _USERINFO.finditer(document.text):
            yield SecretSpan(document.original(found.start(1)), document.original(found.end(1)), pasted_secrets.CLASS)


@lru_cache(maxsize=4)
def name(raw: bytes) -> str | None:
    """The identity of a line as it is kept; None where it is none of Envoy's."""
    if raw[:1] != b"{":
        return identities.hashed(raw) if text.is_line(raw) else None
    members = _OBJECT.decode(raw)
    names = tuple(members)
    if not is_access_log(names):
        return None
    stream = _stream(members, called(names, "streamid"))
    return f"{stream} {identities.hashed(raw)}" if stream else identities.hashed(raw)


def _stream(members: dict[str, msgspec.Raw], names: tuple[str, ...]) -> str | None:
    for value in [members[name] for name in names]:
        if bytes(value)[:1] == b'"':
            stream = _TEXT.decode(value)
            if 1 < len(stream) <= _LONGEST_STREAM and stream.isascii() and stream.isprintable():
                return stream
    return None
