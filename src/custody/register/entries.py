"""Puts entries together from the tables of the register, for a list or for one identity."""

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import TypeVar

import msgspec

from custody.engine.duck import Engine
from custody.register import names, usage
from custody.register.entry import NOW, Dependency, Entry, Granted, Life, Lifecycle, Name, Said, Touched, When
from custody.register.gaps import GIVING, GRANTED, SINGLE
from custody.register.spelling import canonical
from custody.register.standing import Members, agree, membership
from custody.register.times import State, state_of, visible

AT_ONCE = 500
"""Identities whose entries are put together in one go."""
MOST_LIVES = 100
"""Credentials that an entry lists one by one, the last issued first."""

EVERY = "SELECT identity FROM identities ORDER BY identity"
HEADS = """
    SELECT identity, kind, declared, population, account, first_seen, last_seen, leaf FROM identities
    WHERE identity IN ({ids}) ORDER BY identity
"""
CLAIMS = """
    SELECT identity, field, value, said_by, asserter, signer, method, vouched, since, until, expires, known_at,
           superseded_at, note, leaf
    FROM claims WHERE identity IN ({ids})
    ORDER BY identity, field, coalesce(leaf, -1), said_by, value
"""
NAMES = """
    SELECT identity, name, how, leaf FROM identity_names
    WHERE identity IN ({ids}) AND (how = 'declared' OR leaf < {size}) ORDER BY identity, name, how
"""
TOUCHED = """
    SELECT identity, what, name, uses, denied, first, last, leaf, total FROM touched
    WHERE identity IN ({ids}) AND first <= {as_of} AND leaf < {size} ORDER BY identity, what, uses DESC, name
"""
DEPENDENCIES = """
    SELECT identity, dependency, declared, observed, how, leaf FROM dependencies
    WHERE identity IN ({ids}) AND leaf < {size} ORDER BY identity, dependency
"""
LIFECYCLES = f"""
    {usage.COUNTS} WHERE l.identity IN ({{ids}}) AND l.first_seen <= {{as_of}}
        AND coalesce(l.issue_leaf, l.first_use_leaf) < {{size}}
    GROUP BY l.identity, l.kind ORDER BY l.identity, l.kind
"""
LIVES = """
    SELECT identity, key, kind, issued_at, not_after, ttl, last_use, renewed, ended, end_effect, issue_leaf,
           first_use_leaf, end_leaf
    FROM credential_lives
    WHERE identity IN ({ids}) AND first_seen <= {as_of} AND coalesce(issue_leaf, first_use_leaf) < {size}
    ORDER BY first_seen DESC, key
"""
GRANTS = """
    SELECT DISTINCT n.identity, g.principal, g.kind, g.what, g.through, g.since, g.until, g.since_how, g.by_principal,
           g.approver, g.approved_at, g.leaf
    FROM grants g
    JOIN identity_names n ON n.name = g.principal
    WHERE n.identity IN ({ids}) AND g.kind NOT IN ('version', 'rules') AND coalesce(g.leaf, -1) < {size}
      AND (g.since IS NULL OR g.since <= {as_of}) AND (g.until IS NULL OR g.until > {as_of})
    ORDER BY n.identity, g.principal, g.kind, g.what, g.through, g.since, g.leaf
"""
FAR = 2**62

Row = TypeVar("Row", bound=msgspec.Struct)


class _Head(msgspec.Struct, frozen=True, array_like=True):
    """A row of ``identities``."""

    identity: str
    kind: str
    declared: bool
    population: str | None
    account: str | None
    first_seen: int | None
    last_seen: int | None
    leaf: int | None


class _Claim(msgspec.Struct, frozen=True, array_like=True):
    """A row of ``claims``."""

    field: str
    value: str
    said_by: str
    asserter: str
    signer: str | None
    method: str | None
    vouched: bool
    since: int | None
    until: int | None
    expires: int | None
    known_at: int | None
    superseded_at: int | None
    note: str | None
    leaf: int | None


def entries(engine: Engine, when: When = NOW) -> Iterator[Entry]:
    """The entry of every identity that was known ``when``, in order; memory stays flat."""
    reading = _Reading(engine, when)
    every = (str(identity) for (identity,) in engine.stream(EVERY))
    while some := list(islice(every, AT_ONCE)):
        yield from reading.entries(some)


def entry(engine: Engine, name: str, when: When = NOW) -> Entry | None:
    """The entry to which ``name`` leads (a stable id, a key of a credential or principal, an ARN or a short name).

    None where nothing goes by it, or did not yet.
    """
    identity = identity_of(engine, name)
    if identity is None:
        return None
    reading = _Reading(engine, when)
    found = next(reading.entries([identity]), None)
    return None if found is None else msgspec.structs.replace(found, lives=reading.lives(identity))


def identity_of(engine: Engine, name: str) -> str | None:
    """The identity that goes by ``name``; of several the one that declares it, then the first by name."""
    text, form = name.strip(), canonical(name.strip())
    found = engine.rows(
        "SELECT identity FROM (SELECT identity, 0 AS place FROM identities WHERE identity IN (?, ?) "
        "UNION ALL SELECT n.identity, CASE n.how WHEN 'declared' THEN 1 ELSE 2 END FROM identity_names n "
        "WHERE n.name IN (?, ?) "
        "UNION ALL SELECT k.identity, 3 FROM key_identities k WHERE k.key = ?) ways ORDER BY place, identity LIMIT 1",
        [text, form, text, form, form],
    )
    if found:
        return str(found[0][0])
    key = min((each for each, _ in names.called(engine, {form}, usage.NAMES)), default=None)
    return None if key is None else identity_of(engine, key)


def ending_in(engine: Engine, name: str, most: int = 3) -> list[str]:
    """Names of identities of which ``name`` is the last part, at most so many: what somebody may have meant."""
    text = name.strip()
    rows = engine.rows(
        "SELECT DISTINCT n.name FROM identity_names n WHERE right(n.name, ?) IN (?, ?) ORDER BY n.name LIMIT ?",
        [len(text) + 1, f"/{text}", f":{text}", most],
    )
    return [str(found) for (found,) in rows] if text else []


class _Reading:
    """The tables, read for some identities at a time."""

    def __init__(self, engine: Engine, when: When) -> None:
        self._engine, self._when = engine, when
        latest = engine.rows("SELECT moment FROM register_moment")
        moment = latest[0][0] if latest else None
        self._moment = when.as_of if when.as_of is not None else moment if isinstance(moment, int) else None
        pairs = engine.rows("SELECT party, member FROM parties WHERE member IS NOT NULL")
        self._members = membership((str(party), str(member)) for party, member in pairs)
        self._granted = engine.number(GRANTED) > 0
        engine.run(usage.LIVES)

    def entries(self, identities: Sequence[str]) -> Iterator[Entry]:
        """The entries of ``identities``, in order, of those that were known."""
        claims = self._claims(identities)
        called = self._rows(NAMES, identities, Name)
        lives = self._rows(LIFECYCLES, identities, Lifecycle)
        touched = self._rows(TOUCHED, identities, Touched)
        uses = self._rows(DEPENDENCIES, identities, Dependency)
        grants = self._rows(GRANTS, identities, Granted) if self._granted else {}
        for row in self._engine.rows(self._sql(HEADS, identities), list(identities)):
            head = msgspec.convert(row, _Head)
            one = head.identity
            said, life = claims.get(one, ()), lives.get(one, ())
            if not _known(head, said, self._when):
                continue
            granted = grants.get(one, ()) if self._granted else None
            yield Entry(
                identity=one,
                kind=head.kind,
                declared=head.declared,
                population=head.population,
                account=head.account,
                first_seen=head.first_seen,
                last_seen=head.last_seen,
                credentials=sum(each.credentials for each in life),
                leaf=head.leaf,
                names=called.get(one, ()),
                claims=said,
                lifecycles=life,
                touched=touched.get(one, ()),
                dependencies=uses.get(one, ()),
                privileges=granted,
                missing=_missing(said, life, granted),
            )

    def lives(self, identity: str) -> tuple[Life, ...]:
        """The last credentials of one identity."""
        found = self._rows(f"{LIVES} LIMIT {MOST_LIVES}", [identity], Life)
        return found.get(identity, ())

    def _sql(self, sql: str, identities: Sequence[str]) -> str:
        as_of = FAR if self._when.as_of is None else self._when.as_of
        alive = self._moment or 0
        size = FAR if self._when.size is None else self._when.size
        return sql.format(ids=", ".join("?" for _ in identities), as_of=as_of, alive_at=alive, size=size)

    def _rows(self, sql: str, identities: Sequence[str], kind: type[Row]) -> dict[str, tuple[Row, ...]]:
        rows = self._engine.rows(self._sql(sql, identities), list(identities))
        return {
            str(identity): tuple(msgspec.convert(row[1:], kind) for row in some)
            for identity, some in groupby(rows, key=lambda row: row[0])
        }

    def _claims(self, identities: Sequence[str]) -> dict[str, tuple[Said, ...]]:
        found = self._rows(CLAIMS, identities, _Claim)
        return {identity: tuple(_said(some, self._moment, self._when, self._members))
                for identity, some in found.items()}  # fmt: skip


def _said(claims: Sequence[_Claim], moment: int | None, when: When, members: Members) -> Iterator[Said]:
    seen = [(one, _state(one, moment, when)) for one in claims if visible(one.known_at, when.known_at)]
    held = [one for one, state in seen if state is State.HELD]
    for one, state in seen:
        plain = {name: getattr(one, name) for name in one.__struct_fields__}
        against = state is State.HELD and any(_contradicts(one, other, members) for other in held)
        yield Said(**plain, state=state, contradicted=against)


def _state(one: _Claim, moment: int | None, when: When) -> State:
    return state_of(moment, one.since, one.expires, one.known_at, one.superseded_at, when.known_at)


def _contradicts(one: _Claim, other: _Claim, members: Members) -> bool:
    """Whether two that hold, from different mouths, say different things where only one can be true."""
    return (
        one.field == other.field
        and one.field in SINGLE
        and one.said_by != other.said_by
        and not (one.said_by.startswith("contract:") and other.said_by.startswith("contract:"))
        and not agree(one.value, other.value, members)
    )


def _known(head: _Head, said: Sequence[Said], when: When) -> bool:
    """Whether an identity was known: a record that had arrived shows it by then, or a document names it."""
    arrived = head.leaf is not None and (when.size is None or head.leaf < when.size)
    begun = when.as_of is None or head.first_seen is None or head.first_seen <= when.as_of
    return (arrived and begun) or any(one.known_at is not None and one.state is not State.LATER for one in said)


def _missing(said: Sequence[Said], lives: Sequence[Lifecycle], privileges: Sequence[Granted] | None) -> tuple[str, ...]:
    held = {one.field for one in said if one.state is State.HELD}
    known = {
        "purpose": "purpose" in held,
        "owner": "owner" in held,
        "privileges": "privilege" in held or any(each.kind in GIVING for each in privileges or ()),
        "lifecycle": all(each.issued == each.credentials for each in lives),
    }
    return tuple(name for name, there in known.items() if not there)
