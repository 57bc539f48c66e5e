"""What the evidence says of an incident: the types that scope, outcomes, answers and timeline hand to each other."""

from __future__ import annotations

from typing import Literal

import msgspec

from custody.model.incident_view import Judged
from custody.model.leaf import LeafRef

Party = Literal["system", "person", "custody"]
"""Whose a lane of the timeline is: a system's whose log was read, a person's, or custody's own."""


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """A credential in the scope. ``why`` says how it got there, ``depth`` how far below what the scope grew from.

    ``join`` is the grade of the link that reached it (exact, bounded, inferred). Times are in µs, by the sources'
    clocks. ``alive`` is as of the time of judgement. ``aliases`` are its other keys. ``apart`` says that it is a
    sibling: listed, and what it did is not the incident's as far as is known.
    """

    key: str
    credential: str
    who: str
    why: str
    join: str
    depth: int
    alive: bool
    first_success: int | None
    last_success: int | None
    not_after: int | None
    ended: int | None
    leaf: LeafRef | None = None
    aliases: tuple[str, ...] = ()
    apart: bool = False


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a credential in the scope did something to.

    ``what`` is ``resource``, ``secret``, ``grant``, ``user``, ``key`` or ``trust``; ``count`` says how many records say
    so, ``leaf`` is the first of them.
    """

    what: str
    name: str
    by: str
    event: str
    first: int
    last: int
    count: int
    leaf: LeafRef
    outcome: str = "success"


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence that is not there: which question lacks it, which source or setting would have it."""

    what: str
    source: str
    settles: str


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """How far the incident reaches, within what was read, as of a time (µs).

    ``surviving`` are sessions that were opened by a credential of the scope and were not seen to close.
    ``cut_off`` says that there is more than is listed. ``unknown`` are seeds that nothing was found for.
    """

    as_of: int | None
    credentials: tuple[Reached, ...]
    identities: tuple[str, ...]
    runs: tuple[str, ...]
    touched: tuple[Touched, ...]
    surviving: tuple[str, ...]
    first_success: int | None
    last_success: int | None
    missing: tuple[Missing, ...] = ()
    unknown: tuple[str, ...] = ()
    cut_off: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an action: whether the target's own log shows its effect, and the last success after it (µs).

    ``observed_at`` is when the last of its targets changed, where all did; ``first_at`` when the first of them did,
    by a clock that may differ from this machine's by ``first_apart``; None: which clock that was is not known.
    """

    action: str
    judged: Judged
    observed_at: int | None = None
    last_success_after: int | None = None
    surviving: tuple[str, ...] = ()
    first_at: int | None = None
    first_apart: int | None = None


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the timeline.

    ``at`` is the event's time by its source's clock (µs), ``shifted`` what skew correction adds to it to bring it to
    the reference clock of the timeline (µs, None: not known) and ``unsure`` how far its measures differ (µs, None: only
    the least is known), ``known`` when it was sealed here (µs). ``lane`` is the system or the person, ``party`` says
    which. ``grade`` is exact, bounded, inferred, or ``said`` for what people say; ``asserter`` who says so. ``count``
    alike records are one line, from ``at`` to ``last`` (µs). ``key`` is the credential, ``source`` the kind of log,
    ``action`` the action of the incident that it belongs to.
    """

    at: int
    known: int | None
    lane: str
    kind: str
    text: str
    leaf: LeafRef
    grade: str
    who: str = ""
    shifted: int | None = None
    count: int = 1
    outcome: str = "success"
    last: int | None = None
    unsure: int | None = None
    party: Party = "system"
    asserter: str = ""
    key: str = ""
    source: str = ""
    action: str = ""
