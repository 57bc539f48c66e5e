"""An entry of the register as it is shown: everything that the tables hold of one identity, as of any moment.

Every field of time is in microseconds, every leaf one of the operations log.
"""

import msgspec

from custody.register.times import State


class When(msgspec.Struct, frozen=True, kw_only=True):
    """For which moment, and with what was known when.

    ``as_of`` None is the last moment of which anything is known. ``known_at`` bounds the documents by the time of their
    sealing, ``size`` the records by their leaf: those below it had arrived (None: all).
    """

    as_of: int | None = None
    known_at: int | None = None
    size: int | None = None


NOW = When()


class Name(msgspec.Struct, frozen=True, array_like=True):
    """A name that leads to the identity: ``how`` is ``declared`` or ``observed``."""

    name: str
    how: str
    leaf: int | None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One claim: what, who says so, and whether it holds at the moment asked for (see ``claims``).

    ``vouched``: signed by who may say it. ``contradicted``: another claim that holds says otherwise.
    """

    field: str
    value: str
    said_by: str
    asserter: str
    signer: str | None
    method: str | None
    vouched: bool
    since: int | None
    until: int | None
    expires: int | None
    known_at: int | None
    superseded_at: int | None
    state: State
    contradicted: bool
    note: str | None
    leaf: int | None


class Lifecycle(msgspec.Struct, frozen=True, array_like=True):
    """The life of all credentials of one kind, counted (see ``lifecycles``); lengths in µs."""

    kind: str
    credentials: int
    issued: int
    endless: int
    shortest: int | None
    longest: int | None
    alive: int
    ended: int
    renewed: int
    first_issued: int | None
    last_issued: int | None
    last_used: int | None
    leaf: int | None


class Life(msgspec.Struct, frozen=True, array_like=True):
    """The life of one credential: ``ttl`` is the time from its issue to its (last) expiry."""

    key: str
    kind: str
    issued_at: int | None
    not_after: int | None
    ttl: int | None
    last_use: int | None
    renewed: int
    ended: int | None
    end_effect: str | None
    issue_leaf: int | None
    first_use_leaf: int | None
    end_leaf: int | None


class Touched(msgspec.Struct, frozen=True, array_like=True):
    """A service, account or resource that was used; ``total`` is how many of its kind there are."""

    what: str
    name: str
    uses: int
    denied: int
    first: int
    last: int
    leaf: int
    total: int


class Dependency(msgspec.Struct, frozen=True, array_like=True):
    """Something that the identity uses or obtains: declared, observed, or both."""

    dependency: str
    declared: bool
    observed: bool
    how: str | None
    leaf: int | None


class Granted(msgspec.Struct, frozen=True, array_like=True):
    """A grant that the records show (see ``grants``)."""

    principal: str
    kind: str
    what: str | None
    through: str | None
    since: int | None
    until: int | None
    since_how: str
    by_principal: str | None
    approver: str | None
    approved_at: int | None
    leaf: int | None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One identity. ``claims`` are all that were ever made and known; those replaced or run out say so.

    ``lives`` are the last credentials one by one; only ``entry`` fills it. ``privileges`` are None where no grants were
    derived. ``missing`` names what of purpose, owner, privileges and lifecycle is not known.
    """

    identity: str
    kind: str
    declared: bool
    population: str | None
    account: str | None
    first_seen: int | None
    last_seen: int | None
    credentials: int
    leaf: int | None
    names: tuple[Name, ...]
    claims: tuple[Said, ...]
    lifecycles: tuple[Lifecycle, ...]
    touched: tuple[Touched, ...]
    dependencies: tuple[Dependency, ...]
    privileges: tuple[Granted, ...] | None
    missing: tuple[str, ...]
    lives: tuple[Life, ...] = ()

    def said(self, field: str) -> tuple[Said, ...]:
        """The claims about one field that hold, have run out or are still to hold; replaced ones are left out."""
        return tuple(one for one in self.claims if one.field == field and one.state is not State.REPLACED)

    @property
    def owner(self) -> tuple[Said, ...]:
        """Who is said to answer for it."""
        return self.said("owner")

    @property
    def deputy(self) -> tuple[Said, ...]:
        """Who is said to answer for it where the owner cannot."""
        return self.said("deputy")

    @property
    def purpose(self) -> tuple[Said, ...]:
        """What it is said to be for."""
        return self.said("purpose")

    @property
    def risk(self) -> tuple[Said, ...]:
        """How much is said to hang on it."""
        return self.said("risk")

    @property
    def environments(self) -> tuple[Said, ...]:
        """Where it is said to belong."""
        return self.said("environment")

    @property
    def exceptions(self) -> tuple[Said, ...]:
        """From what it is excused: the value is who answers for that, the note why."""
        return self.said("exception")
