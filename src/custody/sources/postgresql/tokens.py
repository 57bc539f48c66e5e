"""The tokens of PostgreSQL's SQL (manual, chapter "Lexical Structure"), as far as telling text from syntax needs.

Nothing raises: what does not end (a cut statement, a quote too few) is a token to the end of the text. Backslashes
escape in ``E'…'`` alone (``standard_conforming_strings = on``, the default).
"""

import re
from collections.abc import Iterator
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)

NAME_BYTES = 63
"""Bytes of a name that the server keeps (NAMEDATALEN - 1); it cuts the rest off."""

_TOKEN = re.compile(
    r"""(?P<space>\s++)
    |(?P<line>--[^\n]*+)
    |(?P<block>/\*)
    |[eE]'(?P<escaped>[^'\\]*+(?:(?:\\(?:.|\Z)|'')[^'\\]*+)*+)(?:'|\Z)
    |(?P<prefix>[bBxXnN]|[uU]&)?'(?P<string>[^']*+(?:''[^']*+)*+)(?:'|\Z)
    |(?P<unicode>[uU]&)?"(?P<name>[^"]*+(?:""[^"]*+)*+)(?:"|\Z)
    |(?P<dollar>\$(?:[^\W\d]\w*+)?\$)
    |(?P<parameter>\$\d++)
    |(?P<word>[^\W\d][\w$]*+)
    |(?P<number>\.?\d[\w.]*+)
    |(?P<sign>:=|=>|::|<>|!=|<=|>=|\|\||.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_ESCAPES = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|([0-7]{1,3})|(.))", re.DOTALL)
_UNICODE = re.compile(r"\\(?:([0-9a-fA-F]{4})|\+([0-9a-fA-F]{6})|(\\))")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

WORD, NAME, STRING, COMMENT, OTHER = "word", "name", "string", "comment", "other"


class Token(NamedTuple):
    """``kind`` is one of the constants above; the content without quotes is from ``first`` to ``last``.

    ``value`` is a word with its ASCII letters in upper case, a name or string with its escapes undone, anything else
    as it stands.
    """

    kind: str
    value: str
    start: int
    end: int
    first: int
    last: int


def tokens(sql: str) -> Iterator[Token]:
    """The tokens of ``sql`` in order, comments among them, without white space."""
    at = 0
    while at < len(sql) and (found := _TOKEN.match(sql, at)) is not None:
        token = None if found["space"] else _token(sql, found)
        at = found.end() if token is None else token.end
        if token is not None:
            yield token


def _token(sql: str, found: re.Match[str]) -> Token:
    start, end = found.span()
    group = found.lastgroup or "sign"
    match group:
        case "line":
            return Token(COMMENT, "", start, end, start + 2, end)
        case "block":
            last, end = _comment_end(sql, end)
            return Token(COMMENT, "", start, end, start + 2, last)
        case "dollar":
            return _dollar(sql, found)
        case "escaped":
            return Token(STRING, _unescaped(found[group]), start, end, *found.span(group))
        case "string":
            value = found[group].replace("''", "'")
            plain = value if (found["prefix"] or "").upper() != "U&" else _from_unicode(value)
            return Token(STRING, plain, start, end, *found.span(group))
        case "name":
            value = found[group].replace('""', '"')
            return Token(NAME, _from_unicode(value) if found["unicode"] else value, start, end, *found.span(group))
        case "word":
            return Token(WORD, found[0].translate(_UPPER), start, end, start, end)
    return Token(OTHER, found[0], start, end, start, end)


def _dollar(sql: str, found: re.Match[str]) -> Token:
    close = sql.find(found[0], found.end())
    last = len(sql) if close < 0 else close
    end = last if close < 0 else last + len(found[0])
    return Token(STRING, sql[found.end() : last], found.start(), end, found.end(), last)


def _comment_end(sql: str, at: int) -> tuple[int, int]:
    """Where the content and the whole of a comment end; comments nest."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(sql, at):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.span()
    return len(sql), len(sql)


def _unescaped(text: str) -> str:
    return _ESCAPES.sub(_escape, text.replace("''", "'"))


def _escape(found: re.Match[str]) -> str:
    if found[4] is not None:
        return _LETTERS.get(found[4], found[4])
    return chr(int(found[1] or found[2] or found[3], 8 if found[3] else 16) & 0xFFFF)


def _from_unicode(text: str) -> str:
    def plain(found: re.Match[str]) -> str:
        code = int(found[1] or found[2] or "5C", 16)
        return chr(code) if code <= 0x10FFFF else found[0]

    return _UNICODE.sub(plain, text)


def statements(sql: str) -> Iterator[list[Token]]:
    """The statements of a text, each without its comments; a semicolon in brackets does not end one."""
    held: list[Token] = []
    depth = 0
    for token in tokens(sql):
        if token.kind == COMMENT:
            continue
        if token.kind == OTHER and token.value in "()":
            depth = max(0, depth + (1 if token.value == "(" else -1))
        if token.kind == OTHER and token.value == ";" and depth == 0:
            if held:
                yield held
            held = []
        else:
            held.append(token)
    if held:
        yield held


def opening(sql: str, most: int) -> tuple[str, ...]:
    """The words, in upper case, that the first statement of ``sql`` begins with."""
    words: list[str] = []
    for token in tokens(sql):
        if token.kind == WORD and len(words) < most:
            words.append(token.value)
        elif token.kind != COMMENT and (words or token.value not in ("(", ";")):
            break
    return tuple(words)


def kept_name(name: str) -> str:
    """A name as the server keeps it: cut to 63 bytes, at a character."""
    encoded = name.encode("utf-8", "surrogatepass")
    return name if len(encoded) <= NAME_BYTES else encoded[:NAME_BYTES].decode("utf-8", "ignore")


def folded(word: str) -> str:
    """A word as the server reads it as a name: its ASCII letters in lower case, the others as they are."""
    return word.translate(_LOWER)
