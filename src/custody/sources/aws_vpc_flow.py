"""VPC flow logs: which address talked to which, through which interface, and whether it was let.

Log format: "Flow log records", Amazon VPC User Guide: fields with spaces between, a hyphen for none. The default
format (version 2) stands without its header in CloudWatch Logs and with it in files; a custom format is known by its
header line alone. A row's address is the network's own word, and says nothing about credentials.
"""

import re

import msgspec

from custody.errors import SourceError
from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.model.keys import scoped
from custody.model.records import Identity, TextFraming, Wrapping
from custody.sources import identities, moments, secret_spans
from custody.sources.decoding import told
from custody.sources.masking import mask
from custody.sources.source import Source

SCHEME = "row/1"
FORM = "flow"
FORM_NAMED = "flow-header"
_DEFAULT = (
    "version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes",
    "start", "end", "action", "log-status",
)  # fmt: skip
_MARK = r"(?:OK|NODATA|SKIPDATA|ACCEPT|REJECT|eni-[0-9a-f]{8,17})"
_ROW = re.compile(
    rf"(?=(?:\S+ )*{_MARK}(?: |\Z))(?=(?:\S+ )*[0-9]{{10}}(?: |\Z))[A-Za-z0-9.:/_$-]+(?: [A-Za-z0-9.:/_$-]+)+"
)
_LONGEST = 4096
_ELEMENT = re.compile(rb'"message"\s*:\s*"2 (?:[0-9]{12}|unknown) eni-')
_KNOWN = (
    "interface-id|srcaddr|dstaddr|pkt-srcaddr|pkt-dstaddr|account-id|instance-id|vpc-id|subnet-id|log-status|tgw-id"
)
_OWN_FIELDS = frozenset(
    ("account-id", "interface-id", "srcaddr", "dstaddr", "dstport", "start", "action", "log-status", "region")
)
_OUTCOMES = {"ACCEPT": Outcome.SUCCESS, "REJECT": Outcome.DENIED, "SKIPDATA": Outcome.ERROR}


class _Element(msgspec.Struct, frozen=True, gc=False):
    """A row as CloudWatch Logs wraps it."""

    message: str


_ELEMENT_OF = msgspec.json.Decoder(_Element)
_STRING = msgspec.json.Decoder(str)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a row, alone or in what CloudWatch Logs wraps around it."""
    if raw[:1] in (b"{", b'"'):
        return b" eni-" in raw[:_LONGEST] and _row(raw) is not None
    return _row(raw) is not None


def identify(raw: bytes) -> Identity | None:
    """The hash of the record, masked: the log has no ids. None where it is no row. Raises nothing."""
    if _row(raw) is None:
        return None
    if raw[:1] != b"{":
        return Identity(SCHEME, identities.hashed(raw))
    found = secret_spans.find(raw)
    return Identity(SCHEME, identities.hashed(mask(raw, found.spans)), found.spans, found.unsure)


def read(kept: bytes, form: str) -> tuple[Event, ...] | Skip:
    """The event of a row, or why there is none. Raises nothing."""
    return told(lambda: (_event(_named(kept, form)),))


def _row(raw: bytes) -> str | None:
    """The row in a record: the record itself, the text of a JSON string, or the message of a JSON object."""
    try:
        if raw[:1] == b"{":
            text = _ELEMENT_OF.decode(raw).message if _ELEMENT.search(raw[:_LONGEST]) else ""
        else:
            text = _STRING.decode(raw) if raw[:1] == b'"' else raw[: _LONGEST + 1].decode("ascii")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    text = text.strip(" \r\n")
    return text if len(text) <= _LONGEST and _ROW.fullmatch(text) else None


def _named(kept: bytes, form: str) -> dict[str, str]:
    """The fields of a row by name; a field that is ``-`` is left out."""
    row = _row(kept)
    if row is None:
        raise SourceError("not a row of a flow log", expected="fields with single spaces between")
    kind, _, header = form.partition(" ")
    names = header.strip().lower().replace("_", "-").split() if kind == FORM_NAMED else _DEFAULT
    values = row.split(" ")
    if len(values) != len(names):
        raise SourceError("a row of another format", found=f"{len(values)} fields", expected=f"{len(names)} fields")
    if len(set(names)) != len(names):
        raise SourceError("the header names a field twice", found=header[:200])
    return {name: value for name, value in zip(names, values, strict=True) if value != "-"}


def _event(row: dict[str, str]) -> Event:
    action = row.get("log-status", "OK")
    if action == "OK":
        action = row.get("action", "flow")
    account = row.get("account-id")
    tags = {name: value for name, value in row.items() if name not in _OWN_FIELDS}
    return Event(
        id="",
        time=_time(row),
        service="vpc-flow-logs.amazonaws.com",
        action=action,
        outcome=_OUTCOMES.get(action, Outcome.SUCCESS),
        parts=_instance(row),
        error=row.get("reject-reason") or ("SKIPDATA" if action == "SKIPDATA" else None),
        account=account if account != "unknown" else None,
        region=row.get("region"),
        category="flow",
        origin=row.get("srcaddr"),
        endpoint=_endpoint(row),
        resource=row.get("interface-id") or row.get("tgw-attachment-id"),
        tags=msgspec.json.encode(tags).decode() if tags else None,
    )


def _time(row: dict[str, str]) -> int:
    text = row.get("start") or row.get("end") or ""
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise SourceError("a row without a time", where="start", found=repr(text[:40]), expected="seconds since 1970")
    return moments.of_seconds(int(text), "start")


def _endpoint(row: dict[str, str]) -> str | None:
    address, port = row.get("dstaddr"), row.get("dstport")
    if address is None or port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _instance(row: dict[str, str]) -> tuple[Part, ...]:
    """That an instance had a flow: ``object`` is where it came from, whichever side the instance was on."""
    instance, account = row.get("instance-id", ""), row.get("account-id", "-")
    if not instance.startswith("i-"):
        return ()
    key = scoped("aws_instance", account, instance)
    return (Part(stage=Stage.INVENTORY, key=key, effect="flow", object=row.get("srcaddr")),)


SOURCE = Source(
    name="aws.vpc_flow",
    title="VPC flow logs",
    wrappings=(
        Wrapping(form="cloudwatch", container="logEvents", beside="logGroup"),
        Wrapping(form="cloudwatch", container="events", beside="nextForwardToken"),
        Wrapping(form="cloudwatch", container="events", beside="searchedLogStreams"),
    ),
    texts=(
        TextFraming(form=FORM, head=r"[2-9] (?:[0-9]{12}|unknown) eni-[0-9a-f]+ "),
        TextFraming(form=FORM_NAMED, head=rf"(?:[a-z0-9_-]+ )*(?:{_KNOWN})(?: [a-z0-9_-]+)*\s*$", header=True),
    ),
    recognise=recognise,
    identify=identify,
    read=read,
    time_resolution=moments.SECOND,
    delivery_delay=15 * 60 * moments.SECOND,
    proves=(
        "that an address talked to another through an interface of the account, and what security groups and network "
        "ACLs refused; nothing about credentials. SKIPDATA says that flows are missing"
    ),
    enable=(
        "aws ec2 create-flow-logs --resource-type VPC --resource-ids VPC --traffic-type ALL --log-destination-type s3 "
        "--log-destination arn:aws:s3:::BUCKET --log-format '${version} ${account-id} ${interface-id} ${instance-id} "
        "${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} "
        "${log-status} ${pkt-srcaddr} ${pkt-dstaddr}'"
    ),
)
