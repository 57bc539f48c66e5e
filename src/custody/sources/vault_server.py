"""The server log of HashiCorp Vault and OpenBao: the one place where leases that ended by themselves are named.

Log format: lines of hclog, as text (``2026-01-05T10:00:00.000Z [INFO]  expiration: revoked lease: lease_id=…``, also
behind a prefix of journald or syslog) or, with ``log_format = "json"``, as objects (``@message``, ``@module``,
``@timestamp``). The expiration manager writes *revoked lease* for a lease that expired, that was revoked by request,
and that ended with its token alike: the line says that the lease ended, and not why.
"""

import re

import msgspec

from custody.errors import SourceError
from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.model.records import Identity, SecretSpan, TextFraming
from custody.sources import identities, moments
from custody.sources.decoding import told
from custody.sources.masking import mask
from custody.sources.secret_names import is_secret_name
from custody.sources.source import Source
from custody.sources.vault_audit import shapes
from custody.sources.vault_audit.call import lease
from custody.sources.vault_audit.places import places
from custody.sources.vault_audit.shapes import cleaned

SCHEME = "vault-server/1"
_SECOND = 1_000_000
_LONGEST_MESSAGE = 300
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3,9}(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_BEFORE, _SERVER = r"[^\r\n]{0,200}?", r"\b(?:vault|bao|openbao)(?:\[[0-9]+\])?: "
_HEAD = rf"(?:{_BEFORE}{_SERVER})?{_TIME}" + r" \[(?:TRACE|DEBUG|INFO|WARN|ERROR) ?\] "
_LINE = re.compile(
    rf"(?:(?P<before>{_BEFORE}){_SERVER})?(?P<time>{_TIME}) \[(?P<level>TRACE|DEBUG|INFO|WARN|ERROR) ?\] +"
    r"(?P<module>[A-Za-z][A-Za-z0-9_.-]*): (?P<rest>.*)",
    re.DOTALL,
)
_RECOGNISED = re.compile(_HEAD.encode())
_MODULES = frozenset(
    "core expiration secrets auth audit storage seal rollback identity policy token replication quotas mounts system "
    "activity service_registration census events ha raft barrier proxy namespaces".split()
)
"""The first words of the loggers of Vault and OpenBao: Consul, Nomad and Terraform write the same format."""
_FIRST_PAIR = re.compile(r": (?=[A-Za-z_@][A-Za-z0-9_.@-]*=)")
_PAIR = re.compile(r'([A-Za-z_@][A-Za-z0-9_.@-]*)=("(?:[^"\\]|\\.)*+"|\S*)')
_FAILED = "lease.revoke_failed"
_IRREVOCABLE = "lease.irrevocable"
_MEANINGS: dict[str, tuple[Stage, str, str, Outcome]] = {
    "revoked lease": (Stage.EXPIRE, "credential.expire", "revoked lease", Outcome.SUCCESS),
    "failed to revoke lease": (Stage.CHANGE, _FAILED, "revoke", Outcome.ERROR),
    "marking lease as irrevocable": (Stage.CHANGE, _IRREVOCABLE, "revoke", Outcome.ERROR),
    "maximum revoke attempts reached": (Stage.CHANGE, _IRREVOCABLE, "revoke", Outcome.ERROR),
}

Fields = dict[str, str]


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line: what was said, by which logger, and what goes with it."""

    time: str
    level: str
    module: str
    message: str
    fields: Fields


_OBJECT = msgspec.json.Decoder(dict[str, object])


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a line of hclog, by its bytes alone."""
    if raw[:1] == b"{":
        return b'"@message"' in raw and b'"@module"' in raw and b'"@timestamp"' in raw
    return _RECOGNISED.match(raw) is not None


def identify(raw: bytes) -> Identity | None:
    """The hash of the line as it is kept; None where it is no line of this server. Raises nothing."""
    try:
        line = _line(raw)
        if line is None:
            return None
        secrets, unsure = _in_object(raw) if raw[:1] == b"{" else (_in_text(raw), False)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return Identity(SCHEME, identities.hashed(mask(raw, secrets)), tuple(secrets), unsure)


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept line, or why there is none. Raises nothing."""
    return told(lambda: (_event(kept),))


def _line(raw: bytes) -> Line | None:
    line = _of_object(_OBJECT.decode(raw)) if raw[:1] == b"{" else _of_text(raw.decode())
    return line if line is not None and line.module.split(".")[0] in _MODULES else None


def _of_object(value: dict[str, object]) -> Line | None:
    head = [value.get(name) for name in ("@timestamp", "@level", "@module", "@message")]
    time, level, module, message = [text if isinstance(text, str) else "" for text in head]
    fields = {name: text for name, text in value.items() if isinstance(text, str) and not name.startswith("@")}
    return Line(time, level.upper(), module, message, fields) if module else None


def _of_text(text: str) -> Line | None:
    found = _LINE.fullmatch(text)
    if found is None:
        return None
    message, *pairs = _FIRST_PAIR.split(found["rest"], maxsplit=1)
    fields = {name: _unquoted(value) for name, value in _PAIR.findall(pairs[0] if pairs else "")}
    return Line(found["time"], found["level"], found["module"], message, fields)


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return msgspec.json.decode(value.encode(), type=str)
    except msgspec.DecodeError:
        return value[1:-1]


def _in_object(raw: bytes) -> tuple[list[SecretSpan], bool]:
    spans: list[SecretSpan] = []
    unsure = False
    for place in places(raw):
        named = bool(place.path) and is_secret_name(place.path[-1])
        if place.number:
            unsure = unsure or named
        elif named and not shapes.is_hidden(raw[place.start : place.end]):
            spans.append(SecretSpan(place.start, place.end, "secret"))
        else:
            spans += shapes.inside(raw, place.start, place.end)
    return spans, unsure


def _in_text(raw: bytes) -> list[SecretSpan]:
    """Values of telling names, and what its shape gives away. Positions are of bytes: latin-1 keeps them.

    What stands before the server's name, and what it says, are looked at by themselves: where one has to be masked
    whole, the line is still one.
    """
    text = raw.decode("latin-1")
    line = _LINE.fullmatch(text)
    begin = 0 if line is None else line.start("rest")
    spans = shapes.inside(raw, begin, len(raw))
    if line is not None and line["before"]:
        spans += shapes.inside(raw, 0, line.end("before") - 1)  # its last character keeps the name a word
    for found in _PAIR.finditer(text):
        start, end = found.span(2)
        if found[2].startswith('"'):
            start, end = start + 1, end - 1
        if is_secret_name(found[1]) and not shapes.is_hidden(raw[start:end]):
            spans.append(SecretSpan(start, end, "secret"))
    return shapes.apart(spans)


def _event(kept: bytes) -> Event:
    line, identity = _line(kept), identify(kept)
    if line is None or identity is None:
        raise SourceError("no line of this server", expected="time, level, logger and message")
    error = line.fields.get("error") or line.fields.get("err")
    part, outcome = _part(line)
    return Event(
        id=identity.id,
        time=moments.rfc3339(line.time, "time"),
        service="vault.server",
        action=(cleaned(line.message) or line.level)[:_LONGEST_MESSAGE],
        outcome=Outcome.ERROR if line.level == "ERROR" else outcome,
        parts=(part,) if part else (),
        error=cleaned(error),
        category=line.module,
        resource=cleaned(line.fields.get("lease_id")),
    )


def _part(line: Line) -> tuple[Part | None, Outcome]:
    """What the expiration manager says of a lease; other lines are events and no more."""
    meaning = _MEANINGS.get(line.message) if line.module.rsplit(".", 1)[-1] == "expiration" else None
    key = lease(line.fields.get("lease_id"))
    if meaning is None or key is None:
        return None, Outcome.SUCCESS
    stage, effect, method, outcome = meaning
    return Part(stage=stage, key=key, effect=effect, method=method), outcome


SOURCE = Source(
    name="vault.server",
    title="HashiCorp Vault and OpenBao server log",
    wrappings=(),
    texts=(TextFraming(form="hclog", head=_HEAD),),
    recognise=recognise,
    identify=identify,
    read=read,
    time_resolution=1_000,
    delivery_delay=60 * _SECOND,
    standing="laboratory",
    proves=(
        "that a lease ended, by expiry, by request or with its token (the log does not say which), and that its "
        "revocation failed; only at log level info or below, and only while log_lease_expirations is not off"
    ),
    enable='log_level = "info" and log_format = "json" in the server\'s configuration; keep what the server prints',
)
