"""Forward access sessions: what is known of one, and whose uses it could be."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from custody.model.events import Asserter
from custody.model.report import LeafRef
from custody.model.times import text
from custody.pipeline.tables import Answers
from custody.rules import judging

LOG = "operations"
MOST = 50
"""Candidate parents that are listed, at most."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A credential whose use the session could be, and the record that says so."""

    key: str
    who: str
    leaf: LeafRef


class Forwarded(msgspec.Struct, frozen=True, kw_only=True):
    """A forward access session: a use of its parent, which no record names.

    ``join`` is the grade of the candidates together, ``ambiguous(n)`` where there are several; ``parents_total``
    counts those that are not listed too.
    """

    key: str
    who: str
    service: str
    uses: int
    first_use: str | None
    first_leaf: LeafRef
    principal: str | None
    join: str
    asserter: str
    parents: tuple[Candidate, ...]
    parents_total: int


def forwarded(tables: Answers, keys: Sequence[str]) -> tuple[Forwarded, ...]:
    """Those of ``keys`` that are forward access sessions, in the order given."""
    return tuple(one for key in keys if (one := _one(tables, key)) is not None)


def names_of(tables: Answers, keys: Sequence[str]) -> dict[str, str]:
    """What to call each key: by its credential, or as a forward access session."""
    names = judging.names_of(tables.engine, keys)
    nameless = [key for key in keys if key not in names]
    marks = ", ".join("?" for _ in nameless)
    if nameless:
        rows = tables.engine.rows(f"SELECT key, principal FROM forward_sessions WHERE key IN ({marks})", nameless)
        names.update((str(key), _name(None if principal is None else str(principal))) for key, principal in rows)
    return names


def _one(tables: Answers, key: str) -> Forwarded | None:
    rows = tables.engine.rows(
        "SELECT evidence, uses, first_use, first_leaf, principal FROM forward_sessions WHERE key = ?", [key]
    )
    if not rows:
        return None
    service, uses, first, leaf, principal = rows[0]
    parents = tables.engine.rows(
        "SELECT to_key, min(leaf) FROM links WHERE link = 'forward_session' AND from_key = ? GROUP BY to_key "
        "ORDER BY to_key",
        [key],
    )
    names = judging.names_of(tables.engine, [str(parent) for parent, _ in parents[:MOST]])
    named = None if principal is None else str(principal)
    return Forwarded(
        key=key,
        who=_name(named),
        service=str(service),
        uses=int(str(uses)),
        first_use=text(None if first is None else int(str(first))),
        first_leaf=LeafRef(LOG, int(str(leaf))),
        principal=named,
        join={0: "none", 1: "inferred"}.get(len(parents), f"ambiguous({len(parents)})"),
        asserter=Asserter.ISSUER.value,
        parents=tuple(
            Candidate(key=str(parent), who=names.get(str(parent), ""), leaf=LeafRef(LOG, int(str(at))))
            for parent, at in parents[:MOST]
        ),
        parents_total=len(parents),
    )


def _name(principal: str | None) -> str:
    return f"forward access session of {_plain(principal)}"


def _plain(principal: str | None) -> str:
    """The principal without what makes it unique among providers and accounts."""
    return "an unknown principal" if principal is None else principal.split(":", 2)[-1]
