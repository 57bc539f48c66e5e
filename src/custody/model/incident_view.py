"""An incident as it is shown: one plain value that the terminal page, the HTML page and JSON draw from.

Times are RFC 3339 text. Field names are the documented JSON (docs/incident-timeline.md). States, bases and bests are
the words of ``model.verdicts``, grades are ``exact``, ``bounded``, ``inferred``, and ``said`` for what people say.
"""

from __future__ import annotations

import msgspec

from custody.model.leaf import LeafRef
from custody.model.report import CheckpointRef


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A step that somebody sealed: who, when, what they said, in which leaf.

    ``signed`` says that the name is that of a key that verifies; else it is only an account (``account:…``). ``why``
    says why it does not count, or what is wrong with it; empty: it counts. ``cites`` are the leaves that it rests on.
    """

    who: str
    at: str
    what: str
    leaf: LeafRef
    signed: bool = False
    reason: str = ""
    digest: str = ""
    why: str = ""
    cites: tuple[LeafRef, ...] = ()


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One answer with its verdict, what it rests on, its details in order, and the leaves that it cites."""

    question: str
    state: str
    text: str
    basis: str | None = None
    best: str | None = None
    settles: str | None = None
    parts: tuple[str, ...] = ()
    leaves: tuple[LeafRef, ...] = ()
    count: int = 0


class OutcomeView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an action by the target's own log: the verdict, and the last success that was seen after it."""

    judged: Judged
    observed_at: str | None = None
    last_success_after: str | None = None
    surviving: tuple[str, ...] = ()


class ActionView(msgspec.Struct, frozen=True, kw_only=True):
    """One action from its request to its outcome.

    ``status`` is how far it is, ``unapproved`` why what was done counts as done without approval, ``overdue`` what a
    break-glass still owes (a second person, a review). ``policy`` is what the policies said, ``policies`` those that
    said so. ``said_at`` is when somebody says that they did it: a claim.
    """

    action: str
    kind: str
    targets: tuple[str, ...]
    content: tuple[str, ...]
    status: str
    asked: Told
    lapses: str
    digest: str
    policy: str
    policies: tuple[str, ...] = ()
    approvals_asked: str = ""
    executor: str | None = None
    until: str | None = None
    break_glass: bool = False
    second_by: str | None = None
    review_by: str | None = None
    overdue: tuple[str, ...] = ()
    unapproved: str = ""
    decisions: tuple[Told, ...] = ()
    done: tuple[Told, ...] = ()
    said_at: str | None = None
    settled: Told | None = None
    reviews: tuple[Told, ...] = ()
    outcome: OutcomeView | None = None


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """The checklist of one identity."""

    identity: str
    items: tuple[Judged, ...]


class ReachedView(msgspec.Struct, frozen=True, kw_only=True):
    """A credential in the scope, why it is there, and by which grade of link. ``apart``: a sibling, only listed."""

    credential: str
    key: str
    who: str
    why: str
    join: str
    depth: int
    alive: bool
    apart: bool = False
    first_success: str | None = None
    last_success: str | None = None
    not_after: str | None = None
    ended: str | None = None
    leaf: LeafRef | None = None


class TouchedView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a credential in the scope did something to."""

    what: str
    name: str
    by: str
    event: str
    first: str
    last: str
    count: int
    outcome: str
    leaf: LeafRef


class MissingView(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence that is not there, and which source or setting would have it."""

    what: str
    source: str
    settles: str


class ScopeView(msgspec.Struct, frozen=True, kw_only=True):
    """How far the incident reaches. The totals are of everything, the lists of what is shown; ``cut_off``: of more."""

    as_of: str | None = None
    credentials: tuple[ReachedView, ...] = ()
    credentials_total: int = 0
    alive: int = 0
    identities: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    touched: tuple[TouchedView, ...] = ()
    touched_total: int = 0
    counts: dict[str, int] = {}
    surviving: tuple[str, ...] = ()
    first_success: str | None = None
    last_success: str | None = None
    unknown: tuple[str, ...] = ()
    cut_off: bool = False


class LaneView(msgspec.Struct, frozen=True, kw_only=True):
    """A lane of the timeline: a system's, a person's or custody's own (``party``), with how many lines it has."""

    lane: str
    party: str
    moments: int


class MomentView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the timeline.

    ``at`` is the time by the clock of its own source, ``corrected`` by the reference clock (None: nothing measures the
    one by the other), ``shifted`` the difference in seconds, ``unsure`` how far its measures differ (seconds). ``last``
    is the last of ``count`` alike records. ``known`` is when it was known here. ``void`` steps do not count.
    """

    at: str
    lane: str
    party: str
    kind: str
    text: str
    grade: str
    leaf: LeafRef
    who: str = ""
    last: str | None = None
    count: int = 1
    known: str | None = None
    corrected: str | None = None
    shifted: float | None = None
    unsure: float | None = None
    asserter: str = ""
    outcome: str = "success"
    source: str = ""
    key: str = ""
    action: str = ""


class ShiftView(msgspec.Struct, frozen=True, kw_only=True):
    """How a source's times were brought to the reference clock (seconds), and on how many records that rests."""

    source: str
    shifted: float | None
    unsure: float | None
    samples: int
    over: tuple[str, ...]
    why: str


class TimelineView(msgspec.Struct, frozen=True, kw_only=True):
    """The timeline in order of corrected time. ``left_out`` counts records that no line stands for."""

    moments: tuple[MomentView, ...] = ()
    lanes: tuple[LaneView, ...] = ()
    reference: str | None = None
    shifts: tuple[ShiftView, ...] = ()
    left_out: int = 0


class IncidentView(msgspec.Struct, frozen=True, kw_only=True):
    """The whole incident as it stands, or as it was known at ``known_at``.

    ``as_of`` is how far the records tell, ``aware`` when people say that they came to know (None: nobody says).
    ``answers`` and ``checks`` are empty where nothing judged them. ``odd`` are steps that change nothing, with the word
    why.
    """

    incident: str
    title: str
    severity: str
    state: str
    version: str
    opened: Told
    aware: str | None
    seeds: tuple[str, ...]
    as_of: str | None = None
    known_at: str | None = None
    response: str | None = None
    closed: Told | None = None
    notes: tuple[Told, ...] = ()
    claims: tuple[Told, ...] = ()
    actions: tuple[ActionView, ...] = ()
    answers: tuple[Judged, ...] = ()
    checks: tuple[CheckView, ...] = ()
    scope: ScopeView = ScopeView()
    missing: tuple[MissingView, ...] = ()
    timeline: TimelineView = TimelineView()
    odd: tuple[Told, ...] = ()
    not_read: tuple[str, ...] = ()
    checkpoint: CheckpointRef | None = None
