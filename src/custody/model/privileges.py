"""Privileges as values: the texts by which a system grants them, and what is shown of them.

A text is as the record has it, taken out of its JSON string or its URL encoding, and not looked into.
"""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from custody.model.report import LeafRef


class TextKind(StrEnum):
    """What a text is: a policy inside a principal, a trust policy, one version of a managed policy, …"""

    INLINE = "inline"
    TRUST = "trust"
    VERSION = "version"
    RULES = "rules"
    SESSION = "session"


class PolicyText(msgspec.Struct, frozen=True, kw_only=True):
    """One text of a record. ``name`` is that of an inline policy, or the id of a version.

    ``default`` says that the version was made the one in force; ``created`` is when the version was made (µs), as the
    record tells it. ``text`` is None where the record says that there is one and does not hold it.
    """

    kind: TextKind
    text: bytes | None
    name: str | None = None
    default: bool = False
    created: int | None = None


Texts = Callable[[str, int], tuple[PolicyText, ...]]
"""The texts of the record at a leaf, by the name of its source and the leaf; nothing where it holds none."""


def no_texts(source: str, leaf: int) -> tuple[PolicyText, ...]:  # noqa: ARG001  # the signature of Texts
    """No record is at hand: every text is missing."""
    return ()


class ApprovalView(msgspec.Struct, frozen=True, kw_only=True):
    """Who approved a change, when (RFC 3339), at which leaf; ``grade`` and ``asserter`` are of the link."""

    by: str | None
    at: str | None
    leaf: LeafRef
    grade: str
    asserter: str


class GrantView(msgspec.Struct, frozen=True, kw_only=True):
    """One grant: what, since when and until when (RFC 3339), who gave it, with which key, and who approved it.

    ``since_how``: ``observed`` (a change says so), ``inventory`` (a list has it and does not say since when),
    ``earlier`` (only its end was seen). ``text`` says what keeps its text from being read, None where it is read or
    there is none; ``text_leaf`` is where it stands. ``inherited`` names the group that it came by.
    """

    kind: str
    what: str | None
    through: str | None
    since: str | None
    until: str | None
    since_how: str
    by: str | None
    by_key: str | None
    leaf: LeafRef
    end_leaf: LeafRef | None
    text: str | None
    text_leaf: LeafRef | None
    inherited: str | None
    approval: ApprovalView | None


class StatementView(msgspec.Struct, frozen=True, kw_only=True):
    """One statement in normal form: ``allow`` or ``deny``, by which grant (``via``), in which layer.

    ``not_actions`` and ``not_resources`` turn the lists into all but these. ``condition`` is text, not evaluated.
    """

    effect: str
    layer: str
    via: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_actions: bool = False
    not_resources: bool = False
    condition: str | None = None


class TrustView(msgspec.Struct, frozen=True, kw_only=True):
    """Who may become the role: for which actions, under which condition; ``wide`` says where more fit than one."""

    who: str
    actions: tuple[str, ...]
    condition: str | None
    wide: str | None


class ClaimedPrivilege(msgspec.Struct, frozen=True, kw_only=True):
    """A privilege that somebody declares: nothing shows that it is there. ``said_by`` is as the claims have it."""

    what: str
    said_by: str
    signer: str | None
    note: str | None
    leaf: LeafRef | None


class PrivilegesView(msgspec.Struct, frozen=True, kw_only=True):
    """What one principal may do as of a time (RFC 3339; None: as far as the records go).

    ``complete`` says that every document of its own was read, ``made`` when it was seen to be made (None: what it had
    before the records is not known). ``unresolved`` is what could not be read of its own, ``outside`` what is not
    looked at in any case.
    """

    principal: str
    as_of: str | None
    made: str | None
    complete: bool
    grants: tuple[GrantView, ...]
    statements: tuple[StatementView, ...]
    trust: tuple[TrustView, ...]
    unresolved: tuple[str, ...]
    outside: tuple[str, ...]
    declared: tuple[ClaimedPrivilege, ...] = ()
    """What the register claims, where no grant was read."""
