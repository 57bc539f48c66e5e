"""What is true of a generated estate, by construction: ``truth.json``. docs/simulation.md explains every field.

Times are microseconds since 1970, UTC. Keys are as custody names them (``custody.model.keys``). None is not known or
does not apply.
"""

import msgspec


class Run(msgspec.Struct, kw_only=True, gc=False):
    """One execution of a workload. ``seen`` are the sources whose files tell of its start or end."""

    key: str
    kind: str
    workload: str
    started: int
    ended: int | None = None
    parent: str | None = None
    aliases: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()


class Uses(msgspec.Struct, frozen=True, gc=False):
    """The calls that succeeded with a credential, by whoever had it: the first, the last (µs), and how many."""

    first: int
    last: int
    count: int


class Credential(msgspec.Struct, kw_only=True, gc=False):
    """One credential.

    ``parent`` is the key of the credential with which it was got, ``parent_visible`` how the files show that: *exact*
    (the join ``parent_join``), *candidates* (a join that gives candidates), *none*. ``run`` is the run that it was
    issued for, ``run_visible`` *issuer*, *client*, *candidates* or *none*. ``origins`` are the addresses of its
    rightful holder. ``ended_by`` is a word of custody's effects, or *expiry*. ``records`` counts the records of its
    stages that are in the files. ``uses`` and ``touched`` are what happened, whether or not a file tells of it: the
    calls that succeeded, and what those did something to, by kind.
    """

    key: str
    kind: str
    population: str
    issued_at: int | None
    aliases: tuple[str, ...] = ()
    not_after: int | None = None
    parent: str | None = None
    parent_visible: str = "none"
    parent_join: str | None = None
    run: str | None = None
    run_visible: str = "none"
    origins: tuple[str, ...] = ()
    subject: str | None = None
    ended_at: int | None = None
    ended_by: str | None = None
    records: dict[str, int] = {}
    uses: Uses | None = None
    touched: dict[str, tuple[str, ...]] = {}


class Grant(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A grant of a principal that a planted fault changes, from when until when (µs; None: before, or after, the day).

    ``kind``, ``what`` and ``through`` are as in custody's table of grants, ``allows`` and ``refuses`` words for what it
    allows and refuses; a ``boundary`` limits what the others allow. ``by`` is the credential that gave it.
    """

    principal: str
    kind: str
    what: str
    allows: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    through: str | None = None
    since: int | None = None
    until: int | None = None
    by: str | None = None


class Session(msgspec.Struct, kw_only=True, gc=False):
    """A connection that was opened with a credential."""

    key: str
    credential: str
    opened: int
    closed: int | None = None


class Approval(msgspec.Struct, kw_only=True, gc=False):
    """A decision about a run or credential; ``seen`` are the sources whose files tell of it."""

    target: str
    approver: str
    requester: str | None
    time: int
    effect: str = "approval.grant"
    seen: tuple[str, ...] = ()


class Link(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A link that a join of custody should find: ``join`` is its id, the keys are as its columns have them."""

    join: str
    from_key: str
    to_key: str
    true: bool = True


class Planted(msgspec.Struct, frozen=True, kw_only=True):
    """A planted fault. Any of ``rules`` should find it in ``subject``, at least with ``severity``.

    No rule means that nothing in the files can show more than an open or unproven question. One that is not
    ``required`` is a mere consequence: a finding of it is right, and none is no miss.
    """

    fault: str
    subject: str
    text: str
    rules: tuple[str, ...] = ()
    severity: str | None = None
    keys: tuple[str, ...] = ()
    required: bool = True


class Expected(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The states that are right for one question about one key; any other is an error of whoever judges."""

    key: str
    question: str
    states: tuple[str, ...]


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """Telemetry that was never delivered: records of one source and stage in a period, and the keys they were about."""

    source: str
    stage: str
    since: int
    until: int
    records: int
    keys: tuple[str, ...] = ()


class Skew(msgspec.Struct, frozen=True, kw_only=True):
    """By how much (µs) the clock of a source is ahead."""

    source: str
    ahead: int


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. ``complete_joins`` are the joins whose true links are all listed: any other link of them is false."""

    version: int
    seed: int
    hours: int
    workloads: int
    faults: tuple[str, ...]
    since: int
    until: int
    contract: str
    files: int
    records: dict[str, int]
    complete_joins: tuple[str, ...]
    runs: tuple[Run, ...]
    credentials: tuple[Credential, ...]
    sessions: tuple[Session, ...]
    approvals: tuple[Approval, ...]
    links: tuple[Link, ...]
    planted: tuple[Planted, ...]
    expected: tuple[Expected, ...]
    dropped: tuple[Dropped, ...]
    skews: tuple[Skew, ...]
    grants: tuple[Grant, ...] = ()
