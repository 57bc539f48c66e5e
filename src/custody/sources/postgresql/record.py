"""A PostgreSQL record as one type, whichever of the three layouts it was written in, its secrets masked."""

import re

import msgspec

from custody.errors import SourceError
from custody.sources import moments
from custody.sources.masking import mask
from custody.sources.postgresql import identity, layouts
from custody.sources.postgresql.mapped import Mapped
from custody.sources.postgresql.secrets import SCREEN, covered

_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?) ?(?:(UTC|GMT|UCT|Z)|([+-]\d\d):?(\d\d)?)")
_HOST_PORT = re.compile(r"(.*)(?::(\d{1,5})|\((\d{1,5})\))", re.DOTALL)
_NOBODY = ("", "[unknown]")
LOCAL = "[local]"


class Record(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One record. Times are microseconds since 1970, UTC; what the log does not say is None.

    ``state`` is the SQLSTATE code, ``activity`` what the process was doing (the command tag, ``idle``,
    ``authentication``), ``plain_text`` says that it was a prefixed line, which a client can forge.
    """

    id: str
    time: int
    severity: str
    message: str
    session: str | None = None
    user: str | None = None
    database: str | None = None
    host: str | None = None
    port: int | None = None
    state: str | None = None
    activity: str | None = None
    detail: str | None = None
    context: str | None = None
    statement: str | None = None
    application: str | None = None
    backend: str | None = None
    transaction: str | None = None
    plain_text: bool = False


class _Line(msgspec.Struct, frozen=True, gc=False):
    """The members of jsonlog that are read. A member of another type is refused by the decoder, with its path."""

    timestamp: str
    session_id: str
    line_num: int
    error_severity: str
    message: str | None = None
    user: str | None = None
    dbname: str | None = None
    remote_host: str | None = None
    remote_port: int | None = None
    ps: str | None = None
    state_code: str | None = None
    detail: str | None = None
    context: str | None = None
    statement: str | None = None
    internal_query: str | None = None
    application_name: str | None = None
    backend_type: str | None = None
    vxid: str | None = None


_LINE = msgspec.json.Decoder(_Line)


def of(kept: bytes) -> Record:
    """The record in ``kept``, whichever its layout. Raises what msgspec raises, UnicodeError and SourceError."""
    if kept[:1] == b"{":
        return _of_json(kept)
    return _of_csv(kept) if layouts.CSV_HEAD.match(kept) else _of_text(kept)


def _of_json(kept: bytes) -> Record:
    line = _LINE.decode(kept)
    name = identity.json_name(line.session_id, line.line_num)
    if SCREEN.passed(kept):
        return _of_line(line, name)
    values = {name: str(value) for name, value in msgspec.structs.asdict(line).items() if value is not None}
    return _record(_safe(values), name, "$.timestamp")


def _of_line(line: _Line, name: str) -> Record:
    """The record of a line in which nothing is to be covered: as ``_record`` has it."""
    return Record(
        id=name,
        time=_time(line.timestamp, "$.timestamp"),
        severity=line.error_severity,
        message=line.message or "",
        session=line.session_id or None,
        user=None if line.user in _NOBODY else line.user,
        database=None if line.dbname in _NOBODY else line.dbname,
        host=line.remote_host or None,
        port=None if line.remote_host is None else line.remote_port,
        state=line.state_code or None,
        activity=line.ps or None,
        detail=line.detail or None,
        context=line.context or None,
        statement=line.statement or None,
        application=line.application_name or None,
        backend=line.backend_type or None,
        transaction=line.vxid or None,
    )


def _of_csv(kept: bytes) -> Record:
    fields = layouts.csv_fields(kept)
    name = None if fields is None else identity.csv_name(fields)
    if fields is None or name is None:
        raise SourceError("not a row of csvlog", expected="23 to 26 columns")
    return _record(_safe(_texts(fields)), name, "column 1 (log_time)")


def _of_text(kept: bytes) -> Record:
    known = identity.identify(kept)
    fields = None if known is None else layouts.text_fields(mask(kept, known.secrets))
    if fields is None or known is None:
        raise SourceError("not a line with a prefix", expected="%t:%r:%u@%d:[%p]:")
    if layouts.is_ambiguous(fields):
        raise SourceError(
            "the line can be cut in two ways: a name or message in it looks like a prefix",
            expected="one prefix: collect csvlog or jsonlog",
        )
    texts = _texts(fields)
    return _record(_safe(texts, texts["error_severity"]), known.id, "%t", plain_text=True)


def _texts(fields: dict[str, Mapped]) -> dict[str, str]:
    return {name: field.text for name, field in fields.items()}


def _safe(values: dict[str, str], severity: str = "") -> dict[str, str]:
    """The texts as the kept copy has them. ``severity`` is that of a prefixed line."""
    entries = [(layouts.entry_name(key, severity), text) for key, text in values.items()]
    return dict(zip(values, covered(entries), strict=True))


def _record(safe: dict[str, str], name: str, where: str, *, plain_text: bool = False) -> Record:
    host, port = _peer(safe)
    return Record(
        id=name,
        time=_time(safe["timestamp"], where),
        severity=safe["error_severity"],
        message=safe.get("message", ""),
        session=safe.get("session_id") or None,
        user=_name(safe, "user"),
        database=_name(safe, "dbname"),
        host=host or None,
        port=port,
        state=safe.get("state_code") or None,
        activity=safe.get("ps") or None,
        detail=safe.get("detail") or None,
        context=safe.get("context") or None,
        statement=safe.get("statement") or None,
        application=safe.get("application_name") or None,
        backend=safe.get("backend_type") or None,
        transaction=safe.get("vxid") or None,
        plain_text=plain_text,
    )


def _name(values: dict[str, str], name: str) -> str | None:
    found = values.get(name, "")
    return None if found in _NOBODY else found


def _peer(values: dict[str, str]) -> tuple[str | None, int | None]:
    """Host and port, which csvlog joins by a colon (also behind IPv6) and ``%r`` writes as ``host(port)``."""
    if "remote_host" in values:
        port = values.get("remote_port")
        return values["remote_host"], int(port) if port else None
    connection = values.get("connection", "")
    found = _HOST_PORT.fullmatch(connection)
    return (connection, None) if found is None else (found[1], int(found[2] or found[3]))


def _time(text: str, where: str) -> int:
    """A time with its zone: UTC by any of its names, or an offset.

    Other abbreviations mean different zones to different people (IST, CST), so they are refused.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise SourceError(
            "a time whose zone is not known for sure",
            where=where,
            found=repr(text),
            expected="UTC, GMT or an offset: set log_timezone = 'UTC'",
        )
    zone = "Z" if found[2] else f"{found[3]}:{found[4] or '00'}"
    return moments.rfc3339(f"{found[1]}{zone}", where)
