"""What the PostgreSQL backend says to the server, statement by statement (PostgreSQL 15 and later).

Every name goes through ``psycopg.sql``; sessions are found by the role's oid, which stays theirs when the role is gone.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal, cast

import msgspec

from custody.broker.backends.backend import Seen
from custody.model.brokered import Effect

if TYPE_CHECKING:
    from psycopg import Connection, Error
    from psycopg.sql import Composed

    Server = Connection[tuple[object, ...]]

EXISTS = "42710"
"""duplicate_object."""
_DEPENDED_ON = "2BP01"
"""dependent_objects_still_exist."""
_LONG_AGO = "1970-01-01 00:00:00+00"
_ROUNDS = 3
_PATIENCE = 1000
"""How long the server waits for a session to go, in ms, each round."""


class Receipt(msgspec.Struct, frozen=True):
    """The comment of a role: where the intent behind it is sealed."""

    chain: str
    broker: str
    seq: int


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A role to make; ``until`` is RFC 3339."""

    name: str
    until: str
    connections: int
    groups: tuple[str, ...]
    receipt: Receipt


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role as the server shows it: until when its password is good and when it was made (its clock), both in µs."""

    oid: int
    until: int
    made: int
    version: str


def made(connection: Server, wanted: Wanted, password: str) -> Role:
    """Make the role, not committed yet. The server sees the verifier of the password (RFC 5802) and never itself."""
    from psycopg.sql import SQL, Identifier, Literal

    name = Identifier(wanted.name)
    verifier = connection.pgconn.encrypt_password(password.encode(), wanted.name.encode(), b"scram-sha-256").decode()
    _do(
        connection,
        SQL(
            "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
            " CONNECTION LIMIT {} PASSWORD {} VALID UNTIL {}"
        ).format(name, Literal(wanted.connections), Literal(verifier), Literal(wanted.until)),
    )
    for group in wanted.groups:
        _do(connection, SQL("GRANT {} TO {}").format(Identifier(group), name))
    comment = msgspec.json.encode(wanted.receipt).decode()
    _do(connection, SQL("COMMENT ON ROLE {} IS {}").format(name, Literal(comment)))
    return _role(connection, wanted.name)


def _role(connection: Server, name: str) -> Role:
    found = _row(
        connection,
        "SELECT oid::bigint, (extract(epoch FROM rolvaliduntil) * 1000000)::bigint,"
        " (extract(epoch FROM now()) * 1000000)::bigint, current_setting('server_version')"
        " FROM pg_roles WHERE rolname = %s",
        (name,),
    )
    oid, until, made_at, version = msgspec.convert(found, tuple[int, int, int, str])
    return Role(oid=oid, until=until, made=made_at, version=version)


def locked(connection: Server, name: str) -> int | None:
    """Let nobody log in as the role any more; its oid, None where there is none."""
    from psycopg.sql import SQL, Identifier, Literal

    found = _row(connection, "SELECT oid::bigint FROM pg_roles WHERE rolname = %s", (name,))
    if found is None:
        return None
    lock = SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL VALID UNTIL {}")
    _do(connection, lock.format(Identifier(name), Literal(_LONG_AGO)))
    return _number(found)


def kill_sessions(connection: Server, name: str, oid: int) -> None:
    """End every session that logged in as the role, whatever role it set since; those that stay, ``seen`` counts."""
    which: dict[str, object] = {"oid": oid, "name": name}
    _rows(connection, f"SELECT pg_terminate_backend(pid) {_SESSIONS}", which)
    for _ in range(_ROUNDS):
        if not _rows(connection, f"SELECT pg_terminate_backend(pid, {_PATIENCE}) {_SESSIONS}", which):
            return


def leave_groups(connection: Server, name: str, oid: int) -> None:
    """Take back every membership that the broker can take back: a role that has to stay can then do nothing."""
    from psycopg.errors import InsufficientPrivilege
    from psycopg.sql import SQL, Identifier

    listed = _rows(
        connection,
        "SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = %(oid)s",
        {"oid": oid},
    )
    for (group,) in listed:
        with suppress(InsufficientPrivilege):  # somebody else's grant: it goes with the role, or ``seen`` tells of it
            _do(connection, SQL("REVOKE {} FROM {}").format(Identifier(str(group)), Identifier(name)))


def places(connection: Server, oid: int) -> tuple[str, ...]:
    """The databases in which something depends on the role; this one for what is in none."""
    found = _rows(
        connection,
        "SELECT DISTINCT coalesce(d.datname, current_database())::text FROM pg_shdepend s"
        " LEFT JOIN pg_database d ON d.oid = s.dbid"
        " WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = %(oid)s ORDER BY 1",
        {"oid": oid},
    )
    return tuple(str(name) for (name,) in found)


def disowned(
    connection: Server, name: str, oid: int, *, owned: Literal["keep", "drop", "reassign"], heir: str | None
) -> bool:
    """Free what depends on the role in this database, not committed yet; False where something must be kept."""
    from psycopg.sql import SQL, Identifier

    if owned == "keep" and _owns(connection, oid):
        return False
    role = Identifier(name)
    _do(connection, SQL("GRANT {} TO CURRENT_USER").format(role))
    if owned == "reassign":
        _do(connection, SQL("REASSIGN OWNED BY {} TO {}").format(role, Identifier(heir or "")))
    _do(connection, SQL("DROP OWNED BY {}").format(role))
    return True


def _owns(connection: Server, oid: int) -> bool:
    """Whether the role owns anything here or shared: privileges that were given to it are no loss."""
    found = _row(
        connection,
        "SELECT count(*) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = %s"
        " AND deptype = 'o' AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))",
        (oid,),
    )
    return _number(found) > 0


def dropped(connection: Server, name: str) -> bool:
    """Drop the role; False where something still depends on it."""
    from psycopg.errors import DependentObjectsStillExist
    from psycopg.sql import SQL, Identifier

    try:
        _do(connection, SQL("DROP ROLE IF EXISTS {}").format(Identifier(name)))
    except DependentObjectsStillExist:
        return False
    return True


def seen(connection: Server, name: str, oid: int | None) -> Seen:
    """What is there of a role and its sessions. ``oid`` is the role's as it was made, None where that is not known.

    Gone is: no session, and no role, or one that cannot log in and is a member of nothing (what it owns keeps it).
    """
    found = _row(connection, _STANDING, (name,))
    now, can_login, expired, links, depends = found or (None, False, False, 0, 0)
    oids = {each for each in (oid, now) if isinstance(each, int)}
    sessions = sum(_count(connection, name, each) for each in oids)
    told = {"role": "absent", "sessions": str(sessions)}
    if found is not None:
        told = {**told, "role": "login" if can_login else "locked", "depends": str(depends), "links": str(links)}
        if can_login and expired:
            told["password"] = "expired"  # noqa: S105  # a state, no password
    if can_login or links:
        return Seen(effect=Effect.ALIVE, sessions=sessions, told=told)
    nameless = _number(_row(connection, _NAMELESS)) if not oids else 0
    if nameless:
        return Seen(effect=Effect.UNKNOWN, told={**told, "sessions": f"{nameless} of roles that are gone"})
    return Seen(effect=Effect.SESSIONS if sessions else Effect.GONE, sessions=sessions, told=told)


def receipts(connection: Server) -> list[tuple[str, Receipt]]:
    """The roles that carry a receipt, whoever's."""
    listed = _rows(
        connection,
        "SELECT rolname::text, shobj_description(oid, 'pg_authid') FROM pg_roles"
        " WHERE starts_with(rolname, 'cc_') AND shobj_description(oid, 'pg_authid') IS NOT NULL",
    )
    found = []
    for name, comment in listed:
        try:
            found.append((str(name), msgspec.json.decode(str(comment), type=Receipt)))
        except msgspec.DecodeError:
            continue  # a comment of somebody else's: no receipt of any broker
    return found


def state_of(error: Error) -> str:
    """The SQLSTATE, empty where the server was not heard."""
    return error.sqlstate or ""


def answered(error: Error) -> bool:
    """Whether a server that let nobody in said so itself: libpq gives no code of it, only the server's word FATAL."""
    return bool(state_of(error)) or "FATAL" in str(error)


def reason_of(error: Error) -> str:
    """A stable word for a failure."""
    match state_of(error)[:2]:
        case "":
            return "not-let-in" if answered(error) else "unreachable"
        case "28":
            return "not-let-in"
        case "42":
            return "not-permitted"
        case "57" | "55" | "53":
            return "busy"
    return "failed"


_SESSIONS = (
    "FROM pg_stat_activity WHERE usesysid = %(oid)s AND pid <> pg_backend_pid()"
    # Oids come round again: a session of another role that has the oid now is not one of the role that had it.
    " AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = %(oid)s AND r.rolname <> %(name)s)"
)
_NAMELESS = "SELECT count(*) FROM pg_stat_activity WHERE usesysid NOT IN (SELECT oid FROM pg_roles)"
_STANDING = (
    "SELECT r.oid::bigint, r.rolcanlogin, coalesce(r.rolvaliduntil <= now(), false),"
    " (SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid OR (m.roleid = r.oid AND m.member <>"
    " (SELECT oid FROM pg_roles WHERE rolname = current_user))),"
    " (SELECT count(*) FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid)"
    " FROM pg_roles r WHERE r.rolname = %s"
)


def _count(connection: Server, name: str, oid: int) -> int:
    return _number(_row(connection, f"SELECT count(*) {_SESSIONS}", {"oid": oid, "name": name}))


def _do(connection: Server, statement: Composed) -> None:
    connection.execute(statement)


def _row(
    connection: Server, query: str, values: tuple[object, ...] | dict[str, object] = ()
) -> tuple[object, ...] | None:
    return connection.execute(query.encode(), values or None).fetchone()


def _rows(connection: Server, query: str, values: dict[str, object] | None = None) -> list[tuple[object, ...]]:
    return connection.execute(query.encode(), values).fetchall()


def _number(row: tuple[object, ...] | None) -> int:
    return cast("int", row[0]) if row else 0
