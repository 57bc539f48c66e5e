"""The three layouts of a PostgreSQL record, cut into fields with their places: JSON, CSV and prefixed text.

Formats: ``jsonlog`` (manual, table "Keys and Values of JSON Log Entries"), ``csvlog`` (23 columns up to PostgreSQL 12,
24 in 13, 26 from 14 on) and text with the prefix ``%t:%r:%u@%d:[%p]:`` of Amazon RDS and Aurora.
"""

import re
from collections.abc import Iterator

from custody.sources.postgresql.mapped import Mapped, doubled_bytes, of_json, of_utf8
from custody.sources.postgresql.secrets import NAME_FIELD

COLUMNS = (
    "timestamp", "user", "dbname", "pid", "connection", "session_id", "line_num", "ps", "session_start", "vxid",
    "txid", "error_severity", "state_code", "message", "detail", "hint", "internal_query", "internal_position",
    "context", "statement", "cursor_position", "location", "application_name", "backend_type", "leader_pid", "query_id",
)  # fmt: skip
"""The columns of a csvlog row, by the names that jsonlog has for them; ``connection`` is host and port in one."""

FEWEST_COLUMNS = 23
TEXTS = (
    "message", "detail", "hint", "internal_query", "context", "statement", "application_name", "location", "ps",
    "func_name", "file_name", "backend_type",
)  # fmt: skip
"""Fields that hold free text, which can hold secrets."""

NAMES = ("user", "dbname")
KNOWN = frozenset((*COLUMNS, *TEXTS, "remote_host", "remote_port", "file_line_num"))

CSV_HEAD = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3} [A-Za-z0-9+:<>-]{1,16},")
TEXT_HEAD = re.compile(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})? "
    rb"[A-Za-z0-9+<>-]{1,16}:[^\n]*?@[^\n]*?:\[[0-9]+\]:"
)
_PREFIX = re.compile(
    r"(?P<timestamp>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})? [A-Za-z0-9+<>-]{1,16})"
    r":(?P<connection>[^\s@]*?\([0-9]+\)|\[local\]|):(?P<user>[^\n]*?)@(?P<dbname>[^\n]*?):\[(?P<pid>[0-9]+)\]"
    r":(?P<error_severity>\w+):  (?P<message>.*)",
    re.DOTALL,
)
_MARK = re.compile(r":\[[0-9]+\]:\w+:  ")
_CELL = re.compile(rb'(?:"(?P<quoted>[^"]*+(?:""[^"]*+)*+)"|(?P<bare>[^",\r\n]*+))(?P<more>,|\Z)')
_JSON_TOKEN = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"[ \t\r\n]*(:?)|[{}\[\]]', re.DOTALL)

Field = tuple[str, Mapped]


def json_fields(raw: bytes) -> Iterator[Field]:
    """Every string of a JSON object with the name of its member; those deeper than that have the name ``""``.

    ``raw`` is valid JSON. A member that is there twice comes twice. Raises UnicodeDecodeError.
    """
    depth, name = 0, ""
    for found in _JSON_TOKEN.finditer(raw):
        if found[1] is None:
            depth += 1 if found[0] in b"{[" else -1
        elif found[2]:
            name = of_json(raw, *found.span(1)).text if depth == 1 else name
        else:
            yield name if depth == 1 else "", of_json(raw, *found.span(1))


def csv_fields(raw: bytes) -> dict[str, Mapped] | None:
    """The columns of a csvlog row by name; None where it is none. Raises UnicodeDecodeError."""
    line = len(raw.rstrip(b"\r\n"))
    fields: list[Mapped] = []
    at = 0
    while len(fields) < len(COLUMNS) and (found := _CELL.match(raw, at, line)) is not None:
        if found["quoted"] is not None:
            fields.append(doubled_bytes(raw, *found.span("quoted")))
        else:
            fields.append(of_utf8(raw, *found.span("bare")))
        at = found.end()
        if not found["more"]:
            return dict(zip(COLUMNS, fields, strict=False)) if len(fields) >= FEWEST_COLUMNS else None
    return None


def text_fields(raw: bytes) -> dict[str, Mapped] | None:
    """The parts of a prefixed line by name, continuation lines included. Raises UnicodeDecodeError."""
    line = of_utf8(raw, 0, len(raw.rstrip(b"\r\n")))
    found = _PREFIX.fullmatch(line.text)
    if found is None:
        return None
    return {name: line.part(*found.span(name)) for name in found.groupdict()}


def is_ambiguous(fields: dict[str, Mapped]) -> bool:
    """Whether a prefixed line can be cut in more than one way: a name or a message holds what looks like a prefix."""
    return _MARK.search(fields["message"].text) is not None


def entry_name(name: str, severity: str = "") -> str:
    """What a field is to the search for secrets. Prefixed text tells by its severity what its message is."""
    if name in NAMES:
        return NAME_FIELD
    if name != "message" or not severity:
        return name
    return TEXT_KINDS.get(severity, "message")


TEXT_KINDS = {"STATEMENT": "statement", "QUERY": "internal_query", "DETAIL": "detail", "CONTEXT": "context"}
"""Lines of prefixed text that belong to the message before them, by the field that they would be elsewhere."""
