"""What the policies are asked, and what may answer: a seam, so that other decision points can be recorded too."""

from __future__ import annotations

from typing import Protocol

import msgspec

from custody.model.broker_terms import Actor, Decision, Intent, Proof, Registered


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All that a decision may rest on, at one moment.

    ``now`` is in microseconds; ``environment`` is the broker's own word for where it issues (``production``), set in
    its file. ``approvers`` are the keys of the people whose approval of exactly this request counts now, with the
    groups that each belongs to. ``contained`` says that the identity has an open containment (the broker refuses then
    whatever the policies say). ``ttl`` is what was asked for or the backend's greatest, in seconds. ``break_glass``
    names the open break-glass, ``parent_live`` says whether the chain that the intent descends from is alive.
    ``proof`` is of whoever will hold the credential; where that is an actor, ``subject`` is of the one it acts for.
    """

    action: str
    now: int
    environment: str
    proof: Proof
    intent: Intent
    registered: Registered
    backend_kind: str
    ttl: int
    actors: tuple[Actor, ...] = ()
    approvers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    contained: bool = False
    break_glass: str | None = None
    parent_live: bool | None = None
    origin: str | None = None
    subject: Proof | None = None


class PolicyEngine(Protocol):
    """Decides. Never raises: what goes wrong is a deny with its error."""

    def decide(self, situation: Situation) -> Decision:
        """Allow, deny, or what approvals it takes. Anything but a clean Allow is a deny."""
        ...
