"""What may be said next of an incident: each step is checked before it is signed, and again under the lock of its log.

A step that breaks these rules is refused, so that a slip is told at once. What was sealed all the same is judged by
``incidents.record`` and ``incidents.weighing``: they hide nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

import msgspec

from custody.errors import IntentRefused, PolicyDenied, UsageError
from custody.incidents.policy.asking import Situation
from custody.incidents.record.folding import Action, Heard, Incident, Weighed, Where, lapses
from custody.incidents.record.response import Response
from custody.incidents.record.weighing import SECOND, SKEW, WHY, People, needs_review, refused, reviewed, weighed, where
from custody.model.broker_terms import Decision, Verdict
from custody.model.incidents import (
    ActionKind,
    Asked,
    Closed,
    Decided,
    Done,
    Opened,
    Reopened,
    Reviewed,
    Settled,
    Step,
    Widened,
)
from custody.model.times import microseconds, text

MOST_REASON, MOST_TEXT, MOST_LINES, MOST_TARGETS = 500, 4000, 100, 200
"""Characters of a reason, of a note or a line of content; lines of content; targets of a request."""

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

Secretive = Callable[[str], bool]
"""Says whether a text holds what looks like a secret."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An action as somebody wants it. ``until`` (RFC 3339) bounds what is given."""

    kind: ActionKind
    targets: tuple[str, ...]
    reason: str
    content: tuple[str, ...]
    executor: str | None = None
    until: str | None = None
    break_glass: bool = False


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """Who says a step, before it is sealed: as ``Heard`` tells it afterwards."""

    author: str
    principals: tuple[str, ...] = ()

    @property
    def signed(self) -> bool:
        """Whether a signature says who it is."""
        return bool(self.principals)


def situation_of(incident: Incident, draft: Draft, who: Who, response: Response, now: int) -> Situation:
    """A wanted action as the policies see it. UsageError where ``until`` is no time to come."""
    until = moment(draft.until, "--until")
    if until is not None and until <= now:
        raise UsageError("it would have ended already", where="--until", found=str(draft.until)[:40])
    return Situation(
        kind=draft.kind.value,
        now=now,
        opened=incident.opened.at,
        severity=incident.opening.severity,
        author=who.author,
        signed=who.signed,
        groups=response.groups_of(who.principals),
        targets=draft.targets,
        lasting=None if until is None else (until - now) // SECOND,
        break_glass=draft.break_glass,
        already=already(incident, draft.targets),
    )


def already(incident: Incident, targets: Iterable[str]) -> int:
    """How many other targets than these were asked for in the incident, with nobody to be waited for.

    So whoever divides one request into many asks the policies about all of them.
    """
    requests = (each.request for each in incident.actions)
    atonce = (
        each
        for each in requests
        if each.decision.verdict is Verdict.ALLOW or (each.break_glass and each.decision.verdict is not Verdict.DENY)
    )
    return len({target for each in atonce for target in each.targets} - set(targets))


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Under which ids something is asked for, by whom, and when (µs); ``log`` is the origin of the log that has it."""

    incident: str
    action: str
    who: Who
    now: int
    log: str | msgspec.UnsetType = msgspec.UNSET


def asked(asking: Asking, draft: Draft, decision: Decision, response: Response) -> Asked:
    """The request as it is sealed. It lapses after the limits of the response file."""
    now = asking.now
    limits = response.limits
    within = decision.asked.within if decision.asked is not None else 0
    lasts = limits.break_glass_ttl if draft.break_glass else within + limits.lapse
    glass = draft.break_glass
    return Asked(
        incident=asking.incident,
        action=asking.action,
        kind=draft.kind,
        targets=draft.targets,
        reason=draft.reason,
        content=draft.content,
        asker=asking.who.author,
        lapses=str(text(now + lasts * SECOND)),
        decision=decision,
        executor=draft.executor,
        until=draft.until,
        break_glass=draft.break_glass,
        second_by=text(now + limits.second_within * SECOND) if glass else None,
        review_by=text(now + limits.review_within * SECOND) if glass else None,
        log=asking.log,
    )


def drafted(draft: Draft) -> Draft:
    """The draft with each target once. UsageError where it has none, or too many."""
    targets = tuple(dict.fromkeys(draft.targets))
    if not 0 < len(targets) <= MOST_TARGETS:
        raise UsageError("too few or too many targets", found=str(len(targets)), expected=f"1 to {MOST_TARGETS}")
    if not 0 < len(draft.content) <= MOST_LINES:
        expected = f"1 to {MOST_LINES} lines: what is to be done, exactly (--content)"
        raise UsageError("too little or too much content", found=str(len(draft.content)), expected=expected)
    if draft.kind is ActionKind.EMERGENCY and draft.until is None:
        raise UsageError("emergency access without an end", expected="--until TIME")
    return msgspec.structs.replace(draft, targets=targets)


def moment(given: str | None, where: str) -> int | None:
    """The time (µs) of an option. UsageError where it is none."""
    try:
        return microseconds(given)
    except (ValueError, TypeError, OverflowError):
        expected = "RFC 3339 with a zone, as 2026-03-02T08:00:00Z"
        raise UsageError("not a time", where=where, found=str(given)[:40], expected=expected) from None


def one_line(given: str, where: str, most: int = MOST_REASON) -> str:
    """A text on one line: what does not show becomes a space. UsageError where nothing is left, or too much."""
    visible = "".join(" " if unicodedata.category(each)[0] in "CZ" else each for each in given)
    found = " ".join(visible.split())
    if not 1 <= len(found) <= most:
        raise UsageError("not a text", where=where, expected=f"1 to {most} characters")
    return found


def check_texts(step: Step, secretive: Secretive) -> None:
    """UsageError where a text of the step is too long, cannot be shown as it is, or holds what looks like a secret."""
    for name, value in _texts(msgspec.to_builtins(step)):
        if len(value) > MOST_TEXT:
            raise UsageError("a text is too long", where=name, expected=f"{MOST_TEXT} characters at most")
        if _UNSEEN.search(value):
            raise UsageError("a text has characters that do not show", where=name, expected="text on one line")
        if secretive(value):
            raise UsageError(
                "a text holds what looks like a secret",
                where=name,
                expected="text without a password, key or token",
                advice="What is sealed can be read by everybody who reads the log, and stays.",
            )


def _texts(value: object, where: str = "") -> Iterable[tuple[str, str]]:
    """Every text of a step, and the name of its field."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(each, str(name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each, where)


def check_open(incident: Incident) -> None:
    """UsageError where an incident is closed."""
    if incident.closed is not None:
        closed = f"{incident.closed.leaf.log}:{incident.closed.leaf.index}"
        advice = f"`custody incident reopen {incident.id}` opens it again."
        raise UsageError("the incident is closed", where=incident.id, found=f"leaf {closed}", advice=advice)


def check(incident: Incident, step: Step, now: int) -> None:
    """UsageError (or a refusal, for decisions) where the step would change nothing of the incident as it is ``now``."""
    if isinstance(step, Opened):
        raise UsageError("an incident of this id is open already", where=incident.id)
    if not isinstance(step, Reopened | Reviewed):
        check_open(incident)
    match step:
        case Reopened() if incident.closed is None:
            raise UsageError("the incident is not closed", where=incident.id)
        case Widened(seeds=seeds) if not set(seeds) - set(incident.seeds):
            raise UsageError("it grows from all of these already", where=incident.id)
        case Done(at=at):
            named(incident, step.action)
            if (moment(at, "--at") or 0) > now + SKEW:
                raise UsageError("it cannot have been done later than now", where="--at", found=at)
        case Settled():
            _check_settled(named(incident, step.action), step, now)
        case Decided() | Reviewed():
            action = named(incident, step.action)
            if step.digest != action.asked.digest:
                raise UsageError(
                    "another digest than that of the request as it is sealed",
                    where=action.id,
                    found=step.digest[:64],
                    expected=action.asked.digest,
                    advice="What you were shown is not what was asked for: do not approve it.",
                )
        case _:
            return


def named(incident: Incident, name: str) -> Action:
    """The action with an id. UsageError with the ids that there are."""
    found = incident.action(name)
    if found is None:
        known = ", ".join(each.id for each in incident.actions[:20]) or "none: nothing was asked for"
        raise UsageError("no such action", where=f"{incident.id} {name[:60]}", expected=known)
    return found


def check_counts(incident: Incident, people: People, heard: Heard) -> None:
    """PolicyDenied or IntentRefused where a decision or review, sealed as ``heard``, would not count. Pure."""
    step = heard.step
    assert isinstance(step, Decided | Reviewed)
    action = named(incident, step.action)
    if isinstance(step, Decided) and action.done and not action.request.break_glass:
        raise IntentRefused("it was done already", reason="too-late", where=action.id)
    after = weighed(_with(incident, action, heard), people).action(action.id)
    assert after is not None
    every = after.decisions if isinstance(step, Decided) else after.reviews
    (why,) = (each.why for each in every if each.heard is heard)
    word, _, detail = why.partition(": ")
    if not why or word in ("withdraws", "withdrawn"):
        return
    kind = PolicyDenied if word in ("barred", "not-in-group") else IntentRefused
    advice = ""
    if word == "not-in-group" and not people.groups.get(detail):
        advice = f"No group {detail} is named by the response file that was sealed when the incident was opened."
    raise kind(f"it would not count: {WHY[word]}", reason=word, where=action.id, found=detail, advice=advice)


def _with(incident: Incident, action: Action, heard: Heard) -> Incident:
    field = "decisions" if isinstance(heard.step, Decided) else "reviews"
    changed = msgspec.structs.replace(action, **{field: (*getattr(action, field), Weighed(heard=heard))})
    every = tuple(changed if each.id == action.id else each for each in incident.actions)
    return msgspec.structs.replace(incident, actions=every)


def _check_settled(action: Action, step: Settled, now: int) -> None:
    if where(action, now) is Where.SETTLED:  # what was done after that is settled once more
        raise UsageError("it is settled already", where=action.id)
    if step.how == "withdrawn" and action.done:
        raise UsageError("it was done, and cannot be withdrawn", where=action.id, expected="failed, or accepted")


def same(one: Step, other: Step) -> bool:
    """Whether two steps say the same, whenever they were said: what is said again is not sealed again."""
    if type(one) is not type(other):
        return False
    fields: tuple[str, ...]
    match one:
        case Asked():
            fields = ("incident", "kind", "targets", "reason", "content", "asker", "executor", "until", "break_glass")
        case Done():
            fields = ("incident", "action", "how", "did", "told")
        case Opened():
            fields = ("title", "severity", "seeds", "reason", "response")
        case Closed():
            fields = ("incident", "reason")
        case _:
            return one == other
    return all(getattr(one, name) == getattr(other, name) for name in fields)


def standing(action: Action, now: int) -> bool:
    """Whether a request may still be approved or done: asking for the same again asks for nothing then."""
    return where(action, now) in (Where.WAITING, Where.READY) and now < lapses(action.request)


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps an incident from being closed: an action, why, and the command that goes on with it."""

    action: str
    why: str
    advice: str


def left(incident: Incident, proved: frozenset[str], now: int) -> tuple[Left, ...]:
    """The actions that are still open: not settled, and not ``proved`` (ids) by the target's own log.

    One that was done as break-glass or without approval needs a review as well: nobody settles that by themselves.
    """
    found = (_open(each, proved, now) for each in incident.actions)
    return tuple(each for each in found if each is not None)


def _open(action: Action, proved: frozenset[str], now: int) -> Left | None:
    at = where(action, now)
    if not action.done and (at is Where.SETTLED or refused(action)):
        return None
    open_ones: list[tuple[str, str]] = []
    if not action.done:
        open_ones.append((f"{at.value}, and not settled", _not_done(action.id, at)))
    elif at is not Where.SETTLED and action.id not in proved:
        why = f"{at.value}; its effect is not proved by the target's own log"
        open_ones.append((why, f"`custody audit` with that log, or {_settle(action.id, 'failed|accepted')}"))
    if action.done and needs_review(action) and reviewed(action) is None:
        review = f"custody incident review {action.id} --verdict justified|not-justified --reason TEXT"
        open_ones.append(("nobody else reviewed it", f"`{review}`, by somebody who took no part"))
    whys, advice = ("; ".join(each) for each in zip(*open_ones, strict=True)) if open_ones else ("", "")
    return Left(action=action.id, why=whys, advice=advice) if open_ones else None


def _not_done(name: str, at: Where) -> str:
    """How it goes on with what nobody did: what was denied or lapsed is withdrawn."""
    first = {
        Where.WAITING: f"`custody incident approve {name} --reason TEXT`, or ",
        Where.READY: f"`custody incident done {name}`, or ",
    }
    return f"{first.get(at, '')}{_settle(name, 'withdrawn')}"


def _settle(name: str, how: str) -> str:
    return f"`custody incident settle {name} --how {how} --reason TEXT`"


def check_allowed(decision: Decision, what: str) -> None:
    """PolicyDenied where the policies do not allow something that waits for nobody."""
    if decision.verdict is Verdict.ALLOW:
        return
    why = decision.why or "it would have to be approved, and this cannot wait"
    raise PolicyDenied(
        f"the policies do not allow it: {what}",
        reason=why,
        found=", ".join(each.id for each in decision.policies),
        advice="; ".join(decision.errors),
    )
