"""Reviews of access, from the statements of both logs and nothing else.

Opening is an operation: statements ``review-open`` of the operations log, with the population. What somebody decides is
theirs: statements ``review-decisions`` and ``review-close`` of the log of approvals, which name the leaf of the opening
and the digest of its population. What does not name them, or was sealed after the close, belongs to no review.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

import msgspec

from custody.errors import CustodyError, NotFound, StoreError
from custody.model.reviews import (
    Closing,
    Decision,
    Decisions,
    Member,
    Opening,
    Review,
    Sampled,
    members_of,
)
from custody.model.times import microseconds
from custody.pipeline import sealed_text, signatures
from custody.pipeline.approvals import LOG, Log
from custody.register.carried import Action, Carried
from custody.register.decisions import parse
from custody.reports.safe import plain
from custody.store.history import Said
from custody.store.reader import Reader

OPEN = "review-open"
DECISIONS = "review-decisions"
CLOSE = "review-close"
NAMESPACE = "custody-review"
"""The namespace (``ssh-keygen -Y sign -n``) of signatures over decisions."""


class _Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of ``review-open`` beside those of its text."""

    sha256: str
    name: str
    at: str
    by: str
    reviewer: str
    due: str
    as_of: str | None = None
    chosen: tuple[tuple[str, str], ...] = ()
    sampled: Sampled | None = None


class _Of(msgspec.Struct, frozen=True, kw_only=True):
    """What every statement about a review names: the leaf of its opening, its population, when and by whom."""

    sha256: str
    review: str
    opened: int
    population: str
    at: str
    by: str
    operations: tuple[int, str]
    accepted: str | None = None


def sealed(reader: Reader, log: Log) -> tuple[Review, ...]:
    """Every review, in order of its opening. StoreError where a statement contradicts itself."""
    found: dict[str, Review] = {}
    for said in reader.statements(OPEN):
        opening = _opening(reader, said)
        found.setdefault(opening.name, Review(opening=opening))
    closed = {one.opening.name: _closing(log, one.opening) for one in found.values()}
    return tuple(
        msgspec.structs.replace(one, closing=closed[name], decisions=tuple(_decisions(log, one.opening, closed[name])))
        for name, one in found.items()
    )


def last_leaves(reader: Reader, log: Log) -> str | None:
    """What names all statements about reviews: the last leaf in each log, None where there is no review."""
    opened = reader.statements(OPEN)
    told = [each.leaf for what in (DECISIONS, CLOSE) for each in log.statements(what)]
    return f"{opened[-1].leaf}/{max(told, default='-')}" if opened else None


def named(reviews: Sequence[Review], name: str) -> Review:
    """The review called ``name``. NotFound with the names that there are."""
    for one in reviews:
        if one.opening.name == name:
            return one
    known = ", ".join(one.opening.name for one in reviews) or "none: nothing was opened"
    raise NotFound("no such review", where=name, expected=f"one of {known}" if reviews else known)


def resolved(members: Iterable[Member], decisions: Iterable[Decision]) -> tuple[list[Decision], list[str]]:
    """The decisions with the identities that they mean, and the texts that mean none of ``members``.

    A text is the identity, or how a table shows it: with what is hidden in it made visible, and safe from formulas.
    """
    from custody.pipeline.reviewing.files import cell

    exact, shown = {}, {}
    for one in members:
        exact[one.identity] = one.identity
        for form in {plain(one.identity), cell(one.identity)}:
            shown[form] = None if form in shown else one.identity  # two that look alike are nobody's
    found, foreign = [], []
    for each in decisions:
        identity = exact.get(each.identity) or shown.get(each.identity)
        if identity is None:
            foreign.append(each.identity)
        else:
            found.append(msgspec.structs.replace(each, identity=identity))
    return found, foreign


def _opening(reader: Reader, said: Said) -> Opening:
    where = f"operations:{said.leaf}"
    data = sealed_text.read(reader, said)
    try:
        fields = msgspec.convert(said.entry.fields, _Opened)
        at, due = microseconds(fields.at), microseconds(fields.due)
        members = members_of(data)
    except (msgspec.MsgspecError, ValueError) as error:
        raise StoreError(f"a sealed review contradicts itself: {error}", where=where) from None
    return Opening(
        name=fields.name,
        leaf=said.leaf,
        at=at or 0,
        by=fields.by,
        reviewer=fields.reviewer,
        due=due or 0,
        as_of=microseconds(fields.as_of),
        digest=sha256(data).hexdigest(),
        members=members,
        chosen=fields.chosen,
        sampled=fields.sampled,
    )


def _of(said: Said, opening: Opening) -> _Of | None:
    """What a statement names, where it is about this very review."""
    try:
        found = msgspec.convert(said.entry.fields, _Of)
    except msgspec.MsgspecError:
        return None
    about = (found.review, found.opened, found.population) == (opening.name, opening.leaf, opening.digest)
    return found if about and found.operations[0] > opening.leaf else None


def _decisions(log: Log, opening: Opening, closing: Closing | None) -> Iterator[Decisions]:
    for said in log.statements(DECISIONS):
        fields = _of(said, opening)
        if fields is None or (closing is not None and said.leaf > closing.leaf):
            continue
        data, where = sealed_text.read(log, said, LOG), f"{LOG}:{said.leaf}"
        try:
            decided, _ = resolved(opening.members, parse(data, where).decisions)
            at = microseconds(fields.at) or 0
        except (CustodyError, ValueError) as error:
            raise StoreError(f"sealed decisions cannot be read: {error}", where=where) from None
        yield Decisions(
            leaf=said.leaf,
            at=at,
            by=fields.by,
            digest=fields.sha256,
            seen=fields.operations[0],
            decisions=tuple(decided),
            signature=signatures.of_statement(log, said.entry.fields, data, NAMESPACE),
        )


def _closing(log: Log, opening: Opening) -> Closing | None:
    for said in log.statements(CLOSE):
        fields = _of(said, opening)
        if fields is None:
            continue
        data, where = sealed_text.read(log, said, LOG), f"{LOG}:{said.leaf}"
        try:
            actions, at = msgspec.json.decode(data, type=tuple[Action, ...]), microseconds(fields.at) or 0
        except (msgspec.MsgspecError, ValueError) as error:
            raise StoreError(f"the sealed close of a review contradicts itself: {error}", where=where) from None
        unfinished = tuple(each.identity for each in actions if each.state is not Carried.DONE)
        return Closing(leaf=said.leaf, at=at, by=fields.by, unfinished=unfinished, accepted=fields.accepted)
    return None
