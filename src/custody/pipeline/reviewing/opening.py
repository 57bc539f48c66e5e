"""Opening a review: who is in its population, with what is known of each, sealed in the operations log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from custody import __version__
from custody.engine.duck import Engine
from custody.errors import NotFound, UsageError
from custody.model.contracts import matches
from custody.model.reviews import Fact, Member, Review, Sampled, population_bytes
from custody.model.sampling import sample
from custody.model.times import microseconds, text, until_text
from custody.pipeline import approvals, sealed_text
from custody.pipeline.audit import now, whoami
from custody.pipeline.reviewing import reviews
from custody.pipeline.tables import answers
from custody.register.entries import entries
from custody.register.entry import Entry, Said
from custody.register.reviews import gives, granted
from custody.register.spelling import plain
from custody.register.times import State
from custody.settings.catalog import Settings
from custody.settings.moments import parse_end
from custody.store.reader import Reader
from custody.store.storefile import read_store_file
from custody.store.writer import Writer

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LONGEST = 500

CLASSES = """
    SELECT DISTINCT k.identity FROM key_identities k JOIN credentials c ON c.key = k.key WHERE c.identity_class = ?
"""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which review to open: over the identities that fit every option given, or ``every`` one."""

    reviewer: str
    due: str
    name: str | None = None
    identity: str | None = None
    owner: str | None = None
    kind: str | None = None
    identity_class: str | None = None
    every: bool = False
    sample: int | None = None
    seed: str | None = None

    @property
    def chosen(self) -> tuple[tuple[str, str], ...]:
        """The options that choose the population."""
        given = (
            ("identity", self.identity),
            ("owner", self.owner),
            ("kind", self.kind),
            ("class", self.identity_class),
            ("all", "yes" if self.every else None),
        )
        return tuple((name, value) for name, value in given if value is not None)


def open_review(settings: Settings, wanted: Wanted) -> Review:
    """Seal the population of a new review; gives it. UsageError where an option is wrong, NotFound where nobody fits.

    The population is that of the derived tables: of the last audit or rebuild.
    """
    moment = now()
    due = _checked(wanted, microseconds(moment) or 0)
    with answers(settings) as found:
        as_of = found.report.as_of
        fits = _fits(found.engine, wanted)
        everybody = [_member(one) for one in entries(found.engine) if fits(one)]
    members, sampled = _drawn(everybody, wanted)
    data = population_bytes(members)
    fields: dict[str, object] = {
        "at": moment,
        "by": whoami(),
        "reviewer": wanted.reviewer,
        "due": text(due),
        "as_of": as_of,
        "count": len(members),
        "chosen": wanted.chosen,
        "sampled": None if sampled is None else msgspec.to_builtins(sampled),
    }
    read_store_file(settings.store)  # opening for writing would make one
    with Writer.open(settings.store, settings.keys, now=moment, version=__version__) as writer:
        with Reader.open(settings.store) as reader:
            taken = {one.opening.name for one in reviews.sealed(reader, approvals.covered(reader))}
        name = _named(wanted.name, taken, moment)
        sealed_text.seal(writer, reviews.OPEN, data, {"name": name, **fields})
    with Reader.open(settings.store) as reader:
        return reviews.named(reviews.sealed(reader, approvals.Log()), name)


def _checked(wanted: Wanted, moment: int) -> int:
    """When the review is due (µs). UsageError for an option that makes no sense."""
    if not wanted.chosen or (wanted.every and len(wanted.chosen) > 1):
        raise UsageError(
            "a review of whom?", expected="--all, or some of --identity, --owner, --kind, --class: all must fit"
        )
    if not wanted.reviewer.strip() or len(wanted.reviewer) > LONGEST or not wanted.reviewer.isprintable():
        raise UsageError("not a name", where="--reviewer", expected="a name as the allowed signers give it")
    if wanted.name is not None and not NAME.fullmatch(wanted.name):
        expected = "letters, digits, dots, dashes and underscores, at most 64"
        raise UsageError("not a name", where="--name", found=repr(wanted.name)[:80], expected=expected)
    if (wanted.sample is None) != (wanted.seed is None):
        raise UsageError("a sample is drawn by a size and a seed", expected="--sample N --seed TEXT")
    try:
        due = parse_end(wanted.due)
    except UsageError as error:
        raise UsageError(error.message, where="--due", found=error.found, expected=error.expected) from None
    if due <= moment:
        raise UsageError("due already", where="--due", found=until_text(due), expected=f"after {text(moment)}")
    return due


def _named(name: str | None, taken: set[str], moment: str) -> str:
    """The name of the review: names are never used twice. UsageError where the one given is taken."""
    if name in taken:
        raise UsageError("a review of this name was opened before", where="--name", found=name, expected="another name")
    if name is not None:
        return name
    base, number = f"review-{moment[:10]}", 1
    found = base
    while found in taken:
        number += 1
        found = f"{base}-{number}"
    return found


def _fits(engine: Engine, wanted: Wanted) -> Callable[[Entry], bool]:
    of_class: set[str] = set()
    if wanted.identity_class is not None:
        of_class = {str(row[0]) for row in engine.rows(CLASSES, [wanted.identity_class])}

    def fits(one: Entry) -> bool:
        names = (one.identity, *(each.name for each in one.names))
        return (
            (wanted.kind is None or one.kind == wanted.kind)
            and (wanted.identity_class is None or one.identity in of_class)
            and (wanted.identity is None or any(matches(wanted.identity, name) for name in names))
            and (wanted.owner is None or plain(wanted.owner) in {plain(each.value) for each in _held(one, "owner")})
        )

    return fits


def _drawn(everybody: list[Member], wanted: Wanted) -> tuple[list[Member], Sampled | None]:
    if not everybody:
        told = ", ".join(f"--{name} {value}" for name, value in wanted.chosen)
        raise NotFound(
            "no identity fits", where="register", found=told, advice="`custody register list` shows every identity."
        )
    if wanted.sample is None or wanted.seed is None:
        return everybody, None
    drawn = sample((one.identity for one in everybody), wanted.sample, wanted.seed)
    sampled = Sampled(size=drawn.size, seed=drawn.seed, population=drawn.population, digest=drawn.digest)
    return [one for one in everybody if one.identity in set(drawn.chosen)], sampled


def _member(one: Entry) -> Member:
    """An entry of the register as the reviewer is shown it. No leaf is in it: the same facts are the same bytes."""
    used = max((each.last_used for each in one.lifecycles if each.last_used is not None), default=None)
    given = tuple(sorted({granted(each) for each in one.privileges or () if gives(each)}))
    return Member(
        identity=one.identity,
        kind=one.kind,
        population=one.population,
        owner=tuple(_facts(one, "owner")),
        purpose=tuple(_facts(one, "purpose")),
        declared=tuple(sorted({each.value for each in _held(one, "privilege")})),
        granted=given if one.privileges else None,
        credentials=one.credentials,
        alive=sum(each.alive for each in one.lifecycles),
        last_used=text(used),
        exception=tuple(sorted(map(_exception, one.exceptions))),
        missing=one.missing,
        names=tuple(sorted({each.name for each in one.names})),
    )


def _held(one: Entry, field: str) -> Iterator[Said]:
    return (each for each in one.said(field) if each.state is State.HELD)


def _facts(one: Entry, field: str) -> Iterator[Fact]:
    every = sorted(_held(one, field), key=lambda each: (each.said_by, each.value))
    every.sort(key=lambda each: (not each.vouched, each.signer is None))
    return (Fact(value=each.value, said_by=each.said_by, signer=each.signer) for each in every)


def _exception(one: Said) -> str:
    """An exception in a line: who answers for it, why, and until when; one that ran out says so."""
    how = "ran out" if one.state is State.EXPIRED else "through"
    ends = "" if one.expires is None else f" ({how} {until_text(one.expires)})"
    return f"{one.value}: {one.note or 'no reason given'}{ends}"
