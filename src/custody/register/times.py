"""When a claim holds: two times, that of which it speaks and that from which it was known.

A claim holds from ``since`` (from its sealing where it names none) until ``expires``; it is known from its sealing, and
no longer counts once a later version of its document was sealed. All times are microseconds.
"""

from enum import StrEnum

DAY = 86_400_000_000
LIFE = 400 * DAY
"""How long owner, deputy and purpose hold where a document names no end: a year, and some weeks to renew them."""


class State(StrEnum):
    """What a claim is at a moment."""

    HELD = "held"
    EXPIRED = "expired"
    LATER = "later"
    REPLACED = "replaced"


def state_of(
    moment: int | None,
    since: int | None,
    expires: int | None,
    known_at: int | None,
    superseded_at: int | None,
    known: int | None = None,
) -> State:
    """The state of a claim at ``moment``, with what was known at ``known``; None is the end of time for either.

    A claim that was sealed after ``moment`` holds then only where it names a ``since`` before it.
    """
    gone = superseded_at is not None and (known is None or superseded_at <= known)
    if gone and superseded_at is not None and (moment is None or superseded_at <= moment):
        return State.REPLACED
    start = since if since is not None else known_at
    if moment is not None and start is not None and moment < start:
        return State.LATER
    if moment is not None and expires is not None and moment >= expires:
        return State.EXPIRED
    return State.HELD


def visible(known_at: int | None, known: int | None) -> bool:
    """Whether a claim had been sealed by ``known`` (None: now); what the records or the contract say always had."""
    return known is None or known_at is None or known_at <= known
