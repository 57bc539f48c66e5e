"""What CREATE, ALTER and DROP ROLE (USER, GROUP) do to roles, as parts (manual, chapter "SQL Commands").

Only statements that the grammar knows are read; anything odd gives fewer parts, never an error.
"""

from collections.abc import Iterator

import msgspec

from custody.model import keys
from custody.model.events import Part, Stage
from custody.sources.postgresql.cursor import Cursor
from custody.sources.postgresql.expiry import expiry

SCOPE = "postgresql"
ATTRIBUTES = ("SUPERUSER", "CREATEDB", "CREATEROLE", "REPLICATION", "BYPASSRLS")
"""What a role may do that no grant gives."""

_IDLE = ("INHERIT", "NOINHERIT", "WITH")
_KINDS = ("ROLE", "USER", "GROUP")


class Asked(msgspec.Struct, frozen=True):
    """Who sent a statement and when: ``executor`` is the key of the session's role, ``time`` in microseconds."""

    executor: str | None
    time: int


class Options(msgspec.Struct):
    """The options of a CREATE or ALTER ROLE, as far as they are given."""

    login: bool | None = None
    password: str | None = None
    until: str | None = None
    attributes: list[tuple[str, bool]] = msgspec.field(default_factory=list)
    member_of: list[str] = msgspec.field(default_factory=list)
    members: list[str] = msgspec.field(default_factory=list)


def role_key(name: str) -> str:
    """The key of a role by its name."""
    return keys.scoped("db_role", SCOPE, name)


def parts(cursor: Cursor, verb: str, asked: Asked) -> tuple[Part, ...]:
    """What the statement does to roles; ``verb`` (CREATE, ALTER or DROP) is taken already."""
    kind = cursor.one_of(*_KINDS)
    if kind is None or cursor.take("MAPPING"):
        return ()
    match verb:
        case "CREATE":
            return tuple(_created(cursor, kind, asked))
        case "DROP":
            return tuple(_dropped(cursor, kind))
        case _:
            return tuple(_altered(cursor, kind, asked))


def _created(cursor: Cursor, kind: str, asked: Asked) -> Iterator[Part]:
    name = cursor.name()
    if name is None:
        return
    key, options = role_key(name), _options(cursor)
    logs_in = kind == "USER" if options.login is None else options.login
    if logs_in:
        yield Part(
            stage=Stage.ISSUE,
            key=key,
            parent=asked.executor,
            method=f"CREATE {kind}",
            not_after=None if options.until is None else expiry(options.until, asked.time).at,
        )
    else:
        yield Part(stage=Stage.CHANGE, key=key, effect="role.create", method=f"CREATE {kind}")
    options.attributes = [each for each in options.attributes if each[1]]
    yield from _privileges(key, options)


def _privileges(key: str, options: Options) -> Iterator[Part]:
    for attribute, given in options.attributes:
        yield Part(stage=Stage.CHANGE, key=key, effect="grant.create" if given else "grant.delete", object=attribute)
    for group in options.member_of:
        yield Part(stage=Stage.CHANGE, key=key, effect="grant.create", object=role_key(group))
    for member in options.members:
        yield Part(stage=Stage.CHANGE, key=role_key(member), effect="grant.create", object=key)


def _dropped(cursor: Cursor, kind: str) -> Iterator[Part]:
    cursor.take("IF", "EXISTS")
    for name in cursor.names():
        yield Part(stage=Stage.REVOKE, key=role_key(name), effect="credential.drop", method=f"DROP {kind}")


def _altered(cursor: Cursor, kind: str, asked: Asked) -> Iterator[Part]:
    if cursor.take("ALL"):
        return
    name = cursor.name()
    if name is None:
        return
    key, method = role_key(name), f"ALTER {kind}"
    change = cursor.one_of("RENAME", "SET", "RESET", "IN", "ADD", "DROP")
    if change == "RENAME":
        yield from _renamed(cursor, key, method)
    elif change in ("ADD", "DROP"):
        effect = "grant.create" if change == "ADD" else "grant.delete"
        cursor.take("USER")
        for member in cursor.names():
            yield Part(stage=Stage.CHANGE, key=role_key(member), effect=effect, object=key, method=method)
    elif change is not None:
        yield Part(stage=Stage.CHANGE, key=key, effect="role.settings", method=method)
    else:
        yield from _changed(key, _options(cursor), method, asked)


def _renamed(cursor: Cursor, key: str, method: str) -> Iterator[Part]:
    cursor.take("TO")
    name = cursor.name()
    if name is not None:
        other = role_key(name)
        yield Part(stage=Stage.CHANGE, key=key, effect="role.rename", object=other, method=method)
        yield Part(stage=Stage.CHANGE, key=other, effect="role.rename", related=key, method=method)


def _changed(key: str, options: Options, method: str, asked: Asked) -> Iterator[Part]:
    if options.until is not None:
        yield _until(key, options, method, asked)
    elif options.password == "given":  # noqa: S105 a state, no password
        yield Part(stage=Stage.REFRESH, key=key, effect="password.change", method=method)
    if options.password == "null":  # noqa: S105 the same
        yield Part(stage=Stage.CHANGE, key=key, effect="password.remove", method=method)
    if options.login is False:
        yield Part(stage=Stage.REVOKE, key=key, effect="key.deactivate", method=method)
    elif options.login:
        yield Part(stage=Stage.CHANGE, key=key, effect="key.activate", method=method)
    yield from _privileges(key, options)


def _until(key: str, options: Options, method: str, asked: Asked) -> Part:
    """A new expiry: in the past it is a revocation; one that is not known or never comes has no time."""
    until = expiry(options.until or "", asked.time)
    if until.past:
        return Part(stage=Stage.REVOKE, key=key, effect="credential.revoke", method=method, not_after=until.at)
    effect = "password.change" if options.password == "given" else None  # noqa: S105 a state, no password
    if until.at is None:
        effect = "expiry.remove" if until.never else "expiry.change"
    return Part(stage=Stage.REFRESH, key=key, effect=effect, method=method, not_after=until.at)


def _options(cursor: Cursor) -> Options:
    """The options up to the first that is not known."""
    options = Options()
    while (word := cursor.word()) is not None and _option(cursor, word, options):
        pass
    return options


def _option(cursor: Cursor, word: str, options: Options) -> bool:
    plain = word.removeprefix("NO")
    if plain in ATTRIBUTES:
        options.attributes.append((plain, plain == word))
        return True
    if plain == "LOGIN":
        options.login = plain == word
        return True
    match word:
        case "ENCRYPTED" | "UNENCRYPTED":
            return True
        case "PASSWORD":
            return _password(cursor, options)
        case "VALID":
            cursor.take("UNTIL")
            options.until = cursor.string()
            return options.until is not None
        case "CONNECTION":
            cursor.take("LIMIT")
            return cursor.number() is not None
        case "SYSID":
            return cursor.string() is not None or cursor.number() is not None
        case "IN":
            return cursor.one_of("ROLE", "GROUP") is not None and _listed(cursor, options.member_of)
        case "ROLE" | "USER" | "ADMIN":
            return _listed(cursor, options.members)
    return word in _IDLE


def _password(cursor: Cursor, options: Options) -> bool:
    """A password as a string or NULL. pgaudit cuts the statement behind the word and writes <REDACTED>."""
    if cursor.take("NULL"):
        options.password = "null"  # noqa: S105 a state, no password
        return True
    options.password = "given"  # noqa: S105 the same
    return cursor.string() is not None


def _listed(cursor: Cursor, into: list[str]) -> bool:
    into += cursor.names()
    return True
