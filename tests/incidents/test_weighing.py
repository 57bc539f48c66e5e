"""What decisions weigh and how far an action is: every reason not to count, and every state, from made steps."""

from __future__ import annotations

import msgspec
import pytest

from custody.broker.approvals.people import Persons
from custody.incidents.record.folding import Action, Heard, Incident, Where, incidents
from custody.incidents.record.weighing import (
    WHY,
    People,
    approved,
    decide_by,
    granted,
    needs_review,
    overdue,
    reviewed,
    seconded,
    unapproved,
    weighed,
    where,
)
from custody.model.broker_terms import Asked as Approvals
from custody.model.broker_terms import Decision, Verdict
from custody.model.incidents import (
    ActionKind,
    Asked,
    Decided,
    Done,
    Opened,
    Reviewed,
    Settled,
    Step,
    digest_of,
)
from custody.model.leaf import LeafRef
from custody.model.register import Signature
from custody.model.times import text
from custody.model.verdicts import Severity

NOW = 1_795_341_600_000_000
MINUTE = 60 * 1_000_000
PEOPLE = People(
    persons=Persons([("ann", "ann-admin"), ("dora", "person:login.example.com:4711", "dora@corp.example")]),
    groups={"approvers": ("ann", "ann-admin", "bob", "carl", "dora")},
)


def at(minutes: float) -> str:
    return str(text(NOW + int(minutes * MINUTE)))


def asked(verdict: Verdict = Verdict.APPROVAL, count: int = 1, **changed: object) -> Asked:
    decision = Decision(
        verdict=verdict,
        engine="e",
        policy_set="",
        schema="",
        entities="",
        request="",
        asked=Approvals(count=count, group="approvers", within=1800) if verdict is Verdict.APPROVAL else None,
    )
    whole = Asked(
        incident="in-1", action="ac-1", kind=ActionKind.CONTAIN, targets=("k1",), reason="r", content=("c",),
        asker="ann", lapses=at(90), decision=decision,
    )  # fmt: skip
    return msgspec.structs.replace(whole, **changed)


class Told:
    """Steps of one action as they are sealed, each at a minute; ``size`` is how long the operations log is by then."""

    def __init__(self, request: Asked, asker: str | None = "ann") -> None:
        self.request, self.size, self.steps = request, 0, list[Heard]()
        opened = Opened(
            incident="in-1", title="t", severity=Severity.HIGH, seeds=(), reason="r", aware="2026-11-22T10:00:00Z"
        )
        self.say(opened, 0, None)
        self.say(request, 0, asker)

    def say(self, step: Step, minute: float, who: str | None, account: str | None = None) -> None:
        log = "approvals" if isinstance(step, Decided | Reviewed) else "operations"
        signature = Signature(method="ssh", principals=(who,), key=f"SHA256:{who}", anchor="") if who else None
        leaf = len(self.steps) if log == "approvals" else self.size
        self.size += log == "operations"
        self.steps.append(
            Heard(
                leaf=LeafRef(log, leaf),
                at=NOW + int(minute * MINUTE),
                by=account or f"{who}@host",
                step=step,
                digest=digest_of(step),
                signature=signature,
                seen=self.size if log == "approvals" else None,
            )
        )

    def decide(self, minute: float, who: str | None, verdict: str = "grant", **changed: object) -> None:
        account = changed.pop("account", None)
        step = Decided(
            incident="in-1", action="ac-1", digest=digest_of(self.request), verdict=verdict, reason="r"  # type: ignore[arg-type]
        )  # fmt: skip
        self.say(msgspec.structs.replace(step, **changed), minute, who, None if account is None else str(account))

    def done(
        self, minute: float, who: str | None = "ann", said: float | None = None, account: str | None = None
    ) -> None:
        step = Done(
            incident="in-1", action="ac-1", how="elsewhere", did=("c",), at=at(minute if said is None else said)
        )
        self.say(step, minute, who, account)

    def review(self, minute: float, who: str | None) -> None:
        step = Reviewed(incident="in-1", action="ac-1", digest=digest_of(self.request), verdict="justified", reason="r")
        self.say(step, minute, who)

    def settle(self, minute: float) -> None:
        self.say(Settled(incident="in-1", action="ac-1", how="withdrawn", reason="r"), minute, "ann")

    @property
    def action(self) -> Action:
        found: tuple[Incident, ...] = incidents(self.steps)
        (action,) = weighed(found[0], PEOPLE).actions
        return action

    @property
    def whys(self) -> list[str]:
        return [each.why for each in self.action.decisions]


@pytest.mark.parametrize(
    ("minute", "who", "changed", "why"),
    [
        (1, "bob", {}, ""),
        (1, "ann", {}, "barred: requester"),
        (1, "ann-admin", {}, "barred: requester"),
        (1, "ANN", {}, "barred: requester"),
        (1, "carl", {}, ""),
        (1, "eve", {}, "not-in-group: approvers"),
        (1, "bob", {"digest": "0" * 64}, "wrong-digest"),
        (-2, "bob", {}, "too-early"),
        (-0.5, "bob", {}, ""),
        (29.9, "bob", {}, ""),
        (30, "bob", {}, "too-late"),
        (89, "bob", {"verdict": "deny"}, ""),
        (90, "bob", {"verdict": "deny"}, "too-late"),
        (1, "bob", {"verdict": "withdraw"}, "nothing-to-withdraw"),
        (1, "bob", {"account": "ann@host"}, ""),
    ],
)
def test_a_decision_and_why_it_does_not_count(minute: float, who: str, changed: dict[str, object], why: str) -> None:
    told = Told(asked())
    told.decide(minute, who, str(changed.pop("verdict", "grant")), **changed)

    assert told.whys == [why]
    assert why.partition(": ")[0] in {*WHY, ""}
    assert approved(told.action, NOW + 30 * MINUTE) is (not why and minute < 30)


def test_who_did_not_sign_may_be_anybody_of_the_account() -> None:
    told = Told(asked(asker="account:ops@host"), asker=None)
    told.steps[1] = msgspec.structs.replace(told.steps[1], by="ops@host")
    told.decide(1, "bob", account="ops@host")
    told.decide(1, "carl", account="other@host")

    assert told.whys == ["barred: requester", ""]


def test_who_is_to_do_it_or_did_it_cannot_approve_it() -> None:
    named = Told(asked(executor="bob"))
    named.decide(1, "bob")
    did = Told(asked())
    did.decide(1, "bob")
    did.done(2, "bob")
    unsigned = Told(asked())
    unsigned.decide(1, "bob", account="ops@host")
    unsigned.done(2, None, account="ops@host")

    assert [each.whys for each in (named, did, unsigned)] == [["barred: executor"]] * 3
    assert where(did.action, NOW + 3 * MINUTE) is Where.UNAPPROVED


def test_one_person_is_one_grant_whatever_they_are_called() -> None:
    told = Told(asked(count=2, asker="carl"), asker="carl")
    for minute, who in ((1, "ann"), (2, "ann"), (3, "ann-admin")):
        told.decide(minute, who)

    assert told.whys == ["", "second-decision", "second-decision"]
    assert not approved(told.action, NOW + 4 * MINUTE)
    told.decide(4, "bob")
    assert approved(told.action, NOW + 4 * MINUTE)


def test_a_grant_is_taken_back_by_its_author_alone_and_for_good() -> None:
    told = Told(asked())
    told.decide(1, "bob")
    told.decide(2, "carl", "withdraw")
    assert told.whys == ["", "nothing-to-withdraw"]
    told.decide(3, "bob", "withdraw")
    told.decide(4, "bob")

    assert told.whys == ["withdrawn: approvals:4", "nothing-to-withdraw", "withdraws", "second-decision"]
    assert where(told.action, NOW + 5 * MINUTE) is Where.WAITING


def test_a_denial_is_not_taken_back() -> None:
    told = Told(asked())
    told.decide(1, "bob", "deny")
    told.decide(2, "bob", "withdraw")

    assert told.whys == ["", "nothing-to-withdraw"]
    assert where(told.action, NOW + 3 * MINUTE) is Where.DENIED


def test_a_grant_that_ends_counts_until_then() -> None:
    told = Told(asked())
    told.decide(1, "bob", until=at(10))
    told.decide(1, "carl", until="when it is over")

    assert len(granted(told.action, NOW + 9 * MINUTE)) == 1
    assert granted(told.action, NOW + 10 * MINUTE) == ()


@pytest.mark.parametrize(
    ("request_", "minute", "expected"),
    [
        (asked(), 1, Where.WAITING),
        (asked(), 30, Where.LAPSED),
        (asked(Verdict.ALLOW), 30, Where.READY),
        (asked(Verdict.ALLOW), 90, Where.LAPSED),
        (asked(Verdict.DENY), 1, Where.DENIED),
        (asked(break_glass=True, second_by=at(30)), 1, Where.READY),
        (asked(Verdict.DENY, break_glass=True), 1, Where.DENIED),
        (asked(break_glass=True, second_by=at(30)), 90, Where.LAPSED),
        (asked(lapses="soon"), 1, Where.LAPSED),
    ],
)
def test_how_far_a_request_is_that_nobody_decided_about(request_: Asked, minute: int, expected: Where) -> None:
    assert where(Told(request_).action, NOW + minute * MINUTE) is expected


@pytest.mark.parametrize("overruled", ["", "the sealed policies come to something else"])
def test_what_is_not_believed_is_denied(overruled: str) -> None:
    told = Told(asked(Verdict.ALLOW))
    action = msgspec.structs.replace(told.action, overruled=overruled)

    assert where(action, NOW) is (Where.DENIED if overruled else Where.READY)
    assert approved(action, NOW) is (not overruled)


@pytest.mark.parametrize(
    ("request_", "said", "why"),
    [
        (asked(Verdict.ALLOW), [("done", 1, 1)], ""),
        (asked(), [("done", 1, 1)], "nobody had approved it"),
        (asked(), [("grant", 1), ("done", 2, 2)], ""),
        (asked(), [("done", 1, 1), ("grant", 2)], "nobody had approved it"),
        (asked(), [("grant", 5), ("done", 6, 2)], "nobody had approved it"),
        (asked(), [("grant", 5), ("done", 6, 600)], ""),
        (asked(Verdict.ALLOW), [("done", 1, -5)], "it was done before it was asked for"),
        (asked(Verdict.ALLOW), [("done", 95, 95)], "the request had lapsed"),
        (asked(Verdict.ALLOW), [("done", 95, 80)], ""),
        (asked(Verdict.DENY), [("done", 1, 1)], "the policies had denied it"),
        (asked(), [("grant", 1), ("deny", 2), ("done", 3, 3)], "it had been denied"),
        (asked(), [("grant", 1), ("done", 3, 3), ("deny", 4)], ""),
        (asked(), [("grant", 1), ("withdraw", 2), ("done", 3, 3)], "the approval had been taken back"),
        (asked(), [("grant", 1), ("done", 3, 3), ("withdraw", 4)], ""),
        (asked(Verdict.ALLOW), [("settle", 1), ("done", 2, 2)], "it had been settled before"),
        (asked(break_glass=True, second_by=at(30)), [("done", 1, 1)], "it was done as break-glass"),
        (asked(break_glass=True, second_by=at(30)), [("done", 1, 1), ("grant", 2)], "it was done as break-glass"),
        (asked(break_glass=True, second_by=at(30)), [("deny", 1), ("done", 2, 2)], "it had been denied"),
    ],
)
def test_what_was_done_without_approval_is_never_hidden(
    request_: Asked, said: list[tuple[object, ...]], why: str
) -> None:
    told = Told(request_)
    for what, minute, *more in said:
        when = float(str(minute))
        if what == "done":
            told.done(when, said=float(str(more[0])))
        elif what == "settle":
            told.settle(when)
        else:
            told.decide(when, "carl" if what == "deny" else "bob", str(what))
    action = told.action

    assert [unapproved(action, each) for each in action.done] == [why]
    assert where(action, NOW + 100 * MINUTE) is (Where.UNAPPROVED if why else Where.DONE)
    assert needs_review(action) is (bool(why) or request_.break_glass)


def test_the_logs_say_what_came_first_and_not_the_clocks() -> None:
    told = Told(asked())
    told.done(10)
    told.decide(9, "bob")  # the clock of the approvals process is behind: the log that it saw had the deed in it

    assert [unapproved(told.action, each) for each in told.action.done] == ["nobody had approved it"]


def test_a_settled_action_is_settled_and_what_it_was_stays() -> None:
    told = Told(asked())
    told.done(1)
    told.settle(2)

    assert where(told.action, NOW + 3 * MINUTE) is Where.SETTLED
    assert unapproved(told.action, told.action.done[0]) == "nobody had approved it"


def test_a_break_glass_wants_a_second_person_and_a_review_by_then() -> None:
    told = Told(asked(break_glass=True, second_by=at(30), review_by=at(60), lapses=at(240)))
    assert overdue(told.action, NOW + 999 * MINUTE) == ()
    told.done(1)

    assert overdue(told.action, NOW + 29 * MINUTE) == ()
    assert overdue(told.action, NOW + 30 * MINUTE) == ("second person",)
    assert overdue(told.action, NOW + 60 * MINUTE) == ("second person", "review")
    told.decide(2, "bob")
    told.review(3, "ann-admin")
    assert [each.why for each in told.action.reviews] == ["barred: requester"]
    assert overdue(told.action, NOW + 60 * MINUTE) == ("review",)
    told.review(4, "eve")
    assert overdue(told.action, NOW + 60 * MINUTE) == ()
    assert (seconded(told.action), reviewed(told.action)) == (told.steps[3], told.steps[5])


def test_a_second_person_who_comes_late_does_not_count() -> None:
    told = Told(asked(break_glass=True, second_by=at(10), lapses=at(240)))
    told.done(1)
    for verdict in ("grant", "deny"):
        told.decide(11, "bob", verdict)

    assert (decide_by(told.action), told.whys) == (NOW + 10 * MINUTE, ["too-late", "too-late"])


def test_nothing_is_reviewed_before_it_was_done() -> None:
    told = Told(asked(Verdict.ALLOW))
    told.review(1, "bob")
    told.done(2)

    assert [each.why for each in told.action.reviews] == ["nothing-done-yet"]


def test_a_decision_that_saw_no_request_was_given_too_early() -> None:
    told = Told(asked())
    told.decide(1, "bob")
    told.steps[-1] = msgspec.structs.replace(told.steps[-1], seen=1)

    assert told.whys == ["too-early"]


def test_without_groups_nobody_can_approve() -> None:
    told = Told(asked())
    told.decide(1, "bob")
    (found,) = incidents(told.steps)
    (action,) = weighed(found, People(persons=Persons(), groups={})).actions

    assert [each.why for each in action.decisions] == ["not-in-group: approvers"]
