"""Which PostgreSQL record this is, and where its secrets are. Frozen as the schemes below.

The identity is the session and the number of the line in it (``session_id/line_num``), with the layout behind it: a
server that writes both layouts writes every event twice, and the two texts are not one value. Prefixed text has no
number: its identity is the SHA-256 of the line after its secrets were masked.
"""

import hashlib
import re

import msgspec

from custody.model.records import Identity, SecretSpan
from custody.sources import secret_spans
from custody.sources.masking import mask
from custody.sources.postgresql import layouts
from custody.sources.postgresql.mapped import Mapped
from custody.sources.postgresql.secrets import SCREEN, hinted_bytes, spots

JSON_SCHEME = "session-line-json/1"
CSV_SCHEME = "session-line-csv/1"
TEXT_SCHEME = "masked-line/1"

_SESSION = re.compile(r"[0-9a-f]{1,16}\.[0-9a-f]{1,16}")
_NUMBER = re.compile(r"[0-9]{1,19}")


class _Head(msgspec.Struct, frozen=True, gc=False):
    """What makes a JSON object a record of jsonlog."""

    session_id: str
    line_num: int
    timestamp: str
    error_severity: str


_HEAD = msgspec.json.Decoder(_Head)


def json_name(session: str, line: int) -> str:
    """The identity of a record of jsonlog."""
    return f"{session}/{line}@json"


def csv_name(fields: dict[str, Mapped]) -> str | None:
    """The identity of a row of csvlog, None where its session or line is none."""
    session, line = fields["session_id"].text, fields["line_num"].text
    if not _SESSION.fullmatch(session) or not _NUMBER.fullmatch(line):
        return None
    return f"{session}/{int(line)}@csv"


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a record in one of the three layouts, by its bytes alone."""
    if raw[:1] == b"{":
        return b'"error_severity"' in raw and b'"session_id"' in raw and b'"line_num"' in raw
    return layouts.CSV_HEAD.match(raw) is not None or layouts.TEXT_HEAD.match(raw) is not None


def identify(raw: bytes) -> Identity | None:
    """The identity and secrets of one record; None where it is no record of PostgreSQL's. Raises nothing."""
    try:
        if raw[:1] == b"{":
            return _of_json(raw)
        if layouts.CSV_HEAD.match(raw):
            return _of_csv(raw)
        return _of_text(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return None


def _of_json(raw: bytes) -> Identity | None:
    head = _HEAD.decode(raw)
    if not _SESSION.fullmatch(head.session_id) or head.line_num < 0:
        return None
    name = json_name(head.session_id, head.line_num)
    if SCREEN.passed(raw) or not hinted_bytes(raw):
        return Identity(JSON_SCHEME, name)
    fields = [*layouts.json_fields(raw)]
    found = _spans([(layouts.entry_name(key), text) for key, text in fields])
    named, unsure = _named(raw, fields)
    return Identity(JSON_SCHEME, name, _joined([*found, *named]), unsure)


def _named(raw: bytes, fields: list[layouts.Field]) -> tuple[list[SecretSpan], bool]:
    """Secrets under the names of members that are not the server's own (a shipper added them)."""
    found = secret_spans.find(raw)
    if not found.spans:
        return [], found.unsure
    own = [(text.at[0], text.at[-1]) for name, text in fields if name in layouts.KNOWN]
    apart = [span for span in found.spans if not any(a <= span.start and span.end <= b for a, b in own)]
    return apart, found.unsure


def _of_csv(raw: bytes) -> Identity | None:
    fields = layouts.csv_fields(raw)
    name = None if fields is None else csv_name(fields)
    return None if fields is None or name is None else Identity(CSV_SCHEME, name, _found(raw, fields))


def _of_text(raw: bytes) -> Identity | None:
    fields = layouts.text_fields(raw)
    if fields is None:
        return None
    found = _found(raw, fields, fields["error_severity"].text)
    return Identity(TEXT_SCHEME, f"sha256:{hashlib.sha256(mask(raw, found)).hexdigest()}", found)


def _found(raw: bytes, fields: dict[str, Mapped], severity: str = "") -> tuple[SecretSpan, ...]:
    if not hinted_bytes(raw):
        return ()
    return _joined(_spans([(layouts.entry_name(name, severity), text) for name, text in fields.items()]))


def _spans(entries: list[layouts.Field]) -> list[SecretSpan]:
    """The secrets of all texts, in the bytes. Those of one text are covered as ``secrets.covered`` covers them."""
    found = spots([(name, text.text) for name, text in entries])
    return [
        SecretSpan(text.at[spot.start], text.at[spot.end], spot.kind)
        for (_, text), each in zip(entries, found, strict=True)
        for spot in each
    ]


def _joined(spans: list[SecretSpan]) -> tuple[SecretSpan, ...]:
    result: list[SecretSpan] = []
    for span in sorted(spans, key=lambda each: (each.start, -each.end)):
        if result and span.start < result[-1].end:
            last = result[-1]
            result[-1] = SecretSpan(last.start, max(last.end, span.end), last.secret)
        else:
            result.append(span)
    return tuple(result)
