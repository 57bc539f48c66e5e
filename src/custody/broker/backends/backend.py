"""What a backend is: a system that makes short-lived credentials and can say what became of them.

One file a backend in this folder with ``KIND`` (a word), ``OPTIONS`` (a msgspec Struct of its part of the broker file)
and ``build(name, options, door) -> Backend``; the registry finds it. Every backend, the fake among them, passes
``tests/broker/backends/test_contract.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from custody.broker.clock import Clock, Random
from custody.model.broker_terms import Ending, Intent, Plan
from custody.model.brokered import Effect


class Secret:
    """A secret on its way to the one who asked: it never shows itself, and is forgotten with its object."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: for the response that hands it over, and for nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        """Refuse to be pickled: a secret stays in the process that made it."""
        raise TypeError("a secret is not pickled")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker wants made: for which chain, on which intent, for whom.

    ``decided`` is the seq of the entry that sealed the intent: with ``chain`` the receipt to put on the credential.
    ``ttl`` is in seconds, already the least of what request, policy and backend allow. ``subject`` is the workload's
    key, ``identity`` its name in the register, ``actors`` the subjects of the act chain, the outermost first.
    ``certificate`` is the SHA-256 (hex) of the client certificate with which the holder proved itself, if it did so.
    """

    chain: str
    broker: str
    intent: Intent
    subject: str
    identity: str
    ttl: int
    now: int
    actors: tuple[str, ...] = ()
    decided: int = 0
    certificate: str | None = None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What the server made: its own words for it.

    ``keys`` are the custody keys by which the server's log knows the credential, its own first. ``subject`` is the key
    of the principal that it speaks for. ``secrets`` are the fields to hand over (``access_token``; ``username``,
    ``password``; …), ``facts`` fields that are no secret. ``server`` is what the server answered that is worth keeping
    (an assumed role's id, a request id). ``type`` is the RFC 8693 token type, or ``custody:KIND``.
    """

    keys: tuple[str, ...]
    type: str
    not_after: int
    scope: tuple[str, ...] = ()
    subject: str | None = None
    secrets: dict[str, Secret] = {}
    facts: dict[str, str] = {}
    server: dict[str, str] = {}


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that was made, or perhaps was: what ends it, and what asks after it, need to know.

    ``keys`` is empty where the broker stopped before it learned them; ``plan.name`` is known always.
    """

    chain: str
    plan: Plan
    keys: tuple[str, ...] = ()
    issued: int | None = None
    server: dict[str, str] = {}


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the server's own state shows of a credential; ``told`` is what it answered, as text without secrets."""

    effect: Effect
    sessions: int | None = None
    told: dict[str, str] = {}


class Backend(Protocol):
    """A system that makes credentials.

    Every method but ``plan`` may block; the broker calls it in a thread, except where ``quick`` says that it neither
    waits for anything nor takes long. IntentRefused from ``plan``; BackendFailed from the others, with
    ``left_unknown=False`` only where it is certain that nothing was made.
    """

    name: str
    kind: str
    ends: Ending
    max_ttl: int
    quick: bool

    def plan(self, order: Order) -> Plan:
        """Check that the intent makes sense here and choose the names. Pure: nothing is called."""
        ...

    def issue(self, order: Order, plan: Plan) -> Made:
        """Make the credential that was planned, with its receipt on it."""
        ...

    def end(self, held: Held) -> None:
        """End the credential, and its sessions where the backend can. Ending twice, or what never was, is no error."""
        ...

    def look(self, held: Held) -> Seen:
        """What the server's own state shows of it now."""
        ...

    def probe(self, held: Held, secret: Secret) -> Seen | None:
        """Try the credential itself; None where the state is enough or nothing can be tried."""
        ...

    def orphans(self, known: Callable[[str], bool]) -> tuple[str, ...]:
        """Names of credentials that carry a chain id of this broker and that ``known`` does not know."""
        ...


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """What the edge hands to a backend: clock, chance, the broker's id, where secrets of its own come from.

    ``secret`` gives the value of a reference of the broker file (``env:NAME``, ``file:PATH``); UsageError where it
    gives none. ``keys`` is the folder of the broker's own signing keys as text; backends read only what they own there.
    """

    clock: Clock
    random: Random
    broker: str
    issuer: str
    secret: Callable[[str], Secret]
    keys: str
