"""SPIFFE ids (SPIFFE-ID.md of the SPIFFE standards): ``spiffe://TRUST-DOMAIN/PATH``, as strict as they are written."""

from __future__ import annotations

import re

import msgspec

from custody.model.keys import scoped

MAX_ID = 2048
"""Bytes of a SPIFFE id."""

_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}", re.ASCII)
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)


class SpiffeId(msgspec.Struct, frozen=True, gc=False):
    """A workload's id: its trust domain, and its path with the slash."""

    domain: str
    path: str

    def __str__(self) -> str:
        return f"spiffe://{self.domain}{self.path}"

    @property
    def key(self) -> str:
        """The workload as a key, as SPIRE's log has it."""
        return scoped("spiffe", self.domain, self.path)


def spiffe_id(text: str) -> SpiffeId | None:
    """The id of a workload; None for what is none, and for a trust domain without a path, which is no workload."""
    domain, slash, path = text.removeprefix("spiffe://").partition("/")
    if not text.startswith("spiffe://") or len(text) > MAX_ID or not slash or not is_domain(domain):
        return None
    segments = path.split("/")
    if any(segment in (".", "..") or not _SEGMENT.fullmatch(segment) for segment in segments):
        return None
    return SpiffeId(domain, f"/{path}")


def is_domain(text: str) -> bool:
    """Whether it is the name of a trust domain."""
    return _DOMAIN.fullmatch(text) is not None
