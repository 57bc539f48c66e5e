"""A broker as its operators see it: containments, and the end of what was issued. Their ID token is the identity."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, urlencode

import msgspec

from custody.client.answers import Ended, Lease, Plain, Time, decoded
from custody.client.broker import Broker

Grade = Annotated[str, msgspec.Meta(pattern=r"\A(?:proved|claimed|open)\Z")]


class Containment(msgspec.Struct, frozen=True, kw_only=True):
    """An open containment: nothing is issued to ``identity`` since then."""

    identity: str
    by: str
    reason: str
    since: Time
    seq: int
    incident: str | None = None


class Contained(msgspec.Struct, frozen=True, kw_only=True):
    """The leases of a contained identity as they stand now."""

    identity: str
    leases: tuple[Lease, ...] = ()


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the broker's own checklist, and what shows it."""

    item: Plain
    grade: Grade
    shown_by: str = ""


class Checklist(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker asks for before it issues again."""

    identity: str
    items: tuple[Item, ...] = ()


class _Containments(msgspec.Struct, frozen=True, kw_only=True):
    items: tuple[Containment, ...]


class Operator(Broker):
    """The broker at a URL, for somebody with the role ``operator`` or ``admin``. What is asked twice is done once."""

    def containments(self) -> tuple[Containment, ...]:
        """The open containments."""
        return decoded(self._bearer("GET", "/containments", {}, None), _Containments).items

    def lease_of(self, chain: str) -> Lease:
        """One lease."""
        return decoded(self._bearer("GET", f"/leases/{quote(chain, safe='')}", {}, None), Lease)

    def contain(self, identity: str, *, reason: str, incident: str | None = None) -> Contained:
        """Stop issuing to an identity and end what lives. One that is contained stays so, by whom it was."""
        body = {"identity": identity, "reason": reason, "incident": incident}
        return decoded(self._posted("/containments", body, None), Contained)

    def revoke(self, chain: str, *, reason: str) -> Ended:
        """End a credential and what descends from it. One that is over already stays as it is."""
        return decoded(self._posted(f"/leases/{quote(chain, safe='')}/revoke", {"reason": reason}, None), Ended)

    def checklist(self, identity: str) -> Checklist:
        """What the broker asks for before it issues again."""
        query = urlencode({"identity": identity})
        return decoded(self._bearer("GET", f"/containments/checklist?{query}", {}, None), Checklist)

    def enable(self, identity: str, *, reason: str) -> Checklist:
        """End a containment. PolicyDenied where the broker's own checklist is not shown."""
        return decoded(self._posted("/containments/enable", {"identity": identity, "reason": reason}, None), Checklist)
