"""What a join is: a declared way in which one part belongs to another, with its grade and its limits."""

import importlib
import pkgutil
from collections.abc import Sequence
from enum import StrEnum
from functools import cache

import msgspec

from custody.errors import CustodyError


class Grade(StrEnum):
    """How strong a join is, strongest first. A rule or report never raises it."""

    EXACT = "exact"
    BOUNDED = "bounded"
    INFERRED = "inferred"


USE = "use → issue"
PARENT = "child issue → parent key"
CANDIDATE = "child issue → candidate parent key"
END = "end → issue"
RUN = "issue → run"
TOLD = "told → use"


class Join(msgspec.Struct, frozen=True, kw_only=True):
    """One declared join.

    ``relation`` is what it links: one of the constants here where the chains are made of it, else words of its own.
    ``grade`` is the best that it can reach: a candidate that is one of several, or whose source is not known to be
    complete, is inferred (column ``candidates``). ``fields`` names the two sides as the logs call them,
    ``asserter`` who stands behind each. ``sql`` makes the view ``join_<id>``: one row a link, with the columns
    ``from_key``, ``to_key`` and ``leaf`` (the record that carries the link), over ``parts`` and the tables of
    ``chains.keys``. An end has ``time``, ``effect``, ``event`` and ``until`` besides, a run ``asserter``. ``counted``
    says that its rows count as links, ``kept`` that they are also written to the derived ``links`` table (use → issue
    is not: a use names its key itself). ``types`` are the key types of a join by equality. ``late`` says that its SQL
    looks at the views of other joins.
    """

    id: str
    relation: str
    grade: Grade
    fields: str
    asserter: str
    pitfalls: str
    sql: str
    counted: bool = True
    kept: bool = True
    types: tuple[str, ...] = ()
    late: bool = False

    @property
    def view(self) -> str:
        """The name of the view that ``sql`` makes."""
        return f"join_{self.id}"


def key_equality(name: str, types: tuple[str, ...], fields: str, pitfalls: str) -> Join:
    """The join of uses to the issue of the same server-issued key, for keys of some types."""
    return Join(
        id=name,
        relation=USE,
        grade=Grade.EXACT,
        fields=fields,
        asserter="issuer at issue, verifier at use",
        pitfalls=pitfalls,
        sql=f"""
            SELECT u.key AS from_key, u.key AS to_key, u.leaf AS leaf
            FROM parts u
            WHERE u.stage = 'use' AND NOT u.extra AND {of_types("u.key", types)}
              AND u.key IN (SELECT i.key FROM issues i)
        """,
        kept=False,
        types=types,
    )


def parent_equality(
    name: str, types: tuple[str, ...], fields: str, pitfalls: str, parents: tuple[str, ...] = ()
) -> Join:
    """The join of an issued key to the credential that asked for it, as the issuing record names it.

    ``parents`` are the key types that the asking credential has here, any where none is given.
    """
    only = f" AND {of_types('i.parent', parents)}" if parents else ""
    return Join(
        id=name,
        relation=PARENT,
        grade=Grade.EXACT,
        fields=fields,
        asserter="issuer",
        pitfalls=pitfalls,
        sql=f"""
            SELECT i.key AS from_key, i.parent AS to_key, i.leaf AS leaf, FALSE AS disputed
            FROM issues i
            WHERE i.parent IS NOT NULL AND i.parent <> i.key AND {of_types("i.key", types)}{only}
        """,
        types=types,
    )


def of_types(column: str, types: Sequence[str]) -> str:
    """The condition that a column of keys holds a key of one of ``types``."""
    return "(" + " OR ".join(f"{column} LIKE '{each}:%'" for each in types) + ")"


def listed(words: Sequence[str]) -> str:
    """Words of this package as a SQL list: ``('a', 'b')``."""
    return "(" + ", ".join(f"'{word}'" for word in words) + ")"


def use_join(key: str) -> str:
    """The id of the join by which uses of ``key`` are joined to its issue, its type where none is declared."""
    kind = key.partition(":")[0]
    return next((join.id for join in views(load(), USE) if kind in join.types), kind)


def views(joins: Sequence[Join], relation: str) -> tuple[Join, ...]:
    """The joins of one relation, in order."""
    return tuple(join for join in joins if join.relation == relation)


@cache
def load() -> tuple[Join, ...]:
    """Every join in ``chains/joins``, found by module scan, sorted by id; duplicate ids are refused."""
    package = importlib.import_module("custody.chains.joins")
    found: dict[str, Join] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        join = importlib.import_module(f"custody.chains.joins.{module}").JOIN
        if join.id in found:
            raise CustodyError("two joins have one id", where=module, found=join.id)
        found[join.id] = join
    return tuple(found[name] for name in sorted(found))
