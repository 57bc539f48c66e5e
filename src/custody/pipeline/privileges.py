"""What a principal may do as of a time, by what was sealed. Read-only."""

from __future__ import annotations

from custody.engine.duck import Engine
from custody.errors import NotFound, UsageError
from custody.model.privileges import ClaimedPrivilege, PolicyText, PrivilegesView, Texts
from custody.model.report import LeafRef
from custody.model.times import microseconds, text
from custody.pipeline.tables import answers
from custody.register.entries import identity_of
from custody.register.privileges import view
from custody.settings.catalog import Settings
from custody.sources import policy_texts
from custody.store.reader import Reader

MOST = 50
"""Principals that are shown together, at most."""


DECLARED = """
    SELECT value, said_by, signer, note, leaf FROM claims
    WHERE identity = ? AND field = 'privilege' AND superseded_at IS NULL
      AND ((? IS NULL AND state = 'held')
           OR ((since IS NULL OR since <= ?) AND (expires IS NULL OR expires > ?)))
    ORDER BY value, said_by
"""


def privileges(settings: Settings, name: str, as_of: str | None = None) -> tuple[PrivilegesView, ...]:
    """The privileges of every principal that ``name`` means, and what is only declared as that.

    NotFound where no grant of any was read and no privilege is declared.
    ``as_of`` is RFC 3339; without it, as far as the records go. UsageError for a time that is none, and for a name
    that means over 50 principals.
    """
    time = _moment(as_of)
    with answers(settings) as tables:
        try:
            found = view.principals_of(tables.engine, name)
        except NotFound:
            declared = _declared(tables.engine, name, time)
            if declared is None:
                raise
            return (declared,)
        if len(found) > MOST:
            raise UsageError("too many principals match", where=name, found=str(len(found)), expected=f"{MOST} at most")
        return view.of_principals(tables.engine, found, time, texts_of(tables.reader))


def _declared(engine: Engine, name: str, time: int | None) -> PrivilegesView | None:
    """What the register claims of an identity of which no grant was read; None where it claims nothing."""
    identity = identity_of(engine, name)
    claims = [] if identity is None else list(engine.rows(DECLARED, [identity, time, time, time]))
    if identity is None or not claims:
        return None
    return PrivilegesView(
        principal=identity,
        as_of=text(time),
        made=None,
        complete=False,
        grants=(),
        statements=(),
        trust=(),
        unresolved=("no grant of it was read: whether it has what is declared, no record shows",),
        outside=(),
        declared=tuple(
            ClaimedPrivilege(
                what=str(what),
                said_by=str(said_by),
                signer=None if signer is None else str(signer),
                note=None if note is None else str(note),
                leaf=LeafRef(view.LOG, leaf) if isinstance(leaf, int) else None,
            )
            for what, said_by, signer, note, leaf in claims
        ),
    )


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
