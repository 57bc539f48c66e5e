"""Which key signs, which comes next, which are still believed: values and pure functions. Times are in µs.

The next key is published a while before it signs, so that who caches the key set knows it by then; a key that has
signed stays published until the last token that it can have signed has ended.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from custody.broker.keys.signer import Jwk
from custody.errors import UsageError


class Place(StrEnum):
    """Where a key stands in its life."""

    NEXT = "next"
    CURRENT = "current"
    PREVIOUS = "previous"


class Member(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key of the ring: published since ``published``, signing since ``since``, believed no longer at ``until``."""

    jwk: Jwk
    place: Place
    published: int
    since: int | None = None
    until: int | None = None


class Ring(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of one backend: one current, one next, any number of previous ones."""

    members: tuple[Member, ...]

    def at(self, place: Place) -> Member:
        """The one key at ``place``. UsageError where there is not just one: the ring is damaged."""
        found = [member for member in self.members if member.place is place]
        if len(found) != 1:
            raise UsageError("a ring of keys is damaged", found=f"{len(found)} keys {place}", expected="one")
        return found[0]

    def believed(self, now: int) -> tuple[Member, ...]:
        """The keys that are published at ``now``: next, current, and the previous ones whose tokens may live."""
        return tuple(each for each in self.members if each.until is None or each.until > now)

    def of(self, kid: str, now: int) -> Jwk | None:
        """The published key of an id that may have signed: the next one has signed nothing yet."""
        for each in self.believed(now):
            if each.jwk.kid == kid and each.place is not Place.NEXT:
                return each.jwk
        return None


def begun(current: Jwk, following: Jwk, now: int) -> Ring:
    """The first ring."""
    return Ring(
        members=(
            Member(jwk=current, place=Place.CURRENT, published=now, since=now),
            Member(jwk=following, place=Place.NEXT, published=now),
        )
    )


def turned(ring: Ring, following: Jwk, now: int, *, until: int, distrusted: bool = False) -> Ring:
    """The ring after a turn: next signs, ``following`` is published, current stays believed to ``until``.

    With ``distrusted`` the key that signed until now is taken out at once, and so are the previous ones.
    """
    was, becomes = ring.at(Place.CURRENT), ring.at(Place.NEXT)
    kept = [each for each in ring.believed(now) if each.place is Place.PREVIOUS]
    retired = [msgspec.structs.replace(was, place=Place.PREVIOUS, until=until), *kept]
    return Ring(
        members=(
            msgspec.structs.replace(becomes, place=Place.CURRENT, since=now),
            Member(jwk=following, place=Place.NEXT, published=now),
            *(() if distrusted else retired),
        )
    )


def due(ring: Ring, now: int, *, every: int, ahead: int) -> bool:
    """Whether it is time to turn: current has signed for ``every`` and next has been published for ``ahead`` (µs)."""
    signing = ring.at(Place.CURRENT).since or 0
    return now - signing >= every and now - ring.at(Place.NEXT).published >= ahead


def key_set(rings: tuple[Ring, ...], now: int) -> dict[str, list[Jwk]]:
    """The JWK set (RFC 7517 section 5) of every ring, as it is published at ``now``: next keys stand in it too."""
    return {"keys": [member.jwk for ring in rings for member in ring.believed(now)]}
