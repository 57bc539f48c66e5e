"""Reviews of access, as values: who was asked about which identities, what was decided, and by whom.

A *review* is opened over a *population*: entries of the register with their facts at that time. Somebody decides of
each to keep, narrow or remove it, with a reason. Opening is a statement of the operations log; decisions and the close
are statements of the log of approvals. Times are microseconds since 1970-01-01T00:00:00Z; those of statements are by
the clock of the machine that sealed them.
"""

from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256

import msgspec

from custody.model.register import Signature


class Choice(StrEnum):
    """What can be decided of an identity."""

    KEEP = "keep"
    NARROW = "narrow"
    REMOVE = "remove"


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A claim as the reviewer is shown it: what, who says so, and who signed that (None: nobody)."""

    value: str
    said_by: str
    signer: str | None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One identity of a population, with what was known of it when the review was opened.

    ``granted`` are the grants that records show, None where they show nothing of the kind; ``declared`` those that
    documents declare. ``alive`` counts credentials neither ended nor expired. ``last_used`` is RFC 3339.
    """

    identity: str
    kind: str
    population: str | None
    owner: tuple[Fact, ...]
    purpose: tuple[Fact, ...]
    declared: tuple[str, ...]
    granted: tuple[str, ...] | None
    credentials: int
    alive: int
    last_used: str | None
    exception: tuple[str, ...]
    missing: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def owners(self) -> tuple[str, ...]:
        """Who is said to answer for it, each once."""
        return tuple(dict.fromkeys(one.value for one in self.owner))


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """That a population is a sample: how many were drawn by which seed, and of how many identities (with digest)."""

    size: int
    seed: str
    population: int
    digest: str


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A review as it was opened. ``leaf`` is one of the operations log.

    ``by`` is who opened it, as the system names them; ``reviewer`` who is asked to sign. ``digest`` is the SHA-256
    (hex) of ``population_bytes``. ``chosen`` says by which options the population was chosen.
    """

    name: str
    leaf: int
    at: int
    by: str
    reviewer: str
    due: int
    as_of: int | None
    digest: str
    members: tuple[Member, ...]
    chosen: tuple[tuple[str, str], ...] = ()
    sampled: Sampled | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided of one identity, and why. ``to`` is what stays of its privileges, where they are narrowed."""

    identity: str
    choice: Choice
    reason: str
    to: tuple[str, ...] = ()


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions that were sealed together. ``leaf`` is one of the log of approvals.

    ``seen`` is the size of the operations log that their author saw; ``digest`` the SHA-256 (hex) of the file;
    ``signature`` None where nobody signed: then they are claimed by ``by``.
    """

    leaf: int
    at: int
    by: str
    digest: str
    seen: int
    decisions: tuple[Decision, ...]
    signature: Signature | None = None


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a review. ``leaf`` is one of the log of approvals.

    ``unfinished`` are the identities whose decision was not seen carried out, ``accepted`` the reason to close anyway.
    """

    leaf: int
    at: int
    by: str
    unfinished: tuple[str, ...] = ()
    accepted: str | None = None


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A review with everything that was sealed of it, in order of leaf."""

    opening: Opening
    decisions: tuple[Decisions, ...] = ()
    closing: Closing | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The decision that counts for one identity: the last one, and the statement that it stands in."""

    decision: Decision
    given: Decisions

    def signed_by(self, reviewer: str) -> bool:
        """Whether the reviewer who was named signed it."""
        return self.given.signature is not None and reviewer in self.given.signature.principals


def population_bytes(members: Iterable[Member]) -> bytes:
    """The canonical form of a population, over which its digest is: one JSON object a line, in order of identity.

    Fields in the order of ``Member``, no blanks, UTF-8, a line feed after each; the order is that of the bytes of the
    identities. No leaf, name of a review or time of opening is in it: the same population twice is the same bytes.
    """
    ordered = sorted(members, key=lambda one: one.identity.encode())
    return b"".join(msgspec.json.encode(one) + b"\n" for one in ordered)


def members_of(data: bytes) -> tuple[Member, ...]:
    """The inverse of ``population_bytes``; msgspec.MsgspecError where ``data`` is not one."""
    return tuple(msgspec.json.decode(line, type=Member) for line in data.splitlines())


def digest_of(members: Iterable[Member]) -> str:
    """The SHA-256 (hex) of a population."""
    return sha256(population_bytes(members)).hexdigest()


def standing(review: Review) -> dict[str, Standing]:
    """The decision that counts for each identity that has one."""
    return {one.identity: Standing(decision=one, given=given) for given in review.decisions for one in given.decisions}


def undecided(review: Review) -> tuple[str, ...]:
    """The identities that nobody decided about, in the order of the population."""
    decided = standing(review)
    return tuple(one.identity for one in review.opening.members if one.identity not in decided)


def known_by(reviews: Iterable[Review], moment: int) -> tuple[Review, ...]:
    """The reviews as they stood when what was sealed by ``moment`` (µs) was all there was."""
    return tuple(
        msgspec.structs.replace(
            one,
            decisions=tuple(each for each in one.decisions if each.at <= moment),
            closing=one.closing if one.closing is not None and one.closing.at <= moment else None,
        )
        for one in reviews
        if one.opening.at <= moment
    )
