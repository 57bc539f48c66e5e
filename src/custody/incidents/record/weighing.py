"""What decisions and reviews weigh, and how far an action is: pure, from the sealed steps and what is known of people.

Nobody decides about what they asked for, are to do, or did; under any name that the signature, the account, the
register or the response file gives them. A decision counts for exactly the text that was asked for, sealed after it and
before the time to decide was over, by a person of the group that was asked, once. What was done before that is done
without approval, whatever is sealed afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from custody.broker.approvals.people import Persons
from custody.incidents.record.folding import Action, Heard, Incident, Weighed, Where, lapses
from custody.model.broker_terms import Verdict
from custody.model.incidents import Decided, Done, Reviewed
from custody.model.times import microseconds

SKEW = 60 * 1_000_000
"""Microseconds by which the clocks of the two processes may differ."""
SECOND = 1_000_000

WHY: dict[str, str] = {
    "wrong-digest": "it is not about the request exactly as it is sealed",
    "too-early": "it was given before the request was sealed",
    "too-late": "it was given after the time to decide was over",
    "unsigned": "nobody signed it",
    "barred": "its author asked for the action, is to do it, or did it",
    "not-in-group": "its author does not belong to those who are asked",
    "not-asked": "the request asks for no approval",
    "second-decision": "its author had decided before: the first decision stands",
    "nothing-to-withdraw": "its author had given no grant",
    "withdrawn": "it was taken back",
    "withdraws": "it takes a grant back",
    "granted-it": "its author granted it: somebody else reviews",
    "nothing-done-yet": "nothing was done yet that could be reviewed",
}
"""Every reason why a decision or a review does not count, by the word that ``why`` starts with."""


class People(msgspec.Struct, frozen=True):
    """Who is who. ``groups`` has the names of each group's members, None where nobody said: then nobody is in any."""

    persons: Persons
    groups: Mapping[str, Sequence[str]]

    def one(self, names: Iterable[str], others: Iterable[str]) -> bool:
        """Whether two sets of names are, or may be, those of one person."""
        return self.persons.one(names, others)


def weighed(incident: Incident, people: People) -> Incident:
    """The incident with every decision and review weighed."""
    return msgspec.structs.replace(incident, actions=tuple(_weighed(each, people) for each in incident.actions))


def granted(action: Action, now: int, before: Heard | None = None) -> tuple[Heard, ...]:
    """The grants that count at ``now`` (µs), one a person.

    With ``before`` those that stood when that step was sealed: what was granted or taken back later changes nothing.
    """
    found = (each.heard for each in action.decisions if not each.why or _stood(action, each, before))
    held = (each for each in found if isinstance(each.step, Decided) and _holds(each.step, now))
    return tuple(each for each in held if each.at <= now + SKEW and (before is None or precedes(each, before)))


def approved(action: Action, now: int, before: Heard | None = None) -> bool:
    """Whether it may be done without break-glass: the policies allow it, or enough people do."""
    decision = action.request.decision
    if action.overruled:
        return False
    if decision.verdict is Verdict.ALLOW:
        return True
    asked = decision.asked
    if decision.verdict is not Verdict.APPROVAL or asked is None:
        return False
    return len(granted(action, now, before)) >= asked.count


def denied(action: Action, before: Heard | None = None) -> bool:
    """Whether somebody who counts said no, maybe ``before`` a step where one is given, or the policies did."""
    said = any(
        not each.why
        and isinstance(each.heard.step, Decided)
        and each.heard.step.verdict == "deny"
        and (before is None or _may_precede(each.heard, before))
        for each in action.decisions
    )
    return said or refused(action)


def refused(action: Action) -> bool:
    """Whether the policies said no, or what they are said to have said is not believed."""
    return bool(action.overruled) or action.request.decision.verdict is Verdict.DENY


def decide_by(action: Action) -> int:
    """When the time to decide about it is over (µs)."""
    request = action.request
    if request.break_glass and request.second_by is not None:
        return _moment(request.second_by) or 0
    asked = request.decision.asked
    end = lapses(request)
    return end if asked is None else min(end, action.asked.at + asked.within * SECOND)


def where(action: Action, now: int) -> Where:
    """How far it is at ``now`` (µs)."""
    if action.settled is not None and all(each.leaf.index < action.settled.leaf.index for each in action.done):
        return Where.SETTLED
    if action.done:
        return Where.UNAPPROVED if any(unapproved(action, each) for each in action.done) else Where.DONE
    if denied(action):
        return Where.DENIED
    if now >= lapses(action.request):
        return Where.LAPSED
    if action.request.break_glass or approved(action, now):
        return Where.READY
    return Where.LAPSED if now >= decide_by(action) else Where.WAITING


def unapproved(action: Action, done: Heard) -> str:
    """Why what was done counts as done without approval, in words; empty where it was approved before.

    When it was done is the word of who says so, and never later than when that was sealed.
    """
    assert isinstance(done.step, Done)
    moment = min(_moment(done.step.at) or 0, done.at)
    if refused(action):
        return action.overruled or "the policies had denied it"
    settled = action.undone if action.settled is None else (*action.undone, action.settled)
    if any(each.leaf.index < done.leaf.index for each in settled):
        return "it had been settled before"
    if denied(action, done):
        return "it had been denied"
    if moment < action.asked.at - SKEW:
        return "it was done before it was asked for"
    if moment >= lapses(action.request):
        return "the request had lapsed"
    if approved(action, moment, done):
        return ""
    return "it was done as break-glass" if action.request.break_glass else _too_few(action, moment, done)


def _too_few(action: Action, moment: int, done: Heard) -> str:
    """Who had approved it at ``moment`` (µs), when ``done`` was sealed, where those were not enough."""
    asked = action.request.decision.asked
    have, count = len(granted(action, moment, done)), 1 if asked is None else asked.count
    taken = sum(_was_taken_back(action, each, moment, done) for each in action.decisions)
    if have:
        return f"only {have} of {count} had approved it{f', and {taken} had taken it back' if taken else ''}"
    if taken:
        return "the approval had been taken back" if taken == 1 else f"all {taken} approvals had been taken back"
    return "nobody had approved it"


def _was_taken_back(action: Action, each: Weighed, moment: int, done: Heard) -> bool:
    """Whether a grant from before ``moment`` had been taken back when ``done`` was sealed."""
    before = each.heard.at <= moment + SKEW and precedes(each.heard, done)
    return before and each.why.startswith("withdrawn: ") and not _stood(action, each, done)


def seconded(action: Action) -> Heard | None:
    """The first decision of a second person that counts, to grant or to deny; None where there is none."""
    return next((each.heard for each in action.decisions if not each.why), None)


def reviewed(action: Action) -> Heard | None:
    """The first review that counts and that is about all that was done, None where there is none."""
    return next((each.heard for each in action.reviews if not each.why and covers(action, each.heard)), None)


def covers(action: Action, review: Heard) -> bool:
    """Whether a review was sealed after everything that was done: what was done later nobody has looked at yet."""
    return all(_follows(review, each) for each in action.done)


def needs_review(action: Action) -> bool:
    """Whether somebody else has to look at it: it was asked for as break-glass, or done without approval."""
    return action.request.break_glass or any(unapproved(action, each) for each in action.done)


def overdue(action: Action, now: int) -> tuple[str, ...]:
    """What of a break-glass should have happened by ``now`` (µs) and did not: ``second person``, ``review``."""
    request = action.request
    if not action.done or not request.break_glass:
        return ()
    due = (("second person", request.second_by, seconded(action)), ("review", request.review_by, reviewed(action)))
    return tuple(name for name, by, there in due if there is None and by is not None and (_moment(by) or 0) <= now)


def by_other(action: Action, done: Heard) -> str:
    """That somebody else did it than who was to do it, in words; empty where that was not so."""
    if done.leaf not in action.by_others:
        return ""
    return f"done by {done.author}; asked of {action.request.executor}"


def precedes(decision: Heard, step: Heard) -> bool:
    """Whether a decision was surely sealed before a step of the operations log: both logs have to say so.

    Its author had not seen the step (where that is not known: by the clocks), and where the step says how much it saw
    of the log of approvals, the decision was there.
    """
    return _unseen_by(decision, step) and (step.seen is None or decision.leaf.index < step.seen)


def late(action: Action, decision: Heard, end: int) -> bool:
    """Whether a decision or review about it was sealed at ``end`` (µs) or later: by its own clock or by the other log.

    The clock of the log of approvals alone proves nothing in favour of who has it: a decision that does not surely
    precede a step that the operations log has from ``end`` on came after ``end``, whatever it says of itself.
    """
    return decision.at >= end or any(each.at >= end and not precedes(decision, each) for each in action.later)


def _unseen_by(decision: Heard, step: Heard) -> bool:
    return decision.at <= step.at if decision.seen is None else decision.seen <= step.leaf.index


def _may_precede(decision: Heard, step: Heard) -> bool:
    """Whether one of the two logs says that a decision was sealed before a step: what forbids counts then already."""
    return _unseen_by(decision, step) or (step.seen is not None and decision.leaf.index < step.seen)


def _holds(decided: Decided, now: int) -> bool:
    if decided.verdict != "grant":
        return False
    until = _moment(decided.until)
    return decided.until is None or (until is not None and now < until)


def _stood(action: Action, each: Weighed, before: Heard | None) -> bool:
    """Whether a grant that was taken back still stood when a step was sealed."""
    word, _, leaf = each.why.partition(": ")
    if word != "withdrawn" or before is None:
        return False
    taken = next((other.heard for other in action.decisions if _place(other.heard) == leaf), None)
    return taken is not None and not _may_precede(taken, before)


def _moment(text: str | None) -> int | None:
    try:
        return microseconds(text)
    except (ValueError, OverflowError, TypeError):
        return None


def _weighed(action: Action, people: People) -> Action:
    decisions: list[Weighed] = []
    for each in action.decisions:
        decisions.append(Weighed(heard=each.heard, why=_why(action, each.heard, people, decisions)))
    decisions = [_taken_back(each, decisions[index + 1 :], people) for index, each in enumerate(decisions)]
    gave = [each.heard for each in decisions if _counted_once(each) and _grants(each.heard)]
    reviews = tuple(
        Weighed(heard=each.heard, why=_why_review(action, each.heard, people, gave)) for each in action.reviews
    )
    others = tuple(each.leaf for each in action.done if _other(action, each, people))
    return msgspec.structs.replace(action, decisions=tuple(decisions), reviews=reviews, by_others=others)


def _other(action: Action, done: Heard, people: People) -> bool:
    executor = action.request.executor
    return executor is not None and not people.one(done.names, (executor,))


def _why(action: Action, heard: Heard, people: People, before: Sequence[Weighed]) -> str:
    assert isinstance(heard.step, Decided)
    if heard.step.digest != action.asked.digest:
        return "wrong-digest"
    if heard.at < action.asked.at - SKEW or not _follows(heard, action.asked, clocks=False):
        return "too-early"
    if _too_late(action, heard):
        return "too-late"
    own = _own(action, heard, people)
    if own:
        return own
    mine = [each for each in before if not each.why and people.one(each.heard.names, heard.names)]
    if heard.step.verdict == "withdraw":
        gave = any(isinstance(each.heard.step, Decided) and each.heard.step.verdict == "grant" for each in mine[:1])
        return "withdraws" if gave else "nothing-to-withdraw"
    if mine:
        return "second-decision"
    asked = action.request.decision.asked
    if asked is None:
        return "not-asked"
    members = people.groups.get(asked.group, ())
    signed = heard.signature.principals if heard.signature is not None else ()
    return "" if set(signed) & set(members) else f"not-in-group: {asked.group}"


def _too_late(action: Action, heard: Heard) -> bool:
    """Whether the time to decide so was over: who says no, or takes a grant back, may do that while it can be done.

    Once a break-glass was done that is for the second person alone, within their limit. What forbids is late by its own
    clock alone: another's clock that is ahead does not take a denial away.
    """
    assert isinstance(heard.step, Decided)
    second = action.request.break_glass and any(_follows(heard, each) for each in action.done)
    if second or heard.step.verdict == "grant":
        return late(action, heard, decide_by(action))
    return heard.at >= lapses(action.request)


def _follows(heard: Heard, step: Heard, *, clocks: bool = True) -> bool:
    """Whether a decision or review was sealed after a step: its author saw it (else by the ``clocks``), it not them."""
    saw = (not clocks or step.at <= heard.at) if heard.seen is None else step.leaf.index < heard.seen
    return saw and (step.seen is None or step.seen <= heard.leaf.index)


def _own(action: Action, heard: Heard, people: People) -> str:
    """As what the author takes part themselves."""
    request = action.request
    takers = [("requester", (*action.asked.names, request.asker))]
    takers += [("executor", (request.executor,))] if request.executor else []
    takers += [("executor", each.names) for each in action.done]
    for part, names in takers:
        if people.one(heard.everything, names):
            return f"barred: {part}"
    return "unsigned" if heard.signature is None else ""


def _counted_once(each: Weighed) -> bool:
    """Whether a decision counts, or did until it was taken back: who took part once took part."""
    return not each.why or each.why.startswith("withdrawn: ")


def _grants(heard: Heard) -> bool:
    return isinstance(heard.step, Decided) and heard.step.verdict == "grant"


def _why_review(action: Action, heard: Heard, people: People, gave: Sequence[Heard]) -> str:
    assert isinstance(heard.step, Reviewed)
    if heard.step.digest != action.asked.digest:
        return "wrong-digest"
    if not any(_follows(heard, done) for done in action.done):
        return "nothing-done-yet"
    own = _own(action, heard, people)
    granted_it = any(people.one(heard.names, each.names) for each in gave)
    return own or ("granted-it" if granted_it else "")


def _taken_back(each: Weighed, later: Sequence[Weighed], people: People) -> Weighed:
    """A grant that its author took back names the leaf of that."""
    if each.why:
        return each
    taken = (other.heard for other in later if other.why == "withdraws")
    found = next((other for other in taken if people.one(each.heard.names, other.names)), None)
    return each if found is None else msgspec.structs.replace(each, why=f"withdrawn: {_place(found)}")


def _place(heard: Heard) -> str:
    """``approvals:14``."""
    return f"{heard.leaf.log}:{heard.leaf.index}"
