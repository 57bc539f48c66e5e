"""Whether two kept records are the same JSON value (RFC 8259), exactly.

Whitespace, order of members, escapes and the spelling of numbers do not count; nothing else is forgiven. Numbers are
compared as decimal digits and exponent, so that no size or precision is lost and ``true`` is never ``1``. A record
that is a JSON string token (a log inside a log) is decoded once first. Where bytes are not one unambiguous JSON value
(duplicate keys, invalid UTF-8, NaN), only equal bytes are equal.
"""

import json
from contextlib import suppress
from hashlib import sha256
from operator import itemgetter
from typing import NoReturn


class _Ambiguous(ValueError):
    """The bytes have no single value that every parser agrees on."""


def same_value(one: bytes, other: bytes) -> bool:
    """Whether ``one`` and ``other`` are byte-equal or the same JSON value; a string token is decoded once first."""
    return one == other or fingerprint(one) == fingerprint(other)


def fingerprint(raw: bytes) -> bytes:
    """32 bytes that are equal exactly for the same JSON value, or for equal bytes where these are not one value."""
    try:
        return sha256(repr(_value(raw)).encode("utf-8", "surrogatepass")).digest()
    except (ValueError, RecursionError):
        return sha256(b"not one JSON value\0" + raw).digest()


def lacks_only(one: bytes, other: bytes) -> bool:
    """Whether ``one`` is ``other`` with some members missing, at any depth, and nothing else changed."""
    try:
        thin, full = _value(one), _value(other)
        return repr(thin) != repr(full) and _within(thin, full)
    except (ValueError, RecursionError):
        return False


def _within(thin: object, full: object) -> bool:
    if isinstance(thin, dict) and isinstance(full, dict):
        return all(name in full and _within(value, full[name]) for name, value in thin.items())
    if isinstance(thin, list) and isinstance(full, list):
        return len(thin) == len(full) and all(map(_within, thin, full))
    return repr(thin) == repr(full)


def _value(raw: bytes) -> object:
    """The value, such that ``repr`` tells any two apart: objects have their members in order of name."""
    value: object = _DECODER.decode(raw.decode("utf-8"))
    if isinstance(value, str):
        with suppress(ValueError):
            return _DECODER.decode(value)
    return value


def _number(text: str) -> tuple[bool, str, int]:
    """(negative, digits without outer zeros, exponent of ten): ``-1.50e3`` is ``(True, "15", 2)``."""
    mantissa, _, power = text.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return (False, "", 0)
    exponent = int(power or "0") - len(fraction) + len(digits) - len(significant)
    return (mantissa.startswith("-"), significant, exponent)


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(sorted(pairs, key=itemgetter(0)))
    if len(members) != len(pairs):
        raise _Ambiguous("an object has the same key twice")
    return members


def _refuse(text: str) -> NoReturn:
    raise _Ambiguous(f"{text} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=_number, parse_int=_number, parse_constant=_refuse, strict=True
)
