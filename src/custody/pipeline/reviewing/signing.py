"""Deciding: a decisions file, signed or not, sealed in the log of approvals by the process of whoever decides.

1. the file is read, and is about this review and this population
2. it decides about every identity of it and about no other
3. a table shows what was exported
4. the signature, or token, holds over the exact bytes of the file
5. the review is still open, under the lock of the log of approvals
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from custody.errors import UsageError
from custody.model.register import Signature
from custody.model.reviews import Decision, Decisions, Opening, Review, undecided
from custody.model.times import text
from custody.pipeline import approvals, sealed_text, signatures
from custody.pipeline.approvals import Log
from custody.pipeline.audit import now, whoami
from custody.pipeline.reviewing import files as review_files
from custody.pipeline.reviewing import reviews
from custody.pipeline.signatures import Given, Signed
from custody.register.decisions import Parsed, parse
from custody.settings.catalog import Settings
from custody.store.approvals import ApprovalsWriter, separation
from custody.store.reader import Reader

MAX_FILE = 1 << 24
"""Bytes of the longest decisions file that is read."""
MOST = 20


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What was sealed. ``sealed`` is False where the same bytes, as well signed, had been sealed before.

    ``leaf`` is one of the log of approvals; ``undecided`` counts the identities that nobody decided about yet.
    """

    review: str
    population: str
    digest: str
    leaf: int
    sealed: bool
    by: str
    signature: Signature | None
    decisions: tuple[Decision, ...]
    undecided: int
    separated: bool
    notes: tuple[str, ...]


def sign(settings: Settings, name: str, path: Path, given: Given, *, partial: bool = False) -> Decided:
    """Seal the decisions in ``path`` about the review ``name``. UsageError where they, or the signature, are wrong.

    With ``partial`` they may leave identities out; what was decided of those before stands.
    """
    data, moment = signatures.read_bounded(path, MAX_FILE), now()
    with Reader.open(settings.store) as reader:
        review = reviews.named(reviews.sealed(reader, approvals.everything(settings.store)), name)
        parsed = parse(data, str(path))
        decided = _checked(review.opening, parsed, str(path), partial=partial)
        signed = signatures.checked(settings, given, data, reviews.NAMESPACE, moment)
        with ApprovalsWriter.open(settings.store, settings.approval_keys) as writer:
            log = approvals.everything(settings.store)
            review = reviews.named(reviews.sealed(reader, log), name)
            check_open(review)
            found = separation(settings.keys, settings.approval_keys, writer.store)
            notes = [*_notes(review.opening, log, signed, path, given), *([] if found.enforced else [found.why])]
            known = _known(review, data, signed)
            leaf = known.leaf if known is not None else _seal(writer, log, review.opening, data, signed, moment)
        after = reviews.named(reviews.sealed(reader, approvals.everything(settings.store)), name)
    (held,) = [each for each in after.decisions if each.leaf == leaf]
    return Decided(
        review=name,
        population=review.opening.digest,
        digest=held.digest,
        leaf=leaf,
        sealed=known is None,
        by=held.by,
        signature=held.signature,
        decisions=tuple(decided),
        undecided=len(undecided(after)),
        separated=found.enforced,
        notes=tuple(notes),
    )


def check_open(review: Review) -> None:
    """UsageError where the review was closed."""
    if review.closing is not None:
        raise UsageError(
            "the review is closed",
            where=review.opening.name,
            found=f"closed {text(review.closing.at)} at {approvals.LOG}:{review.closing.leaf}",
            expected="one that is open",
            advice="What changes after the close is for another review.",
        )


def _checked(opening: Opening, parsed: Parsed, where: str, *, partial: bool) -> list[Decision]:
    """The decisions, each about an identity of the population."""
    if (parsed.review, parsed.population) != (opening.name, opening.digest):
        raise UsageError(
            "decisions about another review or population",
            where=where,
            found=f"{parsed.review[:64]!r} {parsed.population[:64]}",
            expected=f"{opening.name!r} {opening.digest}",
            advice=f"`custody review show {opening.name} -o FILE.csv` writes what was opened.",
        )
    decided, foreign = reviews.resolved(opening.members, parsed.decisions)
    counts = Counter(each.identity for each in decided)
    twice = sorted(name for name, count in counts.items() if count > 1)
    missing = [each.identity for each in opening.members if each.identity not in counts]
    told = [_listed("not of the population", foreign), _listed("decided twice", twice)]
    told += [] if partial else [_listed("not decided", missing)]
    wrong = "; ".join(filter(None, told))
    if wrong or not decided:
        advice = "--partial seals decisions about some of them." if missing and not foreign and not twice else ""
        raise UsageError(
            "the decisions do not cover the population",
            where=where,
            found=wrong or "no decision",
            expected=f"each of its {len(opening.members)} identities once",
            advice=advice,
        )
    review_files.check_shown(opening, parsed, where)
    return decided


def _listed(what: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"{what}: {', '.join(name[:120] for name in names[:MOST])}{more}"


def _known(review: Review, data: bytes, signed: Signed | None) -> Decisions | None:
    """The last decisions, where they are these very bytes, as well signed."""
    if not review.decisions:
        return None
    last = review.decisions[-1]
    same = last.digest == sealed_text.digest(data)
    return last if same and (signed is None or signed.signature == last.signature) else None


def _seal(writer: ApprovalsWriter, log: Log, opening: Opening, data: bytes, signed: Signed | None, moment: str) -> int:
    signature = signatures.seal(writer, log, signed, moment)
    about = {"review": opening.name, "opened": opening.leaf, "population": opening.digest}
    return sealed_text.seal(writer, reviews.DECISIONS, data, {**about, "at": moment, "by": whoami(), **signature})


def _notes(opening: Opening, log: Log, signed: Signed | None, path: Path, given: Given) -> Iterator[str]:
    """What somebody should know about who decides."""
    beside = path.with_name(f"{path.name}.sig")
    if signed is None:
        if given.signature is None and beside.exists():
            yield f"{beside} was not used: --signature {beside} checks it"
        yield "NOBODY SIGNED: these decisions are claimed, by whoever ran this"
        return
    if opening.reviewer not in signed.signature.principals:
        names = ", ".join(signed.signature.principals)
        yield f"ANOTHER SIGNER: {opening.reviewer} was asked, {names} signed; the decisions count as claimed"
    last = signatures.last_signers(log)
    if signed.signers is not None and last is not None and last != signed.signature.anchor:
        yield f"the allowed signers changed: {last[:12]}… before, {signed.signature.anchor[:12]}… now"
