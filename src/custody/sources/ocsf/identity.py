"""Which OCSF event this is, and where its secrets are. Frozen as scheme ``ocsf/1``.

``metadata.uid`` is unique for a product, and an event of another type may repeat it. An event without one is the
SHA-256 of its bytes as they are kept.
"""

import re
from collections.abc import Iterator

import msgspec

from custody.model.records import Identity, SecretSpan
from custody.sources import identities, pasted_secrets
from custody.sources.masking import PREFIX
from custody.sources.secret_spans import Found
from custody.sources.vault_audit.places import places

SCHEME = "ocsf/1"
_TOKEN = re.compile(rb'"(?:authentication_)?token"[ \t\r\n]*:[ \t\r\n]*\{')
_OF_TOKEN = frozenset(("uid", "type", "tenant_uid", "type_id", "kerberos_flags", "alg", "algorithm"))
_TOKENS = ("tokan", "authentication_tokan")
_MASK = PREFIX.decode()


class _Product(msgspec.Struct, frozen=True, gc=False):
    """A product as far as its name goes."""

    name: msgspec.Raw = msgspec.Raw(b"null")
    vendor_name: msgspec.Raw = msgspec.Raw(b"null")


class _Metadata(msgspec.Struct, frozen=True, gc=False):
    """What makes an object's metadata those of OCSF."""

    version: str
    uid: msgspec.Raw = msgspec.Raw(b"null")
    product: _Product | None = None


class _Head(msgspec.Struct, frozen=True, gc=False):
    """What makes an object an OCSF event."""

    class_uid: int
    metadata: _Metadata
    type_uid: int | None = None
    category_uid: int | None = None
    activity_id: int | None = None


_HEAD = msgspec.json.Decoder(_Head)
_TEXT = msgspec.json.Decoder(str)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like an OCSF event, by its bytes alone."""
    return b'"class_uid"' in raw and b'"metadata"' in raw and b'"version"' in raw


def identify(raw: bytes) -> Identity | None:
    """The identity and secrets of one event; None where it is none of OCSF. Raises nothing."""
    return pasted_secrets.identified(SCHEME, raw, _name, secrets)


def secrets(raw: bytes) -> Found:
    """What is named or shaped like a secret. OCSF's token is an object that tells of one: only what else it holds goes.

    The search reads a copy of the same length in which those objects are called otherwise.
    """
    plain = _TOKEN.sub(lambda found: found[0].replace(b"token", b"tokan"), raw)
    return pasted_secrets.find(plain, texts=_in_tokens)


def _in_tokens(raw: bytes) -> Iterator[SecretSpan]:
    """Strings in a token's object, so renamed, under names that the schema does not have there."""
    if b'tokan"' not in raw:
        return
    for place in places(raw):
        within = any(name in _TOKENS for name in place.path[:-1])
        if within and not place.number and place.path[-1] not in _OF_TOKEN and place.start < place.end:
            yield SecretSpan(place.start, place.end, "token")


def _name(raw: bytes) -> str | None:
    head = _HEAD.decode(raw)
    if head.category_uid is None and head.activity_id is None and head.type_uid is None:
        return None
    uid = _text(head.metadata.uid)
    if uid is None or _MASK in uid:
        return identities.hashed(raw)
    product = head.metadata.product or _Product()
    names = " ".join(text for text in (_text(product.vendor_name), _text(product.name)) if text)
    return f"{names or '-'} {uid} {head.class_uid if head.type_uid is None else head.type_uid}"


def _text(raw: msgspec.Raw) -> str | None:
    return _TEXT.decode(raw) or None if bytes(raw)[:1] == b'"' else None
