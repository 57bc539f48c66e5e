"""The broker's own file: TOML 1.0, strict: what it does not know it refuses. See docs/broker.md.

Paths are relative to the folder of the file. Secrets never stand in it: a *reference* names where one is
(``env:NAME``, ``file:PATH``).
"""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import Literal

import msgspec

from custody.errors import UsageError
from custody.model.verdicts import Severity
from custody.settings.settings_file import read_settings_file
from custody.settings.wrong_value import allowed

ROLES = ("auditor", "approver", "operator", "admin")
"""What people may be: each but ``admin`` only what it says, ``admin`` all of it but to approve."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)


class OidcIssuer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="oidc"):
    """An OpenID Connect issuer whose tokens prove workloads.

    ``issuer`` and ``audience`` are exact. ``platform`` says how its claims name workload and run. Keys come by
    discovery, or from the file ``jwks`` (nothing is fetched then). ``private`` lets discovery reach addresses that are
    not public. ``maximum_age`` is the oldest token in seconds; ``once``: each
    of its tokens serves one call (of this process).
    """

    issuer: str
    audience: str
    platform: Literal["github", "gitlab", "kubernetes", "generic"] = "generic"
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    jwks: str | None = None
    authority: str | None = None
    private: bool = False
    maximum_age: int = 3600
    once: bool = False
    cluster: str | None = None


class TrustDomain(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="spiffe"
):
    """A SPIFFE trust domain: ``bundle`` is the file (or, with ``bundle_url``, the endpoint) of its trust bundle."""

    trust_domain: str
    audience: str
    bundle: str | None = None
    bundle_url: str | None = None
    authority: str | None = None
    private: bool = False


class People(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How people sign in: ID tokens of one issuer for one audience; ``claim`` names the claim that holds groups.

    ``roles`` gives for each role the groups that have it, and people by ``sub:NAME`` or ``person:ISSUER:NAME``.
    """

    issuer: str
    audience: str
    claim: str = "groups"
    roles: dict[str, tuple[str, ...]] = {}
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    jwks: str | None = None
    authority: str | None = None
    private: bool = False
    client: str | None = None


class BackendTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One backend: ``options`` are the kind's own (docs/backends.md)."""

    name: str
    kind: str
    max_ttl: int = 3600
    options: dict[str, object] = {}


class Intake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may push logs: the SHA-256 (hex) of the bearer token, and as what the files are named.

    With ``issuer``, ``audience`` and the file ``jwks`` it may push security event tokens of that transmitter. With
    ``opens`` each CloudEvent and token that it pushes is an alert, and opens an incident of that severity; past
    ``most`` in an hour it widens one.
    """

    name: str
    token_sha256: str
    issuer: str = ""
    audience: str = ""
    jwks: str = ""
    opens: Severity | None = None
    most: int = 10


class Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may send decisions by webhook: ``secret`` is a reference; ``approver`` the system they are the word of."""

    name: str
    secret: str


class Approvals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where approvals come from: ``vkey`` pins the key of the log of approvals (empty: the first that is seen).

    ``groups`` gives for each group the keys of its members. ``address`` is where the process that writes them listens.
    """

    vkey: str = ""
    groups: dict[str, tuple[str, ...]] = {}
    address: str = "127.0.0.1:8441"
    webhooks: tuple[Webhook, ...] = ()


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one caller may do: requests a second and in a burst, bytes of a request or a pushed log, seconds to send."""

    rate: float = 200.0
    burst: int = 400
    body: int = 64 << 10
    intake: int = 64 << 20
    slow: float = 10.0


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server's certificate chain and key (PEM files); ``client_authorities`` of certificates that clients show."""

    certificate: str
    key: str
    client_authorities: str | None = None


class BrokerFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything in the file. ``folder`` is where it lies.

    ``broker`` is the broker's id, in every line of its log; ``issuer`` the URL that its JWTs name and the one audience
    that callers' tokens must be for, unless they say another. ``state`` is an SQLAlchemy URL without a password (empty:
    SQLite in the broker's folder beside the store), ``state_password`` a reference to its password. ``seal_every`` and
    ``derive_every`` are in seconds.
    """

    broker: str
    issuer: str
    environment: str = "default"
    listen: str = "127.0.0.1:8440"
    state: str = ""
    state_password: str = ""
    policies: str = "policies"
    seal_every: float = 1.0
    derive_every: float = 300.0
    identities: tuple[OidcIssuer | TrustDomain, ...] = ()
    backends: tuple[BackendTable, ...] = ()
    people: People | None = None
    approvals: Approvals = Approvals()
    intake: tuple[Intake, ...] = ()
    limits: Limits = Limits()
    tls: Tls | None = None
    folder: str = "."

    def path(self, name: str) -> Path:
        """A path of the file, from the file's folder on."""
        return Path(self.folder) / name


def read_broker_file(path: Path) -> BrokerFile:
    """The file, checked. UsageError names the key that is wrong."""
    table = read_settings_file(path)
    if "folder" in table:
        raise UsageError("an unknown key", where=str(path), found="folder")
    try:
        found = msgspec.convert({**table, "folder": str(path.parent)}, BrokerFile)
    except msgspec.ValidationError as error:
        said = str(error)[:300]
        raise UsageError(
            "the broker file is wrong", where=str(path), found=said, expected=allowed(BrokerFile, said)
        ) from None
    _check(found, str(path))
    return found


def _check(found: BrokerFile, where: str) -> None:
    kinds = (
        [each.name for each in found.backends],
        [each.name for each in found.intake],
        [each.name for each in found.approvals.webhooks],
    )
    for name in (found.broker, *chain.from_iterable(kinds)):
        if not _NAME.fullmatch(name):
            raise UsageError("not a name", where=where, found=repr(name[:60]), expected="a-z, 0-9 and -, at most 32")
    for listed in kinds:
        if len(set(listed)) != len(listed):
            raise UsageError("two of one name", where=where, found=", ".join(sorted(listed)))
    if found.state_password and not found.state.startswith("postgresql"):
        raise UsageError(
            "a password for no server", where=f"{where}: state_password", expected="state with a PostgreSQL URL"
        )
    for each in found.intake:
        if not 1 <= each.most <= 1000:
            raise UsageError(
                "not a number of incidents", where=f"{where}: intake.{each.name}.most", found=str(each.most),
                expected="1 to 1000",
            )  # fmt: skip
    unknown = set(found.people.roles if found.people else ()) - set(ROLES)
    if unknown:
        raise UsageError("an unknown role", where=where, found=", ".join(sorted(unknown)), expected=", ".join(ROLES))
