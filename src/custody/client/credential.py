"""A credential as its holder has it: the fields that open something never show themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from custody.client import environment


class Fields(Mapping[str, str]):
    """The fields of a credential by name. ``repr`` shows the names alone; it cannot be pickled."""

    __slots__ = ("_held",)

    def __init__(self, held: Mapping[str, str]) -> None:
        self._held = dict(held)

    def __getitem__(self, name: str) -> str:
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"Fields({', '.join(sorted(self._held))})"

    def __reduce__(self) -> str:
        """TypeError: a credential stays in the process that asked for it."""
        raise TypeError("a credential is not pickled")


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker handed over, once.

    ``kind`` is that of the backend (``postgresql``, ``aws_sts``, ``jwt``). ``chain`` is its chain id and ``receipt``
    where the broker's log has it: pointers, which prove nothing by themselves. ``expires`` is in UTC, ``keys`` are the
    custody keys by which the target's log knows it. Under break-glass ``review`` is the request that somebody else has
    to approve, and ``review_by`` by when (RFC 3339).
    """

    kind: str
    chain: str
    receipt: str
    request: str
    expires: datetime
    fields: Fields
    scope: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    review: str | None = None
    review_by: str | None = None

    def environment(self, kind: str | None = None, *, prefix: str | None = None) -> dict[str, str]:
        """The variables that hand the credential to a program; see ``environment.variables``. UsageError."""
        told = {"chain": self.chain, "receipt": self.receipt, "expires": self.expires_text}
        return environment.variables(kind or self.kind, self.fields, told, prefix)

    @property
    def expires_text(self) -> str:
        """``expires`` as RFC 3339."""
        return self.expires.isoformat().replace("+00:00", "Z")
