"""Legal holds: while one is in force, nothing that it covers is erased.

A hold is a sealed statement ``legal-hold``, its end another, ``legal-hold-release``. It says in words what it covers
and is worked out to leaves when something is to be erased: records that come later are covered too. What it names adds
up. A hold whose names lead nowhere any more stops every erasure until it is released: nobody can say what it
covers.

An incident is a hold too (``incident:ID``), which nobody has to remember to seal and nobody can release: see
``erasing.incidents``.

A hold is evidence and not a lock on the disk: whoever can write the store can release it, for everybody to see.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from custody import __version__
from custody.errors import NotFound, UsageError
from custody.model.incidents import Seed
from custody.model.times import text
from custody.pipeline import mappings
from custody.pipeline.audit import now, whoami
from custody.pipeline.packing.scope import credential_of, identities_of
from custody.pipeline.tables import answers
from custody.settings.catalog import Settings
from custody.settings.moments import parse_end, parse_start
from custody.store.reader import Reader
from custody.store.storefile import read_store_file
from custody.store.writer import Writer

HOLD, RELEASE = "legal-hold", "legal-hold-release"
INCIDENT = "incident:"
"""What the name of the hold that an incident is begins with; its id follows."""
LONGEST = 2_000
"""Characters of a reason."""

MOST = 500
"""Things that one hold names."""

Range = tuple[int, int]


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What a hold covers. ``leaves`` are ranges [first, end), ``periods`` pairs of RFC 3339 times."""

    everything: bool = False
    identities: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    leaves: tuple[Range, ...] = ()
    sources: tuple[str, ...] = ()
    periods: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        named = (self.identities, self.credentials, self.leaves, self.sources, self.periods)
        return int(self.everything) + sum(map(len, named))


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One hold, ``leaf`` its statement. ``by`` is claimed; ``released`` is when, None while it is in force.

    ``incident`` is the id of the incident that is the hold, ``seeds`` what its steps name beside the leaves of the
    scope, ``until`` (RFC 3339) when it ends by itself, None while the incident is open.
    """

    name: str
    leaf: int
    scope: Scope
    reason: str
    owner: str | None
    by: str
    at: str
    released: str | None = None
    release_leaf: int | None = None
    release_reason: str | None = None
    incident: str | None = None
    seeds: tuple[Seed, ...] = ()
    until: str | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """The names in ``seeds``, sorted."""
        return tuple(sorted({seed.value for seed in self.seeds}))


class Holds(msgspec.Struct, frozen=True, kw_only=True):
    """Every hold that was ever made, in order of leaf."""

    holds: tuple[Hold, ...]

    @property
    def in_force(self) -> tuple[Hold, ...]:
        """Those that are not released."""
        return tuple(each for each in self.holds if each.released is None)


def holds(reader: Reader) -> Holds:
    """What the log says of holds."""
    found: list[Hold] = []
    said = sorted((*reader.statements(HOLD), *reader.statements(RELEASE)), key=lambda each: each.leaf)
    for each in said:
        fields = {**each.entry.fields}
        if each.entry.what == HOLD:
            found.append(msgspec.convert({**fields, "leaf": each.leaf}, Hold))
            continue
        for position, hold in enumerate(found):
            if hold.name == fields.get("name") and hold.released is None:
                found[position] = msgspec.structs.replace(
                    hold,
                    released=str(fields.get("at")),
                    release_leaf=each.leaf,
                    release_reason=str(fields.get("reason")),
                )
    return Holds(holds=tuple(found))


def add(settings: Settings, name: str, scope: Scope, reason: str, owner: str | None) -> Hold:
    """Seal a hold. UsageError where it names nothing or too much, or one of the name is in force.

    NotFound where a name in it leads nowhere.
    """
    check_text(name, "NAME", 100)
    check_text(reason, "--reason")
    if name.startswith(INCIDENT):
        raise UsageError(
            "a name that the hold of an incident has", where=name[:60], expected=f"one that does not begin {INCIDENT!r}"
        )
    if not len(scope):
        raise UsageError(
            "the hold covers nothing", expected="--identity, --credential, --leaf, --source, --period or --all"
        )
    if len(scope) > MOST:
        raise UsageError("the hold names too much", found=f"{len(scope):,} things", expected=f"at most {MOST}")
    scope = msgspec.structs.replace(scope, periods=tuple(map(period, scope.periods)))
    read_store_file(settings.store)  # opening for writing would make one
    with Writer.open(settings.store, settings.keys, now=now(), version=__version__) as writer:
        with Reader.open(settings.store) as reader:
            if any(each.name == name for each in holds(reader).in_force):
                raise UsageError("a hold of this name is in force", where=name, advice="`custody hold list` shows it.")
            _check(settings, reader, scope)
        fields = {"name": name, "scope": msgspec.to_builtins(scope), "reason": reason, "owner": owner}
        leaf = writer.seal(HOLD, {**fields, "by": whoami(), "at": now()})
        with Reader.open(settings.store) as reader:
            return next(each for each in holds(reader).holds if each.leaf == leaf)


def release(settings: Settings, name: str, reason: str) -> Hold:
    """Seal that a hold has ended. NotFound where none of the name is in force."""
    check_text(reason, "--reason")
    if name.startswith(INCIDENT):
        raise UsageError(
            "the hold of an incident is not released by hand",
            where=name[:200],
            advice="It ends when the incident is closed and the time that its response file says has passed.",
        )
    read_store_file(settings.store)
    with Writer.open(settings.store, settings.keys, now=now(), version=__version__) as writer:
        with Reader.open(settings.store) as reader:
            if not any(each.name == name for each in holds(reader).in_force):
                raise NotFound("no hold of this name is in force", where=name, advice="`custody hold list` shows them.")
        leaf = writer.seal(RELEASE, {"name": name, "reason": reason, "by": whoami(), "at": now()})
        with Reader.open(settings.store) as reader:
            return next(each for each in holds(reader).holds if each.release_leaf == leaf)


def period(given: tuple[str, str]) -> tuple[str, str]:
    """A period with its times as RFC 3339. UsageError where it ends before it begins."""
    since, until = parse_start(given[0]), parse_end(given[1])
    if since >= until:
        raise UsageError("a period ends before it begins", where="--period", found="..".join(given))
    return str(text(since)), str(text(until))


def check_sources(reader: Reader, names: Sequence[str]) -> None:
    """UsageError for a source that nothing in the store can be of."""
    known = (*mappings.names(mappings.sealed(reader)), "unknown")
    for name in names:
        if name not in known:
            raise UsageError("no such source", where="--source", found=name[:100], expected=", ".join(sorted(known)))


def _check(settings: Settings, reader: Reader, scope: Scope) -> None:
    check_sources(reader, scope.sources)
    for first, end in scope.leaves:
        if not 0 <= first < end <= reader.size:
            raise UsageError("no such leaf", where="--leaf", found=str(end - 1), expected=f"0 to {reader.size - 1}")
    if scope.identities or scope.credentials:
        with answers(settings) as tables:
            identities_of(tables, scope.identities)
            for each in scope.credentials:
                credential_of(tables, each)


def check_text(given: str, where: str, longest: int = LONGEST) -> None:
    """UsageError where a text that is to be sealed is empty, too long, or not one printable line."""
    if not given.strip() or len(given) > longest or not given.isprintable():
        raise UsageError(
            "not a text for people", where=where, found=repr(given[:60]),
            expected=f"1 to {longest} printable characters on one line",
        )  # fmt: skip
