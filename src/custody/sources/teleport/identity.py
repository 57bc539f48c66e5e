"""Which Teleport audit event this is, and where its secrets are. Frozen as scheme ``teleport-uid/1``.

``uid`` should be enough; some events of a session share one, and so do the steps of a request in old versions. Event,
code and index tell them apart. Panther writes codes in lower case: here they are upper case.
"""

import re
from collections.abc import Iterator

import msgspec

from custody.model.records import Identity, SecretSpan
from custody.sources import pasted_secrets
from custody.sources.secret_spans import Found
from custody.sources.teleport.records import NO_NAME

SCHEME = "teleport-uid/1"
_CODE = re.compile(r"[A-Z][A-Z0-9]{2,16}[IWED]")
_EVENT = re.compile(r"[a-z0-9_-]{1,64}(?:\.[a-z0-9_-]{1,64}){0,6}")
_PARAMETERS = re.compile(
    rb'"(?:db_query_parameters|parameters)"[ \t\r\n]*:[ \t\r\n]*\[((?:[ \t\r\n,]*"(?:[^"\\]|\\.)*+")*+)'
)
_STRING = re.compile(rb'"((?:[^"\\]|\\.)*+)"')
_TOKEN_NAME = re.compile(rb'"(?:token_)?name"[ \t\r\n]*:[ \t\r\n]*"((?:[^"\\]|\\.)*+)"')


class _Head(msgspec.Struct, frozen=True, gc=False):
    """What makes an object a Teleport audit event."""

    uid: str
    event: str
    code: str
    time: msgspec.Raw
    ei: msgspec.Raw = msgspec.Raw(b"0")
    method: str | None = None
    join_method: str | None = None


_HEAD = msgspec.json.Decoder(_Head)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a Teleport audit event, by its bytes alone."""
    return b'"uid"' in raw and b'"event"' in raw and b'"code"' in raw and b'"time"' in raw


def identify(raw: bytes) -> Identity | None:
    """The identity and secrets of one event; None where it is none of Teleport's. Raises nothing."""
    return pasted_secrets.identified(SCHEME, raw, _name, secrets)


def secrets(raw: bytes) -> Found:
    """What is named or shaped like a secret, the parameters of queries, and names of join tokens that are the token."""
    return pasted_secrets.find(raw, texts=_texts)


def _name(raw: bytes) -> str | None:
    head = _HEAD.decode(raw)
    code = head.code.upper()
    if not head.uid or not _CODE.fullmatch(code) or not _EVENT.fullmatch(head.event):
        return None
    return f"{head.uid} {head.event} {code} {bytes(head.ei).decode()}"


def _texts(raw: bytes) -> Iterator[SecretSpan]:
    yield from _parameters(raw)
    yield from _token_names(raw)


def _parameters(raw: bytes) -> Iterator[SecretSpan]:
    if b"parameters" in raw:
        for found in _PARAMETERS.finditer(raw):
            for text in _STRING.finditer(raw, found.start(1), found.end(1)):
                yield SecretSpan(*text.span(1), "text")


def _token_names(raw: bytes) -> Iterator[SecretSpan]:
    """A token of the method *token* is its own name. Teleport masks all but its end; old versions did not."""
    head = _HEAD.decode(raw)
    if head.event in _TOKEN_EVENTS and (head.join_method or head.method) == "token":
        for found in _TOKEN_NAME.finditer(raw):
            if not found[1].startswith(NO_NAME):
                yield SecretSpan(*found.span(1), "token")


_TOKEN_EVENTS = frozenset(("join_token.create", "bot.join", "instance.join"))
