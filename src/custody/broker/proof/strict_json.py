"""JSON objects of strangers: UTF-8, no key twice at any depth, no NaN, bounded depth (RFC 8259, RFC 8725)."""

from __future__ import annotations

import json
import re
from json import JSONDecoder

MAX_DEPTH = 16
"""Objects and arrays inside one another."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
"""A string, also one that never ends: each character is looked at once, whatever the text."""


def _pairs(found: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(found)
    if len(table) != len(found):
        raise ValueError("a key twice")
    return table


def _constant(_: str) -> object:
    raise ValueError("no number")


_DECODER: JSONDecoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)


def strict_object(raw: bytes) -> dict[str, object]:
    """The object. ValueError, with nothing of it in the error or its context, where it is not one that is taken."""
    found = _decoded(raw)
    if not isinstance(found, dict):
        raise ValueError("no JSON object that is taken")
    return found


def _decoded(raw: bytes) -> object:
    try:
        text = raw.decode()
        return None if _depth(text) > MAX_DEPTH else _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _depth(text: str) -> int:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for sign in _STRING.sub("", text):
        if sign in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in "}]":
            depth -= 1
    return deepest
