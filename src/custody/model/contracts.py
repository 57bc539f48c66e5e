"""The contract: what an organisation asks of its machine identities, as values.

Reading and checking the file is the business of ``settings``; this room only says what a contract is.
Durations are microseconds.
"""

import fnmatch
from collections.abc import Mapping, Sequence

import msgspec

from custody.model.events import Granularity
from custody.model.keys import names_of


def matches(glob: str, value: str) -> bool:
    """Whether the whole of ``value`` fits ``glob``: ``*`` is any text, ``?`` one character, all else is literal.

    Brackets are literal, unlike in a shell: keys may hold them, and a class that matches more than it seems to would
    lend its approval to others.
    """
    return fnmatch.fnmatchcase(value, glob.replace("[", "[[]"))


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """Who must approve: ``by`` a group or person, ``count`` of them, none of the roles in ``not_``.

    ``not_`` holds ``requester`` and ``executor``. ``within`` is how old an approval may be at first use (µs).
    """

    by: str
    count: int = 1
    not_: tuple[str, ...] = ()
    within: int | None = None


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """When an identity may act: ``days`` are 0 (Monday) to 6, ``start`` and ``end`` minutes of the day in ``zone``.

    ``end`` may lie before ``start``: the stretch then runs past midnight. ``zone`` is a name of the IANA time zone
    database.
    """

    days: tuple[int, ...]
    start: int
    end: int
    zone: str


class Exempt(msgspec.Struct, frozen=True, kw_only=True):
    """An exception for a legacy class or identity, until ``until`` (µs); ``compensating`` names what watches it."""

    until: int
    owner: str
    reason: str
    compensating: tuple[str, ...] = ()


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """One environment: the accounts in it, and patterns on keys (workload, subject or resource) that lie in it."""

    name: str
    accounts: tuple[str, ...] = ()
    match: tuple[str, ...] = ()


class Suppression(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that is known and borne: by its id, or by ``rule`` and a glob on its subject; until when, by whom, why.

    After ``until`` (µs) the finding is shown again, with the suppression that ran out.
    """

    finding: str | None = None
    rule: str | None = None
    subject: str | None = None
    until: int
    owner: str
    reason: str


class IdentityClass(msgspec.Struct, frozen=True, kw_only=True):
    """One class of identity. ``match`` maps a field (``workload``, ``subject``, ``account``) to a glob pattern.

    ``max_life`` bounds a whole lineage (the successive credentials of one workload run), ``ttl`` one credential;
    ``retention`` is how long the original systems must keep its records.
    ``population`` overrules the built-in decision. ``depends_on`` are patterns on what its credentials may be used on
    or lead to, ``environments`` names of those it belongs to, ``risk`` ``high``, ``medium`` or ``low``, ``rotation``
    how old a long-lived key of it may become, ``workloads`` how many workloads may share one identity of it.
    ``declared`` names fields that were accepted and are not judged yet.
    """

    name: str
    match: tuple[tuple[str, str], ...]
    owner: str | None = None
    purpose: str | None = None
    ttl: int | None = None
    max_life: int | None = None
    granularity: Granularity | None = None
    approval: Approval | None = None
    population: str | None = None
    origins: tuple[str, ...] = ()
    retention: int | None = None
    hours: Hours | None = None
    depends_on: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    risk: str | None = None
    rotation: int | None = None
    workloads: int | None = None
    exception: Exempt | None = None
    declared: tuple[str, ...] = ()


class ExpectedSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source that is declared to deliver.

    ``expect`` is the longest gap that it should show, ``retention`` how long its records are kept where they come from.
    """

    source: str
    expect: int | None = None
    accounts: tuple[str, ...] = ()
    retention: int | None = None


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """A whole contract. ``digest`` is the SHA-256 (hex) of the file's bytes, None for the empty contract.

    ``origins`` maps a workload (instance id, ARN or key) to the addresses or networks (CIDR) that it may call from.
    ``provenance`` maps a risk to how finely credentials of that risk must be bound; ``retention`` is the default of
    the classes. ``since`` (µs) is the time from which this version holds, None: for everything.
    ``declared`` names top-level fields that were accepted and are not judged yet.
    """

    digest: str | None = None
    path: str | None = None
    classes: tuple[IdentityClass, ...] = ()
    origins: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sources: tuple[ExpectedSource, ...] = ()
    environments: tuple[Environment, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    provenance: tuple[tuple[str, Granularity], ...] = ()
    retention: int | None = None
    since: int | None = None
    declared: tuple[str, ...] = ()

    @property
    def not_judged(self) -> tuple[tuple[str | None, str], ...]:
        """Every field declared and not judged yet, as (class, field); the class is None for the top level."""
        top = tuple((None, field) for field in self.declared)
        return top + tuple((each.name, field) for each in self.classes for field in each.declared)

    def class_of(self, fields: Mapping[str, Sequence[str]]) -> IdentityClass | None:
        """The first class whose every pattern matches ``fields``; a pattern on an absent field never matches.

        ``fields`` gives each field every name that it goes by (``keys.names_of``); a pattern matches where one does.
        """
        for candidate in self.classes:
            if all(any(matches(glob, value) for value in fields.get(name, ())) for name, glob in candidate.match):
                return candidate
        return None

    def origins_of(self, *keys: str | None) -> tuple[str, ...]:
        """The origins declared for any of ``keys`` (a workload, the principal it speaks for) under any of its names."""
        names = {name for key in keys if key for name in names_of(key)}
        return tuple(origin for name, origins in self.origins if name in names for origin in origins)


EMPTY = Contract()


class SealedContract(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the contract as it was sealed: at which leaf, and when (µs, the clock of who sealed it)."""

    contract: Contract
    leaf: int = 0
    at: int = 0


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """Every version of the contract, in the order in which they were sealed. Without one, ``EMPTY`` holds.

    A version with ``since`` holds for what happened from then on, and what happened before stays with the versions
    before it; one without holds for everything. A version is named by its index here, -1 is ``EMPTY``.
    """

    sealed: tuple[SealedContract, ...] = ()

    @classmethod
    def of(cls, contract: Contract) -> "Versions":
        """One version that holds as it says."""
        return cls(sealed=(SealedContract(contract=contract),))

    @property
    def periods(self) -> tuple[tuple[int | None, int], ...]:
        """From when (µs, None: ever) which version holds, in order of time; later ones take over."""
        return self.periods_before(len(self.sealed))

    def periods_before(self, index: int) -> tuple[tuple[int | None, int], ...]:
        """The periods as they were before the version ``index`` was sealed."""
        found: list[tuple[int | None, int]] = []
        for number, each in enumerate(self.sealed[:index]):
            since = each.contract.since
            while found and (since is None or (found[-1][0] is not None and found[-1][0] >= since)):
                found.pop()
            found.append((since, number))
        return tuple(found)

    def index_at(self, moment: int | None) -> int:
        """The version that holds at ``moment`` (µs); the last to begin where no time is known."""
        holding = [index for since, index in self.periods if since is None or moment is None or since <= moment]
        return holding[-1] if holding else -1

    def contract(self, index: int) -> Contract:
        """The version ``index``."""
        return EMPTY if index < 0 else self.sealed[index].contract

    def at(self, moment: int | None) -> Contract:
        """The version that holds at ``moment``."""
        return self.contract(self.index_at(moment))
