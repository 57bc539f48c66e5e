"""What the messages of the server say: which of them quote SQL, and where.

Forms: ``log_statement``, ``log_duration``, ``log_min_duration_statement`` (manual, chapter "Error Reporting and
Logging") and the audit lines of pgaudit (``AUDIT: type,statement,substatement,class,command,type,name,SQL,parameters``,
with the rows behind where ``pgaudit.log_rows`` is on).
"""

import re
from typing import NamedTuple

from custody.sources.postgresql.mapped import Mapped, doubled

_SQL = re.compile(r"(duration: [0-9.]+ ms  )?(?:(statement)|(execute fetch from|execute|parse|bind) [^:]*): ")
_DURATION = re.compile(r"duration: [0-9.]+ ms")
_AUDIT = "AUDIT: "
_FIELD = re.compile(r'(?:"(?P<quoted>[^"]*+(?:""[^"]*+)*+)"|(?P<bare>[^,]*+))(?P<more>,|\Z)')
_AUDIT_FIELDS = (9, 10)


class Quoted(NamedTuple):
    """A message that quotes SQL from ``start`` on, or tells of a statement without its text (``kind`` None then).

    ``kind`` is ``statement``, ``execute``, ``execute fetch from``, ``parse`` or ``bind``. A client may give a prepared
    statement any name, also one that goes on like SQL; ``doubtful`` says that the message can be read in that way.
    """

    kind: str | None
    start: int
    doubtful: bool = False


def quoted(message: str) -> Quoted | None:
    """Where and how ``message`` quotes a statement; None where it is no such message."""
    found = _SQL.match(message)
    if found is not None:
        return Quoted(found[2] or found[3], found.end(), found[2] is None and ": " in message[found.end() :])
    return Quoted(None, len(message)) if _DURATION.fullmatch(message) else None


class Audit(NamedTuple):
    """The fields of a pgaudit line that are read; the last two with their places in the message."""

    command: str
    object_name: str
    statement: Mapped
    parameters: Mapped


def audit(message: str) -> Audit | None:
    """The fields of a pgaudit message; None where it is none."""
    if not message.startswith(_AUDIT):
        return None
    fields = _fields(message, len(_AUDIT))
    if len(fields) not in _AUDIT_FIELDS or fields[0].text not in ("SESSION", "OBJECT"):
        return None
    return Audit(fields[4].text, fields[6].text, fields[7], fields[8])


def _fields(text: str, at: int) -> list[Mapped]:
    """The fields of a CSV line from ``at`` on; none where it is no CSV or has too many."""
    fields: list[Mapped] = []
    while len(fields) < max(_AUDIT_FIELDS) and (found := _FIELD.match(text, at)) is not None:
        if found["quoted"] is not None:
            fields.append(doubled(text, *found.span("quoted")))
        else:
            start, end = found.span("bare")
            fields.append(Mapped(text[start:end], range(start, end + 1)))
        if not found["more"]:
            return fields
        at = found.end()
    return []
