"""From the bytes of an innermost file to its records, each with its exact place.

Every byte range that should be a record but cannot be read as one is framed too, with the reason as its ``problem``.
Nothing that the bytes hold raises. Frames ascend and never overlap; white space, byte order marks and the envelope of
an array of records (``{"NextToken":…,"Events":[``) belong to no frame. A frame of length 0 marks the place where a
comma or the end of an array is missing, for instance because the file was cut short just there.

Forms: that of the wrapping; else ``array`` for an element of an array, ``lines`` for a value that stands within one
line, ``document`` for one over several lines. The form so depends on the record alone, not on what else is in its file.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from custody.model.records import Framed, TextFraming, Wrapping
from custody.readers.content import Content
from custody.readers.limits import DEFAULT, Limits
from custody.readers.scan import Window
from custody.readers.texts import HEAD, Texts, framing_of
from custody.readers.walk import Walk
from custody.readers.wrappers import Framer, Place, Wrappings

Declared = Wrapping | TextFraming
"""What a source says about how its records stand in files."""

_OBJECT = msgspec.json.Decoder(dict[str, list[msgspec.Raw]])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ARRAY_HEAD = re.compile(rb'[ \t\n\r]*\[(?=[ \t\n\r]*[\[\]{"])')
_GAP = re.compile(rb"[ \t\n\r]*,?[ \t\n\r]*")
_OBJECT_TAIL = re.compile(rb"[ \t\n\r]*\][ \t\n\r]*\}[ \t\n\r]*\Z")
_ARRAY_TAIL = re.compile(rb"[ \t\n\r]*\][ \t\n\r]*\Z")
_Parts = list[tuple[int, int]]


def frame(content: Content, declared: Sequence[Declared], limits: Limits = DEFAULT) -> Iterator[Framed]:
    """Every record of ``content``, ascending.

    Raises SourceError only where a large file changes while it is read; see ``Content.blocks``.
    """
    known, texts = _sorted(tuple(declared))
    framer = Framer(known, limits)
    if content.whole is not None and not content.lead and (split := _split(content.whole, known)) is not None:
        place, parts = split
        for at, end in parts:
            yield framer.element(at, content.whole[at:end], place)
        return
    window = Window(content.blocks(), limits.max_record)
    framing = framing_of(content.lead or window.peek(HEAD), texts)
    if framing is None:
        yield from Walk(window, framer, limits).frames(content.lead)
        return
    begun = msgspec.structs.replace(framing, begins=0) if content.lead else framing
    yield from Texts(window, framer, limits, begun).frames()


@lru_cache(maxsize=8)
def _sorted(declared: tuple[Declared, ...]) -> tuple[Wrappings, tuple[TextFraming, ...]]:
    texts = tuple(each for each in declared if isinstance(each, TextFraming))
    return Wrappings([each for each in declared if isinstance(each, Wrapping)]), texts


def _split(data: bytes, wrappings: Wrappings) -> tuple[Place, _Parts] | None:
    """The elements of a file that is one sound array of records and nothing else, else None (walk it)."""
    try:
        if head := wrappings.head.match(data):
            found = _OBJECT.decode(data)
            name, parts = next(iter(found.items()))
            place = wrappings.place(name, ()) if name in wrappings.containers else None
            places = None if place is None else _parts(data, head.end(), parts, _OBJECT_TAIL)
            return None if place is None or places is None else (place, places)
        if head := _ARRAY_HEAD.match(data):
            places = _parts(data, head.end(), _ARRAY.decode(data), _ARRAY_TAIL)
            return None if places is None else (wrappings.array, places)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None


def _parts(data: bytes, at: int, parts: list[msgspec.Raw], tail: re.Pattern[bytes]) -> _Parts | None:
    """Where the parts stand, given that the first comes after ``at`` and only gaps stand between.

    None where they do not end with the file: an object with the same name twice shows only its last array.
    """
    places = []
    gap = _GAP.match
    for part in parts:
        found = gap(data, at)
        start = found.end() if found else at
        at = start + len(part)
        if data[start:at] != bytes(part):
            return None
        places.append((start, at))
    return places if tail.match(data, at) else None
