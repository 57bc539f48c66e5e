"""What a request comes to, for those who decide about it: 80 columns, before the exact text.

Names are shown as the exact text has them, in ASCII: two that look alike are not taken for one another. The requester's
own words stand as they were written, but for what hides or steers. Nothing is left out of the middle of a long word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from custody.model.broker_terms import Actor
from custody.model.times import text
from custody.pipeline.approving.standing import Standing
from custody.reports.safe import plain
from custody.reports.terminal.layout import COLUMNS, labelled, wrapped
from custody.reports.words import counted

LABEL = 12
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))


def summary(standing: Standing) -> Iterator[str]:
    """Who asks for what, why, how long, who has to approve until when, and the digest that a decision names."""
    for label, told in (*_who(standing), *_what(standing), *_why(standing), *_needed(standing)):
        yield from row(label, told)


def row(label: str, told: str, columns: int = COLUMNS) -> list[str]:
    """A labelled text, its long words broken and never shortened: what is approved must not hide in a gap."""
    room = columns - LABEL
    words = (piece for word in told.split(" ") for piece in _pieces(word, room))
    return labelled(label, wrapped(" ".join(words), room), LABEL)


def _pieces(word: str, room: int) -> Iterator[str]:
    """A word in pieces that fit; half as many characters where some may be two columns wide."""
    size = room if word.isascii() else room // 2
    yield from (word[at : at + size] for at in range(0, max(len(word), 1), size))


def lasting(seconds: int) -> str:
    """``90 minutes``: seconds in the largest unit that divides them."""
    for size, unit in _UNITS:
        if seconds and seconds % size == 0:
            return counted(seconds // size, unit)
    return counted(seconds, "second")


def name(told: str) -> str:
    """A name with all that is not printable ASCII as an escape."""
    return plain(told) if told.isascii() else plain(told.encode("ascii", "backslashreplace").decode("ascii"))


def asks(standing: Standing) -> str:
    """Who asks: the identity in the register, else the key of the workload."""
    registered = standing.shown.request.registered
    return standing.shown.request.proof.workload if registered is None else registered.identity


def approvals(standing: Standing) -> str:
    """How many of whom have approved, and who; a denial."""
    asked, granted = standing.shown.asked, standing.tally.granted
    told = f"{len(granted)} of {asked.count} of {asked.group}"
    denied = standing.tally.denied
    told += f"; denied by {denied.approver}" if denied is not None else ""
    return f"{told}: {', '.join(each.approver for each in granted)}" if granted else told


def _who(standing: Standing) -> Iterator[tuple[str, str]]:
    request = standing.shown.request
    registered, proof = request.registered, request.proof
    owner = "" if registered is None or registered.owner is None else f", owned by {name(registered.owner)}"
    yield "asks", name(asks(standing)) + owner
    yield "proved", f"{name(proof.workload)} ({name(proof.method)}, {name(proof.issuer)})"
    for each in request.actors:
        yield "acting", _actor(each)
    if proof.run is not None:
        yield "in run", name(proof.run)


def _actor(actor: Actor) -> str:
    word = "proved" if actor.proof is not None else "claimed" if actor.claimed else "the issuer's word"
    return f"{name(actor.subject)} ({word})"


def _what(standing: Standing) -> Iterator[tuple[str, str]]:
    intent = standing.shown.request.intent
    yield "for", f"backend {name(intent.backend)}"
    if intent.break_glass:
        yield "break-glass", "yes: nobody is there who could approve first"
    for label, several in (("scope", intent.scope), ("resource", intent.resource), ("audience", intent.audience)):
        if several:
            yield label, " ".join(map(name, several))
    for each in intent.details:
        yield "details", name(each)
    for label, chain in (("renews", intent.renews), ("parent", intent.parent)):
        if chain is not None:
            yield label, name(chain)
    yield "how long", _how_long(standing)


def _how_long(standing: Standing) -> str:
    asked, most = standing.shown.request.intent.ttl, standing.shown.request.decision.max_ttl
    told = "as long as policy and backend allow" if asked is None else f"{lasting(asked)} asked for"
    return told if most is None else f"{told}; policy allows {lasting(most)} at most"


def _why(standing: Standing) -> Iterator[tuple[str, str]]:
    """The requester's word: nothing of it is checked."""
    intent = standing.shown.request.intent
    claims = (
        ("purpose", intent.purpose),
        ("ticket", intent.ticket),
        ("for run", intent.run),
        ("reason", intent.reason),
    )
    for label, told in claims:
        if told is not None:
            yield label, f"“{plain(told)}” (claimed)"
    if not any(told for _, told in claims):
        yield "purpose", "none was given"


def _needed(standing: Standing) -> Iterator[tuple[str, str]]:
    shown = standing.shown
    decision = shown.request.decision
    yield "policy", ", ".join(name(each.id) for each in decision.policies) or "none is named"
    yield "approvals", name(approvals(standing))
    yield "until", str(text(shown.until))
    yield "digest", shown.digest
    yield "sealed", f"leaf operations:{shown.leaf}, broker {name(shown.entry.broker)}"


def decisions(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Rows of what was decided, as the summary has its own."""
    for label, told in rows:
        yield from row(label, plain(told))
