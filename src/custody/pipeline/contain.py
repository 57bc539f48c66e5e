"""What is alive of a credential now, and what would end it. Read-only."""

from __future__ import annotations

from custody.chains.containment import Containment, contain
from custody.errors import NotFound, UsageError
from custody.pipeline.forwarded import forwarded
from custody.pipeline.tables import answers
from custody.pipeline.trace import resolve
from custody.settings.catalog import Settings

MOST = 200
"""Credentials that are contained together, at most."""


def containment(settings: Settings, query: str) -> Containment:
    """The containment of all credentials that ``query`` means together; UsageError where it means over 200.

    A forward access session has no end of its own: what is contained then are its candidate parents.
    """
    with answers(settings) as tables:
        found = resolve(tables, query)
        if not found.hits:
            raise NotFound("no credential matches", where=query, expected=f"one of: {', '.join(found.searched)}")
        if len(found.hits) > MOST:
            raise UsageError(
                "too many credentials match",
                where=query,
                found=str(len(found.hits)),
                expected=f"{MOST} at most",
                advice="name fewer: a key, a session or a role; custody trace lists them",
            )
        keys = [hit.key for hit in found.hits]
        forward = forwarded(tables, keys)
        parents = [parent.key for session in forward for parent in session.parents]
        own = [key for key in keys if key not in {session.key for session in forward}]
        return contain(tables.engine, *dict.fromkeys([*own, *parents]))
