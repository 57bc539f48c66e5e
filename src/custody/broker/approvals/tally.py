"""Whether enough different people approved: a fold over the ``approved`` entries of one request, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from custody.model.broker_terms import ApprovalRef, Asked
from custody.model.brokered import Approved
from custody.model.times import microseconds


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How a request stands with people: who granted and still does, and who denied.

    ``met`` says that as many different people granted as are asked for and nobody denied. ``until`` (µs) is when the
    first of those grants ends by itself, None where none does.
    """

    granted: tuple[ApprovalRef, ...]
    denied: ApprovalRef | None
    met: bool
    until: int | None = None


def tally(found: Iterable[Approved], asked: Asked, digest: str, now: int) -> Tally:
    """Count the decisions about the request whose digest this is, at ``now`` (µs). A deny beats every grant.

    That an approver is one person under one key was seen to when each was weighed: here keys are people.
    """
    granted: dict[str, Approved] = {}
    denied: Approved | None = None
    for each in sorted(found, key=lambda one: one.leaf):
        if each.digest != digest:
            continue
        if each.why.startswith("withdrawn"):
            granted.pop(each.approver, None)
        elif each.counts and each.verdict == "deny":
            denied = denied or each
        elif each.counts and _lasts(each, now):
            granted.setdefault(each.approver, each)
    ends = [end for each in granted.values() if (end := microseconds(each.until)) is not None]
    return Tally(
        granted=tuple(map(_ref, granted.values())),
        denied=None if denied is None else _ref(denied),
        met=denied is None and len(granted) >= max(asked.count, 1),
        until=min(ends, default=None),
    )


def _lasts(each: Approved, now: int) -> bool:
    until = microseconds(each.until)
    return until is None or now < until


def _ref(each: Approved) -> ApprovalRef:
    return ApprovalRef(approver=each.approver, leaf=each.leaf, at=each.given)
