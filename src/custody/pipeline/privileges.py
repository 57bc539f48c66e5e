"""What a principal may do as of a time, by what was sealed. Read-only."""

from __future__ import annotations

from custody.errors import UsageError
from custody.model.privileges import PolicyText, PrivilegesView, Texts
from custody.model.times import microseconds
from custody.pipeline.tables import answers
from custody.register.privileges import view
from custody.settings.catalog import Settings
from custody.sources import policy_texts
from custody.store.reader import Reader

MOST = 50
"""Principals that are shown together, at most."""


def privileges(settings: Settings, name: str, as_of: str | None = None) -> tuple[PrivilegesView, ...]:
    """The privileges of every principal that ``name`` means; NotFound where no grant of any was read.

    ``as_of`` is RFC 3339; without it, as far as the records go. UsageError for a time that is none, and for a name
    that means over 50 principals.
    """
    time = _moment(as_of)
    with answers(settings) as tables:
        found = view.principals_of(tables.engine, name)
        if len(found) > MOST:
            raise UsageError("too many principals match", where=name, found=str(len(found)), expected=f"{MOST} at most")
        return view.of_principals(tables.engine, found, time, texts_of(tables.reader))


def _moment(given: str | None) -> int | None:
    try:
        return microseconds(given)
    except (ValueError, TypeError, OverflowError):
        expected = "RFC 3339 with a zone, as 2026-03-02T08:00:00Z"
        raise UsageError("not a time", where="--as-of", found=str(given), expected=expected) from None


def texts_of(reader: Reader) -> Texts:
    """The policies in the records of a store."""

    def texts(source: str, leaf: int) -> tuple[PolicyText, ...]:
        return policy_texts.texts(source, reader.kept(leaf).kept)

    return texts
