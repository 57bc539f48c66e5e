"""A decision of a person about a request: the statement that seals it, and the text that they sign.

Statements ``request-decision`` (a grant or a deny) and ``request-withdraw`` (a grant taken back) of the log of
approvals. What is signed is a text of its own, ``custody.approval/1``: it holds the verdict beside the digest of the
request, so that a signature under a deny is none under a grant.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Literal

import msgspec

from custody.broker.shown import written
from custody.ledger.entry import StatementEntry

FORMAT = "custody.approval/1"
DECISION, WITHDRAWAL = "request-decision", "request-withdraw"
NAMESPACE = "custody-approval"
"""The namespace (``ssh-keygen -Y sign -n``) of signatures over decisions."""

MOST_REASON = 500
"""Characters of the longest reason."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision as it is sealed.

    ``digest`` is the request's (``broker.shown``). ``approver`` is the key of the person, ``names`` other names that
    the same proof gives them, ``groups`` those that their token named. ``method`` says how they showed who they are:
    ``ssh`` (``signature`` over ``signed_text``, ``signers`` the allowed-signers file: anybody can check it again),
    ``oidc`` (a token that was checked and not kept: ``oidc`` says what it said) or ``webhook`` (the word of the system
    ``webhook``, ``message`` the id of what it sent). ``at`` is when it was sealed, ``until`` when a grant ends,
    RFC 3339; ``by`` the account that sealed it, as the system names it.
    """

    request: str
    broker: str
    chain: str
    digest: str
    verdict: Literal["grant", "deny", "withdraw"]
    approver: str
    method: Literal["ssh", "oidc", "webhook"]
    reason: str
    at: str
    by: str = ""
    until: str | None = None
    names: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    signature: str | None = None
    signers: str | None = None
    oidc: Mapping[str, object] | None = None
    webhook: str | None = None
    message: str | None = None

    @property
    def what(self) -> str:
        """The kind of statement that seals it."""
        return WITHDRAWAL if self.verdict == "withdraw" else DECISION


class Given(msgspec.Struct, frozen=True):
    """A decision and its leaf in the log of approvals."""

    leaf: int
    decision: Decision


def signed_text(decision: Decision) -> bytes:
    """What is signed: which request exactly, the verdict, why and until when. ASCII, the same bytes for ever."""
    return written(
        {
            "custody": FORMAT,
            "broker": decision.broker,
            "request": decision.request,
            "chain": decision.chain,
            "digest": decision.digest,
            "verdict": decision.verdict,
            "reason": decision.reason,
            "until": decision.until,
        }
    )


def fields_of(decision: Decision) -> dict[str, object]:
    """The fields of the statement."""
    plain: dict[str, object] = msgspec.to_builtins(decision)
    return plain


def read(leaf: int, entry: StatementEntry) -> Given | None:
    """The decision that a statement seals, None where it seals none or cannot be read."""
    if entry.what not in (DECISION, WITHDRAWAL):
        return None
    try:
        found = msgspec.convert(entry.fields, Decision)
    except msgspec.ValidationError:
        return None
    return Given(leaf, found) if found.what == entry.what else None


def cleaned(text: str) -> str:
    """A reason on one line: controls, line ends and characters that do not show become spaces. ValueError for none.

    It has 1 to ``MOST_REASON`` characters then.
    """
    visible = "".join(" " if unicodedata.category(each)[0] in "CZ" else each for each in text)
    found = " ".join(visible.split())
    if not 1 <= len(found) <= MOST_REASON:
        raise ValueError(f"a reason has 1 to {MOST_REASON} characters")
    return found
