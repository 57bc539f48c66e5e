"""The fold over sealed steps: order of reading, steps that cannot be, and what stays visible."""

from __future__ import annotations

import random

import pytest

from custody.incidents.record.folding import Heard, Incident, incidents
from custody.model.broker_terms import Decision, Verdict
from custody.model.incidents import (
    ActionKind,
    Asked,
    Claimed,
    Closed,
    Decided,
    Done,
    Item,
    Noted,
    Opened,
    Reopened,
    Reviewed,
    Seed,
    SeedKind,
    Settled,
    Step,
    Vouched,
    Widened,
    digest_of,
    step_of,
    text_of,
)
from custody.model.leaf import LeafRef
from custody.model.register import Signature
from custody.model.verdicts import Severity

NOW = 1_795_341_600_000_000
SEED, MORE = Seed(kind=SeedKind.KEY, value="k1"), Seed(kind=SeedKind.ADDRESS, value="203.0.113.9")
DECISION = Decision(verdict=Verdict.ALLOW, engine="e", policy_set="", schema="", entities="", request="")
OPENED = Opened(
    incident="in-1", title="t", severity=Severity.HIGH, seeds=(SEED,), reason="r", aware="2026-11-22T10:00:00Z"
)
ASKED = Asked(
    incident="in-1",
    action="ac-1",
    kind=ActionKind.CONTAIN,
    targets=("k1",),
    reason="r",
    content=("c",),
    asker="ann",
    lapses="2026-11-22T11:00:00Z",
    decision=DECISION,
)
DIGEST = digest_of(ASKED)
GRANT = Decided(incident="in-1", action="ac-1", digest=DIGEST, verdict="grant", reason="r")
REVIEW = Reviewed(incident="in-1", action="ac-1", digest=DIGEST, verdict="justified", reason="r")
DONE = Done(incident="in-1", action="ac-1", how="elsewhere", did=("c",), at="2026-11-22T10:01:00Z")
SETTLED = Settled(incident="in-1", action="ac-1", how="failed", reason="r")
CLOSED = Closed(incident="in-1", reason="r", answers="", as_of=None)
REOPENED = Reopened(incident="in-1", reason="r")
CLAIMED = Claimed(incident="in-1", identity="pay", item=Item.CAUSE_REMOVED, reason="r")
VOUCHED = Vouched(incident="in-1", identity="pay", reason="r")
SIGNED = Signature(method="ssh", principals=("bob",), key="SHA256:b", anchor="")


def heard(*steps: Step | tuple[Step, str], signed: bool = True) -> list[Heard]:
    """Steps in the logs that they belong to, or in the one that is named, in order."""
    found: list[Heard] = []
    for index, given in enumerate(steps):
        step, log = given if isinstance(given, tuple) else (given, _log(given))
        signature = SIGNED if log == "approvals" and signed else None
        found.append(
            Heard(
                leaf=LeafRef(log, index), at=NOW + index, by="ops@host", step=step, digest=digest_of(step),
                signature=signature,
            )
        )  # fmt: skip
    return found


def _log(step: Step) -> str:
    return "approvals" if isinstance(step, Decided | Reviewed | Vouched) else "operations"


def one(*steps: Step | tuple[Step, str], signed: bool = True) -> Incident:
    (found,) = incidents(heard(*steps, signed=signed))
    return found


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ((OPENED, OPENED), "it was open already"),
        ((OPENED, ASKED, ASKED), "an action of this id was asked for before"),
        ((OPENED, DONE), "no such action was asked for"),
        ((OPENED, SETTLED), "no such action was asked for"),
        ((OPENED, GRANT), "no such action was asked for"),
        ((OPENED, REVIEW), "no such action was asked for"),
        ((OPENED, ASKED, SETTLED, SETTLED), "it was settled before"),
        ((OPENED, REOPENED), "it was not closed"),
        ((OPENED, CLOSED, ASKED), "the incident was closed"),
        ((OPENED, CLOSED, CLOSED), "the incident was closed"),
        ((OPENED, ASKED, (GRANT, "operations")), "it is in the wrong log"),
        ((OPENED, (ASKED, "approvals")), "it is in the wrong log"),
        ((OPENED, (CLOSED, "approvals")), "it is in the wrong log"),
        ((OPENED, (OPENED, "approvals")), "it is in the wrong log"),
    ],
)
def test_a_step_that_cannot_be_changes_nothing_and_stays_visible(steps: tuple[Step, ...], why: str) -> None:
    found = one(*steps)

    assert [each.why for each in found.odd] == [why]
    assert len(found.heard) == len(steps) - 1
    assert (found.opening, found.opened.leaf.index) == (OPENED, 0)


@pytest.mark.parametrize("step", [GRANT, REVIEW, VOUCHED])
def test_a_decision_that_nobody_signed_is_none(step: Step) -> None:
    found = one(OPENED, ASKED, step, signed=False)

    assert [each.why for each in found.odd] == ["a decision that nobody signed"]
    assert (found.actions[0].decisions, found.actions[0].reviews, found.vouched) == ((), (), ())


def test_every_step_has_its_place() -> None:
    note = Noted(incident="in-1", text="t")
    widened = Widened(incident="in-1", seeds=(SEED, MORE), reason="r")
    found = one(OPENED, note, widened, ASKED, GRANT, DONE, REVIEW, SETTLED, CLAIMED, VOUCHED, CLOSED)
    (action,) = found.actions

    assert found.odd == ()
    assert found.seeds == (SEED, MORE)
    assert (action.request, action.id, action.settled is not None) == (ASKED, "ac-1", True)
    assert ([len(each) for each in (action.decisions, action.done, action.reviews)]) == [1, 1, 1]
    assert (found.claims[0].step, found.vouched[0].step) == (CLAIMED, VOUCHED)
    assert found.closed is not None
    assert found.action("ac-1") is action
    assert found.action("ac-2") is None


def test_what_was_closed_can_be_opened_again() -> None:
    found = one(OPENED, CLOSED, REOPENED, ASKED)

    assert (found.closed, len(found.actions), found.odd) == (None, 1, ())


def test_decisions_may_be_sealed_after_the_close() -> None:
    assert len(one(OPENED, ASKED, CLOSED, REVIEW).actions[0].reviews) == 1


def test_the_order_of_reading_changes_nothing() -> None:
    steps = heard(OPENED, ASKED, GRANT, DONE, DONE, REVIEW, SETTLED, CLOSED, ASKED, CLOSED)
    expected = incidents(steps)
    for seed in range(20):
        shuffled = list(steps)
        random.Random(seed).shuffle(shuffled)  # an order of reading
        assert incidents(shuffled) == expected


def test_steps_of_no_incident_make_none() -> None:
    assert incidents(heard(ASKED, GRANT, (OPENED, "approvals"))) == ()


def test_incidents_are_apart() -> None:
    other = Opened(**{name: getattr(OPENED, name) for name in OPENED.__struct_fields__} | {"incident": "in-2"})
    first, second = incidents(heard(OPENED, other, ASKED))

    assert (len(first.actions), len(second.actions)) == (1, 0)


@pytest.mark.parametrize(
    ("signature", "author", "names"),
    [
        (SIGNED, "bob", ("bob", "key:SHA256:b")),
        (None, "account:ops@host", ("account:ops@host",)),
        (Signature(method="ssh", principals=(), key="k", anchor=""), "account:ops@host", ("key:k",)),
    ],
)
def test_who_signs_is_no_account_and_who_does_not_is_nothing_else(
    signature: Signature | None, author: str, names: tuple[str, ...]
) -> None:
    found = Heard(leaf=LeafRef("operations", 1), at=NOW, by="ops@host", step=OPENED, digest="", signature=signature)

    assert (found.author, found.names) == (author, names)
    assert found.everything == (*names, "account:ops@host")


@pytest.mark.parametrize("step", [OPENED, ASKED, GRANT, REVIEW, DONE, SETTLED, CLOSED, REOPENED, CLAIMED, VOUCHED])
def test_a_text_is_its_step_and_no_other_spelling_of_it_is(step: Step) -> None:
    text = text_of(step)

    assert step_of(text) == step
    for other in (text + b"\n", text.replace(b'":', b'": ', 1), b" " + text, text.replace(b"custody.incident/1", b"x")):
        assert step_of(other) is None
