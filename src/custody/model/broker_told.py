"""What the sealed lines of a broker tell of one request and the credential that came of it: what a responder is shown.

Field names are the documented JSON (docs/json.md). Times are RFC 3339 text.
"""

import msgspec

from custody.model.leaf import LeafRef


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a line tells, by name.

    ``said_by`` is whose word it is: ``broker`` (verified, decided or made by it), ``requester`` (what who asked said of
    itself), ``issuer`` (of the token that was shown) or ``register`` (as the broker found it there).
    """

    name: str
    value: str
    said_by: str
    leaf: LeafRef


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """A person's decision about the request, as the broker read it in the log of approvals.

    ``verdict`` is ``grant`` or ``deny``. ``counts`` is False, with ``why``, where it cannot count; ``until`` bounds it.
    ``leaf`` is that of the broker's line, ``approvals_leaf`` that of the decision in the log of approvals.
    """

    verdict: str
    approver: str
    at: str
    reason: str
    until: str | None
    counts: bool
    why: str
    leaf: LeafRef
    approvals_leaf: int


class EndStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the end: ``asked`` (before anything is done), ``probe`` (the broker's own try) or ``seen``.

    ``cause``, ``by`` and ``reason`` say why it ended; ``effect`` and ``basis`` what was found, and from what.
    ``verified`` says that the credential was seen to be dead, in the server's state or by a try: not that a call was
    made, nor that its time had passed. ``text`` says it in words.
    """

    step: str
    time: str
    text: str
    leaf: LeafRef
    event: str = ""
    cause: str = ""
    by: str = ""
    reason: str = ""
    effect: str | None = None
    basis: str | None = None
    sessions: int | None = None
    seen: dict[str, str] = {}
    verified: bool = False


class Brokered(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its chain. ``state`` is a word of ``chains.broker_states``, ``since`` the time of the last line.

    ``unread`` counts lines whose bytes are erased or withheld: what they told is not in here.
    """

    broker: str
    request: str | None
    chain: str | None
    state: str
    since: str
    facts: tuple[Fact, ...]
    approvals: tuple[Consent, ...] = ()
    ends: tuple[EndStep, ...] = ()
    keys: tuple[str, ...] = ()
    unread: int = 0
