"""What people do in an incident, step by step, as it is sealed: the format ``custody.incident/1``.

Each step is one JSON text of its own (``text_of``), sealed whole as a statement ``incident-step`` in the operations log
or ``incident-decision`` in the log of approvals (``log_of`` says which). A signature is over exactly that text. Its
SHA-256 is the digest by which an approval names the request that it approves. Nothing is ever changed: what an incident
is now is a fold over its steps (``incidents.record``).

A step says what somebody did or claims. That a credential ended is never taken from here: only from the log of the
system that checks it.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import Literal

import msgspec

from custody.model.broker_terms import Decision
from custody.model.leaf import LeafRef
from custody.model.verdicts import Severity

FORMAT = "custody.incident/1"
STEP, DECISION = "incident-step", "incident-decision"
"""The statements that seal steps: of the operations log, and of the log of approvals."""
STEP_NAMESPACE, DECISION_NAMESPACE = "custody-incident", "custody-approval"
"""The namespaces (``ssh-keygen -Y sign -n``) of signatures over them."""


class ActionKind(StrEnum):
    """What is done to an identity or a credential; the Cedar actions have the same names."""

    CONTAIN = "contain"
    REVOKE = "revoke"
    ROTATE = "rotate"
    NARROW = "narrow"
    EMERGENCY = "emergency-access"
    ENABLE = "re-enable"


class SeedKind(StrEnum):
    """What an incident starts from."""

    KEY = "key"
    IDENTITY = "identity"
    FINDING = "finding"
    ADDRESS = "address"
    ALERT = "alert"


class Item(StrEnum):
    """An item of the checklist of re-enablement."""

    NEW_CREDENTIAL = "new credential"
    CAUSE_REMOVED = "cause removed"
    OWNER_SIGNS = "owner signs"
    MONITORING = "monitoring in place"
    OLD_ENDED = "old credentials ended"


class Seed(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the scope grows from, as ``custody trace`` takes it; ``record`` is the leaf that told of it."""

    kind: SeedKind
    value: str
    record: LeafRef | None = None


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="opened"):
    """An incident begins. ``aware`` (RFC 3339): when people say they knew; ``response``: SHA-256 of its file."""

    incident: str
    title: str
    severity: Severity
    seeds: tuple[Seed, ...]
    reason: str
    aware: str | None
    response: str | None = None


class Widened(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="widened"):
    """More that the scope grows from, by hand."""

    incident: str
    seeds: tuple[Seed, ...]
    reason: str


class Noted(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="noted"):
    """Something that somebody wants to have said."""

    incident: str
    text: str
    cites: tuple[LeafRef, ...] = ()


class Asked(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="asked"):
    """A request to act: exactly this is what is approved.

    ``targets`` are credential keys or names of the register, ``content`` the commands or console paths, one each.
    ``executor`` is who is to do it (None: who asks). ``until`` (RFC 3339) bounds what is given. ``decision`` is what
    the policies said; ``lapses`` (RFC 3339) is when the request is too old to be approved or done. ``break_glass``
    says that it is done without waiting: ``second_by`` and ``review_by`` are the limits for the second person and the
    review. ``log`` is the origin of the log that it was asked in: an approval of it is one in no other store.
    """

    incident: str
    action: str
    kind: ActionKind
    targets: tuple[str, ...]
    reason: str
    content: tuple[str, ...]
    asker: str
    lapses: str
    decision: Decision
    executor: str | None = None
    until: str | None = None
    break_glass: bool = False
    second_by: str | None = None
    review_by: str | None = None
    log: str | msgspec.UnsetType = msgspec.UNSET


class Done(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="done"):
    """Somebody says that they did it, at ``at`` (RFC 3339). A claim, until the target's own log shows it.

    ``how`` says whether the broker did it or somebody in another system; ``rests_on`` are the leaves of the approvals
    that it was done under.
    """

    incident: str
    action: str
    how: Literal["broker", "elsewhere"]
    did: tuple[str, ...]
    at: str
    rests_on: tuple[LeafRef, ...] = ()
    told: str = ""


class Settled(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="settled"):
    """An action is over without proof of its effect: withdrawn before it was done, failed, or accepted as it is."""

    incident: str
    action: str
    how: Literal["withdrawn", "failed", "accepted"]
    reason: str


class Claimed(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="claimed"):
    """Somebody says that an item of the checklist of ``identity`` is done, and where that can be seen."""

    incident: str
    identity: str
    item: Item
    reason: str
    cites: tuple[LeafRef, ...] = ()


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How an action was over when its incident was closed.

    ``proved`` by the target's own log, whose records are ``leaves`` (up to 16); ``settled`` with a reason; ``refused``
    by the policies, and done by nobody.
    """

    action: str
    how: Literal["proved", "settled", "refused"]
    leaves: tuple[LeafRef, ...] = ()


class Closed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="step", tag="closed"):
    """The incident is over. ``answers`` is the SHA-256 of the answers as they stood, ``as_of`` (RFC 3339) theirs.

    ``ended`` names every action that was asked for by then: a close that leaves one out ends nothing.
    """

    incident: str
    reason: str
    answers: str
    as_of: str | None
    ended: tuple[Ended, ...] = ()


class Reopened(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="reopened"):
    """It was not over."""

    incident: str
    reason: str


class Decided(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="decided"):
    """A person grants or denies the request with ``digest``, or takes their grant back. ``until`` ends a grant."""

    incident: str
    action: str
    digest: str
    verdict: Literal["grant", "deny", "withdraw"]
    reason: str
    until: str | None = None


class Reviewed(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="reviewed"):
    """Somebody else looked at an action that was done as break-glass."""

    incident: str
    action: str
    digest: str
    verdict: Literal["justified", "not-justified"]
    reason: str


class Vouched(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="vouched"):
    """The owner signs that ``identity`` may work again."""

    incident: str
    identity: str
    reason: str


Step = Opened | Widened | Noted | Asked | Done | Settled | Claimed | Closed | Reopened | Decided | Reviewed | Vouched
"""Every step."""

APPROVALS = (Decided, Reviewed, Vouched)
"""Steps that are decisions: they go to the log of approvals, by its own process and key, and have to be signed."""

_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER: msgspec.json.Decoder[Step] = msgspec.json.Decoder(Step)


def text_of(step: Step) -> bytes:
    """The text of a step, as it is sealed and signed: compact JSON with sorted keys, ``custody`` first."""
    return b'{"custody":"' + FORMAT.encode() + b'",' + _ENCODER.encode(step)[1:]


def digest_of(step: Step) -> str:
    """SHA-256 (hex) of its text: what an approval of it names."""
    return sha256(text_of(step)).hexdigest()


def step_of(text: bytes) -> Step | None:
    """The step of a sealed text; None where it is none, or is not written as ``text_of`` writes it."""
    try:
        step = _DECODER.decode(text)
        return step if text_of(step) == text else None
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError):
        return None
