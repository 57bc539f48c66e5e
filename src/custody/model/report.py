"""The report object: what ``audit`` and ``report`` say about a committed store, and the chain that ``trace`` shows.

Field names are the documented JSON (docs/json.md). Times are microseconds in the tables and RFC 3339 text here.
"""

import msgspec

from custody.model import leaf as sealed_at
from custody.model.broker_told import Brokered
from custody.model.verdicts import Finding

LeafRef = sealed_at.LeafRef


class Keys(msgspec.Struct, frozen=True):
    """Server-issued keys whose issuing call succeeded, distinct keys presented, and those that are both."""

    issued: int
    used: int
    joined: int


class QuestionCounts(msgspec.Struct, frozen=True, kw_only=True, rename={"not_applicable": "n/a"}):
    """The verdicts on one question over all machine credentials."""

    question: str
    proved: int
    violated: int
    unproven: int
    open: int
    not_applicable: int
    indicated: int
    claimed: int
    judged: bool


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """A coverage number: ``count`` of ``of``; both None where the population is unknown. ``why`` explains a zero."""

    count: int | None
    of: int | None
    why: str


class FixRef(msgspec.Struct, frozen=True, kw_only=True):
    """A change that would settle unproven answers about machine credentials.

    ``settles`` is what the verdicts say would settle them, ``source`` the sources (``contract`` and ``register`` among
    them) that it concerns, None where that depends on the issuer, ``setting`` what to change there. ``questions``
    counts the answers, one a question and credential, ``credentials`` those concerned. ``available`` is False where no
    change does it today: the product records nothing of the kind, or custody does not judge it yet.
    """

    settles: str
    source: str | None
    setting: str
    questions: int
    credentials: int
    available: bool = True


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """The three coverage numbers, the verdicts by question, and the changes that would settle most, best first.

    ``exempt`` counts the machine credentials whose class has an exception in force: none of them is a complete chain.
    """

    population: Ratio
    chains: Ratio
    identities: Ratio
    questions: tuple[QuestionCounts, ...]
    cheapest_fix: str | None
    cheapest_fix_settles: int
    contract: str | None
    fixes: tuple[FixRef, ...] = ()
    exempt: int = 0


class ScopePart(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of one account: regions, event classes, and from when to when."""

    source: str
    account: str | None
    regions: tuple[str, ...]
    categories: tuple[str, ...]
    first: str
    last: str
    events: int


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer rests on, and what was not read."""

    read: tuple[ScopePart, ...]
    not_read: tuple[str, ...]


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a source should hold against what was read, for one account and region where it tells them apart.

    ``how`` says what is counted. ``whole`` are the stretches for which the source is known to be complete (proved by
    the vendor's signatures); empty where nothing can prove that. ``problems`` are at most sixteen of
    ``problems_total``, each in words.
    """

    source: str
    account: str | None
    region: str | None
    since: str
    until: str
    how: str
    expected: int
    received: int
    signatures: dict[str, int]
    whole: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]
    problems_total: int


class ClockRef(msgspec.Struct, frozen=True, kw_only=True):
    """How far the clocks of two sources are apart, as exact joins show: ``other`` less ``source``, in seconds.

    ``widest`` is the largest that was seen; windows between the two are widened by it.
    """

    source: str
    other: str
    apart: float
    widest: float
    samples: int
    how: str


class CheckpointRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The checkpoint of the log: ``log`` is its origin, ``root`` base64 as in the signed note.

    ``anchored`` is the largest size that a sealed anchor is over, None (and left out) where there is none.
    """

    log: str
    size: int
    root: str
    anchored: int | None = None


class VersionRef(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed version of the contract: its leaf and when it was sealed, and from when it holds (None: for everything).

    ``holds`` is False where later versions took its place for all of the time.
    """

    digest: str | None
    since: str | None
    sealed: str | None
    leaf: LeafRef
    holds: bool


class ContractRef(msgspec.Struct, frozen=True, kw_only=True):
    """The contract in force at the time of judgement, and every version that was sealed.

    ``not_judged`` is what it declares that is not judged yet (``class: field``), ``unmatched`` its suppressions that no
    finding matches. ``zones`` gives the rules of each time zone that it names, as a digest: they are an input too.
    """

    digest: str | None
    classes: int
    not_judged: tuple[str, ...]
    versions: tuple[VersionRef, ...] = ()
    unmatched: tuple[str, ...] = ()
    zones: dict[str, str] = {}


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did."""

    files: int = 0
    known_files: int = 0
    records: int = 0
    new: int = 0
    duplicates: int = 0
    seconds: float = 0.0
    problems: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    derived: str = "unchanged"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole object."""

    version: str
    as_of: str | None
    records: int
    understood: int
    skips: int
    skipped: dict[str, int]
    duplicates: int
    conflicts: int
    variants: int
    events: int
    keys: Keys
    credentials: dict[str, int]
    forward_sessions: dict[str, int]
    unissued: dict[str, int]
    links: dict[str, int]
    coverage: Coverage
    scope: Scope
    findings: tuple[Finding, ...]
    contract: ContractRef
    acquisitions: int
    certificates: tuple[Certificate, ...] = ()
    clocks: tuple[ClockRef, ...] = ()
    suppressed: tuple[Finding, ...] = ()
    checkpoint: CheckpointRef | None = None
    run: Run | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a chain. ``rule`` is the join that put it there, ``count`` how many records it stands for.

    ``source`` is the kind of log that it was read from, None where the tables do not say.
    """

    stage: str
    time: str
    event: str
    leaf: LeafRef
    join: str
    asserter: str
    rule: str
    text: str
    count: int = 1
    origin: str | None = None
    outcome: str = "success"
    source: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict as shown: its question, what it rests on, and the leaves cited."""

    question: str
    state: str
    text: str
    basis: str | None
    best: str | None
    settles: str | None
    until: str | None
    count: int
    leaves: tuple[LeafRef, ...]


class Related(msgspec.Struct, frozen=True, kw_only=True):
    """Another credential in the tree: a parent, child or candidate, and how it is joined."""

    key: str
    credential: str
    join: str
    leaf: LeafRef
    grade: str = "exact"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """Something made or changed with a credential: a user, a key, a grant, a trust edit.

    ``alive`` is of a key that was made, None of anything else.
    """

    effect: str
    what: str
    time: str
    by: str
    leaf: LeafRef
    alive: bool | None = None


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """One credential from issue to end.

    ``keys`` are the first and the others that its issuing record names. ``run`` is the one run that it worked for, with
    the grade of that binding, ``candidates`` may be its parent by joins that are not exact.
    ``mentions`` are records with duplicate keys, which are not understood, whose bytes hold what was asked for.
    After ``provable_until`` the chain can no longer be proved from the original systems: ``provable_by`` is the source
    that forgets first. Both are None where no source of it says how long it keeps its records.
    ``brokered`` is what the sealed lines of the broker tell that issued it, None where none did.
    """

    credential: str
    who: str
    population: str
    keys: tuple[str, ...]
    subject: str | None
    workload: str | None
    lineage: str | None
    identity_class: str | None
    unissued: str | None
    root: str | None
    parent: Related | None
    children: tuple[Related, ...]
    children_total: int
    issued_at: str | None
    not_after: str | None
    uses: int
    successes: int
    denied: int
    forward_sessions: int
    origins: tuple[tuple[str, int, str], ...]
    stages: tuple[Step, ...]
    verdicts: tuple[Answer, ...]
    findings: tuple[str, ...] = ()
    conflicted: bool = False
    run: str | None = None
    run_grade: str | None = None
    policy: str | None = None
    candidates: tuple[Related, ...] = ()
    provable_until: str | None = None
    provable_by: str | None = None
    mentions: tuple[LeafRef, ...] = ()
    brokered: Brokered | None = None
