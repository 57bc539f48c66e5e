"""Strict reading of a YAML file into a tree that knows where everything stands.

Only what a reviewer sees holds: no anchors, aliases, merge keys or tags, no duplicate keys, one document, no characters
that are invisible or turn the text around. A scalar is its text as written; YAML 1.1's guesses (octal account numbers,
``on`` as a boolean, ``12:30`` as a number) are never consulted.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice

import msgspec
import yaml

from custody.settings.amounts import shown
from custody.settings.problems import MAX_SHOWN, Problem

MAX_BYTES = 1 << 20
"""The largest contract file that is read."""
MAX_DEPTH = 32
"""The deepest nesting that is read."""

JsonValue = str | int | bool | None | list["JsonValue"] | dict[str, "JsonValue"]


class Scalar(msgspec.Struct, frozen=True):
    """A text as written. ``plain`` says that it stood without quotes, so that ``7`` may be a number."""

    text: str
    plain: bool
    line: int
    column: int


class Series(msgspec.Struct, frozen=True):
    """A YAML sequence."""

    items: tuple["Node", ...]
    line: int
    column: int


class Table(msgspec.Struct, frozen=True):
    """A YAML mapping in the order of the file: each key's text to the key itself and the value.

    Of duplicate keys the first stays (each is a problem).
    """

    by_name: Mapping[str, tuple[Scalar, "Node"]]
    line: int
    column: int

    @property
    def entries(self) -> tuple[tuple[Scalar, "Node"], ...]:
        """Keys and values."""
        return tuple(self.by_name.values())

    def get(self, name: str) -> "Node | None":
        """The value under ``name``."""
        return self.by_name[name][1] if name in self.by_name else None

    def key(self, name: str) -> Scalar | None:
        """The key ``name`` itself, for its position."""
        return self.by_name[name][0] if name in self.by_name else None


Node = Scalar | Series | Table

# Controls, line breaks that only YAML 1.1 knows, zero-width and bidirectional formatting, half surrogate pairs.
_INVISIBLE = (
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069"
    r"\ud800-\udfff\ufeff\ufffe\uffff"
)
_BAD_SOURCE = re.compile(f"[{_INVISIBLE}]|\r(?!\n)")
_BAD_SCALAR = re.compile(f"[{_INVISIBLE}\r]")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


def json_value(node: Node) -> JsonValue:
    """The tree as JSON values: text, but for plain integers without leading zero, ``true``, ``false`` and ``null``."""
    if isinstance(node, Table):
        return {name: json_value(child) for name, (_, child) in node.by_name.items()}
    if isinstance(node, Series):
        return [json_value(child) for child in node.items]
    if node.plain and _INTEGER.fullmatch(node.text):
        return int(node.text)
    return _WORDS.get(node.text, node.text) if node.plain else node.text


def describe(node: Node) -> str:
    """What stands at ``node``, for an error message."""
    if isinstance(node, Table):
        return "a mapping"
    if isinstance(node, Series):
        return "a list" if node.items else "an empty list"
    value = json_value(node)
    if isinstance(value, str):
        return shown(value)
    return "nothing" if value is None else f"the {'boolean' if isinstance(value, bool) else 'number'} {node.text}"


def read_tree(
    data: bytes, problems: list[Problem], expected: str = "a mapping with classes, origins or sources"
) -> Node | None:
    """The one document in ``data``; what is wrong is added to ``problems``. None where no tree can be trusted.

    ``expected`` says what an empty file should hold.
    """
    text = _decode(data, problems)
    if text is None:
        return None
    before = len(problems)
    root = _Composer(problems).run(_events(text, problems))
    if root is None and len(problems) == before:
        problems.append(Problem(1, 1, "the file is empty", expected=expected))
    return root


def readable(text: str) -> bool:
    """Whether a document may hold ``text``: nothing in it is invisible or turns the text around."""
    return _BAD_SCALAR.search(text) is None


def _decode(data: bytes, problems: list[Problem]) -> str | None:
    if len(data) > MAX_BYTES:
        problems.append(Problem(1, 1, "file too large", expected=f"at most {MAX_BYTES} bytes"))
        return None
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line, column = _position(data[: error.start].decode("utf-8"))
        problems.append(Problem(line, column, "not UTF-8", found=f"byte 0x{data[error.start]:02x}"))
        return None
    bad = list(islice(_BAD_SOURCE.finditer(text), MAX_SHOWN))
    problems.extend(_bad_character(match[0], *_position(text[: match.start()])) for match in bad)
    return None if bad else text


def _position(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _bad_character(character: str, line: int, column: int) -> Problem:
    return Problem(
        line,
        column,
        "a character that cannot be seen, or turns the text around",
        found=f"U+{ord(character):04X}",
        expected="visible text, tabs, and lines that end in LF or CRLF",
    )


def _events(text: str, problems: list[Problem]) -> Iterator[yaml.Event]:
    """The events of the document; where they end in an error it is in ``problems`` and no end event was given."""
    line, column = 1, 1
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line, column = _mark(event.end_mark)
            yield event
    except yaml.MarkedYAMLError as error:
        line, column = _mark(error.problem_mark or error.context_mark)
        problems.append(Problem(line, column, "not YAML", found=str(error.problem or error.context)))
    except (yaml.YAMLError, ValueError, OverflowError):
        # pyyaml hands a bad \U escape or a huge version number to chr() and int() as it is
        problems.append(Problem(line, column, "not YAML after here", found="a bad escape or directive"))


def _mark(mark: object) -> tuple[int, int]:
    line, column = getattr(mark, "line", 0), getattr(mark, "column", 0)
    return int(line) + 1, int(column) + 1


class _Open(msgspec.Struct):
    """A collection that has begun; ``children`` are its items, or its keys and values in turn."""

    series: bool
    line: int
    column: int
    children: list[Node] = []


class _Composer:
    """Builds the tree of one document on a stack of its own, so that depth costs no recursion."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._stack = [_Open(series=True, line=1, column=1)]
        self._trusted = True

    def run(self, events: Iterator[yaml.Event]) -> Node | None:
        """The root; None for an empty file and where something was refused that other meaning hangs on."""
        for event in events:
            if isinstance(event, yaml.StreamEndEvent):
                root = self._stack[0].children
                return root[0] if root and self._trusted else None
            if self._ends(event):
                return None
            self._take(event)
        return None

    def _ends(self, event: yaml.Event) -> bool:
        """Whether nothing after ``event`` is worth reading."""
        if isinstance(event, yaml.DocumentStartEvent) and self._stack[0].children:
            self._refuse(event, "a second document", "one document in the file", "remove the line with three dashes")
        elif isinstance(event, yaml.CollectionStartEvent) and len(self._stack) > MAX_DEPTH:
            self._refuse(event, "nested too deeply", f"at most {MAX_DEPTH} levels")
        else:
            return False
        return True

    def _take(self, event: yaml.Event) -> None:
        line, column = _mark(event.start_mark)
        if isinstance(event, yaml.NodeEvent):
            self._check_visible(event)
        if isinstance(event, yaml.CollectionStartEvent):
            self._stack.append(_Open(isinstance(event, yaml.SequenceStartEvent), line, column))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._add(self._close(self._stack.pop()))
        elif isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event, line, column))
        elif isinstance(event, yaml.AliasEvent):
            self._add(Scalar("", False, line, column))

    def _check_visible(self, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, "an alias", "the value itself", f"write out what {shown(event.anchor)} stands for")
        elif event.anchor is not None:
            self._refuse(event, "an anchor", "a value without a name", f"remove &{event.anchor}")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            self._refuse(event, "a tag", "a value without a tag", f"remove {shown(event.tag)}")

    def _refuse(self, event: yaml.Event, message: str, expected: str, advice: str = "") -> None:
        self._trusted = False
        self._problems.append(Problem(*_mark(event.start_mark), message, expected=expected, advice=advice))

    def _add(self, node: Node) -> None:
        self._stack[-1].children.append(node)

    def _scalar(self, event: yaml.ScalarEvent, line: int, column: int) -> Scalar:
        bad = _BAD_SCALAR.search(event.value)
        if bad:
            self._problems.append(_bad_character(bad[0], line, column))
        # jsonschema_rs and every encoder refuse half surrogate pairs
        return Scalar(_BAD_SCALAR.sub("\ufffd", event.value), event.style is None, line, column)

    def _close(self, opened: _Open) -> Node:
        if opened.series:
            return Series(tuple(opened.children), opened.line, opened.column)
        entries: dict[str, tuple[Scalar, Node]] = {}
        for key, node in zip(opened.children[::2], opened.children[1::2], strict=True):
            problem = _key_problem(key, entries)
            if problem:
                self._problems.append(problem)
                self._trusted &= isinstance(key, Scalar)
            elif isinstance(key, Scalar):
                entries[key.text] = (key, node)
        return Table(entries, opened.line, opened.column)


def _key_problem(key: Node, earlier: dict[str, tuple[Scalar, Node]]) -> Problem | None:
    if not isinstance(key, Scalar) or not isinstance(json_value(key), str):
        advice = "put it in quotes" if isinstance(key, Scalar) else ""
        return Problem(key.line, key.column, "not a key", describe(key), "a text", advice)
    if key.plain and key.text == "<<":
        return Problem(key.line, key.column, "a merge key", expected="the fields themselves")
    if key.text in earlier:
        first = earlier[key.text][0]
        advice = f"the first stands in line {first.line}; remove one of them"
        return Problem(key.line, key.column, "a duplicate key", shown(key.text), "each key once", advice)
    return None
