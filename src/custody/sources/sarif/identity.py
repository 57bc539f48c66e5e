"""Which run of a scanner this is, and where what it found stands. Frozen as scheme ``sarif-run/1``.

A run need not have an id. Its identity is the SHA-256 of its bytes after masking: a hash of the bytes before would let
a guess at a short secret be tried against the sealed log.
"""

import msgspec

from custody.model.records import Identity
from custody.sources import identities, pasted_secrets
from custody.sources.masking import mask
from custody.sources.sarif import texts
from custody.sources.secret_spans import Found

SCHEME = "sarif-run/1"


class _Driver(msgspec.Struct, frozen=True, gc=False):
    name: str


class _Tool(msgspec.Struct, frozen=True, gc=False):
    driver: _Driver


class _Head(msgspec.Struct, frozen=True, gc=False):
    """What makes an object a run: a tool with a driver that has a name, and a list of results or none at all."""

    tool: _Tool
    results: list[msgspec.Raw] | None = None


_HEAD = msgspec.json.Decoder(_Head)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a run, by its bytes alone."""
    return b'"driver"' in raw and b'"tool"' in raw


def identify(raw: bytes) -> Identity | None:
    """The identity and secrets of one run; None where it is none. Raises nothing."""
    return pasted_secrets.identified(SCHEME, raw, _name, secrets)


def secrets(raw: bytes) -> Found:
    """What was found, wherever it stands, and what is shaped or named like a secret in the strings that stay."""
    found = pasted_secrets.find(raw, texts=texts.find)
    return Found(tuple(texts.without_ids(raw, found.spans)), found.unsure)


def _name(raw: bytes) -> str | None:
    return identities.hashed(mask(raw, secrets(raw).spans)) if _HEAD.decode(raw).tool.driver.name else None
