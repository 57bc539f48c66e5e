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

import msgspec

from custody.model.records import FORM_ARRAY, Framed, Wrapping
from custody.readers.content import Content
from custody.readers.limits import DEFAULT, Limits
from custody.readers.scan import Window
from custody.readers.walk import Walk
from custody.readers.wrappers import Framer, Wrappings

_OBJECT = msgspec.json.Decoder(dict[str, list[msgspec.Raw]])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ARRAY_HEAD = re.compile(rb'[ \t\n\r]*\[(?=[ \t\n\r]*[\[\]{"])')
_GAP = re.compile(rb"[ \t\n\r]*,?[ \t\n\r]*")
_OBJECT_TAIL = re.compile(rb"[ \t\n\r]*\][ \t\n\r]*\}[ \t\n\r]*\Z")
_ARRAY_TAIL = re.compile(rb"[ \t\n\r]*\][ \t\n\r]*\Z")
_Places = list[tuple[int, int]]


def frame(content: Content, wrappings: Sequence[Wrapping], limits: Limits = DEFAULT) -> Iterator[Framed]:
    """Every record of ``content``, ascending.

    Raises SourceError only where a large file changes while it is read; see ``Content.blocks``.
    """
    known = Wrappings(wrappings)
    framer = Framer(known, limits)
    split = None if content.whole is None else _split(content.whole, known)
    if split is None or content.whole is None:
        yield from Walk(Window(content.blocks(), limits.max_record), framer, limits).frames()
        return
    container, places = split
    for at, end in places:
        yield framer.element(at, content.whole[at:end], FORM_ARRAY, container)


def _split(data: bytes, wrappings: Wrappings) -> tuple[str | None, _Places] | None:
    """The elements of a file that is one sound array of records and nothing else, else None (walk it)."""
    try:
        if head := wrappings.head.match(data):
            found = _OBJECT.decode(data)
            name, parts = next(iter(found.items()))
            places = _places(data, head.end(), parts, _OBJECT_TAIL) if name in wrappings.containers else None
            return None if places is None else (name, places)
        if head := _ARRAY_HEAD.match(data):
            places = _places(data, head.end(), _ARRAY.decode(data), _ARRAY_TAIL)
            return None if places is None else (None, places)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None


def _places(data: bytes, at: int, parts: list[msgspec.Raw], tail: re.Pattern[bytes]) -> _Places | None:
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
