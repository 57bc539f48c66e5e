"""What a report has beside its own object: the register, what is borne, the anchors, and the cover of a pack.

Times are RFC 3339 texts, as in ``model.report``. Nothing here is judged: every line is told as somebody said it.
"""

import msgspec

from custody.model.report import LeafRef


class ClaimRef(msgspec.Struct, frozen=True, kw_only=True):
    """One claim of the register: what, who says so, and whether it holds at the moment of the register.

    ``said_by`` is ``register:`` and the document's name, ``contract:`` and the class, or an inventory. ``signer`` is
    who signed it, None where nobody did; ``vouched`` says that this is who may say it. ``state`` is ``held``,
    ``later``, ``expired`` or ``replaced``. ``contradicted``: another claim that holds says otherwise.
    """

    field: str
    value: str
    said_by: str
    signer: str | None = None
    vouched: bool = False
    since: str | None = None
    expires: str | None = None
    known_at: str | None = None
    state: str = "held"
    contradicted: bool = False
    note: str | None = None
    leaf: LeafRef | None = None


class GrantRef(msgspec.Struct, frozen=True, kw_only=True):
    """A grant that the records show: its kind, what, through what, since when, who gave it and who approved that.

    ``since_how`` says how the begin is known: ``observed``, or not: ``inventory``, ``earlier``.
    """

    kind: str
    what: str | None
    through: str | None = None
    since: str | None = None
    since_how: str = "observed"
    by: str | None = None
    approver: str | None = None
    leaf: LeafRef | None = None


class LifecycleRef(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials of one kind, counted; ``shortest`` and ``longest`` are lives from issue to expiry, in words."""

    kind: str
    credentials: int
    issued: int
    endless: int
    shortest: str | None
    longest: str | None
    alive: int
    ended: int
    renewed: int
    last_used: str | None
    leaf: LeafRef | None


class DependencyRef(msgspec.Struct, frozen=True, kw_only=True):
    """What an identity depends on: declared in a document, observed in the records, or both."""

    name: str
    declared: bool
    observed: bool


class IdentityRef(msgspec.Struct, frozen=True, kw_only=True):
    """One identity of the register.

    ``claims`` are those that count first; ``grants`` at most twenty of ``grants_total``. ``missing`` names what of
    purpose, owner, privileges and lifecycle is not known.
    """

    identity: str
    kind: str
    declared: bool
    population: str | None
    account: str | None
    first_seen: str | None
    last_seen: str | None
    credentials: int
    alive: int
    names: tuple[str, ...]
    claims: tuple[ClaimRef, ...]
    grants: tuple[GrantRef, ...]
    grants_total: int
    lifecycles: tuple[LifecycleRef, ...]
    dependencies: tuple[DependencyRef, ...]
    missing: tuple[str, ...]


class DocumentRef(msgspec.Struct, frozen=True, kw_only=True):
    """A document of the register in force: its name, who imported it, who signed it, when it was sealed and where."""

    name: str
    digest: str
    by: str
    signer: str | None
    sealed: str | None
    leaf: LeafRef


class RegisterRef(msgspec.Struct, frozen=True, kw_only=True):
    """The register as of ``moment``: ``identities`` are at most 200 of ``total``, those that lack most first.

    ``declared`` counts those that a document declares, ``missing`` those of which each of the four is not known,
    ``contradicted`` those about whom two claims that hold say different things.
    """

    moment: str | None
    total: int
    declared: int
    missing: dict[str, int]
    contradicted: int
    documents: tuple[DocumentRef, ...]
    identities: tuple[IdentityRef, ...]


class ExceptionRef(msgspec.Struct, frozen=True, kw_only=True):
    """An exception of a class of the contract or of an identity: who answers for it, why, until when, who watches."""

    of: str
    said_by: str
    owner: str
    reason: str
    until: str
    compensating: tuple[str, ...]
    over: bool


class AnchorRef(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed anchor: over which size, ``how`` (``witness``, ``rfc3161``) and by whom, as the statement says.

    Whether it is right, and whose it is, `custody verify` says: a report does not check it.
    """

    size: int
    how: str
    by: str
    leaf: LeafRef


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """The first page of a pack: for whom it is, what was asked for, who could have been in it, and what it shows.

    ``what`` says in words what the population is. ``chosen`` and ``population`` count credentials, ``populations``
    those chosen by their kind. ``findings_of_population`` counts beyond the sample. ``shows`` and ``shows_not`` are
    sentences without their full stop.
    """

    made_for: str | None
    about: str
    what: str
    chosen: int
    population: int
    digest: str
    sample: int | None
    seed: str
    populations: dict[str, int]
    identities: int
    findings_of_population: int
    leaves: int
    shows: tuple[str, ...]
    shows_not: tuple[str, ...]


class Annex(msgspec.Struct, frozen=True, kw_only=True):
    """Everything beside the report object. ``controls`` are the ids of those that the rules behind it speak to."""

    register: RegisterRef | None = None
    exceptions: tuple[ExceptionRef, ...] = ()
    anchors: tuple[AnchorRef, ...] = ()
    controls: tuple[str, ...] = ()
    cover: Cover | None = None


NO_ANNEX = Annex()
