"""What was made with the credentials of an action: long-lived keys descend from nothing, and are a way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from custody.incidents.judging import endings, saying
from custody.incidents.scope.grounds import Grounds, chosen, credentials, descendants, refs
from custody.model.incident_view import Judged
from custody.model.leaf import LeafRef
from custody.model.times import text
from custody.model.verdicts import Best, State

_MADE_WITH = """
    SELECT m.what, min(m.by_key), min(m.time), min(m.leaf) FROM made m
    WHERE m.effect = 'key.create' AND m.by_key IN (SELECT unnest(?)) GROUP BY m.what ORDER BY m.what
"""
_MAKERS = """
    SELECT m.what, m.by_key FROM made m WHERE m.effect = 'key.create' AND m.what IN (SELECT unnest(?))
    ORDER BY m.what, m.by_key
"""

Roots = Mapping[str, tuple[str, tuple[LeafRef, ...]]]
"""Keys, each with how it was made, in words, and the leaves that say so."""


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What became of some keys with all below them: an answer for each that nothing shows to be over.

    ``last`` is when the last of those that are over was (µs), ``below`` are all that were looked at.
    """

    left: tuple[Judged, ...] = ()
    last: int | None = None
    below: frozenset[str] = frozenset()

    def and_also(self, other: Made) -> Made:
        """Both."""
        ends = [each for each in (self.last, other.last) if each is not None]
        return Made(left=(*self.left, *other.left), last=max(ends, default=None), below=self.below | other.below)


def became(grounds: Grounds, question: str, roots: Roots) -> Made:
    """Whether each of ``roots`` is over, and all that exactly descends from them."""
    below = descendants(grounds.engine, roots)
    known, ends = credentials(grounds.engine, below), endings.verdicts(grounds.engine, below)
    left: list[Judged] = []
    for key in sorted(below):
        if key in ends and ends[key].state is State.PROVED:
            continue
        own = refs(known[key].issue_leaf) if key in known else ()
        why, leaves = roots.get(key, ("descends from a key that was made with one that had to end", own))
        told = f"{key} {why}, and nothing shows that it is over"
        left.append(saying.unproven(question, told, Best.INDICATED, leaves))
    over = [known[key].over for key in known if key in ends and ends[key].state is State.PROVED]
    last = max((each for each in over if each is not None), default=None)
    return Made(left=tuple(left), last=last, below=frozenset(below))


def with_them(grounds: Grounds, question: str, keys: Iterable[str]) -> Made:
    """What became of the long-lived keys that were made with ``keys``, or with what descends from such a key.

    Whoever made them may have had a reason to: that one is left only indicates.
    """
    found, known = Made(), set(keys)
    new = set(known)
    while new:
        rows = msgspec.convert(chosen(grounds.engine, _MADE_WITH, new), list[tuple[str, str, int, int]])
        roots = {
            key: (f"was made with {by} at {text(time)}", refs(leaf)) for key, by, time, leaf in rows if key not in known
        }
        each = became(grounds, question, roots)
        found, new = found.and_also(each), set(each.below) - known
        known |= new
    return found


def makers(grounds: Grounds, keys: Iterable[str]) -> dict[str, frozenset[str]]:
    """The credentials with which each of ``keys`` was made."""
    found: dict[str, frozenset[str]] = {}
    for key, by in chosen(grounds.engine, _MAKERS, keys):
        found[str(key)] = found.get(str(key), frozenset()) | {str(by)}
    return found
