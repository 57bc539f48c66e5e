"""A PostgreSQL record's typed meaning.

A line that the server wrote for a session is a use of the role that the session logged in as. What a statement does to
roles is read from the lines that quote it; an error that quotes it says that it did not happen.
"""

import re

import msgspec

from custody.errors import SourceError
from custody.model.events import Asserter, Event, Outcome, Part, Skip, Stage
from custody.sources.decoding import told
from custody.sources.postgresql import record, said, statements
from custody.sources.postgresql.layouts import TEXT_KINDS
from custody.sources.postgresql.record import LOCAL, Record
from custody.sources.postgresql.roles import Asked, role_key

SERVICE = "postgresql"
_FAILURES = ("ERROR", "FATAL", "PANIC")
_SEVERITIES = (*_FAILURES, "LOG", "INFO", "NOTICE", "WARNING", "DEBUG")
_BESIDE = (*TEXT_KINDS, "HINT", "LOCATION", "BACKTRACE")
_IDLE = ("idle", "idle in transaction", "idle in transaction (aborted)", "authentication", "startup", "initializing")
_DENIED = re.compile(
    r"permission denied|must be (?:owner|superuser|member)|authentication failed for user|no pg_hba\.conf entry"
    r"|pg_hba\.conf rejects|is not permitted to log in|role \".*\" does not exist\Z"
)
_UNDROPPED = re.compile(r'role "(.*)" cannot be dropped because')
_AUTHENTICATED = re.compile(r'connection authenticated: (?:identity|user)="(.*)" method=(\S+)(?: \((.*)\))?', re.DOTALL)
_AUTHORIZED = re.compile(r"(?:replication )?connection authorized: ")
_LAYERS = re.compile(r" (SSL enabled|GSS) \(([^()]*)\)\Z")
_MATCHED = re.compile(r"Connection matched (.*?):? \"")


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What one record says, before it becomes an event."""

    action: str
    outcome: Outcome = Outcome.SUCCESS
    parts: tuple[Part, ...] = ()
    error: str | None = None
    agent: str | None = None
    resource: str | None = None
    policy: str | None = None
    trace: str | None = None
    tags: dict[str, str | int] = msgspec.field(default_factory=dict)


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept record, or why there is none. Raises nothing; the bytes themselves tell the layout."""
    return told(lambda: _read(kept))


def _read(kept: bytes) -> tuple[Event, ...]:
    try:
        line = record.of(kept)
    except (ValueError, OverflowError) as error:
        if isinstance(error, UnicodeError | msgspec.MsgspecError):
            raise
        raise SourceError("a field is not what its name says", found=str(error)) from None
    return (_event(line, _meaning(line)),)


def _event(line: Record, meaning: Meaning) -> Event:
    parts = meaning.parts
    if line.plain_text:
        parts = tuple(_claimed(part) for part in parts)
    return Event(
        id=line.id,
        time=line.time,
        service=SERVICE,
        action=meaning.action,
        outcome=meaning.outcome,
        parts=parts,
        error=meaning.error,
        category=line.backend,
        origin=None if line.host == LOCAL else line.host,
        agent=meaning.agent or line.application,
        principal=_role(line),
        principal_kind="role" if line.user else None,
        session=_session(line),
        request_id=_transaction(line),
        resource=meaning.resource or line.database,
        policy=meaning.policy,
        trace=meaning.trace,
        tags=msgspec.json.encode(meaning.tags).decode() if meaning.tags else None,
    )


def _claimed(part: Part) -> Part:
    return msgspec.structs.replace(part, asserter=Asserter.CLIENT)


def _role(line: Record) -> str | None:
    return None if line.user is None else role_key(line.user)


def _session(line: Record) -> str | None:
    """The key of the session; the server's own processes have none."""
    return None if line.session is None or line.user is None else statements.session_key(line.session)


def _transaction(line: Record) -> str | None:
    """Session and virtual transaction: common to a statement and the error that ends it."""
    if line.session is None or line.transaction is None or line.transaction.endswith("/0"):
        return None
    return f"{line.session}/{line.transaction}"


def _meaning(line: Record) -> Meaning:
    if _is_failure(line):
        return _failure(line)
    if line.plain_text and line.severity in _BESIDE:
        return _beside(line)
    if line.context is not None:
        return Meaning(action=_activity(line) or "message", parts=_use(line))
    return _audited(line) or _statement(line) or _connection(line)


def _is_failure(line: Record) -> bool:
    if line.severity.rstrip("12345") in _SEVERITIES or line.state is None:
        return line.severity in _FAILURES
    return line.state[:2] not in ("00", "01", "02")


def _use(line: Record) -> tuple[Part, ...]:
    key = _role(line)
    return () if key is None else (Part(stage=Stage.USE, key=key),)


def _activity(line: Record) -> str | None:
    """The command tag that the process shows, None where it shows a state."""
    return None if line.activity is None or line.activity in _IDLE else line.activity


def _done(line: Record, sql: str) -> tuple[Part, ...]:
    return statements.parts(sql, Asked(_role(line), line.time), _session(line))


def _failure(line: Record) -> Meaning:
    """An error: a refusal where the server says so, and what it undid."""
    denied = _is_denied(line)
    ends = line.severity in ("FATAL", "PANIC")
    parts = () if ends and not denied else _use(line)
    sql = line.statement or ""
    parts += tuple(statements.failed(part) for part in _done(line, sql) if part.effect != "transaction.rollback")
    if not sql and line.context is None and (named := _UNDROPPED.match(line.message)):
        parts += (Part(stage=Stage.CHANGE, key=role_key(named[1]), effect="credential.drop_failed"),)
    if ends:
        parts += _ended(line)
    matched = _MATCHED.search(line.detail or "")
    return Meaning(
        action=(statements.command(sql) if sql else None) or _activity(line) or ("connection" if ends else "statement"),
        outcome=Outcome.DENIED if denied else Outcome.ERROR,
        parts=parts,
        error=line.state or line.severity,
        policy=None if matched is None else matched[1],
        trace=statements.trace(sql),
    )


def _is_denied(line: Record) -> bool:
    if line.state is None:
        return _DENIED.search(line.message) is not None
    return line.state.startswith("28") or line.state == "42501"


def _ended(line: Record) -> tuple[Part, ...]:
    """The end that a fatal error puts to a session. One that was let in but got no further was never open."""
    session = _session(line)
    if session is None or line.activity == "authentication":
        return ()
    method = f"{line.severity} {line.state or ''}".strip()
    closed = Part(stage=Stage.END, key=session, parent=_role(line), effect="session.close", method=method)
    if line.activity != "startup":
        return (closed,)
    return (Part(stage=Stage.CHANGE, key=session, effect="session.open_failed", method=method), closed)


def _beside(line: Record) -> Meaning:
    """A line of text that belongs to the one before it: STATEMENT quotes what failed, the others explain."""
    if line.severity != "STATEMENT":
        return Meaning(action=line.severity)
    undone = tuple(statements.failed(part) for part in _done(line, line.message))
    return Meaning(action=line.severity, outcome=Outcome.ERROR, parts=undone)


def _audited(line: Record) -> Meaning | None:
    audit = said.audit(line.message)
    if audit is None:
        return None
    sql = audit.statement.text
    return Meaning(
        action=audit.command or "AUDIT",
        parts=_use(line) + _done(line, sql),
        resource=audit.object_name or None,
        trace=statements.trace(sql),
    )


def _statement(line: Record) -> Meaning | None:
    """A quoted statement, or that one was done. Only ``statement`` and ``execute`` say that it is carried out."""
    quote = said.quoted(line.message)
    if quote is None:
        return None
    if quote.kind is None:
        return Meaning(action=_activity(line) or "duration", parts=_use(line))
    sql = line.message[quote.start :]
    done = _done(line, sql) if quote.kind in ("statement", "execute") else ()
    if quote.doubtful:
        done = tuple(_claimed(part) for part in done)
    action = statements.command(sql) if quote.kind in ("statement", "execute") else quote.kind.upper()
    return Meaning(action=action or "statement", parts=_use(line) + done, trace=statements.trace(sql))


def _connection(line: Record) -> Meaning:
    """The beginning and the end of a session, and everything else that the server says."""
    message = line.message
    if _AUTHORIZED.match(message):
        return _opened(line)
    if (found := _AUTHENTICATED.fullmatch(message)) is not None:
        tags: dict[str, str | int] = {"identity": found[1], "method": found[2]}
        return Meaning(action="connection authenticated", policy=found[3], tags=tags)
    if message.startswith("disconnection: session time: "):
        return _closed(line)
    return Meaning(action="connection received" if message.startswith("connection received: ") else "message")


def _opened(line: Record) -> Meaning:
    session, role = _session(line), _role(line)
    start = Part(stage=Stage.START, key=session, parent=role, effect="session.open")
    application, tags = _client(line)
    if line.port is not None:
        tags["remote_port"] = line.port
    return Meaning(
        action="connection authorized",
        parts=(() if session is None else (start,)) + _use(line),
        agent=application,
        tags=tags,
    )


def _closed(line: Record) -> Meaning:
    session = _session(line)
    end = Part(stage=Stage.END, key=session, parent=_role(line), effect="session.close", method="disconnection")
    return Meaning(action="disconnection", parts=() if session is None else (end,))


def _client(line: Record) -> tuple[str | None, dict[str, str | int]]:
    """The name that the client gave itself and the encryption, from behind the names that the record has too."""
    message, tags = line.message, dict[str, str | int]()
    while (found := _LAYERS.search(message)) is not None:
        tags["ssl" if found[1].startswith("SSL") else "gss"] = found[2]
        message = message[: found.start()]
    database = "" if line.database is None or message.startswith("replication") else f" database={line.database}"
    head = f"connection authorized: user={line.user or ''}{database}"
    rest = message.removeprefix("replication ").removeprefix(head)
    name = rest.removeprefix(" application_name=")
    return (name or None) if rest != name else None, tags
