"""The JSON documents of a pack: ASCII only, and long lists a line an element, so that nobody needs them whole.

A list document is ``{"<field>": <value>, …, "<name>": [``, then one element on each line with a comma after all but the
last, then ``]}``. Any JSON reader takes it; one that reads by line needs memory for one element.
"""

import json
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from custody.errors import LogError
from custody.model.report import LeafRef

LOG, APPROVALS = "operations", "approvals"
LONGEST = 64 << 20
"""Bytes in the longest line that is read."""


def document(value: object) -> bytes:
    """One document, indented, its names in their order. Control characters and all beyond ASCII stand as escapes."""
    return (json.dumps(msgspec.to_builtins(value), indent=1).replace("\x7f", "\\u007f") + "\n").encode("ascii")


def line(value: object) -> bytes:
    """One element of a list, without the line feed."""
    text = json.dumps(msgspec.to_builtins(value), separators=(",", ":"))
    return text.replace("\x7f", "\\u007f").encode("ascii")


def listing(fields: Mapping[str, object], name: str, elements: Iterable[bytes]) -> Iterator[bytes]:
    """A list document in pieces; ``elements`` are lines."""
    head = line(fields)[:-1]
    yield head + (b", " if len(head) > 1 else b"") + json.dumps(name).encode() + b": ["
    first = True
    for element in elements:
        yield (b"\n" if first else b",\n") + element
        first = False
    yield b"\n]}\n"


def read_listing(chunks: Iterable[bytes]) -> Iterator[object]:
    """The fields of a list document (with its empty list), then its elements. LogError where it is not one."""
    found = lines(chunks)
    yield _value(next(found, b"") + b"]}", 1)
    ended, expected = False, True
    for number, each in enumerate(found, 2):
        if ended or not (expected or each == b"]}"):
            raise LogError("not a list document", where=f"line {number}")
        ended = each == b"]}"
        if not ended:
            expected = each.endswith(b",")
            yield _value(each.removesuffix(b","), number)
    if not ended:
        raise LogError("a list document is cut off")


def parsed(data: bytes) -> object:
    """The value of a document; LogError where it is not JSON."""
    return _value(data, 1)


def cited(value: object) -> Iterator[LeafRef]:
    """Every leaf that a value cites, however deep it is nested: objects of exactly ``log`` and ``index``."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if each.keys() == {"log", "index"} and isinstance(each["index"], int) and isinstance(each["log"], str):
                yield LeafRef(each["log"], each["index"])
            else:
                waiting.extend(each.values())
        elif isinstance(each, list | tuple):
            waiting.extend(each)


def leaf(index: object) -> dict[str, object] | None:
    """How a leaf of the log is cited; None where there is none."""
    return None if index is None else {"log": LOG, "index": index}


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a text without their line feeds. LogError where one is too long, or the last has none."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        if len(rest) > LONGEST:
            raise LogError("a line of a document is too long", expected=f"at most {LONGEST} bytes")
    if rest:
        raise LogError("a document does not end in a line feed")


def _value(data: bytes, number: int) -> object:
    try:
        value = msgspec.json.decode(data)
        json.loads(data.decode(), object_pairs_hook=_once)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LogError("not JSON", where=f"line {number}", found=str(error)) from None
    return value


def _once(pairs: list[tuple[str, object]]) -> None:
    """Refuse a name that an object has twice: readers differ in which of the two they believe."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("an object has a name twice")
