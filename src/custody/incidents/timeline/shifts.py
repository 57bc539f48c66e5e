"""What has to be added to the times of each source to bring them to one clock, from what the chains measured.

``chains.clocks`` measures pairs of sources by records that exact keys join. One source is the reference; each other is
reached over the fewest measured pairs, and what is unsure adds up on the way. A source that nothing measures, or whose
measures contradict each other, has no shift: its times stay as they are, and are shown as not corrected. Nothing here
changes a time: a shift stands beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from custody.engine.duck import Engine

STEADY = 60_000_000
"""Measures of one pair that are further apart than this (µs) say that a record is strange, not how a clock goes."""
FAR, ENOUGH = 300_000_000, 3
"""Past this (µs) so many records have to agree: one forged or mistaken time would move a whole lane."""


class Measured(msgspec.Struct, frozen=True, array_like=True):
    """A row of ``clocks``: ``apart`` is the time of ``other`` less that of ``source`` (µs), ``widest`` the largest."""

    source: str
    other: str
    samples: int
    apart: int
    widest: int
    how: str


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """What brings one source to the reference: ``shifted`` is added to its times (µs), None where it is not known.

    ``unsure`` is how far the measures are from their mean (µs), None where they only give the least.
    ``samples`` says how many records the weakest pair on the way rests on, ``over`` the sources on the way, ``why`` how
    it was measured, or why not.
    """

    source: str
    shifted: int | None
    unsure: int | None = None
    samples: int = 0
    over: tuple[str, ...] = ()
    why: str = ""


class Shifts(msgspec.Struct, frozen=True, kw_only=True):
    """Every source of the timeline with its shift, sorted, and the one that the others are brought to."""

    reference: str | None = None
    each: tuple[Shift, ...] = ()

    def of(self, source: str) -> Shift | None:
        """The shift of a source; None where it is none of the timeline's."""
        return next((one for one in self.each if one.source == source), None)


def measured(engine: Engine) -> tuple[Measured, ...]:
    """The rows of the table ``clocks``, sorted."""
    rows = engine.rows("SELECT source, other, samples, apart, widest, how FROM clocks ORDER BY source, other")
    return tuple(msgspec.convert(rows, list[Measured]))


def shifts(rows: Sequence[Measured], sources: Iterable[str]) -> Shifts:
    """The shift of each of ``sources``. The reference is the one that most others were measured against."""
    wanted = sorted(set(sources))
    good = [row for row in rows if not _strange(row)]
    near: dict[str, list[Measured]] = defaultdict(list)
    for row in good:
        near[row.source].append(row)
    able = [name for name in wanted if near[name]]
    if not able:
        return Shifts(each=tuple(Shift(source=name, shifted=None, why=_why_not(name, rows)) for name in wanted))
    reference = max(able, key=lambda name: (len(near[name]), sum(row.samples for row in near[name]), _late(name)))
    found = _reached(reference, near)
    each = (found.get(name, Shift(source=name, shifted=None, why=_why_not(name, rows, reference))) for name in wanted)
    return Shifts(reference=reference, each=tuple(each))


def _late(name: str) -> tuple[int, ...]:
    """Of equals the first by name is the greatest."""
    return tuple(-ord(letter) for letter in name)


def _strange(row: Measured) -> bool:
    if row.widest - abs(row.apart) > STEADY:
        return True
    return abs(row.apart) > FAR and row.samples < ENOUGH


def _reached(reference: str, near: dict[str, list[Measured]]) -> dict[str, Shift]:
    """Breadth first, neighbours by name: the same measures give the same shifts."""
    start = Shift(source=reference, shifted=0, unsure=0, why="the reference")
    found, level = {reference: start}, [start]
    while level:
        fresh: list[Shift] = []
        for at in level:
            for row in near[at.source]:
                if row.other not in found:
                    found[row.other] = _next(at, row)
                    fresh.append(found[row.other])
        level = fresh
    return found


def _next(at: Shift, row: Measured) -> Shift:
    least = row.how != "made in both"
    return Shift(
        source=row.other,
        shifted=(at.shifted or 0) - row.apart,
        unsure=None if least or at.unsure is None else at.unsure + row.widest - abs(row.apart),
        samples=min(row.samples, at.samples or row.samples),
        over=(*at.over, at.source),
        why=f"at least: {row.how}" if least else row.how,
    )


def _why_not(name: str, rows: Sequence[Measured], reference: str | None = None) -> str:
    mine = [row for row in rows if row.source == name]
    if not mine:
        return "nothing compares its clock with another"
    if all(_strange(row) for row in mine):
        return "its measures contradict each other, or one record alone tells of hours"
    return f"nothing compares it with {reference}"
