"""The tasks of agents in a batch, and which task each span belongs to, by its ancestors in the same batch."""

from collections.abc import Iterable, Mapping

import msgspec

Place = tuple[str, str]
"""Trace id and span id."""


class Tasks:
    """The tasks of one batch. Asking is linear over all spans, whatever their parents say: loops end."""

    def __init__(self, tasks: Mapping[Place, str], parents: Mapping[Place, str]) -> None:
        self._parents = parents
        self._known: dict[Place, str | None] = dict(tasks)

    def around(self, place: Place | None) -> str | None:
        """The key of the nearest task at or above a span, None where the batch holds none."""
        path: list[Place] = []
        while place is not None and place not in self._known:
            self._known[place] = None
            path.append(place)
            parent = self._parents.get(place)
            place = (place[0], parent) if parent else None
        found = self._known[place] if place is not None else None
        self._known.update(dict.fromkeys(path, found))
        return found


class Node(msgspec.Struct, frozen=True, gc=False):
    """A span's place in its batch: ``task`` is the key of the agent task that it is, None for another span."""

    place: Place
    parent: str | None
    task: str | None


def tasks_of(nodes: Iterable[Node | None]) -> Tasks:
    """The tasks among ``nodes``."""
    known = [node for node in nodes if node is not None]
    return Tasks(
        {node.place: node.task for node in known if node.task},
        {node.place: node.parent for node in known if node.parent},
    )
