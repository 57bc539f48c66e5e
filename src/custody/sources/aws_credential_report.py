"""The IAM credential report: which users of an account have passwords, access keys and certificates, and how old.

Log format: "Getting credential reports for your AWS account", AWS IAM User Guide: CSV with a header, or the answer of
``get-credential-report``, a JSON object with the CSV in base64 and the time of the report. The report never holds an
access key id: a slot can be matched to a key only by ``last_rotated``, which is weak.
"""

import base64
import binascii
import csv
import hashlib
import io
import re
from collections.abc import Iterator

import msgspec

from custody.errors import SourceError
from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.model.records import Identity, TextFraming
from custody.sources import identities, moments
from custody.sources.aws_cloudtrail.principals import principal_key
from custody.sources.decoding import told
from custody.sources.source import Source

ROW_SCHEME = "iam-credential-row/1"
REPORT_SCHEME = "iam-credential-report/1"
FORM = "credential-report"
_ARN = re.compile(r"arn:aws[a-z-]{0,16}:iam::[0-9]{12}:(?:user/[^\s,]{1,600}|root)")
_ROW = re.compile(rb'(?:"(?:[^"]|"")*+"|[^,"\n]*+),"?arn:aws[a-z-]{0,16}:iam::[0-9]{12}:(?:user/|root)')
_MARKS = (b'"ReportFormat"', b'"Content"', b'"GeneratedTime"')
_NOTHING = frozenset(("", "N/A", "no_information", "not_supported"))
_CELLS = 22
"""Cells of the shortest row there is; newer reports have more."""
_SLOTS = (
    ("access_key_1", "inventory.access_key_slot"),
    ("access_key_2", "inventory.access_key_slot"),
    ("cert_1", "inventory.certificate_slot"),
    ("cert_2", "inventory.certificate_slot"),
)
_TOLD = ("mfa_active", "password_enabled", "password_last_changed", "password_last_used")
_SPOKEN = ("user_creation_time", "password_last_used", "password_last_changed")
_SLOT_SPOKEN = ("last_rotated", "last_used_date")


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The answer of ``get-credential-report``."""

    Content: str
    ReportFormat: str
    GeneratedTime: str


_ANSWER = msgspec.json.Decoder(Answer)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a row of a report, or like the API's answer, by its bytes alone."""
    if raw[:1] == b"{":
        return _MARKS[0] in raw and all(mark in raw for mark in _MARKS)
    return raw.count(b",") >= _CELLS - 1 and _ROW.match(raw) is not None


def identify(raw: bytes) -> Identity | None:
    """A row is named by the user's ARN and its own hash, an answer by its hash. Raises nothing. No secrets here."""
    try:
        if raw[:1] == b"{":
            _ANSWER.decode(raw)
            return Identity(REPORT_SCHEME, identities.hashed(raw))
        return Identity(ROW_SCHEME, identities.canonical(_row_id(_arn_of(_cells(raw.decode())), raw)))
    except (SourceError, msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def read(kept: bytes, form: str) -> tuple[Event, ...] | Skip:
    """The events of a row (``form`` brings its header) or of a whole answer, or why there are none. Raises nothing."""
    if kept[:1] == b"{":
        return told(lambda: _answered(_ANSWER.decode(kept)))
    return told(lambda: tuple(_row(kept, _cells(form.removeprefix(FORM).lstrip()), None)))


def _answered(answer: Answer) -> tuple[Event, ...]:
    """Every row of a report, at the report's own time."""
    try:
        content = base64.b64decode(answer.Content, validate=True)
    except (binascii.Error, ValueError):
        raise SourceError("not base64", where="$.Content") from None
    lines = content.splitlines()
    header = _cells(lines[0].decode()) if lines else []
    time = moments.rfc3339(answer.GeneratedTime, "$.GeneratedTime")
    return tuple(event for line in lines[1:] if line.strip() for event in _row(line, header, time))


def _cells(text: str) -> list[str]:
    """The cells of one row of RFC 4180; SourceError where it is none."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise SourceError("not a row of CSV", found=str(error)) from None
    if len(rows) != 1:
        raise SourceError("not one row of CSV", found=f"{len(rows)} rows")
    return rows[0]


def _arn_of(cells: list[str]) -> str:
    if len(cells) < _CELLS or _ARN.fullmatch(cells[1]) is None:
        raise SourceError("not a row of a credential report", expected=f"{_CELLS} cells, the second an ARN")
    return cells[1]


def _row_id(arn: str, raw: bytes) -> str:
    return f"{arn} {hashlib.sha256(raw).hexdigest()}"


def _row(raw: bytes, header: list[str], generated: int | None) -> Iterator[Event]:
    """The user, and each slot of theirs that is active."""
    cells = _cells(raw.decode())
    if len(cells) != len(header):
        sides = (f"{len(cells)} cells", f"{len(header)}, as the header names")
        raise SourceError("a row that does not fit its header", found=sides[0], expected=sides[1])
    row = dict(zip(header, cells, strict=True))
    arn = _arn_of(cells)
    time = generated or _latest(row)
    named = _row_id(arn, raw)
    about = {name: row[name] for name in _TOLD if row.get(name, "") not in _NOTHING}
    yield _event(named, arn, time, _moment(row, "user_creation_time"), ("inventory.user", row.get("user")), about)
    for slot, effect in _SLOTS:
        if row.get(f"{slot}_active") == "true":
            used = {name: row.get(f"{slot}_{name}", "") for name in _USED}
            about = {name: value for name, value in used.items() if value not in _NOTHING}
            yield _event(named, arn, time, _moment(row, f"{slot}_last_rotated"), (effect, slot), about)


_USED = ("last_used_date", "last_used_region", "last_used_service")


def _event(
    named: str, arn: str, time: int, created: int | None, what: tuple[str, str | None], about: dict[str, str]
) -> Event:
    return Event(
        id=named,
        time=time,
        service="iam.amazonaws.com",
        action="GetCredentialReport",
        outcome=Outcome.SUCCESS,
        parts=(Part(stage=Stage.INVENTORY, key=principal_key(arn), effect=what[0], object=what[1]),),
        account=arn.split(":", 5)[4],
        created=created,
        resource=arn,
        tags=msgspec.json.encode(about).decode() if about else None,
    )


def _moment(row: dict[str, str], name: str) -> int | None:
    text = row.get(name, "")
    return None if text in _NOTHING else moments.rfc3339(text, name)


def _latest(row: dict[str, str]) -> int:
    """The latest moment that the row speaks of: the report was made then or later."""
    slots = [f"{slot}_{name}" for slot, _ in _SLOTS for name in _SLOT_SPOKEN]
    found = [moment for name in (*_SPOKEN, *slots) if (moment := _moment(row, name)) is not None]
    if not found:
        raise SourceError("no time", where="user_creation_time", expected="a time in the row")
    return max(found)


SOURCE = Source(
    name="aws.credential_report",
    title="AWS IAM credential report",
    wrappings=(),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b'"ReportFormat"', b":iam::"),
    texts=(TextFraming(form=FORM, head=r"user,arn,user_creation_time,", csv=True, header=True),),
    time_resolution=1_000_000,
    delivery_delay=4 * 60 * 60 * 1_000_000,
    proves=(
        "which users an account had, which of their key and certificate slots were active, and when each was made and "
        "last used; it names no access key"
    ),
    enable=(
        "aws iam generate-credential-report; aws iam get-credential-report --query Content --output text "
        "| base64 --decode > credential-report.csv"
    ),
)
