"""What a file's value may be, where it is none of a list: read from the types that the file is converted to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import inspect

_PLACE = re.compile(r"at `\$((?:\.[A-Za-z0-9_]+|\[[^\]]*\])*)`")
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[[^\]]*\]")


def allowed(kind: type, told: str) -> str:
    """The values of a list at the place that msgspec's error names, in order of the type; empty where it is no list."""
    place = _PLACE.search(told)
    if place is None or "nvalid" not in told or not told.startswith(("Invalid enum value", "Invalid value")):
        return ""
    nodes: list[inspect.Type] = [inspect.type_info(kind)]
    steps = [step[1] for step in _STEP.finditer(place[1])]
    for number, name in enumerate(steps):
        found = [each for node in nodes for each in _inside(node, name, last=number == len(steps) - 1)]
        nodes = [each for each in found if isinstance(each, inspect.Type)]
        words = [each for each in found if isinstance(each, str)]
        if words:
            return ", ".join(dict.fromkeys(words))
    return ", ".join(dict.fromkeys(word for node in nodes for word in _words(node)))


def _inside(node: inspect.Type, name: str | None, *, last: bool) -> Iterator[inspect.Type | str]:
    """What lies at a step below a type: types, or for the field that tells structs apart their tags."""
    for each in _plain(node):
        if isinstance(each, inspect.StructType) and name is not None:
            if last and name == each.tag_field:
                yield str(each.tag)
            yield from (field.type for field in each.fields if field.encode_name == name)
        elif isinstance(each, inspect.ListType | inspect.VarTupleType) and name is None:
            yield each.item_type
        elif isinstance(each, inspect.DictType):
            yield each.value_type


def _words(node: inspect.Type) -> Iterator[str]:
    for each in _plain(node):
        if isinstance(each, inspect.LiteralType):
            yield from map(str, each.values)
        elif isinstance(each, inspect.EnumType):
            yield from (str(one.value) for one in each.cls)


def _plain(node: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(node, inspect.UnionType):
        for each in node.types:
            yield from _plain(each)
    else:
        yield node
