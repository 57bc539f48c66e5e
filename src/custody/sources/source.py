"""What a source is: one kind of log, how to recognise it, identify its records and read them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from custody.model.events import Event, Skip
from custody.model.records import Identity, TextFraming, Wrapping

Standing = Literal["laboratory", "samples", "documentation"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One kind of log.

    ``recognise(raw)`` is a cheap test on the bytes. ``identify(raw)`` gives the frozen identity and the places of
    secrets, None where this source does not know the record; it raises nothing and runs before sealing.
    ``identify_all`` is the same for many records at once, where that is quicker; ``glance`` looks over many records so
    that the next calls for each of them are quicker, and changes nothing in what they give. ``read(kept, form)`` runs
    on the kept copy, may improve between versions, and raises nothing.

    Every record that ``recognise`` takes holds one of the ``marks``; a source that cannot say so has none. They are
    searched in many records at once.

    ``time_resolution`` and ``delivery_delay`` are microseconds: ties within the first are ordered by stage, and within
    the second after now a missing record proves nothing. ``proves`` says what the log can prove, ``enable`` how to
    switch it on. ``texts`` are the framings of logs that are no JSON. ``standing`` says what the reading of this log
    rests on: proved in the ``laboratory``, on published ``samples``, or on ``documentation`` only. ``retention`` is how
    long the product keeps its log unless told otherwise (microseconds), None where that is the operator's choice.
    """

    name: str
    title: str
    wrappings: tuple[Wrapping, ...]
    recognise: Callable[[bytes], bool]
    identify: Callable[[bytes], Identity | None]
    read: Callable[[bytes, str], tuple[Event, ...] | Skip]
    time_resolution: int
    delivery_delay: int
    proves: str
    enable: str
    texts: tuple[TextFraming, ...] = ()
    standing: Standing = "documentation"
    retention: int | None = None
    identify_all: Callable[[Sequence[bytes]], list[Identity | None]] | None = None
    glance: Callable[[Sequence[bytes]], None] | None = None
    marks: tuple[bytes, ...] = ()

    def identities(self, raws: Sequence[bytes]) -> list[Identity | None]:
        """``identify`` of each record, in order, by the quickest way that the source has."""
        return list(self.each(raws))

    def each(self, raws: Sequence[bytes]) -> Iterable[Identity | None]:
        """The same, each identified when it is asked for: one that is read at once is not searched twice."""
        if self.glance is not None:
            self.glance(raws)
        return map(self.identify, raws) if self.identify_all is None else self.identify_all(raws)
