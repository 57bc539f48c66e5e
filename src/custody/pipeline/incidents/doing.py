"""An action done by the broker that holds the credentials, and sealed as done with what the broker answered.

1. it may be done, whatever somebody says was done already: approved by others than who does it, or asked for as
   break-glass; a re-enablement only with its checklist
2. every target is one that the broker holds; else nothing is asked of it
3. the broker is asked, target by target; it seals what it does in its own log, under the action's id
4. what it answered is sealed. A kill before that leaves the broker's log ahead; running again asks for the same, which
   the broker has done, and seals it then
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from custody.errors import BrokerError, NotFound, PolicyDenied, UsageError
from custody.incidents.judging.checklist import Listed
from custody.incidents.record.acting import MOST_REASON, named
from custody.incidents.record.folding import Action, Heard, Incident, Where
from custody.incidents.record.weighing import unapproved, weighed, where
from custody.incidents.telling import answered
from custody.incidents.telling.answered import Lease
from custody.ledger import allowed_signers
from custody.ledger.ssh_keys import fingerprint
from custody.model.incidents import ActionKind, Done, Item, digest_of
from custody.model.leaf import LeafRef
from custody.model.register import Signature
from custody.model.times import microseconds, text
from custody.model.verdicts import Best, State
from custody.pipeline.incidents import acting, closing
from custody.pipeline.incidents.reading import OPERATIONS, Record, read
from custody.pipeline.incidents.saying import signers_text, who_signs
from custody.pipeline.incidents.sealing import Desk, Sealed, Signer

SECOND = 1_000_000
BY_BROKER = (ActionKind.CONTAIN, ActionKind.REVOKE, ActionKind.ENABLE)
"""What a broker can do; the rest is done elsewhere."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A containment as the broker has it; ``since`` is RFC 3339."""

    since: str
    by: str
    reason: str


class Operator(Protocol):
    """The broker, asked by an operator. Every method raises the BrokerError branch of the tree, or NotFound."""

    def contained(self) -> Mapping[str, Held]:
        """The open containments by identity."""
        ...

    def leases(self, target: str) -> Iterable[Lease]:
        """The leases that a chain id, a credential key or an identity means, over or not."""
        ...

    def contain(self, identity: str, reason: str, incident: str) -> Iterable[Lease]:
        """Stop issuing to an identity and end what lives. NotFound where the broker does not know it."""
        ...

    def revoke(self, chain: str, reason: str) -> Iterable[Lease]:
        """End a lease and what descends from it."""
        ...

    def enable(self, identity: str, reason: str) -> None:
        """End a containment."""
        ...


Judge = Callable[[Incident, tuple[Item, ...]], Iterable[Listed]]
"""The checklist of an incident, judged now, for some items."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants done. ``accepted`` are items of the checklist that may be claimed and not proved."""

    action: str
    accepted: frozenset[Item] = frozenset()


class _Work(msgspec.Struct, frozen=True, kw_only=True):
    """An action with all that asking the broker for it takes."""

    record: Record
    incident: Incident
    action: Action
    operator: Operator
    reason: str

    @property
    def tag(self) -> str:
        """What the broker's reasons begin with: the same whenever this action is asked for."""
        return f"{self.incident.id}/{self.action.id}: "


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker answered about one target; ``since`` (RFC 3339) where it said since when it holds."""

    lines: tuple[str, ...]
    leases: tuple[Lease, ...] = ()
    since: str | None = None


def do(desk: Desk, wanted: Wanted, operator: Operator, judge: Judge, signer: Signer | None) -> acting.Told:
    """Have the broker do an action, and seal that it did. What was done by a broker before is not done again.

    PolicyDenied where it may not be done, NotFound where the broker holds nothing of a target, UsageError for what a
    broker does not do. Where the broker fails on the way, what it did until then is sealed as a note.
    """
    record = read(desk.settings)
    incident = record.of_action(wanted.action)
    action = named(incident, wanted.action)
    work = _Work(record=record, incident=incident, action=action, operator=operator, reason=action.request.reason)
    before = next((each for each in action.done if isinstance(each.step, Done) and each.step.how == "broker"), None)
    if before is not None:
        return _known(action, before, desk.now())
    _check(work, desk.now())
    _check_who(desk, work, signer)
    claimed = _check_items(work, wanted, judge) if action.request.kind is ActionKind.ENABLE else ()
    answers = _answers(desk, work, signer)
    return acting.done(
        desk,
        action.id,
        tuple(_lines(answers)),
        signer,
        at=_at(answers, desk.now()),
        how="broker",
        told=_told(answers, claimed)[:MOST_REASON],
    )


def _known(action: Action, done: Heard, now: int) -> acting.Told:
    """What is sealed of it already."""
    sealed = Sealed(leaf=done.leaf, step=done.step, digest=done.digest, sealed=False, author=done.author)
    return acting.Told(sealed=sealed, where=where(action, now), why=unapproved(action, done))


def _check(work: _Work, now: int) -> None:
    request = work.action.request
    if request.kind not in BY_BROKER:
        raise UsageError(
            "a broker does not do this",
            where=work.action.id,
            found=request.kind.value,
            expected=", ".join(BY_BROKER),
            advice=f"Do it where it is done, then: custody incident done {work.action.id} --did …",
        )
    if work.incident.closed is not None:
        raise UsageError("the incident is closed", where=work.incident.id)
    at = where(msgspec.structs.replace(work.action, done=()), now)  # that somebody says it was done allows nothing
    if at is not Where.READY:
        raise PolicyDenied(
            "it may not be done",
            reason=at.name.lower(),
            where=work.action.id,
            found=work.action.overruled or at.value,
            expected=Where.READY.value,
            advice="What cannot wait is asked for with --break-glass, and is reviewed.",
        )


def _check_who(desk: Desk, work: _Work, signer: Signer | None) -> None:
    """PolicyDenied where it would be done without approval once this very person had done it: one who approved it."""
    action = work.action
    if action.request.break_glass:
        return
    signers, now = signers_text(work.record, work.incident), desk.now()
    who = who_signs(signer, None if signers is None else allowed_signers.parse(signers, "the allowed signers"), desk)
    step = Done(incident=work.incident.id, action=action.id, how="broker", did=(), at=str(text(now)))
    key = "" if signer is None else fingerprint(signer.key)
    new = Heard(
        leaf=LeafRef(OPERATIONS, work.record.size),
        at=now,
        by=desk.by,
        step=step,
        digest=digest_of(step),
        signature=Signature(method="ssh", principals=who.principals, key=key, anchor="") if who.signed else None,
    )
    after = msgspec.structs.replace(action, done=(*action.done, new))
    incident = msgspec.structs.replace(work.incident, actions=(after,))
    why = unapproved(weighed(incident, work.record.people(incident)).actions[0], new)
    if why:
        raise PolicyDenied(
            "it may not be done by who asks for that",
            reason="own-approval",
            where=action.id,
            found=f"{who.author}: {why}, once they had done it",
            expected="somebody who did not approve it",
            advice="Who does not sign may be anybody of the account: --sign-with KEY says who it is.",
        )


def _check_items(work: _Work, wanted: Wanted, judge: Judge) -> tuple[str, ...]:
    """The items that are accepted without proof. PolicyDenied with those that are open."""
    items = work.record.response(work.incident).checklist
    listed = {(each.identity, each.item): each.judged for each in judge(work.incident, items)}
    claimed, left = [], []
    for identity in work.action.request.targets:
        for item in items:
            judged = listed.get((identity, item))
            if judged is not None and judged.state == State.PROVED:
                continue
            if judged is not None and judged.best in (Best.CLAIMED, Best.INDICATED) and item in wanted.accepted:
                claimed.append(f"{identity}: {item.value}")
            else:
                left.append(f"{identity}: {item.value} {_how(judged.state, judged.best) if judged else 'open'}")
    if left:
        raise PolicyDenied(
            "the checklist is not proved",
            reason="checklist-open",
            where=work.action.id,
            found="; ".join(left)[:1000],
            advice="`custody incident show` says what would prove it. --accept ITEM takes one that is claimed.",
        )
    return tuple(claimed)


def _how(state: str, best: str | None) -> str:
    return f"{state} ({best})" if best else state


def _answers(desk: Desk, work: _Work, signer: Signer | None) -> list[_Answer]:
    """Ask for one target after the other, once every target is known to be held."""
    plan = [(target, _chains(work, target)) for target in work.action.request.targets]
    contained = work.operator.contained()
    _check_held(work, plan, contained)
    found: list[_Answer] = []
    reason = f"{work.tag}{work.reason}"[:MOST_REASON]
    try:
        for target, leases in plan:
            found.append(_asked(work, target, leases, contained, reason))
    except (BrokerError, NotFound) as error:
        done = "; ".join(_lines(found)) or "nothing"
        note = f"{work.action.id}: the broker broke off: {error.message}. It had done: {done}"
        closing.note(desk, work.incident.id, note[:4000], (), signer)
        raise
    return found


def _chains(work: _Work, target: str) -> tuple[Lease, ...]:
    return () if work.action.request.kind is ActionKind.ENABLE else tuple(work.operator.leases(target))


def _check_held(work: _Work, plan: Iterable[tuple[str, tuple[Lease, ...]]], contained: Mapping[str, Held]) -> None:
    """NotFound for targets that the broker has nothing of. Whether it knows an identity it says when it is asked."""
    kind = work.action.request.kind
    strange = [
        target
        for target, leases in plan
        if (kind is ActionKind.REVOKE and not leases)
        or (kind is ActionKind.ENABLE and target not in contained and not _was_contained(work.incident, target))
    ]
    if strange:
        raise NotFound(
            "this broker holds nothing of it",
            where=work.action.id,
            found=", ".join(strange)[:300],
            advice="Ask for those in an action of their own, to be done where they are held.",
        )


def _was_contained(incident: Incident, target: str) -> bool:
    """Whether a broker contained a target in this incident."""
    return any(
        each.request.kind is ActionKind.CONTAIN
        and target in each.request.targets
        and any(isinstance(done.step, Done) and done.step.how == "broker" for done in each.done)
        for each in incident.actions
    )


def _asked(work: _Work, target: str, leases: tuple[Lease, ...], contained: Mapping[str, Held], reason: str) -> _Answer:
    """What the broker answers about one target."""
    kind, operator = work.action.request.kind, work.operator
    if kind is ActionKind.ENABLE:
        if target not in contained:
            return _Answer(lines=(f"{target}: not contained at the broker any more",))
        operator.enable(target, reason)
        return _Answer(lines=(f"{target}: its containment at the broker ended",))
    own = [each for each in leases if each.identity != target]
    if kind is ActionKind.REVOKE or own:
        # a credential is ended, and what descends from it; its identity is not what was asked for
        ended = [after for each in (own or leases) for after in operator.revoke(each.chain, reason)]
        return _Answer(lines=tuple(answered.line(target, each) for each in ended), leases=tuple(ended))
    ended = list(operator.contain(target, reason, work.incident.id))
    held = operator.contained().get(target)
    mine = held is not None and held.reason.startswith(work.tag)
    since = "" if held is None else f" since {held.since}, by {held.by}"
    told = f"{target}: nothing is issued to it by the broker{since}"
    lines = (told, *(answered.line(target, each) for each in ended))
    return _Answer(lines=lines, leases=tuple(ended), since=held.since if held is not None and mine else None)


def _lines(answers: Iterable[_Answer]) -> Iterator[str]:
    every = [line for each in answers for line in each.lines]
    yield from every[: answered.MOST]
    if len(every) > answered.MOST:
        yield f"and {len(every) - answered.MOST} more lines: the broker's log has them"


def _at(answers: Iterable[_Answer], now: int) -> str:
    """When it was done: as the broker says where it was asked before, under this very action, else now."""
    said = [each.since for each in answers]
    times = [microseconds(each) or now for each in said if each is not None]
    whole = bool(times) and len(times) == len(said)
    return str(text(min(max(times), now) // SECOND * SECOND if whole else now // SECOND * SECOND))


def _told(answers: Iterable[_Answer], claimed: tuple[str, ...]) -> str:
    leases = [lease for each in answers for lease in each.leases]
    accepted = f"accepted as claimed: {', '.join(claimed)}" if claimed else ""
    return accepted or f"the broker answered: {answered.summary(leases)}"
