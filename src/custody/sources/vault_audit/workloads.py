"""Whom a login is bound to: what the auth method verified and wrote into the token's metadata.

The metadata is Vault's own word: the method checked the external credential and copied from it. Names of metadata are
fixed by each method, except those of JSON Web Token logins, where the mount's ``claim_mappings`` choose them.
"""

import re
from typing import NamedTuple

from custody.model import keys
from custody.model.events import Granularity
from custody.sources.vault_audit.shapes import cleaned

_DIGITS = re.compile(r"[1-9][0-9]{0,19}")
_DECIMAL = re.compile(r"[0-9]{1,60}")
_SPIFFE = re.compile(r"spiffe://([^/:\s]{1,255})(/[^\s]{1,2000})")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_METHODS = frozenset(
    "kubernetes jwt oidc approle aws cert azure gcp alicloud cf oci userpass ldap github okta radius kerberos saml "
    "kerberos spiffe".split()
)
_MACHINES = frozenset(
    {"kubernetes", "jwt", "approle", "aws", "cert", "azure", "gcp", "alicloud", "cf", "oci", "spiffe"}
)
_PEOPLE = frozenset({"userpass", "ldap", "oidc", "github", "okta", "radius", "kerberos", "saml"})

Metadata = dict[str, object]


class Bound(NamedTuple):
    """The key of a workload and how finely it names one."""

    workload: str
    granularity: Granularity


def method_of(mount: str, mount_type: str | None, path: str) -> str | None:
    """The auth method: the type of the mount, or its name where the log has no types and the name is a method's.

    Mounts ``jwt`` and ``oidc`` are one method with two ways in: a browser's redirect (``oidc``), a token (``jwt``).
    """
    kind = mount_type or mount.rsplit("/", 1)[-1]
    if kind in ("jwt", "oidc"):
        return "oidc" if path.startswith(f"{mount}/oidc/") else "jwt"
    return kind if kind in _METHODS else None


def population(method: str | None) -> str | None:
    """Who usually comes by a method; unknown for one that this does not know."""
    if method in _MACHINES:
        return "machine"
    return "person" if method in _PEOPLE else None


def role_of(metadata: Metadata) -> str | None:
    """The name of the role that a login was made for."""
    return next((text for name in ("role", "role_name", "cert_name") if (text := _text(metadata, name))), None)


def person_of(method: str | None, mount: str, metadata: Metadata) -> str | None:
    """The key of the person who logged in with a name."""
    name = _text(metadata, "username")
    if name is None or method not in _PEOPLE:
        return None
    return keys.scoped("github_user", "github", name) if method == "github" else f"person:vault:{mount}/{name}"


def bound(method: str | None, role: str | None, metadata: Metadata) -> Bound | None:
    """The workload that a login is bound to, None where the method names none."""
    match method:
        case "kubernetes":
            return _service_account(metadata)
        case "jwt" | "oidc":
            return _run(metadata) or _subject(metadata)
        case "approle":
            return Bound(role, Granularity.ACCOUNT) if role else None
        case "cert":
            return _certificate(metadata)
        case "aws":
            return _instance(metadata) or _arn(metadata)
    return None


def certificate(metadata: Metadata) -> str | None:
    """The key of the certificate that was presented: its decimal serial as hex, of the issuer with that key id."""
    serial = _text(metadata, "serial_number")
    if serial is None or not _DECIMAL.fullmatch(serial) or int(serial) == 0:
        return None
    issuer = (_text(metadata, "authority_key_id") or "").replace(":", "").lower()
    return keys.scoped("x509_serial", f"aki-{issuer}" if issuer else "-", f"{int(serial):x}")


def _service_account(metadata: Metadata) -> Bound | None:
    space, name = _text(metadata, "service_account_namespace"), _text(metadata, "service_account_name")
    if not space or not name or not _NAME.fullmatch(space) or not _NAME.fullmatch(name):
        return None
    return Bound(keys.scoped("k8s_service_account", "-", f"{space}/{name}"), Granularity.ACCOUNT)


def _run(metadata: Metadata) -> Bound | None:
    run, attempt = _text(metadata, "run_id"), _text(metadata, "run_attempt")
    if not run or not attempt or not _DIGITS.fullmatch(run) or not _DIGITS.fullmatch(attempt):
        return None
    return Bound(keys.scoped("github_run", "github", f"{run}/{attempt}"), Granularity.RUN)


def _subject(metadata: Metadata) -> Bound | None:
    subject = _text(metadata, "sub")
    if subject is None:
        return None
    found = _SPIFFE.fullmatch(subject)
    if found:
        return Bound(keys.scoped("spiffe", found[1], found[2]), Granularity.ACCOUNT)
    issuer = (_text(metadata, "iss") or "-").removeprefix("https://")
    return Bound(keys.scoped("oidc_subject", issuer, subject), Granularity.ACCOUNT)


def _certificate(metadata: Metadata) -> Bound | None:
    for value in metadata.values():
        found = _SPIFFE.fullmatch(value) if isinstance(value, str) else None
        if found:
            return Bound(keys.scoped("spiffe", found[1], found[2]), Granularity.ACCOUNT)
    serial = certificate(metadata)
    return Bound(serial, Granularity.ACCOUNT) if serial else None


def _instance(metadata: Metadata) -> Bound | None:
    instance, account = _text(metadata, "instance_id"), _text(metadata, "account_id")
    if not instance or not account or not _INSTANCE.fullmatch(instance) or not _ACCOUNT.fullmatch(account):
        return None
    return Bound(keys.scoped("aws_instance", account, instance), Granularity.INSTANCE)


def _arn(metadata: Metadata) -> Bound | None:
    arn = _text(metadata, "canonical_arn")
    return Bound(keys.aws_arn(arn), Granularity.ACCOUNT) if arn and arn.startswith("arn:") else None


def _text(metadata: Metadata, name: str) -> str | None:
    value = metadata.get(name)
    if not isinstance(value, str) or not value.isprintable() or "custody-masked:" in value:
        return None
    return value if value and cleaned(value) == value else None
