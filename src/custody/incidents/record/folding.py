"""What an incident is now: a fold over its sealed steps. Pure; the same steps in any order of reading give the same.

The order is that of the operations log; decisions, which are in a log of their own, are held against the action that
they name. A step that cannot be (about another incident, an action that was never asked for, after the end) changes
nothing and stays visible in ``odd``, with the word why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from custody.model.incidents import (
    APPROVALS,
    Asked,
    Claimed,
    Closed,
    Decided,
    Done,
    Opened,
    Reopened,
    Reviewed,
    Seed,
    Settled,
    Step,
    Vouched,
    Widened,
)
from custody.model.leaf import LeafRef
from custody.model.register import Signature
from custody.model.times import microseconds

NONE: Mapping[LeafRef, str] = MappingProxyType({})


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed step: where, when by the clock of the machine that sealed it (µs), by which account, signed by whom.

    ``signature`` is what holds when it is checked again from the logs alone; None: nobody signed, the author is the
    account ``by``, and only claimed. ``digest`` is SHA-256 (hex) of the step's text. ``seen`` is the size of the other
    log when it was sealed (of a decision the operations log, of any other step the log of approvals), None where
    nobody wrote it down: what has that leaf there or a later one was sealed after it, whatever the clocks say.
    """

    leaf: LeafRef
    at: int
    by: str
    step: Step
    digest: str
    signature: Signature | None = None
    seen: int | None = None

    @property
    def author(self) -> str:
        """The name of who did it: by the signature where there is one, else the account, marked as such."""
        if self.signature is not None and self.signature.principals:
            return self.signature.principals[0]
        return f"account:{self.by}"

    @property
    def names(self) -> tuple[str, ...]:
        """What the author is called: by their signature and its key, else by the account alone.

        People who sign may share an account; whose word only an account is may be anybody who uses it (``everything``).
        """
        if self.signature is None:
            return (f"account:{self.by}",)
        return (*self.signature.principals, f"key:{self.signature.key}")

    @property
    def everything(self) -> tuple[str, ...]:
        """Every name under which the author may be somebody else of the same incident."""
        return (*self.names, f"account:{self.by}")


class Where(StrEnum):
    """How far an action is. Whether it had its effect is another question (``incidents.outcomes``)."""

    WAITING = "waiting for approval"
    READY = "may be done"
    DENIED = "denied"
    LAPSED = "lapsed"
    DONE = "done"
    UNAPPROVED = "done without approval"
    SETTLED = "settled"


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """A decision and why it does not count; an empty ``why``: it does."""

    heard: Heard
    why: str = ""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One action of the incident, with everything that was said of it in the order of each log.

    ``overruled`` says why its sealed decision is not believed (the sealed policies come to another): it is then a deny.
    ``settled`` is the last time that it was settled, ``undone`` are those before: it was done after each of them.
    ``later`` are all steps of its incident that the operations log has after the request: by when they were sealed, and
    by what they saw, a decision is known to be late. ``by_others`` are leaves of ``done`` by somebody else than who was
    to do it.
    """

    asked: Heard
    decisions: tuple[Weighed, ...] = ()
    done: tuple[Heard, ...] = ()
    settled: Heard | None = None
    undone: tuple[Heard, ...] = ()
    reviews: tuple[Weighed, ...] = ()
    overruled: str = ""
    later: tuple[Heard, ...] = ()
    by_others: tuple[LeafRef, ...] = ()

    @property
    def request(self) -> Asked:
        """What was asked for."""
        assert isinstance(self.asked.step, Asked)
        return self.asked.step

    @property
    def id(self) -> str:
        """Its id."""
        return self.request.action


class Odd(msgspec.Struct, frozen=True, kw_only=True):
    """A step that changes nothing, and why."""

    heard: Heard
    why: str


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as it stands. ``heard`` are all steps that count, by time and log; ``closed`` the last close."""

    id: str
    opened: Heard
    seeds: tuple[Seed, ...]
    heard: tuple[Heard, ...]
    actions: tuple[Action, ...] = ()
    claims: tuple[Heard, ...] = ()
    vouched: tuple[Heard, ...] = ()
    closed: Heard | None = None
    odd: tuple[Odd, ...] = ()

    @property
    def opening(self) -> Opened:
        """The step that opened it."""
        assert isinstance(self.opened.step, Opened)
        return self.opened.step

    def action(self, name: str) -> Action | None:
        """The action with an id, None where there is none."""
        return next((each for each in self.actions if each.id == name), None)


def incidents(heard: Iterable[Heard], void: Mapping[LeafRef, str] = NONE) -> tuple[Incident, ...]:
    """Every incident of both logs, by id. Of two openings with one id the first holds.

    ``void`` says of steps why they change nothing, whatever else they say: closes that the policies do not allow.
    """
    by_id: dict[str, list[Heard]] = {}
    for each in sorted(heard, key=lambda each: (each.leaf.log != "operations", each.leaf.index)):
        by_id.setdefault(each.step.incident, []).append(each)
    found = (_folded(name, steps, void) for name, steps in sorted(by_id.items()))
    return tuple(each for each in found if each is not None)


def lapses(asked: Asked) -> int:
    """When a request is too old to be approved or done (µs); 0 where the time cannot be read: it is then over."""
    try:
        return microseconds(asked.lapses) or 0
    except (ValueError, OverflowError, TypeError):
        return 0


class _Fold:
    """The state while folding."""

    def __init__(self, opened: Heard, void: Mapping[LeafRef, str]) -> None:
        assert isinstance(opened.step, Opened)
        self.void = void
        self.opened, self.seeds = opened, list(opened.step.seeds)
        self.counted = [opened]
        self.actions: dict[str, Action] = {}
        self.claims: list[Heard] = []
        self.vouched: list[Heard] = []
        self.closed: Heard | None = None
        self.odd: list[Odd] = []

    def take(self, heard: Heard) -> None:
        """One step more."""
        why = self._why_not(heard) or self.void.get(heard.leaf) or self._applied(heard)
        if why:
            self.odd.append(Odd(heard=heard, why=why))
        else:
            self.counted.append(heard)

    def _why_not(self, heard: Heard) -> str:
        decides = isinstance(heard.step, APPROVALS)
        if decides != (heard.leaf.log == "approvals"):
            return "it is in the wrong log"
        if decides and heard.signature is None:
            return "a decision that nobody signed"
        if self.closed is not None and not decides and not isinstance(heard.step, Reopened):
            return "the incident was closed"
        return ""

    def _applied(self, heard: Heard) -> str:
        match heard.step:
            case Opened():
                return "it was open already"
            case Widened(seeds=seeds):
                self.seeds += [each for each in seeds if each not in self.seeds]
            case Asked(action=action):
                if action in self.actions:
                    return "an action of this id was asked for before"
                self.actions[action] = Action(asked=heard)
            case Done(action=action) | Settled(action=action) | Decided(action=action) | Reviewed(action=action):
                return self._about(heard, action)
            case Reopened() if self.closed is None:
                return "it was not closed"
            case Closed() | Reopened():
                self.closed = heard if isinstance(heard.step, Closed) else None
            case Claimed():
                self.claims.append(heard)
            case Vouched():
                self.vouched.append(heard)
            case _:
                pass  # a note changes nothing
        return ""

    def _about(self, heard: Heard, name: str) -> str:
        action = self.actions.get(name)
        if action is None:
            return "no such action was asked for"
        match heard.step:
            case Done():
                action = msgspec.structs.replace(action, done=(*action.done, heard))
            case Settled():
                before = action.settled
                if before is not None and all(each.leaf.index < before.leaf.index for each in action.done):
                    return "it was settled before"
                undone = action.undone if before is None else (*action.undone, before)
                action = msgspec.structs.replace(action, settled=heard, undone=undone)
            case Decided():
                action = msgspec.structs.replace(action, decisions=(*action.decisions, Weighed(heard=heard)))
            case _:
                action = msgspec.structs.replace(action, reviews=(*action.reviews, Weighed(heard=heard)))
        self.actions[name] = action
        return ""


def _folded(name: str, steps: list[Heard], void: Mapping[LeafRef, str]) -> Incident | None:
    first = next((each for each in steps if isinstance(each.step, Opened) and each.leaf.log == "operations"), None)
    if first is None:
        return None
    fold = _Fold(first, void)
    for each in steps:
        if each is not first:
            fold.take(each)
    operations = [each for each in steps if each.leaf.log == first.leaf.log]
    return Incident(
        id=name,
        opened=first,
        seeds=tuple(fold.seeds),
        heard=tuple(sorted(fold.counted, key=lambda each: (each.at, each.leaf.log, each.leaf.index))),
        actions=tuple(_with_later(each, operations) for each in fold.actions.values()),
        claims=tuple(fold.claims),
        vouched=tuple(fold.vouched),
        closed=fold.closed,
        odd=tuple(fold.odd),
    )


def _with_later(action: Action, operations: list[Heard]) -> Action:
    after = tuple(each for each in operations if each.leaf.index > action.asked.leaf.index)
    return msgspec.structs.replace(action, later=after)
