"""Closing a review: every decision is there, and what was decided was carried out, or somebody says why not."""

from __future__ import annotations

import msgspec

from custody.errors import UsageError
from custody.model.reviews import Review, undecided
from custody.model.times import text
from custody.pipeline import approvals, sealed_text
from custody.pipeline.audit import now, whoami
from custody.pipeline.reviewing import reviews
from custody.pipeline.reviewing.showing import carried
from custody.pipeline.reviewing.signing import check_open
from custody.register.carried import Action, Carried
from custody.settings.catalog import Settings
from custody.store.approvals import ApprovalsWriter, separation
from custody.store.reader import Reader

MOST = 20
LONGEST = 500


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A review that was closed. ``leaf`` is one of the log of approvals; ``actions`` are all that was to be done."""

    review: str
    leaf: int
    by: str
    actions: tuple[Action, ...]
    accepted: str | None
    as_of: str | None
    separated: bool
    notes: tuple[str, ...]


def close(settings: Settings, name: str, accept: str | None = None) -> Closed:
    """Seal the close of the review ``name``. UsageError while something is undecided, or open and not accepted.

    What was carried out is as the derived tables show it: those of the last audit or rebuild.
    """
    if accept is not None and (not accept.strip() or len(accept) > LONGEST or not accept.isprintable()):
        raise UsageError("not a reason", where="--accept", expected=f"a text of 1 to {LONGEST} characters")
    moment = now()
    with Reader.open(settings.store) as reader:
        review = _decided(reviews.named(reviews.sealed(reader, approvals.everything(settings.store)), name))
        actions, as_of = carried(settings, review)
        unfinished = [each for each in actions if each.state is not Carried.DONE]
        if unfinished and accept is None:
            raise _unfinished(name, unfinished)
        with ApprovalsWriter.open(settings.store, settings.approval_keys) as writer:
            again = _decided(reviews.named(reviews.sealed(reader, approvals.everything(settings.store)), name))
            if again != review:
                raise UsageError("decided anew meanwhile", where=name, advice="Look at it again, then close it.")
            found = separation(settings.keys, settings.approval_keys, writer.store)
            fields: dict[str, object] = {
                "review": name, "opened": review.opening.leaf, "population": review.opening.digest, "at": moment,
                "by": whoami(), "as_of": as_of, "accepted": accept if unfinished else None,
            }  # fmt: skip
            leaf = sealed_text.seal(writer, reviews.CLOSE, msgspec.json.encode(actions), fields)
    notes = [f"nothing was open: {accept!r} was not needed"] if accept is not None and not unfinished else []
    return Closed(
        review=name,
        leaf=leaf,
        by=str(fields["by"]),
        actions=actions,
        accepted=accept if unfinished else None,
        as_of=as_of,
        separated=found.enforced,
        notes=(*notes, *([] if found.enforced else [found.why])),
    )


def _decided(review: Review) -> Review:
    check_open(review)
    left = undecided(review)
    if left:
        more = f" and {len(left) - MOST} more" if len(left) > MOST else ""
        raise UsageError(
            "not everything is decided",
            where=review.opening.name,
            found=f"undecided: {', '.join(each[:120] for each in left[:MOST])}{more}",
            expected="a decision about every identity",
            advice=f"`custody review sign {review.opening.name} --decisions FILE`, by {text(review.opening.due)}.",
        )
    return review


def _unfinished(name: str, left: list[Action]) -> UsageError:
    told = [f"{each.choice.value} {each.identity[:120]}: {each.text}" for each in left[:MOST]]
    more = [f"and {len(left) - MOST} more"] if len(left) > MOST else []
    return UsageError(
        "what was decided was not seen carried out",
        where=name,
        found="; ".join([*told, *more]),
        expected="all of it done, as the records show",
        advice="Carry it out and audit the logs of that, or close it with --accept REASON.",
    )
