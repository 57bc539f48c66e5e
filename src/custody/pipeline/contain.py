"""What is alive of a credential now, and what would end it. Read-only."""

from __future__ import annotations

from custody.chains.containment import Containment, contain
from custody.errors import NotFound, UsageError
from custody.pipeline.tables import answers
from custody.pipeline.trace import resolve
from custody.settings.catalog import Settings


def containment(settings: Settings, query: str) -> Containment:
    """The containment of the one credential that ``query`` means; UsageError where it means several."""
    with answers(settings) as tables:
        found = resolve(tables, query)
        if not found.hits:
            raise NotFound("no credential matches", where=query, expected=f"one of: {', '.join(found.searched)}")
        if len(found.hits) > 1:
            keys = ", ".join(hit.key.split(":", 2)[-1] for hit in found.hits[:5])
            raise UsageError(
                f"{len(found.hits)} credentials match",
                where=query,
                found=keys,
                advice="name one; custody trace lists them",
            )
        return contain(tables.engine, found.hits[0].key)
