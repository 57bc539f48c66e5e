"""Which of two logs had a step first: by what each saw of the other, so that no clock of one of them decides alone."""

from __future__ import annotations

import msgspec
import pytest

from custody.incidents.record.folding import Heard, Where
from custody.incidents.record.weighing import approved, denied, late, overdue, precedes, reviewed, unapproved, where
from custody.model.broker_terms import Verdict
from custody.model.incidents import Noted
from custody.model.leaf import LeafRef
from tests.incidents.test_weighing import MINUTE, NOW, Told, asked, at

NOTE = Noted(incident="in-1", text="t")
GLASS = asked(break_glass=True, second_by=at(10), review_by=at(60), lapses=at(240))


class Both(Told):
    """Steps of the operations log say how much they saw of the log of approvals, as they do now."""

    def last(self, **changed: object) -> None:
        """The last step is another: what somebody can write who has the key of its log."""
        self.steps[-1] = msgspec.structs.replace(self.steps[-1], **changed)

    def say(self, step: object, minute: float, who: str | None, account: str | None = None) -> None:
        before = len(self.steps)
        super().say(step, minute, who, account)  # type: ignore[arg-type]
        if self.steps[-1].leaf.log == "operations":
            self.last(seen=before)

    def note(self, minute: float) -> None:
        self.say(NOTE, minute, "eve")


@pytest.mark.parametrize("lying", [False, True], ids=["it names what it saw", "it names an older tree"])
def test_a_clock_that_was_put_back_gives_no_more_time(lying: bool) -> None:
    """The approver has the key of the log of approvals: by its clock the grant is in time. The other knows better."""
    told = Both(asked())
    old = told.size
    told.note(31)
    told.decide(29, "bob")
    if lying:
        told.last(seen=old)

    assert told.whys == ["too-late"]
    assert not approved(told.action, NOW + 32 * MINUTE)


def test_what_was_there_before_the_time_was_over_counts() -> None:
    told = Both(asked())
    told.note(10)
    told.decide(29, "bob")
    told.note(31)
    told.done(32)

    assert told.whys == [""]
    assert [unapproved(told.action, each) for each in told.action.done] == [""]


def test_a_step_from_before_the_request_says_nothing_of_its_time() -> None:
    """Somebody's clock was far ahead once: what is asked for afterwards can still be approved."""
    told = Both(asked())
    early = Heard(leaf=LeafRef("operations", 0), at=NOW + 999 * MINUTE, by="x", step=NOTE, digest="", seen=0)
    told.steps = [told.steps[0], early, told.steps[1]]
    told.steps[2] = msgspec.structs.replace(told.steps[2], leaf=LeafRef("operations", 2))
    told.size = 3
    told.decide(1, "bob")

    assert told.whys == [""]


def test_a_grant_that_the_deed_had_not_seen_came_after_it() -> None:
    """It is dated before, and names an operations log in which nothing was done yet: the deed had not seen it."""
    told = Both(asked())
    old = told.size
    told.done(10)
    told.decide(5, "bob")
    told.last(seen=old)

    assert [unapproved(told.action, each) for each in told.action.done] == ["nobody had approved it"]
    without = Both(asked())
    without.done(10)
    without.last(seen=None)
    without.decide(5, "bob")
    without.last(seen=old)
    assert [unapproved(without.action, each) for each in without.action.done] == [""]


def test_a_deed_that_claims_to_have_seen_more_makes_no_grant_earlier() -> None:
    told = Both(asked())
    told.done(10)
    told.last(seen=10**6)
    told.decide(9, "bob")

    assert [unapproved(told.action, each) for each in told.action.done] == ["nobody had approved it"]


def test_a_decision_that_the_request_had_seen_came_before_it() -> None:
    told = Both(asked())
    told.decide(1, "bob")
    told.last(leaf=LeafRef("approvals", 0))

    assert told.steps[1].seen == 1
    assert told.whys == ["too-early"]


@pytest.mark.parametrize("verdict", ["deny", "withdraw"])
def test_no_clock_that_is_ahead_takes_away_what_forbids(verdict: str) -> None:
    """Who asked seals something with a clock that is days ahead: a denial is not late for it."""
    told = Both(asked())
    if verdict == "withdraw":
        told.decide(1, "bob")
    told.note(9999)
    told.decide(2, "bob", verdict)

    assert told.whys[-1] == ("" if verdict == "deny" else "withdraws")
    assert where(told.action, NOW + 3 * MINUTE) is (Where.DENIED if verdict == "deny" else Where.WAITING)


@pytest.mark.parametrize("claims", [0, 10**6], ids=["it saw nothing", "it saw all"])
def test_a_deed_cannot_say_away_a_denial_that_either_log_has_before_it(claims: int) -> None:
    told = Both(GLASS)
    told.decide(15, "bob", "deny")
    told.done(16)
    told.last(seen=claims)

    assert [unapproved(told.action, each) for each in told.action.done] == ["it had been denied"]
    assert denied(told.action, told.action.done[0])


def test_a_grant_that_was_taken_back_by_one_of_the_logs_was_taken_back() -> None:
    told = Both(asked())
    told.decide(1, "bob")
    told.decide(2, "bob", "withdraw")
    told.done(3)
    told.last(seen=3)  # it says that it saw the grant and not its withdrawal, whose author had not seen the deed

    assert [unapproved(told.action, each) for each in told.action.done] == ["the approval had been taken back"]


def test_a_second_person_cannot_be_dated_back() -> None:
    told = Both(GLASS)
    told.done(1)
    told.note(11)
    told.decide(5, "bob")

    assert told.whys == ["too-late"]
    assert overdue(told.action, NOW + 12 * MINUTE) == ("second person",)


def test_a_review_from_before_the_deed_is_none() -> None:
    told = Both(asked(Verdict.ALLOW))
    told.review(1, "bob")
    told.done(2)
    told.steps[2] = msgspec.structs.replace(told.steps[2], seen=10**6)  # says that it saw the deed

    assert [each.why for each in told.action.reviews] == ["nothing-done-yet"]
    assert reviewed(told.action) is None


def test_the_stricter_of_the_two_logs_wins() -> None:
    decision = Heard(leaf=LeafRef("approvals", 5), at=NOW, by="x", step=NOTE, digest="", seen=7)

    def step(index: int, seen: int | None) -> Heard:
        return msgspec.structs.replace(decision, leaf=LeafRef("operations", index), seen=seen)

    steps = (step(7, None), step(7, 6), step(7, 5), step(6, None), step(6, 6))
    assert [precedes(decision, each) for each in steps] == [True, True, False, False, False]


def test_late_is_by_its_own_clock_too() -> None:
    told = Both(asked())
    told.decide(1, "bob")
    action = told.action
    (heard,) = (each.heard for each in action.decisions)

    assert [late(action, heard, NOW + minute * MINUTE) for minute in (1, 2)] == [True, False]
