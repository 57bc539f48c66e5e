"""Acting: an action asked for, done, settled; each a step of the operations log."""

from __future__ import annotations

from typing import Literal

import msgspec

from custody.broker.clock import ulid
from custody.chains.ways import Way
from custody.errors import NotFound, UsageError
from custody.incidents.policy.deciding import decide, policies_of
from custody.incidents.record import acting
from custody.incidents.record.acting import Asking, Draft, moment, named, one_line
from custody.incidents.record.folding import Heard, Where
from custody.incidents.record.weighing import granted, unapproved, where
from custody.model.incidents import ActionKind, Asked, Done, Settled
from custody.model.times import text
from custody.pipeline.contain import containment
from custody.pipeline.incidents import unfound
from custody.pipeline.incidents.reading import Record, read
from custody.pipeline.incidents.saying import Saying, say
from custody.pipeline.incidents.sealing import Desk, Sealed, Signer
from custody.reports.words import counted
from custody.settings.catalog import Settings

SECOND = 1_000_000
STOPPING = (ActionKind.CONTAIN, ActionKind.REVOKE)
"""What ``custody contain`` knows the ways of."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A step about an action that was sealed, and how far the action is with it.

    ``why`` says why it counts as done without approval, or why the policies denied it.
    """

    sealed: Sealed
    where: Where
    why: str = ""


def act(desk: Desk, incident: str, draft: Draft, signer: Signer | None) -> Told:
    """Ask for an action: what the policies say of it is sealed with it, also where they deny it."""
    draft, decided = acting.drafted(_worded(draft)), list[int]()
    name = f"ac-{ulid(desk.now(), desk.random)}"

    def make(saying: Saying) -> Asked:
        response = saying.record.response(saying.incident)
        policies = policies_of(tuple(sorted(response.policies.items())), response.extension)
        if policies is None:
            raise UsageError("the policies that were sealed with the incident cannot decide", where=incident)
        situation = acting.situation_of(saying.incident, draft, saying.who, response, saying.now)
        decided.append(situation.already)
        asking = Asking(incident=incident, action=name, who=saying.who, now=saying.now, log=saying.record.log)
        return acting.asked(asking, draft, decide(situation, policies), response)

    def unchanged(found: Record, _: Heard) -> None:
        if acting.already(found.one(incident), draft.targets) != decided[-1]:
            raise UsageError("somebody else asked at the same time", where=incident, advice="Run the command again.")

    sealed = say(desk, incident, make, signer, unchanged)
    record = read(desk.settings)
    notes = unfound.executor(record.response(record.one(incident)), draft.executor)
    notes = (*sealed.notes, *notes, *unfound.targets(desk.settings, draft.targets))
    return _stands(desk, msgspec.structs.replace(sealed, notes=notes))


def done(
    desk: Desk,
    name: str,
    did: tuple[str, ...],
    signer: Signer | None,
    *,
    at: str | None = None,
    how: Literal["broker", "elsewhere"] = "elsewhere",
    told: str = "",
) -> Told:
    """Say that an action was done. It is sealed also where nobody approved it, and shown as such."""
    incident = read(desk.settings).of_action(name)
    lines = tuple(one_line(each, "--did", acting.MOST_TEXT) for each in did)

    def make(saying: Saying) -> Done:
        action = named(saying.incident, name)
        now = saying.now // SECOND * SECOND
        return Done(
            incident=incident.id,
            action=name,
            how=how,
            did=lines or action.request.content,
            at=str(text(now if at is None else moment(at, "--at"))),
            rests_on=tuple(each.leaf for each in granted(action, saying.now)),
            told=one_line(told, "--told") if told else "",
        )

    return _stands(desk, say(desk, incident.id, make, signer))


def settle(
    desk: Desk, name: str, how: Literal["withdrawn", "failed", "accepted"], reason: str, signer: Signer | None
) -> Told:
    """Say that an action is over without proof of its effect."""
    incident = read(desk.settings).of_action(name)
    step = Settled(incident=incident.id, action=name, how=how, reason=one_line(reason, "--reason"))
    return _stands(desk, say(desk, incident.id, lambda _: step, signer))


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """What would end credentials: ``content`` one way for each, the narrowest; ``others`` what would, too, instead."""

    content: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def ways(settings: Settings, targets: tuple[str, ...]) -> Ways:
    """The exact command that stops each of these credentials and of all that descends from them, with its collateral.

    Ways that do the same are alternatives: only the first, which is the narrowest, is content, so that nobody approves
    or claims them all. Empty where nothing is derived, or nothing is known that would end them.
    """
    content: dict[str, str] = {}
    others: dict[str, str] = {}
    for target in targets:
        try:
            members = containment(settings, target).members
        except NotFound:
            continue
        for member in members:
            for place, way in enumerate(member.ways):
                (others if place else content).setdefault(way.command, _told(way))
    return Ways(
        content=tuple(content.values()),
        others=tuple(told for command, told in others.items() if command not in content),
    )


def _told(way: Way) -> str:
    other = f"; ends {counted(way.collateral, 'other live credential')} too" if way.collateral else ""
    return f"{way.command}  # to {way.action} ({way.effect}{other})"


def _worded(draft: Draft) -> Draft:
    return msgspec.structs.replace(
        draft,
        reason=one_line(draft.reason, "--reason"),
        targets=tuple(one_line(each, "TARGET") for each in draft.targets),
        content=tuple(one_line(each, "--content", acting.MOST_TEXT) for each in draft.content),
        executor=None if draft.executor is None else one_line(draft.executor, "--executor"),
    )


def _stands(desk: Desk, sealed: Sealed) -> Told:
    """How far the action is, as it stands now."""
    record: Record = read(desk.settings)
    action = named(record.one(sealed.step.incident), getattr(sealed.step, "action", ""))
    at = where(action, desk.now())
    why = action.overruled or ("" if action.done else action.request.decision.why)
    last: Heard | None = next((each for each in action.done if each.leaf == sealed.leaf), None)
    return Told(sealed=sealed, where=at, why=why if last is None else unapproved(action, last))
