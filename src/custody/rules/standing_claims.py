"""What the register says of an identity at the time of one credential, for the questions of owner and purpose.

Proved takes all of this: a claim in force when the credential was issued (or first used, where its issue was not read),
sealed before that (by its time, and by its place in the log: before the record of the issue arrived), signed by who may
say it; a credential that reaches the identity by the very key that the same version of the document names, as issuer or
verifier assert it; and nobody who says otherwise.
"""

import msgspec

from custody.model.register import sayer
from custody.model.times import text
from custody.model.verdicts import Best

FACTS = """
    SELECT k.key, s.value, s.said_by, s.grade, s.signer, s.known_at, s.expires, s.against, s.leaf AS document,
           k.exact AND d.name IS NOT NULL AS exact, k.contested,
           coalesce(s.leaf >= coalesce(c.issue_leaf, c.first_use_leaf), FALSE) AS arrived_before
    FROM key_identities k
    JOIN credentials c ON c.key = k.key
    JOIN standing s ON s.identity = k.identity AND s.field = '{field}'
         AND (s.starts IS NULL OR coalesce(c.issued_at, c.first_use) >= s.starts)
         AND (s.ends IS NULL OR coalesce(c.issued_at, c.first_use) < s.ends)
    LEFT JOIN (
        SELECT DISTINCT name, identity, leaf FROM declared_names WHERE whole
    ) d ON d.leaf = s.leaf AND d.name = k.name AND d.identity = k.identity
"""
"""One row for each credential of whose identity anything was said by a document or an inventory."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that these rules look at: the claim that counts, how good it is, how the credential reaches it."""

    identity_class: str | None
    value: str | None
    said_by: str | None
    grade: str | None
    signer: str | None
    known_at: int | None
    expires: int | None
    against: str | None
    document: int | None
    exact: bool | None
    contested: bool | None
    arrived_before: bool | None


class Told(msgspec.Struct, frozen=True):
    """What a rule says of a claim: whether it is proved, the sentence, and the best there is where it is not."""

    proved: bool
    text: str
    best: Best
    leaves: tuple[int, ...]


def told(row: Row) -> Told | None:
    """The answer that rests on the register, None where it says nothing."""
    if row.value is None or row.said_by is None:
        return None
    leaves = () if row.document is None else (row.document,)
    who = sayer(row.said_by)
    if row.grade == "expired":
        gone = f"{row.value} until {text(row.expires)}, says {who}; nobody claims it since"
        return Told(False, gone, Best.NOTHING, leaves)
    if row.grade == "vouched" and row.known_at is not None:
        doubt = _doubt(row)
        if doubt is None:
            sentence = f"{row.value}, says {who}, sealed {text(row.known_at)} and signed by {row.signer}"
            return Told(True, sentence, Best.CLAIMED, leaves)
        return Told(False, f"{row.value}, says {who}, signed by {row.signer}; {doubt}", Best.CLAIMED, leaves)
    reasons = [_weakness(row), f"but {row.against}" if row.against else None]
    return Told(False, "; ".join([f"{row.value}, says {who}", *filter(None, reasons)]), Best.CLAIMED, leaves)


def _doubt(row: Row) -> str | None:
    """Why a claim that was signed in time by who may say it proves nothing of this credential."""
    if row.against:
        return f"but {row.against}"
    if row.contested:
        return "the name of this credential is declared for another identity too"
    if row.arrived_before:
        return "but its record had arrived before that was sealed: a clock was set back"
    if not row.exact:
        told = "no key of this credential is named there in full, or one that another server's may have too"
        return f"{told}, or the records about it are in doubt"
    return None


def _weakness(row: Row) -> str | None:
    match row.grade:
        case "later":
            signed = f"signed by {row.signer}, " if row.signer else ""
            return f"{signed}sealed {text(row.known_at)}, after the credential was issued or first used"
        case "signed":
            return f"signed by {row.signer}, who is not named there as the one to say it"
        case "declared" if row.known_at is not None:
            return "not signed"
    return None
