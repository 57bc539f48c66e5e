"""The register of non-human identities, as values: what documents declare, who signed them, and when they were sealed.

A *document* is a version-controlled YAML file (docs/register.md). Each sealed version of it is a statement in the log.
What it says of an identity are *claims*: they hold from ``since`` until ``until`` (µs; None: not bounded), and were
known from the moment they were sealed. Times are microseconds since 1970-01-01T00:00:00Z.
"""

from enum import StrEnum

import msgspec

from custody.model.contracts import Exempt


class IdentityKind(StrEnum):
    """What kind of non-human identity an entry is."""

    WORKLOAD = "workload"
    SERVICE_ACCOUNT = "service-account"
    ROLE = "role"
    APP = "app"
    KEY = "key"
    BOT = "bot"
    PIPELINE = "pipeline"
    AGENT = "agent"
    USER = "user"


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """Who made a statement, as far as that was checked.

    ``principals`` are the names that the trust anchor (an allowed-signers file, an OIDC issuer) gives to the key or
    token; ``method`` is ``ssh`` (anybody can check it again) or ``oidc`` (checked when it was made, the token is not
    kept); ``key`` is the fingerprint of the key that verified, ``anchor`` the SHA-256 (hex) of the trust anchor.
    """

    method: str
    principals: tuple[str, ...]
    key: str
    anchor: str


class Privilege(msgspec.Struct, frozen=True, kw_only=True):
    """A declared privilege: what (an action, role or grant name), on what, and who approved the assignment."""

    what: str
    on: str | None = None
    approved_by: str | None = None
    ticket: str | None = None


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """One identity as a document declares it.

    ``identity`` is its stable id, a short name chosen by people. ``names`` are exact keys or the short names that
    ``keys.names_of`` gives, old names among them: all map to this one identity.
    """

    identity: str
    kind: IdentityKind
    names: tuple[str, ...]
    owner: str | None = None
    deputy: str | None = None
    purpose: str | None = None
    risk: str | None = None
    environments: tuple[str, ...] = ()
    repository: str | None = None
    pipeline: str | None = None
    workload: str | None = None
    resources: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    privileges: tuple[Privilege, ...] = ()
    since: int | None = None
    until: int | None = None
    exception: Exempt | None = None


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A person, team or group: who belongs to it (keys or names), and since when it is gone (``ended``)."""

    name: str
    members: tuple[str, ...] = ()
    ended: int | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a register document. ``name`` is the document's own; ``digest`` the SHA-256 (hex) of its bytes."""

    name: str
    digest: str
    identities: tuple[Declared, ...] = ()
    parties: tuple[Party, ...] = ()


class SealedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it was sealed: at which leaf, when (µs, this machine's clock), by whom, and signed by whom.

    ``by`` is who ran the import, as the system names them: claimed. ``signature`` is None where nobody signed.
    The next sealed document of the same name takes its place from its own time on.
    """

    document: Document
    leaf: int
    at: int
    by: str
    signature: Signature | None = None


def sayer(said_by: str) -> str:
    """Who says a claim, in words: ``register document payments``, ``contract class deploy``, ``inventory SOURCE``.

    ``said_by`` is as the ``claims`` table has it.
    """
    place, _, name = said_by.partition(":")
    kind = {"register": "register document", "contract": "contract class"}.get(place, place)
    return f"{kind} {name}".rstrip()
