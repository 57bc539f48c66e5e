"""Whether an audit entry plainly holds nothing to mask: what is asked first of every line.

Most lines are like that, because the device itself hides every secret. The answer comes from the decoded entry, by the
rules that ``masks`` has for the bytes. It is only ever yes where decoding loses nothing: no escapes, and as many quotes
in the bytes as the strings of the entry have, so that no member stands twice.
"""

from functools import lru_cache

from custody.sources.vault_audit import shapes
from custody.sources.vault_audit.document import Document
from custody.sources.vault_audit.masks import DATA, TOKENS, is_plain, is_secret_name, names_known


class _Found(Exception):
    """There is something to mask, or to be unsure about."""


def is_hidden(raw: bytes, document: Document) -> bool:
    """Whether nothing in the entry of ``raw`` is to be masked or unsure. False where that takes a closer look."""
    if b"\\" in raw or shapes.has_hint(raw) or document.entry.get("error"):
        return False
    try:
        strings = _members(document.entry, "", False, 0, names_known(document))
        return 2 * strings == raw.count(b'"', document.offset)
    except (_Found, UnicodeEncodeError):
        return False


def _members(value: dict[str, object], above: str, data: bool, depth: int, plain: bool) -> int:
    """How many strings, names among them, are in an object. ``data`` says that it is data of a call, or within it."""
    strings = len(value)
    for name, member in value.items():
        if member.__class__ is str:
            strings += 1
            if data or depth == 1 or _is_telling(name):
                _check(name, member, data or (depth == 1 and (above, name) in DATA), plain and depth == 2)
        elif member is not None and member is not True and member is not False:
            strings += _nested(name, member, data or (depth == 1 and (above, name) in DATA), depth, plain)
    return strings


def _nested(name: str, value: object, data: bool, depth: int, plain: bool) -> int:
    """The same of an object, an array or a number called ``name``. An array's elements are called as it is."""
    if isinstance(value, dict):
        return _members(value, name, data, depth + 1, plain)
    if isinstance(value, list):
        return sum([_element(name, each, data, depth, plain) for each in value])
    if is_secret_name(name):
        raise _Found
    return 0


def _element(name: str, value: object, data: bool, depth: int, plain: bool) -> int:
    if isinstance(value, str):
        _check(name, value, data, plain and depth == 2)
        return 1
    return 0 if value is None or isinstance(value, bool) else _nested(name, value, data, depth, plain)


def _check(name: str, text: str, data: bool, plain: bool) -> None:
    content = text.encode()
    if not (data or _is_telling(name)) or shapes.is_hidden(content):
        return
    if not plain or _is_telling(name) or not is_plain(name, content):
        raise _Found


@lru_cache(maxsize=4096)
def _is_telling(name: str) -> bool:
    return name in TOKENS or is_secret_name(name)
