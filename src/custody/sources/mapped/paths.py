"""The paths of a mapping: names with dots between, ``["a name"]`` where a name holds a dot, ``[*]`` for every element.

A path has no expressions, no numbers of elements and no wildcards for names. It leads to texts, numbers and booleans,
never to objects; where a record has nothing, or ``null``, or an empty text, it leads nowhere.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

ELEMENTS = None
"""The step to every element of an array."""

Step = str | None
Indexes = tuple[int, ...]

_STEP = re.compile(
    r'(?:(?P<name>[A-Za-z_@$][A-Za-z0-9_@$/-]*)|\["(?P<quoted>[^"\\\x00-\x1f]{1,200})"\]|(?P<all>\[\*\]))'
)
_MOST_STEPS = 32
_MOST_ELEMENTS = 1000
FORM = 'names with dots between, ["a.name"] where a name holds a dot, [*] for every element'


class Path(msgspec.Struct, frozen=True):
    """A parsed path, and its text for messages."""

    steps: tuple[Step, ...]
    text: str

    @property
    def many(self) -> bool:
        """Whether it can lead to more than one value."""
        return ELEMENTS in self.steps


class Found(msgspec.Struct, frozen=True, gc=False):
    """A value, and the elements of which arrays it lies in."""

    indexes: Indexes
    text: str


def parse(text: str) -> Path | None:
    """The path that ``text`` writes, None where it is none."""
    steps: list[Step] = []
    at = 0
    while at < len(text):
        if text[at] == "." and steps:
            at += 1
        found = _STEP.match(text, at)
        named = found is not None and found["name"] is not None
        if found is None or (named and steps and text[at - 1] != ".") or (text[at - 1 : at] == "." and not named):
            return None
        steps.append(ELEMENTS if found["all"] else found["name"] or found["quoted"])
        at = found.end()
    return Path(tuple(steps), text) if steps and steps[0] is not ELEMENTS and len(steps) <= _MOST_STEPS else None


def find(record: object, path: Path) -> list[Found]:
    """Every value that the path leads to, in the order of the record; at most 1,000."""
    found: list[Found] = []
    for indexes, value in _walk(record, path.steps, ()):
        text = _text(value)
        if text is not None:
            found.append(Found(indexes, text))
        if len(found) >= _MOST_ELEMENTS:
            break
    return found


def one(record: object, path: Path | None, beside: tuple[Path, Indexes] | None = None) -> str | None:
    """The value that the path leads to; None for none, and for several that nothing tells apart.

    ``beside`` is a path and the place of one value of it: the value wanted lies in the same elements of the arrays that
    both paths go through.
    """
    if path is None:
        return None
    found = find(record, path)
    if beside is not None:
        common = _common(path.steps, beside[0].steps)
        found = [each for each in found if each.indexes[:common] == beside[1][:common]]
    return found[0].text if len(found) == 1 else None


def names_of(path: Path) -> tuple[str, ...]:
    """The names of a path, elements of arrays left out."""
    return tuple(step for step in path.steps if step is not ELEMENTS)


def leads_to(steps: Sequence[Step], names: Sequence[str]) -> bool:
    """Whether the names that lead to a value, elements of arrays left out, begin as those of a path."""
    own = [step for step in steps if step is not ELEMENTS]
    return own == list(names[: len(own)])


def _common(steps: Sequence[Step], others: Sequence[Step]) -> int:
    """How many arrays two paths go through together."""
    arrays = 0
    for step, other in zip(steps, others, strict=False):
        if step != other:
            break
        arrays += step is ELEMENTS
    return arrays


def _walk(value: object, steps: Sequence[Step], indexes: Indexes) -> Iterator[tuple[Indexes, object]]:
    if not steps:
        yield indexes, value
    elif steps[0] is ELEMENTS:
        if isinstance(value, list):
            for index, element in enumerate(value):
                yield from _walk(element, steps[1:], (*indexes, index))
    elif isinstance(value, dict) and steps[0] in value:
        yield from _walk(value[steps[0]], steps[1:], indexes)


def _text(value: object) -> str | None:
    match value:
        case str():
            return value or None
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    return None
