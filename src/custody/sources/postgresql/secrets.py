"""Where the secrets in the texts of one record are. Frozen with the identity schemes of this source.

Text that is SQL is cut into tokens first, and only contents of strings, comments and bare words in the place of a
password are ever covered: a client cannot hide a statement by making it look like a secret. Covering twice gives the
same as covering once, so that a record reads alike before and after it was masked.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from custody.sources import secret_names
from custody.sources.masking import PREFIX
from custody.sources.postgresql import said
from custody.sources.postgresql.mapped import Mapped
from custody.sources.postgresql.tokens import COMMENT, NAME, OTHER, STRING, WORD, Token, statements, tokens
from custody.sources.screen import Screen

_HINTS = (
    "key", "token", "code", "secret", "passw", "passphrase", "pwd", "authorization", "cookie", "assertion",
    "signature", "://", "crypt", " near ", "arameters: ",
)  # fmt: skip
_SHAPED_HINTS = (
    r"scram-sha-[^ $\n]*\$|scram-sha-(?s:.)*credential|credential(?s:.)*scram-sha-|md5[0-9a-f]{32}|eyj[a-z0-9_-]{8}"
)
"""A verifier has its ``$``. The name of its method alone hides nothing, unless what is around it tells of secrets."""
_RARE = ("scram-sha-", "md5", "eyj")
"""What occurs, in lower case, wherever a shaped hint does."""
HINT = re.compile(f"(?i){'|'.join(_HINTS)}|scram-sha-|{_SHAPED_HINTS}")
"""What a text with anything to cover holds."""
_IN_LOW = re.compile(_SHAPED_HINTS)
_IN_LOW_BYTES = re.compile(_SHAPED_HINTS.encode())
_ADDED = ("iqojb3jpz2lu", "gzxivyxdz")
"""Tokens of AWS, in members that a shipper added."""
SCREEN = Screen(
    rf"(?i:{'|'.join(_HINTS)}|credential|{'|'.join(_ADDED)}|{_SHAPED_HINTS})|\\[u/]|[^\x00-\x7f]", least=8 * 1024
)
"""Stops every record that holds a hint, and every one in which a hint can be spelt in another way."""
_HINTS_OF_BYTES = tuple(hint.encode() for hint in (*_HINTS, *_ADDED, "\\u", ":\\/", ":/\\/"))
_RARE_OF_BYTES = tuple(hint.encode() for hint in _RARE)

_MASK = PREFIX.decode()
_TELLING = re.compile(r"(?i)passw|secret|token|crypt|api_?key|private_?key|credential")
_NEAR = re.compile(r'\bat or near "(.*)"', re.DOTALL)
_PARAMETER = re.compile(r"\$\d+ = '((?:[^']|'')*+)(?:'|\Z)")
_PARAMETERS = re.compile(r"(?:\A|with )[Pp]arameters: ")
_PREPARED = re.compile(r"prepare: ")
_BARE = re.compile(r"(?!<REDACTED>|\$\d|(?i:null)\b)[^\s;,()'\"]+")
_PAIR = re.compile(
    r"(?i)(?<!custody-masked:)(passwords?|passwd|passphrase|passcode|pwd|secret(?:[_-]?(?:access[_-]?)?key)?|token"
    r"|api[_-]?key|private[_-]?key|authorization)"
    r"(?:(?:\\*\"|'+)?\s*(?P<sign>=>|:=|=|:)\s*|'+\s*,\s*|\s+)(?:e(?='))?"
    r"(?P<open>\$(?:[^\W\d]\w*)?\$|\\*\"|'+)?"
)
_QUOTES = re.compile(r"'+")
_WORD_VALUE = re.compile(r"[^\s'\"&;,()\[\]{}<>\\$]+")
_SHAPES = (
    ("password", re.compile(r"://[^\s/@:'\"]{0,128}+:([^\s@'\"]{1,1024}+)@")),
    ("password", re.compile(r"(?i)SCRAM-SHA-\d+\$\d+:([A-Za-z0-9+/=:$]+)")),
    ("password", re.compile(r"(?<=['\"])(md5[0-9a-f]{32})(?=['\"])")),
    ("token", re.compile(r"\b(eyJ[\w-]{8,4096}+\.[\w-]{8,8192}+\.[\w-]{8,})")),
    ("key", re.compile(r"PRIVATE KEY-----([A-Za-z0-9+/=:,\s\\-]+)")),
)
_ROLE_KINDS = ("ROLE", "USER", "GROUP")
_JOINING = frozenset(("=", ":=", "=>", ":", "<>", "!=", "(", "[", "~", "::", "||"))
_JOINING_WORDS = frozenset(("TO", "LIKE", "ILIKE", "IN", "ANY", "TEXT", "VARCHAR", "E"))
_STEPS = 8
NAME_FIELD = "name"
"""The field name to give for the name of a role or database: only what is shaped like a secret is one there."""

_SQL_ENTRIES = ("statement", "internal_query")


class Spot(NamedTuple):
    """Characters of a text that must not be kept, and the class of secret for the mask."""

    start: int
    end: int
    kind: str


def spots(entries: Sequence[tuple[str, str]]) -> list[list[Spot]]:
    """For each text of a record, given with the name of its field, the secrets in it, in order and apart."""
    if not hinted("\n".join([text for _, text in entries])):
        return [[] for _ in entries]
    sqls = [sql.text for name, text in entries for sql in _quoted(name, text)]
    telling = not sqls or any(_TELLING.search(sql) for sql in sqls)
    return [_apart([*_entry(name, text, telling)]) for name, text in entries]


def hinted(text: str) -> bool:
    """Whether ``text``, the texts of a record one a line, may hold anything to cover."""
    if not text.isascii():
        return HINT.search(text) is not None
    low = text.lower()
    for hint in _HINTS:
        if hint in low:
            return True
    return any(hint in low for hint in _RARE) and _IN_LOW.search(low) is not None


def hinted_bytes(raw: bytes) -> bool:
    """The same of the bytes of a record, in which a hint can hide in an escape."""
    low = raw.lower()
    for hint in _HINTS_OF_BYTES:
        if hint in low:
            return True
    if not any(hint in low for hint in _RARE_OF_BYTES):
        return False
    return not raw.isascii() or _IN_LOW_BYTES.search(low) is not None


def covered(entries: Sequence[tuple[str, str]]) -> list[str]:
    """The texts with their secrets masked, as the kept copy has them."""
    found = spots(entries)
    return [_cover(text, each) if each else text for (_, text), each in zip(entries, found, strict=True)]


def _cover(text: str, found: Sequence[Spot]) -> str:
    pieces: list[str] = []
    done = 0
    for spot in found:
        pieces += (text[done : spot.start], _MASK, spot.kind)
        done = spot.end
    return "".join((*pieces, text[done:]))


def _apart(found: list[Spot]) -> list[Spot]:
    """Sorted, none within another; where two meet, both are covered by one."""
    result: list[Spot] = []
    for spot in sorted(found, key=lambda each: (each.start, -each.end)):
        if result and spot.start < result[-1].end:
            result[-1] = result[-1]._replace(end=max(result[-1].end, spot.end))
        elif spot.start < spot.end:
            result.append(spot)
    return result


def _quoted(name: str, text: str) -> list[Mapped]:
    """The pieces of a text that are SQL."""
    whole = Mapped(text, range(len(text) + 1))
    if name in _SQL_ENTRIES:
        return [whole]
    if name == "detail" and (found := _PREPARED.match(text)):
        return [whole.part(found.end(), len(text))]
    if name != "message":
        return []
    line = said.audit(text)
    if line is not None:
        return [line.statement]
    quote = said.quoted(text)
    return [whole.part(quote.start, len(text))] if quote is not None and quote.kind else []


def _entry(name: str, text: str, telling: bool) -> Iterator[Spot]:
    if name == NAME_FIELD:
        yield from _shaped(text, 0)
        return
    pieces = _quoted(name, text)
    for sql in pieces:
        yield from (Spot(sql.at[a], sql.at[b], kind) for a, b, kind in _apart([*_in_sql(sql.text)]))
    if not pieces:
        yield from _in_prose(text)
    if not telling:
        return
    if name == "message":
        yield from _in_message(text)
    if _PARAMETERS.search(text):
        yield from (Spot(*found.span(1), "parameter") for found in _PARAMETER.finditer(text))


def _in_message(text: str) -> Iterator[Spot]:
    """The text at which a parser stumbled (a password without quotes), and pgaudit's parameters."""
    near = _NEAR.search(text)
    if near is not None:
        yield Spot(*near.span(1), "password")
    line = said.audit(text)
    if line is not None and line.parameters.text and not line.parameters.text.startswith("<"):
        yield Spot(line.parameters.at[0], line.parameters.at[-1], "parameter")


def _in_sql(sql: str) -> Iterator[Spot]:
    """Secrets in SQL: what follows a telling name, and what free text inside strings and comments gives away."""
    if not hinted(sql):
        return
    for token in tokens(sql):
        if token.kind in (STRING, COMMENT):
            inner = sql[token.first : token.last]
            yield from (Spot(token.first + a, token.first + b, kind) for a, b, kind in _in_prose(inner))
            yield from (spot for spot in _shaped(sql[token.start : token.end], token.start) if spot.end <= token.last)
    for statement in statements(sql):
        yield from _in_statement(sql, statement)


def _in_statement(sql: str, statement: list[Token]) -> Iterator[Spot]:
    of_role = statement[0].value in ("CREATE", "ALTER") and any(t.value in _ROLE_KINDS for t in statement[1:2])
    named = done = 0
    for place, token in enumerate(statement):
        kind = _class(token) if token.start >= done else None
        if kind is None:
            continue
        named += token.kind != STRING
        for spot in _values(sql, statement, place, kind, of_role):
            done = max(done, spot.end)
            yield spot
    if named and statement[0].value == "INSERT":
        yield from (Spot(t.first, t.last, "secret") for t in statement if t.kind == STRING)


def _class(token: Token) -> str | None:
    """The class of secret that a name, or a string that is one, gives to what follows it."""
    if token.kind not in (WORD, NAME, STRING) or len(token.value) > 128 or _MASK in token.value:
        return None
    if not secret_names.is_secret_name(token.value):
        return None
    found = secret_names.EXACT.search(token.value.lower().encode("utf-8", "replace") + b'"')
    return None if found is None else secret_names.kind_of(found.group(1))


def _values(sql: str, statement: list[Token], place: int, kind: str, of_role: bool) -> Iterator[Spot]:
    """The strings that belong to the name at ``place``, or the bare word where a role's password should stand."""
    name, at = statement[place], place + 1
    while at < len(statement) and at - place <= _STEPS and _joins(statement[at], name, at - place):
        at += 1
    if at < len(statement) and of_role and at == place + 1 and name.value == "PASSWORD":
        bare = None if statement[at].kind == STRING else _BARE.match(sql, statement[at].start)
        if bare is not None:
            yield Spot(*bare.span(), kind)
            at = next((n for n in range(at, len(statement)) if statement[n].start >= bare.end()), len(statement))
    while at < len(statement) and (statement[at].kind == STRING or statement[at].value == ","):
        if statement[at].kind == STRING:
            yield Spot(statement[at].first, statement[at].last, kind)
        elif at + 1 >= len(statement) or statement[at + 1].kind != STRING or statement[at - 1].kind != STRING:
            return
        at += 1


def _joins(token: Token, name: Token, step: int) -> bool:
    if token.kind == WORD:
        return token.value in _JOINING_WORDS
    return token.kind == OTHER and (
        token.value in _JOINING or (token.value == "," and name.kind == STRING and step == 1)
    )


def _in_prose(text: str) -> Iterator[Spot]:
    """Secrets in text that is no SQL by itself: pairs of a telling name and a value, and shapes."""
    yield from _shaped(text, 0)
    at = 0
    while (found := _PAIR.search(text, at)) is not None:
        spot = _value(text, found)
        if spot is not None:
            yield spot
        at = max(found.end(1), spot.end if spot is not None else 0)


def _shaped(text: str, base: int) -> Iterator[Spot]:
    for kind, pattern in _SHAPES:
        for found in pattern.finditer(text):
            if not text.startswith(_MASK, found.start(1)):
                yield Spot(base + found.start(1), base + found.end(1), kind)


def _value(text: str, found: re.Match[str]) -> Spot | None:
    kind = secret_names.kind_of(found[1].lower().encode())
    start, mark = found.end(), found["open"]
    if mark is None:
        bare = _WORD_VALUE.match(text, start) if found["sign"] else None
        return None if bare is None else Spot(*bare.span(), kind)
    end = _closing_quotes(text, start, len(mark)) if mark[0] == "'" else text.find(mark, start)
    return Spot(start, len(text) if end < 0 else end, kind)


def _closing_quotes(text: str, start: int, opening: int) -> int:
    """Where a string ends that ``opening`` quotes began: twice as many in a row are one quote inside it."""
    runs = (found for found in _QUOTES.finditer(text, start) if len(found[0]) % (2 * opening))
    return next((found.start() for found in runs), -1)
