"""The whole delegation that a credential belongs to: from the exact root down to every descendant, as a list.

Exact children and candidate children (joins that are bounded or inferred) both hang below their parents; how each is
joined is said with it. A credential that several may have asked for stands under each of them, with its own
descendants only under the first.
"""

from collections.abc import Sequence

import msgspec

from custody.chains.containment import ALIVE
from custody.chains.join import CANDIDATE, PARENT
from custody.chains.trace import LOG
from custody.engine.duck import Engine
from custody.model.effects import said
from custody.model.keys import credential_id
from custody.model.report import LeafRef, Related
from custody.model.times import text

MAX_NODES = 500
SHOWN_CHILDREN = 20
MAX_DEPTH = 32


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """One credential in the tree. ``depth`` is 0 at the root; nodes follow each other as a person would read them.

    ``joined`` is how it hangs on the one above, None at the root; it is one of ``candidates`` that may be its parent.
    ``again`` says that it stands further up already, with its descendants, ``unshown`` how many children are left out.
    Times are RFC 3339. ``who`` is empty where no record of it was read: a child names it, and that is all.
    """

    key: str
    credential: str
    who: str
    population: str
    depth: int
    joined: Related | None
    candidates: int
    issued_at: str | None
    not_after: str | None
    ended: str | None
    ended_at: str | None
    alive: bool
    uses: int
    asked: bool
    again: bool
    unshown: int


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """The delegation. ``above`` are the candidates for the parent of its root; ``cut_off`` says that it is longer."""

    key: str
    as_of: str | None
    above: tuple[Related, ...]
    branches: tuple[Branch, ...]
    cut_off: bool


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The columns of ``judged`` that a branch shows."""

    key: str
    who: str
    population: str
    issued_at: int | None
    not_after: int | None
    end_time: int | None
    end_effect: str | None
    alive: bool
    uses: int
    as_of: int


class Edge(msgspec.Struct, frozen=True, array_like=True):
    """A link from a child to one that is or may be its parent."""

    child: str
    parent: str
    relation: str
    link: str
    grade: str
    leaf: int


def tree(engine: Engine, key: str) -> Tree | None:
    """The delegation around ``key``, None where it has no credential. At most MAX_NODES branches."""
    path = _path(engine, key)
    edges = _below(engine, path)
    keys = list(dict.fromkeys([path[0], *(edge.child for some in edges.values() for edge in some)]))
    rows = {row.key: row for row in _rows(engine, keys)}
    if key not in rows:
        return None
    branches = _Walk(rows, edges, _counts(engine, keys), frozenset(path), key).branches(path[0])
    return Tree(
        key=key,
        as_of=text(rows[key].as_of),
        above=tuple(_related(edge.parent, edge) for edge in _edges(engine, "from_key", [path[0]], CANDIDATE)),
        branches=tuple(branches[:MAX_NODES]),
        cut_off=len(branches) > MAX_NODES or len(keys) >= MAX_NODES,
    )


def _path(engine: Engine, key: str) -> list[str]:
    """From the exact root to ``key``, as far as exact links lead."""
    path = [key]
    while len(path) < MAX_DEPTH:
        parents = [edge.parent for edge in _edges(engine, "from_key", [path[0]], PARENT) if edge.parent not in path]
        if not parents:
            break
        path.insert(0, parents[0])
    return path


def _below(engine: Engine, path: Sequence[str]) -> dict[str, list[Edge]]:
    """The links to the children of every credential under the root, by parent."""
    found: dict[str, list[Edge]] = {}
    seen, level = {path[0]}, [path[0]]
    while level and len(seen) < MAX_NODES:
        fresh: list[str] = []
        for edge in _edges(engine, "to_key", level, PARENT, CANDIDATE):
            found.setdefault(edge.parent, []).append(edge)
            if edge.child not in seen:
                seen.add(edge.child)
                fresh.append(edge.child)
        level = sorted(fresh, key=lambda child: child not in path)[:MAX_NODES]
    return found


def _edges(engine: Engine, column: str, keys: Sequence[str], *relations: str) -> list[Edge]:
    table = "links_by_parent" if column == "to_key" else "links"
    marks, kinds = ", ".join("?" for _ in keys), ", ".join(f"'{relation}'" for relation in relations)
    rows = engine.rows(
        f"SELECT from_key, to_key, relation, link, grade, leaf FROM {table} "
        f"WHERE {column} IN ({marks}) AND relation IN ({kinds}) ORDER BY leaf, from_key, to_key, link",
        list(keys),
    )
    return msgspec.convert(rows, list[Edge])


def _rows(engine: Engine, keys: Sequence[str]) -> list[Row]:
    marks = ", ".join("?" for _ in keys)
    rows = engine.rows(
        "SELECT c.key, c.who, c.population, c.issued_at, c.not_after, c.end_time, c.end_effect, "
        f"{ALIVE} AS alive, c.uses, c.as_of FROM judged c WHERE c.key IN ({marks})",
        list(keys),
    )
    return msgspec.convert(rows, list[Row])


def _counts(engine: Engine, keys: Sequence[str]) -> dict[str, int]:
    """How many candidate parents each has."""
    parents: dict[str, set[str]] = {}
    for edge in _edges(engine, "from_key", keys, CANDIDATE):
        parents.setdefault(edge.child, set()).add(edge.parent)
    return {child: len(some) for child, some in parents.items()}


def _related(key: str, edge: Edge) -> Related:
    leaf = LeafRef(LOG, edge.leaf)
    return Related(key=key, credential=credential_id(key), join=edge.link, leaf=leaf, grade=edge.grade)


class _Walk:
    """Depth first, each credential with its descendants once."""

    def __init__(
        self,
        rows: dict[str, Row],
        edges: dict[str, list[Edge]],
        counts: dict[str, int],
        path: frozenset[str],
        asked: str,
    ) -> None:
        self.rows, self.edges, self.counts, self.path, self.asked = rows, edges, counts, path, asked
        self.done: set[str] = set()

    def branches(self, root: str) -> list[Branch]:
        """From ``root`` down, without recursion: a chain of delegation can be long."""
        found: list[Branch] = []
        waiting: list[tuple[str, Edge | None, int]] = [(root, None, 0)]
        while waiting and len(found) <= MAX_NODES:
            key, edge, depth = waiting.pop()
            again = key in self.done
            self.done.add(key)
            below = [] if again or depth >= MAX_DEPTH else self._children(key)
            shown = self._shown(below)
            found.append(self._branch(key, edge, depth, again, len(below) - len(shown)))
            waiting += [(each.child, each, depth + 1) for each in reversed(shown)]
        return found

    def _children(self, key: str) -> list[Edge]:
        """One link a child, the exact one where there are several, in the order of issue."""
        best: dict[str, Edge] = {}
        for edge in self.edges.get(key, ()):
            if edge.child not in best or edge.relation == PARENT:
                best[edge.child] = edge
        return sorted(best.values(), key=self._order)

    def _order(self, edge: Edge) -> tuple[int, str]:
        row = self.rows.get(edge.child)
        return (row.issued_at or 0 if row else 0, edge.child)

    def _shown(self, below: Sequence[Edge]) -> list[Edge]:
        """The first children, and that on the way to what was asked for."""
        return [edge for at, edge in enumerate(below) if at < SHOWN_CHILDREN or edge.child in self.path]

    def _branch(self, key: str, edge: Edge | None, depth: int, again: bool, unshown: int) -> Branch:
        row = self.rows.get(key)
        return Branch(
            key=key,
            credential=credential_id(key),
            who=row.who if row else "",
            population=row.population if row else "unknown",
            depth=depth,
            joined=None if edge is None else _related(key, edge),
            candidates=self.counts.get(key, 0) if edge is not None and edge.relation == CANDIDATE else 0,
            issued_at=text(row.issued_at) if row else None,
            not_after=text(row.not_after) if row else None,
            ended=_ended(row),
            ended_at=text(row.end_time) if row and row.end_time is not None and not row.alive else None,
            alive=row is not None and row.alive,
            uses=row.uses if row else 0,
            asked=key == self.asked,
            again=again,
            unshown=unshown,
        )


def _ended(row: Row | None) -> str | None:
    if row is None or row.alive:
        return None
    return said(row.end_effect) if row.end_time is not None else "expired"
