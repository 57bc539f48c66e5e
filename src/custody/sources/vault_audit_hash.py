"""A table of plain names and their HMACs, which the operator of Vault makes with ``sys/audit-hash/<device>``.

One JSON object a line: ``{"device":"file/","input":"v-kube-app-…","hash":"hmac-sha256:…"}``, with an optional ``kind``
(``username``, the default, ``accessor``, ``access_key``, ``lease_id``) and an optional ``time`` (RFC 3339) at which the
line was made. The server computes the hash and the operator writes the line: custody takes it like a line of a log that
was handed over, neither better nor worse. Who has the device can ask it again.
"""

import re

import msgspec

from custody.model import keys
from custody.model.events import Asserter, Event, Outcome, Part, Skip, Stage
from custody.model.records import Identity, SecretSpan
from custody.sources import identities, moments
from custody.sources.decoding import events_of
from custody.sources.masking import PREFIX, mask
from custody.sources.source import Source
from custody.sources.vault_audit import shapes
from custody.sources.vault_audit.places import places

SCHEME = "vault-audit-hash/1"
_SECOND = 1_000_000
_SECRETS = re.compile(r"hv[a-z]\.|[sbr]\.|eyJ|-----BEGIN|custody-masked:|hmac-sha256:")
_KINDS: dict[str, tuple[str, str, str, str, re.Pattern[str]]] = {
    "username": ("db_role_hmac", "hmac", "db_role", "postgresql", re.compile(r"[^\x00-\x1f\x7f]{1,128}")),
    "accessor": (
        "vault_accessor",
        "hmac",
        "vault_accessor",
        "plain",
        re.compile(r"[A-Za-z0-9]{8,64}(?:\.[A-Za-z0-9]{1,16})?"),
    ),
    "access_key": ("aws_akid", "hmac", "aws_akid", "aws", re.compile(r"A[KS]IA[A-Z0-9]{12,124}")),
    "lease_id": ("vault_lease", "hmac", "vault_lease", "vault", re.compile(r"[!-~]+/[!-~]+")),
}
"""For each kind the type and scope of the hashed key and of the plain one, and what an input of it looks like."""


class Translation(msgspec.Struct, frozen=True, gc=False):
    """One line of the table."""

    device: str
    input: str
    hash: str
    kind: str = "username"
    time: str | None = None


_LINE = msgspec.json.Decoder(Translation)
_OBJECT = msgspec.json.Decoder(dict[str, object])


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a line of the table, by its bytes alone."""
    return b'"device"' in raw and b'"input"' in raw and b'"hash"' in raw


def identify(raw: bytes) -> Identity | None:
    """The hash of the line as it is kept; None where it is no line of the table. Raises nothing."""
    try:
        value = _OBJECT.decode(raw)
        if not {"device", "input", "hash"} <= value.keys() or len(value) > len(Translation.__struct_fields__):
            return None
        secrets = _secrets(raw, _is_harmless(value.get("kind", "username"), value["input"]))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    unsure = not isinstance(value["input"], str | None)
    return Identity(SCHEME, identities.hashed(mask(raw, secrets)), tuple(secrets), unsure)


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept line, or why there is none. Raises nothing."""
    return events_of(kept, _LINE, lambda line: (_event(kept, line),))


def _is_harmless(kind: object, text: object) -> bool:
    """Whether the input is what its kind says and no secret: a token or a key given by mistake is masked."""
    known = _KINDS.get(kind) if isinstance(kind, str) else None
    if known is None or not isinstance(text, str) or _SECRETS.match(text):
        return False
    raw = text.encode("utf-8", "replace")
    return known[4].fullmatch(text) is not None and not shapes.inside(raw, 0, len(raw))


def _secrets(raw: bytes, harmless: bool) -> list[SecretSpan]:
    spans: list[SecretSpan] = []
    for place in places(raw):
        if place.number or not place.path:
            continue
        content = raw[place.start : place.end]
        if place.path[0] == "input" and not (harmless or content.startswith(PREFIX) or not content):
            spans.append(SecretSpan(place.start, place.end, "input"))
        elif place.path[0] != "input":
            spans += shapes.inside(raw, place.start, place.end)
    return spans


def _event(kept: bytes, line: Translation) -> Event:
    identity = identify(kept)
    return Event(
        id=identity.id if identity else identities.hashed(kept),
        time=moments.rfc3339(line.time, "time") if line.time else 0,
        service="vault.audit_hash",
        action="translate",
        outcome=Outcome.SUCCESS,
        parts=_parts(line),
        category=line.kind if line.kind in _KINDS else None,
        resource=line.device if not shapes.inside(line.device.encode(), 0, len(line.device.encode())) else None,
    )


def _parts(line: Translation) -> tuple[Part, ...]:
    digest = shapes.hmac_of(line.hash)
    if digest is None or not _is_harmless(line.kind, line.input):
        return ()
    hashed, hashed_scope, plain, plain_scope, _ = _KINDS[line.kind]
    return (
        Part(
            stage=Stage.INVENTORY,
            key=keys.scoped(hashed, hashed_scope, digest),
            effect="key.translate",
            object=keys.scoped(plain, plain_scope, line.input),
            asserter=Asserter.DECLARED,
        ),
    )


SOURCE = Source(
    name="vault.audit_hash",
    title="HMACs of a Vault or OpenBao audit device, translated",
    wrappings=(),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b'"device"',),
    time_resolution=_SECOND,
    delivery_delay=_SECOND,
    standing="laboratory",
    proves=(
        "nothing by itself: it lets a name that the audit device hashed be compared with the name at its use, "
        "on the word of whoever made the table"
    ),
    enable=(
        'for each name: vault write -field=hash sys/audit-hash/file input="$name", written as '
        '{"device":"file/","input":NAME,"hash":HASH}, one a line'
    ),
)
