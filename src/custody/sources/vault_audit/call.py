"""One audited call, as the functions for its kinds get it, and the keys that are in it."""

import re

import msgspec

from custody.errors import SourceError
from custody.model import keys
from custody.sources.vault_audit import masks
from custody.sources.vault_audit.records import NO_AUTH, NO_NAMESPACE, NO_RESPONSE, Auth, Data, Entry
from custody.sources.vault_audit.shapes import cleaned, hmac_of

_LONGEST = 100 * 366 * 86400
_SECOND = 1_000_000
_ACCESSOR = re.compile(r"[A-Za-z0-9]{8,64}(?:\.[A-Za-z0-9]{1,16})?")
_NOT_MOUNTS = frozenset({"users", "user", "groups", "role", "roles", "map", "config", "certs"})


def accessor(text: str | None) -> str | None:
    """The key of a token by its accessor, hashed by the device or plain; None where it is neither."""
    digest = hmac_of(text)
    if digest:
        return f"vault_accessor:hmac:{digest}"
    return f"vault_accessor:plain:{text}" if text and _ACCESSOR.fullmatch(text) else None


def hashed(kind: str, value: object) -> str | None:
    """A key of what the device hashed, None for anything that it left plain."""
    digest = hmac_of(value)
    return keys.scoped(kind, "hmac", digest) if digest else None


def token(auth: Auth) -> str | None:
    """The key of a token: by its accessor, of one without (a batch token) by its HMAC."""
    return accessor(auth.accessor) or hashed("vault_token", auth.client_token)


def lease(text: object) -> str | None:
    """The key of a lease by its id, plain or hashed by the device."""
    if not isinstance(text, str) or not text or not text.isprintable() or text.startswith("custody-masked:"):
        return None
    return hashed("vault_lease", text) or keys.scoped("vault_lease", "vault", cleaned(text) or text)


class Call(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The entry, its time (microseconds), the key of the token presented, and the mount of a login (else None)."""

    entry: Entry
    time: int
    key: str | None
    login: str | None

    @property
    def path(self) -> str:
        """The path within its namespace."""
        return cleaned(self.entry.request.path) or ""

    @property
    def space(self) -> str:
        """The path of the namespace, with its slash; empty for the root."""
        return (self.entry.request.namespace or NO_NAMESPACE).path or ""

    @property
    def auth(self) -> Auth:
        """The token presented, as the log says it."""
        return self.entry.auth or NO_AUTH

    @property
    def given(self) -> Auth:
        """The token that the response hands out."""
        return (self.entry.response or NO_RESPONSE).auth or NO_AUTH

    @property
    def asked(self) -> Data:
        """The data of the request."""
        return self.entry.request.data or {}

    @property
    def answered(self) -> Data:
        """The data of the response."""
        return (self.entry.response or NO_RESPONSE).data or {}

    def role(self, path: str) -> str:
        """The key of a role by its path within the namespace."""
        return keys.scoped("vault_role", "vault", self.space + path)

    def entity(self, auth: Auth) -> str | None:
        """The key of the entity that a token belongs to."""
        return keys.scoped("vault_entity", "vault", auth.entity_id) if auth.entity_id else None

    def plain(self, name: str) -> str | None:
        """A string of the response's data that the log has plain and that is kept."""
        value = self.answered.get(name)
        if not isinstance(value, str) or not masks.names_are_known(self.path, self.entry.request.mount_type):
            return None
        return value if masks.stays(name, value) else None

    def after(self, seconds: object, where: str) -> int | None:
        """The time so many seconds after the call; None for 0 and for what is no number.

        Raises SourceError for what is no lifetime.
        """
        if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds == 0:
            return None
        if not 0 < seconds <= _LONGEST:
            raise SourceError("not a lifetime", where=where, found=str(seconds)[:40], expected="seconds, to 100 years")
        return self.time + seconds * _SECOND


def login_mount(entry: Entry) -> str | None:
    """The mount that a login went to (``auth/kubernetes``), None where the call is no login.

    The entry says the mount since it has ``mount_point``; before, it is what stands before ``login`` in the path.
    """
    path, point = entry.request.path or "", entry.request.mount_point or ""
    if not path.startswith("auth/") or path.startswith("auth/token/"):
        return None
    space = (entry.request.namespace or NO_NAMESPACE).path or ""
    mount = point.removeprefix(space).rstrip("/")
    if mount.startswith("auth/") and path.startswith(f"{mount}/"):
        return mount if _is_login(entry, path[len(mount) + 1 :].split("/")[0]) else None
    return _mount_before_login(entry, path.split("/"))


def _is_login(entry: Entry, word: str) -> bool:
    return word == "login" or _hands_out(entry)


def _hands_out(entry: Entry) -> bool:
    """Whether a token comes out of it: of the calls to auth mounts only logins have that.

    In a wrapped answer it is a login's where the token at the top is the one inside: what is wrapped can have an
    accessor that is no token's (a secret id).
    """
    response, auth = entry.response or NO_RESPONSE, entry.auth or NO_AUTH
    inside = response.wrap_info.wrapped_accessor if response.wrap_info else None
    return token(response.auth or NO_AUTH) is not None or bool(inside and inside == auth.accessor)


def _mount_before_login(entry: Entry, words: list[str]) -> str | None:
    for position in range(2, len(words)):
        if words[position] == "login" and words[position - 1] not in _NOT_MOUNTS:
            return "/".join(words[:position])
    return "/".join(words[:2]) if len(words) > 2 and _hands_out(entry) else None
