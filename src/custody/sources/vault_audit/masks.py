"""Which strings of an audit entry are secrets. Frozen with the scheme ``vault-audit/1``.

A device writes ``hmac-sha256:…`` for tokens and for every string of the request's and the response's data. What it does
not (``log_raw=true``, keys tuned to stay plain) is masked here, except for the few names that are known to be no
secret, and these only directly in the data of a path that is not a key-value store: there every name is the user's.
"""

import re
from functools import lru_cache

import msgspec

from custody.model.records import SecretSpan
from custody.sources import pasted_secrets, secret_names
from custody.sources.masking import mask
from custody.sources.vault_audit import shapes
from custody.sources.vault_audit.document import Document, texts
from custody.sources.vault_audit.places import Place, places

is_secret_name = lru_cache(maxsize=4096)(secret_names.is_secret_name)
TOKENS = frozenset({"client_token", "token"})
DATA = (("request", "data"), ("response", "data"))
ERROR = ("error",)
_TEXT = msgspec.json.Decoder(str)
_REFUSALS = frozenset({b"permission", b"invalid", b"expired", b"missing", b"not"})
_STORES = frozenset({"kv", "generic", "cubbyhole", "plugin"})
_ENGINES = re.compile(r"(?:auth|sys|identity)/|(?:.+/)?(?:creds|static-creds|sts|issue|sign|sign-verbatim|issuer)/")
_STORED = re.compile(r"sys/(?:raw|wrapping|init|unseal|rekey|generate-root|tools|policy|policies)\b|cubbyhole/")
_ANY = re.compile(rb"[^\\]{1,256}")
_SHAPED = {
    "access_key": re.compile(rb"A[KS]IA[A-Z0-9]{12,124}"),
    "arn": re.compile(rb"arn:[!-\[\]-~]{1,512}"),
    "serial_number": re.compile(rb"[0-9A-Fa-f]{2}(?:[:-]?[0-9A-Fa-f]{2}){0,31}"),
    "accessor": re.compile(rb"[A-Za-z0-9]{8,64}(?:\.[A-Za-z0-9]{1,16})?"),
    "secret_id_accessor": re.compile(rb"[A-Za-z0-9-]{8,64}"),
    "lease_id": re.compile(rb"[!-\[\]-~]{1,512}"),
}
_PLAIN = frozenset(
    "username role role_name role_names ttl max_ttl lease lease_duration increment path mount mount_path type name "
    "display_name policies token_policies identity_policies token_type expiration expire_time issue_time "
    "creation_time creation_path creation_ttl entity_id common_name alt_names ip_sans uri_sans format "
    "explicit_max_ttl period num_uses prefix credential_type policy_arns role_arn role_session_name "
    "service_account_name service_account_namespace kubernetes_namespace renewable orphan no_parent".split()
)


def found(raw: bytes, document: Document) -> tuple[tuple[SecretSpan, ...], bool]:
    """The secrets of a record in order, and whether one is a number, which no mask can cover."""
    plain = names_known(document)
    spans = shapes.inside(raw, 0, document.offset)
    unsure = False
    for place in places(raw, document.offset):
        if place.number:
            unsure = unsure or (bool(place.path) and is_secret_name(place.path[-1]))
        elif not shapes.is_hidden(raw[place.start : place.end]):
            spans += _of_string(raw, place, plain)
    return tuple(shapes.apart(spans)), unsure


def _of_string(raw: bytes, place: Place, plain: bool) -> list[SecretSpan]:
    path = place.path
    name = path[-1] if path else ""
    if name in TOKENS:
        return [SecretSpan(place.start, place.end, "token")]
    if is_secret_name(name):
        return [SecretSpan(place.start, place.end, "secret")]
    if path[:2] in DATA and not (plain and len(path) == 3 and is_plain(name, raw[place.start : place.end])):
        return [SecretSpan(place.start, place.end, "data")]
    if path == ERROR:
        return in_error(raw, place.start, place.end)
    return shapes.inside(raw, place.start, place.end)


def in_error(raw: bytes, start: int, end: int) -> list[SecretSpan]:
    """The secrets in the text of an error: servers behind Vault repeat there what they were asked.

    The words by which Vault refuses stay, also where they follow the name of a secret (``bad token: permission …``).
    """
    content = raw[start:end]
    spans = pasted_secrets.joined(content, shapes.inside(content, 0, len(content)))
    told = [one for one in spans if content[one.start : one.end] not in _REFUSALS]
    return [SecretSpan(one.start + start, one.end + start, one.secret) for one in told]


def cleaned_error(text: str | None) -> str | None:
    """The text of an error as the kept copy has it; None for an empty one."""
    if not text:
        return None
    raw = msgspec.json.encode(text)
    return _TEXT.decode(mask(raw, in_error(raw, 1, len(raw) - 1)))


def is_plain(name: str, content: bytes) -> bool:
    """Whether the value of a name in data is kept as it is, where the names of the data are known."""
    shape = _SHAPED.get(name, _ANY if name in _PLAIN else None)
    return shape is not None and shape.fullmatch(content) is not None


def names_known(document: Document) -> bool:
    """``names_are_known`` of the call that an entry tells of."""
    request = document.entry.get("request")
    return names_are_known(texts(request, "path"), texts(request, "mount_type"))


def names_are_known(path: str | None, mount_type: str | None) -> bool:
    """Whether the data of a call has names whose meaning is known: not so in key-value stores and unknown engines."""
    if mount_type in _STORES or path is None or _STORED.match(path):
        return False
    return _ENGINES.match(path) is not None


def stays(name: str, text: str) -> bool:
    """Whether the value of a name in the data of a call whose names are known is kept as it is.

    What a writer of JSON could have escaped does not count as kept: it may be masked, and reads the same masked or not.
    """
    content = text.encode("ascii", "replace")
    if text != content.decode() or any(mark in text for mark in '\\"<>&') or shapes.is_hidden(content):
        return False
    return text.isprintable() and is_plain(name, content) and not shapes.inside(content, 0, len(content))
