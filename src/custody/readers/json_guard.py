r"""Is this record one that every JSON parser reads alike? RFC 8259, with the strictness of RFC 7493 on keys.

A record with the same key twice, with bytes that are not UTF-8, or nested beyond every parser's patience is never
repaired: two parsers reading one record differently is an attack. Numbers of any size and lone surrogates
(``"\ud800"``) are valid here: what they mean is the business of the source that reads them.
"""

import json
import re
from itertools import accumulate

import orjson

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_STRING = re.compile(rb'"[^"]*"')
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = tuple(1 if chr(byte) in "[{" else -1 for byte in range(256))


def check(raw: bytes, max_depth: int) -> str | None:
    """The key of SKIP_REASONS that says what is wrong with ``raw``, None where nothing is."""
    return read(raw, max_depth)[0]


def read(raw: bytes, max_depth: int) -> tuple[str | None, object]:
    """What is wrong with ``raw`` (None: nothing), and its value, of which only keys and strings are to be used.

    A record that comes out of a parser and a writer unchanged has no key twice, which is cheap to see; all others are
    read with a parser that shows every pair.
    """
    if raw.count(b"{") + raw.count(b"[") > max_depth and depth(raw) > max_depth:
        return ("too-deep" if _is_utf8(raw) else "invalid-utf8"), None
    try:
        value = orjson.loads(raw)
        if orjson.dumps(value) == raw:
            return None, value
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass
    return _read_pairs(raw)


def depth(raw: bytes) -> int:
    """How deep the brackets of ``raw`` nest outside its strings; exact for JSON, an estimate for anything else."""
    bare = _STRING.sub(b"", _ESCAPE.sub(b"", raw) if b"\\" in raw else raw)
    brackets = bare.translate(None, delete=_NOT_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _read_pairs(raw: bytes) -> tuple[str | None, object]:
    repeated = False

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal repeated
        value = dict(items)
        repeated = repeated or len(value) != len(items)
        return value

    try:
        value = json.loads(
            raw.decode(), object_pairs_hook=pairs, parse_int=str, parse_float=str, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError:
        return "invalid-utf8", None
    except ValueError:
        return "not-json", None
    except RecursionError:
        return "too-deep", None
    return ("duplicate-keys", None) if repeated else (None, value)


def _refuse_constant(name: str) -> None:
    """``NaN`` and ``Infinity`` are no JSON, whatever the standard library thinks."""
    raise ValueError(name)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
