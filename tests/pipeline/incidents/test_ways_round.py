"""Ways round an approval, a review or the rules that were sealed, past the commands and with them: none leads on."""

from __future__ import annotations

import msgspec
import pytest

from custody.cli.incident.page import listing, status
from custody.errors import IntentRefused, PolicyDenied, UsageError
from custody.incidents.record.folding import Where
from custody.incidents.record.weighing import reviewed, unapproved, where
from custody.incidents.telling.answered import Lease
from custody.model.broker_terms import Decision, Verdict
from custody.model.incidents import ActionKind, Asked, Closed, Ended, Opened, Reopened, Widened
from custody.model.times import text
from custody.model.verdicts import Severity
from custody.pipeline.incidents import acting, closing, doing
from custody.pipeline.incidents.closing import Judgement
from custody.reports.terminal.style import PLAIN
from tests.pipeline.incidents.scene import CARL, DORA, MINUTE, Scene, signer
from tests.ssh_signing import ANN, BOB, Person


class Broker:
    """What was asked of it; it holds nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def contained(self) -> dict[str, doing.Held]:
        return {}

    def leases(self, _: str) -> tuple[Lease, ...]:
        return ()

    def contain(self, identity: str, reason: str, incident: str) -> tuple[Lease, ...]:
        assert reason.startswith(incident)
        self.asked.append(identity)
        return ()

    def revoke(self, chain: str, reason: str) -> tuple[Lease, ...]:
        raise AssertionError(chain + reason)

    def enable(self, identity: str, reason: str) -> None:
        raise AssertionError(identity + reason)


def do(scene: Scene, action: str, person: Person | None, account: str = "other@host") -> list[str]:
    broker = Broker()
    scene.account = account
    doing.do(
        scene.desk,
        doing.Wanted(action=action),
        broker,
        lambda *_: (),
        None if person is None else signer(person),
    )
    return broker.asked


@pytest.mark.parametrize("how", ["waiting", "denied"])
def test_to_say_that_it_was_done_lets_the_broker_do_nothing(scene: Scene, how: str) -> None:
    action = scene.asked(scene.open(title=how), targets=("deploy",))
    if how == "denied":
        scene.decide(action, BOB, "deny")
    scene.done(action)
    with pytest.raises(PolicyDenied) as error:
        do(scene, action, ANN)

    assert error.value.reason == how
    assert len(scene.action(action).done) == 1


def test_what_was_approved_and_done_elsewhere_the_broker_does_too(scene: Scene) -> None:
    action = scene.asked(scene.open(title="twice"), targets=("deploy",))
    scene.decide(action, BOB)
    scene.done(action)

    assert do(scene, action, ANN) == ["deploy"]
    assert where(scene.action(action), scene.now) is Where.DONE


def test_who_approved_it_does_not_have_the_broker_do_it(scene: Scene) -> None:
    """By name or, unsigned, by the account; it would stand as done without approval once it was done."""
    action = scene.asked(scene.open(title="by the approver"), targets=("deploy",))
    scene.decide(action, BOB)
    for person, account in ((BOB, "other@host"), (None, "ops@host")):
        with pytest.raises(PolicyDenied) as error:
            do(scene, action, person, account)
        assert error.value.reason == "own-approval"

    assert scene.action(action).done == ()
    assert do(scene, action, None) == ["deploy"]


def test_nobody_settles_a_review_away(scene: Scene) -> None:
    name = scene.open(title="settled")
    glass, plain = scene.asked(name, break_glass=True), scene.asked(name, targets=("other",))
    for each in (glass, plain):
        scene.done(each)
        acting.settle(scene.desk, each, "accepted", "it is fine", signer(ANN))
    with pytest.raises(UsageError, match="not everything is over") as refused:
        closing.close(scene.desk, name, "over", lambda _: Judgement(), signer(ANN))

    assert refused.value.found.count("nobody else reviewed it") == 2
    for each in (glass, plain):
        scene.review(each, DORA)
    assert closing.close(scene.desk, name, "over", lambda _: Judgement(), signer(ANN)).sealed


def test_what_is_done_after_a_review_was_reviewed_by_nobody(scene: Scene) -> None:
    action = scene.asked(scene.open(title="done again"), break_glass=True)
    scene.done(action)
    assert scene.review(action, DORA).sealed
    assert not scene.review(action, DORA).sealed
    acting.done(scene.desk, action, ("delete everything",), signer(ANN))

    assert reviewed(scene.action(action)) is None
    assert scene.review(action, DORA).sealed
    assert reviewed(scene.action(action)) is not None


def test_who_granted_it_afterwards_is_not_who_reviews_it(scene: Scene) -> None:
    action = scene.asked(scene.open(title="one other person"), break_glass=True)
    scene.done(action)
    scene.decide(action, BOB)
    with pytest.raises(IntentRefused, match="its author granted it"):
        scene.review(action, BOB)
    assert scene.review(action, DORA).sealed


def test_a_break_glass_that_waited_can_still_be_denied(scene: Scene) -> None:
    action = scene.asked(scene.open(title="late"), break_glass=True)
    scene.now += 31 * MINUTE
    assert where(scene.action(action), scene.now) is Where.READY
    scene.decide(action, CARL, "deny")

    assert where(scene.action(action), scene.now) is Where.DENIED
    done = scene.done(action)
    assert unapproved(scene.action(action), scene.action(action).done[0]) == done.why == "it had been denied"


def test_a_signers_file_that_comes_later_makes_nobody_known(scene: Scene) -> None:
    """Opened without one: who brings a file of their own is not Ann, and no responder of a critical incident."""
    mine = Person("ann@example.com", 77)
    own = scene.folder / "own"
    own.write_text(mine.line())
    before = scene.settings
    scene.settings = msgspec.structs.replace(before, signers=None)
    name = scene.open(None, severity=Severity.CRITICAL, title="nobody is known")
    scene.settings = msgspec.structs.replace(before, signers=own)
    with pytest.raises(UsageError, match="whose the key is cannot be said"):
        scene.act(name, mine)
    heard = scene.inject(Widened(incident=name, seeds=(), reason="r"), mine, log="operations")
    scene.settings = before

    assert (heard.signature, heard.author) == (None, "account:x@host")


def test_a_close_that_the_policies_do_not_allow_ends_nothing(scene: Scene) -> None:
    name = scene.open(title="closed by nobody")
    scene.inject(Closed(incident=name, reason="over", answers="0" * 64, as_of=None), None, log="operations")
    found = scene.incident(name)

    assert found.closed is None
    assert [each.why for each in found.odd] == ["the policies do not let its author close it"]
    assert scene.act(name).where is Where.WAITING
    (action,) = scene.incident(name).actions
    acting.settle(scene.desk, action.id, "withdrawn", "r", signer(ANN))
    ended = (Ended(action=action.id, how="settled"),)
    scene.inject(Closed(incident=name, reason="over", answers="0" * 64, as_of=None, ended=ended), ANN, log="operations")
    assert scene.incident(name).closed is not None
    scene.inject(Reopened(incident=name, reason="r"), ANN, log="operations")
    assert scene.incident(name).closed is None


def test_ids_that_steer_a_terminal_are_shown_as_they_are(scene: Scene) -> None:
    name, action = "in-\x1b]0;x\x07\x1b[2J", "ac-\x1b[2K\u202e"
    opened = Opened(
        incident=name, title="t", severity=Severity.HIGH, seeds=(), reason="r", aware=str(text(scene.now)),
        response="\x1b[31m0",
    )  # fmt: skip
    allowed = Decision(verdict=Verdict.ALLOW, engine="e", policy_set="", schema="", entities="", request="")
    asked = Asked(
        incident=name, action=action, kind=ActionKind.CONTAIN, targets=("a",), reason="r", content=("c",), asker="ann",
        lapses=str(text(scene.now)), decision=allowed,
    )  # fmt: skip
    for step in (opened, asked):
        scene.inject(step, None, log="operations")
    found = scene.incident(name)
    shown = "\n".join([*status(found, scene.now, PLAIN), *listing([found], [], scene.now, PLAIN)])

    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert "ac-\\x1b[2K\\u202e" in shown
