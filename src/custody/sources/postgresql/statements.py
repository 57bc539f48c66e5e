"""What the statements of a text do to roles, grants and sessions, as parts.

``GRANT`` and ``REVOKE`` of roles and of privileges, ``SET ROLE``, ``pg_terminate_backend`` and ``ROLLBACK``, besides
what the roles module reads. A text may hold several statements; each is looked at.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from custody.model import keys
from custody.model.events import Part, Stage
from custody.sources.postgresql import roles, tokens
from custody.sources.postgresql.cursor import Cursor
from custody.sources.postgresql.roles import Asked, role_key
from custody.sources.postgresql.tokens import COMMENT, OTHER, STRING, WORD, Token

_TELLING = re.compile(r"(?i)\b(?:role|user|group|grant|revoke|rollback|abort|authorization)\b|pg_terminate_backend")
_TRACEPARENT = re.compile(r"traceparent='00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}'")
_NO_TRACE = "0" * 32
_USERNAME = ("USENAME", "USERNAME")
_OBJECT_LENGTH = 200
_MOST_WORDS = 6
_SHORT = 512
"""What is said of a text of so many characters is remembered: services send the same few again and again."""
_BETWEEN = frozenset(("OR", "REPLACE", "TEMP", "TEMPORARY", "UNLOGGED", "UNIQUE", "LOCAL", "SESSION", "GLOBAL"))


def parts(sql: str, asked: Asked, session: str | None) -> tuple[Part, ...]:
    """What a text of SQL does, statement by statement; ``session`` is the key of the session that sent it."""
    if not (_known_to_tell(sql) if len(sql) <= _SHORT else _tells(sql)):
        return ()
    return tuple(part for statement in tokens.statements(sql) for part in _of_one(sql, statement, asked, session))


def trace(sql: str) -> str | None:
    """The trace id that a comment of the text declares (sqlcommenter), None where none or several do."""
    if "traceparent" not in sql:
        return None
    comments = (sql[each.first : each.last] for each in tokens.tokens(sql) if each.kind == COMMENT)
    found = {match for comment in comments for match in _TRACEPARENT.findall(comment)} - {_NO_TRACE}
    return found.pop() if len(found) == 1 else None


def command(sql: str) -> str | None:
    """What a text does, by its first words in upper case: two where the second names a kind of object."""
    return _known_command(sql) if len(sql) <= _SHORT else _command(sql)


def _command(sql: str) -> str | None:
    words = tokens.opening(sql, _MOST_WORDS)
    if not words or words[0] not in ("CREATE", "ALTER", "DROP", "SET"):
        return words[0] if words else None
    named = [word for word in words[1:] if word not in _BETWEEN]
    return " ".join((words[0], *named[: 2 if named[:1] == ["USER"] and named[1:2] == ["MAPPING"] else 1]))


def _tells(sql: str) -> bool:
    """Whether a text has a word without which no statement of it is looked at."""
    return _TELLING.search(sql) is not None


_known_command = lru_cache(maxsize=1024)(_command)
_known_to_tell = lru_cache(maxsize=1024)(_tells)


def failed(part: Part) -> Part:
    """That what ``part`` says did not happen: the server refused the statement that it was read from."""
    effect = part.effect or ("credential.issue" if part.stage is Stage.ISSUE else "credential.refresh")
    return Part(
        stage=Stage.CHANGE,
        key=part.key,
        effect=f"{effect}_failed",
        method=part.method,
        object=part.object,
        related=part.related,
    )


def _of_one(sql: str, statement: list[Token], asked: Asked, session: str | None) -> Iterator[Part]:
    cursor = Cursor(statement)
    match cursor.word():
        case "CREATE" | "ALTER" | "DROP" as verb:
            yield from roles.parts(cursor, verb, asked)
        case "GRANT":
            yield from _granted(sql, cursor, "grant.create", "TO")
        case "REVOKE":
            _ = any(cursor.take(option, "OPTION", "FOR") for option in ("GRANT", "ADMIN", "INHERIT", "SET"))
            yield from _granted(sql, cursor, "grant.delete", "FROM")
        case "SET":
            yield from _assumed(cursor, asked)
        case "ROLLBACK" | "ABORT":
            yield from _undone(cursor, session)
    yield from _terminated(statement)


def _granted(sql: str, cursor: Cursor, effect: str, word: str) -> Iterator[Part]:
    given = cursor.until(word)
    on_object = any(token.kind == WORD and token.value == "ON" for token in given)
    things = [_text(sql, given)] if on_object else [role_key(name) for name in _listed(given)]
    cursor.take("GROUP")
    for grantee in cursor.names():
        for thing in things:
            yield Part(stage=Stage.CHANGE, key=role_key(grantee), effect=effect, object=thing)


def _listed(given: list[Token]) -> list[str]:
    return Cursor(given).names()


def _text(sql: str, given: list[Token]) -> str | None:
    """The words as they stand in the statement, white space made one blank; what is very long is cut."""
    text = " ".join(sql[given[0].start : given[-1].end].split()) if given else ""
    return text[:_OBJECT_LENGTH] or None


def _assumed(cursor: Cursor, asked: Asked) -> Iterator[Part]:
    """``SET ROLE`` and ``SET SESSION AUTHORIZATION``: the session keeps the user that it logged in as."""
    _ = cursor.one_of("LOCAL", "SESSION")
    if not cursor.take("ROLE") and not (cursor.take("AUTHORIZATION") or cursor.take("SESSION", "AUTHORIZATION")):
        return
    if asked.executor is None or cursor.take("NONE") or cursor.take("DEFAULT"):
        return
    name = cursor.string() or cursor.name()
    if name:
        yield Part(stage=Stage.CHANGE, key=asked.executor, effect="role.assume", object=role_key(name))


def _undone(cursor: Cursor, session: str | None) -> Iterator[Part]:
    _ = cursor.one_of("WORK", "TRANSACTION")
    _ = cursor.take("AND", "CHAIN") or cursor.take("AND", "NO", "CHAIN")
    if cursor.ended and session is not None:
        yield Part(stage=Stage.CHANGE, key=session, effect="transaction.rollback")


def _terminated(statement: list[Token]) -> Iterator[Part]:
    """A call of ``pg_terminate_backend``: the role that it names as ``usename``, the process by its number."""
    for place, token in enumerate(statement[:-1]):
        if token.value == "PG_TERMINATE_BACKEND" and statement[place + 1].value == "(":
            given = statement[place + 2 : place + 3]
            number = given[0].value if given and given[0].kind == OTHER and given[0].value.isdigit() else None
            named = _users(statement)
            yield Part(
                stage=Stage.CHANGE,
                key=role_key(named[0]) if len(named) == 1 else None,
                effect="session.terminate",
                object=None if number is None else f"process {number}",
            )


def _users(statement: list[Token]) -> list[str]:
    return [
        value.value
        for name, sign, value in zip(statement, statement[1:], statement[2:], strict=False)
        if name.kind == WORD and name.value in _USERNAME and sign.value == "=" and value.kind == STRING and value.value
    ]


def session_key(session: str) -> str:
    """The key of a session by its id."""
    return keys.scoped("db_session", roles.SCOPE, session)
